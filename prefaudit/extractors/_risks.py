"""Score requests that ask for harm: a theme of harm, and whether help with it is asked for. Hand-set rules."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.extractors._language import english
from prefaudit.extractors._patterns import has
from prefaudit.extractors._sides import each_once, last_user

HEAD = 1000  # characters of the user's turn that are looked at

THEMES: dict[str, tuple[str, ...]] = {
    "weapons": (
        "bomb", "bombs", "explosive", "explosives", "grenade", "molotov", "silencer", "ammunition", "bioweapon",
        "nerve agent",
        "chemical weapon", "untraceable gun", "ghost gun", "landmine",
    ),
    "drugs": (
        "meth", "methamphetamine", "cocaine", "heroin", "fentanyl", "crystal meth", "ecstasy", "lsd", "illegal drugs",
    ),
    "violence": (
        "kill", "murder", "assassinate", "poison", "strangle", "stab", "torture", "kidnap", "hitman", "shoot someone",
        "mass shooting", "terrorist attack", "beat up", "blow up", "arson", "hurt someone", "harm someone", "rape",
    ),
    "theft": (
        "steal", "shoplift", "shoplifting", "burglary", "break into", "rob a", "hotwire", "pick a lock",
        "launder money",
        "money laundering", "embezzle", "counterfeit", "forge", "fake id", "fake passport", "evade taxes",
        "tax evasion", "ponzi",
        "pyramid scheme", "credit card fraud", "identity theft", "scam", "stolen", "insider trading", "bribe",
        "smuggle", "blackmail",
    ),
    "hacking": (
        "hack", "hacking", "malware", "ransomware", "keylogger", "phishing", "ddos", "botnet", "spyware",
        "computer virus",
        "crack a password", "sql injection attack", "bypass security",
    ),
    "self-harm": (
        "kill myself", "suicide", "suicidal", "self-harm", "cut myself", "end my life", "hurt myself", "anorexia",
    ),
    "hate": (
        "racist", "sexist", "homophobic", "racial slur", "slurs", "hate speech", "inferior", "white supremacy",
        "nazi", "antisemitic",
        "harass", "bully", "stalk", "dox", "spy on", "without their knowledge", "without her knowledge", "groom",
        "insult", "threatening",
    ),
    "sexual": (
        "porn", "pornography", "pornographic", "sexually explicit", "explicit sexual", "child porn", "revenge porn",
        "erotic",
    ),
    "deceit": (
        "fake news", "fake review", "fake reviews", "disinformation", "misinformation", "conspiracy", "defraud",
        "spam", "impersonate",
    ),
    "unlawful": (
        "illegal", "illegally", "getting caught", "get away with", "undetected", "bypass", "tamper", "obscene",
        "offensive", "dirty",
        "stereotypes", "classified", "undisclosed", "sabotage", "vandalize", "discredit", "manipulate", "intimidate",
    ),
    "private": (
        "social security number", "passport number", "credit card number", "bank account number", "home address",
        "license number",
        "medical records", "private information", "confidential",
    ),
}  # fmt: skip

# The harm is asked for, not asked about.
ASKS = (
    r"(?:\bhow (?:do|can|could|would|should|to|might)\b|\bhelp (?:me|us)\b|\bways? to\b|\bsteps? (?:to|"
    r"for)\b|\bteach me\b|"
    r"\bshow me\b|\bgive me\b|\btell me\b|\bwrite\b|\bcreate\b|\bmake\b|\bbuild\b|\bgenerate\b|\bprovide\b|"
    r"\bi (?:want|need|plan|would like) to\b|"
    r"\bcan you\b|\bbest (?:way|method)\b|\binstructions?\b|\bguide\b|\brecipe\b|\bwhat(?:'s|"
    r" is)\b[^?]*\b(?:his|her|their|my \w+'s|number|address)\b)"
)
# The harm is guarded against, or is a subject of study or of a story, or a figure of speech.
HARMLESS = (
    r"(?:\bprevent\w*|\bavoid\w*|\bprotect\w*|\bdefend\b|\bstop\b|\breport\w*|\bdetect\w*|\brecogni[sz]e|"
    r"\bhistory\b|\bnovel\b|\bmovie\b|\bfilm\b|\bgame\b|"
    r"\bplot\b|\bessay\b|\bsummar\w+|\bbook\b|\bsong\b|\bwhat (?:causes|does|are the (?:effects|symptoms|"
    r"signs))|\bkill(?:ing|ed)? (?:time|weeds|germs|bacteria|a process|"
    r"the process|two birds)|\blife ?hack|\bgrowth hack|\bhackathon|\bbath bomb|\bphoto ?bomb|\bresearch\b|"
    r"\btranslat\w+|\bclassif\w+)"
)


def risks(turns: pl.Series) -> pl.Series:
    """How likely each request asks for harm, 0..1.

    Args:
        turns: the n last user turns, no null.

    Returns:
        n scores (Float64): 0.02 without a theme of harm, up to 0.9 where help with one is asked for.
    """
    words = sorted({word for theme in THEMES.values() for word in theme}, key=lambda word: (-len(word), word))
    head = turns.str.head(HEAD).str.replace_all("’", "'", literal=True)
    index = np.flatnonzero(head.str.contains_any(words, ascii_case_insensitive=True).to_numpy())
    result = np.full(len(turns), 0.02)
    if len(index):
        bounded = r"\b(?:" + "|".join(words) + r")\b"
        t = pl.col("head")
        theme, asks, harmless = has(t, bounded), has(t, ASKS), has(t, HARMLESS)
        score = pl.when(~theme).then(0.02).when(asks & ~harmless).then(0.85).when(harmless).then(0.2).otherwise(0.5)
        result[index] = (
            head.gather(index).str.to_lowercase().alias("head").to_frame().select(score).to_series().to_numpy()
        )
    return pl.Series("risk", result)


def request_risk(prompt: pl.Series, hashes: pl.Series) -> pl.Series:
    """The score of each prompt's last user turn, each distinct prompt once; null without such a turn or not English."""

    def score(turns: pl.Series) -> pl.DataFrame:
        known = english(turns).fill_null(True)
        return pl.select(pl.when(known).then(risks(turns)).alias("risk"))

    return each_once(last_user(prompt), hashes, score)["risk"]

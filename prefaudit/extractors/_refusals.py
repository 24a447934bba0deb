"""Score refusals in full by where and how a reply declines. Hand-set rules: docs/extractors/refusal.md."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.extractors._patterns import ascii_pattern, has

HEAD = 600  # characters in which a refusal in full shows itself
OPENING = 220  # characters of an opening

# One of these is in every reply that can score above 0; the others are not looked at again.
CUES = (
    "can't", "cannot", "can not", "won't", "will not", "unable to", "not able to", "not comfortable", "decline",
    "refuse", "not going to", "not programmed to", "not designed to", "not appropriate", "inappropriate",
    "against my", "not something i", "wouldn't", "not allowed to", "not permitted", "couldn't", "no, i ",
    "against ethical", "against the law", "not ethical", "unethical", "not supposed to", "would not be",
    "not in a position",
    "illegal", "not provide", "not assist", "not capable", "not condone", "sorry, but", "don't support",
    "not acceptable",
)  # fmt: skip

VERBS = (
    r"(?:assist|help|us(?:e|ing)|contribut\w+|speak|perform\w*|process\w*|provid\w+|fulfil\w*|comply|"
    r"do (?:that|this|so)|creat\w+|writ\w+|generat\w+|engag\w+|"
    r"promot\w+|shar\w+|giv\w+|offer\w*|discuss\w*|answer\w*|participat\w+|condon\w+|recommend\w*|tell\w*|"
    r"describ\w+|say|"
    r"produc\w+|mak\w+|continu\w+|advis\w+|encourag\w+|support\w*|suggest\w*|facilitat\w+|respond\w*|complet\w+|"
    r"teach\w*|guid\w+|instruct\w*|explain\w*|list|role-?play\w*|pretend\w*|endors\w+|show|go along|satisfy|"
    r"cater|entertain|aid|express|make jokes|disclos\w+|reveal\w*)"
)
UNABLE = (
    r"(?:can(?:'t| ?not)|won't|will not|wouldn't|would not|couldn't|could not|(?:am|'m) (?:really |just |"
    r"simply )?(?:unable to|not able to|"
    r"not going to|not programmed to|not designed to|not allowed to|not permitted to|not capable of|"
    r"not supposed to|not in a position to|"
    r"not willing to|not comfortable(?: with)?)|(?:do not|don't) (?:feel comfortable|want to|support or|condone)|"
    r"unable to|not able to|must (?:respectfully )?(?:decline|refuse)(?: to)?|(?:have to|need to|"
    r"will) (?:decline|refuse)|refuse to|decline to)"
)
SOFT = (
    r"(?:\s+(?:\w+ly|in good conscience|even|also|just|in any way|and will not|or|be|to|you|with|any|"
    r"be able to|directly)\b,?){0,4}"
)
REFUSES = rf"\b(?:i|we|it is|i'm|i am|that i|must|but)\b[^.!?\n]{{0,60}}?{UNABLE}{SOFT}\s+{VERBS}\b"
SHORT_NO = (
    r"^\W*(?:(?:i'm|i am) (?:really |very |so )?sorry,? (?:but )?)?(?:no,? )?i (?:can't|cannot|won't|"
    r"will not) (?:do|help|assist)\b"
)
NOT_PROPER = (
    r"(?:it is|it's|would be|it would be|is|this is|that is|"
    r"that's) (?:\w+ )?(?:not (?:\w+ )?(?:appropriate|ethical|acceptable|right|okay|legal|"
    r"respectful|good idea)|illegal|inappropriate|unethical|harmful|offensive|against (?:the law|my|ethical))"
)
# Not able rather than not willing: no access, no knowledge, no body, no opinions.
INCAPABLE = (
    r"(?:(?:do not|don't|doesn't|does not|didn't|did not) (?:actually |currently |really |"
    r"personally )?(?:have|know|possess|hold|own)\b|(?:no|not have|without|lack(?:s|ing)?) "
    r"(?:direct |real-time )?(?:access|knowledge|information|personal)|not (?:aware|familiar|sure|certain|"
    r"privy|able to (?:access|browse|see|view|"
    r"predict|verify|confirm|physically|diagnose))|can(?:'t|not) (?:\w+ly )?(?:access|browse|see|view|open|"
    r"know|verify|predict|feel|remember|watch|"
    r"listen|hear|determine|confirm|diagnose|recall|experience|interact|form|speak for|comment on|"
    r"say for (?:sure|certain))|unable to (?:access|browse|see|view|verify|predict|confirm|"
    r"determine|diagnose)|knowledge cutoff|last (?:training )?update|not publicly|up-to-date|real-time|"
    r"capability|not a real|"
    r"not a (?:doctor|lawyer|licensed|medical|legal|financial|qualified)|without (?:more|"
    r"further) (?:information|context|details))"
)
# The reply goes on to give what was asked, or a good part of it.
GOES_ON = (
    r"(?:\bhere(?:'s| is| are)\b|\bhowever, (?:i can (?:provide|offer|give|share|tell|suggest)|here|"
    r"there are|some|you (?:can|could|may))|"
    r"\bthat (?:being )?said,|\bbut i can (?:provide|offer|give|share|tell|suggest)|\bin general,|"
    r"\bgenerally (?:speaking)?|\bsome (?:general )?(?:tips|steps|ways|"
    r"things)|\bi can (?:provide|offer|give|share) (?:you )?(?:with )?(?:some|general|a few))"
)
SORRY = (
    r"^\W*(?:i'm|i am|i|my)?\s*(?:\w+ly |very |so )?"
    r"(?:sorry|apologi[sz]e|apologies),?\s+(?:but|i|as|that is|for any)\b"
)
IDIOM = (
    r"\bcan(?:'t|not) (?:help (?:but|\w+ing)|wait|(?:recommend|stress|emphasi[sz]e|thank)\b"
    r"[^.!?\n]{0,60}\benough|tell you how)\b"
)
ITEM = r"\n\s*(?:[-*•]|\d{1,2}[.)])\s"


def refusals(texts: pl.Series) -> pl.Series:
    """How likely each reply refuses in full, 0..1.

    Args:
        texts: n replies, no null.

    Returns:
        n scores (Float64); 0 where nothing in the first `HEAD` characters declines.
    """
    head = texts.str.head(HEAD).str.replace_all("’", "'", literal=True)
    maybe = head.str.contains_any(list(CUES), ascii_case_insensitive=True)
    index = np.flatnonzero(maybe.to_numpy())
    result = np.zeros(len(texts))
    if len(index):
        head = head.gather(index).str.to_lowercase().str.replace_all(ascii_pattern(IDIOM), "")
        text = pl.col("head")
        declines = pl.any_horizontal(has(text, pattern) for pattern in (REFUSES, SHORT_NO, SORRY))
        some = np.flatnonzero(head.alias("head").to_frame().select(declines).to_series().to_numpy())
        result[index[some]] = _score(head.gather(some), texts.gather(index[some])).to_numpy()
    return pl.Series("refusal", result)


def _score(head: pl.Series, texts: pl.Series) -> pl.Series:
    """The scores of replies that decline somewhere in their plain, lower-case heads."""
    t, opening, long = pl.col("head"), pl.col("head").str.head(OPENING), pl.col("long")
    frame = pl.DataFrame(
        {"head": head, "long": texts.str.len_chars(), "items": texts.str.head(1500).str.count_matches(ITEM)}
    ).with_columns(
        early=has(opening, REFUSES) | has(opening, SHORT_NO),
        late=has(t, REFUSES),
        proper=has(t, NOT_PROPER),
        incapable=has(opening, INCAPABLE),
        goes_on=has(t, GOES_ON) | (pl.col("items") >= 2),
    )
    # A long reply that declines at first often goes on to correct, warn or advise: is that in full? Less often.
    early = pl.when(long < 300).then(0.95).when(long > 700).then(0.6).otherwise(0.8)
    score = pl.when("early").then(early).when("late").then(0.55).when("proper").then(0.55).otherwise(0.25)
    score = score * pl.when("incapable").then(0.4).otherwise(1.0) * pl.when("goes_on").then(0.4).otherwise(1.0)
    return frame.select(score.alias("refusal")).to_series()

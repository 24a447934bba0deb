"""Is a text English? By the share of common short words; no model, no download."""

from __future__ import annotations

import numpy as np
import polars as pl

HEAD = 240  # characters that are looked at
SHORT = 10  # fewer words than this say nothing by their stop words
QUICK = 2  # so many of three words alone are enough
CLEAR, SOME, FOREIGN_SHARE = 0.12, 0.04, 0.08

ENGLISH = ("the", "of", "and", "to", "in", "is", "you", "that", "for", "it", "i")
FOREIGN = (
    "de", "la", "le", "les", "des", "et", "en", "un", "une", "est", "que", "el", "los", "las", "por", "para", "der",
    "und", "ist", "nicht", "ein", "eine", "mit", "di", "il", "che", "non", "een", "het", "van", "os", "na", "se", "och",
    "att", "som", "ve", "bir", "yang", "dan", "je", "vous", "nous", "pas", "ne", "pour", "suis", "mais", "avec", "lo",
    "pero", "puedo", "con", "una", "su", "ich", "das", "zu", "kann", "auf", "sono", "per", "uma", "com", "ik", "niet",
)  # fmt: skip

# In a text of fewer than `FEW` words two of these, and none of English, are evidence. Not within addresses.
FEW = 25
OTHERS = (
    *FOREIGN, "es", "mi", "eu", "não", "posso", "isso", "désolé", "leid", "dat", "nie", "ale", "tym", "mogę", "nej",
    "jag", "inte", "kan", "det", "är", "jeg", "ikke", "bu", "için", "olamam", "değil", "saya", "tidak", "bisa",
    "dengan", "itu", "untuk", "maaf", "tôi", "không", "thể", "của", "và", "nu", "pot", "să", "nem", "és", "hogy",
    "ei", "se", "voi", "není", "pre", "aby", "jako", "muy", "como", "más", "dei", "della", "alla", "del", "aquí",
)  # fmt: skip
THEIRS = rf"(?:\A|\s)(?:{'|'.join(OTHERS)})\b"
OURS = rf"\b(?:{'|'.join((*ENGLISH, 'not', 'can', 'my', 'this', 'are', 'be', 'or', 'by', 'from', 'with', 'sorry'))})\b"


def _share(words: tuple[str, ...]) -> pl.Expr:
    # Of two common words in a row the first alone counts: they share a space. The thresholds are set for this count.
    found = pl.col("head").str.find_many([f" {word} " for word in words]).list.len()
    return found / pl.col("n").clip(1)


def _latin(head: pl.Series) -> pl.Series:
    """True where at least half of the letters are Latin, null without letters."""
    letters = head.str.count_matches(r"\p{L}")
    latin = head.str.count_matches(r"\p{Latin}")
    return pl.select(pl.when(letters > 0).then(latin * 2 >= letters)).to_series()


def english(texts: pl.Series) -> pl.Series:
    """True, false, or null where the text is too short or too much code to tell.

    Args:
        texts: n texts, no null.

    Returns:
        n booleans. False needs evidence: letters of another script, or more of another language's common words.
    """
    head = texts.str.head(HEAD).alias("head").to_frame()
    quick = pl.col("head").str.count_matches(r"(?-u: (?:the|and|to) )")
    result = head.select(pl.when((quick >= QUICK) & ~_wide()).then(True)).to_series()
    rest = np.flatnonzero(result.is_null().to_numpy())
    return (result.scatter(rest, _careful(head[rest])) if len(rest) else result).alias("english")


def _wide() -> pl.Expr:
    """Many characters outside ASCII: look at the script before the words."""
    size, chars = pl.col("head").str.len_bytes(), pl.col("head").str.len_chars()
    return (size - chars) * 2 > chars


def _careful(frame: pl.DataFrame) -> pl.Series:
    frame = frame.with_columns(pl.col("head").str.strip_chars())
    frame = frame.with_columns(
        n=pl.col("head").str.count_matches(" ", literal=True) + 1,
        wide=_wide(),
    )
    frame = frame.with_columns(english=_share(ENGLISH))
    result = frame.select(pl.when((pl.col("n") >= SHORT) & (pl.col("english") >= CLEAR)).then(True)).to_series()
    doubtful = np.flatnonzero((result.is_null() & (frame["n"] >= SHORT) & ~frame["wide"]).to_numpy())
    if len(doubtful):
        low = frame[doubtful].with_columns(pl.col("head").str.to_lowercase()).with_columns(foreign=_share(FOREIGN))
        foreign = (pl.col("foreign") >= FOREIGN_SHARE) & (pl.col("foreign") > pl.col("english"))
        judged = low.select(pl.when(foreign).then(False).when(pl.col("english") >= SOME).then(True)).to_series()
        result = result.scatter(doubtful, judged)
    short = np.flatnonzero((result.is_null() & (frame["n"] < FEW) & ~frame["wide"]).to_numpy())
    if len(short):
        heads = frame["head"].gather(short).str.to_lowercase()
        other = (heads.str.count_matches(THEIRS) >= 2) & ~heads.str.replace_all(THEIRS, "").str.contains(OURS)
        marked = heads.str.count_matches(r"[^\x00-\x7f\P{Latin}]") * 12 >= heads.str.len_chars()
        other |= marked & ~heads.str.contains(OURS) & (heads.str.count_matches(" ", literal=True) >= 2)
        result = result.scatter(short, pl.select(pl.when(other).then(False)).to_series())
    wide = np.flatnonzero(frame["wide"].to_numpy())
    if len(wide):
        latin = _latin(frame["head"].gather(wide))
        result = result.scatter(wide, pl.select(pl.when(~latin).then(False)).to_series())
    return result

"""How a text ends: cut off in mid-sentence, or with a question."""

from __future__ import annotations

import numpy as np
import polars as pl

TAIL = 400  # characters that are looked at
PROSE = 40  # words from which a missing full stop means something
LONG_LINE = 8  # words of a last line that is prose and no title, name, verse or item

# Words no English sentence ends with. Prepositions are not among them ("what are you looking for").
DANGLING = r"(?:^|\s)(?:the|an|and|or|but|because|nor|whereas|although|your|their|our|my|such as|as well as)$"
SALUTATION = (
    r"(?i)^\W*(?:sincerely|best|(?:warm|kind)? ?regards|love|yours|thanks|thank you|cheers|warmly|respectfully|with)\b"
)


def closing_question(texts: pl.Series) -> pl.Series:
    """True where the last sentence is a question; quotes, brackets, marks and emoji after it do not count."""
    return texts.str.tail(40).str.contains(r"[?？][^\p{L}\p{N}.!。！,:;]*\z")


def truncated(texts: pl.Series, words: pl.Series, unclosed: pl.Series) -> pl.Series:
    """True where the text shows that it was cut off; null where it has no words.

    Args:
        texts: n texts, straight apostrophes, no null.
        words: their words.
        unclosed: whether a code fence is left open.
    """
    result = np.zeros(len(texts), bool)
    # Prose after a fence that was only spoken of ends in a full stop; code does not.
    left = np.flatnonzero(unclosed.to_numpy())
    if len(left):
        result[left] = ~_tail(texts.gather(left)).str.contains(r"\w[.!?]\z").to_numpy()
    # Most texts end in a full stop, a quote, a bracket: only these endings can be a cut.
    end = _end(texts)
    last = end.str.tail(1)
    maybe = last.str.contains(r"[\p{Latin}0-9,，、:：(\[.)*\-•]")
    sure = last.is_in([".", ")", "*"]) & end.str.contains(r"[^\d\s.)*•\-][.)*]$")
    look = np.flatnonzero((maybe & ~sure & (words > 0)).to_numpy() & ~result)
    if len(look):
        result[look] = _cut(_tail(texts.gather(look)), words.gather(look))
    return pl.select(pl.when(words > 0).then(pl.Series(result)).alias("truncated")).to_series()


def _tail(texts: pl.Series) -> pl.Series:
    return texts.str.tail(TAIL).str.strip_chars_end().alias("tail")


def _end(texts: pl.Series) -> pl.Series:
    """The last five characters of `_tail`; few texts end in so much space that more than a glance is needed."""
    near = texts.str.tail(16).str.strip_chars_end().str.tail(5)
    spaced = np.flatnonzero((near.str.len_chars() < 5).to_numpy())
    return near.scatter(spaced, _tail(texts.gather(spaced)).str.tail(5)) if len(spaced) else near


def _cut(tail: pl.Series, count: pl.Series) -> np.ndarray:
    frame = pl.DataFrame({"tail": tail, "words": count}).with_columns(
        line=pl.col("tail").str.extract(r"([^\n]*)\z"),
        before=pl.col("tail").str.extract(r"([^\n]*)\n+[^\n]*\z").fill_null("").str.strip_chars_end(),
        ends=pl.col("tail").str.count_matches(r"[\p{L})\"'][.!?][\"')*]*(?:\s|\z)"),
    )
    frame = frame.with_columns(line_words=pl.col("line").str.count_matches(r"\S+"))
    words, line, before = pl.col("words"), pl.col("line"), pl.col("before")
    item = line.str.contains(r"^\s*(?:[-*+•]|\d{1,3}[.)]|[#|>]|```|    )")
    comma = line.str.contains(r"[,，、]$") & ~before.str.contains(r"[,，、]$") & ~line.str.contains(SALUTATION)
    colon = line.str.contains(r"\S{2,}[:：]$") & (pl.col("line_words") >= 4)
    opened = line.str.contains(r"\s[(\[]$")
    dangling = line.str.contains(DANGLING) & (words >= 5)
    marker = line.str.contains(r"^\s*(?:[2-9][.)]|1\d[.)]|[-*•])$") & (words >= 20)
    heading = line.str.contains(r"^#{1,6} \S") & (words >= 20)
    # A prose line without its full stop, after sentences that had theirs.
    prose = line.str.contains(r"[\p{Latin}0-9]$") & ~line.str.contains(r"(?:https?://|www\.|[@#])\S*$") & ~item
    finished = before.str.contains(r"[.!?:]\W*$") | line.str.contains(r"\p{L}[.!?][\"')]* \S")
    long = (pl.col("line_words") >= LONG_LINE) & (words >= PROSE) & (pl.col("ends") >= 3)
    cut = comma | colon | opened | dangling | marker | heading | (prose & long & finished)
    return frame.select(cut).to_series().fill_null(False).to_numpy()

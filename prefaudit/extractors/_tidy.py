"""One spelling of what looks alike: apostrophes, quotes, blanks, invisible characters, wrapped lines."""

from __future__ import annotations

import numpy as np
import polars as pl

SAME = {
    **dict.fromkeys(("’", "‘", "ʼ", "´", "＇", "′", "&#39;", "&#x27;", "&apos;", "&rsquo;"), "'"),
    **dict.fromkeys(("“", "”", "„", "＂", "&quot;", "&ldquo;", "&rdquo;"), '"'),
    **dict.fromkeys(("\u00a0", "\u202f", "\u2009", "\t", "&nbsp;"), " "),
    **dict.fromkeys(("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\ufe0f", "\r"), ""),
    "&amp;": "&",
}
BLANKS = r" {2,}"
WRAPPED = r"([A-Za-z0-9,;'’]) ?\n[ ]?([a-z]|I(?-u:\b))"  # a line that ends and goes on within a sentence
# Contractions without an apostrophe.
BARE = (
    r"(?-u:\b)([Cc]an|[Ww]on|[Dd]on|[Dd]oesn|[Dd]idn|[Ii]sn|[Aa]ren|[Ww]asn|[Cc]ouldn|[Ww]ouldn|[Ss]houldn|"
    r"[Hh]aven)t(?-u:\b)"
)
TICK = r"([a-zA-Z])`([a-z])"
BARE_I = r"(?-u:(\A|[ \n])[Ii]m )"


def tidy(texts: pl.Series) -> pl.Series:
    """Texts with straight quotes, single blanks, no invisible characters, contractions with their apostrophe, and
    lines that are wrapped within a sentence joined; null stays null.
    """
    t = pl.col("text")
    rare = [
        (
            (t.str.len_bytes() != t.str.len_chars()) | t.str.contains(r"&[#a-z]|[\t\r]"),
            t.str.replace_many(list(SAME), list(SAME.values())),
        ),
        (t.str.contains(TICK), t.str.replace_all(TICK, "$1'$2")),
        (t.str.contains(BARE), t.str.replace_all(BARE, "${1}'t")),
        (t.str.contains(BARE_I), t.str.replace_all(BARE_I, "${1}I'm ")),
        # Twice: a match takes the letter with which the next one would begin.
        (t.str.contains(r"\n ?[a-zI]"), t.str.replace_all(WRAPPED, "$1 $2").str.replace_all(WRAPPED, "$1 $2")),
    ]
    frame = texts.alias("text").to_frame()
    odd = frame.select(pl.any_horizontal(holds.fill_null(False) for holds, _ in rare)).to_series()
    some = np.flatnonzero(odd.to_numpy())
    if len(some):
        few = frame[some]
        for _, made in rare:
            few = few.select(made)
        texts = texts.clone().scatter(some, few.to_series())
    return texts.str.replace_all(BLANKS, " ")

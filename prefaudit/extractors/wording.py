"""`wording`: phrases and marks that principles ask for: sources, examples, reasons, offers, warnings, numbers.

Definitions and known errors: docs/principles.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors._cues import Cues
from prefaudit.extractors._flat import Bytes, Flat, Ints, Mask, is_word
from prefaudit.extractors._sides import answers, as_sides, each_once, in_english, keys, side_columns

# Phrases of which one standing in an answer says nearly always what its list is named for; together at most 100.
LEXICONS: dict[str, tuple[str, ...]] = {
    "sources": ("according to", "research shows", "studies show", "studies have", "a study", "research has",
                "researchers", "http*", "et al", "doi.org"),
    "examples": ("for example", "for instance", "such as", "e.g.", "an example of"),
    "reasons": ("because", "therefore", "as a result", "due to", "consequently", "this means", "the reason", "thus"),
    "contrasts": ("however", "on the other hand", "although", "nevertheless", "in contrast", "that said", "whereas",
                  "on the one hand"),
    "sequence": ("step 1", "firstly", "secondly", "first,", "second,", "third,", "finally,", "next,", "then,",
                 "first of all"),
    "summary": ("in summary", "in conclusion", "to summarize", "to sum up", "in short", "overall,", "to conclude"),
    "offers": ("let me know", "feel free to", "hope this helps", "hope that helps", "happy to help", "glad to help",
               "if you have any", "would you like me to", "do you want me to"),
    "professionals": ("your doctor", "a doctor", "therapist", "a lawyer", "an attorney", "professional help", "hotline",
                      "healthcare provider", "mental health professional", "a counselor", "medical professional",
                      "call 911", "emergency services"),
    "warnings": ("be careful", "dangerous", "illegal", "against the law", "warning", "caution", "harmful",
                 "at your own risk", "unethical", "not safe"),
    "swears": ("fuck*", "shit*", "bitch*", "asshole*", "bastard*", "damn*", "bullshit*", "dumbass*"),
    "courtesy": ("please", "thank you", "thanks for", "you're welcome", "you are welcome"),
    "informal": ("gonna", "wanna", "gotta", "yeah", "kinda", "haha*", "dude"),
}  # fmt: skip
CUES = Cues([cue for cues in LEXICONS.values() for cue in cues])
OWNER = np.array([next(k for k, cues in enumerate(LEXICONS.values()) if cue in cues) for cue in CUES.cues])
OPENERS = (r"(?i)^\W*(?:sure|certainly|absolutely|of course|definitely|great question|good question|great choice|"
           r"no problem|happy to help|i'd be happy|i'd be glad)\b")  # fmt: skip

MARKS = ("numbers", "quotes", "contractions")
FIELDS: dict[str, DataType] = {**dict.fromkeys((*LEXICONS, *MARKS), pl.Int32()), "opener": pl.Boolean()}
ENGLISH = (*LEXICONS, "contractions", "opener")


def _digit(byte: Bytes) -> Mask:
    found: Mask = (byte >= 48) & (byte <= 57)
    return found


def _marks(flat: Flat) -> dict[str, Ints]:
    """Numbers, double quotes in pairs, apostrophes inside words."""
    data, end = flat.data, int(flat.starts[-1])
    digit = _digit(data[: end + 1])
    first = np.flatnonzero(digit[1:] & ~digit[:-1]) + 1
    first = first[~is_word(data[first - 1]) & ~((data[first - 1] == 46) & _digit(data[first - 2]))]  # not x1, not 3.14
    quote = flat.find(34)
    bent = flat.find(39)
    bent = bent[is_word(data[bent - 1]) & is_word(data[bent + 1])]
    return {"numbers": flat.count(first), "quotes": flat.count(quote) // 2, "contractions": flat.count(bent)}


def measure(texts: pl.Series) -> pl.DataFrame:
    """The counts of every list and mark.

    Args:
        texts: n answers, no null.

    Returns:
        n rows with the names of `FIELDS`.
    """
    for curly, plain in (("’", "'"), ("“", '"'), ("”", '"')):
        texts = texts.str.replace_all(curly, plain, literal=True)
    flat = Flat(texts)
    place, cue = CUES.hits(texts, flat)
    text = np.searchsorted(flat.starts, place, side="right") - 1
    table = np.bincount(text * len(LEXICONS) + OWNER[cue], minlength=len(texts) * len(LEXICONS))
    table = table.reshape(len(texts), len(LEXICONS)).astype(np.int32)
    columns = {name: table[:, k] for k, name in enumerate(LEXICONS)}
    columns |= {name: count.astype(np.int32) for name, count in _marks(flat).items()}
    return pl.DataFrame(columns).with_columns(opener=texts.str.head(40).str.contains(OPENERS))


@dataclass(frozen=True)
class Wording:
    """Phrases and marks of each answer; null where lists of English phrases meet another language."""

    name: ClassVar[str] = "wording"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("chosen", "rejected", "hash_chosen", "hash_rejected")
    needs: ClassVar[tuple[str, ...]] = ("text",)

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r."""
        return side_columns(FIELDS)

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            measured = each_once(answers(frame), keys(frame), measure)
            known = measured.with_columns(in_english(frame, measured.select(*ENGLISH)))
            return as_sides(frame, known.select(*FIELDS), self.columns)

        return apply

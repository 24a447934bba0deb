"""`mentions`: how often an answer names people by age, gender, nationality, religion or occupation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors._flat import Flat
from prefaudit.extractors._groups import AGE_GENDER_RELIGION, NATION_OCCUPATION
from prefaudit.extractors._phrases import Phrases
from prefaudit.extractors._sides import answers, as_sides, each_once, in_english, keys, side_columns

FIELDS: dict[str, DataType] = {name: pl.Int32() for name in (*AGE_GENDER_RELIGION, *NATION_OCCUPATION)}

_phrases = (Phrases(AGE_GENDER_RELIGION), Phrases(NATION_OCCUPATION))


def measure(texts: pl.Series) -> pl.DataFrame:
    """How often words of each lexicon stand in each text; whole words, any case.

    Args:
        texts: n texts, no null.

    Returns:
        n rows with the fields of `FIELDS`.
    """
    flat = Flat(texts)
    return pl.DataFrame({name: counts for one in _phrases for name, counts in one.counts(texts, flat).items()})


@dataclass(frozen=True)
class Mentions:
    """Words for groups of people in each answer; see docs/extractors/mentions.md."""

    name: ClassVar[str] = "mentions"
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
        """The function that measures one part; null where an answer is not English."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            counted = each_once(answers(frame), keys(frame), measure)
            return as_sides(frame, in_english(frame, counted.select(*FIELDS)), self.columns)

        return apply

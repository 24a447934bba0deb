"""`refusal`: does a reply refuse in full, and does the request ask for harm. See docs/extractors/refusal.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors._refusals import CLASSES, probabilities, refusals, tasks, with_task
from prefaudit.extractors._risks import request_risk
from prefaudit.extractors._sides import answers, as_sides, each_once, in_english, keys, last_user, side_columns, twice

FIELDS: dict[str, DataType] = dict.fromkeys(CLASSES[:-1], pl.Float64())


@dataclass(frozen=True)
class Refusal:
    """What each answer does with its request: refuses, refuses in part, cannot, disclaims, disputes; and the risk."""

    name: ClassVar[str] = "refusal"
    version: ClassVar[int] = 7
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("prompt", "chosen", "rejected", "hash_prompt", "hash_chosen", "hash_rejected")
    needs: ClassVar[tuple[str, ...]] = ("text",)

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r, and risk."""
        return {**side_columns(FIELDS), "risk": pl.Float64()}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            scores = each_once(answers(frame), keys(frame), refusals)
            asked = each_once(last_user(frame["prompt"]), frame["hash_prompt"], tasks)
            asked = asked.select(twice(asked[name]).fill_null(0) for name in asked.columns)
            shares = probabilities(with_task(scores, asked)).select(*FIELDS)
            sides = as_sides(frame, in_english(frame, shares), self.columns)
            return sides.with_columns(request_risk(frame["prompt"], frame["hash_prompt"]).alias("risk"))

        return apply

"""`sycophancy`: does an answer tell the user what the user wants to hear. See docs/extractors/sycophancy.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors._flattery import flatteries
from prefaudit.extractors._sides import answers, as_sides, in_english, last_user, side_columns, twice

FIELDS: dict[str, DataType] = {"sycophancy": pl.Float64()}


@dataclass(frozen=True)
class Sycophancy:
    """Flattery, agreement with a stated view, giving way under pushback."""

    name: ClassVar[str] = "sycophancy"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("prompt", "chosen", "rejected")
    needs: ClassVar[tuple[str, ...]] = ("text",)

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r."""
        return side_columns(FIELDS)

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part; null where the answer is not English."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            later = frame["prompt"].list.len() > 1
            turns = last_user(frame["prompt"])
            scores = flatteries(answers(frame), twice(turns), twice(later))
            return as_sides(frame, in_english(frame, scores).to_frame(), self.columns)

        return apply

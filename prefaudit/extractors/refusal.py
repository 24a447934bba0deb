"""`refusal`: does a reply refuse in full, and does the request ask for harm. See docs/extractors/refusal.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors._language import english
from prefaudit.extractors._refusals import refusals
from prefaudit.extractors._risks import risks
from prefaudit.extractors._sides import answers, as_sides, each_once, in_english, keys, last_user, side_columns

FIELDS: dict[str, DataType] = {"refusal": pl.Float64()}


def measure(texts: pl.Series) -> pl.DataFrame:
    """The field `refusal` of n replies without nulls."""
    return refusals(texts).to_frame()


def request_risk(prompt: pl.Series, hashes: pl.Series) -> pl.Series:
    """The score of each prompt's last user turn, each distinct prompt once; null without such a turn or not English.

    Args:
        prompt: n lists of {role, content}.
        hashes: the n hashes of them.
    """

    def score(turns: pl.Series) -> pl.DataFrame:
        known = english(turns).fill_null(True)
        return pl.select(pl.when(known).then(risks(turns)).alias("risk"))

    return each_once(last_user(prompt), hashes, score)["risk"]


@dataclass(frozen=True)
class Refusal:
    """Refusal of each answer, risk of the request."""

    name: ClassVar[str] = "refusal"
    version: ClassVar[int] = 1
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
            scores = each_once(answers(frame), keys(frame), measure)["refusal"]
            sides = as_sides(frame, in_english(frame, scores).to_frame(), self.columns)
            return sides.with_columns(request_risk(frame["prompt"], frame["hash_prompt"]).alias("risk"))

        return apply

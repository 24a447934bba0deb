"""`overlap`: how much of one answer is the other, by edit distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from prefaudit.core import Apply, Parts

OVERLAP = pl.Struct({"edit": pl.Float64})


@dataclass(frozen=True)
class Overlap:
    """Indel similarity of the two answers (insertions and deletions only), 0 nothing shared, 1 identical.

    Attributes:
        head: characters of each answer that are compared; the cost grows with its square.
    """

    head: int = 2000

    name: ClassVar[str] = "overlap"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("chosen", "rejected")
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The struct overlap."""
        return {"overlap": OVERLAP}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part; null where a side is null."""
        from rapidfuzz import process
        from rapidfuzz.distance import Indel

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            pairs = frame.select("row", "chosen", "rejected").drop_nulls()
            a = pairs["chosen"].str.head(self.head).to_list()
            b = pairs["rejected"].str.head(self.head).to_list()
            edit = process.cpdist(a, b, scorer=Indel.normalized_similarity, dtype=np.float64, workers=-1)
            known = pl.DataFrame(
                [pairs["row"], pl.DataFrame({"edit": edit}, schema={"edit": pl.Float64}).to_struct("overlap")]
            )
            return frame.select("row").join(known, on="row", how="left", maintain_order="left")

        return apply

"""Answers that are nearly another one of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors import _near
from prefaudit.stats.groups import dense

Ints = NDArray[np.int64]

ALIKE = pl.Struct({"group": pl.Int64, "row": pl.Int64, "jaccard": pl.List(pl.Float64)})
SIDES = ("chosen", "rejected")


@dataclass(frozen=True)
class Near:
    """`near_chosen`, `near_rejected`: the other answer of the data that this one is most like.

    `jaccard` has three numbers: of the sets of words, of pairs of words and of three words in a row. `row` is the first
    pair in which that other answer stands; `group` numbers the answers that are linked, directly or by others, by a
    Jaccard of `alike` and more of pairs of words. Null where nothing shares half of its pairs of words with the answer,
    or it has fewer than six words. An answer equal to the letter is no other answer, and the two answers of one pair
    are not compared. Method: MinHash candidates (Broder 1997), each verified on the whole texts.
    """

    alike: float = _near.ALIKE

    name: ClassVar[str] = "near"
    version: ClassVar[int] = 2
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """A struct for either answer."""
        return {f"near_{side}": ALIKE for side in SIDES}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """The rows with an answer that is like another: row, side (0 chosen, 1 rejected), group, other, jaccard."""
        rows, text, first = _numbered(parts)
        sketch = [_near.sketches(texts, seed) for texts in read_answers(parts, first)]
        if not len(first) or not sketch:
            return _state(np.zeros(0, np.int64), rows, np.zeros(0, np.int64), text)
        left, right = _near.candidates(np.concatenate(sketch))
        apart = first[left] // 2 != first[right] // 2
        found = _near.verified(left[apart], right[apart], lambda wanted: read_answers(parts, first[wanted]))
        group = _near.joined(found, len(first), self.alike)
        return _state(group, rows, first, text, _near.nearest(found))

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("near-duplicates are looked up in what fit returned")
        tables = []
        for k, side in enumerate(SIDES):
            told = state.filter(pl.col("side") == k)
            value = pl.struct("group", row="other", jaccard="jaccard").cast(ALIKE)
            tables.append(told.select("row", value.alias(f"near_{side}")))

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            out = frame.select("row")
            for table in tables:
                out = out.join(table, on="row", how="left", maintain_order="left")
            return out

        return apply


def _numbered(parts: Parts) -> tuple[Ints, Ints, Ints]:
    """Row numbers (n); text numbers of both answers (n, 2), -1 where null; where each text first stands (2 * n + side).

    Texts are told apart by their content hashes and numbered in reading order.
    """
    frames = list(parts(["row", "hash_chosen", "hash_rejected"]))
    if not frames:
        return np.zeros(0, np.int64), np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    frame = pl.concat(frames)
    flat = frame.select("hash_chosen", "hash_rejected").fill_null(0).to_numpy().reshape(-1)
    text = dense(flat)
    null = np.flatnonzero(flat == 0)
    if len(null):
        hole = text[null[0]]
        text = text - (text > hole)
        text[null] = -1
    _, first = np.unique(text, return_index=True)
    return frame["row"].to_numpy(), text.reshape(-1, 2), first[1:] if len(null) else first


def read_answers(parts: Parts, places: Ints) -> Iterator[pl.Series]:
    """The answers at these places (2 * position + side, ascending), one series a part."""
    at = 0
    for frame in parts(list(SIDES)) if len(places) else ():
        low, high = np.searchsorted(places, [2 * at, 2 * (at + frame.height)])
        here = places[low:high] - 2 * at
        at += frame.height
        if len(here):
            both = pl.concat([frame[side].alias("text") for side in SIDES])
            yield both.gather(here // 2 + (here % 2) * frame.height)


def _state(group: Ints, rows: Ints, first: Ints, text: Ints, best: _near.Near | None = None) -> pl.DataFrame:
    schema: dict[str, pl.DataType] = {"row": pl.Int64(), "side": pl.Int8(), "group": pl.Int64(), "other": pl.Int64(),
                                      "jaccard": pl.List(pl.Float64())}  # fmt: skip
    if best is None or not len(best.left):
        return pl.DataFrame(schema=schema)
    place = np.full(len(first), -1, np.int64)
    place[best.left] = np.arange(len(best.left))
    known = np.where(text >= 0, place[text], -1)
    pieces = []
    for side in range(2):
        at = np.flatnonzero(known[:, side] >= 0)
        best_at, own = known[at, side], group[text[at, side]]
        pieces.append(pl.DataFrame({
            "row": rows[at], "side": np.full(len(at), side, np.int8),
            "group": pl.Series(own).replace(-1, None), "other": rows[first[best.right[best_at]] // 2],
            "jaccard": best.jaccard[best_at].astype(np.float64)}).cast(schema))  # type: ignore[arg-type]  # fmt: skip
    out = pl.concat(pieces)
    told = out["group"].drop_nulls().to_numpy()
    ids = pl.DataFrame({"group": told, "id": dense(told)}).unique("group")
    named = out.join(ids, on="group", how="left", maintain_order="left").with_columns(group="id").drop("id")
    return named.sort("row", "side")

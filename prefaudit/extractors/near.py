"""Answers that are nearly another one of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors import _near
from prefaudit.extractors._sketch import shingles
from prefaudit.stats.groups import dense
from prefaudit.store.spill import Column, ranges, release

Ints = NDArray[np.integer[Any]]

STATE: dict[str, pl.DataType] = {"row": pl.Int32(), "side": pl.Int8(), "group": pl.Int32(), "other": pl.Int32(),
                                 **dict.fromkeys(_near.JACCARD, pl.Float32())}  # fmt: skip
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
    version: ClassVar[int] = 3
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """A struct for either answer."""
        return {f"near_{side}": ALIKE for side in SIDES}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """The rows with an answer that is like another: STATE, by row and side (0 chosen, 1 rejected)."""
        rows, first = _firsts(parts)
        if not len(rows):
            return pl.DataFrame(schema=STATE)
        sketches = _near.Sketches()
        for hashes, sizes in _near.words_of(_different(parts, first)):
            sketches.add(*shingles(hashes, sizes), seed)
        numbered, beside = _numbered(first)
        release()
        pairs = _near.candidates(sketches, beside)
        del sketches, beside
        found = _near.Verified(pairs, len(numbered), lambda at: _near.words_of(read_answers(parts, numbered[at])))
        places, links = numbered[found.texts], _near.Links(len(found.texts), self.alike)
        numbered, found.texts = places, places[:0]  # the others are not needed again
        del pairs
        for near in found.kept():
            links.add(near)
        best, group = links.told()
        return _state(rows, first, _Said(places[best.left], group, places[best.right] >> 1, found.told(best)))

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("near-duplicates are looked up in what fit returned")
        row = state["row"].to_numpy()
        value = pl.struct("group", row="other", jaccard=pl.concat_list(_near.JACCARD)).cast(ALIKE)

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            out, wanted = frame.select("row"), frame["row"].to_numpy()
            if not len(wanted):
                return out.with_columns(pl.lit(None, ALIKE).alias(f"near_{side}") for side in SIDES)
            low, high = np.searchsorted(row, [wanted.min(), wanted.max() + 1])
            for k, side in enumerate(SIDES):
                here = state[low:high].filter(pl.col("side") == k)
                here = here.select(pl.col("row").cast(pl.Int64), value.alias(f"near_{side}"))
                out = out.join(here, on="row", how="left", maintain_order="left")
            return out

        return apply


class _Said(NamedTuple):
    """Of answers that are like another: where they first stand, their group or -1, the position of that other one."""

    places: Ints
    group: Ints
    other: Ints
    jaccard: _near.Floats


def _firsts(parts: Parts) -> tuple[Column, Column]:
    """Row numbers (n), and where each answer first stands (2n, by 2 * position + side), -1 for null.

    Answers are told apart by their content hashes.
    """
    hashed, rows = Column(np.uint64), Column(np.int32)
    for frame in parts(["row", "hash_chosen", "hash_rejected"]):
        rows.add(frame["row"].to_numpy())
        hashed.add(frame.select("hash_chosen", "hash_rejected").fill_null(0).to_numpy().reshape(-1))
    first = np.full(len(hashed), -1, np.int32)
    for places, (key,) in ranges(hashed):
        order = np.argsort(key, kind="stable")
        begins = np.append(True, np.diff(key[order]) != 0) if len(key) else np.zeros(0, bool)
        first[places[order]] = places[order[begins]][np.cumsum(begins) - 1]
    return rows, Column(np.int32, [first])


def _numbered(first: Column) -> tuple[Ints, NDArray[np.bool_]]:
    """Where each different answer first stands, ascending; which of them stand in one pair with the one after them."""
    own = [low + np.flatnonzero(block == np.arange(low, low + len(block))) for low, block in first.blocks()]
    numbered = np.concatenate([one.astype(np.int32) for one in own])
    del own
    return numbered, np.append(numbered[:-1] >> 1 == numbered[1:] >> 1, False)


def _different(parts: Parts, first: Column) -> Iterator[pl.Series]:
    """The answers, each where it first stands, one series a part."""
    at = 0
    for frame in parts(list(SIDES)):
        own = np.arange(2 * at, 2 * (at + frame.height))
        here = np.flatnonzero(first.read(2 * at, 2 * (at + frame.height)) == own)
        at += frame.height
        yield _gathered(frame, here)


def read_answers(parts: Parts, places: Ints) -> Iterator[pl.Series]:
    """The answers at these places (2 * position + side, ascending), one series a part."""
    at = 0
    for frame in parts(list(SIDES)) if len(places) else ():
        low, high = np.searchsorted(places, [2 * at, 2 * (at + frame.height)])
        here = places[low:high] - 2 * at
        at += frame.height
        if len(here):
            yield _gathered(frame, here)


def _gathered(frame: pl.DataFrame, places: Ints) -> pl.Series:
    both = pl.concat([frame[side].alias("text") for side in SIDES])
    return both.gather(places // 2 + (places % 2) * frame.height)


def _state(rows: Column, first: Column, said: _Said) -> pl.DataFrame:
    """STATE; groups are numbered in the order in which chosen answers name them, then rejected ones."""
    row, pieces = rows.read(0, len(rows)), [pl.DataFrame(schema=STATE)]
    for low, block in first.blocks() if len(said.places) else ():
        text = np.minimum(np.searchsorted(said.places, block), len(said.places) - 1)
        here = np.flatnonzero(said.places[text] == block)
        text, at = text[here], low + here
        pieces.append(pl.DataFrame({
            "row": row[at >> 1], "side": at & 1, "group": said.group[text], "other": row[said.other[text]],
            **dict(zip(_near.JACCARD, said.jaccard[text].T, strict=True))}).cast(STATE))  # type: ignore[arg-type]  # fmt: skip
    state = pl.concat(pieces)
    own, side = state["group"].to_numpy(), state["side"].to_numpy()
    named = np.argsort(side, kind="stable")
    named = named[own[named] >= 0]
    ids = np.full(len(own), -1, np.int32)
    ids[named] = dense(own[named])
    return state.with_columns(group=pl.Series(ids).replace(-1, None)).sort("row", "side")

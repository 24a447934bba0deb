"""`pair`: what the two answers of a pair share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from prefaudit.core import Apply, Parts

BEGIN = 32  # bytes in which most pairs of answers part
PAIR = pl.Struct(
    {
        "same": pl.Boolean,
        "same_normalised": pl.Boolean,
        "prefix": pl.Float64,
        "prompt_differs": pl.Boolean,
        "reasoning_sides": pl.Int8,
        "empty_reasoning_sides": pl.Int8,
        "system_sides": pl.Int8,
    }
)


def shared_prefix(a: pl.Series, b: pl.Series) -> pl.Series:
    """Length of the common beginning of a[i] and b[i] as a share of the shorter, in bytes.

    A binary search over all rows at once: about log2(longest) comparisons of byte slices, which are views.

    Args:
        a: n texts, null allowed.
        b: n texts, null allowed.

    Returns:
        n shares 0..1; null where a text is null, 0 where one is empty.
    """
    frame = pl.DataFrame({"a": a.cast(pl.Binary), "b": b.cast(pl.Binary)})
    size = pl.min_horizontal(pl.col("a").bin.size(), pl.col("b").bin.size()).cast(pl.Int64)
    both = pl.col("a").is_not_null() & pl.col("b").is_not_null()
    begin = pl.col("a").bin.slice(0, BEGIN) == pl.col("b").bin.slice(0, BEGIN)
    frame = frame.with_columns(shorter=pl.when(both).then(size), begin=(both & begin).fill_null(False))
    # Most pairs part within a few bytes: two searches, so that those take only a few steps.
    whole = frame["begin"].to_numpy()
    shared = np.zeros(len(whole), np.int64)
    for index, most in ((np.flatnonzero(~whole), BEGIN), (np.flatnonzero(whole), None)):
        shared[index] = _search(frame[index], most)
    return frame.select((pl.Series(shared) / pl.col("shorter").clip(1)).alias("prefix")).to_series()


def _search(frame: pl.DataFrame, most: int | None) -> npt.NDArray[np.int64]:
    """How many bytes a and b share at their beginnings, at most `most`; 0 where one is null."""
    frame = frame.select("a", "b", high=pl.col("shorter").fill_null(0).clip(0, most), low=pl.lit(0, pl.Int64))
    middle = (pl.col("low") + pl.col("high") + 1) // 2
    longest = frame["high"].max()
    for _ in range(int(longest).bit_length() if isinstance(longest, int) else 0):
        frame = frame.with_columns(middle=middle).with_columns(
            equal=pl.col("a").bin.slice(0, pl.col("middle")) == pl.col("b").bin.slice(0, pl.col("middle"))
        )
        frame = frame.with_columns(
            low=pl.when("equal").then("middle").otherwise("low"),
            high=pl.when("equal").then("high").otherwise(pl.max_horizontal("low", pl.col("middle") - 1)),
        )
    return frame["low"].to_numpy()


def same_normalised(a: pl.Series, b: pl.Series) -> pl.Series:
    """True where two texts are equal but for case, punctuation, symbols and spaces; null where one is null.

    Args:
        a: n texts, null allowed.
        b: n texts, null allowed.
    """
    # Texts that differ only in such marks share nearly all their letters: only near lengths are normalised. Markup can
    # add a good deal, so near means within a third.
    size_a, size_b = a.str.len_bytes().cast(pl.Int64), b.str.len_bytes().cast(pl.Int64)
    first = a.str.head(400).str.extract(r"([\p{L}\p{N}])").str.to_lowercase()
    other = b.str.head(400).str.extract(r"([\p{L}\p{N}])").str.to_lowercase()
    near = ((size_a - size_b).abs() * 3 <= size_a + 30) & first.eq_missing(other)
    result = pl.select(pl.when(a.is_not_null() & b.is_not_null()).then(False)).to_series()
    index = np.flatnonzero((near & result.is_not_null()).fill_null(False).to_numpy())
    if len(index):
        plain = [side.gather(index).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "") for side in (a, b)]
        letters = (plain[0] == plain[1]) & (plain[0] != "")
        result = result.scatter(index, letters | (a.gather(index) == b.gather(index)))
    return result


def system_sides(frame: pl.DataFrame) -> pl.Series:
    """How many of the two conversations begin with a system message: 0, 1 or 2.

    Args:
        frame: `prompt` and `rejected_prompt`, the latter null where it equals the former.
    """
    chosen, rejected = (
        (frame[name].list.first().struct.field("role") == "system").fill_null(False)
        for name in ("prompt", "rejected_prompt")
    )
    other = pl.select(pl.when(frame["rejected_prompt"].is_null()).then(chosen).otherwise(rejected)).to_series()
    return chosen.cast(pl.Int8) + other.cast(pl.Int8)


@dataclass(frozen=True)
class Pair:
    """Equality and overlap of the beginnings of the two answers."""

    name: ClassVar[str] = "pair"
    version: ClassVar[int] = 3
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = (
        "prompt",
        "rejected_prompt",
        "chosen",
        "rejected",
        "chosen_reasoning",
        "rejected_reasoning",
    )
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The struct pair."""
        return {"pair": PAIR}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part; every field but those of reasoning is null where a side is."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            a, b = frame["chosen"], frame["rejected"]
            both = a.is_not_null() & b.is_not_null()
            thoughts = [frame["chosen_reasoning"], frame["rejected_reasoning"]]
            sides = sum((t.fill_null("") != "").cast(pl.Int8) for t in thoughts)
            empty = sum((t == "").fill_null(False).cast(pl.Int8) for t in thoughts)
            fields = pl.DataFrame(
                {
                    "same": a == b,
                    "same_normalised": same_normalised(a, b),
                    "prefix": shared_prefix(a, b),
                    "prompt_differs": pl.select(pl.when(both).then(frame["rejected_prompt"].is_not_null())).to_series(),
                    "reasoning_sides": sides,
                    "empty_reasoning_sides": empty,
                    "system_sides": pl.select(pl.when(both).then(system_sides(frame))).to_series(),
                }
            )
            return pl.DataFrame([frame["row"], fields.to_struct("pair").cast(PAIR)])

        return apply

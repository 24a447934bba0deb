"""`contamination`: prompts and answers that stand in a benchmark, whole or in runs of 13 words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors import _benchmark
from prefaudit.extractors._flat import Ints
from prefaudit.extractors._grams import Hashes, Windows, in_blocks
from prefaudit.extractors._sides import answers, as_sides, each_once, keys, last_user, side_columns

FIELDS: dict[str, DataType] = {
    "contamination": pl.Float64(),
    "contamination_exact": pl.Boolean(),
    "contamination_in": pl.String(),
}
PROMPT = pl.Struct({"share": pl.Float64, "exact": pl.Boolean, "in": pl.String})
LEAST_PROMPT, LEAST_ANSWER = 20, 50  # letters (bytes) of a text whose being the same is no accident
COMMON = 10  # a run of words in more texts of a benchmark than these is boilerplate of its prompts
MOST = 1 << 24  # runs kept of all benchmarks: 0.4 GB
EVERY = np.uint64(2**64 - 1)


class Index(NamedTuple):
    """What the benchmarks hold.

    `runs` (sorted) and `whole` (sorted) are hashes, `run_at` and `whole_at` the number of the text each was first seen
    in, `places` the file and row of each text. Only runs whose hash is at most `limit` are kept. `bitmap` says of the
    high bits of a hash (all but `shift`) whether any run has them.
    """

    runs: Hashes
    run_at: NDArray[np.int32]
    whole: Hashes
    whole_at: NDArray[np.int32]
    places: pl.Series
    limit: np.uint64
    bitmap: NDArray[np.bool_]
    shift: np.uint64


def index(paths: Sequence[str], most: int = MOST) -> Index:
    """Read the benchmarks.

    Args:
        paths: what `_benchmark.texts` reads.
        most: beyond twice so many runs only those with the smallest hashes are kept, on both sides of the comparison.

    Raises:
        SourceError: one cannot be read; the message names it.
    """
    places: list[pl.DataFrame] = []
    kept: list[tuple[Hashes, NDArray[np.int32]]] = []
    whole: dict[int, int] = {}
    limit, size = EVERY, 0
    for frame in (frame for path in paths for frame in _benchmark.texts(path)):
        for begin, made in in_blocks(frame["text"]):
            number = np.full(len(made.whole), -1, np.int32)
            for k in np.flatnonzero(made.letters >= LEAST_PROMPT).tolist():
                if int(made.whole[k]) not in whole:
                    whole[int(made.whole[k])] = number[k] = len(whole)
            new = np.flatnonzero(number >= 0)
            places.append(frame[(new + begin).tolist()].select("file", "row"))
            small = np.flatnonzero(made.hashes <= limit)
            text, inside = made.text_of(small)
            inside &= number[text] >= 0
            kept.append((made.hashes[small[inside]], number[text[inside]]))
            size += int(inside.sum())
        while size > 2 * most:
            kept, limit = _thinned(kept, limit)
            size = sum(len(h) for h, _ in kept)
    hashes = np.concatenate([np.zeros(0, np.uint64), *(h for h, _ in kept)])
    at = np.concatenate([np.zeros(0, np.int32), *(n for _, n in kept)])
    runs, run_at = _rare(hashes, at)
    exact = np.fromiter(whole, np.uint64, len(whole))
    order = np.argsort(exact)
    where = pl.concat([pl.DataFrame(schema={"file": pl.String, "row": pl.Int64}), *places])
    bits = min(max(len(runs).bit_length() + 4, 16), 26)
    bitmap = np.zeros(1 << bits, bool)
    shift = np.uint64(64 - bits)
    bitmap[(runs >> shift).astype(np.int64)] = True
    told = where.select(pl.format("{} row {}", "file", "row")).to_series()
    return Index(runs, run_at, exact[order], order.astype(np.int32), told, limit, bitmap, shift)


def _thinned(
    kept: list[tuple[Hashes, NDArray[np.int32]]], limit: np.uint64
) -> tuple[list[tuple[Hashes, NDArray[np.int32]]], np.uint64]:
    """Halve the limit: a run stays or goes by its hash, so the share of those that stay estimates that of all."""
    limit = np.uint64(int(limit) // 2)
    return [(h[h <= limit], n[h <= limit]) for h, n in kept], limit


def _rare(hashes: Hashes, at: NDArray[np.int32]) -> tuple[Hashes, NDArray[np.int32]]:
    """Each run once with the first text it is in; those of more than `COMMON` texts left out."""
    order = np.lexsort((at, hashes))
    hashes, at = hashes[order], at[order]
    new = np.ones(len(hashes), bool)
    new[1:] = hashes[1:] != hashes[:-1]
    another = new.copy()
    another[1:] |= at[1:] != at[:-1]
    starts = np.flatnonzero(new)
    texts = np.add.reduceat(another, starts, dtype=np.int64) if len(starts) else np.zeros(0, np.int64)
    few = starts[texts <= COMMON]
    return hashes[few], at[few]


def measure(texts: pl.Series, known: Index, least: int) -> pl.DataFrame:
    """How much of each text the benchmarks hold.

    Args:
        texts: n texts, no null.
        known: the benchmarks.
        least: letters below which a text is not looked up whole.

    Returns:
        n rows of `FIELDS`: 1 for the same text, else the share of its runs of 13 words that are found; null for one too
        short for either. The place is that of the same text, else of the text that most of the runs are from.
    """
    total, text, at, whole, letters = _looked_up(texts, known)
    hits = pl.DataFrame({"text": text, "at": at})
    counted = hits.group_by("text", "at").len().sort("text", "len", "at", descending=[False, True, False])
    best = counted.group_by("text", maintain_order=True).agg(pl.col("at").first(), pl.col("len").sum())
    exact = np.searchsorted(known.whole, whole)
    exact = np.minimum(exact, max(len(known.whole) - 1, 0))
    same = (known.whole[exact] == whole) & (letters >= least) if len(known.whole) else np.zeros(len(texts), bool)
    share = np.where(total > 0, 0.0, np.nan)
    found = best["text"].to_numpy()
    share[found] = best["len"].to_numpy() / total[found]
    place = np.full(len(texts), -1, np.int64)
    place[found] = best["at"].to_numpy()
    if same.any():
        share[same], place[same] = 1.0, known.whole_at[exact[same]]
    share[np.isnan(share) & (letters >= least)] = 0.0
    rows = pl.Series(place)
    where = known.places.gather(rows.set(rows < 0, None))
    judged = pl.Series(share, nan_to_null=True)
    exactly = pl.select(pl.when(judged.is_not_null()).then(pl.Series(same))).to_series()
    return pl.DataFrame({"contamination": judged, "contamination_exact": exactly, "contamination_in": where})


def _looked_up(texts: pl.Series, known: Index) -> tuple[Ints, Ints, NDArray[np.int32], Hashes, Ints]:
    """Of each text: how many runs count, its hash and letters; and of every run that is found, its text and place."""
    totals, found, places, whole, letters = [], [], [], [], []
    for first, made in in_blocks(texts):
        maybe = np.flatnonzero(known.bitmap[(made.hashes >> known.shift).astype(np.int64)])
        place = np.minimum(np.searchsorted(known.runs, made.hashes[maybe]), max(len(known.runs) - 1, 0))
        hit = known.runs[place] == made.hashes[maybe] if len(known.runs) else np.zeros(0, bool)
        text, inside = made.text_of(maybe[hit])
        totals.append(made.counts if known.limit == EVERY else _small(made, known.limit))
        found.append(text[inside] + first)
        places.append(known.run_at[place[hit][inside]])
        whole.append(made.whole)
        letters.append(made.letters)
    empty = np.zeros(0, np.int64)
    return (
        np.concatenate([empty, *totals]),
        np.concatenate([empty, *found]),
        np.concatenate([empty.astype(np.int32), *places]),
        np.concatenate([empty.astype(np.uint64), *whole]),
        np.concatenate([empty, *letters]),
    )


def _small(made: Windows, limit: np.uint64) -> Ints:
    """How many runs of each text have a hash of at most the limit."""
    text, inside = made.text_of(np.flatnonzero(made.hashes <= limit))
    return np.bincount(text[inside], minlength=len(made.whole))


@dataclass(frozen=True)
class Contamination:
    """Texts shared with benchmarks; see docs/contamination.md.

    Attributes:
        against: paths of the benchmarks; without one, everything is null.
        against_prints: of their content, made where they are not given.
    """

    against: tuple[str, ...] = ()
    against_prints: tuple[str, ...] = ()

    name: ClassVar[str] = "contamination"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = (
        "prompt", "chosen", "rejected", "hash_prompt", "hash_chosen", "hash_rejected",
    )  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Know the benchmarks by their content.

        Raises:
            SourceError: one cannot be read; the message names it.
        """
        if self.against and not self.against_prints:
            object.__setattr__(self, "against_prints", tuple(_benchmark.print_of(path) for path in self.against))

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r, and the struct contamination of the prompt's last user turn."""
        return {**side_columns(FIELDS), "contamination": PROMPT}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn from the dataset."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""
        known = index(self.against) if self.against else None

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            if known is None:
                nulls = pl.DataFrame({name: pl.repeat(None, 2 * frame.height, eager=True) for name in FIELDS})
                prompts = pl.repeat(None, frame.height, dtype=PROMPT, eager=True).alias("contamination")
                return as_sides(frame, nulls, self.columns).with_columns(prompts)
            found = each_once(answers(frame), keys(frame), lambda texts: measure(texts, known, LEAST_ANSWER))
            asked = each_once(
                last_user(frame["prompt"]), frame["hash_prompt"], lambda texts: measure(texts, known, LEAST_PROMPT)
            )
            told = asked.rename(dict(zip(FIELDS, ("share", "exact", "in"), strict=True))).to_struct("contamination")
            return as_sides(frame, found, self.columns).with_columns(told.cast(PROMPT))

        return apply

"""A rate over all pairs of an audit, with its interval by group, from a byte a pair: nothing is held beside counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.stats.intervals import rate_of_sums

UNKNOWN = -128
_BLOCK = 1 << 18  # pairs, or groups, looked at together
FEW = 8  # groups to a pair that counts, from which the others' sums are not held

Small = NDArray[np.int8]
Ids = NDArray[np.integer[Any]]


def runs(n: int) -> Iterator[slice]:
    """0 to n, some at a time."""
    return (slice(low, min(low + _BLOCK, n)) for low in range(0, n, _BLOCK))


def answered(said: pl.Series) -> Small:
    """Yes, no and null as 1, 0 and UNKNOWN."""
    return said.cast(pl.Int8).fill_null(UNKNOWN).to_numpy()


def group_sizes(group: Ids, known: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    """Pairs of each group by id; of the known pairs alone, where some are not."""
    found = np.zeros(int(group.max(initial=-1)) + 1, np.int32)
    for at in runs(len(group)):
        np.add.at(found, group[at] if known is None else group[at][known[at]], 1)
    return found


def counted_rate(x: Small, group: Ids, sizes: NDArray[np.int32] | None = None) -> tuple[float, float, float]:
    """As `stats.cluster_rate`, of whole numbers: groups with one size and one sum are told by how many there are.

    Args:
        x: n of -1, 0 and 1; UNKNOWN is left out.
        group: n ids >= 0.
        sizes: what `group_sizes` gives for all pairs, where it is known.

    Returns:
        Mean, low, high; NaN where there is no value.
    """
    if sizes is None or any((x[at] == UNKNOWN).any() for at in runs(len(x))):
        sizes = group_sizes(group, x != UNKNOWN)
    size, total, groups = _kinds(sizes, _sums(x, group, len(sizes)))
    if not len(size):
        return float("nan"), float("nan"), float("nan")
    bounded = not any(((x[at] < 0) & (x[at] != UNKNOWN)).any() for at in runs(len(x)))
    return rate_of_sums(size.astype(np.float64), total.astype(np.float64), bounded, groups=groups.astype(np.float64))


def _sums(x: Small, group: Ids, groups: int) -> Callable[[slice], NDArray[np.int32]]:
    """Gives the sums of some groups; where few pairs count, only these are held."""
    hits = [(group[at], x[at], np.flatnonzero((x[at] != UNKNOWN) & (x[at] != 0))) for at in runs(len(x))]
    if sum(len(here) for *_, here in hits) * FEW > groups:
        sums = np.zeros(groups, np.int32)
        for ids, values, here in hits:
            np.add.at(sums, ids[here], values[here].astype(np.int32))
        return lambda at: sums[at]
    found = np.concatenate([np.zeros(0, group.dtype), *(ids[here] for ids, _, here in hits)])
    own, of = np.unique(found, return_inverse=True)
    added = np.zeros(len(own), np.int32)
    np.add.at(added, of, np.concatenate([np.zeros(0, np.int32), *(values[here] for _, values, here in hits)]))

    def some(at: slice) -> NDArray[np.int32]:
        out = np.zeros(at.stop - at.start, np.int32)
        low, high = np.searchsorted(own, (at.start, at.stop))
        out[own[low:high] - at.start] = added[low:high]
        return out

    return some


def _kinds(sizes: NDArray[np.int32], sums: Callable[[slice], NDArray[np.int32]]) -> tuple[Ids, Ids, Ids]:
    """The different sizes and sums of groups, and how many groups have each; first those whose sum is 0."""
    none = np.zeros(0, np.int64)
    found: list[Ids] = [np.zeros((0, 2), np.int32)]
    times: list[Ids] = [np.zeros(0, np.int64)]
    for at in runs(len(sizes)):
        size, total = sizes[at], sums(at)
        more = np.bincount(size[total == 0])
        none = np.pad(none, (0, max(0, len(more) - len(none))))
        none[: len(more)] += more
        some = np.flatnonzero(total)
        kinds, count = np.unique(np.stack([size[some], total[some]], 1), axis=0, return_counts=True)
        found.append(kinds)
        times.append(count)
    none[:1] = 0  # groups without a known pair
    kinds, of = np.unique(np.concatenate(found), axis=0, return_inverse=True)
    count = np.bincount(of.reshape(-1), np.concatenate(times), minlength=len(kinds)).astype(np.int64)
    empty = np.flatnonzero(none)
    return (np.concatenate([empty, kinds[:, 0]]), np.concatenate([np.zeros(len(empty), np.int64), kinds[:, 1]]),
            np.concatenate([none[empty], count]))  # fmt: skip

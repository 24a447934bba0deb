"""A seeded sample of whole groups that is told by a group's number alone, however many pairs there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.groups import Ints

MOST = 300_000  # pairs that the statistics of an audit are computed from; of more, a sample
LARGE = 20  # a group of more than this part of the sample is left out: it alone would decide what the sample says


@dataclass(frozen=True)
class Sample:
    """Which groups are drawn: those whose hash is low, but for very large ones.

    Attributes:
        share: of the groups that are not large, 1 for all.
        large: ids of those that are left out.
        seed: of the draw.
    """

    share: float
    large: Ints
    seed: int

    @classmethod
    def of(cls, sizes: NDArray[np.integer], limit: int, seed: int) -> Sample:
        """All pairs where they are at most `limit`, else about so many.

        Args:
            sizes: pairs of each group, by id.
            limit: pairs.
            seed: of the draw.
        """
        total, none = int(sizes.sum()), np.zeros(0, np.int64)
        if total <= limit:
            return cls(1.0, none, seed)
        large = np.flatnonzero(sizes > limit // LARGE)
        rest = total - int(sizes[large].sum())
        if rest < limit // LARGE:  # nearly all pairs are in such groups
            large, rest = none, total
        return cls(min(1.0, limit / rest), large, seed)

    def holds(self, group: Ints) -> NDArray[np.bool_]:
        """Of n pairs, by their groups, which are in the sample."""
        found = np.ones(len(group), bool) if self.share >= 1 else place(group, self.seed) < self.share
        return found & ~np.isin(group, self.large) if len(self.large) else found


def sizes(groups: Iterable[Ints]) -> NDArray[np.int32]:
    """Pairs of each group by id, from parts of the ids."""
    found = np.zeros(0, np.int32)
    for group in groups:
        more = np.bincount(group).astype(np.int32)
        if len(more) > len(found):
            found = np.concatenate([found, np.zeros(max(len(more) - len(found), len(found) // 2), np.int32)])
        found[: len(more)] += more
    return found


def place(group: Ints, seed: int) -> NDArray[np.float64]:
    """Where each id stands between 0 and 1: splitmix64 (Steele, Lea and Flood 2014)."""
    x = group.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(((x ^ (x >> np.uint64(31))) >> np.uint64(11)) / 2.0**53)

"""Which rows are not independent, and how to split them without tearing a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]
Numbers = NDArray[np.integer[Any]]
Id = TypeVar("Id", bound=np.integer)

_BLOCK = 1 << 19  # sets settled at a time


class Union:
    """Sets of the numbers 0..n-1 that grow together; each is known by its lowest member.

    Args:
        n: how many.
        parent: for each number a lower one it goes with, or itself.
    """

    def __init__(self, n: int, parent: Numbers | None = None) -> None:
        self._parent: Numbers = np.arange(n, dtype=np.int32 if n < 1 << 31 else np.int64) if parent is None else parent

    def join(self, left: Numbers, right: Numbers) -> None:
        """Bring together the sets of every two numbers: connected components of the sets touched, then their roots."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        a, b = self.roots(left), self.roots(right)
        apart = a != b
        if not apart.any():
            return
        a, b = a[apart], b[apart]
        touched = distinct(np.concatenate([a, b]))
        places = [np.searchsorted(touched, side) for side in (a, b)]
        graph = coo_array((np.ones(len(a), np.int8), places), shape=(len(touched), len(touched)))
        label = connected_components(graph, directed=False)[1]
        _, first = np.unique(label, return_index=True)
        self._parent[touched] = touched[first[label]]

    def roots(self, numbers: Numbers) -> Numbers:
        """The lowest member of the set of each."""
        found = self._parent[numbers]
        while True:
            above = self._parent[found]
            if np.array_equal(above, found):
                return np.asarray(found)
            found = above

    def all(self) -> Numbers:
        """The lowest member of the set of every number; nothing may be joined after this."""
        for low in range(0, len(self._parent), _BLOCK):  # a parent is lower, so it is settled before
            here = self._parent[low : low + _BLOCK]
            self._parent[low : low + _BLOCK] = self.roots(here)
        return self._parent


def components(keys: Sequence[Keys], n: int) -> Ints:
    """Connected components: rows that share the value of any key are in one group.

    Args:
        keys: arrays of n uint64, or of (n, k) where a value means the same in each of the k columns; 0 says that
            the row has no such key.
        n: number of rows.

    Returns:
        n ids 0, 1, ... in the order of each group's first row, so that they do not depend on how rows were read.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    lefts, rights = [], []
    for key in keys:
        width = key.size // max(n, 1)
        flat = key.reshape(-1)
        some = np.flatnonzero(flat)
        order = some[np.argsort(flat[some], kind="stable")]
        ordered = flat[order]
        order //= max(width, 1)
        same = np.flatnonzero(ordered[1:] == ordered[:-1])
        lefts.append(order[same].astype(np.int32))
        rights.append(order[same + 1].astype(np.int32))
    left = np.concatenate(lefts) if lefts else np.empty(0, np.int32)
    if len(left) == 0:
        return np.arange(n, dtype=np.int64)
    right = np.concatenate(rights)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    return dense(label)


def ascending(ids: NDArray[Id]) -> NDArray[Id]:
    """n ids in order, by polars: numpy's own sort (2.4) takes three times as long on AMD's Zen 4."""
    return np.asarray(pl.Series(ids).sort().to_numpy())


def distinct(ids: NDArray[Id]) -> NDArray[Id]:
    """The different ones of n ids, ascending.

    np.unique without indices hashes integers, which is 40 times slower on a million of them.
    """
    ordered = ascending(ids)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def dense(label: NDArray[np.integer]) -> Ints:
    """The same partition with ids 0, 1, ... by first row."""
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.asarray(rank[inverse.reshape(-1)], dtype=np.int64)


def folds(group: Ints, k: int, seed: int) -> NDArray[np.int8]:
    """k folds of nearly equal numbers of rows that keep every group whole.

    Groups are given out largest first, each to the emptiest fold; among groups of one size the order is drawn from
    the seed. All groups of a size are placed at once: the greedy choice fills the folds up to one level.

    Args:
        group: n ids >= 0.
        k: number of folds, 2..127.
        seed: of the draw.

    Returns:
        n fold numbers 0..k-1.
    """
    sizes = np.bincount(group)
    load = np.zeros(k, np.int64)
    of = np.zeros(len(sizes), np.int8)
    rng = np.random.default_rng(seed)
    for size in distinct(sizes[sizes > 0])[::-1]:
        members = rng.permutation(np.flatnonzero(sizes == size))
        counts = _fill(load, int(size), len(members))
        of[members] = np.repeat(np.arange(k, dtype=np.int8), counts)
        load += counts * size
    return of[group]


def _fill(load: Ints, size: int, count: int) -> Ints:
    """How many of `count` groups of one size go to each fold when each goes to the emptiest."""
    low, high = int(load.min()), int(load.max()) + size * (count + 1)
    while low < high:  # the highest level at which no more than count groups fit below it
        level = (low + high + 1) // 2
        if _below(load, size, level).sum() <= count:
            low = level
        else:
            high = level - 1
    counts = _below(load, size, low)
    rest = count - int(counts.sum())
    if rest:
        counts[np.argsort(load + counts * size, kind="stable")[:rest]] += 1
    return counts


def _below(load: Ints, size: int, level: int) -> Ints:
    """Greedy picks made while a fold's load is under the level."""
    return np.maximum(0, -((load - level) // size))


def sample_groups(group: Ints, limit: int, seed: int) -> NDArray[np.bool_]:
    """Mask of the rows of a seeded sample of whole groups with at most `limit` rows, or all rows where they fit."""
    if len(group) <= limit:
        return np.ones(len(group), bool)
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[sizes[order] <= limit // 2]  # one giant group must not shut out all others
    taken = np.zeros(len(sizes), bool)
    taken[order[np.cumsum(sizes[order]) <= limit]] = True
    mask = np.asarray(taken[group])
    if not mask.any():
        mask[:limit] = True
    return mask

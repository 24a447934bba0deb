"""Near-duplicate texts: candidates by MinHash sketches, and exact Jaccard for every candidate.

The same for prompts (`groups`) and for answers (`near`). Texts are numbered in reading order, each distinct one once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.extractors._sketch import BANDS, MARKS, Ints, Keys, Tokens, bands, marks, shingles, slices, words
from prefaudit.stats.groups import Union, ascending, dense, distinct
from prefaudit.store.spill import Column, Runs, ranges, release

Floats = NDArray[np.float32]

FLOOR = 0.5  # pairs of texts that have less in common are not kept
ALIKE = 0.7  # texts that have this much in common are one group
GRAMS = (1, 2, 3)  # words in a row whose sets are compared; sketches and groups take pairs of words
JACCARD = ("words", "pairs", "triples")
_BUCKET = 8  # texts of a bucket up to this are all compared with each other
_FILES, _FILED = 256, 1 << 17  # files of candidates, at most, and texts whose candidates go into one
_HALF = np.uint64(32)
_PAIRS = 1 << 19  # candidates held at a time
_MARKED = 1 << 15  # pairs whose marks are compared at a time
_WORDS = 1 << 19  # words of pairs that are compared at a time
_GRID = 1 << 16  # numbers sorted at a time, row by row: they stay in the cache
_LAST = np.uint32(0xFFFFFFFF)  # fills rows up; where it is a token too, its row holds it before


class Near(NamedTuple):
    """What is alike: pairs of text numbers, and the Jaccards of their sets of words in a row (e, k)."""

    left: Ints
    right: Ints
    jaccard: Floats


NONE = Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 1), np.float32))


class Sketches:
    """What n texts are compared by before their words are: bands, marks and numbers of shingles, on disk."""

    def __init__(self) -> None:
        self.bands = [Column(np.uint32) for _ in range(BANDS)]
        self._marks, self._sizes = Column(np.uint64), Column(np.uint32)

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, tokens: Tokens, offsets: Ints, seed: int, keep: NDArray[np.bool_] | None = None) -> None:
        """Take in texts by their shingles, or those of them that are to be kept."""
        rows = slice(None) if keep is None else keep
        for column, band in zip(self.bands, bands(tokens, offsets, seed)[rows].T, strict=True):
            column.add(band)
        self._marks.add(marks(tokens, offsets)[rows].reshape(-1))
        self._sizes.add(np.diff(offsets)[rows])

    def where(self, keep: NDArray[np.bool_]) -> Sketches:
        """Those of the texts that are to be kept."""
        out = Sketches()
        out.bands = [column.where(keep) for column in self.bands]
        out._marks, out._sizes = self._marks.where(np.repeat(keep, MARKS)), self._sizes.where(keep)
        return out

    def likely(self, pairs: Keys) -> NDArray[np.bool_]:
        """Which pairs may have a Jaccard of `FLOOR` by pairs of words; of the others the marks say that they have not.

        A mark that one text has alone is at least one shingle that it has alone.
        """
        out = np.zeros(len(pairs), bool)
        left, right = _texts(pairs)
        for some in np.array_split(np.argsort(right), -(-len(pairs) // _MARKED) or 1):
            (a, most), (b, other) = (self._read(side[some]) for side in (left, right))
            alone = [sum(np.bitwise_count(x & ~y).astype(np.int64).T) for x, y in ((a, b), (b, a))]
            common = np.minimum(most - alone[0], other - alone[1])
            out[some] = common >= FLOOR * (common + alone[0] + alone[1])
        return out

    def _read(self, texts: Ints) -> tuple[Keys, Ints]:
        first, end = (int(texts.min()), int(texts.max()) + 1) if len(texts) else (0, 0)
        held = self._marks.read(first * MARKS, end * MARKS).reshape(-1, MARKS)[texts - first]
        return held, self._sizes.read(first, end)[texts - first].astype(np.int64)


def candidates(sketches: Sketches, beside: NDArray[np.bool_] | None = None) -> Column:
    """Pairs of texts that share a band and may be alike, as (lower number << 32 | higher number), ascending, each once.

    In a bucket of up to 8 texts all pairs; in a larger one each with the next in the order of the other bands, so that
    the most alike stand side by side: a thousand texts that are all alike give a thousand pairs a band, not half a
    million. Of these the pairs whose marks rule out a Jaccard of `FLOOR` are left out.

    Args:
        sketches: of n texts.
        beside: of n texts which are not to be compared with the one after them.
    """
    n = len(sketches)
    held = [Column(np.uint64) for _ in range(max(1, min(_FILES, -(-n // _FILED))))]
    bounds = np.array([(n * k // len(held)) << 32 for k in range(1, len(held))], np.uint64)
    for k in range(BANDS):
        for places, (key,) in ranges(sketches.bands[k]):
            both = ascending(_packed(key, places))  # a sort of numbers costs less than one of places by keys
            same = np.diff(both >> _HALF) == 0
            shared = np.append(same, False) | np.append(False, same)
            found = _neighbours(*_texts(both[shared[: len(both)]]), sketches.bands, k)
            for file, pairs in zip(held, np.split(found, np.searchsorted(found, bounds)), strict=True):
                file.add(pairs)
    out = Column(np.uint64)
    for file in held:
        pairs = distinct(file.read(0, len(file)))
        if beside is not None:
            left, right = _texts(pairs)
            pairs = pairs[(right != left + 1) | ~beside[left]]
        out.add(pairs[sketches.likely(pairs)])
    return out


def _neighbours(key: Ints, some: Ints, bands: Sequence[Column], k: int) -> Keys:
    """The pairs that band k gives, ascending, of texts that share their key in it, which come by key and number."""
    start = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    size = np.diff(np.append(start, len(key)))
    size = np.repeat(size, size)
    large = np.flatnonzero(size > _BUCKET)  # the order within a smaller one says nothing
    if len(large):
        order = large[np.argsort(some[large])]
        first, second, third = (bands[(k + j) % BANDS].take(some[order]).astype(np.uint64) for j in range(1, 4))
        by = np.lexsort([(second << _HALF) | third, (key[order].astype(np.uint64) << _HALF) | first])
        some[large] = some[order][by]
    found = [np.zeros(0, np.uint64)]
    for step in range(1, _BUCKET):
        if step > 1:  # of the buckets that have so many, which are few
            here = (size > step) & (size <= _BUCKET)
            key, some, size = key[here], some[here], size[here]
        hit = key[step:] == key[:-step]
        a, b = some[:-step][hit], some[step:][hit]
        found.append(_packed(np.minimum(a, b), np.maximum(a, b)))
    return ascending(np.concatenate(found))


def _texts(pairs: Keys) -> tuple[Ints, Ints]:
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


Fetch = Callable[[Ints], Iterator[pl.Series]]
"""Given text numbers (ascending), the texts in that order, in any number of series."""
Words = Iterator[tuple[Tokens, Ints]]
"""Texts one after the other as `words` gives them, some at a time."""


Measure = Callable[[Tokens, Ints, Ints, Ints], Floats]
"""Given what some texts have and how many each, and the places of e pairs among them, (e, k) numbers."""


class Verified:
    """Candidates with their texts read: the exact Jaccards of every pair.

    Their words lie on disk; those of some pairs at a time are held.

    Args:
        pairs: as `candidates` gives them, of n texts.
        n: number of texts.
        read: given text numbers (ascending), their words.

    Attributes:
        texts: those of candidates, ascending; elsewhere a text is told by its place among these.
    """

    def __init__(self, pairs: Column, n: int, read: Callable[[Ints], Words]) -> None:
        seen = np.zeros(n, bool)
        for _, block in pairs.blocks():
            for side in _texts(block):
                seen[side] = True
        self.texts: Ints = np.flatnonzero(seen).astype(np.int32)
        place = np.cumsum(seen, dtype=np.int32) - np.int32(1)
        self._pairs = Column(np.uint64, (_packed(*(place[side] for side in _texts(b))) for _, b in pairs.blocks()))
        del seen, place
        self._tokens, self._sets = Runs(), Runs()
        for hashes, size in read(self.texts):
            self._tokens.add(hashes, size)
            self._sets.add(*_sets(*shingles(hashes, size)))
        release()

    def kept(self) -> Iterator[Near]:
        """The pairs of `FLOOR` and more by pairs of words, in no order, with that Jaccard alone (e, 1)."""

        def common(tokens: Tokens, sizes: Ints, left: Ints, right: Ints) -> Floats:
            return _shared(tokens, sizes, left, right, FLOOR)[:, None]

        for _, near in self._measured(self._pairs, self._sets, common):
            some = near.jaccard[:, 0] >= FLOOR
            yield Near(near.left[some], near.right[some], near.jaccard[some])

    def told(self, near: Near) -> Floats:
        """(e, 3) the Jaccards of some pairs, of which that of pairs of words is known."""
        pairs = _packed(np.minimum(near.left, near.right), np.maximum(near.left, near.right))
        each = distinct(pairs)
        out = np.zeros((len(each), 2), np.float32)

        def others(hashes: Tokens, sizes: Ints, left: Ints, right: Ints) -> Floats:
            return np.stack([jaccard(*shingles(hashes, sizes, n), left, right) for n in (GRAMS[0], GRAMS[2])], 1)

        for at, some in self._measured(Column(np.uint64, [each]), self._tokens, others):
            out[at] = some.jaccard
        made = np.empty((len(pairs), 3), np.float32)
        for low in range(0, len(pairs), _PAIRS):
            here = slice(low, low + _PAIRS)
            made[here, ::2] = out[np.searchsorted(each, pairs[here])]
            made[here, 1] = near.jaccard[here, 0]
        return made

    def _measured(self, pairs: Column, of: Runs, measure: Measure) -> Iterator[tuple[Ints, Near]]:
        """What is measured of all pairs, of as many at a time as have some hundred thousand words; and their places."""
        for low in range(0, len(pairs), _PAIRS):
            release()
            left, right = _texts(pairs.read(low, min(low + _PAIRS, len(pairs))))
            size = of.sizes(left) + of.sizes(right)
            for beside in of.near(left):
                # those of the higher numbers stand side by side on disk too, once they are in order
                order = beside.start + np.argsort(right[beside], kind="stable")
                for at in np.split(order, np.flatnonzero(np.diff(np.cumsum(size[order]) // _WORDS)) + 1):
                    a, b = left[at], right[at]
                    each = distinct(np.concatenate([a, b]))
                    value = measure(*of.read(each), np.searchsorted(each, a), np.searchsorted(each, b))
                    yield low + at, Near(a, b, value)


def _packed(left: Ints, right: Ints) -> Keys:
    return np.asarray((left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64))


def words_of(texts: Iterator[pl.Series]) -> Words:
    """The words of texts, a piece of some megabytes at a time."""
    return (words(some) for series in texts for some in slices(series))


def compared(left: Ints, right: Ints, fetch: Fetch) -> Near:
    """The pairs of texts of `FLOOR` and more by pairs of words, by text numbers, the lower one first; ascending."""
    pairs = distinct(_packed(left, right))
    found = Verified(Column(np.uint64, [pairs]), int(right.max(initial=-1)) + 1, lambda at: words_of(fetch(at)))
    kept = [NONE, *found.kept()]
    near = Near(*(np.concatenate([getattr(some, name) for some in kept]) for name in Near._fields))
    order = np.lexsort([near.right, near.left])
    near = Near(near.left[order], near.right[order], near.jaccard[order])
    return Near(found.texts[near.left], found.texts[near.right], found.told(near))


def jaccard(tokens: Tokens, offsets: Ints, left: Ints, right: Ints) -> Floats:
    """Exact Jaccard of the token sets of e pairs of texts."""
    return _shared(*_sets(tokens, offsets), left, right)


def _sets(tokens: Tokens, offsets: Ints) -> tuple[Tokens, Ints]:
    """The different tokens of each text, ascending, and how many they are.

    Each text is sorted as a row beside others of its size: rows of some ten numbers take a fortieth of a sort of all.
    """
    sizes = np.diff(offsets)
    out = np.empty(len(tokens), np.uint32)
    for texts, width in _by_size(sizes):
        at = offsets[texts][:, None] + np.arange(width)
        here = np.arange(width) < sizes[texts][:, None]
        held = np.where(here, tokens.take(at, mode="clip"), _LAST)
        held.sort(1)
        out[at[here]] = held[here]
    first = np.append(True, out[1:] != out[:-1])[: len(out)]
    first[offsets[:-1][sizes > 0]] = True
    return out[first], np.diff(np.concatenate([[0], np.cumsum(first)])[offsets])


def _shared(tokens: Tokens, sizes: Ints, left: Ints, right: Ints, floor: float = 0.0) -> Floats:
    """Jaccard of e pairs of sets, as `_sets` gives them; 0 where their sizes say that it is below floor."""
    from scipy.sparse import csr_array

    ends = np.concatenate([[0], np.cumsum(sizes)])
    sets = csr_array((np.ones(len(tokens), np.int8), tokens.astype(np.int64), ends), shape=(len(sizes), 1 << 32))
    out = np.zeros(len(left), np.float32)
    a, b = sizes[left], sizes[right]
    some = np.flatnonzero(np.minimum(a, b) >= floor * np.maximum(a, b))
    one, other = (sets[side[some]] for side in (left, right))
    for rows in (one, other):
        rows.has_sorted_indices = rows.has_canonical_format = True  # as sets are; it would look through them
    common = np.diff(one.multiply(other).indptr)
    out[some] = common / np.maximum(a[some] + b[some] - common, 1)
    return out


def _by_size(sizes: Ints) -> Iterator[tuple[Ints, int]]:
    """Which rows of numbers to lay side by side, those of one size together, and the most that one of them has."""
    order = np.argsort(sizes, kind="stable")
    order = order[np.searchsorted(sizes[order], 1) :]
    while len(order):
        count = max(1, min(len(order), _GRID // int(sizes[order[0]])))
        width = int(sizes[order[count - 1]])
        while count > 1 and count * width > 2 * _GRID:
            count = max(1, _GRID // width)
            width = int(sizes[order[count - 1]])
        yield order[:count], width
        order = order[count:]


class Links:
    """What is like what, taken in as it is verified: sets of texts, and for each text the one it is most like.

    Args:
        n: number of texts.
        least: Jaccard of pairs of words from which two texts are of one set.
    """

    def __init__(self, n: int, least: float) -> None:
        self._sets, self._least = Union(n), np.float32(least)
        self._other = np.full(n, -1, np.int32)
        self._value = np.zeros(n, np.float32)

    def add(self, near: Near) -> None:
        """Take in some pairs."""
        strong = near.jaccard[:, 0] >= self._least
        self._sets.join(near.left[strong], near.right[strong])
        value = near.jaccard[:, 0]
        for a, b in ((near.left, near.right), (near.right, near.left)):
            have, known = self._value[a], self._other[a]
            some = np.flatnonzero((value > have) | ((value == have) & (b < known)))
            # positive floats are ordered as their bits are; b ascends within a, and the sort leaves that order
            key = (a[some].astype(np.uint64) << np.uint64(32)) | ~value[some].view(np.uint32)
            order = np.argsort(key, kind="stable")
            best = some[order[np.append(True, np.diff(a[some[order]]) != 0)]] if len(some) else some
            self._other[a[best]], self._value[a[best]] = b[best], value[best]

    def told(self) -> tuple[Near, Ints]:
        """Every text that is like another with the one it is most like, of equals the first; the number of its set, -1
        where it is in none.
        """
        texts = np.flatnonzero(self._other >= 0).astype(np.int32)
        group = np.full(len(texts), -1, np.int32)
        value = self._value[texts]
        strong = value >= self._least
        group[strong] = dense(self._sets.roots(texts[strong]))
        return Near(texts, self._other[texts], value[:, None]), group

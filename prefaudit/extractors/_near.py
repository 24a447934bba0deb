"""Near-duplicate texts: candidates by MinHash sketches, and exact Jaccard for every candidate.

The same for prompts (`groups`) and for answers (`near`). Texts are numbered in reading order, each distinct one once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.extractors._sketch import BANDS, Ints, Keys, Tokens, shingles, slices, words
from prefaudit.stats.groups import Union, dense, distinct
from prefaudit.store.spill import Column, ranges

Floats = NDArray[np.float32]

FLOOR = 0.5  # pairs of texts that have less in common are not kept
ALIKE = 0.7  # texts that have this much in common are one group
GRAMS = (1, 2, 3)  # words in a row whose sets are compared; sketches and groups take pairs of words
JACCARD = ("words", "pairs", "triples")
_BUCKET = 8  # texts of a bucket up to this are all compared with each other
_FILES, _FILED = 256, 1 << 17  # files of candidates, at most, and texts whose candidates go into one
_PAIRS = 1_000_000  # candidates held at a time
_HELD = 8_000_000  # words of the texts on either side of them
_WORDS = 2_000_000  # words of pairs that are compared at a time


class Near(NamedTuple):
    """What is alike: pairs of text numbers, and the Jaccard of their sets of 1, 2 and 3 words in a row (e, 3)."""

    left: Ints
    right: Ints
    jaccard: Floats


NONE = Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, len(GRAMS)), np.float32))


def candidates(bands: Sequence[Column], of: Ints | None = None) -> Column:
    """Pairs of texts that share a band, as (lower number << 32 | higher number), ascending, each once.

    In a bucket of up to 8 texts all pairs; in a larger one each with the next in the order of the other bands, so that
    the most alike stand side by side: a thousand texts that are all alike give a thousand pairs a band, not half a
    million.

    Args:
        bands: the sketch of n texts, a column a band.
        of: n ids; texts of one id are not compared.
    """
    n = len(bands[0])
    held = [Column(np.uint64) for _ in range(max(1, min(_FILES, -(-n // _FILED))))]
    bounds = np.array([(n * k // len(held)) << 32 for k in range(1, len(held))], np.uint64)
    for k in range(BANDS):
        for places, (key,) in ranges(bands[k]):
            order = np.argsort(key)
            same = key[order][1:] == key[order][:-1]
            shared = np.zeros(len(key), bool)
            shared[order[1:][same]] = shared[order[:-1][same]] = True
            found = _neighbours(places[shared], key[shared], bands, k)
            for file, pairs in zip(held, np.split(found, np.searchsorted(found, bounds)), strict=True):
                file.add(pairs)
    out = Column(np.uint64)
    for file in held:
        pairs = distinct(file.read(0, len(file)))
        if of is not None:
            left, right = _texts(pairs)
            pairs = pairs[of[left] != of[right]]
        out.add(pairs)
    return out


def _neighbours(some: Ints, key: Tokens, bands: Sequence[Column], k: int) -> Keys:
    """The pairs that band k gives of texts whose key in it is another one's too, ascending."""
    order = np.lexsort([*(bands[(k + j) % BANDS].take(some) for j in range(3, 0, -1)), key])
    some, key = some[order], key[order]
    start = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
    size = np.repeat(np.diff(np.append(start, len(key))), np.diff(np.append(start, len(key))))
    found = [np.zeros(0, np.uint64)]
    for step in range(1, _BUCKET):
        hit = key[step:] == key[:-step]
        hit &= (size[step:] <= _BUCKET) if step > 1 else True
        a, b = some[:-step][hit], some[step:][hit]
        found.append((np.minimum(a, b).astype(np.uint64) << np.uint64(32)) | np.maximum(a, b).astype(np.uint64))
    return np.sort(np.concatenate(found))


def _texts(pairs: Keys) -> tuple[Ints, Ints]:
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


Fetch = Callable[[Ints], Iterator[pl.Series]]
"""Given text numbers (ascending), the texts in that order, in any number of series."""


def verified(pairs: Column, n: int, fetch: Fetch) -> tuple[Ints, Iterator[Near]]:
    """Exact Jaccard of every candidate; those of `FLOOR` and more by pairs of words are kept.

    The texts of candidates are read once; their words lie on disk, from where so many as memory is meant for are held
    beside each other.

    Args:
        pairs: as `candidates` gives them, of n texts.
        n: number of texts.
        fetch: reads them.

    Returns:
        The texts of candidates, ascending; what is kept, by places among these, each pair once, in no order.
    """
    seen = np.zeros(n, bool)
    for _, block in pairs.blocks():
        for side in _texts(block):
            seen[side] = True
    texts = np.flatnonzero(seen)
    tokens = Column(np.uint32)
    sizes: list[Ints] = [np.zeros(1, np.int64)]
    for some in (piece for series in fetch(texts) for piece in slices(series)):
        hashes, size = words(some)
        tokens.add(hashes)
        sizes.append(size)
    place = np.cumsum(seen, dtype=np.int32) - np.int32(1)
    return texts, _kept(pairs, place, tokens, np.cumsum(np.concatenate(sizes)))


def _kept(pairs: Column, place: NDArray[np.int32], tokens: Column, offsets: Ints) -> Iterator[Near]:
    """What is kept of all candidates: those whose left texts fit beside each other, with one run of right ones."""
    at = 0
    while at < len(pairs):
        left, right = (place[side] for side in _texts(pairs.read(at, min(at + _PAIRS, len(pairs)))))
        end = max(left[0] + 1, int(np.searchsorted(offsets, offsets[left[0]] + _HELD, side="right")) - 1)
        fit = int(np.searchsorted(left, end))
        at += fit
        left, right = left[:fit], right[:fit]
        own = _Run.read(tokens, offsets, int(left[0]), int(left[-1]) + 1)
        run = offsets[right] // _HELD
        order = np.argsort(run, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(run[order])) + 1):
            beside = _Run.read(tokens, offsets, int(right[some].min()), int(right[some].max()) + 1)
            yield from _measured(left[some], right[some], own, beside)


class _Run(NamedTuple):
    """The words of texts that follow each other, from text `first` on."""

    first: int
    tokens: Tokens
    offsets: Ints

    @classmethod
    def read(cls, tokens: Column, offsets: Ints, first: int, end: int) -> _Run:
        return cls(first, tokens.read(int(offsets[first]), int(offsets[end])), offsets[first : end + 1])

    def some(self, texts: Ints) -> tuple[Tokens, Ints]:
        """The words of some texts, and how many each has."""
        sizes = np.diff(self.offsets)[texts - self.first]
        starts = self.offsets[texts - self.first] - self.offsets[0]
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.tokens[np.repeat(starts, sizes) + within], sizes


def _measured(left: Ints, right: Ints, own: _Run, beside: _Run) -> Iterator[Near]:
    """Candidates between two runs of texts, as many at a time as have some millions of words."""
    size = np.diff(own.offsets)[left - own.first] + np.diff(beside.offsets)[right - beside.first]
    cut = np.flatnonzero(np.diff(np.cumsum(size) // _WORDS)) + 1
    for some in np.split(np.arange(len(left)), cut):
        a, b = distinct(left[some]), distinct(right[some])
        hashes, sizes = (np.concatenate(x) for x in zip(own.some(a), beside.some(b), strict=True))
        yield _alike(left[some], right[some], np.searchsorted(a, left[some]),
                     np.searchsorted(b, right[some]) + len(a), hashes, sizes)  # fmt: skip


def _alike(left: Ints, right: Ints, a: Ints, b: Ints, hashes: Tokens, sizes: Ints) -> Near:
    values = np.zeros((len(left), len(GRAMS)), np.float32)
    keep = np.ones(len(left), bool)
    for n in sorted(GRAMS, key=lambda n: n != 2):  # pairs of words first: they say what is kept
        tokens, offsets = shingles(hashes, sizes, n)
        values[keep, GRAMS.index(n)] = jaccard(tokens, offsets, a[keep], b[keep], FLOOR if n == 2 else 0.0)
        if n == 2:
            keep = values[:, GRAMS.index(2)] >= FLOOR
    return Near(left[keep], right[keep], values[keep])


def compared(left: Ints, right: Ints, fetch: Fetch) -> Near:
    """`verified` for pairs of texts that are held, the lower number first; by text numbers, ascending."""
    pairs = distinct((left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64))
    texts, kept = verified(Column(np.uint64, [pairs]), int(right.max(initial=-1)) + 1, fetch)
    found = [NONE, *kept]
    a, b, value = (np.concatenate([getattr(near, name) for near in found]) for name in Near._fields)
    a, b = texts[a], texts[b]
    order = np.lexsort([b, a])
    return Near(a[order], b[order], value[order])


def jaccard(tokens: Tokens, offsets: Ints, left: Ints, right: Ints, floor: float = 0.0) -> Floats:
    """Exact Jaccard of the token sets of e pairs of texts; 0 where the sizes of the sets say that it is below floor."""
    out = np.zeros(len(left), np.float32)
    tokens, offsets = _sets(tokens, offsets)
    sizes = np.diff(offsets)
    a, b = sizes[left], sizes[right]
    some = np.flatnonzero(np.minimum(a, b) >= floor * np.maximum(a, b))
    ends = np.cumsum(a[some] + b[some])
    for at in np.split(some, np.flatnonzero(np.diff(ends // _WORDS)) + 1):
        # two runs that are in order: a stable sort merges them
        both = np.sort(np.concatenate([_each(tokens, offsets, side[at]) for side in (left, right)]), kind="stable")
        shared = both[1:][both[1:] == both[:-1]]
        common = np.bincount((shared >> np.uint64(32)).astype(np.int64), minlength=len(at))
        out[at] = common / np.maximum(a[at] + b[at] - common, 1)
    return out


def _sets(tokens: Tokens, offsets: Ints) -> tuple[Tokens, Ints]:
    """The different tokens of each text, ascending, and the offsets of the texts."""
    text = np.repeat(np.arange(len(offsets) - 1, dtype=np.uint64), np.diff(offsets))
    found = distinct((text << np.uint64(32)) | tokens)
    sizes = np.bincount((found >> np.uint64(32)).astype(np.int64), minlength=len(offsets) - 1)
    return found.astype(np.uint32), np.concatenate([[0], np.cumsum(sizes)])


def _each(tokens: Tokens, offsets: Ints, texts: Ints) -> Keys:
    """(place << 32 | token) of the sets of some texts."""
    sizes = np.diff(offsets)[texts]
    place = np.repeat(np.arange(len(texts)), sizes)
    within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes - offsets[texts], sizes)
    return np.asarray((place.astype(np.uint64) << np.uint64(32)) | tokens[within])


class Links:
    """What is like what, taken in as it is verified: sets of texts, and for each text the one it is most like.

    Args:
        n: number of texts.
        least: Jaccard of pairs of words from which two texts are of one set.
    """

    def __init__(self, n: int, least: float) -> None:
        self._sets, self._least = Union(n), np.float32(least)
        self._other = np.full(n, -1, np.int32)
        self._value = np.zeros((n, len(GRAMS)), np.float32)

    def add(self, near: Near) -> None:
        """Take in some pairs."""
        strong = near.jaccard[:, GRAMS.index(2)] >= self._least
        self._sets.join(near.left[strong], near.right[strong])
        a, b = np.concatenate([near.left, near.right]), np.concatenate([near.right, near.left])
        value = np.concatenate([near.jaccard, near.jaccard])
        by = value[:, GRAMS.index(2)]
        order = np.lexsort([b, -by, a])
        best = order[np.append(True, np.diff(a[order]) != 0)] if len(order) else order
        a, b, by = a[best], b[best], by[best]
        have, known = self._value[a, GRAMS.index(2)], self._other[a]
        better = (known < 0) | (by > have) | ((by == have) & (b < known))
        self._other[a[better]] = b[better]
        self._value[a[better]] = value[best[better]]

    def told(self) -> tuple[Ints, Ints, Ints, Floats]:
        """Of the texts that are like another: their numbers; that of their set, by its first text, or -1; the text they
        are most like, of equals the first; how much.
        """
        texts = np.flatnonzero(self._other >= 0)
        value = self._value[texts]
        group = np.full(len(texts), -1, np.int64)
        strong = value[:, GRAMS.index(2)] >= self._least
        group[strong] = dense(self._sets.roots(texts[strong]))
        return texts, group, self._other[texts].astype(np.int64), value

"""Near-duplicate texts: words, MinHash sketches, candidates, and exact Jaccard for every candidate.

The same for prompts (`groups`) and for answers (`near`). Texts are numbered in reading order, each distinct one once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.stats.groups import distinct

Keys = NDArray[np.uint64]
Tokens = NDArray[np.uint32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

WORDS = 6  # a shorter text is compared whole only: one word more or less makes another request
BANDS, ROWS = 10, 3
FLOOR = 0.5  # pairs of texts that have less in common are not kept
ALIKE = 0.7  # texts that have this much in common are one group
GRAMS = (1, 2, 3)  # words in a row whose sets are compared; sketches and groups take pairs of words
_BUCKET = 8  # texts of a bucket up to this are all compared with each other
_EDGES = 100_000
_TEXTS = 4096
_BYTES = 16_000_000  # of text taken apart at a time
_HELD = 30_000_000  # words of candidates held at a time
_CJK = r"([\x{3040}-\x{30ff}\x{3400}-\x{9fff}\x{f900}-\x{faff}])"


class Near(NamedTuple):
    """What is alike: pairs of text numbers, and the Jaccard of their sets of 1, 2 and 3 words in a row (e, 3)."""

    left: Ints
    right: Ints
    jaccard: Floats


NONE = Near(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, len(GRAMS)), np.float32))


def words(texts: pl.Series) -> tuple[Tokens, Ints]:
    """Hashes of the words of each text, lower case: what stands between white space; a CJK character is a word.

    Args:
        texts: n strings or nulls.

    Returns:
        All hashes one after the other, and n counts.
    """
    plain = texts.fill_null("").str.to_lowercase().str.replace_many(["\n", "\t", "\r", "\u3000", "\xa0"], [" "])
    wide = (plain.str.len_bytes() > plain.str.len_chars()).to_numpy()
    if wide.any():
        some = np.flatnonzero(wide)
        plain = plain.scatter(some, plain.gather(some).str.replace_all(_CJK, " $1 "))
    split = plain.str.split(" ")
    sizes = split.list.len().to_numpy().astype(np.int64)
    flat = split.explode(empty_as_null=False, keep_nulls=False)
    empty = (flat == "").to_numpy()
    hashes = (flat.hash(11).to_numpy() >> np.uint64(32)).astype(np.uint32)
    if empty.any():
        ends = np.concatenate([[0], np.cumsum(sizes)])
        before = np.concatenate([[0], np.cumsum(empty)])
        sizes = sizes - np.diff(before[ends])
        hashes = hashes[~empty]
    return hashes, sizes


def shingles(hashes: Tokens, sizes: Ints, n: int = 2, least: int = WORDS) -> tuple[Tokens, Ints]:
    """Hashed runs of n words of each text.

    Args:
        hashes: of the words of all texts.
        sizes: words of each text.
        n: words in a row.
        least: texts with fewer words have no shingles.

    Returns:
        All hashes one after the other, and one offset more than there are texts.
    """
    mixed = hashes
    for k in range(1, n):
        mixed = mixed[:-1] * np.uint32(0x9E3779B1) + hashes[k:]
    ends = np.cumsum(sizes)
    inside = np.repeat(sizes >= max(least, n), sizes)
    for k in range(1, n):  # the last words of a text and the first of the next are no neighbours
        at = ends - k
        inside[at[(at >= 0) & (sizes >= k)]] = False
    counts = np.where(sizes >= max(least, n), sizes - n + 1, 0)
    return mixed[inside[: len(mixed)]], np.concatenate([[0], np.cumsum(counts)])


def sketches(texts: pl.Series, seed: int) -> Tokens:
    """MinHash in 10 bands of 3 over hashed pairs of words: (n, 10), 0 for texts of fewer than six words.

    Texts of Jaccard .8 share a band with probability .999, of .7 with .985, of .5 with .74 (1 - (1 - j^3)^10, Leskovec,
    Rajaraman, Ullman 2020, 3.4). One multiply-shift hash and one segmented minimum per permutation. rensa does the same
    sketch from flat hashes, but hands it out only as lists of Python integers, which costs three times the sketch.
    """
    found = [bands(*shingles(*words(some)), seed) for some in _slices(texts)]
    return np.concatenate([np.zeros((0, BANDS), np.uint32), *found])


def _slices(texts: pl.Series) -> Iterator[pl.Series]:
    """The texts in runs of some megabytes, so that memory does not grow with their length."""
    ends = np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy())
    at = 0
    while at < len(texts):
        base = ends[at - 1] if at else 0
        stop = max(at + 1, int(np.searchsorted(ends, base + _BYTES, side="right")))
        yield texts[at:stop]
        at = stop


def bands(tokens: Tokens, offsets: Ints, seed: int) -> Tokens:
    """The sketch from shingles: (n, 10) band hashes; 0 for texts without tokens."""
    some = np.flatnonzero(np.diff(offsets) > 0)
    out = np.zeros((len(offsets) - 1, BANDS), np.uint32)
    drawn = np.random.default_rng(seed).integers(0, 2**32, (BANDS, ROWS, 2), dtype=np.uint64).astype(np.uint32)
    for lo in range(0, len(some), _TEXTS):  # tokens of some thousand texts stay in the cache
        rows = some[lo : lo + _TEXTS]
        first = offsets[rows[0]]
        here, starts = tokens[first : offsets[rows[-1] + 1]], offsets[rows] - first
        for band in range(BANDS):
            key = np.full(len(rows), band + 1, np.uint32)
            for a, b in drawn[band]:
                key = (key ^ np.minimum.reduceat(_mix(here, a | np.uint32(1), b), starts)) * np.uint32(0x85EBCA6B)
            out[rows, band] = np.maximum(key, 1)
    return out


def _mix(x: Tokens, a: np.uint32, b: np.uint32) -> Tokens:
    """A multiplication alone orders tokens almost as their high bits do; the shift between two breaks that."""
    h = x * a
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= b
    return h


def candidates(sketch: Tokens) -> tuple[Ints, Ints]:
    """Pairs of texts that share a band, the lower number first, ascending.

    In a bucket of up to 8 texts all pairs; in a larger one each with the next in the order of the other bands, so that
    the most alike stand side by side: a thousand texts that are all alike give a thousand pairs a band, not half a
    million.
    """
    found = [np.zeros(0, np.uint64)]
    for k in range(BANDS):
        key = sketch[:, k]
        order = np.argsort(key, kind="stable")
        same = key[order][1:] == key[order][:-1]
        shared = np.zeros(len(key), bool)
        shared[order[1:][same]] = shared[order[:-1][same]] = True
        some = np.flatnonzero(shared & (key != 0))
        others = [sketch[some, (k + j) % BANDS] for j in range(3, 0, -1)]
        order = some[np.lexsort([*others, key[some]])]
        key = key[order]
        start = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.zeros(0, np.int64)
        size = np.repeat(np.diff(np.append(start, len(key))), np.diff(np.append(start, len(key))))
        for step in range(1, _BUCKET):
            hit = key[step:] == key[:-step]
            hit &= (size[step:] <= _BUCKET) if step > 1 else True
            a, b = order[:-step][hit], order[step:][hit]
            found.append((np.minimum(a, b).astype(np.uint64) << np.uint64(32)) | np.maximum(a, b).astype(np.uint64))
    pairs = np.sort(np.concatenate(found))
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])] if len(pairs) else pairs
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


Fetch = Callable[[Ints], Iterator[pl.Series]]
"""Given text numbers (ascending), the texts in that order, in any number of series."""


def verified(left: Ints, right: Ints, fetch: Fetch) -> Near:
    """Exact Jaccard of every candidate; those of `FLOOR` and more by pairs of words are kept.

    The texts of candidates are read again, as many at a time as memory allows.
    """
    kept = [NONE]
    wanted = distinct(np.concatenate([left, right]))
    block: list[tuple[Tokens, Ints]] = []
    first = held = 0
    for some in (piece for series in fetch(wanted) for piece in _slices(series)):
        hashes, sizes = words(some)
        block.append((hashes, sizes))
        held += len(hashes)
        last = first + sum(len(s) for _, s in block)
        if held > _HELD and last < len(wanted):
            kept += _block(left, right, wanted, first, last, block, fetch)
            block, first, held = [], last, 0
    if block:
        kept += _block(left, right, wanted, first, len(wanted), block, fetch)
    a, b, value = (np.concatenate([getattr(near, name) for near in kept]) for name in Near._fields)
    order = np.lexsort([b, a])
    return Near(a[order], b[order], value[order])


def _block(left: Ints, right: Ints, wanted: Ints, first: int, last: int, block: list[tuple[Tokens, Ints]],
           fetch: Fetch) -> list[Near]:  # fmt: skip
    """Candidates whose left text is one of wanted[first:last], which are held; others are read beside them."""
    at = np.flatnonzero((left >= wanted[first]) & (left <= wanted[last - 1]))
    far = distinct(right[at][right[at] > wanted[last - 1]])
    held = wanted[first:last]
    found = []
    step = 100_000
    for lo in range(0, max(len(far), 1), step):
        others = far[lo : lo + step]
        more = [words(piece) for series in fetch(others) for piece in _slices(series)] if len(others) else []
        hashes, sizes = (np.concatenate(x) for x in zip(*block, *more, strict=True))
        numbers = np.concatenate([held, others])
        inside = np.isin(right[at], others) | ((lo == 0) & (right[at] <= held[-1]))
        found.append(_measured(left[at[inside]], right[at[inside]], numbers, hashes, sizes))
    return found


def _measured(left: Ints, right: Ints, numbers: Ints, hashes: Tokens, sizes: Ints) -> Near:
    a, b = np.searchsorted(numbers, left), np.searchsorted(numbers, right)
    values = np.zeros((len(left), len(GRAMS)), np.float32)
    keep = np.ones(len(left), bool)
    for n in sorted(GRAMS, key=lambda n: n != 2):  # pairs of words first: they say what is kept
        tokens, offsets = shingles(hashes, sizes, n)
        values[keep, GRAMS.index(n)] = jaccard(tokens, offsets, a[keep], b[keep])
        if n == 2:
            keep = values[:, GRAMS.index(2)] >= FLOOR
    return Near(left[keep], right[keep], values[keep])


def jaccard(tokens: Tokens, offsets: Ints, left: Ints, right: Ints) -> Floats:
    """Exact Jaccard of the token sets of e pairs of texts, a hundred thousand pairs or some megabytes at a time."""
    out = np.zeros(len(left), np.float32)
    sizes = np.diff(offsets)
    ends = np.cumsum(sizes[left] + sizes[right])
    lo = 0
    while lo < len(left):
        most = int(np.searchsorted(ends, (ends[lo - 1] if lo else 0) + 10_000_000, side="right"))
        hi = min(lo + _EDGES, max(lo + 1, most))
        a, b = (_sets(tokens, offsets, side[lo:hi]) for side in (left, right))
        both = np.sort(np.concatenate([a, b]), kind="stable")
        shared = both[1:][both[1:] == both[:-1]]
        common = np.bincount((shared >> np.uint64(32)).astype(np.int64), minlength=hi - lo)
        total = np.bincount((both >> np.uint64(32)).astype(np.int64), minlength=hi - lo)
        out[lo:hi] = common / np.maximum(total - common, 1)
        lo = hi
    return out


def _sets(tokens: Tokens, offsets: Ints, texts: Ints) -> Keys:
    """(edge number << 32 | token), each once."""
    sizes = np.diff(offsets)[texts]
    edge = np.repeat(np.arange(len(texts)), sizes)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    token = tokens[np.repeat(offsets[texts], sizes) + within]
    return distinct((edge.astype(np.uint64) << np.uint64(32)) | token)


def joined(near: Near, n: int, least: float) -> Ints:
    """For each of n texts the lowest number of those that it is linked to at `least` and more; -1 where to none."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    strong = near.jaccard[:, GRAMS.index(2)] >= np.float32(least)
    left, right = near.left[strong], near.right[strong]
    linked = distinct(np.concatenate([left, right]))
    a, b = np.searchsorted(linked, left), np.searchsorted(linked, right)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(linked), len(linked)))
    label = connected_components(graph, directed=False)[1] if len(linked) else np.zeros(0, np.int64)
    _, first, back = np.unique(label, return_index=True, return_inverse=True)
    out = np.full(n, -1, np.int64)
    out[linked] = linked[first[back.reshape(-1)]]
    return out


def nearest(near: Near) -> Near:
    """For each text that is like another, once: its number, the one it is most like (of equals the first), how much."""
    a, b = np.concatenate([near.left, near.right]), np.concatenate([near.right, near.left])
    value = np.concatenate([near.jaccard, near.jaccard])
    order = np.lexsort([b, -value[:, GRAMS.index(2)], a])
    a = a[order]
    best = np.append(True, a[1:] != a[:-1]) if len(a) else np.zeros(0, bool)
    return Near(a[best], b[order][best], value[order][best])

"""Near-duplicate prompts: MinHash sketches, bands, and exact Jaccard for every candidate."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]

HEAD = 500  # characters from either end of a prompt
WORDS = 6  # a shorter prompt is compared whole only: one word more or less makes another request
BANDS, ROWS = 4, 3
JACCARD = 0.8
_EDGES = 100_000
_TEXTS = 4096


def shingles(texts: pl.Series) -> tuple[NDArray[np.uint32], Ints]:
    """Hashed pairs of neighbouring words of both ends of each text, lower case.

    Args:
        texts: n strings or nulls.

    Returns:
        All hashes one after the other, and n + 1 offsets; texts of fewer than six words have none.
    """
    name = pl.col(texts.name)
    ends = pl.when(name.str.len_bytes() > 2 * HEAD).then(name.str.head(HEAD) + name.str.tail(HEAD)).otherwise(name)
    words = texts.to_frame().select(ends.str.to_lowercase().fill_null("").str.split(" ")).to_series()
    sizes = words.list.len().to_numpy().astype(np.int64)
    h = words.explode().hash(11).to_numpy()
    mixed = ((h[:-1] * np.uint64(0x9E3779B97F4A7C15) + h[1:]) >> np.uint64(32)).astype(np.uint32)
    inside = np.repeat(sizes >= WORDS, sizes)
    inside[np.cumsum(sizes) - 1] = False  # the last word of a text and the first of the next are no neighbours
    counts = np.where(sizes >= WORDS, sizes - 1, 0)
    return mixed[inside[:-1]], np.concatenate([[0], np.cumsum(counts)])


def bands(tokens: NDArray[np.uint32], offsets: Ints, seed: int) -> NDArray[np.uint32]:
    """MinHash in 4 bands of 3: texts of Jaccard .8 share a band with probability .94, of .9 with .995, of .5 with .41.

    One multiply-shift hash and one segmented minimum per permutation. rensa does the same sketch from flat hashes, but
    hands it out only as lists of Python integers, which costs three times the sketch.

    Args:
        tokens: hashes of all texts.
        offsets: n + 1 positions.
        seed: of the hash functions.

    Returns:
        (n, 4) band hashes; 0 for texts without tokens.
    """
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


def _mix(x: NDArray[np.uint32], a: np.uint32, b: np.uint32) -> NDArray[np.uint32]:
    """A multiplication alone orders tokens almost as their high bits do; the shift between two breaks that."""
    h = x * a
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= b
    return h


def candidates(band: NDArray[np.uint32]) -> tuple[Ints, Ints]:
    """Pairs of texts that share a band: in each bucket every text with the one that follows it.

    Within a bucket texts are ordered by the next band, so that the most alike stand side by side.
    """
    found = []
    for k in range(BANDS):
        order = np.lexsort((band[:, (k + 1) % BANDS], band[:, k]))
        key = band[order, k]
        same = np.flatnonzero((key[1:] == key[:-1]) & (key[1:] != 0))
        found.append(np.stack([order[same], order[same + 1]]))
    pairs = np.sort(np.concatenate(found, axis=1), axis=0)
    pairs = pairs[:, np.lexsort(pairs)]
    new = np.ones(pairs.shape[1], bool)
    new[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(0)
    return pairs[0, new].astype(np.int64), pairs[1, new].astype(np.int64)


def jaccard(tokens: NDArray[np.uint32], offsets: Ints, left: Ints, right: Ints) -> NDArray[np.float64]:
    """Exact Jaccard of the token sets of pairs of texts, a hundred thousand pairs at a time.

    Args:
        tokens: hashes of all texts.
        offsets: n + 1 positions.
        left: e text numbers.
        right: e text numbers.

    Returns:
        e values in 0..1.
    """
    out = np.zeros(len(left))
    for lo in range(0, len(left), _EDGES):
        a, b = (_sets(tokens, offsets, side[lo : lo + _EDGES]) for side in (left, right))
        both = np.sort(np.concatenate([a, b]), kind="stable")
        shared = both[1:][both[1:] == both[:-1]]
        count = len(left[lo : lo + _EDGES])
        common = np.bincount((shared >> np.uint64(32)).astype(np.int64), minlength=count)
        total = np.bincount((both >> np.uint64(32)).astype(np.int64), minlength=count)
        out[lo : lo + _EDGES] = common / np.maximum(total - common, 1)
    return out


def _sets(tokens: NDArray[np.uint32], offsets: Ints, texts: Ints) -> Keys:
    """(edge number << 32 | token), each once."""
    sizes = np.diff(offsets)[texts]
    edge = np.repeat(np.arange(len(texts)), sizes)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    token = tokens[np.repeat(offsets[texts], sizes) + within]
    keys = np.sort((edge.astype(np.uint64) << np.uint64(32)) | token)
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    return np.asarray(keys[first])  # np.unique hashes, ten times slower here

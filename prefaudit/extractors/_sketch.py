"""Texts as hashed words, and MinHash sketches of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Tokens = NDArray[np.uint32]
Ints = NDArray[np.integer[Any]]

WORDS = 6  # a shorter text is compared whole only: one word more or less makes another request
BANDS, ROWS = 10, 3
_TEXTS = 4096
MARKS = 4  # 64-bit words of marks of a text
_BYTES = 16_000_000  # of text taken apart at a time
_CJK = r"([\x{3040}-\x{30ff}\x{3400}-\x{9fff}\x{f900}-\x{faff}])"


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


def slices(texts: pl.Series) -> Iterator[pl.Series]:
    """The texts in runs of some megabytes, so that memory does not grow with their length."""
    ends = np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy())
    at = 0
    while at < len(texts):
        base = ends[at - 1] if at else 0
        stop = max(at + 1, int(np.searchsorted(ends, base + _BYTES, side="right")))
        yield texts[at:stop]
        at = stop


def bands(tokens: Tokens, offsets: Ints, seed: int) -> Tokens:
    """MinHash in 10 bands of 3 of the shingles of n texts: (n, 10) band hashes, 0 for texts without.

    Texts of Jaccard .8 share a band with probability .999, of .7 with .985, of .5 with .74 (1 - (1 - j^3)^10, Leskovec,
    Rajaraman, Ullman 2020, 3.4). One multiply-shift hash and one segmented minimum per permutation. rensa does the same
    sketch from flat hashes, but hands it out only as lists of Python integers, which costs three times the sketch.
    """
    out = np.zeros((len(offsets) - 1, BANDS), np.uint32)
    drawn = np.random.default_rng(seed).integers(0, 2**32, (BANDS, ROWS, 2), dtype=np.uint64).astype(np.uint32)
    for rows, here, starts in _some(tokens, offsets):
        for band in range(BANDS):
            key = np.full(len(rows), band + 1, np.uint32)
            for a, b in drawn[band]:
                key = (key ^ np.minimum.reduceat(_mix(here, a | np.uint32(1), b), starts)) * np.uint32(0x85EBCA6B)
            out[rows, band] = np.maximum(key, 1)
    return out


def marks(tokens: Tokens, offsets: Ints) -> Keys:
    """(n, 4) 256 bits of each text, of which those are set that its shingles hash to (Bloom 1970)."""
    out = np.zeros((len(offsets) - 1, MARKS), np.uint64)
    for rows, here, starts in _some(tokens, offsets):
        bit = np.uint64(1) << (here >> np.uint32(26)).astype(np.uint64)
        word = (here >> np.uint32(20)) % np.uint32(MARKS)
        for k in range(MARKS):
            out[rows, k] = np.bitwise_or.reduceat(np.where(word == k, bit, np.uint64(0)), starts)
    return out


def _some(tokens: Tokens, offsets: Ints) -> Iterator[tuple[Ints, Tokens, Ints]]:
    """Texts with tokens, as many at a time as stay in the cache: which, their tokens, where each one's begin."""
    some = np.flatnonzero(np.diff(offsets) > 0)
    for low in range(0, len(some), _TEXTS):
        rows = some[low : low + _TEXTS]
        first = offsets[rows[0]]
        yield rows, tokens[first : offsets[rows[-1] + 1]], offsets[rows] - first


def _mix(x: Tokens, a: np.uint32, b: np.uint32) -> Tokens:
    """A multiplication alone orders tokens almost as their high bits do; the shift between two breaks that."""
    h = x * a
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= b
    return h

"""Hashed words and pairs of words of two answers: what `consensus` reads of their texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.models.lexical import chunks, tokens

BITS = 18  # of a bucket: with 60,000 terms in use one in five shares its bucket, which costs next to nothing
SEEN = 3  # texts of the sample in which a bucket has to be hit
ONE, FIRST, BOTH = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
SHIFT = np.uint64(64 - BITS)

Floats = NDArray[np.float32]


class Hits(NamedTuple):
    """What some texts hit: the bucket and the text of every word and pair of words; how many of both each text has."""

    bucket: NDArray[np.int32]
    text: NDArray[np.int64]
    size: NDArray[np.float64]


def hits(texts: pl.Series) -> Iterator[tuple[slice, Hits]]:
    """Chunks of texts, each read once, in a bounded memory (Weinberger et al. 2009, without signs)."""
    for a, b in chunks(texts):
        cut = tokens(texts[a:b])
        near = np.flatnonzero(cut.text[1:] == cut.text[:-1])
        pair = (cut.key[near] * FIRST + cut.key[near + 1]) * BOTH
        bucket = (np.concatenate([cut.key * ONE, pair]) >> SHIFT).astype(np.int32)
        text = np.concatenate([cut.text, cut.text[near]])
        yield slice(a, b), Hits(bucket, text, np.bincount(text, minlength=b - a).astype(np.float64))


class Words(NamedTuple):
    """The buckets that are used, ascending, and what a hit of each counts.

    A text is a row of counts times weight over the square root of its size: being linear in its hits, a head's score
    of a text is a sum of a number a hit, and nothing has to be sorted.
    """

    bucket: NDArray[np.int32]
    weight: Floats

    def score(self, chosen: pl.Series, rejected: pl.Series, heads: Floats, which: NDArray[np.integer]) -> Any:
        """(n,) differences of the two answers' scores, each pair by its own head.

        Args:
            chosen: n texts.
            rejected: n texts.
            heads: (k, buckets in use) coefficients.
            which: n numbers of heads.
        """
        table = np.zeros((len(heads), 1 << BITS), np.float32)
        table[:, self.bucket] = heads * self.weight
        flat = table.ravel()
        out = np.zeros(len(chosen))
        for sign, texts in ((1, chosen), (-1, rejected)):
            for at, hit in hits(texts):
                base = (which[at].astype(np.int32) << np.int32(BITS))[hit.text]
                total = np.bincount(hit.text, flat[base + hit.bucket], len(hit.size))
                out[at] += sign * total / np.sqrt(np.maximum(hit.size, 1))
        return out


def fitted(chosen: pl.Series, rejected: pl.Series) -> tuple[Words, Any]:
    """The buckets of a sample of pairs, and its rows of differences as scipy csr float32, of mean square length 1.

    A hit counts by its rarity, log((1 + texts) / (1 + texts with it)) + 1. Which answer is the chosen one makes no
    difference to the buckets and weights.
    """
    from scipy.sparse import csr_array, vstack

    n, shape = len(chosen), 1 << BITS
    sides = []
    for texts in (chosen, rejected):
        rows = [csr_array((np.ones(len(h.bucket), np.float32), (h.text, h.bucket)), shape=(len(h.size), shape))
                for _, h in hits(texts)]  # fmt: skip
        sides.append(vstack(rows, format="csr") if rows else csr_array((0, shape), dtype=np.float32))
        sides[-1].sum_duplicates()
    df = np.bincount(np.concatenate([m.indices for m in sides]), minlength=shape)
    size = [np.asarray(m.sum(1)).ravel() for m in sides]
    difference = sides[0].multiply(1 / np.sqrt(np.maximum(size[0], 1))[:, None]).tocsr()
    difference = difference - sides[1].multiply(1 / np.sqrt(np.maximum(size[1], 1))[:, None]).tocsr()
    bucket = np.flatnonzero(df >= min(SEEN, max(1, n // 10))).astype(np.int32)
    weight = (np.log((1 + 2 * n) / (1 + df[bucket])) + 1).astype(np.float32)
    place = np.full(shape, -1, np.int32)
    place[bucket] = np.arange(len(bucket), dtype=np.int32)
    row = np.repeat(np.arange(n, dtype=np.int32), np.diff(difference.indptr))
    column = place[difference.indices]
    kept = np.flatnonzero(column >= 0)
    data = difference.data[kept].astype(np.float32) * weight[column[kept]]
    long = float(np.sqrt((data.astype(np.float64) ** 2).sum() / max(n, 1))) or 1.0
    found = csr_array((data / np.float32(long), (row[kept], column[kept])), shape=(n, len(bucket)), dtype=np.float32)
    return Words(bucket, weight / np.float32(long)), found

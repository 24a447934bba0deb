"""What a prompt is like, in a few numbers: how it is put, and which words it has, roughly."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.extractors._words import BITS, hits

MIXED = 12  # sums of words under signs drawn by lot: two prompts of other words differ in most of them


def properties(frame: pl.DataFrame, seed: int) -> NDArray[np.float64]:
    """(n, q) at mean 0 and root mean square 1; columns in which all prompts are alike are left out.

    Length, turns, questions, digits and code of what is asked last; and MIXED random signed sums of its hashed words
    over the square root of their number (Achlioptas 2003).

    Args:
        frame: prompt of PAIRS.
        seed: of the signs.
    """
    last = frame.select(
        pl.col("prompt").list.last().struct.field("content").fill_null("").alias("t"),
        pl.col("prompt").list.len().cast(pl.Float64).alias("turns"),
    )
    text = pl.col("t")
    counted = last.select(
        text.str.len_chars().log1p().alias("chars"), pl.col("turns").log1p(),
        text.str.count_matches("?", literal=True).clip(0, 3).cast(pl.Float64).alias("questions"),
        text.str.count_matches(r"\d").log1p().alias("digits"),
        text.str.contains(r"```|[{};]\s*\n|\bdef |\bclass ").cast(pl.Float64).alias("code"),
    ).to_numpy()  # fmt: skip
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), (1 << BITS, MIXED))
    mixed = np.zeros((frame.height, MIXED))
    for at, hit in hits(last["t"]):
        for k in range(MIXED):
            mixed[at, k] = np.bincount(hit.text, signs[hit.bucket, k], len(hit.size)) / np.sqrt(np.maximum(hit.size, 1))
    found = np.column_stack([counted, mixed])
    found = found - found.mean(0)
    spread = np.sqrt((found**2).mean(0))
    return np.asarray(found[:, spread > 1e-9] / spread[spread > 1e-9])

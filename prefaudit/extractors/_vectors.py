"""Differences of two answers' vectors: what `consensus` reads where the scan has an embedder."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.models.base import unpacked

AXES = 128  # directions that are kept


def differences(embedding: pl.Series) -> NDArray[np.float32]:
    """(n, dim) vector of chosen less that of rejected, of the column that `embed` wrote."""
    chosen, rejected = (unpacked(embedding.struct.field(side))[0] for side in ("chosen", "rejected"))
    return np.asarray(chosen - rejected)


def axes(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """(dim, k) the k directions, 128 at most, in which differences are largest, at root mean square 1 on average.

    They are the first eigenvectors of the mean of x x', which turning a pair round leaves as it is: no label is seen.
    All are stretched alike, so that a penalty holds the small ones more. A head then learns k numbers instead of
    the hundreds or thousands of a model.

    Args:
        x: (n, dim) differences, n above 0.
    """
    square = np.asarray(x.T, np.float64) @ x / len(x)
    size, directions = np.linalg.eigh(square)
    largest = np.argsort(-size, kind="stable")[:AXES]
    mean = float(size[largest].mean())
    return np.asarray(directions[:, largest] / np.sqrt(mean if mean > 0 else 1.0))

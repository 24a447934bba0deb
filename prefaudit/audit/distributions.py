"""How long the answers are, how far two of a pair differ in length, and how strong the labels are: histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.audit.columns import Columns
from prefaudit.audit.measure import Measures

BINS = 24
ENDS = (0.01, 0.99)  # quantiles between which the bins lie; what is beyond counts in the outermost

Floats = NDArray[np.float64]


def distributions(measures: Measures, columns: Columns, length: Floats) -> dict[str, Any]:
    """The report's `distributions`; what was not measured is left out.

    Args:
        measures: of the audit.
        columns: of all pairs with both answers.
        length: log-ratio of their lengths.

    Returns:
        `length`: characters of chosen and of rejected answers, in bins of equal width in the logarithm;
        `length_difference`: `length` in doublings, and in each bin the pairs; `strength`: `strength.mean`.
    """
    told: dict[str, Any] = {}
    if "chars" in columns.features and len(length):
        chosen, rejected = (np.asarray(side, np.float64) for side in columns.features["chars"])
        told["length"] = _lengths(chosen, rejected)
        told["length_difference"] = _symmetric(length[~np.isnan(length)] / np.log(2))
    strength = _strength(measures)
    if len(strength):
        told["strength"] = _symmetric(strength)
    return {name: one for name, one in told.items() if one}


def _lengths(chosen: Floats, rejected: Floats) -> dict[str, Any]:
    sides = [side[~np.isnan(side)] for side in (chosen, rejected)]
    both = np.concatenate(sides)
    if not len(both):
        return {}
    low, high = np.quantile(np.log10(np.maximum(both, 1)), ENDS)
    edges = np.linspace(low, max(high, low + 0.1), BINS + 1)
    counts = [_count(np.log10(np.maximum(side, 1)), edges) for side in sides]
    return {"edges": (10**edges).tolist(), "chosen": counts[0], "rejected": counts[1],
            "median": [float(np.median(side)) if len(side) else None for side in sides]}  # fmt: skip


def _symmetric(values: Floats) -> dict[str, Any]:
    """Bins of equal width on both sides of 0, so that one look compares the sides."""
    if not len(values):
        return {}
    far = max(float(np.quantile(np.abs(values), ENDS[1] - ENDS[0])), 1e-3)
    edges = np.linspace(-far, far, BINS + 1)
    edges[BINS // 2] = 0.0
    return {"edges": edges.tolist(), "pairs": _count(values, edges), "median": float(np.median(values)),
            "below": int((values < 0).sum()), "zero": int((values == 0).sum()), "n": len(values)}  # fmt: skip


def _count(values: Floats, edges: Floats) -> list[int]:
    inside = np.clip(values, edges[0], edges[-1])
    return [int(n) for n in np.histogram(inside, edges)[0]]


def _strength(measures: Measures) -> Floats:
    extractor = next((e for e in measures.present if e.name == "strength"), None)
    if extractor is None:
        return np.zeros(0)
    parts = [
        measures.store.read(measures.kind(extractor), number)["strength"].struct.field("mean").cast(pl.Float64)
        for number in range(measures.store.parts())
    ]
    return pl.concat(parts).drop_nulls().to_numpy() if parts else np.zeros(0)

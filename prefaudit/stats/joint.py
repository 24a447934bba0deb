"""Effects with length and the features of all other families held at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.cells import Cells
from prefaudit.stats.intervals import Floats
from prefaudit.stats.logit import sigma
from prefaudit.stats.signs import Levels

PRIOR = 0.5  # precision of a normal prior on every held coefficient: only rare features feel it


def joint_effects(
    cells: Cells, y: Floats, levels: Sequence[Levels], families: Sequence[str], held: Sequence[bool]
) -> Floats:
    """The effect of each feature beside length and the features of the other families.

    Features of one family are not held against each other: they are several measures of one thing. Where a held
    feature is not known it counts as not differing. The fit is by Newton's method on the pairs themselves.

    Args:
        cells: length of the n pairs.
        y: (n,) turned label.
        levels: F features.
        families: F names.
        held: F; whether the feature has an effect of its own to hold and to report (length's family has not).

    Returns:
        F effects; NaN for features not held.
    """
    rows = np.flatnonzero(cells.cell >= 0)
    spline = cells.basis[cells.cell[rows]].astype(np.float32)
    turn = cells.turn[rows]
    out = np.full(len(levels), np.nan)
    columns = {
        k: np.where(v.known[rows], v.values[np.where(v.known[rows], v.level[rows], 0) + len(v.values) // 2], 0) * turn
        for k, v in enumerate(levels)
        if held[k]
    }
    for family in dict.fromkeys(families):
        own = [k for k in columns if families[k] == family]
        others = [columns[k] for k in columns if families[k] != family]
        base = np.column_stack([spline, *others]).astype(np.float32)
        start = np.zeros(base.shape[1])
        if own:
            start = _newton(base, y[rows], start, spline.shape[1])
        for k in own:
            known = levels[k].known[rows]
            x = np.column_stack([base, columns[k]]).astype(np.float32)[known]
            beta = _newton(x, y[rows][known], np.append(start, 0.0), spline.shape[1])
            f = (x[:, :-1] @ beta[:-1].astype(np.float32)).astype(np.float64)
            out[k] = float((sigma(f + beta[-1]) - sigma(f - beta[-1])).mean())
    return out


def _newton(x: NDArray[np.float32], y: Floats, beta: Floats, free: int, steps: int = 25) -> Floats:
    """Penalised maximum likelihood; the first `free` coefficients bear no prior."""
    prior = np.full(x.shape[1], PRIOR)
    prior[:free] = 1e-6
    for _ in range(steps):
        mean = sigma((x @ beta.astype(np.float32)).astype(np.float64))
        weight = (mean * (1 - mean)).astype(np.float32)
        hessian = (x.T @ (x * weight[:, None])).astype(np.float64) + np.diag(prior)
        gradient = (x.T @ (y - mean).astype(np.float32)).astype(np.float64) - prior * beta
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step * min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-5:
            return beta
    return beta

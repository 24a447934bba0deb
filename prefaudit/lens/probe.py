"""How much of the predictable label a view of the pairs explains: heads on the same folds of groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats
from prefaudit.stats import folds
from prefaudit.stats.baselines import auc, newton
from prefaudit.stats.groups import dense

FOLDS = 5
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)


def held_out(
    views: Mapping[str, Floats], y: NDArray[np.float64], group: NDArray[np.int64], seed: int
) -> dict[str, dict[str, Any]]:
    """AUC of an antisymmetric, tuned L2 logit on each view, on groups not seen in fitting.

    Args:
        views: name to (n, d) differences, odd in the order of the answers, columns on one scale.
        y: (n,) 1 where chosen is preferred, 0 where not; no ties.
        group: (n,) ids.
        seed: of the folds.

    Returns:
        For each view `auc` (each pair taken both ways round) and its `interval`.
    """
    group = dense(group)
    fold, inner = folds(group, FOLDS, seed), folds(group, 2, seed + 1)
    toward = np.where(y > 0.5, 1.0, -1.0)
    out = {}
    for name, x in views.items():
        score = np.empty(len(y))
        for k in range(FOLDS):
            rows = fold != k
            score[~rows] = x[~rows] @ tuned(x[rows], y[rows], inner[rows])
        area, low, high = auc(score * toward, group)
        out[name] = {"auc": area, "interval": [low, high]}
    return out


def tuned(x: Floats, y: NDArray[np.float64], inner: NDArray[np.int8]) -> NDArray[np.float64]:
    """Coefficients at the penalty that predicts each half of the groups best from the other."""
    loss = np.zeros(len(PENALTIES))
    for side in (0, 1):
        rows, held = inner != side, inner == side
        beta = np.zeros(x.shape[1])
        for k in range(len(PENALTIES) - 1, -1, -1):  # from the stiffest, each starting where the last one ended
            beta = newton(x[rows], y[rows], PENALTIES[k], beta)
            loss[k] += np.logaddexp(0, -np.where(y[held] > 0.5, 1, -1) * (x[held] @ beta)).sum()
    return newton(x, y, PENALTIES[int(loss.argmin())])


def scaled(x: Floats, each: bool = True) -> Floats:
    """x in units of the root mean square of each column, or of all of them together."""
    size = np.sqrt((x.astype(np.float64) ** 2).mean(0 if each else None))
    return np.asarray(x / np.where(size > 0, size, 1), np.float32)

"""How much of the predictable label a view of the pairs explains: heads on the same folds of groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats
from prefaudit.stats import folds
from prefaudit.stats.baselines import auc, newton
from prefaudit.stats.groups import dense

FOLDS = 5
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
View = Floats | Callable[[NDArray[np.bool_]], Floats]
FREE = 1e-3  # of length, which is controlled for and not shrunk


def held_out(
    views: Mapping[str, View], base: Floats, y: NDArray[np.float64], group: NDArray[np.int64], seed: int
) -> dict[str, dict[str, Any]]:
    """AUC of an antisymmetric, tuned L2 logit on each view with length, on groups not seen in fitting.

    Args:
        views: name to (n, d) differences, odd in the order of the answers, columns on one scale; d may be 0. Or a
            function of the rows (n,) whose labels may be known, where these shape the view.
        base: (n, b) spline of the length ratio, which every head has, unpenalised.
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
    for name, view in views.items():
        score = np.empty(len(y))
        x = None if callable(view) else np.column_stack([base, view]).astype(np.float32)
        for k in range(FOLDS):
            rows = fold != k
            if callable(view):
                x = np.column_stack([base, view(rows)]).astype(np.float32)
            assert x is not None
            score[~rows] = x[~rows] @ tuned(x[rows], y[rows], inner[rows], base.shape[1])
        area, low, high = auc(score * toward, group)
        out[name] = {"auc": area, "interval": [low, high]}
    return out


def tuned(x: Floats, y: NDArray[np.float64], inner: NDArray[np.int8], free: int = 0) -> NDArray[np.float64]:
    """Coefficients at the penalty that predicts each half of the groups best from the other.

    Args:
        x: (n, d).
        y: (n,) 0 or 1.
        inner: (n,) which half a pair's group is in.
        free: the first so many columns are not shrunk.
    """
    return newton(x, y, penalised(x, y, inner, free))


def penalised(x: Floats, y: NDArray[np.float64], inner: NDArray[np.int8], free: int,
              grid: tuple[float, ...] = PENALTIES) -> NDArray[np.float64]:  # fmt: skip
    """(d,) penalties of `tuned`, from the grid (ascending)."""
    penalties = np.repeat(np.array(grid)[:, None], x.shape[1], axis=1)
    penalties[:, :free] = FREE
    loss = np.zeros(len(grid))
    for side in (0, 1):
        rows, held = inner != side, inner == side
        beta = np.zeros(x.shape[1])
        for k in range(len(grid) - 1, -1, -1):  # from the stiffest, each starting where the last one ended
            beta = newton(x[rows], y[rows], penalties[k], beta)
            loss[k] += np.logaddexp(0, -np.where(y[held] > 0.5, 1, -1) * (x[held] @ beta)).sum()
    return np.asarray(penalties[int(loss.argmin())])


def scaled(x: Floats) -> Floats:
    """x in units of the root mean square over all columns: what differs much may weigh much."""
    size = float(np.sqrt((x.astype(np.float64) ** 2).mean())) if x.size else 0.0
    return np.asarray(x / np.float32(size) if size > 0 else x, np.float32)

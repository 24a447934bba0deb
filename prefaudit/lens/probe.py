"""How much of the predictable label a view of the pairs explains: heads on the same folds of groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats, Sae
from prefaudit.stats import folds
from prefaudit.stats.baselines import auc, newton, spline
from prefaudit.stats.groups import dense

FOLDS = 5
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
SHARE = 0.5  # of a gain that goes by what a feature says of the choice; the rest is the same for all


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


def gains(lens: Sae, x: Floats, y: NDArray[np.float64], length: NDArray[np.float64], group: NDArray[np.int64],
          seed: int) -> Floats:  # fmt: skip
    """(M,) how much rather each feature is active for what it says of the choice, 1 on average.

    A tuned logit on all M values before the largest are kept, with length: the size of a coefficient for a value of
    root mean square 1. These M numbers are all that a lens has of the labels; exchanging all labels leaves them as
    they are, so no feature is pushed one way.

    Args:
        lens: of the directions.
        x: (n, d) differences.
        y: (n,) 1 where chosen is preferred, 1/2 for ties, which are left out.
        length: (n,) log-ratios of lengths; NaN counts as 0.
        group: (n,) ids.
        seed: of the halves on which the penalty is tuned.
    """
    sure = y != 0.5
    if not sure.any():
        return np.ones(lens.features, np.float32)
    base = spline(np.nan_to_num(length[sure]))
    values = scaled(np.asarray(x[sure] @ lens.encoder, np.float32))
    told = np.abs(tuned(np.column_stack([base, values]), y[sure], folds(dense(group[sure]), 2, seed)))[base.shape[1] :]
    size = told.mean()
    return np.asarray(1 - SHARE + SHARE * told / size if size > 0 else np.ones(len(told)), np.float32)


def least(z: Floats) -> Floats:
    """(M,) the size from which a feature counts as present: half the .9 quantile of the pairs in which it is active.

    K features are active in every pair, also where little of them is there; what is small says little of its meaning
    and draws the effect to 0. No label is looked at.

    Args:
        z: (n, M) activations.
    """
    size = np.abs(z)
    told = [np.quantile(column[column > 0], 0.9) / 2 if column.any() else 0.0 for column in size.T]
    return np.asarray(told, np.float32)


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

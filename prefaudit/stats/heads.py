"""Cross-fitted Bradley-Terry heads: how far the rest of a dataset predicts each label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.baselines import newton
from prefaudit.stats.groups import Ints, folds
from prefaudit.stats.intervals import Floats

FOLDS, INNER = 5, 3
PENALTIES = (3.0, 30.0, 300.0, 3000.0)  # of a dense view, on columns of root mean square 1
SPARSE = (0.3, 1.0, 3.0)  # of a sparse view, on rows of unit length
STEADY = 1.0  # of the weights of the views: they start from nothing
EQUAL = 300.0  # of what the weights of the views differ by: as 1,200 pairs that say that all are worth the same
ENOUGH = 40  # groups below which nothing is fitted

View = Any
"""n rows of differences, chosen minus rejected: a float32 array (n, d), or a scipy csr array."""


@dataclass(frozen=True)
class Heads:
    """The heads of one fold: for each view its coefficients, and what the view is worth."""

    coefficients: dict[str, Floats]
    weights: dict[str, float]

    def score(self, views: Mapping[str, View]) -> Floats:
        """Log-odds for the first answer, of the views' rows."""
        some = [w * (views[name] @ self.coefficients[name]) for name, w in self.weights.items() if w]
        rows = next(iter(views.values())).shape[0]
        return np.asarray(sum(some) if some else np.zeros(rows), np.float64)


def cross_fit(views: Mapping[str, View], y: Floats, fold: NDArray[np.integer], group: Ints, seed: int) -> list[Heads]:
    """Heads for every fold, fitted on the rows of all others.

    A head is an L2 logit without intercept on the differences (Bradley and Terry 1952), so turning a pair round
    negates its score. Its penalty, and the weight of each view, are chosen on inner folds of whole groups of the
    training rows: the weights are a second logit, of no negative weights, on the scores the views give to rows they
    did not see (stacking, Wolpert 1992; Breiman 1996), drawn towards equal weights, since a thousand rows with faint
    labels cannot tell what each view is worth. In many rows a view that is worth nothing gets nothing, and the scale
    of the sum is that which the held-out rows support.

    Args:
        views: name to n rows.
        y: n values, 1 where the first answer is preferred, 0 where the second, 1/2 for a tie.
        fold: n numbers 0..k-1 that keep every group whole.
        group: n ids.
        seed: of the inner folds.

    Returns:
        The heads of folds 0..k-1; none where fewer than 40 groups would train one.
    """
    found = []
    for k in range(int(fold.max(initial=-1)) + 1):
        train = np.flatnonzero(fold != k)
        if len(np.unique(group[train])) < ENOUGH:
            return []
        found.append(_fit({name: v[train] for name, v in views.items()}, y[train], group[train], seed + k))
    return found


def _fit(views: Mapping[str, View], y: Floats, group: Ints, seed: int) -> Heads:
    inner = folds(np.unique(group, return_inverse=True)[1], INNER, seed)
    names, held = list(views), []
    coefficients = {}
    for name in names:
        scores, penalty = _held_out(views[name], y, inner)
        held.append(scores)
        coefficients[name] = _solve(views[name], y, penalty)
    return Heads(coefficients, dict(zip(names, _stacked(np.column_stack(held), y), strict=True)))


def _held_out(x: View, y: Floats, inner: NDArray[np.int8]) -> tuple[Floats, float]:
    """The scores of each inner fold by a head of the others, at the penalty whose scores tell most."""
    grid = SPARSE if not isinstance(x, np.ndarray) else PENALTIES if x.shape[1] > 4 else PENALTIES[:1]
    scores = np.zeros((len(grid), len(y)))
    for k in range(INNER):
        train, test = np.flatnonzero(inner != k), np.flatnonzero(inner == k)
        start: Floats | None = None
        for at in range(len(grid) - 1, -1, -1):  # from the stiffest, each starting where the last one ended
            start = _solve(x[train], y[train], grid[at], start)
            scores[at, test] = x[test] @ start
    loss = [_loss(s * _scale(s, y), y) for s in scores]
    best = int(np.argmin(loss))
    return scores[best], grid[best]


def _loss(score: Floats, y: Floats) -> float:
    return float((np.logaddexp(0, score) - y * score).mean())


def _scale(score: Floats, y: Floats) -> float:
    """The factor at which a score says most of y, so that penalties are compared by order and not by size."""
    return float(_stacked(score[:, None], y)[0])


def _stacked(scores: Floats, y: Floats) -> Floats:
    """Weights >= 0 of the columns by penalised likelihood."""
    from scipy.optimize import minimize

    size = np.maximum(np.sqrt((scores**2).mean(0)), 1e-12)
    z = scores / size

    def value(w: Floats) -> tuple[float, Floats]:
        s = z @ w
        rest = 0.5 * (1 + np.tanh(0.5 * s)) - y
        apart = w - w.mean()
        penalty = 0.5 * (STEADY * (w @ w) + EQUAL * (apart @ apart))
        return float((np.logaddexp(0, s) - y * s).sum() + penalty), z.T @ rest + STEADY * w + EQUAL * apart

    start = np.full(z.shape[1], 0.1)
    told = minimize(value, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    return np.asarray(told.x / size)


def _solve(x: View, y: Floats, penalty: float, start: Floats | None = None) -> Floats:
    if isinstance(x, np.ndarray):
        return newton(x, y, penalty, start)
    from scipy.optimize import minimize

    turned = x.T.tocsr()

    def value(beta: Floats) -> tuple[float, Floats]:
        s = np.asarray(x @ beta, np.float64)
        rest = 0.5 * (1 + np.tanh(0.5 * s)) - y
        loss = (np.logaddexp(0, s) - y * s).sum() + 0.5 * penalty * (beta @ beta)
        return float(loss), np.asarray(turned @ rest, np.float64) + penalty * beta

    begin = np.zeros(x.shape[1]) if start is None else start
    found = minimize(value, begin, jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-6, "gtol": 1e-3})
    return np.asarray(found.x)

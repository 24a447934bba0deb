"""Cross-fitted Bradley-Terry heads: how far the rest of a dataset predicts each label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.baselines import newton
from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats

FOLDS = 5
PENALTIES = (3.0, 30.0, 300.0, 3000.0)  # of a dense view, on columns of root mean square 1
SPARSE = (0.3, 1.0, 3.0)  # of a sparse view, on rows of unit length
STEADY = 1.0  # of the weights of the views: they start from nothing
APART = 0.5  # by which share of their mean the weights of the views differ, as far as is known before
NEAR = 0.01  # gradient, as a share of that at nothing, at which a head is fitted: scores correlate .9998 with the limit
ENOUGH = 40  # groups below which nothing is fitted

View = Any
"""n rows of differences, chosen minus rejected: a float32 array (n, d), or a scipy csr array of float32."""


@dataclass(frozen=True)
class Heads:
    """The heads of one fold: for each view its coefficients, and what the view is worth.

    `held`, (n, views), are scores of the rows of the other folds by heads that saw neither fold; 0 in its own.
    """

    coefficients: dict[str, Floats]
    weights: dict[str, float]
    held: Floats | None = None

    def score(self, views: Mapping[str, View]) -> Floats:
        """Log-odds for the first answer, of the views' rows."""
        some = [w * scored(views[name], self.coefficients[name]) for name, w in self.weights.items() if w]
        rows = next(iter(views.values())).shape[0]
        return np.asarray(sum(some) if some else np.zeros(rows), np.float64)


def cross_fit(views: Mapping[str, View], y: Floats, fold: NDArray[np.integer], group: Ints) -> list[Heads]:
    """Heads for every fold, fitted on the rows of all others.

    A head is an L2 logit without intercept on the differences (Bradley and Terry 1952), so turning a pair round
    negates its score. Its penalty, and the weight of each view, are chosen on the training rows alone: for every two
    folds a head is fitted that saw neither, and it scores both. So the rows of fold j have, for the heads of fold k,
    scores that saw neither j nor k. The weights are a second logit, of no negative weights, on these scores (stacking,
    Wolpert 1992; Breiman 1996), drawn towards equal weights: they are taken to differ by about half of the one weight
    that suits all views alike. Where labels are faint that weight is small, and so is what a thousand rows are allowed
    to say of each view; where they are plain a view that is worth nothing gets nothing. The scale of the sum is that
    which the held-out rows support.

    Args:
        views: name to n rows.
        y: n values, 1 where the first answer is preferred, 0 where the second, 1/2 for a tie.
        fold: n numbers 0..k-1, three or more, that keep every group whole.
        group: n ids.

    Returns:
        The heads of folds 0..k-1; none where fewer than 40 groups would train one.
    """
    folds = int(fold.max(initial=-1)) + 1
    rows = [np.flatnonzero(fold == k) for k in range(folds)]
    if folds < 3 or any(len(np.unique(group[fold != k])) < ENOUGH for k in range(folds)):
        return []
    coefficients: list[dict[str, Floats]] = [{} for _ in rows]
    held: list[list[Floats]] = [[] for _ in rows]
    for name, x in views.items():
        for k, (beta, score) in enumerate(_one(x, y, rows)):
            coefficients[k][name] = beta
            held[k].append(score)
    made = []
    for k in range(folds):
        train = np.flatnonzero(fold != k)
        scores = np.column_stack(held[k])
        weights = _stacked(scores[train], y[train])
        made.append(Heads(coefficients[k], dict(zip(views, weights, strict=True)), scores))
    return made


def _one(x: View, y: Floats, rows: list[Ints]) -> list[tuple[Floats, Floats]]:
    """Of one view, for each fold: its head, and scores (n,) of the other folds by heads that saw neither."""
    grid = SPARSE if not isinstance(x, np.ndarray) else PENALTIES if x.shape[1] > 4 else PENALTIES[:1]
    n, folds = len(y), len(rows)
    scores = np.zeros((folds, len(grid), n))
    heads: dict[tuple[int, int], Floats] = {}
    for a, b in combinations(range(folds), 2):
        train = np.concatenate([rows[k] for k in range(folds) if k not in (a, b)])
        inside, beta = _Logit(x[train], y[train]), None
        for at in range(len(grid) - 1, -1, -1):  # from the stiffest, each starting where the last one ended
            beta = inside.solve(grid[at], beta)
            for one, other in ((a, b), (b, a)):
                scores[one, at, rows[other]] = scored(x[rows[other]], beta)
                heads[one, at] = heads.get((one, at), 0.0) + beta / (folds - 1)
    found = []
    for k in range(folds):
        train = np.concatenate([rows[j] for j in range(folds) if j != k])
        loss = [_loss(s * _scale(s, y[train]), y[train]) for s in scores[k][:, train]]
        best = int(np.argmin(loss))
        beta = _Logit(x[train], y[train]).solve(grid[best], heads[k, best])
        found.append((beta, scores[k, best]))
    return found


def scored(x: View, beta: Floats) -> Floats:
    """(n,) scores of rows by a head's coefficients."""
    # scipy copies a matrix of another precision; BLAS rounds a row by how many stand beside it, which 64 bits hide
    return np.asarray(x @ (beta if isinstance(x, np.ndarray) else beta.astype(np.float32)), np.float64)


def _loss(score: Floats, y: Floats) -> float:
    return float((np.logaddexp(0, score) - y * score).mean())


def _scale(score: Floats, y: Floats) -> float:
    """The factor at which a score says most of y, so that penalties are compared by order and not by size."""
    size = max(float(np.sqrt((score**2).mean())), 1e-12)
    return float(_penalised(score[:, None] / size, y, 0.0)[0] / size)


def _stacked(scores: Floats, y: Floats) -> Floats:
    """Weights >= 0 of the columns, drawn towards equal ones."""
    size = np.maximum(np.sqrt((scores**2).mean(0)), 1e-12)
    z = scores / size
    alike = float(_penalised(z.sum(1, keepdims=True), y, 0.0)[0])
    return np.asarray(_penalised(z, y, 1 / (APART * max(alike, 1e-3)) ** 2) / size)


def _penalised(z: Floats, y: Floats, equal: float) -> Floats:
    """Weights >= 0 by likelihood, less STEADY / 2 of their squares and equal / 2 of those of their differences."""
    from scipy.optimize import minimize

    def value(w: Floats) -> tuple[float, Floats]:
        s = z @ w
        rest = 0.5 * (1 + np.tanh(0.5 * s)) - y
        apart = w - w.mean()
        penalty = 0.5 * (STEADY * (w @ w) + equal * (apart @ apart))
        return float((np.logaddexp(0, s) - y * s).sum() + penalty), z.T @ rest + STEADY * w + equal * apart

    start = np.full(z.shape[1], 0.1)
    told = minimize(value, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    return np.asarray(told.x)


class _Logit:
    """The L2 logit without intercept of some rows, at several penalties."""

    def __init__(self, x: View, y: Floats) -> None:
        self.x, self.y = x, y
        self.turned = None if isinstance(x, np.ndarray) else x.T.tocsr()

    def solve(self, penalty: float, start: Floats | None = None) -> Floats:
        """The coefficients."""
        return newton(self.x, self.y, penalty, start) if self.turned is None else self._sparse(penalty, start)

    def _sparse(self, penalty: float, start: Floats | None) -> Floats:
        """Newton's steps, each solved by conjugate gradients as far as it pays (Dembo and Steihaug 1983)."""
        beta = np.zeros(self.x.shape[1]) if start is None else start
        score = scored(self.x, beta)
        enough = NEAR * float(np.linalg.norm(scored(self.turned, 0.5 - self.y)))
        for _ in range(20):
            mean = 0.5 * (1 + np.tanh(0.5 * score))
            gradient = scored(self.turned, mean - self.y) + penalty * beta
            size = float(np.linalg.norm(gradient))
            if size <= enough:
                break
            step = self._step(gradient, mean * (1 - mean), penalty, max(min(0.1, size / 10), enough / size / 2))
            moved = scored(self.x, step)
            loss, slope = self._loss(score, beta, penalty), float(gradient @ step)
            share = 1.0
            while share > 1e-3 and (self._loss(score + share * moved, beta + share * step, penalty) >
                                    loss + 1e-4 * share * slope):  # fmt: skip
                share /= 2
            beta, score = beta + share * step, score + share * moved
        return beta

    def _loss(self, score: Floats, beta: Floats, penalty: float) -> float:
        return float((np.logaddexp(0, score) - self.y * score).sum() + 0.5 * penalty * (beta @ beta))

    def _step(self, gradient: Floats, weight: Floats, penalty: float, within: float) -> Floats:
        """The step of a curvature of `weight` a row, to a residual that is this share of the gradient."""
        step, rest = np.zeros(len(gradient)), -gradient
        way, size = rest, float(rest @ rest)
        until = within**2 * size
        for _ in range(30):
            curved = scored(self.turned, weight * scored(self.x, way)) + penalty * way
            pace = size / float(way @ curved)
            step, rest = step + pace * way, rest - pace * curved
            now = float(rest @ rest)
            if now <= until:
                break
            way, size = rest + (now / size) * way, now
        return step

"""The weighted vote with one rule more at each step: which rule comes next, and the weights of those that are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats, quantile

Matrix = NDArray[np.float32]

CHANCE = 0.2  # that some rule is added in data where none says anything
LOOKED_AT = 8  # candidates a step whose error is worked out group by group
RIDGE = 1.0  # as one pair that says that a weight is 0: keeps weights finite where a rule is always followed
SHARE = 0.06  # of what a list explains that its last rule has to explain
STEPS = 50


@dataclass(frozen=True)
class Step:
    """A list of rules: columns and weights in log-odds, in the order they came in. Negative: the reverse is a rule.

    `explained`: twice the log-likelihood over that of chance, of the rows it was made on.
    """

    columns: tuple[int, ...]
    weights: tuple[float, ...]
    explained: float = 0.0

    def score(self, x: Matrix) -> Floats:
        """Log-odds for the first answer in n rows of votes."""
        if not self.columns:
            return np.zeros(len(x))
        return np.asarray(x[:, list(self.columns)] @ np.array(self.weights), np.float64)


def path(x: Matrix, y: Floats, group: Ints, at_most: int, among: Sequence[int] | None = None) -> list[Step]:
    """Lists of 0, 1, 2 ... rules, each with one rule more than the one before.

    The model is a logit without intercept on votes, so it is odd in the order of the answers. The next rule is that
    with the largest score statistic given those that are in (Rao 1948): what it says beyond them, so that a rule which
    only overlaps with another does not count twice. It comes in only where that is beyond chance among all candidates,
    the k-th rule at k times the level of the first (false discoveries after Benjamini and Hochberg 1995; sums by group,
    Student's t), and where its weight has the direction of its own agreement: a rule that is right only as a correction
    of another cannot be read.

    Args:
        x: (n, p) votes, 0 for silent and unjudged ones.
        y: n values in 0..1, 1 where the first answer is preferred.
        group: n dense ids.
        at_most: rules.
        among: columns that may come in; all where None.

    Returns:
        Steps with 0, 1, ... rules, at most `at_most`; fewer where no further rule is beyond chance.
    """
    p = x.shape[1]
    squares = x * x
    open_ = np.zeros(p, bool)
    open_[list(range(p) if among is None else among)] = True
    open_ &= squares.sum(0) > 0
    candidates, others = max(int(open_.sum()), 1), float(group.max(initial=1))
    marginal = np.sign(x.T @ (y - 0.5).astype(np.float32))
    steps = [Step((), ())]
    for _ in range(at_most):
        last = steps[-1]
        limit = quantile(1 - min(0.5, CHANCE * len(steps) / candidates), others) ** 2
        new = _next(x, squares, y, group, last, open_, marginal, limit)
        if new is None:
            break
        columns = (*last.columns, new)
        weights = logit(x[:, list(columns)], y, np.array([*last.weights, 0.0]))
        kept = [k for k, c in enumerate(columns) if weights[k] * marginal[c] > 0]
        if len(kept) < len(columns):
            open_[new] = False  # it turns another rule round: it comes in for none
            continue
        steps.append(Step(columns, tuple(weights.tolist()), explained(x[:, list(columns)] @ weights, y)))
        open_[new] = False
    return steps


def worthy(steps: Sequence[Step]) -> int:
    """How many rules there are before the first that explains less than SHARE of what the list with it explains.

    A principle whose votes have errors leaves something for its noisy likenesses to say, more surely the more pairs
    there are: the size of what they add tells them from rules of their own, its significance does not.
    """
    for k in range(1, len(steps)):
        if steps[k].explained - steps[k - 1].explained < SHARE * steps[k].explained:
            return k - 1
    return len(steps) - 1


def explained(score: Floats, y: Floats) -> float:
    """Twice the log-likelihood of labels given log-odds, over that of even odds."""
    return float(2 * (len(y) * np.log(2) + (y * score - np.logaddexp(0, score)).sum()))


def _next(x: Matrix, squares: Matrix, y: Floats, group: Ints, last: Step, open_: NDArray[np.bool_],
          marginal: NDArray[np.float32], limit: float) -> int | None:  # fmt: skip
    mean = 0.5 * (1 + np.tanh(0.5 * last.score(x)))
    rest, weight = (y - mean).astype(np.float32), (mean * (1 - mean)).astype(np.float32)
    gradient = (x.T @ rest).astype(np.float64)
    information = (squares.T @ weight).astype(np.float64)
    inside = x[:, list(last.columns)]
    lean: Floats = np.zeros((0, x.shape[1]))
    if last.columns:
        weighted = inside * weight[:, None]
        cross = (weighted.T @ x).astype(np.float64)
        own = (weighted.T @ inside).astype(np.float64) + RIDGE * np.eye(len(last.columns))
        lean = np.asarray(np.linalg.solve(own, cross), np.float64)
        information = information - (cross * lean).sum(0)
    good = open_ & (information > 1e-6) & (gradient * marginal > 0)
    gain = np.where(good, gradient**2 / np.maximum(information, 1e-6), 0.0)
    share = np.bincount(group) / len(group)
    for column in np.argsort(-gain, kind="stable")[:LOOKED_AT].tolist():
        if gain[column] <= 0:
            return None
        beyond = x[:, column] - (inside @ lean[:, column].astype(np.float32) if last.columns else 0)
        sums = np.bincount(group, beyond * rest)
        apart = sums - sums.sum() * share
        if sums.sum() ** 2 > limit * max(float(apart @ apart), 1e-12):
            return int(column)
    return None


def logit(x: Matrix, y: Floats, start: Floats | None = None, toward: Floats | None = None,
          penalty: float = RIDGE) -> Floats:  # fmt: skip
    """Weights of the vote by penalised likelihood (Newton's method).

    Args:
        x: (n, k) votes.
        y: n values in 0..1.
        start: where to begin.
        toward: what the penalty draws the weights to; 0 where None.
        penalty: of half the squared distance.
    """
    beta = np.zeros(x.shape[1]) if start is None else start.astype(np.float64).copy()
    aim = np.zeros(x.shape[1]) if toward is None else toward
    patterns, at = np.unique(x, axis=0, return_inverse=True) if len(x) > 5_000 else (x, np.arange(len(x)))
    count = np.bincount(at.reshape(-1), minlength=len(patterns)).astype(np.float64)
    total = np.bincount(at.reshape(-1), y, len(patterns))
    z = patterns.astype(np.float64)
    for _ in range(STEPS):
        mean = 0.5 * (1 + np.tanh(0.5 * (z @ beta)))
        gradient = z.T @ (total - count * mean) - penalty * (beta - aim)
        hessian = (z * (count * mean * (1 - mean))[:, None]).T @ z + penalty * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return beta


def agreed(score: Floats, y: Floats) -> Floats:
    """1 where a score is on the side of the label, 0 on the other, one half where either says nothing."""
    return np.asarray(0.5 + 0.5 * np.sign(np.round(score, 9)) * np.sign(y - 0.5), np.float64)

"""The weights of the rules of a vote."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.intervals import Floats

Matrix = NDArray[np.float32]

RIDGE = 1.0  # as one pair that says that a weight is 0: keeps weights finite where a rule is always followed
STEPS = 50
FIRM = 100.0  # the most that weights are drawn to one size by; 4 pairs at even odds are 1


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


def alike(x: Matrix, y: Floats) -> Floats:
    """Weights of the vote, drawn to one size unless they surely differ.

    Their sizes are taken for draws of a normal variable, whose mean and variance the weights and their errors tell
    (empirical Bayes: Efron and Morris 1975, by moments). Of few pairs, where weights differ by chance, rules so count
    about alike, which foresees more than weights that are mostly noise (Dawes 1979); of many each has its own.

    Args:
        x: (n, k) votes.
        y: n values in 0..1.
    """
    own = logit(x, y)
    if len(own) < 2:
        return own
    mean = 0.5 * (1 + np.tanh(0.5 * (x @ own)))
    information = (x * (mean * (1 - mean))[:, None]).T @ x + RIDGE * np.eye(len(own))
    error = np.diag(np.linalg.inv(information))
    size = np.abs(own)
    between = max(float(size.var(ddof=1) - error.mean()), 0.0)
    centre = np.average(size, weights=1 / (between + error))
    return logit(x, y, own, np.sign(own) * centre, 1 / max(between, 1 / FIRM))

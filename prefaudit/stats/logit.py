"""The antisymmetric logit of many features at once, from tables of counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sigma(x: Floats) -> Floats:
    """The logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@dataclass(frozen=True)
class Fit:
    """F fitted models over C codes with p coefficients, the last that of the feature."""

    design: Floats  # (F, C, p)
    mean: Floats  # (F, C) fitted probability that the first answer of the turned pair is preferred
    weight: Floats  # (F, C) mean * (1 - mean)
    hessian: Floats  # (F, p, p)
    delta: Floats  # (F,) mean effect
    slope: Floats  # (F, p) derivative of delta by the coefficients
    converged: NDArray[np.bool_]

    def influence(self) -> Floats:
        """(F, C): what one unit of residual in a code adds to delta."""
        direction = np.linalg.solve(self.hessian, self.slope[..., None])
        return np.asarray((self.design @ direction)[..., 0])


def fit(design: Floats, count: Floats, total: Floats, prior: Floats, steps: int = 40) -> Fit:
    """Maximum likelihood by Newton's method for every feature.

    Model: logit P = x @ (theta, b), without intercept, x odd in the order of the two answers. y of 1/2 enters the
    likelihood as half a win and half a loss.

    Args:
        design: (F, C, p), the last column the level of the feature.
        count: (F, C) pairs in each code.
        total: (F, C) sums of y there.
        prior: (F,) weight of one imagined tie with level 1 and equal lengths: 0, or 1 where nearly all pairs go one
            way and the maximum would lie at infinity.
        steps: at most so many iterations.

    Returns:
        The fit; a feature that does not converge says so.
    """
    features, _, p = design.shape
    beta = np.zeros((features, p))
    done = np.zeros(features, bool)
    jitter = 1e-9 * (1 + count.sum(1))[:, None, None] * np.eye(p)
    for _ in range(steps):
        mean, weight, hessian = _curvature(design, count, beta, prior)
        gradient = np.einsum("fcp,fc->fp", design, total - count * mean)
        gradient[:, -1] += prior * (0.5 - sigma(beta[:, -1]))
        step = np.linalg.solve(hessian + jitter, gradient[..., None])[..., 0]
        reach = np.abs(np.einsum("fcp,fp->fc", design, step) * (count > 0)).max(1)
        done = reach < 1e-8
        if done.all():
            break
        beta += step * np.minimum(1.0, 3.0 / np.maximum(reach, 1e-300))[:, None]
    mean, weight, hessian = _curvature(design, count, beta, prior)
    delta, slope = _effect(design, count, beta)
    return Fit(design, mean, weight, hessian + jitter, delta, slope, done)


def _curvature(design: Floats, count: Floats, beta: Floats, prior: Floats) -> tuple[Floats, Floats, Floats]:
    mean = sigma((design @ beta[..., None])[..., 0])
    weight = mean * (1 - mean)
    hessian = design.transpose(0, 2, 1) @ (design * (count * weight)[..., None])
    tie = sigma(beta[:, -1])
    hessian[:, -1, -1] += prior * tie * (1 - tie)
    return mean, weight, hessian


def _effect(design: Floats, count: Floats, beta: Floats) -> tuple[Floats, Floats]:
    """Mean over pairs of sigma(f + b) - sigma(f - b), and its derivative."""
    share = count / np.maximum(count.sum(1, keepdims=True), 1)
    basis = design[..., :-1]
    f = (basis @ beta[:, :-1, None])[..., 0]
    more, less = sigma(f + beta[:, -1:]), sigma(f - beta[:, -1:])
    up, down = more * (1 - more), less * (1 - less)
    by_spline = np.einsum("fc,fcp->fp", share * (up - down), basis)
    by_level = (share * (up + down)).sum(1)
    return (share * (more - less)).sum(1), np.column_stack([by_spline, by_level])

"""What a lens has of the labels: how its encoder leans, and how much rather each feature is active.

Both change which features an encoder keeps and how large they are, neither the rows of the decoder: where a feature is
present, its names and its effects stay those of directions found without a label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.probe import FREE
from prefaudit.lens.sae import Floats, Sae
from prefaudit.stats.baselines import newton, spline

Doubles = NDArray[np.float64]
PENALTIES = tuple(10.0 ** (k / 2) for k in range(-2, 11))  # of the features' values, on columns of root mean square 1
BEYOND = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 100_000.0)  # of what the features leave of the differences
PLAIN = float(np.log(3))  # log Bayes factor from which there is more in the differences (Kass and Raftery 1995)


def labelled(lens: Sae, x: Floats, y: Doubles, length: Doubles) -> tuple[Sae, Floats, Floats]:
    """The lens with what labels say of its features.

    Logits of the labels with length, their penalties chosen by the evidence (MacKay 1992, by Laplace's method): one on
    all M values before the largest are kept, c, and one that also has what is left of each difference beside the
    directions of the encoder, r. Where the second is three times as likely or more, every column k of the encoder leans
    towards r by c_k / |c|^2, so that the sum of c_k times the values is what the logit says of the whole difference.
    Then each feature gets a gain: 1 and the size of its coefficient in the first logit (in units of the mean size), in
    quadrature, 1 on average. By the coefficient alone, the K active features would be those that move the log-odds
    most, but what another half of the data says of small ones is other; the 1 holds these together. Exchanging all
    labels leaves the lens as it is: no feature is pushed one way.

    Args:
        lens: of the directions.
        x: (n, d) differences.
        y: (n,) 1 where chosen is preferred, 0 where not, 1/2 for ties, which are left out.
        length: (n,) log-ratios of lengths; NaN counts as 0.

    Returns:
        The lens, (M,) gains, and (M,) by how many degrees each column of the encoder leans.
    """
    sure = y != 0.5
    if not x[sure].any():
        return lens, np.ones(lens.features, np.float32), np.zeros(lens.features, np.float32)
    some, choice, base = x[sure], y[sure], spline(np.nan_to_num(length[sure]))
    values, own = lens.values(some), np.linalg.qr(lens.encoder)[0]
    rest = np.asarray(some - (some @ own) @ own.T, np.float32)
    sizes = [max(float(np.sqrt((v.astype(np.float64) ** 2).mean())), 1e-12) for v in (values, rest)]
    columns = np.column_stack([base, values / np.float32(sizes[0]), rest / np.float32(sizes[1])]).astype(np.float32)
    edge = base.shape[1] + lens.features
    free = np.full(base.shape[1], FREE)
    told, first, penalty = _likeliest(columns[:, :edge], choice, free, PENALTIES)
    more, whole, _ = _likeliest(columns, choice, np.r_[free, np.full(lens.features, penalty)], BEYOND)
    leaning, lean = lens.encoder, np.zeros(lens.features)
    c = whole[base.shape[1] : edge] / sizes[0]
    beside = sizes[1] > 1e-4 * sizes[0]  # as many features as dimensions leave nothing but rounding
    if beside and more - told > PLAIN and c.any():
        added = np.outer(whole[edge:] / sizes[1], c / (c @ c))
        added -= own @ (own.T @ added)
        leaning = np.asarray(lens.encoder + added, np.float32)
        lean = np.arctan2(np.linalg.norm(added, axis=0), np.linalg.norm(lens.encoder, axis=0))
    told_by = np.abs(first[base.shape[1] :])
    gain = np.sqrt(1 + (told_by / max(told_by.mean(), 1e-12)) ** 2)
    gain = np.asarray(gain / gain.mean(), np.float32)
    return Sae(leaning, lens.decoder, lens.active).weighted(gain), gain, np.asarray(np.degrees(lean), np.float32)


def _likeliest(x: Floats, y: Doubles, known: Doubles, grid: tuple[float, ...]) -> tuple[float, Doubles, float]:
    """Log evidence, coefficients and penalty of the columns that `known` penalties leave, from the grid."""
    beta, best = None, None
    for penalty in reversed(grid):  # from the stiffest, each starting where the last one ended
        penalties = np.r_[known, np.full(x.shape[1] - len(known), penalty)]
        beta = newton(x, y, penalties, beta)
        told = _evidence(x, y, penalties, beta)
        if best is None or told > best[0]:
            best = told, beta, penalty
    assert best is not None
    return best


def _evidence(x: Floats, y: Doubles, penalties: Doubles, beta: Doubles) -> float:
    """Log probability of the labels under normal coefficients, by a normal approximation at their maximum."""
    score = np.asarray(x @ beta.astype(np.float32), np.float64)
    mean = 0.5 * (1 + np.tanh(0.5 * score))
    curved = (x.T @ (x * (mean * (1 - mean)).astype(np.float32)[:, None])).astype(np.float64)
    curved[np.diag_indices_from(curved)] += penalties
    fit = float((y * score - np.logaddexp(0, score)).sum())
    return fit - 0.5 * float(penalties @ beta**2 - np.log(penalties).sum() + np.linalg.slogdet(curved)[1])

"""What a lens has of the labels: how its encoder leans, and how much rather each feature is active.

Both change which features an encoder keeps and how large they are, neither the rows of the decoder: where a feature is
present, its names and its effects stay those of directions found without a label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.probe import FREE, penalised
from prefaudit.lens.sae import Floats, Sae
from prefaudit.lens.train import principal
from prefaudit.stats import folds
from prefaudit.stats.baselines import newton, spline
from prefaudit.stats.groups import dense

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
PENALTIES = tuple(10.0 ** (k / 2) for k in range(-2, 11))  # of the features' values, on columns of root mean square 1
WHOLE = tuple(10.0 ** (k / 2) for k in range(3, 9))  # of the whole difference, the same way
PLAIN = float(np.log(150))  # log Bayes factor from which evidence is very strong (Kass and Raftery 1995)
STIFF = (40.0, 20.0, 10.0)  # pairs that a lean of 0 counts for, to each in which a feature is active
TOLD = 0.9  # of what the logit says: the first of these by which the kept values say as much is taken
ALONG = 0.3  # of these, where it is along the logit
MOST = float(np.tan(np.radians(40)))  # of a lean, to the length of the column
ROUNDS = 2  # what leans is active elsewhere


def labelled(lens: Sae, x: Floats, y: Doubles, length: Doubles, group: Ints) -> tuple[Sae, Floats, Floats]:
    """The lens with what labels say of its features.

    Each feature gets a gain: 1 and the size of its coefficient (in units of the mean size) in a logit of the labels on
    length and all M values before the largest are kept, in quadrature, 1 on average; the penalty is chosen by the
    evidence (MacKay 1992, by Laplace's method). By the coefficient alone, the K active features would be those that
    move the log-odds most, but what another half of the data says of small ones is other; the 1 holds these together.

    Then each column of the encoder leans, so that the values that are kept say more of what a logit of the whole
    difference says. Where f_j are the features that are active in a pair with the difference x and t its log-odds by
    that logit, t is fitted by the sum over them of b_j f_j + c_j u, u being x along the leading directions and along
    the logit's own, each in units of its root mean square: least squares, in which c = 0 counts for so many pairs to
    each in which a feature is active (`ALONG` of these along the logit): 40, or 20, or 10, where the kept values would
    else say less than nine tenths of t. c_j / b_j is how column j leans, by 40 degrees at most. The logit's penalty is
    the one by which each half of the groups is told best from the other. Nothing leans where the evidence for the
    logit, beside length alone, is not very strong.

    Exchanging all labels leaves the lens as it is: no feature is pushed one way.

    Args:
        lens: of the directions.
        x: (n, d) differences.
        y: (n,) 1 where chosen is preferred, 0 where not, 1/2 for ties, which are left out.
        length: (n,) log-ratios of lengths; NaN counts as 0.
        group: (n,) ids of pairs that are not independent.

    Returns:
        The lens, (M,) gains, and (M,) by how many degrees each column of the encoder leans.
    """
    sure = y != 0.5
    gain, lean = np.ones(lens.features, np.float32), np.zeros(lens.features, np.float32)
    if not x[sure].any():
        return lens, gain, lean
    some, choice, base = x[sure], y[sure], spline(np.nan_to_num(length[sure]))
    values = lens.values(some)
    columns = np.column_stack([base, values / _size(values)]).astype(np.float32)
    free = np.full(base.shape[1], FREE)
    told_by = np.abs(_likeliest(columns, choice, free, PENALTIES)[base.shape[1] :])
    raised = np.sqrt(1 + (told_by / max(told_by.mean(), 1e-12)) ** 2)
    gain = np.asarray(raised / raised.mean(), np.float32)
    gained = lens.weighted(gain)
    columns = np.column_stack([base, some / _size(some)]).astype(np.float32)
    inner = folds(dense(group[sure]), 2, 0)
    penalties = penalised(columns, choice, inner, len(free), WHOLE)
    whole = newton(columns, choice, penalties)
    alone = np.asarray(base, np.float32)
    bare = _evidence(alone, choice, free, newton(alone, choice, free))
    if _evidence(columns, choice, penalties, whole) - bare > PLAIN:
        gained, lean = _leaning(gained, some, whole[len(free) :])
    return gained, gain, lean


def _leaning(lens: Sae, x: Floats, whole: Doubles) -> tuple[Sae, Floats]:
    """The lens whose kept values say more of x @ whole, and by how many degrees each column leans for it."""
    turn, _ = principal(x, lens.features)
    axes = np.vstack([turn, whole]).astype(np.float32)
    axes[:-1] /= _size(x @ turn.T)
    axes[-1] /= _size(x @ axes[-1])
    toward, own, target = x @ axes.T, lens.values(x), (x @ axes[-1]).astype(np.float64)
    most = MOST * np.linalg.norm(lens.encoder, axis=0)
    for stiff in STIFF:
        made = lens
        for _ in range(ROUNDS):
            active = made.encode(x) != 0
            b, c = _shares(own, toward, active, target, stiff)
            b = np.where(b < 0, -1, 1) * np.maximum(np.abs(b), 0.5 * _size(b))
            added = axes.T @ (c / b[:, None]).T
            added *= np.minimum(1, most / np.maximum(np.linalg.norm(added, axis=0), 1e-12))
            made = Sae(np.asarray(lens.encoder + added, np.float32), lens.decoder, lens.active)
        if _told(made.encode(x), target) >= TOLD:
            break
    sizes = [np.linalg.norm(matrix, axis=0) for matrix in (added, lens.encoder)]
    return made, np.asarray(np.degrees(np.arctan2(*sizes)), np.float32)


def _told(values: Floats, target: Doubles) -> float:
    """The share of the target's squared size that a sum of the values says."""
    z = values.astype(np.float64)
    rest = target - z @ np.linalg.lstsq(z, target, rcond=None)[0]
    return float(1 - (rest**2).sum() / max((target**2).sum(), 1e-12))


def _shares(
    own: Floats, toward: Floats, active: NDArray[np.bool_], target: Doubles, pairs: float
) -> tuple[Doubles, Doubles]:
    """b (M,) and c (M, r) of `labelled`, by least squares without their normal equations (Fong and Saunders 2011)."""
    from scipy.sparse.linalg import LinearOperator, lsmr

    many, wide = own.shape[1], toward.shape[1]
    kept = np.asarray(own * active, np.float64)
    sizes = np.full(many, 1 / max(_size(kept), 1e-12))
    stiff = np.full(wide, (pairs * active.sum() / many) ** -0.5)
    stiff[-1] /= ALONG**0.5
    along = np.asarray(toward * stiff, np.float64)
    kept *= sizes

    def forward(v: Doubles) -> Doubles:
        return np.asarray(kept @ v[:many] + ((along @ v[many:].reshape(many, wide).T) * active).sum(1))

    def back(r: Doubles) -> Doubles:
        return np.concatenate([kept.T @ r, ((active * r[:, None]).T @ along).reshape(-1)])

    shape = (len(target), many * (1 + wide))
    found = lsmr(LinearOperator(shape, forward, back, dtype=np.float64), target, damp=1.0, atol=1e-8, btol=1e-8)[0]
    return found[:many] * sizes, found[many:].reshape(many, wide) * stiff


def _size(x: Floats | Doubles) -> float:
    """Root mean square."""
    return max(float(np.sqrt((x.astype(np.float64) ** 2).mean())), 1e-12)


def _likeliest(x: Floats, y: Doubles, known: Doubles, grid: tuple[float, ...]) -> Doubles:
    """Coefficients, where the columns that `known` penalties leave have the likeliest one of the grid."""
    beta, best = None, None
    for penalty in reversed(grid):  # from the stiffest, each starting where the last one ended
        penalties = np.r_[known, np.full(x.shape[1] - len(known), penalty)]
        beta = newton(x, y, penalties, beta)
        told = _evidence(x, y, penalties, beta)
        if best is None or told > best[0]:
            best = told, beta
    assert best is not None
    return best[1]


def _evidence(x: Floats, y: Doubles, penalties: Doubles, beta: Doubles) -> float:
    """Log probability of the labels under normal coefficients, by a normal approximation at their maximum."""
    score = np.asarray(x @ beta.astype(np.float32), np.float64)
    mean = 0.5 * (1 + np.tanh(0.5 * score))
    curved = (x.T @ (x * (mean * (1 - mean)).astype(np.float32)[:, None])).astype(np.float64)
    curved[np.diag_indices_from(curved)] += penalties
    fit = float((y * score - np.logaddexp(0, score)).sum())
    return fit - 0.5 * float(penalties @ beta**2 - np.log(penalties).sum() + np.linalg.slogdet(curved)[1])

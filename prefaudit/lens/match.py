"""Which features come back: two lenses matched one to one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats, Sae
from prefaudit.lens.train import Shape, train
from prefaudit.stats import folds

STABLE = 0.5  # |cosine| from which a feature counts as found again; unrelated directions of 384 reach about .15


def matched(one: Floats, other: Floats) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each row of `one` its partner in `other`, and the |cosine| of the two; the sum over pairs is the largest.

    Args:
        one: (M, d) directions.
        other: (at least M, d) directions.
    """
    from scipy.optimize import linear_sum_assignment

    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (one, other))
    near = np.abs(a @ b.T).astype(np.float64)
    _, partner = linear_sum_assignment(-near)
    return partner.astype(np.int64), near[np.arange(len(a)), partner]


def stability(lens: Sae, x: Floats, group: NDArray[np.int64], want: Shape, seed: int,
              anchor: Floats | None = None) -> NDArray[np.float64]:  # fmt: skip
    """(M,) how alike the two features are that two halves of the groups have in a feature's place.

    Each half gets a lens of its own, and both are matched with the whole's one to one: where the two partners of a
    feature point the same way, halves that share no group found the same.

    Args:
        lens: fitted on all of x.
        x: (n, d).
        group: (n,) ids.
        want: the shape of all three.
        seed: of halves and fits.
        anchor: of all three, see `train`.
    """
    half = folds(group, 2, seed) == 0
    if not x[half].any() or not x[~half].any():
        return np.zeros(lens.features)
    ones, others = (train(x[rows], want, seed, anchor).decoder for rows in (half, ~half))
    a, b = ones[matched(lens.decoder, ones)[0]], others[matched(lens.decoder, others)[0]]
    return np.asarray(np.abs((a * b).sum(1)), np.float64)

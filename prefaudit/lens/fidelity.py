"""How well a name tells which of two answers has more of a feature: correlation of votes with activations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats

FLIPS, DRAWS = 19_999, 2_000  # of the test, of the interval
BLOCK = 4_000_000  # signs held in memory
ERROR = 0.05


class Fidelity(NamedTuple):
    """How votes go with a feature.

    Attributes:
        r: correlation through the origin of votes (1, 0, -1) with activations; None without a vote.
        interval: of r, by group; at 95 % for all candidates of the feature together.
        p: one-sided, that votes and the feature's sign have nothing to do with each other.
        n: pairs with a vote.
        agreement: share of the votes for one side that are for the side with more of the feature; None without one.
        silent: pairs in which the vote is for neither.
    """

    r: float | None
    interval: tuple[float, float] | None
    p: float
    n: int
    agreement: float | None
    silent: int


def fidelity(z: Floats, votes: NDArray[np.float64], group: NDArray[np.int64], seed: int) -> list[Fidelity]:
    """Fidelity of each candidate for the name of one feature.

    WIMHF (Movva et al. 2025, section 3.2) correlates signed activations with votes over pairs whose order was drawn by
    lot; the correlation through the origin is what that comes to over all draws, and exchanging the answers of a pair
    changes nothing. p is that of a sign-flip test: where a name says nothing of the feature, turning round all pairs of
    a group is as likely as not. The interval is the percentile bootstrap over groups, at 1 - .05 / c, so that it
    holds for the best of the c candidates, too.

    Args:
        z: (n,) activations, none of them 0.
        votes: (n, c) 1 where the chosen answer has more of it, -1 the rejected one, 0 neither, NaN where there is none.
        group: (n,) ids of related pairs.
        seed: of flips and draws.
    """
    rng = np.random.default_rng(seed)
    of = np.unique(group, return_inverse=True)[1]
    groups = int(of.max()) + 1 if len(of) else 0
    cast = ~np.isnan(votes)
    v, size = np.where(cast, votes, 0.0), z.astype(np.float64)[:, None]
    zv, zz, vv = (_sums(of, x, groups) for x in (size * v, np.where(cast, size, 0.0) ** 2, v**2))
    p = _flipped(zv, rng)
    weights = rng.multinomial(groups, np.full(groups, 1 / groups), DRAWS) if groups else np.zeros((DRAWS, 0))
    again = np.sqrt((weights @ zz) * (weights @ vv))
    drawn = np.where(again > 0, weights @ zv / np.maximum(again, 1e-300), np.nan)
    tail = ERROR / max(votes.shape[1], 1) / 2
    found = []
    for c in range(votes.shape[1]):
        n, silent = int(cast[:, c].sum()), int((cast[:, c] & (v[:, c] == 0)).sum())
        if n == silent:
            found.append(Fidelity(0.0 if n else None, None, 1.0, n, None, silent))
            continue
        low, high = np.nanquantile(drawn[:, c], [tail, 1 - tail]).tolist()
        told = v[:, c] != 0
        agreement = float((np.sign(z[told]) == v[told, c]).mean())
        r = float(zv[:, c].sum() / np.sqrt(zz[:, c].sum() * vv[:, c].sum()))
        found.append(Fidelity(r, (low, high), float(p[c]), n, agreement, silent))
    return found


def _sums(of: NDArray[np.int64], x: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """(groups, c) sums over the pairs of a group."""
    found = np.zeros((groups, x.shape[1]))
    np.add.at(found, of, x)
    return found


def _flipped(zv: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(c,) p: how often the sum over groups is as large when each group's sign is drawn by lot."""
    groups, many = zv.shape
    bar = zv.sum(0) - 1e-9 * np.abs(zv).sum(0)
    reached = np.zeros(many)
    block = max(BLOCK // max(groups, 1), 1)
    for start in range(0, FLIPS, block):
        signs = rng.integers(0, 2, (min(block, FLIPS - start), groups), np.int8).astype(np.float64) * 2 - 1
        reached += (signs @ zv >= bar).sum(0)
    return np.asarray((1 + reached) / (1 + FLIPS))


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values corrected for their number (Holm 1979): under .05 for a true null of any of them in 5 % of studies."""
    order = np.argsort(p, kind="stable")
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(corrected, 1.0)
    return found

"""What outside scorers can say of how many labels are wrong: a bound always, a number only where they earn it."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats, cluster_rate, quantile

TOP, LEAST = 0.1, 100  # share of the pairs, and the fewest, that make the most confident bin
SCORERS = 3  # with two there is nothing left over to test
ENOUGH = 400  # pairs that all scorers judged, below which nothing is shown
APART = 0.1  # correlation of sizes that must be ruled out
SURE = 0.01  # p of the tetrads below which they are refuted


def noise(margins: Floats, group: Ints) -> dict[str, Any]:
    """The share of wrong labels, as far as scorers tell it.

    **Bound.** Where a scorer errs with probability s, a share c = e + s (1 - 2e) of the labels speaks against it, and
    that is at least e while e is under 1/2. s is least where the scorer is surest, so c of the tenth of the pairs with
    the largest mean margin bounds e, if labels are wrong there as often as elsewhere.

    **Point.** Put the label and the scorers' votes as x_0 ... x_m in -1, 0, 1, seen from an order of the two answers
    that is drawn by lot. Where they err independently of each other given the truth, E x_i x_j = b_i b_j with b = 1 -
    2 times the error rate (Dawid and Skene 1979 with two mirrored classes; moments as in Parisi et al. 2014, PNAS 111).
    The logarithms of the m (m + 1) / 2 moments are linear in log b; least squares gives b_0 and so e = (1 - b_0) / 2.

    It is given only where independence is shown. Hard pairs make scorers err together, and that looks like wrong
    labels: E b_1 b_2 > E b_1 E b_2, in all moments alike, so that votes alone do not tell. But given independence the
    size of a margin says nothing of the truth, so that sizes of two scorers are uncorrelated, and so is the size of one
    with whether label and another agree. All these correlations (of ranks) must lie under .1, their intervals
    included, and the moments must fit (Wald's test of what least squares leaves over, p at least .01).

    Args:
        margins: (m, n) in favour of the label, in units of each scorer; NaN is not known.
        group: n ids.

    Returns:
        at_most: null with under 100 pairs, or where the scorers are no better than chance; bin {n, against, rate}:
        null with under 100 pairs; rate, interval, n, accuracy of each scorer, dependence (the largest correlation, its
        interval included): null where declined; declined: why, or empty.
    """
    out: dict[str, Any] = {"at_most": None, "bin": None, "rate": None, "interval": None, "n": 0, "accuracy": None,
                           "dependence": None, "declined": ""}  # fmt: skip
    told = ~np.isnan(margins)
    some = np.flatnonzero(told.any(0))
    if len(some) >= LEAST:
        mean = np.where(told, margins, 0).sum(0)[some] / told.sum(0)[some]
        out |= _bound(mean, group[some])
    if len(margins) < SCORERS:
        one = "one scorer cannot tell a hard pair from a wrong label" if len(margins) == 1 else \
            f"{len(margins)} scorers leave nothing over to test their independence by"  # fmt: skip
        return out | {"declined": one}
    all_ = np.flatnonzero(told.all(0))
    if len(all_) < ENOUGH:
        return out | {"declined": f"all scorers judged {len(all_)} pairs, and {ENOUGH} are needed"}
    return out | _point(margins[:, all_], group[all_])


def _bound(mean: Floats, group: Ints) -> dict[str, Any]:
    top = np.argsort(-np.abs(mean), kind="stable")[: max(LEAST, int(TOP * len(mean)))]
    against = np.where(mean[top] < 0, 1.0, np.where(mean[top] > 0, 0.0, 0.5))
    rate, _, high = cluster_rate(against, group[top], 0.9)  # its upper end alone: 95 %
    bound = high if high < 0.5 else None  # from half on, c no longer bounds e
    return {"at_most": bound, "bin": {"n": len(top), "against": int((against == 1).sum()), "rate": rate}}


def _point(margins: Floats, group: Ints) -> dict[str, Any]:
    votes = np.vstack([np.ones(margins.shape[1]), np.sign(margins)])
    n = margins.shape[1]
    out: dict[str, Any] = {"n": n}
    sizes = np.array([_ranks(np.abs(row)) for row in margins])
    if np.isnan(sizes).any():
        return out | {"declined": "a scorer only votes, and without sizes its independence cannot be shown"}
    least, out["dependence"] = _dependence(votes, sizes, group)
    if least > APART:
        return out | {"declined": "the scorers err together: a hard pair looks like a wrong label to all of them"}
    if not out["dependence"] < APART:
        why = "too few pairs, or scorers that lean together" if least > 0 else "too few pairs"
        return out | {"declined": f"the scorers are not shown to err independently: {n:,} pairs do not rule out a "
                                  f"correlation of {APART:g} ({why})"}  # fmt: skip
    pairs = list(combinations(range(len(votes)), 2))
    products = np.array([votes[i] * votes[j] for i, j in pairs])
    moments = products.mean(1)
    error = np.sqrt(np.diag(_covariance(products - moments[:, None], group)))
    if (moments < 3 * error).any():
        return out | {"declined": "a scorer and the label, or two scorers, agree no more than by chance"}
    design = np.zeros((len(pairs), len(votes)))
    for k, (i, j) in enumerate(pairs):
        design[k, [i, j]] = 1
    solve = np.linalg.pinv(design)
    logs = np.log(moments)
    influence = (products - moments[:, None]) / moments[:, None]
    over = np.linalg.svd(design)[0][:, len(votes) :]  # what no b explains
    left = over.T @ logs
    if _wald(left, _covariance(over.T @ influence, group)) < SURE:
        return out | {"declined": "the scorers' agreements do not fit independent errors"}
    b = np.exp(solve @ logs)
    half = quantile(0.95, np.inf) * b[0] * np.sqrt(_covariance((solve @ influence)[:1], group)[0, 0])
    rate = float((1 - b[0]) / 2)
    return out | {"rate": max(rate, 0.0), "interval": [max(float(rate - half / 2), 0.0), float(rate + half / 2)],
                  "accuracy": ((1 + b[1:]) / 2).tolist()}  # fmt: skip


def _ranks(size: Floats) -> Floats:
    """Ranks at mean 0 and variance 1; NaN where all are equal."""
    _, inverse, counts = np.unique(size, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - counts / 2)[inverse]
    rank = rank - rank.mean()
    spread = np.sqrt((rank**2).mean())
    return np.asarray(rank / spread if spread > 0 else np.full(len(rank), np.nan))


def _dependence(votes: Floats, sizes: Floats, group: Ints) -> tuple[float, float]:
    """The largest correlation of two sizes, or of a size with the agreement of label and another: the ends of the
    interval of its size, the lower one with a share of the error for each correlation that was looked at."""
    found = [sizes[i] * sizes[j] for i, j in combinations(range(len(sizes)), 2)]
    for i, vote in enumerate(votes[1:]):
        found += [_ranks(vote) * sizes[j] for j in range(len(sizes)) if j != i and len(np.unique(vote)) > 1]
    products = np.array(found)
    mean = products.mean(1)
    error = np.sqrt(np.diag(_covariance(products - mean[:, None], group)))
    low = np.abs(mean) - quantile(1 - 0.05 / len(found), np.inf) * error
    return float(low.max()), float((np.abs(mean) + quantile(0.9, np.inf) * error).max())


def _covariance(influence: Floats, group: Ints) -> NDArray[np.float64]:
    """Of the means of rows of deviations (k, n), groups kept together; CR2's correction."""
    n = influence.shape[1]
    sizes = np.bincount(group)
    sums = np.array([np.bincount(group, row) for row in influence]) / n
    sums = sums / np.sqrt(np.maximum(1 - sizes / n, 1e-6))
    return np.asarray(sums @ sums.T)


def _wald(left: Floats, covariance: NDArray[np.float64]) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(len(left), left @ np.linalg.solve(covariance, left)))


def log_odds(told: dict[str, Any], votes: Floats) -> Floats:
    """Log-odds that the label is right, given the votes of the scorers of `noise`, where it gave a point.

    Args:
        told: what `noise` returned, with a rate.
        votes: (m, n) signs of the margins; NaN and 0 say nothing.
    """
    rate = min(max(told["rate"], 1e-6), 1 - 1e-6)
    return np.asarray(np.log((1 - rate) / rate) + evidence(told, votes))


def evidence(told: dict[str, Any], votes: Floats) -> Floats:
    """The votes' log-likelihood ratio that the label is right: `log_odds` without the rate of wrong labels."""
    accuracy = np.clip(np.array(told["accuracy"]), 0.5, 1 - 1e-6)
    return np.asarray(np.log(accuracy / (1 - accuracy)) @ np.nan_to_num(votes))

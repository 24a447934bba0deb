"""Whether the answer presented first wins as often as a fair coin would have it."""

from __future__ import annotations

from typing import Any

import numpy as np

from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats, cluster_rate


def position(wins: Floats, group: Ints) -> dict[str, Any]:
    """Share of first wins, its interval, and the Bayes factor of any other coin against the fair one.

    The Bayes factor is that of the beta-binomial model with a uniform prior on the share: B(k + 1, n - k + 1) 2^n with
    k = n p. (Bartos et al. 2023, Fair coins tend to land on the same side they started, ask the same of real coins.)
    Pairs of one group are not independent, so n is the effective number p (1 - p) / V with the variance V by group, and
    never more than there are pairs. Above 0 the logarithm speaks for a bias, below it for the fair coin: 1 is strong
    evidence and 2 decisive by the usual words.

    Args:
        wins: n values: 1 where the first answer won, 0 where the second did, 1/2 for a tie; NaN is not known.
        group: n ids.

    Returns:
        n, groups, rate, interval, effective and log10_bayes; empty where nothing is known.
    """
    from scipy.special import betaln

    known = ~np.isnan(wins)
    if not known.any():
        return {}
    x, g = wins[known], group[known]
    rate, low, high = cluster_rate(x, g)
    sizes = np.bincount(g).astype(np.float64)
    sums = np.bincount(g, x)[sizes > 0]
    sizes = sizes[sizes > 0]
    n = float(sizes.sum())
    kish = n * n / float(sizes @ sizes)
    share = np.minimum(sizes / n, 1 - 1e-9)
    variance = float((((sums - rate * sizes) / n) ** 2 / (1 - share)).sum()) if len(sizes) > 1 else 0.0
    spread = rate * (1 - rate)
    effective = min(n, spread / variance) if variance > 1e-12 * spread / n and spread > 0 else kish
    factor = betaln(rate * effective + 1, (1 - rate) * effective + 1) / np.log(10) + effective * np.log10(2)
    return {
        "n": len(x), "groups": len(sizes), "rate": rate, "interval": [low, high], "effective": effective,
        "log10_bayes": float(factor),
    }  # fmt: skip

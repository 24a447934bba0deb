"""How often each annotator's or source's labels are wrong, by scorers whose errors are known from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats, cluster_rate, quantile

ENOUGH = 50  # pairs of a party below which nothing is told
PRIOR = 5.0  # labels of the average party that each is given
STEPS, CLOSE = 500, 1e-6
MOST = 20  # parties told, the largest


def parties(names: Sequence[str | None], margin: Floats, evidence: Floats | None, rate: float | None,
            group: Ints) -> list[dict[str, Any]]:  # fmt: skip
    """One entry a party, the largest first.

    RE-PO (LCPO, arXiv 2509.24159) alternates w_i = p_i eta / (p_i eta + (1 - p_i)(1 - eta)), the probability that
    label i is right, and eta = mean of w over the party's labels. It converges to the truth only where p is calibrated;
    fed with raw margins it was up to nineteen points off. So p is not learned here: log(p / (1 - p)) is the evidence of
    scorers whose error rates were worked out with the rate of wrong labels in the whole dataset (`stats.noise`), and
    each party begins with PRIOR labels at that rate. It takes the scorers to err alike on all parties' pairs.

    Args:
        names: n parties, null where none is named.
        margin: n mean margins; NaN is not known.
        evidence: n log-likelihood ratios that the label is right; None without a calibration.
        rate: of wrong labels in all.
        group: n ids.

    Returns:
        name, n, against (share of margins below 0) and its interval; wrong and its interval, null without evidence.
    """
    known = ~np.isnan(margin)
    values = np.array([name or "" for name in names], dtype=object)
    found, counts = np.unique(values[known & (values != "")], return_counts=True)
    if len(found) < 2:
        return []
    told = []
    for k in sorted(range(len(found)), key=lambda k: (-counts[k], found[k]))[:MOST]:
        at = np.flatnonzero(known & (values == found[k]))
        if len(at) < ENOUGH:
            continue
        against = np.where(margin[at] < 0, 1.0, np.where(margin[at] > 0, 0.0, 0.5))
        share = cluster_rate(against, group[at])
        one: dict[str, Any] = {"name": str(found[k]), "n": len(at), "against": share[0],
                               "against_interval": list(share[1:]), "wrong": None, "interval": None}  # fmt: skip
        if evidence is not None and rate is not None:
            one |= _wrong(evidence[at], rate, group[at])
        told.append(one)
    return told


def _wrong(evidence: Floats, rate: float, group: Ints) -> dict[str, Any]:
    """The fixed point, and its interval: by the information that the labels carry on eta, groups kept together."""
    ratio = np.exp(np.clip(evidence, -30, 30))
    right = 1 - min(max(rate, 1e-3), 0.5)
    eta = right
    for _ in range(STEPS):
        weight = ratio * eta / (ratio * eta + 1 - eta)
        new = float((weight.sum() + PRIOR * right) / (len(weight) + PRIOR))
        moved, eta = abs(new - eta), new
        if moved < CLOSE:
            break
    slope = (ratio - 1) / (ratio * eta + 1 - eta)
    information = float((slope**2).sum() + PRIOR / max(eta * (1 - eta), 1e-6))
    _, inverse = np.unique(group, return_inverse=True)
    sums = np.bincount(inverse, slope - slope.mean())
    spread = float(np.sqrt((sums**2).sum())) / information
    half = quantile(0.95, float(max(len(sums) - 1, 1))) * max(spread, 1 / np.sqrt(information) / 2)
    wrong = 1 - eta
    return {"wrong": wrong, "interval": [max(0.0, wrong - half), min(1.0, wrong + half)]}

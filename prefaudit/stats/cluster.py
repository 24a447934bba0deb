"""Errors of an effect where pairs of one group, or of one annotator, are not independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefaudit.stats.groups import Ints, dense
from prefaudit.stats.intervals import Floats, quantile

ANNOTATORS = 10  # fewer make no second way: their number would decide the interval
BUCKETS, HALVINGS = 64, 200


@dataclass(frozen=True)
class Clusters:
    """The partitions over which residuals are added up before they are squared."""

    group: Ints  # (n,) dense
    groups: int
    annotator: Ints | None = None  # (n,) dense; a pair without annotator belongs to a cluster of its group
    both: Ints | None = None  # (n,) dense, intersection of the two

    @classmethod
    def of(cls, group: Ints, annotator: Ints | None = None) -> Clusters:
        """From any ids; annotators count only where at least ten are known."""
        group = dense(group)
        groups = int(group.max()) + 1 if len(group) else 0
        if annotator is None or len(np.unique(annotator[annotator >= 0])) < ANNOTATORS:
            return cls(group, groups)
        worker = dense(np.where(annotator >= 0, annotator, int(annotator.max()) + 1 + group))
        return cls(group, groups, worker, dense(group * (int(worker.max()) + 1) + worker))


@dataclass(frozen=True)
class Robust:
    """Standard error of one effect."""

    error: float
    df: float
    by_group: Floats  # (groups,) what every group adds to the estimate, leverage corrected
    part: Floats  # (groups,) share of the information on the effect


def robust(psi: Floats, leverage: Floats, clusters: Clusters) -> Robust:
    """Cluster-robust standard error with CR2's correction for leverage.

    The estimate moves by psi, summed within a cluster, when the residuals of that cluster move. Large clusters pull the
    fit towards themselves, so their residuals are too small by sqrt(1 - h), h their share of the information on the
    effect; dividing by it makes the variance unbiased under working independence (Bell and McCaffrey 2002). The
    correction is taken along the direction of the effect, not in all coefficients.

    Degrees of freedom are Satterthwaite's, (sum h)^2 / sum h^2: the number of equal clusters that would carry as much.
    With annotators the variance is that of Cameron, Gelbach and Miller (2011), groups + annotators - both, and no less
    than the larger of the first two.

    Args:
        psi: (n,) influence of each pair on the estimate.
        leverage: (n,) each pair's part of the information on the effect; any scale.
        clusters: the partitions.
    """
    variance, df, by_group, part = _one_way(psi, leverage, clusters.group)
    if clusters.annotator is not None and clusters.both is not None:
        across, df_across, _, _ = _one_way(psi, leverage, clusters.annotator)
        within, _, _, _ = _one_way(psi, leverage, clusters.both)
        if across >= variance:
            df = df_across
        variance = max(variance + across - within, variance, across)
    return Robust(float(np.sqrt(variance)), df, by_group, part)


def _one_way(psi: Floats, leverage: Floats, cluster: Ints) -> tuple[float, float, Floats, Floats]:
    part = np.asarray(np.bincount(cluster, leverage), dtype=np.float64)
    part = part / max(float(part.sum()), 1e-300)
    sums = np.asarray(np.bincount(cluster, psi), dtype=np.float64) / np.sqrt(np.maximum(1 - part, 1e-6))
    return float(sums @ sums), 1 / max(float(part @ part), 1e-300), sums, part


def replication(estimate: float, by_group: Floats, part: Floats, seed: int, level: float = 0.95) -> float:
    """In how many of 200 random halvings both halves find the effect: the same sign, and 0 outside the interval.

    A half's estimate is the whole's moved along the influence of its groups (one Newton step), and its error comes from
    those groups alone. Groups are first thrown into 64 buckets, 32 of which make a half.

    Args:
        estimate: the effect on all groups.
        by_group: (groups,) as in `Robust`.
        part: (groups,) leverage of the groups, summing to 1.
        seed: of buckets and halvings.
        level: of the interval.
    """
    rng = np.random.default_rng(seed)
    bucket = rng.integers(0, BUCKETS, len(by_group), dtype=np.uint8)
    moved, squares, weight = (np.bincount(bucket, x, BUCKETS) for x in (by_group, by_group**2, part))
    half = np.argsort(rng.random((HALVINGS, BUCKETS)), axis=1) < BUCKETS // 2
    z = quantile(level, np.inf)
    found = np.ones(HALVINGS, bool)
    for side in (half, ~half):
        share = np.maximum(side @ weight, 1e-12)
        at = estimate + (side @ moved) / share
        found &= (at * np.sign(estimate)) > z * np.sqrt(side @ squares) / share
    return float(found.mean())

"""Which names win: the model of Bradley and Terry on names of the two sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from prefaudit.stats.groups import Ints, dense
from prefaudit.stats.intervals import Floats, cluster_rate, quantile

PENALTY = 1.0  # of the squared strengths: one pair is worth about as much, so a name that never lost stays finite
NAMES = 500  # that have a strength of their own; rarer ones share one
BUCKETS = 2_000  # of groups, where there are more, for the errors


@dataclass(frozen=True)
class Cells:
    """The pairs counted by the names of their sides: n cells, first name, second name, pairs, wins of the first."""

    first: Ints
    second: Ints
    pairs: Floats
    wins: Floats

    @classmethod
    def of(cls, first: Ints, second: Ints, won: Floats, names: int) -> Cells:
        """Count pairs whose names differ; `won` is 1 where the first name won, 1/2 for a tie."""
        low, high = np.minimum(first, second), np.maximum(first, second)
        wins = np.where(first <= second, won, 1 - won)
        apart = low != high
        key, back = np.unique((low * names + high)[apart], return_inverse=True)
        return cls(
            key // names,
            key % names,
            np.bincount(back).astype(np.float64),
            np.asarray(np.bincount(back, wins[apart]), dtype=np.float64),
        )


def strengths(cells: Cells, names: int, penalty: float = PENALTY) -> Floats:
    """Log-odds of winning against an average name, (names,): the L2 logit on one minus the other name, by Newton.

    Bradley and Terry (1952, Biometrika 39, equation 1): P(i over j) = sigma(s_i - s_j).
    """
    s = np.zeros(names)
    for _ in range(60):
        mean = 0.5 * (1 + np.tanh((s[cells.first] - s[cells.second]) / 2))
        gradient = _signed(cells, cells.wins - cells.pairs * mean, names) - penalty * s
        step = np.linalg.solve(_curvature(cells, cells.pairs * mean * (1 - mean), names, penalty), gradient)
        s += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-6:
            break
    return s


def _signed(cells: Cells, x: Floats, names: int) -> Floats:
    return np.asarray(np.bincount(cells.first, x, names) - np.bincount(cells.second, x, names))


def _curvature(cells: Cells, weight: Floats, names: int, penalty: float) -> Floats:
    matrix = np.zeros((names, names))
    np.add.at(matrix, (cells.first, cells.second), -weight)
    matrix += matrix.T
    matrix[np.diag_indices(names)] = penalty - matrix.sum(1)
    return matrix


def standings(first: Ints, second: Ints, y: Floats, group: Ints, names: list[str], seed: int = 0,
              most: int = 50) -> list[dict[str, Any]]:  # fmt: skip
    """How often each name wins, and its strength, with intervals by group.

    Args:
        first: n codes of the chosen side's name, -1 where not known.
        second: n codes of the rejected side's name.
        y: n values: 1 chosen, 1/2 a tie.
        group: n ids.
        names: of the codes.
        seed: of the buckets of groups that errors are added up by where there are more than BUCKETS.
        most: names in the result, those with the most pairs.

    Returns:
        name, pairs (against another name), win_rate, interval, strength, strength_interval; most pairs first.
    """
    known = (first >= 0) & (second >= 0) & (first != second)
    a, b, won, g = first[known], second[known], y[known], dense(group[known])
    if not len(a):
        return []
    fitted = pooled(np.concatenate([a, b]), NAMES)
    count = len(names) + 1
    cells = Cells.of(fitted[: len(a)], fitted[len(a) :], won, count)
    s = strengths(cells, count)
    error, df = _errors(fitted[: len(a)], fitted[len(a) :], won, s, _bucketed(g, seed), cells)
    counts = np.bincount(a, minlength=len(names)) + np.bincount(b, minlength=len(names))
    out = []
    for k in sorted(np.flatnonzero(counts), key=lambda k: (-counts[k], names[k]))[:most]:
        mine = (a == k) | (b == k)
        rate = cluster_rate(np.where(a[mine] == k, won[mine], 1 - won[mine]), g[mine])
        half = quantile(0.95, df) * error[k]
        own = bool((fitted == k).any())
        out.append({
            "name": names[k], "pairs": int(counts[k]), "win_rate": rate[0], "interval": list(rate[1:]),
            "strength": float(s[k]) if own else None,
            "strength_interval": [float(s[k] - half), float(s[k] + half)] if own and np.isfinite(half) else None,
        })  # fmt: skip
    return out


def pooled(codes: Ints, most: int) -> Ints:
    """The codes with all but the `most` frequent ones as one, the largest code plus one; -1 stays."""
    counts = np.bincount(codes[codes >= 0])
    rare = np.ones(len(counts), bool)
    rare[np.argsort(-counts, kind="stable")[:most]] = False
    return np.where((codes >= 0) & rare[np.maximum(codes, 0)], len(counts), codes) if rare.any() else codes


def _bucketed(group: Ints, seed: int) -> Ints:
    groups = int(group.max()) + 1
    if groups <= BUCKETS:
        return group
    return dense(np.random.default_rng(seed).integers(0, BUCKETS, groups)[group])


def _errors(a: Ints, b: Ints, won: Floats, s: Floats, group: Ints, cells: Cells) -> tuple[Floats, float]:
    """Cluster-robust standard errors of the strengths (a sandwich over groups), and their degrees of freedom."""
    names, groups = len(s), int(group.max()) + 1
    if groups < 2:
        return np.full(names, np.nan), 1.0
    mean = 0.5 * (1 + np.tanh((s[cells.first] - s[cells.second]) / 2))
    bread = np.linalg.inv(_curvature(cells, cells.pairs * mean * (1 - mean), names, PENALTY))
    rest = won - 0.5 * (1 + np.tanh((s[a] - s[b]) / 2))
    meat = np.bincount(group * names + a, rest, groups * names) - np.bincount(group * names + b, rest, groups * names)
    influence = meat.reshape(groups, names) @ bread
    sizes = np.bincount(group).astype(np.float64)
    kish = float(sizes.sum() ** 2 / (sizes @ sizes))
    return np.asarray(np.sqrt((influence**2).sum(0) * groups / (groups - 1))), max(kish - 1, 1.0)

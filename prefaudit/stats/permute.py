"""How many effects of over one point there would be if the labels meant nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from prefaudit.stats.cells import Cells
from prefaudit.stats.cluster import Clusters
from prefaudit.stats.effects import EffectOptions, check, refusals
from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats, quantile
from prefaudit.stats.signs import Features
from prefaudit.stats.table import coded, tabulate


def permuted(
    y: Floats,
    length: Floats,
    features: Features,
    families: Mapping[str, str],
    group: Ints,
    seed: int = 0,
    permutations: int = 20,
    options: EffectOptions | None = None,
) -> dict[str, float | int]:
    """Mean number of features whose interval lies beyond one point under permuted labels.

    Permuted is the label of a whole group: all its pairs keep chosen and rejected, or all exchange them, by a fair
    coin. If nothing in the answers moved the choice, the data would be as likely either way, whatever the pairs of a
    group have in common; exchanging pairs one by one would break that and make the errors look too small.

    Under that null f and b are 0, so one Newton step from 0 gives the estimate: it is a sum over groups that only
    changes sign with the group, and a permutation costs one product per feature.

    Args:
        y: as in `effects`; so are length, features, families, group and options.
        length: n log-ratios.
        features: name to both sides.
        families: feature to family.
        group: n ids.
        seed: of the coins.
        permutations: how many.
        options: see EffectOptions; the bound is options.null.

    Returns:
        exceeding_permuted (mean over the permutations) and permutations.
    """
    options = options or EffectOptions()
    check(y, length, group)
    if not features or not len(y):
        return {"exceeding_permuted": 0.0, "permutations": 0}
    cells = Cells.of(length)
    y = np.where(cells.turn > 0, y, 1 - y)
    table = tabulate(cells, y, features, options.magnitude)
    why = refusals(table, [families[name] for name in table.names], [True] * len(table.names), options)
    clusters = Clusters.of(group)
    rng = np.random.default_rng(seed)
    coins = rng.integers(0, 2, (permutations, clusters.groups), dtype=np.int8).astype(np.float32) * 2 - 1
    exceeding = np.zeros(permutations)
    for k in range(len(table.names)):
        if why[k]:
            continue
        level = table.levels[k]
        differing = np.bincount(clusters.group[level.known & (level.level != 0) & (cells.cell >= 0)])
        if np.count_nonzero(differing) < options.min_groups:
            continue
        x, count = table.design[k], table.count[k]
        information = x.T @ (x * count[:, None]) / 4
        information += 1e-9 * (1 + count.sum()) * np.eye(x.shape[1])
        # delta = b / 2 near 0, where sigma has the slope 1/4 on both sides
        direction = np.linalg.solve(information, np.eye(x.shape[1])[-1]) / 2
        reach = np.append(x @ direction, 0.0)[coded(cells, level)]
        part = np.bincount(clusters.group, reach**2)
        part = part / part.sum()
        moved = np.bincount(clusters.group, reach * (y - 0.5)) / np.sqrt(np.maximum(1 - part, 1e-6))
        half = quantile(options.level, float(1 / (part @ part))) * float(np.sqrt(moved @ moved))
        exceeding += np.abs(coins @ moved.astype(np.float32)) - half > options.null
    return {"exceeding_permuted": float(exceeding.mean()), "permutations": permutations}

"""How far every feature moved from one version of a dataset to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from prefaudit.audit.columns import FEATURES, Columns
from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats, quantile


def drift(before: Columns, after: Columns, links: pl.DataFrame) -> list[dict[str, Any]]:
    """The mean of each feature on either side and its win rate, in both versions, and the difference with an interval.

    The two versions hold the same pairs for a part, so the difference is not that of two samples. Its variance is the
    sum over clusters of squared sums of what each pair adds to it, -(x - m) / n for a pair before and (x - m) / n for
    one after (the influence functions of the two means); a pair that stayed adds next to nothing. A cluster is a group
    of either version with all groups of the other that hold the same pair or prompt.

    Args:
        before: the columns of one audit.
        after: of the other.
        links: `before` and `after`: rows of what is the same pair.

    Returns:
        A dict a feature that both versions have: feature, label, and `chosen`, `rejected` (means) and `win_rate` (of
        the answer with more of it, where they differ; a tie is one half), each with before, after, change, interval, n.
    """
    a, b, clusters = clustered(before, after, links)
    out = []
    for name in before.features:
        if name not in after.features:
            continue
        sides = (before.features[name], after.features[name])
        row: dict[str, Any] = {"feature": name, "label": FEATURES[name].words}
        for k, side in enumerate(("chosen", "rejected")):
            x, y = (s[k].astype(np.float64) for s in sides)
            row[side] = moved(x, y, a, b, clusters)
        won = [wins(*s, v.y) for s, v in zip(sides, (before, after), strict=True)]
        row["win_rate"] = moved(won[0], won[1], a, b, clusters)
        out.append(row)
    return out


def wins(chosen: np.ndarray, rejected: np.ndarray, y: Floats) -> Floats:
    """1 where the answer with more is the preferred one, 1/2 for a tie; NaN where they do not differ."""
    difference = chosen - rejected
    return np.where(difference > 0, y, np.where(difference < 0, 1 - y, np.nan))


def clustered(before: Columns, after: Columns, links: pl.DataFrame) -> tuple[Ints, Ints, int]:
    """The cluster of every pair of both versions, and how many there are."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [int(v.group.max()) + 1 if len(v.group) else 0 for v in (before, after)]
    frames = [v.meta.select("row", "hash_prompt").with_columns(g=pl.Series(v.group)) for v in (before, after)]
    same = links.join(frames[0], left_on="before", right_on="row").join(frames[1], left_on="after", right_on="row")
    said = [f.select("hash_prompt", "g").unique() for f in frames]
    asked = said[0].join(said[1], on="hash_prompt")
    edges = pl.concat([same.select("g", "g_right"), asked.select("g", "g_right")]).unique()
    shape = (sum(sizes), sum(sizes))
    at = (edges["g"].to_numpy(), edges["g_right"].to_numpy() + sizes[0])
    count, label = connected_components(coo_array((np.ones(len(edges), np.int8), at), shape=shape), directed=False)
    return label[before.group].astype(np.int64), label[sizes[0] + after.group].astype(np.int64), int(count)


def moved(x: Floats, y: Floats, a: Ints, b: Ints, clusters: int) -> dict[str, Any]:
    """Means of x (before, in clusters a) and y (after, in clusters b), NaN left out, and their difference."""
    sums, sizes, means, n = np.zeros(clusters), np.zeros(clusters), [], []
    for sign, values, of in ((-1.0, x, a), (1.0, y, b)):
        known = ~np.isnan(values)
        count = int(known.sum())
        mean = float(values[known].mean()) if count else float("nan")
        sums += np.bincount(of[known], sign * (values[known] - mean) / max(count, 1), clusters)
        sizes += np.bincount(of[known], minlength=clusters)
        means.append(mean)
        n.append(count)
    groups, change = int((sizes > 0).sum()), means[1] - means[0]
    out: dict[str, Any] = {
        "before": None if np.isnan(means[0]) else means[0], "after": None if np.isnan(means[1]) else means[1],
        "change": None if np.isnan(change) else change, "interval": None, "n": n, "groups": groups,
    }  # fmt: skip
    if groups > 1 and not np.isnan(change):
        kish = float(sizes.sum() ** 2 / (sizes @ sizes))
        half = quantile(0.95, kish - 1) * float(np.sqrt((sums @ sums) * groups / (groups - 1)))
        out["interval"] = [change - half, change + half]
    return out

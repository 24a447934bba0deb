"""How far annotators agree beyond chance: over all, in slices, and where a comparison was put to them twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from prefaudit.stats.groups import Ints, dense
from prefaudit.stats.intervals import Floats, cluster_rate
from prefaudit.stats.votes import repeats, votes

RESAMPLES = 1_000
BUCKETS = 2_000  # of groups that are drawn together where there are more: as good, and bounded
SLICES = 10  # of one kind, the largest
LEAST = 50  # pairable votes of a slice


def agreement(pairs: pl.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Krippendorff's alpha with an interval, votes per pair, ties, and what repeats of a comparison say.

    Args:
        pairs: as for `votes`.
        seed: of the bootstrap.

    Returns:
        The report's `agreement`; empty where no vote is known. `alpha` with `n` (votes on comparisons that two or more
        annotators judged), `comparisons` (of these) and `groups`; `unanimous` (share of the comparisons on which all
        votes are equal); `voted` (all comparisons) and `votes_per_pair` (number of annotators to comparisons);
        `tie_rate`; `repeats` and `opposed` as in `repeats`; `again` and `kept`: votes of an annotator on a comparison
        that he judged before, and the share in which he said the same; `slices`.
    """
    table = votes(pairs)
    if table.is_empty():
        return {}
    again = table.with_columns(before=pl.col("vote").first().over("comparison", "annotator"),
                               nth=pl.int_range(pl.len()).over("comparison", "annotator"))  # fmt: skip
    later = again.filter(pl.col("nth") > 0)
    kept = cluster_rate((later["vote"] == later["before"]).cast(pl.Float64).to_numpy(), later["group"].to_numpy())
    one = again.filter(pl.col("nth") == 0)
    ties = cluster_rate((table["vote"] == 0.5).cast(pl.Float64).to_numpy(), table["group"].to_numpy())
    sizes = one.group_by("comparison").len()["len"]
    spread = sizes.value_counts().sort("len")
    twice = repeats(table) if "item" in table.columns else pl.DataFrame()
    out: dict[str, Any] = {
        **alpha(one, seed),
        "annotators": one["annotator"].n_unique(),
        "voted": len(sizes),
        "votes_per_pair": {str(k): n for k, n in spread.rows()},
        "tie_rate": ties[0],
        "tie_interval": list(ties[1:]),
        "votes": table.height,
        "again": later.height,
        "kept": kept[0] if later.height else None,
        "kept_interval": list(kept[1:]) if later.height else None,
        "repeats": twice.height,
        "opposed": int(twice["opposed"].sum()) if twice.height else 0,
    }
    return out | {"slices": _slices(one, seed)}


def alpha(table: pl.DataFrame, seed: int = 0) -> dict[str, Any]:
    """Krippendorff's alpha for three nominal values, with missing votes.

    alpha = 1 - D_o / D_e (Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011): D_o is the share of unequal
    values among the pairs of votes on one comparison, each comparison weighted by its votes; D_e the share among all
    pairs of votes. A tie is a value like any other; a comparison with one vote does not count. The interval is the
    percentile bootstrap over groups.

    Args:
        table: as `votes` returns it, at most one vote of an annotator on a comparison.
        seed: of the draws.

    Returns:
        alpha and alpha_interval (None where it is not defined), n, comparisons, groups, unanimous and its interval.
    """
    unit = table["comparison"].rank("dense").cast(pl.Int64).to_numpy() - 1
    value = np.rint(2 * table["vote"].to_numpy()).astype(np.int64)
    units = int(unit.max()) + 1 if len(unit) else 0
    counts = np.bincount(unit * 3 + value, minlength=units * 3).reshape(-1, 3).astype(np.float64)
    group = np.zeros(units, np.int64)
    group[unit] = table["group"].to_numpy()
    many = counts.sum(1) > 1
    counts, group = counts[many], dense(group[many])
    if not len(counts):
        return {"alpha": None, "alpha_interval": None, "n": 0, "comparisons": 0, "groups": 0, "unanimous": None,
                "unanimous_interval": None}  # fmt: skip
    size = counts.sum(1)
    unequal = (size**2 - (counts**2).sum(1)) / (size - 1)
    groups = int(group.max()) + 1
    bucket = _buckets(groups, seed)[group]
    sums = np.column_stack([np.bincount(bucket, x) for x in (unequal, *counts.T)]).astype(np.float64)
    value_ = float(_alpha(sums.sum(0, keepdims=True))[0])
    same = cluster_rate((unequal == 0).astype(np.float64), group)
    return {
        "alpha": None if np.isnan(value_) else value_,
        "alpha_interval": _bootstrap(sums, seed) if groups > 1 and not np.isnan(value_) else None,
        "n": int(size.sum()), "comparisons": len(counts), "groups": groups,
        "unanimous": same[0], "unanimous_interval": list(same[1:]),
    }  # fmt: skip


def _alpha(sums: Floats) -> Floats:
    """Of rows that hold the unequal pairs and the counts of the values."""
    n = sums[:, 1:].sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - (n - 1) * sums[:, 0] / (n**2 - (sums[:, 1:] ** 2).sum(1)))


def _buckets(groups: int, seed: int) -> Ints:
    """The bucket of every group: its own where there are few enough."""
    if groups <= BUCKETS:
        return np.arange(groups)
    return dense(np.random.default_rng(seed).integers(0, BUCKETS, groups))


def _bootstrap(sums: Floats, seed: int) -> list[float] | None:
    rng = np.random.default_rng(seed + 1)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), RESAMPLES).astype(np.float64) @ sums
    values = _alpha(drawn)
    values = values[~np.isnan(values)]
    return [float(x) for x in np.quantile(values, [0.025, 0.975])] if len(values) > RESAMPLES // 2 else None


def _slices(one: pl.DataFrame, seed: int) -> list[dict[str, Any]]:
    """Alpha of the largest sources and languages, and by thirds of how far the two answers differ in length."""
    found: list[tuple[str, str, pl.DataFrame]] = []
    for kind in ("source", "language"):
        if kind in one.columns:
            sizes = (
                one.drop_nulls(kind)[kind]
                .cast(pl.String)
                .value_counts()
                .sort(["count", kind], descending=[True, False])
            )
            names = sizes[kind].head(SLICES).to_list() if sizes.height > 1 else []
            found += [(kind, name, one.filter(pl.col(kind).cast(pl.String) == name)) for name in names]
    gap = one["gap"].drop_nulls().to_numpy()
    if len(gap):
        low, high = np.quantile(gap, [1 / 3, 2 / 3])
        for name, wanted in (
            ("most alike", pl.col("gap") <= low),
            ("middle", (pl.col("gap") > low) & (pl.col("gap") <= high)),
            ("least alike", pl.col("gap") > high),
        ):
            found.append(("length", name, one.filter(wanted)))
    out = []
    for kind, name, part in found:
        told = alpha(part, seed)
        if told["n"] >= LEAST:
            out.append({"by": kind, "slice": name, **told})
    return out

"""Pairs in the order of their strength: what each tenth contains, and to whom which pairs should go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.audit.columns import FEATURES

Floats = NDArray[np.float64]
Sides = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
DECILES = 10
CONTAINS, CLEAR = 3, 5.0  # features told of a tenth, and the standard errors by which it differs from the whole
SILENT = "ifnull(strength.verdict, 0) >= 0"
ROUTES = (
    ("verifier", "strength.verdict < 0", "a verifier contradicts the label: read its case"),
    ("flip", f"{SILENT} AND strength.mean < -0.5 AND strength.agree <= 0.25",
     "the scorers are against the label: look here first"),
    ("expert", f"{SILENT} AND strength.scorers > 1 AND strength.agree > 0.25 AND strength.agree < 0.75",
     "the scorers are divided: to people who know the subject"),
    ("second vote", f"{SILENT} AND strength.mean > -0.2 AND strength.mean < 0.2 AND "
     "(strength.scorers = 1 OR strength.agree <= 0.25 OR strength.agree >= 0.75)",
     "hardly a difference: one more annotator, or a tie"),
    ("unjudged", "strength.mean IS NULL", "no scorer spoke: any annotator, or a greater --max-tokens"),
)  # fmt: skip
"""Name, SQL over the features, what for; no two fit one pair, and a pair that none fits needs nobody."""


def tenths(mean: Floats, agree: Floats, length: Floats, features: Sides, source: pl.Series) -> list[dict[str, Any]]:
    """Tenths of the pairs by `strength.mean`, the weakest first; none under ten pairs.

    Each has its number, its ends, the share below 0, the mean share of scorers for the label, the share of longer
    winners, the source that it has most too many of, and `contains`: the features by whose difference (chosen less
    rejected) it lies furthest from the other pairs, in standard errors of their own.

    Args:
        mean: (n,) `strength.mean`, NaN where nothing tells.
        agree: (n,) `strength.agree`.
        length: (n,) log-ratios of length.
        features: (chosen, rejected) arrays of n, NaN where not known.
        source: n names.
    """
    order = np.argsort(mean, kind="stable")[: int((~np.isnan(mean)).sum())]
    if len(order) < DECILES:
        return []
    parts = np.array_split(order, DECILES)
    at = np.full(len(mean), DECILES)
    for k, rows in enumerate(parts):
        at[rows] = k
    contains, sources = _contains(at, features), _sources(at, source)
    told = []
    for k, rows in enumerate(parts):
        moved = rows[np.nan_to_num(length[rows]) != 0]
        told.append({"n": len(rows), "low": float(mean[rows[0]]), "high": float(mean[rows[-1]]),
                     "against": float((mean[rows] < 0).mean()), "agree": float(agree[rows].mean()),
                     "longer_wins": float((length[moved] > 0).mean()) if len(moved) else None,
                     "source": sources[k], "contains": contains[k]})  # fmt: skip
    return told


def _contains(at: NDArray[np.int64], features: Sides) -> list[list[dict[str, Any]]]:
    """For each tenth the features whose mean difference is furthest from that of all pairs."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(DECILES)]
    for name, (chosen, rejected) in features.items():
        gap = chosen.astype(np.float64) - rejected
        known = np.isfinite(gap) & (at < DECILES)
        n = np.bincount(at[known], minlength=DECILES)[:DECILES]
        if not n.all():
            continue
        rank = _scored(gap[known])
        here = np.bincount(at[known], rank, DECILES)[:DECILES] / n
        for k in np.flatnonzero(np.abs(here) * np.sqrt(n) > CLEAR).tolist():
            means = [float(gap[known & (at == k)].mean()), float(gap[known].mean())]
            found[k].append({"feature": name, "label": FEATURES[name].words, "mean": means[0], "mean_all": means[1],
                             "errors": float(here[k] * np.sqrt(n[k]))})  # fmt: skip
    return [sorted(each, key=lambda f: (-abs(f["errors"]), f["feature"]))[:CONTAINS] for each in found]


def _scored(gap: Floats) -> Floats:
    """Ranks with mean 0 and variance 1, so that one outlier is no more than the first of its rank; 0 if all equal."""
    _, inverse, counts = np.unique(gap, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - counts / 2)[inverse]
    rank = rank - rank.mean()
    spread = float(np.sqrt((rank**2).mean()))
    return np.asarray(rank / spread if spread > 0 else np.zeros(len(rank)))


def _sources(at: NDArray[np.int64], source: pl.Series) -> list[dict[str, Any] | None]:
    """For each tenth the source of which it has most too many, with its share there and in all; None with one."""
    names = source.cast(pl.String)
    if names.n_unique() < 2:
        return [None] * DECILES
    counts = pl.DataFrame({"at": at, "source": names}).filter(pl.col("at") < DECILES).drop_nulls()
    counts = counts.group_by("at", "source").len().with_columns(
        share=pl.col("len") / pl.col("len").sum().over("at"),
        whole=pl.col("len").sum().over("source") / pl.col("len").sum(),
    ).sort("at", pl.col("share") - pl.col("whole"), "source", descending=[False, True, False])  # fmt: skip
    first = {row["at"]: row for row in counts.group_by("at", maintain_order=True).first().iter_rows(named=True)}
    return [{"source": first[k]["source"], "share": first[k]["share"], "share_all": first[k]["whole"]}
            if k in first else None for k in range(DECILES)]  # fmt: skip


def routes(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """To whom which pairs go: name, why, number, share, and `where`, SQL that `filter --keep` takes for exactly these.

    Args:
        frame: the fields of `strength` of the pairs with both answers.
    """
    mean, agree, verdict = pl.col("mean"), pl.col("agree"), pl.col("verdict")
    divided = (pl.col("scorers") > 1) & (agree > 0.25) & (agree < 0.75)
    silent = verdict.fill_null(0) >= 0
    masks = {"verifier": verdict < 0, "flip": silent & (mean < -0.5) & (agree <= 0.25), "expert": silent & divided,
             "second vote": silent & (mean.abs() < 0.2) & ~divided, "unjudged": mean.is_null()}  # fmt: skip
    counts = frame.select(mask.sum().alias(name) for name, mask in masks.items()).row(0, named=True)
    return [{"to": name, "why": why, "n": counts[name], "share": counts[name] / frame.height, "where": where}
            for name, where, why in ROUTES if counts[name]]  # fmt: skip

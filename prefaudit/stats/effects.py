"""How much likelier an answer with more of something is to be chosen, at the same length.

The definition, its derivation and what was measured of it are in docs/effects.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from prefaudit.core import EFFECTS
from prefaudit.stats.cells import Cells
from prefaudit.stats.cluster import Clusters, replication, robust
from prefaudit.stats.groups import Ints, sample_groups
from prefaudit.stats.intervals import Floats, bh_families, p_value, quantile, rate_of_sums
from prefaudit.stats.joint import joint_effects
from prefaudit.stats.logit import Fit, fit
from prefaudit.stats.signs import Features, Levels
from prefaudit.stats.table import Table, coded, tabulate


@dataclass(frozen=True)
class EffectOptions:
    """What the numbers depend on beside the data."""

    labels: Mapping[str, str] = field(default_factory=dict)  # feature -> words; default "more <feature>"
    magnitude: bool = False  # s is sign and size of the difference, not the sign alone
    level: float = 0.95
    min_groups: int = 40  # fewer groups in which the feature differs: no interval
    large: int = 10_000  # from so many groups on, p tests |effect| <= null, below it tests effect = 0
    null: float = 0.01
    explained: float = 0.8  # where length says more than this of the feature, no held effect
    length_family: str = "length"
    joint_rows: int = (
        100_000  # joint effects (no interval) are fitted on whole groups of at most so many pairs; 0: none
    )


def effects(
    y: Floats,
    length: Floats,
    features: Features,
    families: Mapping[str, str],
    group: Ints,
    annotator: Ints | None = None,
    seed: int = 0,
    options: EffectOptions | None = None,
) -> pl.DataFrame:
    """The table of effects: raw, with length held, and joint.

    Args:
        y: n values in 0..1, how far the chosen side is preferred: 1 for label chosen, .5 for tie and both_bad. The
            model is antisymmetric, so which side is called chosen in a tie changes nothing.
        length: n values, `length_ratio` of the two answers; NaN leaves the pair out.
        features: name to the n values of the chosen and of the rejected answer; NaN is not known. Read once, one
            after the other, so that a mapping may load them as they are asked for.
        families: feature to family, within which false discoveries are counted; "length" has no held effect.
        group: n ids >= 0 of rows that are not independent.
        annotator: n ids, -1 where not known; with ten or more known annotators the errors are two-way.
        seed: of the halvings for `replication` and of the sample for the joint effects.
        options: see EffectOptions.

    Returns:
        A frame with the EFFECTS schema, one row a feature, by |bound| and then |delta_win|, largest first.

    Raises:
        ValueError: y outside 0..1, or arrays of different lengths.
    """
    options = options or EffectOptions()
    check(y, length, group)
    if not features or not len(y):
        return pl.DataFrame(schema=EFFECTS)
    cells = Cells.of(length)
    y = np.where(cells.turn > 0, y, 1 - y)
    table = tabulate(cells, y, features, options.magnitude)
    clusters = Clusters.of(group, annotator)
    fitted = fit(table.design, table.count, table.total, table.tie())
    family = [families[name] for name in table.names]
    why = refusals(table, family, fitted.converged, options)
    if (y == 0.5).all():
        why = [reason or "every pair is a tie" for reason in why]
    sample = sample_groups(clusters.group, options.joint_rows, seed)
    joint = _joint(cells, y, table, family, why, sample) if options.joint_rows else np.full(len(why), np.nan)
    influence = fitted.influence()
    rows = [
        {"feature": name, "family": family[k], "label": options.labels.get(name, f"more {name.replace('_', ' ')}")}
        | _raw(table.levels[k], cells, y, clusters, options.level)
        | _held(_Feature(fitted, influence[k], k, coded(cells, table.levels[k]), why[k]), y, clusters, seed, options)
        | {"delta_joint": None if np.isnan(joint[k]) else float(joint[k])}
        for k, name in enumerate(table.names)
    ]
    return judged(rows, options)


def check(y: Floats, length: Floats, group: Ints) -> None:
    """Raise ValueError unless the arrays fit together."""
    if not len(y) == len(length) == len(group):
        raise ValueError(f"y, length and group have {len(y)}, {len(length)} and {len(group)} values")
    if len(y) and not (y.min() >= 0 and y.max() <= 1):
        raise ValueError("y must lie in 0..1 and be known for every pair")


def refusals(table: Table, family: list[str], converged: Any, options: EffectOptions) -> list[str]:
    """Why a feature gets no held effect; empty where it gets one."""
    won, lost = table.wins()
    explained = table.explained()
    reasons = []
    for k in range(len(table.names)):
        if family[k] == options.length_family:
            reasons.append("length itself: nothing to hold")
        elif won[k] + lost[k] < 10:
            reasons.append("differs in fewer than 10 pairs")
        elif explained[k] > options.explained:
            reasons.append(f"length explains {explained[k]:.2f} of it")
        else:
            reasons.append("" if converged[k] else "the fit does not converge")
    return reasons


@dataclass(frozen=True)
class _Feature:
    fitted: Fit
    influence: Floats
    k: int
    code: Any
    why: str


def _raw(feature: Levels, cells: Cells, y: Floats, clusters: Clusters, level: float) -> dict[str, Any]:
    """n, groups, prevalence, win rate with interval; differing: groups in which the feature differs."""
    known = feature.known & (cells.cell >= 0)
    n = int(np.count_nonzero(known))
    differs = np.flatnonzero(known & (feature.level != 0))
    more = feature.level[differs] * cells.turn[differs] > 0
    g = clusters.group[differs]
    sizes = np.bincount(g)
    sums = np.bincount(g, np.where(more, y[differs], 1 - y[differs])).astype(np.float64, copy=False)
    has = sizes > 0
    rate = rate_of_sums(sizes[has].astype(np.float64), sums[has], True, level) if len(g) else (None, None, None)
    whole = n == len(known)
    return {
        "n": n,
        "groups": clusters.groups if whole else int(np.count_nonzero(np.bincount(clusters.group[known]))),
        "prevalence": len(differs) / n if n else None,
        "win_rate": rate[0],
        "win_low": rate[1],
        "win_high": rate[2],
        "differing": int(np.count_nonzero(has)),
    }


def _held(f: _Feature, y: Floats, clusters: Clusters, seed: int, options: EffectOptions) -> dict[str, Any]:
    """The held effect with error and degrees of freedom, or why there is none."""
    if f.why:
        return {"note": f.why}
    reach = np.append(f.influence, 0.0)
    psi = reach[f.code] * (y - np.append(f.fitted.mean[f.k], 0.0)[f.code])
    leverage = (reach**2 * np.append(f.fitted.weight[f.k], 0.0))[f.code]
    found = robust(psi, leverage, clusters)
    delta = float(f.fitted.delta[f.k])
    again = replication(delta, found.by_group, found.part, seed, options.level)
    return {"delta_win": delta, "error": found.error, "df": found.df, "replication": again, "note": None}


def _joint(cells: Cells, y: Floats, table: Table, family: list[str], why: list[str], mask: Any) -> Floats:
    rows = np.flatnonzero(mask)
    part = replace(cells, cell=cells.cell[rows], turn=cells.turn[rows])
    levels = [Levels(v.level[rows], v.values) for v in table.levels]
    return joint_effects(part, y[rows], levels, family, [not w for w in why])


def judged(rows: list[dict[str, Any]], options: EffectOptions) -> pl.DataFrame:
    """Intervals, p, q, bound and order from the rows' estimates and errors."""
    for row in rows:
        row.update({"low": None, "high": None, "p": None, "bound": None})
        if row["note"] is not None:
            continue
        if row["differing"] < options.min_groups:
            few = f"differs in {row['differing']} groups: an interval needs {options.min_groups}"
            row.update(note=few, replication=None)
            continue
        half = quantile(options.level, row["df"]) * row["error"]
        low, high = row["delta_win"] - half, row["delta_win"] + half
        null = options.null if row["groups"] >= options.large else 0.0
        p = p_value(np.array([row["delta_win"]]), np.array([row["error"]]), np.array([row["df"]]), null)
        bound = 0.0 if low <= 0 <= high else min(low, high, key=abs)
        row.update(low=max(low, -1.0), high=min(high, 1.0), p=float(p[0]), bound=bound)
    q = bh_families(
        np.array([np.nan if r["p"] is None else r["p"] for r in rows], dtype=np.float64), [r["family"] for r in rows]
    )
    for row, value in zip(rows, q, strict=True):
        row["q"] = None if np.isnan(value) else float(value)
    frame = pl.DataFrame([{k: row.get(k) for k in EFFECTS} for row in rows], schema=EFFECTS)
    order = [pl.col("bound").abs(), pl.col("delta_win").abs(), pl.col("feature")]
    return frame.sort(order, descending=[True, True, False], nulls_last=True)

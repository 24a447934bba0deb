"""Two datasets seen through one lens: how often each feature is present, and how much it moves the choice."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from prefaudit import stats
from prefaudit.audit import Audit
from prefaudit.audit.columns import Columns
from prefaudit.audit.lens import Presence
from prefaudit.repair.drift import clustered, moved, wins
from prefaudit.stats.intervals import p_value, quantile

OTHERS = "the two audits have lenses of their own, whose features are not the same: scan one with --lens OTHER/lens"


def through(audits: tuple[Audit, Audit], columns: tuple[Columns, Columns], links: pl.DataFrame) -> dict[str, Any]:
    """Each feature of a lens that both audits have, before and after; empty where one of them has none.

    Args:
        audits: before and after.
        columns: theirs.
        links: `before` and `after`: rows of what is the same pair.

    Returns:
        A `note` where they have two different lenses, else `each`, the surest change of an effect first: feature, name,
        stable; `prevalence` and `win_rate` as in `drift`; `delta_win` (before, after) with `delta_interval`;
        `delta_change` with its `interval`, p, and q over the features.
    """
    told, signs = [], []
    for audit, of in zip(audits, columns, strict=True):
        measures = audit.measures()
        lens = next((e for e in measures.present if e.name == "lens"), None)
        if lens is None or not audit.report.get("lens"):
            return {}
        told.append(measures.state(lens))
        signs.append(Presence.read(measures, lens, of))
    least = [[e["least_cosine"] for e in json.loads(state["told"][0])["each"]] for state in told]
    if told[0]["encoder"][0] != told[1]["encoder"][0] or least[0] != least[1]:
        return {"note": OTHERS}
    a, b, clusters = clustered(*columns, links)
    held = [{e["feature"]: e["effect"] for e in audit.report["lens"]["each"]} for audit in audits]
    each = []
    for e in audits[0].report["lens"]["each"]:
        sides = [s[f"lens.{e['feature']}"] for s in signs]
        there = [np.abs(chosen).astype(np.float64) for chosen, _ in sides]
        won = [wins(*s, of.y) for s, of in zip(sides, columns, strict=True)]
        each.append({
            "feature": e["feature"], "name": e["name"], "stable": e["stable"],
            "prevalence": moved(there[0], there[1], a, b, clusters),
            "win_rate": moved(won[0], won[1], a, b, clusters),
            **_effect(*(h[e["feature"]] for h in held)),
        })  # fmt: skip
    q = stats.bh(np.array([np.nan if e["p"] is None else e["p"] for e in each], dtype=np.float64))
    for e, value in zip(each, q.tolist(), strict=True):
        e["q"] = None if np.isnan(value) else value
    return {"each": sorted(each, key=lambda e: (2.0 if e["q"] is None else e["q"], int(e["feature"][1:])))}


def _effect(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Both effects and their difference, with an interval from theirs.

    The interval is Zou and Donner's of a difference (2008, Statistics in Medicine 27, eq. 4): as if the two had no
    pair in common. Pairs in common make it too wide, never too narrow, as they move both effects the same way.
    """
    one, other = before["delta_win"], after["delta_win"]
    ends = (before["interval"], after["interval"])
    row: dict[str, Any] = {"delta_win": (one, other), "delta_interval": ends, "delta_change": None, "interval": None,
                           "p": None}  # fmt: skip
    if one is None or other is None:
        return row
    row["delta_change"] = change = other - one
    if ends[0] is not None and ends[1] is not None:
        (low0, high0), (low1, high1) = ends
        down, up = np.hypot(other - low1, high0 - one), np.hypot(high1 - other, one - low0)
        row["interval"] = [float(change - down), float(change + up)]
        error = float(down if change > 0 else up) / quantile(0.95, np.inf)
        row["p"] = float(p_value(np.array([change]), np.array([error]), np.array([np.inf]))[0]) if error > 0 else None
    return row

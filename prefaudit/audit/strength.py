"""What outside scorers say of the labels, what the dataset predicts of them, and how far either can be believed."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import stats
from prefaudit.audit.columns import Columns
from prefaudit.audit.measure import Measures
from prefaudit.audit.tenths import routes, tenths
from prefaudit.core import Extractor
from prefaudit.stats.baselines import auc
from prefaudit.stats.noise import evidence
from prefaudit.stats.parties import parties

Floats = NDArray[np.float64]
ENOUGH = 50  # pairs below which a slice has no AUC
SLICES = 10  # sources told, the largest
LEVELS = (0.0, -1.0)  # of consensus
CUT_AT = 0.2  # the --min-consensus whose cost is told
BINS = 10  # of the calibration error
BUDGETS = (50, 100, 200, 500, 1000)  # pairs that people may look at


def strength(measures: Measures, columns: Columns, length: Floats) -> dict[str, Any]:
    """The report's `strength` and `consensus`, each empty where nothing was measured.

    Args:
        measures: of the audit.
        columns: of all pairs with both answers.
        length: log-ratio of their lengths.
    """
    found = {e.name: e for e in measures.present}
    rows = columns.meta["row"].to_numpy() if columns.meta.height else np.zeros(0, np.int64)
    told: dict[str, Any] = {"strength": {}, "consensus": {}}
    if "strength" in found and len(rows):
        state = measures.state(found["strength"])
        if state.height:
            told["strength"] = _strength(measures, found, state, columns, length, rows)
    if "consensus" in found and len(rows):
        told["consensus"] = _consensus(measures, found["consensus"], columns, length, rows)
    return told


def metrics(told: dict[str, Any]) -> dict[str, float]:
    """What dataset rules read of them."""
    outside = told["strength"]
    if not outside:
        return {}
    each = [s for s in outside["scorers"] if s["length_rho"] is not None]
    out = {"scorers": float(sum(not s["silent"] for s in outside["scorers"])),
           "scorer_cut_share": max((s["cut_share"] or 0.0 for s in outside["scorers"]), default=0.0),
           "scorer_unread_share": max((s["unread_share"] or 0.0 for s in outside["scorers"]), default=0.0)}  # fmt: skip
    if each:
        out["scorer_length_rho"] = max(abs(s["length_rho"]) for s in each)
    if outside["below"]:
        out["strength_below"] = outside["below"]["rate"]
        out["strength_below_low"], out["strength_below_high"] = outside["below"]["interval"]
    if outside["correlations"]:
        out["scorers_least_rho"] = min(rho for *_, rho in outside["correlations"])
    return out


class _Pairs(NamedTuple):
    """What the slices of one scorer are cut by: everything of the pairs with both answers."""

    y: Floats
    group: NDArray[np.int64]
    length: Floats
    source: pl.Series


def _strength(measures: Measures, found: dict[str, Extractor], state: pl.DataFrame, columns: Columns, length: Floats,
              rows: NDArray[np.int64]) -> dict[str, Any]:  # fmt: skip
    frame = _field(measures, found["strength"], "strength", rows).struct.unnest()
    pairs = _Pairs(columns.y, columns.group, length, columns.meta["source"].cast(pl.String))
    cuts = _cuts(measures, found["rewards"], rows)
    names = state["scorer"].to_list()
    about_models = measures.state(found["rewards"])
    models = about_models["name"].to_list()
    scorers = []
    for k, row in enumerate(state.iter_rows(named=True)):
        margin = frame["margins"].list.get(k, null_on_oob=True).fill_null(float("nan")).to_numpy()
        about = {"name": row["scorer"], "n": row["n"], "scale": row["scale"], "weight": row["weight"]}
        ece = _ece(margin * row["scale"], pairs.y) if row["scorer"] in models else None
        cut = cuts[models.index(row["scorer"])] if row["scorer"] in models else None
        swapped = json.loads(about_models["swapped"][models.index(row["scorer"])]) if row["scorer"] in models else None
        scorers.append({**about, "silent": _silent(row), **_scorer(margin, pairs), "ece": ece,
                        **_shares(cut, margin, pairs.y), "swapped": swapped})  # fmt: skip
    rho = [json.loads(text) for text in state["rho"]]
    speak = [not s["silent"] for s in scorers]
    correlations = [[a, b, rho[i][b]] for i, a in enumerate(names) for j, b in enumerate(names)
                    if i < j and b in rho[i] and speak[i] and speak[j]]  # fmt: skip
    mean = frame["mean"].fill_null(float("nan")).to_numpy()
    agree = frame["agree"].fill_null(float("nan")).to_numpy()
    known = ~np.isnan(mean)
    told_noise = json.loads(state["noise"][0])
    below = np.where(known, (mean < 0).astype(float), np.nan)
    rate = stats.cluster_rate(below, pairs.group)
    return {
        "n": int(known.sum()),
        "scorers": scorers,
        "correlations": correlations,
        "below": {"n": int(np.nansum(below)), "rate": rate[0], "interval": list(rate[1:])} if known.any() else {},
        "deciles": tenths(mean, agree, length, columns.features, columns.meta["source"]),
        "routes": routes(frame) if known.any() else [],
        "noise": told_noise or None,
        "parties": _parties(columns, frame, mean, told_noise, names),
        "budget": _budget(frame["p_correct"].fill_null(float("nan")).to_numpy()),
    }


def _silent(row: dict[str, Any]) -> str:
    """Why a scorer is no part of strength; empty where it is."""
    if not row["n"]:
        return "no score for both answers of any pair"
    return "" if row["scale"] > 0 else "the same score for both answers of every pair"


def _parties(columns: Columns, frame: pl.DataFrame, mean: Floats, noise: dict[str, Any],
             names: list[str]) -> list[dict[str, Any]]:  # fmt: skip
    """Annotators and sources, each with what the scorers say of its labels; ties are nobody's mistake."""
    calibrated = None
    if noise.get("rate") is not None:
        at = [names.index(name) for name in noise["scorers"]]
        margins = [frame["margins"].list.get(k, null_on_oob=True).fill_null(float("nan")).to_numpy() for k in at]
        calibrated = evidence(noise, np.sign(np.array(margins)))
    margin = np.where(columns.y == 1, mean, np.nan)
    told = []
    for kind in ("annotator", "source"):
        if kind in columns.meta.columns:
            column = columns.meta[kind].cast(pl.String).to_list()
            each = parties(column, margin, calibrated, noise.get("rate"), columns.group)
            told += [{"kind": kind, **one} for one in each]
    return told


def _budget(correct: Floats) -> list[dict[str, Any]]:
    """Wrong labels that a person who looks at so many pairs should find: those least probably right first, and by
    chance. Empty where no probability is calibrated."""
    wrong = np.sort(1 - correct[~np.isnan(correct)])[::-1]
    return [{"review": k, "corrections": float(wrong[:k].sum()), "random": float(k * wrong.mean())}
            for k in BUDGETS if k < len(wrong)]  # fmt: skip


def _field(measures: Measures, extractor: Extractor, column: str, rows: NDArray[np.int64]) -> pl.Series:
    """A struct column of the pairs with both answers."""
    parts = []
    for number in range(measures.store.parts()):
        part = measures.store.read(measures.kind(extractor), number, ["row", column])
        parts.append(part.filter(pl.Series(np.isin(part["row"].to_numpy(), rows)))[column])
    return pl.concat(parts)


def _cuts(measures: Measures, extractor: Extractor, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(models, 2, n): of each pair whether its prompt was cut, and whether an answer was too long to be read."""
    models = measures.state(extractor).height
    found = [np.zeros((models, 2, 0), bool)]
    for number in range(measures.store.parts()) if models else ():
        part = measures.store.read(measures.kind(extractor), number, ["row", "rewards"])
        here = part["rewards"].filter(pl.Series(np.isin(part["row"].to_numpy(), rows))).struct.unnest()
        told = np.zeros((models, 2, here.height), bool)
        for k in range(models):
            said = here.select(pl.col("chosen", "rejected", "margin", "cut").list.get(k, null_on_oob=True))
            missing = (said["chosen"].is_null() | said["rejected"].is_null()) & said["margin"].is_null()
            told[k] = (said["cut"].fill_null(False) & ~missing).to_numpy(), missing.to_numpy()
        found.append(told)
    return np.concatenate(found, axis=2)


def _shares(cut: NDArray[np.bool_] | None, margin: Floats, y: Floats) -> dict[str, Any]:
    """How many pairs lost the beginning of a prompt or were not read, and what the cut does: the share of labels that
    the scorer agrees with among the pairs that were cut, and among the others."""
    names = ("cut", "cut_share", "unread", "unread_share", "accuracy_cut", "accuracy_whole")
    if cut is None:
        return dict.fromkeys(names)
    right = np.where(margin > 0, 1.0, np.where(margin < 0, 0.0, 0.5))
    hard = ~np.isnan(margin) & (y == 1)
    each = [float(right[at].mean()) if int(at.sum()) >= ENOUGH else None for at in (hard & cut[0], hard & ~cut[0])]
    cuts, unread = int(cut[0].sum()), int(cut[1].sum())
    told = (cuts, cuts / len(y), unread, unread / len(y), *(each if cuts else (None, None)))
    return dict(zip(names, told, strict=True))


def _scorer(margin: Floats, pairs: _Pairs) -> dict[str, Any]:
    """Accuracy, ties and AUC against the labels, whole and in slices, and how far the scorer follows length."""
    known = ~np.isnan(margin)
    hard = known & (pairs.y == 1)
    right = np.where(margin > 0, 1.0, np.where(margin < 0, 0.0, 0.5))
    rate = stats.cluster_rate(right[hard], pairs.group[hard]) if hard.any() else None
    gap = np.abs(np.nan_to_num(pairs.length))
    edges = np.quantile(gap[hard], [1 / 3, 2 / 3]) if hard.any() else np.zeros(2)
    third = np.searchsorted(edges, gap, side="right")
    counts = pairs.source.filter(pl.Series(hard)).drop_nulls().value_counts()
    largest = counts.sort(["count", "source"], descending=[True, False])["source"].head(SLICES)
    by_source = {name: hard & (pairs.source == name).fill_null(False).to_numpy() for name in largest}
    by_gap = {name: hard & (third == k) for k, name in enumerate(("alike", "between", "far apart"))}
    return {
        "accuracy": rate and rate[0],
        "accuracy_interval": rate and list(rate[1:]),
        "ties": int((margin[hard] == 0).sum()),
        **_area(margin, hard, pairs.group),
        "by_source": [{"source": name, **_area(margin, at, pairs.group)} for name, at in by_source.items()],
        "by_length_gap": [{"gap": name, **_area(margin, at, pairs.group)} for name, at in by_gap.items()],
        "length_rho": _rho(margin[known], np.nan_to_num(pairs.length[known])),
    }


def _area(margin: Floats, at: NDArray[np.bool_], group: NDArray[np.int64]) -> dict[str, Any]:
    n = int(at.sum())
    if n < ENOUGH:
        return {"n": n, "auc": None, "auc_interval": None}
    area = auc(margin[at], np.unique(group[at], return_inverse=True)[1])
    return {"n": n, "auc": area[0], "auc_interval": list(area[1:])}


def _rho(x: Floats, y: Floats) -> float | None:
    """Correlation about 0 of signed ranks of the sizes: exchanging the answers of any pair does not change it."""
    a, b = _signed(x), _signed(y)
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else None


def _signed(x: Floats) -> Floats:
    _, inverse, counts = np.unique(np.abs(x), return_inverse=True, return_counts=True)
    return np.asarray(np.sign(x) * (np.cumsum(counts) - (counts - 1) / 2)[inverse])


def _ece(margin: Floats, y: Floats) -> float | None:
    """Expected calibration error of sigma(margin) as the probability of the label, each pair taken both ways round
    (MORE, arXiv 2312.07401, with ten bins of equal width): only reward models claim that unit."""
    at = ~np.isnan(margin) & (y == 1)
    if int(at.sum()) < ENOUGH:
        return None
    p = 1 / (1 + np.exp(-np.abs(margin[at])))
    right = np.where(margin[at] > 0, 1.0, np.where(margin[at] < 0, 0.0, 0.5))
    place = np.minimum(((p - 0.5) * 2 * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(place, p - right, BINS)).sum() / len(p))


def _consensus(measures: Measures, extractor: Extractor, columns: Columns, length: Floats,
               rows: NDArray[np.int64]) -> dict[str, Any]:  # fmt: skip
    state = measures.state(extractor)
    about = state.row(0, named=True)
    mean = _field(measures, extractor, "consensus", rows).struct.field("mean").fill_null(float("nan")).to_numpy()
    mean = np.where(columns.y == 1, mean, np.nan)
    known = ~np.isnan(mean)
    told: dict[str, Any] = {"n": int(known.sum()), "trained": int(about["weight"])}
    if getattr(extractor, "share", 1.0) < 1:
        told["share"] = extractor.share  # type: ignore[attr-defined]
    if not known.any():
        return {**told, "note": "too few groups to fit a head"}
    shares = state.filter(pl.col("fold") >= 0).group_by("view", maintain_order=True).agg(pl.col("share").mean())
    told["views"] = dict(shares.rows())
    told["prompt"] = json.loads(about["view"]).get("prompt")
    told["below"] = []
    for level in LEVELS:
        rate = stats.cluster_rate(np.where(known, (mean < level).astype(float), np.nan), columns.group)
        told["below"].append({"level": level, "n": int((mean[known] < level).sum()), "rate": rate[0],
                              "interval": list(rate[1:])})  # fmt: skip
    kept = known & (mean >= CUT_AT)
    told["min_consensus"] = {"at": CUT_AT, "drops": 1 - float(kept.sum() / known.sum()),
                             "length_auc": _length_auc(length[known], columns.group[known]),
                             "length_auc_kept": _length_auc(length[kept], columns.group[kept])}  # fmt: skip
    return told


def _length_auc(length: Floats, group: NDArray[np.int64]) -> float | None:
    """How well the longer, or the shorter, answer tells the label."""
    if len(length) < ENOUGH:
        return None
    area = auc(np.nan_to_num(length), np.unique(group, return_inverse=True)[1])[0]
    return max(area, 1 - area)

"""What the principles say: each with how the labels follow it, and the constitution against its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import stats
from prefaudit.audit.columns import Columns, gather, length_of
from prefaudit.audit.lens import activations
from prefaudit.audit.measure import Measures
from prefaudit.extractors.constitution import ASKED, VOTED, stored
from prefaudit.lens import probe
from prefaudit.principles.ask import beside, listed
from prefaudit.principles.constitution import Constitution, Ruled, held, score
from prefaudit.principles.discover import Found
from prefaudit.principles.library import Principle
from prefaudit.principles.path import agreed
from prefaudit.principles.slices import disagreements, slices
from prefaudit.stats.baselines import FOLDS, newton, spline, squash
from prefaudit.stats.groups import dense
from prefaudit.stats.intervals import Floats

FILE = "constitution.json"
FAMILY = "principles"
SINGLE, LENGTH, TEXT, LENS = "the best single principle", "length, any curve", "all text features", "lens and length"


def principles(measures: Measures, columns: Columns, length: Floats, baselines: Mapping[str, Any],
               seed: int) -> dict[str, Any]:  # fmt: skip
    """The report's `principles` and `constitution`; empty where no principle was asked.

    Args:
        measures: of the audit.
        columns: of all pairs with both answers.
        length: log-ratio of their lengths.
        baselines: of the report, on the same rows and folds where there are groups enough for them.
        seed: of folds and sample.
    """
    extractor = next((e for e in measures.present if e.name == "constitution"), None)
    if extractor is None or not len(columns.y):
        return {"principles": [], "constitution": {}}
    model = by_model(measures)
    some = sampled(measures)
    if some is not None:  # all was chosen on them
        columns, length, baselines = *_among(measures, columns, length, some), {}
    found, given = stored(measures.state(extractor)), bool(measures.state(extractor)["given"][0])
    file = Path(str(getattr(extractor, "constitution", ""))).name if given else FILE
    known, readers = asked(measures), {p.id for p in model.principles} if model else set()
    votes = _votes(measures, columns)
    section = {
        "given": given, "n": found.n, "groups": found.groups, "total": found.total, "note": found.note,
        "rules": _rules(found, known, readers, votes, columns, length, seed),
        "held_out": found.held_out, "curve": found.curve, "fits": found.fits, "file": file if found.rules else None,
    }  # fmt: skip
    if model is not None:
        section["asked"] = model.facts | {"alone": some is not None}
    if given:
        section |= {"agreement": _agreement(found.rules, votes, columns), "seen": found.seen}
    section["baselines"] = _baselines(found, known, measures, columns, length, baselines, seed)
    section |= _parts(found.rules, known, votes, columns)
    return {"principles": _each(found, known, readers), "constitution": section}


def _among(measures: Measures, columns: Columns, length: Floats, rows: Sequence[int]) -> tuple[Columns, Floats]:
    """Those of the pairs that are among these."""
    if len(columns.y) < columns.counted.numbers["pairs"]:  # a sample, which has few of them
        some = gather(measures.store, measures, rows=rows)
        return some, length_of(some)
    here = np.isin(columns.meta["row"].to_numpy(), np.asarray(rows))
    features = {name: (chosen[here], rejected[here]) for name, (chosen, rejected) in columns.features.items()}
    meta = columns.meta.filter(pl.Series(here))
    some = replace(columns, meta=meta, y=columns.y[here], group=columns.group[here], features=features)
    return some, length[here]


def metrics(told: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that dataset rules read; none where nothing is held out."""
    section = told["constitution"]
    held_out = section.get("held_out") or section.get("agreement") or {}
    if not held_out or not section["rules"]:
        return {}
    return {"principles_agreement": held_out["agreement"], "principles_low": held_out["interval"][0],
            "principles_rules": len(section["rules"])}  # fmt: skip


def asked(measures: Measures) -> dict[str, Principle]:
    """The principles that were voted on, by id; one that is measured and was read too is from where it was read."""
    found = {p.id: p for e in measures.present if hasattr(e, "asked") for p in e.asked()}
    model = by_model(measures)
    for p in model.principles if model else ():
        found[p.id] = replace(found.get(p.id, p), source=p.source, citation=p.citation)
    return found


def by_model(measures: Measures) -> Found | None:
    """What a language model was asked, and its votes."""
    extractor = next((e for e in measures.present if e.name == ASKED), None)
    return None if extractor is None else Found.from_frame(measures.state(extractor))


def sampled(measures: Measures) -> tuple[int, ...] | None:
    """The pairs that a reader voted on; None where there is none, or a file has votes on measured principles alone."""
    model = by_model(measures)
    if model is None:
        return None
    measured = {p.id for e in measures.present if hasattr(e, "asked") for p in e.asked()}
    everywhere = "file" in model.facts and {p.id for p in model.principles} <= measured
    return None if everywhere else model.ballots.rows


def _votes(measures: Measures, columns: Columns) -> pl.DataFrame:
    """Votes of the pairs with both answers, a column a principle."""
    rows = columns.meta["row"].to_numpy()
    voting = [e for e in measures.present if e.name in VOTED]
    parts = []
    for number in range(measures.store.parts()):
        frames = [measures.store.read(measures.kind(e), number) for e in voting]
        here = pl.Series(np.isin(frames[0]["row"].to_numpy(), rows))
        told = [f[e.name].struct.unnest() for f, e in zip(frames, voting, strict=True)]
        parts.append(pl.concat(told, how="horizontal").filter(here))
    votes = pl.concat(parts)
    model = by_model(measures)
    if model is None:
        return votes
    return beside(votes, listed(model.ballots, model.principles, columns.meta["row"]))


def _each(found: Constitution, known: Mapping[str, Principle], readers: Set[str]) -> list[dict[str, Any]]:
    """Every principle in the direction the labels follow, those of the constitution first, then the strongest.

    Those among `readers` were voted on by a model, or in a file; the others are measured.
    """
    weights = {rule.id: rule for rule in found.rules}
    each = []
    for entry in found.stats:
        p, rule = known[entry["id"]], weights.get(entry["id"])
        follows = 0.5 if entry["followed"] is None else entry["followed"]
        sign = rule.sign if rule else -1 if follows < 0.5 else 1
        each.append({"says": p.told(sign), "sign": sign, "text": p.text, "family": p.family, "source": p.source,
                     "citation": p.citation, "read": p.id in readers, **entry, "weight": rule.weight if rule else None,
                     "frequency": found.frequency.get(p.id, 0.0 if found.fits else None)})  # fmt: skip
    order = {rule.id: k for k, rule in enumerate(found.rules)}
    return sorted(each, key=lambda e: (order.get(e["id"], len(order)), -abs(e["strength"] or 0), e["id"]))


def _rules(found: Constitution, known: Mapping[str, Principle], readers: Set[str], votes: pl.DataFrame,
           columns: Columns, length: Floats, seed: int) -> list[dict[str, Any]]:  # fmt: skip
    by_id = {entry["id"]: entry for entry in found.stats}
    told = []
    for rule in found.rules:
        entry = by_id.get(rule.id) or {}
        follows, ends = entry.get("followed"), entry.get("interval")
        if rule.sign < 0 and follows is not None and ends is not None:
            follows, ends = 1 - follows, [1 - ends[1], 1 - ends[0]]
        told.append({
            "id": rule.id, "says": known[rule.id].told(rule.sign), "sign": rule.sign, "weight": rule.weight,
            "read": rule.id in readers,
            "speaks": entry.get("speaks"), "applies": entry.get("applies"), "followed": follows, "interval": ends,
            "frequency": found.frequency.get(rule.id),
            "fresh": _fresh(rule, found, votes, columns, length, seed),
        })  # fmt: skip
    return told


def _fresh(rule: Ruled, found: Constitution, votes: pl.DataFrame, columns: Columns, length: Floats,
           seed: int) -> dict[str, Any]:  # fmt: skip
    """The effect of a rule on pairs that did not select it.

    These are, of every fold whose own list (chosen on the other folds) has the rule, the pairs of that fold; and all
    pairs outside the sample. With a list that was given, all pairs.
    """
    if rule.id not in votes.columns:
        return {"n": 0}
    keep, fold = held(columns.group, columns.y, seed)
    mask = columns.y != 0.5
    if found.selected:
        mask[np.flatnonzero(keep)] = np.isin(fold, [k for k, ids in enumerate(found.selected) if rule.id in ids])
    if not mask.any():
        return {"n": 0}
    favours = rule.sign * votes[rule.id].cast(pl.Float32).fill_null(float("nan")).to_numpy()[mask]
    options = stats.EffectOptions(labels={rule.id: rule.id}, joint_rows=0)
    sides, group = {rule.id: (favours, np.zeros_like(favours))}, columns.group[mask]
    table = stats.effects(columns.y[mask], length[mask], sides, {rule.id: FAMILY}, group, None, seed, options)
    row = table.row(0, named=True)
    return {"n": row["n"], "followed": row["win_rate"], "interval": _ends(row["win_low"], row["win_high"]),
            "delta_win": row["delta_win"], "effect_interval": _ends(row["low"], row["high"]),
            "note": row["note"]}  # fmt: skip


def _ends(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]


def _agreement(rules: Sequence[Ruled], votes: pl.DataFrame, columns: Columns) -> dict[str, Any]:
    """How far labels agree with a list that was given."""
    here = columns.y != 0.5
    if not here.any():
        return {}
    told = score(rules, votes)[here]
    rate = stats.cluster_rate(agreed(told, columns.y[here]), dense(columns.group[here]))
    return {"n": int(here.sum()), "agreement": rate[0], "interval": list(rate[1:]), "silent": float((told == 0).mean())}


def _baselines(found: Constitution, known: Mapping[str, Principle], measures: Measures, columns: Columns,
               length: Floats, have: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:  # fmt: skip
    """What else predicts the same labels, on the same rows and folds of groups."""
    if not found.held_out:
        return []
    single = found.single
    told = [{"name": SINGLE, "says": known[single["id"]].told(single["sign"]), "agreement": single["agreement"],
             "interval": single["interval"]}]  # fmt: skip
    keep, fold = held(columns.group, columns.y, seed)
    y, group = columns.y[keep], dense(columns.group[keep])
    curve = spline(np.nan_to_num(length[keep]))
    views: dict[str, NDArray[np.float32]] = {}
    for name, key in ((LENGTH, "length"), (TEXT, "text")):
        if have.get("n") == len(y) and have.get(f"{key}_accuracy") is not None:
            told.append(_line(name, have[f"{key}_accuracy"], have[f"{key}_accuracy_interval"]))
        else:
            views[name] = curve if key == "length" else _texts(columns, curve, keep)
    lens = None
    if any(e.name == "lens" for e in measures.present):
        lens = activations(measures, columns.meta["row"].to_numpy()[keep], y, length[keep], columns.group[keep])
        views[LENS] = curve  # and its values, which know the labels of a fold's other pairs alone
    inner = stats.folds(group, 2, seed + 1)
    for name, x in views.items():
        score = np.empty(len(y))
        for k in range(FOLDS):
            rows = fold != k
            if name == LENS and lens is not None:
                x = np.column_stack([curve, _sized(lens(rows))]).astype(np.float32)
            beta = newton(x[rows], y[rows], 1e-3) if name == LENGTH else probe.tuned(x[rows], y[rows], inner[rows])
            score[~rows] = x[~rows] @ beta
        rate = stats.cluster_rate(agreed(score, y), group)
        told.append(_line(name, rate[0], list(rate[1:])))
    return told


def _line(name: str, agreement: float, interval: list[float]) -> dict[str, Any]:
    return {"name": name, "says": None, "agreement": agreement, "interval": interval}


def _texts(columns: Columns, curve: NDArray[np.float32], keep: NDArray[np.bool_]) -> NDArray[np.float32]:
    both = (columns.features[name] for name in columns.features)
    return np.column_stack([curve, *(squash(c[keep] - r[keep]) for c, r in both)]).astype(np.float32)


def _sized(z: NDArray[np.float32]) -> NDArray[np.float32]:
    size = np.sqrt((z.astype(np.float64) ** 2).mean(0))
    return np.asarray(z / np.where(size > 0, size, 1), np.float32)


def _parts(rules: Sequence[Ruled], known: Mapping[str, Principle], votes: pl.DataFrame,
           columns: Columns) -> dict[str, Any]:  # fmt: skip
    """Weights by annotator and by source, and what the largest of each disagree on."""
    found: dict[str, Any] = {"by": {}, "disagreements": []}
    for kind in ("annotator", "source"):
        rows, names, y = _named(columns, kind)
        if not len(rows):
            continue
        some, group = votes[rows], columns.group[rows]
        told = slices(some, y, group, names, rules)
        if told:
            found["by"][kind] = told
            found["disagreements"] += [
                {"by": kind, **one, "text": known[one["id"]].text} for one in disagreements(some, y, group, names)
            ]
    return found


def _named(columns: Columns, kind: str) -> tuple[NDArray[np.int64], pl.Series, Floats]:
    """Rows, names and labels: one entry a vote of an annotator, or a pair of a source."""
    meta = columns.meta
    index = np.arange(meta.height)
    voted = np.zeros(len(index), bool)
    if kind == "annotator":
        voted = (meta["votes"].list.len().fill_null(0) > 0).to_numpy()
    own = np.flatnonzero(~voted & meta[kind].is_not_null().to_numpy())
    names, y = meta[kind].gather(own).cast(pl.String).rename("name"), columns.y[own]
    if not voted.any():
        return own, names, y
    each = pl.DataFrame({"at": index[voted], "votes": meta["votes"].filter(pl.Series(voted))})
    each = each.explode("votes").unnest("votes").filter(pl.col("annotator").is_not_null())
    return (np.concatenate([own, each["at"].to_numpy()]), pl.concat([names, each["annotator"].rename("name")]),
            np.concatenate([y, each["vote"].to_numpy()]))  # fmt: skip

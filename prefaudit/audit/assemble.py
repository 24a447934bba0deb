"""What was read, measured and judged, put together as the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from prefaudit import gates
from prefaudit.audit import rows, together
from prefaudit.audit.measure import Measures
from prefaudit.audit.next import commands, unknowns
from prefaudit.audit.read import Opened
from prefaudit.audit.selection import recorded
from prefaudit.audit.tell import contamination, languages
from prefaudit.config import Options
from prefaudit.core import SCHEMA, Rule
from prefaudit.extractors.constitution import ASKED
from prefaudit.store import Store

TOGETHER = 4  # pairs of a finding about pairs that belong together
LENS, LENS_EXAMPLES = 12, 2  # features of the lens whose pairs are in the report, and how many of each


@dataclass(frozen=True)
class Statistics:
    """What is computed from the columns alone; no rule and no threshold changes it."""

    effects: pl.DataFrame
    summary: dict[str, Any]
    baselines: dict[str, Any]
    annotators: pl.DataFrame
    metrics: dict[str, Any]
    known: dict[str, bool]
    told: dict[str, Any]  # agreement, position, shortcuts, models: as they stand in the report


@dataclass(frozen=True)
class Judged:
    """The rules asked, what each answered, and the rows."""

    rules: Mapping[str, Rule]
    results: list[dict[str, Any]]
    findings: pl.DataFrame
    slices: list[dict[str, Any]]
    gates: list[dict[str, Any]]


def report(opened: Opened, store: Store, measures: Measures, statistics: Statistics, judged: Judged,
           options: Options) -> dict[str, Any]:  # fmt: skip
    """The report of docs/architecture.md, as a plain dict."""
    rules, results, source = judged.rules, judged.results, opened.source
    dataset = _dataset(opened, store, statistics)
    failed = bool(measures.failed) or any(r["status"] == "error" for r in results)
    fails = bool(gates.fails({"fail_on": options.fail_on, "rules": results, "gates": judged.gates}))
    too_few = "" if "length_auc" in statistics.baselines else statistics.baselines["note"]
    linked = _linked(store, measures, results)
    named = [row for r in results for row in r["examples"]] + [row for one in linked for row in one["rows"]]
    named += [row for e in _lens_first(statistics.told["lens"]) for row in e["examples"][:LENS_EXAMPLES]]
    return {
        "schema": SCHEMA, "complete": not failed, "exit_code": 2 if failed else int(fails), "fail_on": options.fail_on,
        "dataset": dataset,
        "options": {"format": options.format, "map": dict(options.map), "select": list(options.select),
                    "ignore": list(options.ignore), "params": options.params, "severity": dict(options.severity),
                    "gate": options.gate, "extractors": [e.name for e in measures.extractors],
                    "measured": recorded(measures.extractors), "sample": options.sample, "seed": options.seed},
        "unknown": unknowns(rules, results, _known(statistics, options), [e.name for e in measures.present],
                            measures.failed, too_few),
        "extractors": [{"name": e.name, "fingerprint": measures.print_of(e),
                        "status": "failed" if e.name in measures.failed else "ok",
                        "error": measures.failed.get(e.name, "")} for e in measures.extractors],
        "rules": results, "gates": judged.gates,
        "effects": [_effect(row) for row in statistics.effects.iter_rows(named=True)],
        "effects_summary": statistics.summary,
        "baselines": statistics.baselines,
        "annotators": [_bounded(row) for row in statistics.annotators.iter_rows(named=True)],
        **statistics.told, "constitution": statistics.told["constitution"] or _unanswered(measures),
        "slices": judged.slices,
        "together": linked,
        "languages": languages(store, measures),
        "contamination": contamination(store, measures),
        "examples": {str(row["row"]): rows.example(row) for row in rows.fetch(store, list(dict.fromkeys(named)))},
        "next": commands(
            results, judged.findings, source.paths, source.container, {"map": options.map, "format": options.format}
        ),
    }  # fmt: skip


def _unanswered(measures: Measures) -> dict[str, Any]:
    """The report's `constitution` where a language model did not answer enough: which calls failed."""
    facts = measures.lost.get(ASKED)
    return {"rules": [], "note": "too few calls were answered", "asked": facts} if facts else {}


def _linked(store: Store, measures: Measures, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each finding about pairs that belong together, two of the groups that its examples are in."""
    told = []
    for r in results:
        if r["status"] == "fired" and r["scope"] == "pair" and r["code"] in together.KEYS:
            named = pl.Series(r["examples"], dtype=pl.Int64)
            groups, _ = together.groups(store, measures, r["code"], named, TOGETHER)
            told += [{"code": r["code"], "size": g.size, "rows": [pair["row"] for pair in g.pairs]} for g in groups]
    return told


def _lens_first(lens: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The features whose pairs the report shows: those that most surely move the choice, then the most frequent."""
    each = [e for e in lens.get("each", ()) if e["effect"]["delta_win"] is not None]
    return sorted(each, key=lambda e: (2.0 if e["effect"]["q"] is None else e["effect"]["q"],
                                       -abs(e["effect"]["delta_win"]), e["feature"]))[:LENS]  # fmt: skip


def _known(statistics: Statistics, options: Options) -> dict[str, bool]:
    """What the source tells, and what the user did."""
    told = {"truncation": options.max_length is not None, "contamination": bool(options.against),
            "presidio": bool(options.presidio)}  # fmt: skip
    return {**statistics.known, **told, "strength": bool(statistics.told["strength"])}


def _bounded(row: dict[str, Any]) -> dict[str, Any]:
    low, high = row.pop("low"), row.pop("high")
    return {**row, "interval": None if low is None else [low, high]}


def _effect(row: dict[str, Any]) -> dict[str, Any]:
    low, high = row.pop("win_low"), row.pop("win_high")
    return {**_bounded(row), "win_interval": None if low is None else [low, high]}


def _dataset(opened: Opened, store: Store, statistics: Statistics) -> dict[str, Any]:
    complete = store.load("pairs/complete.json") or {}
    skipped = pl.concat([store.read("skipped", k) for k in range(store.parts())])
    reasons = skipped["reason"].value_counts().sort(["count", "reason"], descending=[True, False])
    metrics = statistics.metrics
    source = opened.source
    return {
        "paths": list(source.paths), "format": opened.detected.layout.name, "why": opened.detected.why,
        "container": source.container, "fingerprint": source.fingerprint,
        "rows": complete["rows"], "pairs": complete["pairs"] - metrics["unpaired"], "unpaired": metrics["unpaired"],
        "skipped": skipped.height, "skipped_reasons": dict(reasons.rows()),
        "ties": metrics["ties"], "both_bad": metrics["both_bad"], "groups": metrics["groups"],
        "largest_group": metrics["largest_group"],
        "sample": None if complete["of"] is None else {"rows": complete["rows"], "of": complete["of"]},
        "notes": [*complete["notes"], *opened.detected.warnings],
    }  # fmt: skip

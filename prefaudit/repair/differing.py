"""`prefaudit diff`: what differs between two audits, or two datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit.audit import Audit, run
from prefaudit.audit import read as reading
from prefaudit.config import Options
from prefaudit.core import Progress
from prefaudit.repair import session

WORTH = 0.01  # a change of a win rate or effect that is worth a word


@dataclass(frozen=True)
class Diff:
    """Two audits side by side: numbers of the dataset, rules, effects, sources; each as (before, after)."""

    names: tuple[str, str]
    dataset: dict[str, tuple[Any, Any]]
    rules: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    words: list[str] = field(default_factory=list)


def diff(before: Any, after: Any, **options: Any) -> Diff:
    """Compare two audits or datasets.

    Args:
        before: an audit folder, an Audit, or data as for `prefaudit.scan`.
        after: another.
        options: the options of `scan`, for datasets.
    """
    from prefaudit.config import checked

    return compare(before, after, checked({"fail_on": "never", **options}))


def compare(before: Any, after: Any, options: Options, progress: Progress | None = None) -> Diff:
    """`diff` for callers that hold Options already."""
    audits = [_audit(x, options, progress) for x in (before, after)]
    a, b = (audit.report for audit in audits)
    keys = ("rows", "pairs", "skipped", "ties", "groups", "largest_group")
    dataset = {key: (a["dataset"][key], b["dataset"][key]) for key in keys}
    for key in ("longer_wins", "length_auc", "text_auc"):
        dataset[key] = (a["baselines"].get(key), b["baselines"].get(key))
    rules = _rules(a, b)
    effects = _effects(a, b)
    sources = _sources(*audits)
    names = (str(audits[0].folder), str(audits[1].folder))
    return Diff(names, dataset, rules, effects, sources, _words(dataset, effects, sources))


def _audit(given: Any, options: Options, progress: Progress | None) -> Audit:
    if isinstance(given, Audit):
        return given
    if isinstance(given, str | Path) and (Path(given) / "report.json").is_file():
        return Audit(given)
    opened = reading.open_source(given, options)
    return run(opened, None, session.as_scanned(opened, None, options), progress=progress, as_reviewed=True)


def _rules(a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, Any]]:
    found = {r["code"]: r for r in a["rules"]}
    later = {r["code"]: r for r in b["rules"]}
    rows = []
    for code in sorted(found.keys() | later.keys()):
        x, y = found.get(code), later.get(code)
        told = tuple(r["found"] if r and r["judged"] else None for r in (x, y))
        if any(told):
            rows.append({"code": code, "name": (x or y or {})["name"], "found": told,
                         "rate": tuple(r["rate"] if r else None for r in (x, y))})  # fmt: skip
    return rows


def _effects(a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, Any]]:
    later = {e["feature"]: e for e in b["effects"]}
    rows = []
    for x in a["effects"]:
        y = later.get(x["feature"])
        if y is None or x["win_rate"] is None or y["win_rate"] is None:
            continue
        interval = y.get("win_interval")
        rows.append({
            "feature": x["feature"], "label": x["label"], "win_rate": (x["win_rate"], y["win_rate"]),
            "delta_win": (x["delta_win"], y["delta_win"]),
            "lean": abs(y["win_rate"] - 0.5) - abs(x["win_rate"] - 0.5),
            "told": interval is not None and not interval[0] <= x["win_rate"] <= interval[1],
        })  # fmt: skip
    return sorted(rows, key=lambda r: (-abs(r["lean"]), r["feature"]))


def _sources(a: Audit, b: Audit) -> list[dict[str, Any]]:
    counts = []
    for audit in (a, b):
        parts = [audit.store.read("pairs", k, ["source"]) for k in range(audit.store.parts())]
        table = pl.concat(parts).drop_nulls().group_by("source").len() if parts else pl.DataFrame()
        counts.append(dict(table.rows()) if table.height else {})
    names = sorted(counts[0].keys() | counts[1].keys())
    return [{"source": n, "pairs": (counts[0].get(n, 0), counts[1].get(n, 0))} for n in names]


def _words(
    dataset: dict[str, tuple[Any, Any]], effects: list[dict[str, Any]], sources: list[dict[str, Any]]
) -> list[str]:
    said = []
    x, y = dataset["longer_wins"]
    if x is not None and y is not None:
        change = abs(y - 0.5) - abs(x - 0.5)
        verdict = "went up" if change > WORTH else "went down" if change < -WORTH else "did not change"
        said.append(f"the length bias {verdict}: longer wins {x:.3f} before, {y:.3f} after")
    up = [e for e in effects if e["lean"] > WORTH and e["told"]]
    down = [e for e in effects if e["lean"] < -WORTH and e["told"]]
    for what, rows in (("leans more", up), ("leans less", down)):
        if rows:
            listed = ", ".join(f"{e['label']} {e['win_rate'][0]:.3f} to {e['win_rate'][1]:.3f}" for e in rows[:4])
            said.append(f"{what}: {listed}{f' and {len(rows) - 4} more' if len(rows) > 4 else ''}")
    gone = [s["source"] for s in sources if s["pairs"][0] and not s["pairs"][1]]
    if gone:
        said.append(
            f"gone: {', '.join(repr(s) for s in gone[:4])}{f' and {len(gone) - 4} more' if len(gone) > 4 else ''}"
        )
    return said


def text(found: Diff, most: int = 12) -> str:
    """The comparison for a terminal."""
    lines = [*found.words, "", f"before  {found.names[0]}", f"after   {found.names[1]}", ""]
    lines.append(f"{'':<26}{'before':>12}{'after':>12}")
    lines += [f"{name.replace('_', ' '):<26}{_number(x):>12}{_number(y):>12}" for name, (x, y) in found.dataset.items()]
    if found.rules:
        lines += ["", f"{'FINDINGS':<26}{'before':>12}{'after':>12}"]
        lines += [f"{r['code'] + ' ' + r['name']:<26.26}{_number(r['found'][0]):>12}{_number(r['found'][1]):>12}"
                  for r in found.rules]  # fmt: skip
    if found.effects:
        lines += [
            "",
            f"{'CHOSEN HAS MORE':<26}{'win before':>12}{'win after':>12}{'held before':>13}{'held after':>12}",
        ]
        for e in found.effects[:most]:
            told = [*e["win_rate"], *e["delta_win"]]
            lines.append(f"{e['label']:<26.26}{_number(told[0]):>12}{_number(told[1]):>12}{_number(told[2]):>13}"
                         f"{_number(told[3]):>12}")  # fmt: skip
    if found.sources:
        lines += ["", f"{'SOURCES':<26}{'before':>12}{'after':>12}"]
        for s in sorted(found.sources, key=lambda s: s["pairs"][1] / max(1, s["pairs"][0]))[:most]:
            lines.append(f"{s['source']:<26.26}{_number(s['pairs'][0]):>12}{_number(s['pairs'][1]):>12}")
    return "\n".join(lines) + "\n"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"

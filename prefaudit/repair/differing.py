"""`prefaudit diff`: what differs between two audits, or two datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit.audit import Audit, run
from prefaudit.audit import read as reading
from prefaudit.audit.columns import gather
from prefaudit.config import Options
from prefaudit.core import Progress
from prefaudit.repair import session
from prefaudit.repair.drift import drift
from prefaudit.repair.matching import CHANGES, match
from prefaudit.repair.through import through

SCHEMA = "prefaudit.diff/1"
WORTH = 0.01  # a change of a win rate that is worth a word
KINDS = ("removed", "added", "changed", "relabelled")
SHOWN = 5  # rows of each kind in the report


@dataclass(frozen=True)
class Diff:
    """Two audits side by side; whatever is told of both is told as (before, after).

    `rows` counts pairs by what became of them, `changes` names each that did not stay as it was (the columns CHANGES),
    `effects` holds the drift of every feature with intervals, `lens` that of the features of a lens which both audits
    have, else why not, or nothing. `differs` says whether any pair did not stay.
    """

    names: tuple[str, str]
    rows: dict[str, Any]
    dataset: dict[str, tuple[Any, Any]]
    rules: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    lens: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    changes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CHANGES))

    @property
    def differs(self) -> bool:
        """Whether a pair was removed, added, changed or relabelled."""
        return any(self.rows[kind] for kind in KINDS)

    @property
    def report(self) -> dict[str, Any]:
        """All but `changes` as a plain dict: what `--output-format json` writes."""
        return {"schema": SCHEMA, "before": self.names[0], "after": self.names[1], "words": self.words,
                "rows": self.rows, "dataset": self.dataset, "rules": self.rules, "effects": self.effects,
                "sources": self.sources, "lens": self.lens}  # fmt: skip


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
    found = match(audits[0].store, audits[1].store, options.memory, options.workers or 2)
    x, y = (gather(audit.store, audit.measures()) for audit in audits)
    effects = _effects(drift(x, y, found.links), a, b)
    sources = _sources(*audits)
    names = (str(audits[0].folder), str(audits[1].folder))
    rows = _rows(found.same, found.changes)
    words = [*_words(dataset, effects, sources), _account(rows)]
    seen = through((audits[0], audits[1]), (x, y), found.links)
    words += [seen["note"]] if "note" in seen else []
    return Diff(names, rows, dataset, _rules(a, b), effects, sources, seen, words, found.changes)


def _audit(given: Any, options: Options, progress: Progress | None) -> Audit:
    if isinstance(given, Audit):
        return given
    if isinstance(given, str | Path) and (Path(given) / "report.json").is_file():
        return Audit(given)
    opened = reading.open_source(given, options)
    return run(opened, None, session.as_scanned(opened, None, options), progress=progress, as_reviewed=True)


def _rows(same: int, changes: pl.DataFrame) -> dict[str, Any]:
    """How many pairs of each kind, what changed in them, and the first rows of each."""
    counts = dict(changes["change"].value_counts().rows())
    rows: dict[str, Any] = {"same": same, **{kind: int(counts.get(kind, 0)) for kind in KINDS}}
    told = changes.filter(pl.col("what").is_not_null())["what"].value_counts()
    rows["what"] = dict(sorted(told.rows(), key=lambda item: (-item[1], item[0])))
    rows["examples"] = {
        kind: [
            {"before": x, "after": y}
            for x, y in changes.filter(pl.col("change") == kind).select("before", "after").head(SHOWN).rows()
        ]
        for kind in KINDS
    }
    return rows


def _rules(a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, Any]]:
    found = {r["code"]: r for r in a["rules"]}
    later = {r["code"]: r for r in b["rules"]}
    rows = []
    for code in sorted(found.keys() | later.keys()):
        x, y = found.get(code), later.get(code)
        told = tuple(r["found"] if r and r["judged"] else None for r in (x, y))
        if any(told):
            rows.append({"code": code, "name": (x or y or {})["name"], "found": told,
                         "rate": tuple(r["rate"] if r else None for r in (x, y)),
                         "interval": tuple(r["interval"] if r else None for r in (x, y))})  # fmt: skip
    return rows


def _effects(moved: list[dict[str, Any]], a: dict[str, Any], b: dict[str, Any]) -> list[dict[str, Any]]:
    """The drift with the length-held effects of both audits beside it, the largest growth of a lean first."""
    held = [{e["feature"]: e for e in x["effects"]} for x in (a, b)]
    rows = []
    for row in moved:
        told = [h.get(row["feature"], {}) for h in held]
        win = row["win_rate"]
        lean = None if win["change"] is None else abs(win["after"] - 0.5) - abs(win["before"] - 0.5)
        rows.append({**row, "lean": lean, "delta_win": tuple(e.get("delta_win") for e in told),
                     "delta_interval": tuple(e.get("interval") for e in told)})  # fmt: skip
    return sorted(rows, key=lambda r: (-abs(r["lean"] or 0), r["feature"]))


def _sources(a: Audit, b: Audit) -> list[dict[str, Any]]:
    counts = []
    for audit in (a, b):
        parts = [audit.store.read("pairs", k, ["source"]) for k in range(audit.store.parts())]
        table = pl.concat(parts).drop_nulls().group_by("source").len() if parts else pl.DataFrame()
        counts.append(dict(table.rows()) if table.height else {})
    names = sorted(counts[0].keys() | counts[1].keys())
    return [{"source": n, "pairs": (counts[0].get(n, 0), counts[1].get(n, 0))} for n in names]


def _account(rows: dict[str, Any]) -> str:
    told = ", ".join(f"{rows[kind]:,} {kind}" for kind in KINDS if rows[kind])
    return f"pairs: {rows['same']:,} the same, {told}" if told else f"all {rows['same']:,} pairs are the same"


def _words(
    dataset: dict[str, tuple[Any, Any]], effects: list[dict[str, Any]], sources: list[dict[str, Any]]
) -> list[str]:
    said = []
    x, y = dataset["longer_wins"]
    if x is not None and y is not None:
        change = abs(y - 0.5) - abs(x - 0.5)
        verdict = "went up" if change > WORTH else "went down" if change < -WORTH else "did not change"
        said.append(f"the length bias {verdict}: longer wins {x:.3f} before, {y:.3f} after")
    told = [e for e in effects if _beyond(e["win_rate"])]
    for what, sign in (("leans more", 1), ("leans less", -1)):
        rows = [e for e in told if sign * e["lean"] > WORTH]
        if rows:
            wins = [(e["label"], e["win_rate"]["before"], e["win_rate"]["after"]) for e in rows[:4]]
            listed = ", ".join(f"{label} {one:.3f} to {two:.3f}" for label, one, two in wins)
            said.append(f"{what}: {listed}{f' and {len(rows) - 4} more' if len(rows) > 4 else ''}")
    gone = [s["source"] for s in sources if s["pairs"][0] and not s["pairs"][1]]
    if gone:
        said.append(
            f"gone: {', '.join(repr(s) for s in gone[:4])}{f' and {len(gone) - 4} more' if len(gone) > 4 else ''}"
        )
    return said


def _beyond(moved: dict[str, Any]) -> bool:
    """Whether the interval of a change leaves out 0."""
    ends = moved["interval"]
    return ends is not None and not ends[0] <= 0 <= ends[1]

"""The tables of the page: what the report says of slices, annotators, duplicates and features of the lens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefaudit.reports.html.pairs import Pair, Pairs
from prefaudit.reports.lens import called, evidence
from prefaudit.reports.words import NONE, chance, clean, count, decimal, known, percent, points

RULES = 12  # rules told of each slice
PEOPLE = 40  # annotators
FEATURES = 200  # of the lens
LINKED = ("DUP", "CNF", "CTM")
TITLES = {"source": "By source", "annotator": "By annotator", "language": "By language of the answers"}
PER_SLICE = {"first_rate": "first chosen", "longer_rate": "longer chosen"}


@dataclass(frozen=True)
class Cell:
    """A table cell: its text, the number it sorts by, and how far it stands out, from 0 to 4."""

    text: str
    value: float | None = None
    heat: int = 0


@dataclass(frozen=True)
class Table:
    """A table: its name, its columns (the first is text, the others are numbers) and rows."""

    title: str
    head: list[str]
    rows: list[list[Cell]]
    note: str = ""


def text(value: Any, limit: int = 80) -> Cell:
    """Text of the dataset."""
    return Cell(clean(value, limit))


def _value(x: Any) -> float | None:
    return float(x) if known(x) else None


def size(value: Any) -> Cell:
    """A count."""
    return Cell(count(value), _value(value))


def share(value: Any, interval: Any = None, heat: int = 0) -> Cell:
    """A share with its interval."""
    return Cell(percent(value, interval), _value(value), heat)


def slices(report: dict[str, Any]) -> list[Table]:
    """A table of each kind of slice; the rules in it are those that fired most unevenly."""
    overall = {r["code"]: r.get("rate") for r in report.get("rules") or () if r.get("status") == "fired"}
    tables = []
    for by, title in TITLES.items():
        each = [s for s in report.get("slices") or () if s.get("by") == by]
        if not each:
            continue
        rates = [{r["code"]: r["found"] / r["judged"] for r in s.get("rules") or () if r.get("judged")} for s in each]
        codes = sorted(overall, key=lambda c: (-_uneven(c, rates, each), c))[:RULES]
        codes = sorted(code for code in codes if _uneven(code, rates, each) > 0)
        rows = []
        for s, rate in zip(each, rates, strict=True):
            told = [text(s.get("slice")), size(s.get("pairs")), share(s.get("share")), size(s.get("groups")),
                    size(s.get("ties")), share(s.get("longer_wins"), s.get("longer_wins_interval"))]  # fmt: skip
            rows.append([*told, *(share(rate.get(c), None, _heat(rate.get(c), overall[c])) for c in codes)])
        head = [by, "pairs", "share", "groups", "ties", "longer wins", *(clean(c, 20) for c in codes)]
        tables.append(Table(title, head, rows, "Under a code: the share of the slice's judged pairs in which it fired; "
                            "shaded where that is over 1.5 times the rate of the whole." if codes else ""))  # fmt: skip
    return tables


def _uneven(code: str, rates: Sequence[dict[str, float]], each: Sequence[dict[str, Any]]) -> float:
    """How far the rates of a rule lie apart, weighed by pairs."""
    told = [(rate[code], s.get("pairs") or 0) for rate, s in zip(rates, each, strict=True) if code in rate]
    whole = sum(n for _, n in told)
    if not whole:
        return 0.0
    mean = sum(rate * n for rate, n in told) / whole
    return float(sum(n * (rate - mean) ** 2 for rate, n in told) / whole)


def _heat(rate: float | None, whole: float | None) -> int:
    if not rate or not whole:
        return 0
    return sum(rate > times * whole for times in (1.5, 2, 3, 5))


def annotators(report: dict[str, Any]) -> Table | None:
    """Who labelled, those who agree least first."""
    people = report.get("annotators") or []
    if not people:
        return None
    order = sorted(people, key=lambda a: (not known(a.get("agreement")), a.get("agreement") or 0, str(a["annotator"])))
    rows = [
        [text(a.get("annotator"), 40), size(a.get("votes")), size(a.get("shared")),
         share(a.get("agreement"), a.get("interval")), share(a.get("reliability")), share(a.get("tie_rate")),
         *(share(a.get(key)) for key in PER_SLICE)]
        for a in order[:PEOPLE]
    ]  # fmt: skip
    head = ["annotator", "votes", "shared", "agreement", "reliability", "ties", *PER_SLICE.values()]
    left = len(people) - PEOPLE
    note = "Agreement with others on shared pairs; least first."
    return Table("Annotators", head, rows, note + (f" And {count(left)} more in the JSON report." if left > 0 else ""))


@dataclass(frozen=True)
class Linked:
    """A rule about pairs that belong together, with groups of them."""

    code: str
    name: str
    found: str
    rate: str
    groups: list[tuple[str, list[Pair]]]


def linked(report: dict[str, Any], pairs: Pairs) -> list[Linked]:
    """Duplicates, conflicts and contamination, each with groups that its examples are in."""
    told = []
    for r in report.get("rules") or ():
        if r.get("status") == "fired" and str(r.get("code"))[:3] in LINKED and r.get("scope") == "pair":
            mine = [g for g in report.get("together") or () if g.get("code") == r["code"]]
            groups = [(count(g.get("size")), pairs.of(g.get("rows") or (), 3)) for g in mine]
            found = f"{count(r.get('found'))} of {count(r.get('judged'))}"
            told.append(Linked(clean(r["code"], 20), clean(r.get("name", ""), 60), found,
                               percent(r.get("rate"), r.get("interval")), [g for g in groups if g[1]]))  # fmt: skip
    return told


@dataclass(frozen=True)
class Feature:
    """A feature of the lens."""

    cells: list[Cell]
    about: list[str]
    pairs: list[Pair]


LENS = ["feature", "differs", "at equal length, points", "q", "stability", "rows with most of it"]


def lens(report: dict[str, Any], pairs: Pairs) -> list[Feature]:
    """What the answers differ in, what surely moves the choice first."""
    each = (report.get("lens") or {}).get("each") or []
    return [_feature(e, pairs) for e in sorted(each, key=_sure)[:FEATURES]]


def _sure(feature: dict[str, Any]) -> tuple[float, float]:
    effect = feature.get("effect") or {}
    q = _value(effect.get("q"))
    return (2.0 if q is None else q, -abs(float(effect.get("delta_win") or 0)))


def _feature(e: dict[str, Any], pairs: Pairs) -> Feature:
    effect = e.get("effect") or {}
    delta, q = effect.get("delta_win"), effect.get("q")
    cells = [
        Cell(called(e)),
        share(effect.get("prevalence")),
        Cell(points(delta, effect.get("interval")), _value(delta)),
        Cell(chance(q) or NONE, _value(q)),
        Cell(decimal(e.get("stability")) + ("" if e.get("stable") else " unstable"),
             _value(e.get("stability"))),
        Cell(", ".join(clean(row, 40) for row in e.get("examples") or ())),
    ]  # fmt: skip
    about = [f"{what}, with their correlations: " + ", ".join(f"{clean(t['words'], 60)} {t['r']:+.2f}" for t in e[what])
             for what in ("terms", "properties") if e.get(what)]  # fmt: skip
    return Feature(cells, [*about, *evidence(e)], pairs.of(e.get("examples") or (), 2))

"""Two versions of a dataset side by side: the report of `prefaudit diff` as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from prefaudit.core import unknown
from prefaudit.reports import json
from prefaudit.reports.markdown import escape, table
from prefaudit.reports.words import chance, clean, clip, decimal, hundred, known, pad, pair_of, percent, points

MOST = 12  # features and sources that are shown
KINDS = ("removed", "added", "changed", "relabelled")
Table = tuple[str, list[str], list[list[str]]]
"""Title, head, rows; the first column is text, the others are numbers."""


def render(name: str, report: dict[str, Any]) -> str:
    """The comparison in the named format; it ends with a newline.

    Args:
        name: one of FORMATS.
        report: `Diff.report`.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise unknown("output format", name, FORMATS)
    return FORMATS[name](report)


def _tables(report: dict[str, Any]) -> Iterator[Table]:
    rows = report["rows"]
    told = [[kind, _number(rows[kind]), _examples(rows["examples"][kind])] for kind in KINDS]
    yield "PAIRS", ["pairs", "rows, before > after"], [["the same", _number(rows["same"]), ""], *told]
    if rows["what"]:
        yield "WHAT CHANGED", ["pairs"], [[clean(what), _number(n)] for what, n in rows["what"].items()]
    both = ["before", "after"]
    yield "DATASET", both, [[key.replace("_", " "), *map(_number, pair)] for key, pair in report["dataset"].items()]
    if report["rules"]:
        yield (
            "FINDINGS",
            both,
            [[f"{r['code']} {clean(r['name'])}", *map(_number, r["found"])] for r in report["rules"]],
        )
    if report["effects"]:
        head = ["win before", "after", "change [95 %], pts", "chosen", "rejected"]
        moved = [e for e in report["effects"] if any(e[what]["change"] for what in ("win_rate", "chosen", "rejected"))]
        yield "CHOSEN HAS MORE", head, [_effect(e) for e in moved[:MOST]] or [["nothing moved", *["-"] * 5]]
    if "each" in report.get("lens", {}):
        yield _through(report["lens"])
    if report["sources"]:
        first = sorted(report["sources"], key=lambda s: s["pairs"][1] / max(1, s["pairs"][0]))[:MOST]
        yield "SOURCES", both, [[clean(s["source"], 60), *map(_number, s["pairs"])] for s in first]


def _through(lens: Mapping[str, Any]) -> Table:
    """The features of a lens that both have, the surest change of an effect first."""
    rows = []
    for e in lens["each"][:MOST]:
        there, sides = e["prevalence"], [points(v) if known(v) else "-" for v in e["delta_win"]]
        share = [percent(there[k]) if known(there[k]) else "-" for k in ("before", "after")]
        change = points(e["delta_change"], e["interval"]) if known(e["delta_change"]) else "-"
        mark = "" if e["stable"] else " (unstable)"
        rows.append([f"{clean(e['feature'], 8)}: {clean(e['name'], 60)}{mark}", *share, *sides, change,
                     chance(e["q"]) or "-"])  # fmt: skip
    head = ["present before", "after", "effect before", "after", "change [95 %], pts", "q"]
    return "LENS, AT EQUAL LENGTH", head, rows


def _examples(rows: Sequence[Mapping[str, Any]]) -> str:
    told = []
    for row in rows[:3]:
        ends = [str(row[end]) for end in ("before", "after") if row[end] is not None]
        told.append(">".join(dict.fromkeys(ends)))
    return ", ".join(told)


def _effect(effect: Mapping[str, Any]) -> list[str]:
    win = effect["win_rate"]
    ends = pair_of(win["interval"])
    change = "-" if not known(win["change"]) else f"{100 * win['change']:+.1f}"
    change += f" [{100 * ends[0]:+.1f}, {100 * ends[1]:+.1f}]" if ends and change != "-" else ""
    return [clean(effect["label"]), *(hundred(win[k]) if known(win[k]) else "-" for k in ("before", "after")), change,
            *(_moved(effect[side]) for side in ("chosen", "rejected"))]  # fmt: skip


def _moved(side: Mapping[str, Any]) -> str:
    """A mean before and after, marked where the interval of the change leaves out 0."""
    if not known(side["before"]) or not known(side["after"]):
        return "-"
    ends = pair_of(side["interval"])
    told = ends is not None and not ends[0] <= 0 <= ends[1]
    return f"{side['before']:.4g} > {side['after']:.4g}{'*' if told else ''}"


def _number(value: Any) -> str:
    if not known(value):
        return "-"
    return f"{value:,}" if isinstance(value, int) else decimal(value)


NOTE = "* the 95 % interval of the change, by group, leaves out 0"


def _text(report: dict[str, Any]) -> str:
    lines = [*(clean(w) for w in report["words"]), "", f"before  {clean(report['before'])}",
             f"after   {clean(report['after'])}"]  # fmt: skip
    for title, head, rows in _tables(report):
        grid = [[title, *head], *rows]
        sizes = [max(len(row[i]) for row in grid) for i in range(len(grid[0]))]
        sizes[0] = min(max(sizes[0], 20), 30)
        lines.append("")
        for row in grid:
            cells = [pad(clip(c, s), s, right=i > 0) for i, (c, s) in enumerate(zip(row, sizes, strict=True))]
            lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, *(["", NOTE] if report["effects"] else [])]) + "\n"


def _markdown(report: dict[str, Any]) -> str:
    lines = ["## prefaudit diff", "", *(f"- {escape(clean(w))}" for w in report["words"]), ""]
    for title, head, rows in _tables(report):
        body = [[escape(cell) for cell in row] for row in rows]
        lines += [f"### {title.capitalize()}", "", *table(["", *head], body, range(1, len(head) + 1)), ""]
    return "\n".join([*lines, *([escape(NOTE), ""] if report["effects"] else [])])


def _json(report: dict[str, Any]) -> str:
    return json.render(report)


FORMATS: Mapping[str, Callable[[dict[str, Any]], str]] = MappingProxyType(
    {"terminal": _text, "json": _json, "markdown": _markdown}
)

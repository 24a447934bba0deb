"""The report as GitHub-flavoured Markdown, for the description of a pull request."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

from prefaudit.reports.digest import digest
from prefaudit.reports.parts import Digest, Finding
from prefaudit.reports.principles import RULES
from prefaudit.reports.strength import DECILES, SCORERS
from prefaudit.reports.words import clean, some

FINDINGS = 30  # rows of a table of findings
EFFECTS = 20
EXAMPLES = 2  # pairs shown below a finding
TEXT = 600  # characters of a text of a pair
LIMIT = 60_000  # characters in all: GitHub takes 65,536 in a description

_MARKS = re.compile(r"([\\`*_\[\]#|~$])")
_STARTS = re.compile(r"^(\d*)([-+=.)])")  # what makes a list or a heading at the start of a line
# GitHub turns these into links and notifications after Markdown is rendered, so a backslash does not stop them.
_LINKS = re.compile(r"(@|#|:(?=//)|\bwww(?=\.))", re.IGNORECASE)


def escape(text: str) -> str:
    """Cleaned text as text in a Markdown paragraph or table cell: no marks, no tags, no links, no mentions."""
    marked = _STARTS.sub(r"\1\\\2", _MARKS.sub(r"\\\1", html.escape(text, quote=False)))
    return _LINKS.sub(r"\1<!-- -->", marked)


def raw(text: str) -> str:
    """Cleaned text inside an HTML element, where GitHub reads no Markdown."""
    return _LINKS.sub(r"\1<!-- -->", html.escape(text, quote=False))


def code(text: str, *, cell: bool = False) -> str:
    """Cleaned one-line text as a code span, in which Markdown and GitHub change nothing."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") or not text else ""
    body = f"{fence}{space}{text}{space}{fence}"
    return body.replace("|", "\\|") if cell else body


def block(text: str) -> list[str]:
    """Cleaned text of several lines as a fenced block that the text cannot close."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [f"{fence}text", *text.split("\n"), fence]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """A pipe table; the cells are escaped already. Columns named in `right` are set flush right."""
    rule = ["---:" if i in right else "---" for i in range(len(head))]
    return ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The report under 60,000 characters; `width` and `color` change nothing.

    Args:
        report: The report of docs/architecture.md.
        width: Not used: Markdown flows.
        color: Not used.
    """
    said = digest(report)
    for most, examples, text in ((FINDINGS, EXAMPLES, TEXT), (FINDINGS, 1, 200), (FINDINGS, 0, 0), (5, 0, 0)):
        lines = list(_page(said, report.get("examples") or {}, (most, examples, text)))
        page = "\n".join(lines) + "\n"
        if len(page) <= LIMIT:
            break
    return page


def _page(said: Digest, pairs: dict[str, Any], room: tuple[int, int, int]) -> Iterator[str]:
    most, examples, text = room
    yield from ["## prefaudit", "", f"**{escape(said.headline)}**", ""]
    if said.failures:
        yield from [*(f"- {escape(failure)}" for failure in said.failures[:most]), ""]
    if said.gates:
        yield from [*(f"- {escape(line)}" for line in said.gates[:most]), ""]
    yield from ["### Read", "", *(f"- {escape(line)}" for line in said.read), ""]
    if said.probes:
        head = ("probe", "found", "its known errors allow", "corrected by review")
        rows = [(escape(what), *told) for what, *told in said.probes]
        yield from _details("Probes, and what their errors leave", table(head, rows))
    if said.skipped:
        rows = [(code(why, cell=True), n) for why, n in said.skipped[:most]]
        yield from _details("Rows skipped, by reason", table(("reason", "rows"), rows, (1,)))
    yield from ["### Unknown", "", escape(said.unjudged) + ".", ""]
    if said.unknown:
        rows3 = [
            (escape(u.what), escape(", ".join(u.rules)), code(u.remedy, cell=True) if u.remedy else "")
            for u in said.unknown[:most]
        ]
        yield from [*table(("the data does not tell", "rules unjudged for it", "to tell it"), rows3), ""]
    yield from ["### Fix first", "", *_findings(said.fix, most), ""]
    for finding in said.fix[:most]:
        yield from _finding(finding, pairs, examples, text)
    yield from [
        "### Predictable",
        "",
        "Predictable, not wrong.",
        "",
        *_tendencies(said.predictable, said.predictable_none, most),
        "",
    ]
    yield from ["### Held out", "", *_held_out(said), ""]
    yield from ["### Chosen has more", "", *_effects(said, min(most, EFFECTS)), ""]
    if said.strength:
        yield from ["### Strength", "", *(f"- {escape(note)}" for note in said.strength), ""]
    yield from _folded("Scorers", SCORERS, said.scorers)
    yield from _folded("Tenths by strength", DECILES, said.deciles)
    if said.principles_notes:
        yield from ["### Principles", "", *(f"- {escape(note)}" for note in said.principles_notes), ""]
    yield from _folded("The constitution: rules that the labels follow", RULES, said.principles)
    if said.lens:
        head6 = ("feature of the lens", "differs", "at equal length, points", "q", "stability", "pairs with most of it")
        yield from ["### Lens", "", *(f"- {escape(note)}" for note in said.lens_notes), ""]
        rows6 = [(escape(what), *facts) for what, *facts in said.lens[: max(most, 5)]]
        yield from _details("What the answers differ in, found in the data", table(head6, rows6, (1, 2, 3)))
    yield from ["### Next", "", "`DIR` is the folder of the audit.", "", *_next(said, most)]


def _folded(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        cells = [tuple(map(escape, row)) for row in rows]
        yield from _details(title, table(head, cells, tuple(range(1, len(head)))))


def _details(title: str, body: Sequence[str]) -> Iterator[str]:
    """A folded section; the blank lines make GitHub read Markdown inside."""
    yield from ["<details>", f"<summary>{title}</summary>", "", *body, "", "</details>", ""]


def _findings(findings: Sequence[Finding], most: int) -> Iterator[str]:
    if not findings:
        yield "Nothing."
        return
    rows = [
        (
            escape(f.severity),
            escape(f.code),
            escape(f.name),
            f.found,
            f.rate,
            escape(", ".join((f.rows or f.named)[:5])),
        )
        for f in findings[:most]
    ]
    head = ("severity", "code", "name", "found of judged", "rate, 95 % interval", "rows or names")
    yield from table(head, rows, (3, 4))
    yield from _more(len(findings) - most, "finding")


def _more(left: int, what: str) -> Iterator[str]:
    if left > 0:
        yield from ["", f"And {some(left, 'more ' + what)} in the HTML and JSON reports."]


def _finding(finding: Finding, pairs: dict[str, Any], examples: int, text: int) -> Iterator[str]:
    body: list[str] = []
    for words in (finding.what, finding.message, finding.remedy and f"To do: {finding.remedy}"):
        if words:
            body += [escape(words), ""]
    if finding.value:
        body += [f"Measured: {escape(finding.value)}", ""]
    if finding.unjudged:
        body += [f"{finding.unjudged} unjudged", ""]
    for row in [r for r in finding.rows if r in pairs][:examples]:
        body += [f"Row {escape(row)}", ""]
        for side in ("prompt", "chosen", "rejected"):
            if pairs[row].get(side) is not None:
                body += [f"{side}:", "", *block(clean(pairs[row][side], text, lines=True)), ""]
    if body:
        yield from _details(f"{raw(finding.code)} {raw(finding.name)}", body[:-1])


def _tendencies(findings: Sequence[Finding], none: str, most: int) -> Iterator[str]:
    if not findings:
        yield escape(f"{none[:1].upper()}{none[1:]}.")
        return
    rows = [
        (
            escape(f.code),
            escape(f.name),
            f.found if f.scope == "feature" else escape(f.value),
            escape(", ".join(f.named[:5])),
            escape(f.message),
        )
        for f in findings[:most]
    ]
    yield from table(("code", "name", "found of judged, or value", "names", "finding"), rows)
    yield from _more(len(findings) - most, "finding")


def _held_out(said: Digest) -> Iterator[str]:
    if said.held_n:
        yield from [f"{said.held_n}, each judged by a fit without its group.", ""]
    if said.held_out:
        rows = [(escape(name), accuracy, auc) for name, accuracy, auc in said.held_out]
        yield from [*table(("rule", "accuracy", "AUC"), rows, (1, 2)), ""]
    yield from (f"- {escape(note)}" for note in said.held_notes)


def _effects(said: Digest, most: int) -> Iterator[str]:
    if said.effects:
        head = ("feature", "wins, %", "at equal length, points", "joint", "pairs", "differ")
        rows = [(escape(e.label), e.win, e.held, e.joint, e.n, e.differs) for e in said.effects[:most]]
        yield from [*table(head, rows, (1, 2, 3, 4, 5)), ""]
        yield "Intervals are 95 % and by group. Joint: with the other families held too."
    yield from _more(len(said.effects) - most, "feature")
    yield ""
    yield from (f"- {escape(note)}" for note in said.effects_notes)


def _next(said: Digest, most: int) -> Iterator[str]:
    if not said.next:
        yield "Nothing to do."
        return
    rows = [(code(s.command, cell=True), escape(s.why), s.rows) for s in said.next[:most]]
    yield from table(("command", "what for", "rows"), rows, (2,))

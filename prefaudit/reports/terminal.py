"""The report on one screen of a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefaudit.reports.digest import digest
from prefaudit.reports.group import together
from prefaudit.reports.paint import Line, fit, paint
from prefaudit.reports.parts import DATASET, Digest, Effect, Finding
from prefaudit.reports.sides import show
from prefaudit.reports.words import cells, clean, clip, count, pad, some, wrap

__all__ = ["SCREEN", "clean", "render", "show", "together"]

SCREEN = 45  # lines
HELD = 6  # held-out predictions; the others are in the other reports
NARROWEST = 60  # columns; below that nothing lines up, and the terminal may wrap
INDENT = "  "
HEAD = "bold"
DIM = "dim"
SEVERITY = {"error": ("error", "bold red"), "warning": ("warn", "yellow"), "info": ("info", "cyan")}


@dataclass(frozen=True)
class Room:
    """How many entries each section may show."""

    failures: int = 3
    gates: int = 4
    read: int = 6
    unknown: int = 4
    fix: int = 8
    predictable: int = 4
    effects: int = 8
    next: int = 4
    wrapped: int = 2  # lines that one sentence may take


# Taken away one entry at a time, in this order, until the report fits: what a reader acts on is cut last.
CUTS = (
    *("effects", "effects", "unknown", "predictable", "next", "fix"),
    *("effects", "unknown", "predictable", "next", "fix", "effects", "wrapped"),
    *("effects", "fix", "failures", "gates", "read", "read", "fix", "unknown", "predictable", "next", "fix"),
)


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The report in at most `SCREEN` lines, each at most `width` columns wide but for commands, which stay whole.

    Args:
        report: The report of docs/architecture.md.
        width: Columns of the terminal; under 60 is taken as 60.
        color: Whether to style it; without it the text holds no escape sequence.
    """
    width = max(width, NARROWEST)
    said = digest(report)
    room = Room()
    lines = list(_layout(said, room, width))
    for name in CUTS:
        if len(lines) <= SCREEN:
            break
        room = replace(room, **{name: getattr(room, name) - 1})
        lines = list(_layout(said, room, width))
    return paint(lines, color=color)


def _layout(said: Digest, room: Room, width: int) -> Iterator[Line]:
    style = "bold red" if not said.complete else "bold green" if said.passed else "bold yellow"
    yield from _text(said.headline, width, "", 3, style)
    for failure in said.failures[: room.failures]:
        yield from _text(failure, width, INDENT, room.wrapped, "red")
    yield from _more(len(said.failures) - room.failures, "failure", width)
    for number, line in enumerate(said.gates[: room.gates]):
        yield from _text(line, width, INDENT, room.wrapped if number else 2)
    yield from _more(len(said.gates) - room.gates, "gate", width)
    yield []
    yield from _read(said, room, width)
    yield from _section("UNKNOWN", said.unjudged, width)
    yield from _unknown(said, room, width)
    yield from _section("FIX FIRST", "found of judged, rate with 95 % interval, rows" if said.fix else "", width)
    yield from _findings(said.fix, room.fix, width)
    yield from _section("PREDICTABLE", "predictable, not wrong", width)
    yield from _tendencies(said.predictable, said.predictable_none, room, width)
    yield from _section("HELD OUT", said.held_n and f"{said.held_n}, each judged by a fit without its group", width)
    yield from _held_out(said, width)
    if said.strength:
        yield from _section("STRENGTH", "how far outside evidence supports the labels", width)
        for note in said.strength[:3]:
            yield from _text(note, width, INDENT, room.wrapped)
    yield []
    yield from _effects(said, room, width)
    yield from _lens(said, room, width)
    yield from _section("NEXT", "", width)
    yield from _next(said, room.next, width)


def _section(name: str, note: str, width: int) -> Iterator[Line]:
    yield []
    yield fit([(name, HEAD), (f"  {note}" if note else "", DIM)], width)


def _read(said: Digest, room: Room, width: int) -> Iterator[Line]:
    first, *rest = said.read
    lines = list(_text(first, width - len("READ"), INDENT, room.wrapped))
    yield [("READ", HEAD), *lines[0]]
    yield from lines[1:]
    for line in rest[: room.read - 1]:
        yield from _text(line, width, INDENT, room.wrapped)
    yield from _more(len(said.read) - room.read, "note", width)


def _text(text: str, width: int, indent: str, most: int, style: str = "") -> Iterator[Line]:
    """A sentence in at most `most` lines, those after the first indented further."""
    hang = indent + INDENT
    lines = wrap(text, width - len(hang))
    for i, line in enumerate(lines[:most]):
        lead = hang if i else indent
        last = " ".join(lines[i:]) if i == most - 1 else line
        yield [(lead, ""), (clip(last, width - len(lead)), style)]


def _more(left: int, what: str, width: int) -> Iterator[Line]:
    if left > 0:
        yield fit([(f"{INDENT}and {some(left, 'more ' + what)} in the other reports", DIM)], width)


def _most(items: Sequence[object], most: int) -> int:
    """How many to show: the line that says "and 1 more" could as well hold that one."""
    return len(items) if len(items) == most + 1 else most


def _unknown(said: Digest, room: Room, width: int) -> Iterator[Line]:
    if not said.unknown:
        yield [(f"{INDENT}nothing that a rule asked for", "")]
    # A gap that keeps no rule from judging costs nothing today: it is in the other reports.
    gaps = [item for item in said.unknown if item.rules]
    most = _most(gaps, room.unknown)
    for item in gaps[:most]:
        codes = ", ".join(item.rules[:4]) + (f" and {count(len(item.rules) - 4)} more" if item.rules[4:] else "")
        line = f"{item.what}: {some(len(item.rules), 'rule')}" + (f" ({codes})" if codes else "")
        yield from _text(line + (f"; {item.remedy}" if item.remedy else ""), width, INDENT, 1)
    yield from _more(len(gaps) - most, "gap", width)


def _findings(findings: Sequence[Finding], most: int, width: int) -> Iterator[Line]:
    if not findings:
        yield [(f"{INDENT}nothing", "")]
        return
    most = _most(findings, most)
    shown = findings[:most]
    name = min(max(cells(f.name) for f in shown), 22)
    code = max(cells(f.code) for f in shown)
    found = max((cells(f.found) for f in shown if f.scope == "pair"), default=0)
    rate = max(cells(f.rate) for f in shown)
    for f in shown:
        word, style = SEVERITY.get(f.severity, (f.severity, ""))
        line: Line = [(INDENT + pad(clip(word, 5), 5) + " ", style), (pad(f.code, code) + " ", HEAD)]
        line.append((pad(clip(f.name, name), name) + INDENT, ""))
        if f.scope != "pair":
            said = (
                ("" if f.found == DATASET else f"{f.found}: ")
                + (f.message or f.value)
                + (f" ({', '.join(f.named)})" if f.named else "")
            )
            yield fit([*line, (clip(said, width - sum(cells(text) for text, _ in line)), "")], width)
            continue
        line.append((pad(f.found, found, right=True) + INDENT + pad(f.rate, rate), ""))
        left = width - sum(cells(text) for text, _ in line) - len(INDENT)
        yield fit([*line, (INDENT + _rows(f, left), DIM)], width)
    yield from _more(len(findings) - most, "finding", width)


def _rows(finding: Finding, left: int) -> str:
    """As many row numbers as fit, each whole."""
    if not finding.rows:
        return ""
    text = finding.rows[0]
    for row in finding.rows[1:]:
        if cells(f"{text}, {row}") > left:
            break
        text += f", {row}"
    return text if cells(text) <= left else ""


def _tendencies(findings: Sequence[Finding], none: str, room: Room, width: int) -> Iterator[Line]:
    if not findings:
        yield from _text(none, width, INDENT, room.wrapped)
    for f in findings[: room.predictable]:
        about = f.found + (f" ({', '.join(f.named)})" if f.named else "")
        facts = about if f.scope == "feature" else f.value
        yield from _text(
            f"{f.code} {f.message or f.name}" + (f"; {facts}" if facts else ""), width, INDENT, room.wrapped
        )
    yield from _more(len(findings) - room.predictable, "finding", width)


def _held_out(said: Digest, width: int) -> Iterator[Line]:
    if said.held_out:
        name = min(max(cells(row[0]) for row in said.held_out), width - 52)
        accuracy = max(cells(row[1]) for row in said.held_out)
        for rule, acc, auc in said.held_out[:HELD]:
            area = f"  AUC {auc}" if auc else ""
            yield fit([(f"{INDENT}{pad(clip(rule, name), name)}  {pad(acc, accuracy)}{area}", "")], width)
    for note in said.held_notes:
        yield from _text(note, width, INDENT, 1)


def _effects(said: Digest, room: Room, width: int) -> Iterator[Line]:
    name = "CHOSEN HAS MORE"
    most = _most(said.effects, room.effects)
    shown = said.effects[:most]
    if not shown:
        yield [(name, HEAD)]
    else:
        table = [["", "wins, % [95 %]", "at equal length, pts", "joint", "pairs", "differ"], *map(_row, shown)]
        if width < 90:
            table = [row[:5] for row in table]
        sizes = [max(cells(row[i]) for row in table) for i in range(len(table[0]))]
        # The label gives way: numbers are never cut. The header shares its line with the section's name.
        sizes[0] = max(len(name) - len(INDENT), min(sizes[0], width - 2 * len(sizes) - sum(sizes[1:])))
        for i, row in enumerate(table):
            parts = [
                pad(clip(text, size), size, right=j > 2) for j, (text, size) in enumerate(zip(row, sizes, strict=True))
            ]
            line = INDENT + INDENT.join(parts)
            yield fit([(line, "")] if i else [(name, HEAD), (line[len(name) :], DIM)], width)
    left = len(said.effects) - most
    notes = list(said.effects_notes)
    if left > 0:
        notes = [*notes[:-1], f"{count(left)} more not shown" + (f"; {notes[-1]}" if notes else "")]
    for note in notes:
        yield from _text(note, width, INDENT, room.wrapped)


def _lens(said: Digest, room: Room, width: int) -> Iterator[Line]:
    """What the pairs differ in and what of it moves the choice; only where a lens was fitted."""
    if not said.lens:
        return
    yield from _section("LENS", "what differs: effect at equal length, pts; share of pairs; stability", width)
    size = max(len(effect) for _, _, effect, *_ in said.lens[: room.effects])
    for what, differs, effect, _, stability, _ in said.lens[: room.effects]:
        facts = f"{pad(effect, size)}  {pad(differs, 6, right=True)}  {stability}"
        name = max(width - len(INDENT) * 2 - cells(facts), 20)
        yield fit([(f"{INDENT}{pad(clip(what, name), name)}{INDENT}{facts}", "")], width)
    for note in (*said.lens_naming, *said.lens_notes[-1:]):
        yield from _text(note, width, INDENT, 2)  # one line would cut numbers


def _row(effect: Effect) -> list[str]:
    return [effect.label, effect.win, effect.held, effect.joint, effect.n, effect.differs]


def _next(said: Digest, most: int, width: int) -> Iterator[Line]:
    if not said.next:
        yield [(f"{INDENT}nothing to do", "")]
    shown = said.next[:most]
    size = max((cells(s.command) for s in shown), default=0)
    for step in shown:
        why = (f"{step.rows}: " if step.rows else "") + step.why
        if len(INDENT) * 2 + size + cells(why) <= width or 2 * size <= width:
            yield fit([(INDENT + pad(step.command, size), HEAD), (INDENT + why, "")], width)
            continue
        # A command is there to be copied: it stays whole, and its reason goes below.
        yield [(INDENT + step.command, HEAD)]
        yield from _text(why, width, INDENT * 2, 1)

"""The pairs behind a finding: chosen and rejected one above the other, or side by side where there is room."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from prefaudit.reports.diff import Marked, marked
from prefaudit.reports.paint import Line, fit, paint
from prefaudit.reports.words import cells, clean, count, known, number, percent, some, valued, wrap

BESIDE = 100  # columns from which the two answers stand side by side
GAP = "   "
INDENT = "  "
FOLD = 12  # lines of a text that are shown
TAIL = 3  # of these at its end: how an answer breaks off is often the finding
TEXT = 20_000  # characters of a text that are looked at
PROMPT = 4  # lines of the prompt


def show(
    rows: Iterable[Mapping[str, Any]], rule: Mapping[str, Any] | None, *, width: int = 80, color: bool = False,
    note: str = "",
) -> str:  # fmt: skip
    """The pairs of a finding, for reading.

    Args:
        rows: One mapping a pair: `row`, `prompt` (text, or messages of `role` and `content`, of which the last turn is
            shown), `chosen`, `rejected` (None for a reply without a counterpart), and where known `label`, `value` and
            `places`: the texts that stand elsewhere, each as its name, the share that does, and where.
        rule: The finding's entry in the report's `rules`; None for a row asked for by number.
        width: Columns; from 100 on the answers stand side by side.
        color: Mark differing words by colour; without it as ``[-rejected-]`` and ``{+chosen+}``.
        note: What to say below them.
    """
    width = max(width, 40)
    lines: list[Line] = list(header(rule, width)) if rule else []
    empty = True
    for pair in rows:
        empty = False
        lines += [[]] if lines else []
        lines += _pair(pair, width, color)
    if empty and not note:
        pairwise = rule is None or rule.get("scope") == "pair"
        lines.append([("no rows to show" if pairwise else "it is about no single row: see `prefaudit rule`", "")])
    lines += [[], [(note, "dim")]] if note else []
    return paint(lines, color=color)


def header(rule: Mapping[str, Any], width: int) -> Iterator[Line]:
    """The rule, how much it found, and what it says."""
    facts = _facts(rule)
    head = f"{clean(rule.get('code', ''), 20)} {clean(rule.get('name', ''), 60)}"
    yield fit([(head, "bold"), (f"  {clean(rule.get('severity', ''), 10)}, {facts}", "dim")], width)
    if rule.get("end") and known(rule.get("value")):
        for line in wrap(f"value {valued(rule)}", width - len(INDENT)):
            yield [(INDENT + line, "")]
    for key in ("what", "message") if rule.get("status") != "unjudged" else ("message",):
        if rule.get(key):
            for line in wrap(clean(rule[key], 600), width - len(INDENT))[:4]:
                yield [(INDENT + line, "")]
            return


def _facts(rule: Mapping[str, Any]) -> str:
    """How many of how many, in the rule's own unit; of the whole dataset, its value."""
    if rule.get("status") in ("unjudged", "error"):
        return str(rule["status"])
    if rule.get("scope") == "pair":
        rate = percent(rule.get("rate"), rule.get("interval"))
        return f"{count(rule.get('found'))} of {some(rule.get('judged'), 'pair')}, {rate}"
    about = ", ".join(clean(name, 40) for name in (rule.get("named") or ())[:5])
    if rule.get("scope") == "feature":
        return f"{count(rule.get('found'))} of {some(rule.get('judged'), 'feature')}" + (f" ({about})" if about else "")
    value = f", value {number(rule['value'])}" if known(rule.get("value")) else ""
    return f"the whole dataset{value}" + (f" ({about})" if about else "")


def _pair(pair: Mapping[str, Any], width: int, color: bool) -> Iterator[Line]:
    facts = [f"label {clean(pair['label'], 40)}"] if pair.get("label") is not None else []
    value = pair.get("value")
    if value is not None:
        facts.append(f"value {number(value) if known(value) else clean(value, 40)}")
    yield fit([(f"row {clean(pair.get('row', ''), 40)}", "bold"), ("".join(f", {f}" for f in facts), "dim")], width)
    for name, part, place in pair.get("places") or ():
        for line in wrap(f"{name}: {percent(part)} in {clean(place, 600)}", width - len(INDENT)):
            yield [(INDENT + line, "")]
    role, prompt = last(pair.get("prompt"))
    yield [(INDENT + (role or "prompt"), "dim")]
    yield from folded([(prompt, "")], width - 2 * len(INDENT), PROMPT, INDENT * 2)
    chosen, rejected = (
        None if pair.get(s) is None else clean(pair[s], TEXT, lines=True) for s in ("chosen", "rejected")
    )
    left: Marked = [(chosen or "", False)]
    right: Marked = [(rejected or "", False)]
    share = None
    if chosen and rejected:
        left, right, share = marked(chosen, rejected)
    if share is not None:
        said = "the same words" if share == 1 else f"{percent(share)} of the words in common"
        yield [(f"{INDENT}{said}", "dim")]
    beside = width >= BESIDE and chosen is not None and rejected is not None
    size = (width - len(INDENT) - len(GAP)) // 2 if beside else width - 2 * len(INDENT)
    columns = [
        list(_answer(name, text, parts, size, color))
        for name, text, parts in (("chosen", chosen, left), ("rejected", rejected, right))
    ]
    if beside:
        yield from _beside(columns[0], columns[1], size)
    else:
        for name, *body in columns:
            yield [(INDENT, ""), *name]
            yield from ([(INDENT * 2, ""), *line] for line in body)


def last(prompt: Any) -> tuple[str, str]:
    """Role and text of the prompt's last turn."""
    if isinstance(prompt, Sequence) and not isinstance(prompt, str):
        if not prompt:
            return "", "(no prompt)"
        turn = prompt[-1]
        earlier = f" (after {some(len(prompt) - 1, 'turn')})" if len(prompt) > 1 else ""
        return clean(turn.get("role") or "prompt", 40) + earlier, clean(turn.get("content") or "", TEXT, lines=True)
    return "", clean(prompt, TEXT, lines=True) if prompt else "(no prompt)"


def _answer(name: str, text: str | None, parts: Marked, size: int, color: bool) -> Iterator[Line]:
    """A heading, then the text with its differing words marked."""
    style = "bold green" if name == "chosen" else "bold red"
    if not text:
        yield [(name, style), (" (there is none)" if text is None else " (empty)", "dim")]
        return
    yield [(name, style), (f" {some(len(text.split()), 'word')}", "dim")]
    if color:
        pieces = [(t, style if mark else "") for t, mark in parts]
    else:
        before, after = ("{+", "+}") if name == "chosen" else ("[-", "-]")
        pieces = [(f"{before}{t}{after}" if mark else t, "") for t, mark in parts]
    yield from folded(pieces, size, FOLD, "")


def folded(pieces: Sequence[tuple[str, str]], size: int, most: int, indent: str) -> Iterator[Line]:
    """The pieces as lines of at most `size` columns, and how many were left out."""
    lines = _wrap(pieces, size)
    left = len(lines) - most
    head = len(lines) if left <= 1 else most - min(TAIL, most // 2)
    for i, line in enumerate(lines):
        if head <= i < head + left:
            if i == head:
                yield [(f"{indent}… {some(left, 'line')} left out", "dim")]
            continue
        yield [(indent, ""), *line] if indent else line


def _wrap(pieces: Sequence[tuple[str, str]], size: int) -> list[Line]:
    """Like `words.wrap`, for pieces of several styles and texts of several lines."""
    lines: list[Line] = [[]]
    used = 0
    for text, style in pieces:
        for token in re.findall(r"\n| +|[^ \n]+", text):
            if token == "\n":
                lines.append([])
                used = 0
                continue
            width = cells(token)
            if used + width > size and used and not token.isspace():
                lines.append([])
                used = 0
            for part in wrap(token, size) if width > size else (token,):
                width = cells(part)
                if used + width > size:
                    if part.isspace():
                        continue
                    lines.append([])
                    used = 0
                lines[-1].append((part, style))
                used += width
    return lines


def _beside(left: Sequence[Line], right: Sequence[Line], size: int) -> Iterator[Line]:
    nothing: Line = []
    for a, b in zip_longest(left, right, fillvalue=nothing):
        a, b = fit(a, size), fit(b, size)
        used = sum(cells(text) for text, _ in a)
        yield [(INDENT, ""), *a, (" " * (size - used) + GAP, ""), *b]

"""Pairs that belong together, each after the first shown by what sets it apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from prefaudit.reports.diff import LITTLE, WORDS
from prefaudit.reports.paint import Line, fit, paint
from prefaudit.reports.sides import FOLD, INDENT, PROMPT, TEXT, folded, header, last
from prefaudit.reports.words import clean, count, percent, some

SIDES = ("chosen", "rejected")
STYLE = {"chosen": "bold green", "rejected": "bold red"}
AROUND = 10  # words shown on either side of what differs
MARKS = {"+": ("{+", "+}", "bold green"), "-": ("[-", "-]", "bold red"), "": ("", "", "")}

Merged = list[tuple[str, str]]
"""Pieces of a text with what sets it apart from another: "+" is here alone, "-" there alone, "" in both."""


def together(
    groups: Sequence[tuple[Sequence[Mapping[str, Any]], int]], rule: Mapping[str, Any], *, width: int = 80,
    color: bool = False, note: str = "",
) -> str:  # fmt: skip
    """The groups of a finding, for reading.

    Args:
        groups: Of each group the pairs to show (as for `sides.show`) and how many it has.
        rule: The finding's entry in the report's `rules`.
        width: Columns.
        color: Mark differing words by colour; without it as ``{+words+}`` and, of the first pair, ``[-words-]``.
        note: What to say below them.
    """
    width = max(width, 40)
    lines: list[Line] = list(header(rule, width))
    for number, (pairs, size) in enumerate(groups, 1):
        shown = "" if len(pairs) == size else f", {count(len(pairs))} of them shown"
        lines += [[], fit([(f"group {number}", "bold"), (f"  {some(size, 'pair')}{shown}", "dim")], width)]
        for pair in pairs:
            lines += _pair(pair, pairs[0], width, color)
    lines += [[], [(note, "dim")]] if note else []
    return paint(lines, color=color)


def _pair(pair: Mapping[str, Any], first: Mapping[str, Any], width: int, color: bool) -> Iterator[Line]:
    facts = [str(clean(pair[key], 40)) for key in ("label", "annotator", "source") if pair.get(key) is not None]
    head = f"row {clean(pair.get('row', ''), 40)}"
    yield fit([(INDENT + head, "bold"), (f"  {', '.join(facts)}", "dim")], width)
    size = width - 3 * len(INDENT)
    base = {"prompt": last(first.get("prompt"))[1], **{s: _text(first, s) for s in SIDES}}
    prompt = last(pair.get("prompt"))[1]
    yield from _said("prompt", prompt, {"prompt": base["prompt"]} if pair is not first else {}, first, size, color)
    for side in SIDES:
        text = _text(pair, side)
        others = {side: base[side], **{s: base[s] for s in SIDES}} if pair is not first else {}
        yield from _said(side, text, others, first, size, color)


def _text(pair: Mapping[str, Any], side: str) -> str | None:
    return None if pair.get(side) is None else clean(pair[side], TEXT, lines=True)


def _said(name: str, text: str | None, others: Mapping[str, str | None], first: Mapping[str, Any], size: int,
          color: bool) -> Iterator[Line]:  # fmt: skip
    """One text: as the same, as a variant, or whole; `others` are the texts of the first pair it may repeat."""
    lead, style = INDENT * 2, STYLE.get(name, "dim")
    if not text:
        yield [(lead + name, style), (" (there is none)" if text is None else " (empty)", "dim")]
        return
    for other, there in others.items():
        if there == text:
            where = f"row {first['row']}" if other == name else f"{other} of row {first['row']}"
            yield [(lead + name, style), (f"  the same as {where}", "dim")]
            return
    parts: Merged = [(text, "")]
    note, best = "", LITTLE
    for other, there in others.items():
        here, share = merged(there or "", text)
        if share > best:
            parts, best = here, share
            note = f"  {percent(share)} of the words in common with {'' if other == name else other + ' of '}"
            note += f"row {first['row']}"
    yield [(lead + name, style), (note, "dim")]
    if color:
        pieces = [(piece, MARKS[mark][2]) for piece, mark in parts]
    else:
        pieces = [(MARKS[mark][0] + piece + MARKS[mark][1], "") for piece, mark in parts]
    most = FOLD if note else PROMPT if name == "prompt" else FOLD // 2
    yield from folded(pieces, size, most, INDENT * 3)


def merged(there: str, here: str) -> tuple[Merged, float]:
    """One text with the words that another has in their place, and the share of words the two have in common.

    Long runs of words that both have are cut to `AROUND` at either end.
    Method: `difflib`'s longest matching blocks over the first `WORDS` words of each; the share is its ratio.
    """
    a, b = (re.findall(r"\S+\s*", text) for text in (there, here))
    words = [[word.strip() for word in side[:WORDS]] for side in (a, b)]
    matcher = SequenceMatcher(None, words[0], words[1], autojunk=False)
    out: Merged = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            same = b[j1:j2] if j2 - j1 <= 3 * AROUND else [*b[j1 : j1 + AROUND], "… ", *b[j2 - AROUND : j2]]
            out.append(("".join(same), ""))
            continue
        for side, low, high, mark in ((a, i1, i2, "-"), (b, j1, j2, "+")):
            if high > low:
                piece = "".join(side[low:high])
                bare = piece.rstrip()
                gap = "" if not out or out[-1][0][-1:].isspace() else " "
                out += [(gap, ""), (bare, mark), (piece[len(bare) :], "")]
    return [*out, (" …" if len(b) > WORDS else "", "")], matcher.ratio()

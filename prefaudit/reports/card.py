"""A section for a dataset card: what the audit says of the data, between two marks in README.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefaudit.core import UsageError
from prefaudit.reports.digest import digest
from prefaudit.reports.markdown import escape, table
from prefaudit.reports.parts import Digest

BEGIN = "<!-- prefaudit: begin -->"
END = "<!-- prefaudit: end -->"
FINDINGS = 20
EFFECTS = 10


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The section with its marks; it quotes no pair. `width` and `color` change nothing."""
    return "\n".join([BEGIN, *_section(digest(report)), END]) + "\n"


def _section(said: Digest) -> Iterator[str]:
    headline = said.headline.rpartition(";")[0]  # whether a gate passed is for the pipeline, not for the card
    yield from ["## Audit", "", f"By prefaudit: {escape(headline)}.", ""]
    yield from (f"- {escape(line)}" for line in said.read)
    found = [*said.fix, *said.predictable]
    if found:
        rows = [
            (
                escape(f.severity),
                escape(f.code),
                escape(f.what or f.message or f.name),
                f.found,
                f.rate or escape(f.value),
            )
            for f in found[:FINDINGS]
        ]
        head = ("severity", "rule", "what it says", "found of judged", "rate with 95 % interval, or value")
        yield from ["", "### Findings", "", *table(head, rows, (3, 4))]
    if len(found) > FINDINGS:
        yield from ["", f"And {len(found) - FINDINGS} more."]
    told = [e for e in said.effects if e.interval is not None]
    if told:
        effects = [(escape(e.label), e.held, e.n) for e in told[:EFFECTS]]
        moved = ("chosen has", "effect at equal length, points", "pairs")
        yield from ["", "### Effects", "", *table(moved, effects, (1, 2)), "", "Predictable, not wrong."]
    if said.held_out:
        held = [(escape(name), accuracy, auc) for name, accuracy, auc in said.held_out]
        yield from ["", "### Predicted from", "", *table(("rule", "accuracy", "AUC"), held, (1, 2))]


def into(path: Path, section: str) -> bytes:
    """A card with the section in the place of the one it has, or at its end; every other byte stays as it was.

    Args:
        path: README.md, with or without front matter; it need not be there.
        section: what `render` gave.

    Raises:
        UsageError: it cannot be read, is no UTF-8, or its marks do not make one section.
    """
    try:
        text = path.read_bytes().decode("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"the card {path.name} cannot be read: {e}", "it has to be a text file in UTF-8") from e
    newline = "\r\n" if "\r\n" in text else "\n"
    begins, ends = _marks(text, BEGIN), _marks(text, END)
    new = section.rstrip("\n").replace("\n", newline)
    if not begins and not ends:
        gap = "" if not text else newline if text.endswith(("\n", "\r")) else newline * 2
        return (text + gap + new + newline).encode()
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise UsageError(
            f"{path.name} has {len(begins)} of the mark {BEGIN} and {len(ends)} of {END}",
            "leave one of each, in this order, or none, on lines of their own",
        )
    return (text[: begins[0]] + new + text[ends[0] + len(END) :]).encode()


def _marks(text: str, mark: str) -> list[int]:
    """Where a mark stands alone on its line."""
    found, at = [], 0
    for line in text.splitlines(keepends=True):
        if line.strip() == mark:
            found.append(at + line.index(mark))
        at += len(line)
    return found

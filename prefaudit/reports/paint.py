"""Lines of styled pieces, and the one place where they become text: plain, or with colour by rich."""

from __future__ import annotations

from collections.abc import Iterable

from prefaudit.reports.words import cells, clip

Line = list[tuple[str, str]]
"""Pieces of text, each with a style in rich's words; pieces are never parsed, so no markup in them takes effect."""


def paint(lines: Iterable[Line], *, color: bool) -> str:
    """The lines as text with a final newline; without `color` the pieces alone, free of any escape sequence."""
    if not color:
        return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)
    # Loaded here: piped output and --help pay nothing for it.
    from rich.color import ColorSystem
    from rich.style import Style

    def piece(text: str, style: str) -> str:
        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD) if style else text

    return "".join("".join(piece(text, style) for text, style in line) + "\n" for line in lines)


def fit(line: Line, width: int) -> Line:
    """The line in at most `width` columns."""
    left = width
    kept: Line = []
    for text, style in line:
        size = cells(text)
        if size > left:
            return [*kept, (clip(text, left), style)]
        kept.append((text, style))
        left -= size
    return kept

"""The report dict in, text out: one file per output format."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from prefaudit.core import unknown
from prefaudit.reports import baseline, card, github, html, json, jsonl, junit, markdown, sarif, terminal


class Format(Protocol):
    """What a module of this room offers."""

    def render(self, report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
        """The report as text that ends with a newline."""


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        **{"terminal": terminal, "json": json, "jsonl": jsonl, "markdown": markdown, "html": html},
        **{"sarif": sarif, "junit": junit, "github": github, "card": card, "baseline": baseline},
    }
)


def render(name: str, report: dict[str, Any], **options: Any) -> str:
    """The report in the named format.

    Args:
        name: One of `FORMATS`.
        report: The report of docs/architecture.md.
        options: `width` in columns and `color`, which only the terminal's format follows.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise unknown("output format", name, FORMATS)
    return FORMATS[name].render(report, **options)

"""One JSON line per rule result: what a script counts or a log keeps."""

from __future__ import annotations

from typing import Any

from prefaudit.reports.json import canonical, dumps


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The items of the report's `rules`, one a line in the report's order; `width` and `color` change nothing.

    Raises:
        TypeError: a rule result holds a value of no type that JSON has.
    """
    return "".join(dumps(canonical(rule)) + "\n" for rule in report.get("rules") or ())

"""What fired, for `--baseline`: a small file to keep beside the data."""

from __future__ import annotations

from typing import Any

from prefaudit.gates import written
from prefaudit.reports.json import canonical, dumps


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """See `gates.written`; `width` and `color` change nothing.

    Raises:
        UsageError: the audit is incomplete.
    """
    return dumps(canonical(written(report)), indent=2) + "\n"

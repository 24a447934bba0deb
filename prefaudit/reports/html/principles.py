"""What principles say of the labels, as far as the report tells it."""

from __future__ import annotations

from typing import Any


def section(report: dict[str, Any]) -> dict[str, Any] | None:
    """Nothing where no principle was asked."""
    return None

"""Layouts of preference data: found from columns and values, read into PAIRS by SQL in DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from prefaudit.formats import annotators, arena, conversations, explicit, hh, kwise, nested, unpaired, verdicts
from prefaudit.formats.base import Detected, Layout
from prefaudit.formats.build import ALL, NEXT
from prefaudit.formats.detect import FIELDS, LITERALS
from prefaudit.formats.detect import detect as _detect
from prefaudit.formats.group import regroup
from prefaudit.formats.pairs import to_pairs, unaccounted

LAYOUTS: tuple[Layout, ...] = (
    *explicit.LAYOUTS,
    *hh.LAYOUTS,
    *conversations.LAYOUTS,
    *verdicts.LAYOUTS,
    *annotators.LAYOUTS,
    *arena.LAYOUTS,
    *nested.LAYOUTS,
    *kwise.LAYOUTS,
    *unpaired.LAYOUTS,
)


def detect(
    columns: Mapping[str, str], sample: pa.Table, name: str | None = None, mapping: Mapping[str, str] | None = None
) -> Detected:
    """Find the layout of a source.

    Args:
        columns: source columns to their kind, text or json.
        sample: some rows of the source with these columns.
        name: the layout the user asks for, if any.
        mapping: canonical field (one of FIELDS) to column.

    Raises:
        UsageError: an unknown layout, field or column.
        FormatError: no layout fits, or several do.
    """
    return _detect(LAYOUTS, columns, sample, name, mapping)


def table() -> list[dict[str, Any]]:
    """One dict a layout, for `prefaudit formats`: name, title, about, columns, verified, regroups."""
    return [
        {
            "name": one.name,
            "title": one.title,
            "about": one.about,
            "columns": list(one.wants),
            "verified": one.verified,
            "regroups": one.regroups,
        }
        for one in LAYOUTS
    ]


__all__ = [
    "ALL",
    "FIELDS",
    "LAYOUTS",
    "LITERALS",
    "NEXT",
    "Detected",
    "Layout",
    "detect",
    "regroup",
    "table",
    "to_pairs",
    "unaccounted",
]

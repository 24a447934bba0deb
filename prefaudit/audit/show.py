"""The pairs behind a finding, a page of them at a time."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from prefaudit.audit import rows
from prefaudit.audit import together as linked
from prefaudit.core import unknown
from prefaudit.reports import terminal
from prefaudit.reports.words import count, some

if TYPE_CHECKING:
    from prefaudit.audit import Audit

LIMIT = 10  # pairs a page, where no number is asked for


def shown(audit: Audit, what: str, page: tuple[int, int], *, width: int = 80, color: bool = False) -> str:
    """The pairs behind a finding (a rule code) or one pair (its row), as text with the differing words marked.

    Args:
        audit: a finished audit.
        what: a rule's code, or the number of a pair.
        page: how many pairs (groups, of those that belong together) to leave out, and how many pairs to show at most.
        width: columns.
        color: mark by colour.

    Raises:
        UsageError: no such rule or row, or nothing is left to show.
    """
    results = {r["code"]: r for r in audit.report["rules"]}
    if what.isdigit():
        found = rows.fetch(audit.store, [int(what)])
        if not found:
            raise unknown("row", what, (f"0 to {audit.store.scan('pairs').select(pl.len()).collect().item() - 1}",))
        return terminal.show(found, None, width=width, color=color)
    if what not in results:
        raise unknown("rule or row", what, results)
    first, limit = page
    hits = audit.findings.filter((pl.col("rule") == what) & pl.col("row").is_not_null())
    if results[what]["status"] == "fired" and what in linked.KEYS:
        groups, total = linked.groups(audit.store, audit.measures(), what, hits["row"], limit, first)
        if total:
            note = _more(audit.store.name, what, (first, first + len(groups), total), limit, "group")
            told = [(group.pairs, group.size) for group in groups]
            return terminal.together(told, results[what], width=width, color=color, note=note)
    found = _rows(audit, what, hits.slice(first, limit))
    note = _more(audit.store.name, what, (first, first + len(found), hits.height), limit, "pair")
    return terminal.show(found, results[what], width=width, color=color, note=note)


def _rows(audit: Audit, what: str, hits: pl.DataFrame) -> list[dict[str, Any]]:
    values: Mapping[int, Any] = dict(zip(hits["row"].to_list(), hits["value"].to_list(), strict=True))
    places = rows.places(audit.measures(), what, list(values)) if what in rows.PLACES else {}
    found = rows.fetch(audit.store, list(values))
    return [{**row, "value": values[row["row"]], "places": places.get(row["row"])} for row in found]


def _more(folder: str, what: str, at: tuple[int, int, int], limit: int, name: str) -> str:
    """Which of how many these are, and the command for the next ones; empty where that is all there is."""
    first, last, total = at
    if first == 0 and last >= total:
        return ""
    if first >= total:
        return f"there are {some(total, name)}, none from {count(first)} on"
    told = f"{name}s {count(first + 1)} to {count(last)} of {count(total)}"
    pages = "" if limit == LIMIT else f"-n {limit} "
    command = f"prefaudit show {shlex.quote(folder)} {what} {pages}--from {last}"
    return told + (f"; the next: {command}" if last < total else "")

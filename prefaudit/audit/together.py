"""The rows of a finding that belong together: duplicates, contradictions, circles, one answer in many pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from prefaudit.audit import rows
from prefaudit.audit.measure import Measures
from prefaudit.store import Store

Keys = Callable[[pl.LazyFrame], pl.LazyFrame]


@dataclass(frozen=True)
class Group:
    """Some pairs of one group, in reading order, and how many it has."""

    pairs: list[dict[str, Any]]
    size: int


def _field(path: str) -> pl.Expr:
    root, _, name = path.partition(".")
    return pl.col(root).struct.field(name) if name else pl.col(root)


def _by(*paths: str) -> Keys:
    """Rows by these columns; those of several columns are one group where the values are the same."""

    def keys(features: pl.LazyFrame) -> pl.LazyFrame:
        sides = [features.select("row", key=_field(path)) for path in paths]
        return pl.concat(sides).drop_nulls("key").unique()

    return keys


def _leaks(features: pl.LazyFrame) -> pl.LazyFrame:
    """A row of another file, and those that repeat it."""
    told = features.select("row", key=_field("leak.row")).drop_nulls("key")
    return pl.concat([told, told.select(row="key", key="key")]).unique()


def _answers(features: pl.LazyFrame) -> pl.LazyFrame:
    """The pairs that an answer stands in, for those under several prompts."""
    sides = [features.filter(_field(f"{s}.prompts") > 1).select("row", key=_field(f"{s}.first_row")) for s in "cr"]
    return pl.concat(sides).unique()


KEYS: dict[str, Keys] = {
    "DUP001": _by("dup.group"),
    "DUP002": _answers,
    "DUP003": _by("near_pair.group"),
    "DUP004": _answers,
    "DUP005": _leaks,
    "DUP006": _leaks,
    "DUP007": _by("near_prompt.group"),
    "DUP008": _by("near_chosen.group", "near_rejected.group"),
    "CNF001": _by("conflict"),
    "CNF002": _by("conflict"),
    "CNF003": _by("cycle.group"),
    "CNF004": _by("cycle.group"),
    "CNF006": _by("near_pair.group"),
}
"""Rules about pairs that belong together, and what says which."""

READ = ("dup.group", "near_pair.group", "leak.row", "near_prompt.group", "near_chosen.group", "near_rejected.group",
        "conflict", "cycle.group", "c.prompts", "r.prompts", "c.first_row", "r.first_row")  # fmt: skip
LARGEST_FIRST = {"DUP002", "DUP004", "DUP007", "DUP008"}


def groups(store: Store, measures: Measures, code: str, named: pl.Series, limit: int,
           first: int = 0) -> tuple[list[Group], int]:  # fmt: skip
    """The groups behind a finding, at most `limit` pairs in all, of every group at least two.

    Args:
        store: the audit folder.
        measures: its columns.
        code: the rule.
        named: the rows it names; empty for a rule about the whole dataset, whose groups are all that there are.
        limit: pairs at most.
        first: groups that are left out.

    Returns:
        Groups, and how many there are; 0 where the rule is not about pairs that belong together, or what groups them
        was not measured.
    """
    keys = KEYS.get(code)
    if keys is None:
        return [], 0
    try:
        some = [keys(measures.features(k, READ).lazy()).collect() for k in range(store.parts())]
    except pl.exceptions.ColumnNotFoundError:  # a field that READ leaves out is another error, and a fault of ours
        return [], 0
    known = pl.concat([pl.DataFrame(schema={"row": pl.Int64, "key": pl.Int64}), *some]).unique()
    if len(named):
        known = known.filter(pl.col("key").is_in(known.filter(pl.col("row").is_in(named.implode()))["key"].implode()))
    table = (
        known.sort("row", "key")
        .group_by("key", maintain_order=True)
        .agg("row")
        .with_columns(n=pl.col("row").list.len())
    )
    table = table.filter(pl.col("n") > 1)
    if code in LARGEST_FIRST:
        table = table.sort("n", descending=True, maintain_order=True)
    picked: list[tuple[list[int], int]] = []
    left = limit
    for _, members, size in table.slice(first, limit).iter_rows():
        if left < 2 and picked:
            break
        picked.append((members[: max(left, 2)], size))
        left -= len(picked[-1][0])
    wanted = {pair["row"]: pair for pair in rows.fetch(store, sorted({r for some, _ in picked for r in some}))}
    return [Group([wanted[row] for row in some], size) for some, size in picked], table.height

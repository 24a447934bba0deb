"""Running a rule's own cases: each is one row, everything it does not name is null."""

from __future__ import annotations

from typing import Any

import polars as pl

from prefaudit.core import Case, Rule, RuleError
from prefaudit.rules.judge import Judge
from prefaudit.rules.sql import Parser
from prefaudit.rules.tables import DATASET, SMALL, type_of


def failures(rule: Rule, seconds: float = 5.0) -> list[str]:
    """One sentence for every case in which the rule does not do what the case says.

    Raises:
        RuleError: the values of a case do not go together with the type of their column.
    """
    parser = Parser()
    whole = rule.scope == "dataset" and rule.over == "features"
    columns = parser.parse(rule.value, aggregates=whole).columns | parser.parse(rule.where).columns
    found = []
    for number, case in enumerate(rule.cases, 1):
        told = _ask(rule, case, columns, seconds)
        if told != case.fires:
            words = {True: "fires", False: "does not fire", None: "is unjudged"}
            said = told if isinstance(told, str) else words[told]
            found.append(f"case {number}: {rule.code} {said}; the case says that it {words[case.fires]}")
    return found


def _ask(rule: Rule, case: Case, columns: frozenset[str], seconds: float) -> bool | str | None:
    judge = Judge({rule.code: rule}, memory="256MB", seconds=seconds)
    row = _row(rule, case, columns)
    empty = pl.DataFrame()
    if rule.scope == "pair":
        judge.pairs(row)
    elif rule.over == "dataset":
        judge.dataset({k: case.values.get(k) for k in DATASET}, empty, empty)
    else:
        tables = {"annotators": empty, "effects": empty, rule.over: row}
        judge.dataset({}, tables["annotators"], tables["effects"], lambda names: [row])
    result = judge.results()[0]
    if result["status"] == "error":
        return f"fails ({result['message']})"
    return {"fired": True, "ok": False}.get(result["status"])


def _row(rule: Rule, case: Case, columns: frozenset[str]) -> pl.DataFrame:
    """A frame of one row with the struct columns that the paths make."""
    paths = sorted({*columns, *case.values, *(SMALL.get(rule.over) or ())} - {"row"})
    roots: dict[str, Any] = {}
    for path in paths:
        root, _, name = path.partition(".")
        value = _series(rule, path, name or root, case.values.get(path))
        if name:
            roots.setdefault(root, []).append(value)
        elif not any(p.startswith(f"{root}.") for p in paths):
            roots[root] = value
    frame = pl.DataFrame({"row": [case.values.get("row", 0)]}, schema={"row": pl.Int64})
    made = [v.alias(k) if isinstance(v, pl.Series) else pl.DataFrame(v).to_struct(k) for k, v in roots.items()]
    return frame.with_columns(made)


def _series(rule: Rule, path: str, name: str, value: Any) -> pl.Series:
    kind = type_of(path, rule.over) or _inferred(rule, path)
    try:
        return pl.Series(name, [value], dtype=kind, strict=kind not in (pl.Float64(), pl.Int64()))
    except (TypeError, ValueError, pl.exceptions.PolarsError) as e:
        raise RuleError(f"{rule.origin or rule.code}: a case gives {path} {value!r}, which is no {kind}") from e


def _inferred(rule: Rule, path: str) -> pl.DataType:
    """The type of a column that only its rule knows, from what its cases give it."""
    values = [c.values[path] for c in rule.cases if path in c.values]
    if values and all(isinstance(v, bool) for v in values):
        return pl.Boolean()
    if values and all(isinstance(v, str) for v in values):
        return pl.String()
    return pl.Float64()

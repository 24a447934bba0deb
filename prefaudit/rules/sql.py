"""The SQL of a rule: one expression, read into a tree, checked node by node, written back from the tree.

What runs is never the author's text but what DuckDB writes from the checked tree, so quotes and comments have
nowhere to break out to. Only functions that measure are known: none reads a file, a setting or the environment,
and none makes a text longer than the one it was given, which keeps the memory of a statement near that of its input.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import duckdb

from prefaudit import duck
from prefaudit.core import RuleError

LONGEST = 4_000  # characters of one expression
DEEPEST = 100  # nested nodes; the parser itself stops at 1,000

CLASSES = {
    "CONSTANT", "COLUMN_REF", "PARAMETER", "COMPARISON", "CONJUNCTION", "OPERATOR", "CAST", "CASE", "BETWEEN",
    "FUNCTION", "LAMBDA", "TYPE",
}  # fmt: skip

FUNCTIONS = {
    *("+", "-", "*", "/", "//", "%", "~~", "!~~", "~~*", "!~~*", "->>"),
    *("abs", "ceil", "ceiling", "floor", "round", "trunc", "sign", "sqrt", "ln", "log", "log2", "log10", "exp"),
    *("pow", "power", "greatest", "least", "nullif", "ifnull", "if", "isfinite", "isnan", "isinf"),
    *("length", "len", "strlen", "lower", "upper", "trim", "ltrim", "rtrim", "left", "right", "substr", "substring"),
    *("contains", "starts_with", "ends_with", "prefix", "suffix", "strpos", "instr", "position", "like_escape"),
    *("ilike_escape", "not_like_escape", "not_ilike_escape", "string_split", "split", "split_part"),
    *("regexp_matches", "regexp_full_match", "regexp_extract", "regexp_extract_all"),
    *("json_extract", "json_extract_string", "json_array_length"),
    *("list_sum", "list_avg", "list_min", "list_max", "list_count", "list_unique", "list_contains", "list_filter"),
    *("list_transform", "list_apply", "list_value", "list_extract", "array_extract", "struct_extract"),
}

AGGREGATES = {
    "count",
    "count_star",
    "count_if",
    "sum",
    "avg",
    "min",
    "max",
    "median",
    "quantile_cont",
    "stddev",
}

PATTERNS = {"regexp_matches", "regexp_full_match", "regexp_extract", "regexp_extract_all"}

TYPES = {
    *("BOOLEAN", "BOOL", "TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "HUGEINT"),
    *("FLOAT", "REAL", "DOUBLE", "VARCHAR", "TEXT", "STRING"),
}


@dataclass(frozen=True)
class Expression:
    """A checked expression.

    `sql` has its parameters renamed to `$<tag>_<name>` and `value` to `_v<tag>`; `columns` are the dotted paths it
    reads, without `value`; `params` its parameters as written; `falling` says that smaller values are the worse ones.
    """

    sql: str
    columns: frozenset[str]
    params: frozenset[str]
    falling: bool


MANY = 4096  # expressions remembered
_read: dict[tuple[str, str, bool], Expression] = {}


class Parser:
    """Reads expressions with DuckDB's own parser, over a confined connection that holds no data.

    What was read once in this process is remembered: every audit asks the same rules. Refusals are not.
    """

    @cached_property
    def _con(self) -> duckdb.DuckDBPyConnection:
        return duck.confined(memory="256MB", threads=1)

    @cached_property
    def _shell(self) -> dict[str, Any]:
        return _around(self._node("1"))

    def parse(self, text: str, tag: str = "", aggregates: bool = False) -> Expression:
        """Check one expression and rewrite its names.

        Args:
            text: the expression as its author wrote it.
            tag: put into the names of its parameters and of `value`, so that many rules share one statement.
            aggregates: whether aggregate functions are known too.

        Raises:
            RuleError: it does not parse, is more than one expression, or names something a rule may not use.
        """
        key = (text, tag, aggregates)
        found = _read.get(key)
        if found is None:
            found = self._parse(text, tag, aggregates)
            if len(_read) >= MANY:
                _read.clear()
            _read[key] = found
        return found

    def _parse(self, text: str, tag: str, aggregates: bool) -> Expression:
        if len(text) > LONGEST:
            raise RuleError(f"the expression has {len(text)} characters; at most {LONGEST} are read")
        node = self._node(text)
        if _around(node) != self._shell or len(node["select_list"]) != 1:
            raise RuleError(f"not one expression: {text!r}", "no FROM, WHERE, alias list, second column or statement")
        tree = node["select_list"][0]
        known = FUNCTIONS | AGGREGATES if aggregates else FUNCTIONS
        columns: set[str] = set()
        params: set[str] = set()
        for item, own in _nodes(tree):
            _check(item, own, known)
            if item["class"] == "COLUMN_REF" and item["column_names"][0] not in own:
                columns.add(".".join(item["column_names"][:2]))
            elif item["class"] == "PARAMETER":
                params.add(item["identifier"])
        falling = _falling(tree)
        _rename(tree, tag)
        sql = self._written(node, {f"{tag}_{p}" if tag else p for p in params})
        return Expression(sql, frozenset(columns - {"value"}), frozenset(params), falling)

    def _node(self, text: str) -> dict[str, Any]:
        # The line break ends a trailing `--` comment before the bracket it would swallow.
        try:
            row = self._con.execute("select json_serialize_sql(?)", [f"select ({text}\n)"]).fetchone()
            tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True, "error_message": "no answer"}
        except (duckdb.Error, RecursionError) as e:
            raise RuleError(f"not an expression: {text[:200]!r}: {str(e).splitlines()[0]}") from e
        if tree["error"]:
            raise RuleError(f"not an expression: {text[:200]!r}: {tree['error_message']}")
        if len(tree["statements"]) != 1 or tree["statements"][0]["node"]["type"] != "SELECT_NODE":
            raise RuleError(f"not one expression: {text[:200]!r}")
        node: dict[str, Any] = tree["statements"][0]["node"]
        return node

    def _written(self, node: dict[str, Any], params: set[str]) -> str:
        names = [{"key": p, "value": i + 1} for i, p in enumerate(sorted(params))]
        tree = {"error": False, "statements": [{"node": node, "named_param_map": names}]}
        row = self._con.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)]).fetchone()
        if row is None:
            raise RuleError("the expression cannot be written back")
        return str(row[0]).removeprefix("SELECT ")


def _around(node: dict[str, Any]) -> dict[str, Any]:
    """All of a SELECT but its expressions: what a lone expression must leave as it was."""
    return {k: v for k, v in node.items() if k != "select_list"}


def _nodes(tree: Any) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every node with a class, each with the lambda names that hold there."""
    stack: list[tuple[Any, frozenset[str], int]] = [(tree, frozenset(), 0)]
    while stack:
        item, own, depth = stack.pop()
        if depth > DEEPEST * 4:  # a node takes up to four levels of the JSON
            raise RuleError(f"the expression is nested more than {DEEPEST} deep")
        if isinstance(item, list):
            stack.extend((x, own, depth + 1) for x in item)
        elif isinstance(item, dict):
            if "class" in item:
                yield item, own
                if item["class"] == "LAMBDA":
                    own = frozenset(item["lhs"].get("column_names", ()))
            stack.extend((x, own, depth + 1) for x in item.values())


def _check(item: dict[str, Any], own: frozenset[str], known: set[str]) -> None:
    kind = item["class"]
    if kind not in CLASSES:
        raise RuleError(
            f"{kind.lower()} is not allowed in a rule", "a rule is one expression over the columns of its row"
        )
    if own and (kind == "LAMBDA" or (kind == "COLUMN_REF" and item["column_names"][0] not in own)):
        # Columns or loops inside a loop would multiply the work of a row without bound.
        raise RuleError("a lambda may use its own argument and parameters only")
    if kind == "LAMBDA" and (item["lhs"]["class"] != "COLUMN_REF" or len(item["lhs"]["column_names"]) != 1):
        raise RuleError("a lambda takes one argument; JSON is read with ->> or json_extract")
    if kind == "FUNCTION":
        _check_function(item, known)
    if kind == "CAST":
        _check_cast(item)


def _check_function(item: dict[str, Any], known: set[str]) -> None:
    name = item["function_name"].lower()
    if name not in known or item.get("schema") or item.get("catalog"):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "docs/rules.md lists the functions"
        raise RuleError(f"function {name!r} is not allowed in a rule", hint)
    if name in PATTERNS:
        given = [a.get("expression", a) for a in item.get("arguments", item.get("children", []))]
        if any(a["class"] not in ("CONSTANT", "PARAMETER") for a in given[1:]):
            raise RuleError(f"the pattern of {name} must be a constant or a parameter")


def _check_cast(item: dict[str, Any]) -> None:
    kind = item.get("type_expr") or item.get("cast_type") or {}
    name = str(kind.get("type_name") or kind.get("id") or "").upper()
    if name not in TYPES or kind.get("children") or kind.get("type_info") or kind.get("schema") or kind.get("catalog"):
        raise RuleError(
            f"a cast to {name or 'this type'} is not allowed in a rule", f"known: {', '.join(sorted(TYPES))}"
        )


def _falling(tree: Any) -> bool:
    """Whether the question is `value < x`: then the smallest value is the most extreme."""
    sides: dict[str, Literal["left", "right"]] = {"COMPARE_LESSTHAN": "left", "COMPARE_LESSTHANOREQUALTO": "left"}
    sides |= {"COMPARE_GREATERTHAN": "right", "COMPARE_GREATERTHANOREQUALTO": "right"}
    for item, _ in _nodes(tree):
        side = item.get(sides.get(item["type"], ""))
        if isinstance(side, dict) and side.get("column_names") == ["value"]:
            return True
    return False


def _rename(tree: Any, tag: str) -> None:
    if not tag:
        return
    for item, own in _nodes(tree):
        if item["class"] == "COLUMN_REF" and item["column_names"] == ["value"] and "value" not in own:
            item["column_names"] = [f"_v{tag}"]
        elif item["class"] == "PARAMETER":
            item["identifier"] = f"{tag}_{item['identifier']}"

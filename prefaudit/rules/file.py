"""One rule file: TOML to `Rule`, every key checked, every error with the file, the key and the nearest valid one."""

from __future__ import annotations

import difflib
import re
import string
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit.core import SEVERITIES, Case, Rule, RuleError
from prefaudit.rules.sql import Expression, Parser
from prefaudit.rules.tables import SMALL

PREFIXES: dict[str, str] = {
    "SCH": "schema and empty answers", "DUP": "duplicates", "CNF": "conflicts", "LEN": "length", "FMT": "format",
    "POS": "position", "REF": "refusal", "SYC": "sycophancy", "AGR": "annotators", "LBL": "label errors",
    "SRC": "names that give the label away",
    "STR": "strength", "CON": "consensus", "LNS": "lens features", "PRN": "principles", "CTM": "contamination",
    "PII": "personal data", "LNG": "language", "MEN": "mentions of groups",
    "TRC": "truncation", "REL": "relevance to the prompt", "USR": "rules of your own",
}  # fmt: skip

SQL = ("value", "where")
TEXTS = ("code", "name", "since", "scope", "severity", "message", "what", "why", "remedy")
REQUIRED = tuple(k for k in (*TEXTS, *SQL) if k != "since")
KEYS = {*TEXTS, *SQL, "over", "needs", "false_alarms", "preview", "params", "case"}
OVER = {"pair": ("features",), "dataset": ("dataset", "annotators", "features"), "feature": ("effects",)}
BIGGEST = 100_000  # bytes of a rule file

_CODE = re.compile(r"[A-Z]{3}\d{3}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PARAM = re.compile(r"[a-z][a-z0-9_]*")
_SPEC = re.compile(r"\+?,?(\.\d)?[efgs%]?")


def read(path: Path, parser: Parser | None = None) -> Rule:
    """One rule file.

    Raises:
        RuleError: it cannot be read, is no TOML, or breaks the format of docs/rules.md.
    """
    try:
        if path.stat().st_size > BIGGEST:
            raise RuleError(f"{path}: larger than {BIGGEST:,} bytes")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as e:
        raise RuleError(f"{path}: {e}", "a rule is a TOML file in UTF-8") from e
    try:
        return _rule(table, str(path), parser or Parser())
    except RuleError as e:
        raise RuleError(f"{path}: {e.message}", e.hint) from e


def _rule(table: dict[str, Any], origin: str, parser: Parser) -> Rule:
    _keys(table)
    scope = table["scope"]
    over = table.get("over", OVER[scope][0])
    if over not in OVER[scope]:
        raise RuleError(f"over: {over!r} does not go with scope {scope!r}", f"known: {', '.join(OVER[scope])}")
    texts = {k: _flow(table[k]) for k in TEXTS if k in table} | {k: table[k].strip() for k in SQL}
    rule = Rule(
        **{"since": "", **texts},
        over=over,
        needs=tuple(table.get("needs", ())),
        false_alarms=_flow(table.get("false_alarms", "")),
        params=dict(table.get("params", {})),
        cases=tuple(_case(c, i) for i, c in enumerate(table.get("case", ()), 1)),
        preview=table.get("preview", False),
        origin=origin,
    )
    _questions(rule, parser)
    return rule


def _flow(text: str) -> str:
    """A text without the line breaks of its file; an empty line still parts two paragraphs."""
    return "\n\n".join(" ".join(p.split()) for p in re.split(r"\n\s*\n", text.strip()))


def _keys(table: dict[str, Any]) -> None:
    for key in table:
        if key not in KEYS:
            raise RuleError(f"unknown key {key!r}", nearest(key, KEYS))
    for key in REQUIRED:
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise RuleError(f"{key}: a text is required")
    if not _CODE.fullmatch(table["code"]):
        raise RuleError(f"code: {table['code']!r} is not three capitals and three digits")
    if table["code"][:3] not in PREFIXES:
        raise RuleError(f"code: unknown prefix {table['code'][:3]!r}", f"known: {', '.join(PREFIXES)}")
    if not _NAME.fullmatch(table["name"]):
        raise RuleError(f"name: {table['name']!r} is not lower-case words joined by hyphens")
    for key, known in (("scope", tuple(OVER)), ("severity", SEVERITIES)):
        if table[key] not in known:
            raise RuleError(f"{key}: unknown value {table[key]!r}", f"known: {', '.join(known)}")
    kinds = {
        "over": str,
        "false_alarms": str,
        "since": str,
        "preview": bool,
        "params": dict,
        "needs": list,
        "case": list,
    }
    for key, kind in kinds.items():
        if key in table and not isinstance(table[key], kind):
            raise RuleError(f"{key}: a {kind.__name__} is expected")
    if not all(isinstance(n, str) for n in table.get("needs", ())):
        raise RuleError("needs: names of extractors are expected")
    for name, value in table.get("params", {}).items():
        if not _PARAM.fullmatch(name) or isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise RuleError(f"params.{name}: a lower-case name with a number or a text is expected")
    if not table.get("case"):
        raise RuleError("case: at least one case is required", "[[case]] with column values and fires = true or false")


def _case(table: Any, number: int) -> Case:
    if not isinstance(table, dict):
        raise RuleError(f"case {number}: a table is expected")
    values = dict(table)
    fires, unjudged = values.pop("fires", None), values.pop("unjudged", None)
    if not (isinstance(fires, bool) and unjudged is None) and not (fires is None and unjudged is True):
        raise RuleError(f"case {number}: either fires = true, fires = false or unjudged = true is required")
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update({f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value})
    return Case(flat, fires)


def parsed(rule: Rule, parser: Parser) -> tuple[frozenset[str], frozenset[str]]:
    """The columns and the parameters that value and where name.

    Raises:
        RuleError: with the key whose SQL is refused.
    """
    parts: list[Expression] = []
    whole = rule.scope == "dataset" and rule.over == "features"
    for key, text in (("value", rule.value), ("where", rule.where)):
        try:
            parts.append(parser.parse(text, aggregates=whole and key == "value"))
        except RuleError as e:
            raise RuleError(f"{key}: {e.message}", e.hint) from e
    if whole and parts[1].columns:
        raise RuleError("where: a question about a whole column may name value and parameters only")
    return parts[0].columns | parts[1].columns, parts[0].params | parts[1].params


def _questions(rule: Rule, parser: Parser) -> None:
    """What can be wrong only between keys: names in the SQL, the message and the cases."""
    columns, used = parsed(rule, parser)
    for name in sorted(used - rule.params.keys()):
        raise RuleError(f"${name} is used but not declared in [params]", nearest(name, rule.params))
    for name in sorted(rule.params.keys() - used):
        raise RuleError(f"params.{name} is declared but not used in value or where", nearest(name, used))
    table = SMALL.get(rule.over)
    if table is not None:
        for name in sorted(rule.params.keys() & table.keys()):
            raise RuleError(f"params.{name}: the {rule.over} table has a column of that name", "choose another name")
        for path in sorted(columns - table.keys()):
            raise RuleError(f"unknown column {path!r} of the {rule.over} table", nearest(path, table))
    _message(rule, {"value", *rule.params, *(table or ())})
    for number, case in enumerate(rule.cases, 1):
        for path in case.values:
            if path not in columns and path.partition(".")[0] not in columns and path not in (table or ()):
                raise RuleError(f"case {number}: {path!r} is not read by the rule", nearest(path, columns))


def _message(rule: Rule, known: set[str]) -> None:
    # A format string can reach attributes and ask for any width; only plain names and short specs get through.
    try:
        parts = list(string.Formatter().parse(rule.message))
    except ValueError as e:
        raise RuleError(f"message: {e}") from e
    for _, name, spec, conversion in parts:
        if name is not None and name not in known:
            raise RuleError(f"message: unknown name {name!r}", nearest(name, known))
        if name is not None and (conversion or not _SPEC.fullmatch(spec or "")):
            raise RuleError(
                f"message: {{{name}}} has a format that is not allowed", "for example {value:.1f} or {value:.0%}"
            )
    texts = {k for k, v in SMALL.get(rule.over, {}).items() if v == pl.String()}
    sample: dict[str, Any] = {name: "text" if name in texts else 1.0 for name in known}
    try:
        rule.message.format(**(sample | rule.params))
    except ValueError as e:
        raise RuleError(f"message: {e}") from e


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint: the known name that is most like this one, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"

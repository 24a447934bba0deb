"""The rules at hand: those of the package, those of the user's folders, chosen and configured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from prefaudit.core import SEVERITIES, Rule, RuleError, UsageError, unknown
from prefaudit.rules.cases import failures
from prefaudit.rules.file import nearest, parsed, read
from prefaudit.rules.sql import Parser


def builtin() -> dict[str, Rule]:
    """The rules that come with the package, by code; their files are read once in a process.

    Raises:
        RuleError: a file is wrong, or the folder is missing from the installation.
    """
    return dict(_builtin())


@cache
def _builtin() -> dict[str, Rule]:
    packed = resources.files("prefaudit") / "data" / "rules"
    folder = Path(str(packed)) if packed.is_dir() else Path(__file__).resolve().parents[2] / "rules"
    return _folder(folder, {}, Parser())


def load(folders: Iterable[str | Path] = (), columns: Collection[str] | None = None) -> dict[str, Rule]:
    """The built-in rules and those of the user's folders, by code, in the order of the codes.

    Args:
        folders: folders of `*.toml` files. Their rules must do what their own cases say.
        columns: dotted names of every column an extractor can write; a pair rule that names another is an error.
            None checks none.

    Raises:
        RuleError: a folder or file cannot be read or is wrong, a code is taken, a case fails.
    """
    rules = builtin()
    parser = Parser()
    for folder in folders:
        own = _folder(Path(folder), rules, parser)
        for rule in own.values():
            if broken := failures(rule):
                raise RuleError(f"{rule.origin}: {broken[0]}", "the rule does not do what its case says")
        rules.update(own)
    if columns is not None:
        for rule in rules.values():
            check_columns(rule, columns, parser)
    return dict(sorted(rules.items()))


def select(rules: Mapping[str, Rule], select: Iterable[str] = (), ignore: Iterable[str] = ()) -> dict[str, Rule]:
    """Rules whose code starts with one of `select` (all, where empty) and with none of `ignore`.

    Raises:
        UsageError: a prefix that fits no rule.
    """
    wanted, unwanted = (tuple(code.upper() for code in codes) for codes in (select, ignore))
    for prefix in (*wanted, *unwanted):
        if not prefix or not any(code.startswith(prefix) for code in rules):
            raise unknown("rule", prefix, {*rules, *(code[:3] for code in rules)})
    return {
        code: rule
        for code, rule in rules.items()
        if (not wanted or code.startswith(wanted)) and not (unwanted and code.startswith(unwanted))
    }


def configure(
    rule: Rule, params: Mapping[str, float | int | str] = MappingProxyType({}), severity: str | None = None
) -> Rule:
    """The rule with other parameters or another severity.

    Raises:
        UsageError: a parameter it does not have or of another type, or no severity.
    """
    for name, value in params.items():
        if name not in rule.params:
            raise unknown(f"parameter of {rule.code}", name, rule.params)
        kinds = (str,) if isinstance(rule.params[name], str) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise UsageError(f"{rule.code}: {name} is {rule.params[name]!r} by default; {value!r} is of another type")
    if severity is not None and severity not in SEVERITIES:
        raise unknown("severity", severity, SEVERITIES)
    chosen = rule.severity if severity is None else next(s for s in SEVERITIES if s == severity)
    return replace(rule, params={**rule.params, **params}, severity=chosen)


def check_columns(rule: Rule, columns: Collection[str], parser: Parser | None = None) -> None:
    """Refuse a rule that names a column nobody writes: it would stay unjudged for ever, and look harmless.

    Raises:
        RuleError: with the file, the column and the nearest that exists.
    """
    if rule.over != "features":
        return
    roots = {c.partition(".")[0] for c in columns}
    for path in sorted(parsed(rule, parser or Parser())[0]):
        if path not in columns and not ("." not in path and path in roots):
            raise RuleError(f"{rule.origin or rule.code}: unknown column {path!r}", nearest(path, columns))


def _folder(folder: Path, taken: Mapping[str, Rule], parser: Parser) -> dict[str, Rule]:
    if not folder.is_dir():
        raise RuleError(f"no folder of rules at {folder}")
    found: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.toml")):
        rule = read(path, parser)
        other = taken.get(rule.code) or found.get(rule.code)
        if other:
            raise RuleError(f"{path}: code: {rule.code} is taken by {other.origin}", "give the rule a code of its own")
        found[rule.code] = rule
    if not found:
        raise RuleError(f"no rule in {folder}", "a rule is a .toml file, see docs/rules.md")
    return found

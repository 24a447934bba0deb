"""A rule in words: what `prefaudit rule` prints and the pages of the documentation hold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prefaudit.core import Case, Rule
from prefaudit.rules.file import PREFIXES
from prefaudit.rules.load import load, select
from prefaudit.rules.tables import DATASET

ROWS = {
    "features": "pairs",
    "dataset": "the dataset table",
    "effects": "the effects, one row a feature",
    "annotators": "the annotators, one row each",
}


def explain(rule: Rule) -> str:
    """The rule's page in Markdown."""
    asked = "all pairs at once" if (rule.scope, rule.over) == ("dataset", "features") else ROWS[rule.over]
    facts = [f"Severity: **{rule.severity}**", f"asks: {asked}"]
    facts += [f"measured by: {', '.join(f'`{n}`' for n in rule.needs)}"] if rule.needs else []
    facts += [f"since {rule.since}"] if rule.since else []
    facts += ["preview"] if rule.preview else []
    parts = [
        f"# {rule.code} {rule.name}",
        " · ".join(facts),
        f"## What it asks\n\n{rule.what}",
        f"## Why\n\n{rule.why}",
        f"## What to do\n\n{rule.remedy}",
    ]
    if rule.false_alarms:
        parts.append(f"## Known false alarms\n\n{rule.false_alarms}")
    parts.append(f"## The question\n\n```sql\nvalue: {rule.value}\nwhere: {rule.where}\n```")
    if rule.end:
        stem = rule.value.strip().rpartition("_")[0]
        number = stem if f"{stem}_agreement" not in DATASET else f"{stem}_agreement"
        parts.append(f"`value`, which gates and the threshold speak of, is the {rule.end} end of the 95 % interval of "
                     f"`{number}`, not `{number}` itself; reports show both.")  # fmt: skip
    if rule.params:
        rows = "\n".join(f"| `{k}` | {_plain(v)} |" for k, v in rule.params.items())
        parts.append(f"| parameter | default |\n|---|---|\n{rows}")
    parts.append("## Cases\n\n| columns, the rest null | answer |\n|---|---|\n" + "\n".join(map(_case, rule.cases)))
    return "\n\n".join(parts) + "\n"


def overview(rules: Iterable[Rule]) -> str:
    """The list of rules by prefix: code, name, severity, scope and the first sentence of what each asks."""
    lines: list[str] = []
    prefix = ""
    for rule in sorted(rules, key=lambda r: r.code):
        if rule.code[:3] != prefix:
            prefix = rule.code[:3]
            lines += ["", f"{prefix}  {PREFIXES[prefix]}"]
        lines.append(f"  {rule.code}  {rule.severity:<7}  {rule.scope:<7}  {rule.name}")
    return "\n".join(lines).lstrip("\n") + "\n"


def describe(code: str | None = None, everything: bool = False, folders: Iterable[str | Path] = ()) -> str:
    """What `prefaudit rule [CODE|--all]` prints: the list, or the pages of every rule that a code or prefix names.

    Raises:
        RuleError: a rule file is wrong.
        UsageError: the code fits no rule.
    """
    rules = load(folders)
    if code is None and not everything:
        return overview(rules.values())
    chosen = select(rules, (code,) if code else ())
    return "\n".join(explain(r) for r in chosen.values())


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _case(case: Case) -> str:
    values = ", ".join(f"`{k}` = {_plain(v)}" for k, v in case.values.items()).replace("|", "\\|") or "nothing"
    return f"| {values} | {'unjudged' if case.fires is None else 'fires' if case.fires else 'does not fire'} |"

"""A rule that fired, in words, and where it belongs in a report."""

from __future__ import annotations

from typing import Any

from prefaudit.reports.parts import DATASET, Finding
from prefaudit.reports.words import clean, count, known, number, percent, some, valued

SEVERITIES = ("error", "warning", "info")

# Families whose dataset-wide findings tell what a model could learn without reading the answers, not what is broken.
# An error is never put among them, whatever its family: it failed the gate.
TENDENCIES = frozenset(("LEN", "FMT", "POS", "SRC", "TON", "REF", "SYC", "LNS", "PRN", "CON", "EFF", "BAS"))


def rank(rule: dict[str, Any]) -> tuple[int, float, str]:
    """Order of findings: by severity, then by how many pairs."""
    severity = rule.get("severity")
    place = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
    return place, -(rule.get("found") or 0), str(rule.get("code"))


def tendency(rule: dict[str, Any]) -> bool:
    """Whether a fired rule tells what is predictable rather than what is wrong."""
    if rule.get("severity") == "error" or rule.get("scope") == "pair":
        return False
    return rule.get("scope") == "feature" or str(rule.get("code"))[:3] in TENDENCIES


def _found(rule: dict[str, Any]) -> str:
    """How many of how many; a question asked once, of the whole dataset, has no such number."""
    if rule.get("scope") == "dataset" and rule.get("judged") == 1:
        return DATASET
    what = {"feature": " features"}.get(rule.get("scope", ""), "")
    return f"{count(rule.get('found'))} of {count(rule.get('judged'))}{what}"


def finding(rule: dict[str, Any]) -> Finding:
    """An entry of the report's `rules`."""
    value = ""
    if known(rule.get("value")):
        value = valued(rule)
        value += f" (threshold {number(rule['threshold'])})" if known(rule.get("threshold")) else ""
    return Finding(
        severity=clean(rule.get("severity", ""), 10),
        code=clean(rule.get("code", ""), 20),
        name=clean(rule.get("name", ""), 60),
        found=_found(rule),
        rate=percent(rule.get("rate"), rule.get("interval")) if rule.get("scope") == "pair" else "",
        rows=tuple(clean(row, 40) for row in rule.get("examples") or ()),
        named=tuple(clean(name, 60) for name in rule.get("named") or ()),
        message=clean(rule.get("message") or ""),
        remedy=clean(rule.get("remedy") or "", 1000),
        what=clean(rule.get("what") or "", 1000),
        unjudged=some(rule["unjudged"], "pair") if rule.get("unjudged") else "",
        value=value,
        scope=clean(rule.get("scope", ""), 10),
        preview=bool(rule.get("preview")),
    )

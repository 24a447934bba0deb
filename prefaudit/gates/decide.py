"""What a gate decides of the numbers it speaks of, and whether the audit fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prefaudit.core import SEVERITIES
from prefaudit.gates.conditions import Gate

RANK: Mapping[str, int] = {name: rank for rank, name in enumerate(SEVERITIES)}
FAILED, PASSED, UNJUDGED = "failed", "passed", "unjudged"


def decide(gate: Gate, numbers: Mapping[str, Any], severity: str) -> dict[str, Any]:
    """The outcome of a gate, or of one slice of it.

    Args:
        gate: its conditions.
        numbers: `judged` (rows that count for `min_rows`), and of `value`, `rate`, `interval`, `found`, or `effect`,
            `bound`, `win_rate` what there is; None where not known.
        severity: the rule's own.

    Returns:
        `on`, `slice`, `status` (failed, passed, unjudged), `severity`, `condition` (that which held, or the strictest
        asked), `why` (where unjudged) and the numbers. The severity of what did not fail is the rule's own, but no
        higher than the conditions leave: at most a warning where `error_if` was asked, at most info where `warn_if`
        was, or where too few rows were judged to decide.
    """
    said = {"on": gate.on, "slice": dict(gate.where)}
    asked = [(name, one) for name, one in (("error", gate.error_if), ("warning", gate.warn_if)) if one is not None]
    if not asked:
        return {**said, "status": PASSED, "severity": severity, "condition": "", "why": "", **numbers}
    known = {**numbers, "rate_low": (numbers.get("interval") or [None])[0]}
    text = asked[0][1].text
    judged = numbers.get("judged") or 0
    answers = {name: one.holds(known) for name, one in asked}
    held = next(((name, one) for name, one in asked if answers[name]), None)
    why = ""
    if judged < max(gate.min_rows, 1):
        held, why = None, f"{judged:,} judged, {max(gate.min_rows, 1):,} asked for"
    elif held is None and None in answers.values() and numbers.get("found") != 0:
        why = numbers.get("note") or "not known"
    if held is not None:
        return {**said, "status": FAILED, "severity": held[0], "condition": held[1].text, "why": "", **numbers}
    highest = RANK["info" if why or gate.warn_if is not None else "warning"]
    lowered = SEVERITIES[max(highest, RANK[severity])]
    status = UNJUDGED if why else PASSED
    return {**said, "status": status, "severity": lowered, "condition": text, "why": why, **numbers}


def worst(severities: Iterable[str]) -> str | None:
    """The gravest of some severities; None of none."""
    return min(severities, key=lambda name: RANK[name], default=None)


def fails(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What makes the exit code 1: rules that fired and gates that failed at or above `fail_on`.

    With a baseline, of these what is new.

    Returns:
        Of each `on` (a rule's code or effects.FEATURE), `slice`, `severity` and `condition` ("" where a rule fired by
        its own threshold), in the order of the report.
    """
    level = report.get("fail_on", "error")
    grave = SEVERITIES[: SEVERITIES.index(level) + 1] if level in SEVERITIES else ()
    gates = report.get("gates") or ()
    gated = {gate["on"] for gate in gates}
    found = [
        {"on": rule["code"], "slice": {}, "severity": rule["severity"], "condition": ""}
        for rule in report.get("rules") or ()
        if rule["status"] == "fired" and rule["code"] not in gated
    ]
    found += [
        {"on": gate["on"], "slice": gate["slice"], "severity": gate["severity"], "condition": gate["condition"]}
        for gate in gates
        if gate["status"] == FAILED or gate.get("found")
    ]
    found = [one for one in found if one["severity"] in grave]
    baseline = report.get("baseline") or {}
    if baseline:
        new = [(one["on"], one["slice"]) for one in baseline["new"]]
        found = [one for one in found if (one["on"], one["slice"]) in new]
    return found

"""Gates and the baseline in words, for the readable reports."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from prefaudit import gates
from prefaudit.reports.words import clean, count, percent, points, some, valued

REST = "all other pairs"
NEW = 5  # findings named as new


def lines(report: Mapping[str, Any]) -> list[str]:
    """What failed, what could not be decided, how many passed, and what is new since the baseline; often nothing."""
    return [*_baseline(report), *_verdicts(report)]


def _verdicts(report: Mapping[str, Any]) -> Iterator[str]:
    verdicts = report.get("gates") or []
    parted = {gate["on"] for gate in verdicts if gate["slice"]}
    for gate in verdicts:
        if gate["status"] == gates.FAILED:
            held = f"{clean(gate['condition'], 80)}: {clean(gate['severity'], 10)}"
            yield f"gate {_name(gate, parted)} {held}, {measured(gate)}"
    for gate in verdicts:
        if gate["status"] == "unjudged":
            yield f"gate {_name(gate, parted)} not decided: {clean(gate['why'])}"
    passed = sum(gate["status"] == "passed" for gate in verdicts)
    if passed:
        yield f"{some(passed, 'other gate' if passed < len(verdicts) else 'gate')} passed"


def _name(gate: Mapping[str, Any], parted: Collection[str] = ()) -> str:
    cut = ", ".join(f"{by} {clean(name, 60)}" for by, name in gate["slice"].items())
    cut = cut or (REST if gate["on"] in parted else "")
    return clean(gate["on"], 60) + (f" ({cut})" if cut else "")


def measured(gate: Mapping[str, Any]) -> str:
    """The numbers that a gate went by."""
    of = some(gate["judged"], "pair")
    if "effect" in gate:
        told = (
            [f"{points(gate['effect'], gate['interval'])} points at equal length"] if gate["effect"] is not None else []
        )
        return ", ".join([*told, f"it wins {percent(gate['win_rate'])}", of])
    if gate["interval"]:
        return f"{count(gate['found'])} of {of}, {percent(gate['rate'], gate['interval'])}"
    return f"value {valued(gate)}"


def _baseline(report: Mapping[str, Any]) -> Iterator[str]:
    baseline = report.get("baseline")
    if not baseline:
        return
    named = [f"{_name(one)}: {clean(one['why'], 120)}" for one in baseline["new"][:NEW]]
    more = len(baseline["new"]) - len(named)
    said = f" ({'; '.join(named)}{f'; and {more} more' if more else ''})" if named else ""
    new, gone = some(len(baseline["new"]), "new finding"), f"{count(len(baseline['gone']))} gone"
    since = f"since {clean(baseline['file'], 80)}, {some(baseline['pairs'], 'pair')}"
    yield f"{since}: {new}{said}, {count(baseline['known'])} known, {gone}"

"""A baseline: what was found before and is put up with, so that a gate fails on what is new alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prefaudit.core import SCHEMA as REPORT
from prefaudit.core import UsageError, fingerprint

SCHEMA = "prefaudit.baseline/1"
KEPT = ("on", "slice", "scope", "severity", "judged", "found", "rate", "interval", "value", "threshold", "named",
        "effect")  # fmt: skip
NAMED = 5  # a report names at most so many annotators or features
WORSE = 0.1  # how much further out, as a share of itself, the value of a whole dataset has to be
REMEDY = "write one with: prefaudit report DIR --output-format baseline=FILE"


def written(report: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a report that a later audit is compared with: what fired, and no more.

    Raises:
        UsageError: the audit is incomplete.
    """
    if report.get("complete") is not True:
        raise UsageError("this audit is incomplete and cannot be a baseline", "scan again until it is complete")
    data = report["dataset"]
    return {
        "schema": SCHEMA,
        "dataset": {"paths": data["paths"], "fingerprint": data["fingerprint"], "pairs": data["pairs"]},
        "found": [{key: one[key] for key in KEPT if key in one} for one in _found(report)],
    }


def read_baseline(path: str | Path) -> tuple[dict[str, Any], str]:
    """A file that `written` wrote, or a report.json.

    Returns:
        The baseline, and the fingerprint of what it says.

    Raises:
        UsageError: it cannot be read, or is neither.
    """
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as e:
        raise UsageError(f"--baseline {path} cannot be read: {e.strerror or e}", REMEDY) from e
    except (UnicodeDecodeError, ValueError, RecursionError) as e:
        raise UsageError(f"--baseline {path} is no JSON: {e}", REMEDY) from e
    schema = table.get("schema") if isinstance(table, dict) else None
    if schema not in (SCHEMA, REPORT):
        raise UsageError(f"--baseline {path} is neither a report.json nor a written baseline", REMEDY)
    try:
        if schema == REPORT:
            table = written(table)
        _checked(table)
    except UsageError as e:
        raise UsageError(f"--baseline {path}: {e.message}", e.hint) from e
    except (KeyError, TypeError, AttributeError) as e:
        raise UsageError(f"--baseline {path} is damaged: {type(e).__name__} {e}", REMEDY) from e
    return table, fingerprint(json.dumps(table, sort_keys=True))


def _checked(table: Mapping[str, Any]) -> None:
    """Raise what the comparison would stumble over."""
    kinds = {"on": str, "slice": dict, "scope": str, "severity": str}
    numbers = ("judged", "found", "rate", "value", "threshold", "effect")
    int(table["dataset"]["pairs"])
    for one in table["found"]:
        wrong = [key for key, kind in kinds.items() if not isinstance(one[key], kind)]
        wrong += [key for key in numbers if not isinstance(one.get(key), int | float | None)]
        interval = one.get("interval") or [0, 0]
        if wrong or len(interval) != 2 or not all(isinstance(end, int | float) for end in interval):
            raise TypeError(f"in {', '.join(wrong) or 'interval'} of {one['on']}")
        list(one.get("named") or ())


def compared(report: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """What of a report is new since a baseline.

    Returns:
        `pairs` of the baseline; `new`: `on`, `slice`, `severity`, `why`; `known`: how many findings are not new;
        `gone`: `on` and `slice` of what the baseline has and this report has not.
    """
    before = {_key(one): one for one in table["found"]}
    now = list(_found(report))
    told = [(one, _why(one, before.get(_key(one)))) for one in now]
    here = {_key(one) for one in now}
    return {
        "pairs": table["dataset"]["pairs"],
        "new": [{"on": one["on"], "slice": one["slice"], "severity": one["severity"], "why": why}
                for one, why in told if why],
        "known": sum(not why for _, why in told),
        "gone": [{"on": one["on"], "slice": one["slice"]} for key, one in before.items() if key not in here],
    }  # fmt: skip


def _key(one: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return one["on"], tuple(sorted(one["slice"].items()))


def _found(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rules that fired, each whole or as its gates part it, and gates that failed."""
    rules = {rule["code"]: rule for rule in report["rules"]}
    gates = report.get("gates") or ()
    gated = {gate["on"] for gate in gates}
    for rule in report["rules"]:
        if rule["status"] == "fired" and rule["code"] not in gated:
            yield {**rule, "on": rule["code"], "slice": {}}
    for gate in gates:
        if gate["status"] == "failed" or gate.get("found"):
            rule = rules.get(gate["on"], {})
            yield {**gate, "scope": rule.get("scope", "effect"), "threshold": rule.get("threshold"),
                   "named": rule.get("named") or []}  # fmt: skip


def _why(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """Why a finding is new; empty where it is not."""
    if before is None:
        return "not in the baseline"
    scope = now["scope"]
    if scope == "effect":
        return _effect(now, before)
    if scope == "dataset" and not (now.get("named") or before.get("named")):
        return _value(now, before)
    found, was = now.get("found") or 0, before.get("found") or 0
    if scope != "pair":
        if found > was:
            return f"{found:,} found, {was:,} in the baseline"
        names = [name for name in now.get("named") or () if name not in (before.get("named") or ())]
        return f"{names[0]} is not in the baseline" if names and was <= NAMED else ""
    if found <= was:
        return ""
    if now["severity"] == "error":
        return f"{found:,} found, {was:,} in the baseline"
    rate, high = now.get("rate"), (before.get("interval") or [None, None])[1]
    if rate is None or high is None or rate <= high:
        return ""
    return f"rate {rate:.3g}, at most {high:.3g} by the baseline's interval"


def _value(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    value, was, threshold = now.get("value"), before.get("value"), now.get("threshold")
    if value is None or was is None or threshold is None:
        return ""
    sign = 1 if was >= threshold else -1
    return f"value {value:.4g}, {was:.4g} in the baseline" if sign * (value - was) > WORSE * abs(was) else ""


def _effect(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """An effect is new where it lies outside the baseline's interval, further from nothing."""
    effect, was = now.get("effect"), before.get("effect")
    if effect is None or was is None:
        return ""
    low, high = before.get("interval") or [was, was]
    beyond = effect > high if effect > 0 else effect < low
    return f"effect {effect:+.3g}, [{low:+.3g}, {high:+.3g}] in the baseline" if beyond else ""

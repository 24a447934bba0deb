"""One JSON line per rule result: what a script counts or a log keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefaudit.reports.items import counted
from prefaudit.reports.json import canonical, dumps


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The items of the report's `rules` in its order, then its gates on effects; `width` and `color` change nothing.

    Each rule has its `slices` (where it found most, with `by`, `slice`, `found` and `judged`) and its `gates`.

    Raises:
        TypeError: a rule result holds a value of no type that JSON has.
    """
    return "".join(dumps(canonical(line)) + "\n" for line in _lines(report))


def _lines(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    gates = report.get("gates") or []
    rules = report.get("rules") or []
    for rule in rules:
        own = [gate for gate in gates if gate["on"] == rule["code"]]
        yield {**rule, "slices": list(counted(report, rule["code"])), "gates": own}
    codes = {rule["code"] for rule in rules}
    for gate in gates:
        if gate["on"] not in codes:
            status = {"failed": "fired", "passed": "ok"}.get(gate["status"], "unjudged")
            yield {"code": gate["on"], "name": "gate", "severity": gate["severity"], "status": status, "gates": [gate]}

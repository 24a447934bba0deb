"""What machines are told: one item a rule, or a gate of a rule and slice; never one a row.

SARIF, JUnit and GitHub share it. Every text in an item has been through `words.clean`; a renderer adds the escaping of
its own format.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prefaudit import gates
from prefaudit.gates.decide import RANK
from prefaudit.reports.gated import REST, measured
from prefaudit.reports.words import clean, count, percent, some, valued

SLICES = 3  # of a kind, in the words of an item
COUNTED = 20  # of a rule, in the numbers of an item
ROWS = 6


@dataclass(frozen=True)
class Item:
    """A rule, a gate of one, or an extractor that failed.

    `state` is fired, ok, unjudged or error; `fails` says that the gate of the audit fails by it; `new` is None without
    a baseline; `part` names the slice, and `lines` are what to say below the title.
    """

    code: str
    name: str
    severity: str
    state: str
    fails: bool
    new: bool | None
    part: str
    found: int
    lines: tuple[str, ...]
    slices: tuple[dict[str, Any], ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Code, name and slice in a line."""
        return " ".join(filter(None, (self.code, self.name, f"({self.part})" if self.part else "")))


def items(report: Mapping[str, Any]) -> list[Item]:
    """The items of a report: failures first, then by severity; what did not fire comes last."""
    rules = {rule["code"]: rule for rule in report.get("rules") or ()}
    verdicts = report.get("gates") or ()
    gated = {gate["on"] for gate in verdicts}
    parted = {gate["on"] for gate in verdicts if gate["slice"]}
    failing = [(one["on"], one["slice"]) for one in gates.fails(report)]
    new = None if not report.get("baseline") else {(n["on"], _part(n["slice"])): n["why"]
                                                   for n in report["baseline"]["new"]}  # fmt: skip
    told = [_failed(e) for e in report.get("extractors") or () if e.get("status") != "ok"]
    told += [_rule(rule, {}, None, (code, {}) in failing, new, report)
             for code, rule in rules.items() if code not in gated]  # fmt: skip
    for gate in verdicts:
        rule = rules.get(gate["on"])
        fails = (gate["on"], gate["slice"]) in failing
        item = (
            _effect(gate, fails, new) if rule is None else _rule(rule, gate["slice"], gate, fails, new, report, parted)
        )
        told.append(replace(item, part=REST) if gate["on"] in parted and not gate["slice"] else item)
    order = {"error": 0, "fired": 1, "unjudged": 2, "ok": 3}
    return sorted(told, key=lambda i: (order[i.state], not i.fails, RANK[i.severity], i.code, i.part))


def _failed(extractor: Mapping[str, Any]) -> Item:
    why = clean(extractor.get("error") or "no reason given")
    name = clean(extractor.get("name", ""), 60)
    return Item("extractor", name, "error", "error", True, None, "", 0, (f"extractor {name} failed: {why}",))


def _part(cut: Mapping[str, str]) -> str:
    return ", ".join(f"{by} {clean(name, 80)}" for by, name in cut.items())


def _rule(rule: Mapping[str, Any], cut: Mapping[str, str], gate: Mapping[str, Any] | None, fails: bool,
          new: Mapping[tuple[str, str], str] | None, report: Mapping[str, Any],
          parted: Collection[str] = ()) -> Item:  # fmt: skip
    numbers = gate or rule
    state = rule["status"] if gate is None else _state(rule, gate)
    part = _part(cut)
    why = (new or {}).get((rule["code"], part), "")
    whole = rule["code"] not in parted  # rows and slices are told of the rule as a whole
    rows = tuple(clean(row, 40) for row in rule.get("examples") or ())[:ROWS] if whole else ()
    slices = tuple(counted(report, rule["code"])) if whole and state == "fired" else ()
    lines = [_sentence(rule, numbers, state)]
    if gate is not None and gate["condition"]:
        lines.append(f"Gate: {_condition(gate)}")
    lines += [f"New since the baseline: {clean(why)}"] if why else []
    if state == "fired":
        lines += [f"Rows {', '.join(rows)}"] if rows and rule["scope"] == "pair" else []
        lines += [f"Names: {', '.join(clean(n, 60) for n in rule['named'])}"] if rule.get("named") else []
        lines += [*_said(slices), clean(rule.get("what") or "", 600), clean(f"To do: {rule.get('remedy') or ''}", 600)]
    return Item(
        code=clean(rule["code"], 20), name=clean(rule.get("name") or "", 60), severity=numbers["severity"], state=state,
        fails=fails, new=None if new is None or state != "fired" else bool(why), part=part,
        found=numbers.get("found") or 0, lines=tuple(line for line in lines if line), slices=slices, rows=rows,
    )  # fmt: skip


def _state(rule: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    if rule["status"] == "error":
        return "error"
    if gate["status"] == gates.FAILED or gate.get("found"):
        return "fired"
    return "unjudged" if gate["status"] == "unjudged" else "ok"


def _condition(gate: Mapping[str, Any]) -> str:
    said = {"failed": "holds", "passed": "does not hold", "unjudged": f"not decided, {clean(gate['why'])}"}
    return f"{clean(gate['condition'], 80)} {said[gate['status']]}"


def _sentence(rule: Mapping[str, Any], numbers: Mapping[str, Any], state: str) -> str:
    """What was found, in a line."""
    if state == "error":
        return f"rule failed: {clean(rule.get('message') or 'no reason given')}"
    if state == "unjudged":
        return f"not judged: {clean(numbers.get('why') or rule.get('message') or 'not known for any row')}"
    if rule["scope"] == "pair":
        rate = percent(numbers.get("rate"), numbers.get("interval"))
        unjudged = f", {some(rule['unjudged'], 'pair')} unjudged" if rule.get("unjudged") and numbers is rule else ""
        return f"{count(numbers['found'])} of {some(numbers['judged'], 'pair')}: {rate}{unjudged}"
    if state == "ok":
        value = f", value {valued(numbers)}" if numbers.get("value") is not None else ""
        return f"nothing found{value}"
    return clean(rule.get("message") or f"value {valued(numbers)}")


def _effect(gate: Mapping[str, Any], fails: bool, new: Mapping[tuple[str, str], str] | None) -> Item:
    """A gate on a feature, or on a rule that was not asked."""
    state = {gates.FAILED: "fired", "unjudged": "unjudged"}.get(gate["status"], "ok")
    why = (new or {}).get((gate["on"], _part(gate["slice"])), "")
    told = [_condition(gate) if state != "unjudged" else f"not judged: {clean(gate['why'])}"]
    told += [measured(gate)] if gate["judged"] else []
    told += [f"New since the baseline: {clean(why)}"] if why else []
    fresh = None if new is None or state != "fired" else bool(why)
    return Item(
        clean(gate["on"], 60), "gate", gate["severity"], state, fails, fresh, _part(gate["slice"]), 0, tuple(told)
    )


def counted(report: Mapping[str, Any], code: str) -> Iterator[dict[str, Any]]:
    """Where a rule found most, at most COUNTED of them; names are cut to 80 characters."""
    cuts = [
        {"by": cut["by"], "slice": clean(cut["slice"], 80), "found": rule["found"], "judged": rule["judged"]}
        for cut in report.get("slices") or ()
        for rule in cut["rules"]
        if rule["code"] == code and rule["found"]
    ]
    yield from sorted(cuts, key=lambda one: -one["found"])[:COUNTED]


def _said(slices: tuple[dict[str, Any], ...]) -> Iterator[str]:
    for by in gates.BY:
        here = [one for one in slices if one["by"] == by]
        words = [f"{one['slice']} {count(one['found'])} of {count(one['judged'])}" for one in here[:SLICES]]
        if words:
            yield f"By {by}: {'; '.join(words)}" + (f"; and {len(here) - SLICES} more" if here[SLICES:] else "")

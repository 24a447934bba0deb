"""The report as SARIF 2.1.0 (OASIS standard, 27 March 2020), for code scanning: one result a rule or gate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from prefaudit import __version__, gates
from prefaudit.core import fingerprint
from prefaudit.reports.items import Item, items
from prefaudit.reports.json import canonical, dumps
from prefaudit.reports.words import clean

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
SAFE = "/+,;=@&$!()~*'-._"  # signs of a path that a URI may hold as they are
PATHS = 10  # of the dataset, in the locations of a result


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """One run with the rules that were asked and a result for each finding; `width` and `color` change nothing."""
    told = items(report)
    found = [item for item in told if item.state == "fired"]
    rules = _rules(report, found)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    data = report.get("dataset") or {}
    driver = {"name": "prefaudit", "semanticVersion": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report, told)],
        "results": [_result(item, index, data) for item in found],
        "properties": {
            "pairs": data.get("pairs"), "rows": data.get("rows"), "skipped": data.get("skipped"),
            "fingerprint": clean(data.get("fingerprint", ""), 40),
            "unjudged": [item.title for item in told if item.state == "unjudged"],
        },
    }  # fmt: skip
    return dumps(canonical({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}), indent=2) + "\n"


def _rules(report: Mapping[str, Any], found: list[Item]) -> list[dict[str, Any]]:
    """Every rule asked, and the gates on features that failed."""
    told = [
        {
            "id": clean(rule["code"], 20),
            "name": clean(rule.get("name") or rule["code"], 60),
            "shortDescription": {"text": clean(rule.get("what") or rule.get("name") or rule["code"], 1000)},
            "help": {"text": clean(rule.get("remedy") or f"prefaudit rule {rule['code']}", 1000)},
            "defaultConfiguration": {"level": LEVELS[rule["severity"]]},
            "properties": {"tags": ["preference-data", clean(rule["code"], 20)[:3]], "scope": rule["scope"]},
        }
        for rule in report.get("rules") or ()
    ]
    known = {rule["id"] for rule in told}
    told += [
        {"id": item.code, "name": "gate", "shortDescription": {"text": "A gate on the effect of a feature."},
         "help": {"text": "See the effects in the report, and the gate in prefaudit.toml."},
         "defaultConfiguration": {"level": LEVELS[item.severity]}}
        for item in found if item.code not in known
    ]  # fmt: skip
    return told


def _result(item: Item, index: Mapping[str, int], data: Mapping[str, Any]) -> dict[str, Any]:
    files = [clean(path, 500) for path in data.get("paths") or ()]
    told: dict[str, Any] = {
        "ruleId": item.code, "ruleIndex": index[item.code], "kind": "fail", "level": LEVELS[item.severity],
        "message": {"text": _plain("\n".join((item.title, *item.lines)))},
        "locations": _locations(item, data),
        "partialFingerprints": {"prefaudit/v1": fingerprint(item.code, item.part, files)},
        "properties": {"fails": item.fails, "rows": list(item.rows), "slices": list(item.slices)},
    }  # fmt: skip
    if item.found:
        told["occurrenceCount"] = item.found
    if item.new is not None:
        told["baselineState"] = "new" if item.new else "unchanged"
    return told


def _plain(text: str) -> str:
    """Text without what SARIF reads in a message (3.11.5, 3.11.6): no links, no places for arguments."""
    return re.sub(r"\{(?=\d)", "{ ", text.replace("](", "] ("))


def _locations(item: Item, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The files of the dataset; line 1 stands for the whole, since code scanning shows no result without a line."""
    logical = [{"name": item.part or "all pairs", "kind": "member"}]
    paths = [str(path) for path in data.get("paths") or () if path and path != "-" and data.get("container") != "frame"]
    if not paths:
        return [{"logicalLocations": logical}]
    return [
        {"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": {"startLine": 1}},
         "logicalLocations": logical}
        for path in paths[:PATHS]
    ]  # fmt: skip


def uri(path: str) -> str:
    """A path as a URI reference: relative as it was given, absolute with file://, and another scheme's as it stands."""
    plain = clean(path.replace("\\", "/"), 1000)
    scheme, colon, rest = plain.partition("://")
    if colon and scheme.isalnum():
        return f"{scheme}://{quote(rest, safe=SAFE + ':%')}"
    quoted = quote(plain, safe=SAFE)
    return f"file://{quoted}" if quoted.startswith("/") else quoted


def _invocation(report: Mapping[str, Any], told: list[Item]) -> dict[str, Any]:
    failed = bool(gates.fails(report))
    words = {0: "nothing at or above fail-on", 1: "the gate failed", 2: "incomplete"}
    code = report.get("exit_code", 2)
    notes = [
        {"level": "error", "message": {"text": _plain(f"{item.title}: {item.lines[0]}")}}
        for item in told
        if item.state == "error"
    ]
    return {
        "executionSuccessful": report.get("complete") is True,
        "exitCode": code,
        "exitCodeDescription": words.get(code, "incomplete"),
        "toolExecutionNotifications": notes,
        "properties": {"failOn": clean(report.get("fail_on", ""), 20), "gateFailed": failed},
    }

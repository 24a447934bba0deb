"""The report as JUnit XML: a test case for each rule or gate, so that a pipeline's test view shows what failed."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as tree

from prefaudit.reports.items import Item, items
from prefaudit.reports.words import clean


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """One suite; a case fails where the gate does, and is skipped where nothing could be judged.

    A finding below `fail_on` passes, with what was found in `system-out`. `width` and `color` change nothing.
    """
    told = items(report)
    counts = {
        "tests": len(told),
        "failures": sum(_kind(item) == "failure" for item in told),
        "errors": sum(_kind(item) == "error" for item in told),
        "skipped": sum(_kind(item) == "skipped" for item in told),
    }
    numbers = {name: str(n) for name, n in counts.items()}
    root = tree.Element("testsuites", {"name": "prefaudit", **numbers, "time": "0"})
    suite = tree.SubElement(root, "testsuite", {"name": "prefaudit", **numbers, "time": "0"})
    data = report.get("dataset") or {}
    properties = tree.SubElement(suite, "properties")
    for name in ("format", "container", "fingerprint", "pairs", "rows", "skipped"):
        tree.SubElement(properties, "property", {"name": name, "value": clean(data.get(name, ""), 80)})
    for item in told:
        _case(suite, item)
    tree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tree.tostring(root, encoding="unicode") + "\n"


def _kind(item: Item) -> str:
    if item.state == "error":
        return "error"
    if item.state == "unjudged":
        return "skipped"
    return "failure" if item.fails else ""


def _case(suite: tree.Element, item: Item) -> None:
    case = tree.SubElement(
        suite, "testcase", {"classname": f"prefaudit.{item.code[:3]}", "name": item.title, "time": "0"}
    )
    kind = _kind(item)
    if kind:
        told = tree.SubElement(case, kind, {"message": item.lines[0]})
        if kind != "skipped":
            told.set("type", item.severity)
            told.text = "\n".join(item.lines)
    elif item.state == "fired":
        tree.SubElement(case, "system-out").text = "\n".join((item.severity, *item.lines))

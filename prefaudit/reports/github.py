"""The report as GitHub workflow commands: annotations of a run, one a rule or gate."""

from __future__ import annotations

from typing import Any

from prefaudit.reports.digest import digest
from prefaudit.reports.items import Item, items
from prefaudit.reports.words import clean, some

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}
WORDS = {"error": "error", "warning": "warning", "info": "note"}
MOST = 10  # of a level: GitHub shows no more of a step


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """A command a line, the gravest first, at most ten of a level, and the headline as a notice.

    What could not be measured is an error. `width` and `color` change nothing.
    """
    found = [item for item in items(report) if item.state in ("error", "fired")]
    paths = [p for p in (report.get("dataset") or {}).get("paths") or () if p != "-" and "://" not in p]
    inside = len(paths) == 1 and not set(paths[0]) & set("*?[") and not paths[0].startswith(("/", ".."))
    file = clean(paths[0], 500) if inside else ""
    lines = []
    for severity, level in LEVELS.items():
        here = [item for item in found if _severity(item) == severity]
        room = MOST - (severity == "info")  # the headline is a notice too
        shown, rest = (here, []) if len(here) <= room else (here[: room - 1], here[room - 1 :])
        lines += [command(level, item.title, "\n".join(item.lines), file) for item in shown]
        if rest:
            codes = ", ".join(item.code for item in rest)
            lines.append(command(level, f"prefaudit: {some(len(rest), 'more ' + WORDS[severity])}", codes, file))
    lines.append(command("notice", "prefaudit", digest(report).headline))
    return "\n".join(lines) + "\n"


def _severity(item: Item) -> str:
    """Of a finding that is known from the baseline the lowest: a merge is not to be marked by what was there before."""
    if item.state != "fired":
        return "error"
    return "info" if item.new is False else item.severity


def command(level: str, title: str, message: str, file: str = "") -> str:
    """`::error title=...,file=...::message`, escaped as the runner's toolkit does."""
    named = {"title": title} | ({"file": file} if file else {})
    properties = ",".join(f"{name}={_property(value)}" for name, value in named.items())
    return f"::{level} {properties}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

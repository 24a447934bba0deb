"""What the data does not tell, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prefaudit.core import SEVERITIES, Rule


class Fact(NamedTuple):
    """Something a source may say of its pairs: the columns that hold it, and how to say where it is."""

    what: str
    columns: tuple[str, ...]
    remedy: str


FACTS = (
    Fact("presented order", ("first", "first_rate", "first_low", "first_high", "first_n"), "--map first=COLUMN"),
    Fact("annotators", ("annotator", "votes", "agreement", "annotators"), "--map annotator=COLUMN"),
    Fact("scores or margins", ("score_chosen", "score_rejected", "margin"), "--map score_chosen=COLUMN"),
    Fact("source", ("source",), "--map source=COLUMN"),
    Fact("models", ("model_chosen", "model_rejected"), "--map model_chosen=COLUMN"),
)


def unknowns(
    rules: Mapping[str, Rule], results: Sequence[Mapping[str, Any]], known: Mapping[str, bool], ran: Sequence[str]
) -> list[dict[str, Any]]:
    """Facts that no row tells and extractors that did not run, each with the rules that stay unjudged for it.

    Args:
        rules: the rules asked.
        results: the report's rules.
        known: PAIRS column to whether any row has it.
        ran: names of the extractors whose columns are there.
    """
    unjudged = {r["code"] for r in results if r["status"] == "unjudged"}
    found = []
    for name in sorted({need for code in unjudged for need in rules[code].needs if need not in ran}):
        waiting = [code for code in sorted(unjudged) if name in rules[code].needs]
        found.append({"what": f"{name}: not measured", "rules": waiting, "remedy": "part of a scan without --with"})
        unjudged -= set(waiting)
    for fact in FACTS:
        if any(known.get(column) for column in fact.columns):
            continue
        names = re.compile(rf"\b({'|'.join(fact.columns)})\b")
        asked = [code for code in sorted(unjudged) if _reads(rules[code], names)]
        found.append({"what": fact.what, "rules": asked, "remedy": fact.remedy})
    return found


def _reads(rule: Rule, names: re.Pattern[str]) -> bool:
    return (rule.over == "annotators" and bool(names.search("annotator"))) or bool(
        names.search(f"{rule.value} {rule.where}")
    )


def commands(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The next steps, most severe first: the rows behind what fired. DIR stands for the audit folder."""
    fired = [r for r in results if r["status"] == "fired"]
    fired.sort(key=lambda r: (SEVERITIES.index(r["severity"]), -r["found"], r["code"]))
    steps = [
        {"command": f"prefaudit show DIR {r['code']}", "why": r["name"], "rows": r["found"]}
        for r in fired
        if r["scope"] == "pair" and r["severity"] != "info"
    ]
    steps += [
        {"command": f"prefaudit rule {r['code']}", "why": r["name"], "rows": None}
        for r in fired
        if r["scope"] != "pair" and r["severity"] != "info"
    ]
    return steps[:4]

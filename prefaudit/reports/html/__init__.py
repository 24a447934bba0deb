"""The report as one self-contained HTML page: no request leaves it; light and dark, desk, phone and print.

The page is whole without its script, which sorts, filters, folds and steps through pairs. Its policy allows no script
and no style but its own, by hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefaudit.reports import principles, strength
from prefaudit.reports.digest import digest
from prefaudit.reports.findings import SEVERITIES, finding, rank, tendency
from prefaudit.reports.html import lead, tables
from prefaudit.reports.html.charts import charts
from prefaudit.reports.html.forest import forest
from prefaudit.reports.html.pairs import Pairs
from prefaudit.reports.parts import Digest
from prefaudit.reports.words import clean, known, number, valued

if TYPE_CHECKING:
    from jinja2 import Template

LIMIT = 1_900_000  # bytes of the page
FINDINGS = 120  # of them told in full
LISTED = 40  # skipped reasons, gaps, failures, steps
ROOM = ((5, 2000), (4, 1200), (3, 600), (2, 300), (1, 200), (0, 0))  # pairs of a finding, characters of a text
HERE = Path(__file__).parent


@cache
def _template() -> Template:
    # Loaded here: a command that writes no page pays nothing for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_joined,
    )
    environment.filters["ticks"] = _ticks
    return environment.get_template("page.html.j2")


def _joined(value: Any) -> Any:
    """A number and its percent sign stay on one line; text that is marked up already is left alone."""
    return re.sub(r"(?<=\d) %", "\u00a0%", value) if type(value) is str else value


def _ticks(text: str) -> str:
    """What stands between backticks as code."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if k % 2 else escape(part)
                           for k, part in enumerate(parts))  # fmt: skip


@cache
def _own() -> dict[str, str]:
    """The page's style and script, and what its policy knows them by."""
    told = {}
    for name, file in (("style", "page.css"), ("script", "page.js")):
        source = (HERE / file).read_text("utf-8")
        told[name] = source
        told[f"{name}_hash"] = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return told


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The page, under 2 MB; `width` and `color` change nothing.

    Every text of the dataset is cleaned of control characters and escaped by the template.

    Args:
        report: The report of docs/architecture.md.
        width: Not used: the page follows the window.
        color: Not used.
    """
    context = _context(report)
    page = ""
    for most, limit in ROOM:
        pairs = Pairs(report.get("examples") or {}, most, limit)
        page = _template().render({**context, **_with_pairs(report, pairs)})
        if len(page.encode()) <= LIMIT:
            break
    return page


def _context(report: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on how much room the pairs have."""
    said = digest(report)
    return {
        **_own(),
        "said": said,
        "state": _state(said),
        "name": _name(report),
        "lead": lead.sentences(report, said),
        "tiles": lead.tiles(report),
        "listed": LISTED,
        "scorers_head": strength.SCORERS,
        "deciles_head": strength.DECILES,
        "charts": charts(report),
        "forest": forest(report),
        "slices": tables.slices(report),
        "annotators": tables.annotators(report),
        "lens_head": tables.LENS,
        "principles": _principles(report),
    }


def _principles(report: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """The tables of principles, each with its title, head and rows; those without rows are left out."""
    told = [
        ("Constitution", principles.RULES, principles.rules(report)),
        (f"Against what else foresees the labels, held out: {principles.size(report)}", principles.AGAINST,
         principles.against(report)),
        *((f"By {kind}", principles.BY, rows) for kind, rows in principles.by(report)),
        ("Disagreements", principles.APART, principles.apart(report)),
        ("Every principle, in the direction that the labels follow", principles.EACH, principles.each(report)),
    ]  # fmt: skip
    return [(title, head, rows[: 3 * LISTED]) for title, head, rows in told if rows]


def _with_pairs(report: dict[str, Any], pairs: Pairs) -> dict[str, Any]:
    fired = sorted((r for r in report.get("rules") or () if r.get("status") == "fired"), key=rank)
    wrong = [_finding(r, pairs) for r in fired if not tendency(r)]
    return {
        "fix": [(s, [f for f in wrong[:FINDINGS] if f["told"].severity == s]) for s in SEVERITIES],
        "fix_left": max(0, len(wrong) - FINDINGS),
        "predictable": [_finding(r, pairs) for r in fired if tendency(r)][:FINDINGS],
        "linked": tables.linked(report, pairs),
        "lens": tables.lens(report, pairs),
    }


def _finding(rule: dict[str, Any], pairs: Pairs) -> dict[str, Any]:
    """A finding with the numbers it is sorted by, and its pairs."""
    whole = rule.get("scope") != "pair"
    threshold = number(rule["threshold"]) if known(rule.get("threshold")) else ""
    return {
        "told": finding(rule),
        "rate": rule["rate"] if known(rule.get("rate")) and not whole else None,
        "found": rule["found"] if known(rule.get("found")) else None,
        # Of a yes or no, asked pair by pair, the value says nothing.
        "value": number(rule["value"]) if known(rule.get("value")) and (whole or threshold) else "",
        "valued": valued(rule),
        "end": f" ({clean(rule['end'], 10)} end)" if rule.get("end") else "",
        "threshold": threshold,
        "pairs": pairs.of(rule.get("examples") or ()),
    }


def _state(said: Digest) -> str:
    """Of what colour the headline is: green only where nothing grave was found."""
    if not said.complete or not said.passed:
        return "bad"
    return "mixed" if any(f.severity == "error" for f in said.fix) else "good"


def _name(report: dict[str, Any]) -> str:
    """What was audited: the file names, without the folders they lie in."""
    paths = [clean(path, 400).rstrip("/").split("/")[-1] for path in (report.get("dataset") or {}).get("paths") or ()]
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(clean(path, 80) for path in paths[:3]) + more

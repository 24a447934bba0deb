"""The report as one self-contained HTML page: no script, no network, light and dark, desk and phone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefaudit.reports import strength
from prefaudit.reports.diff import marked
from prefaudit.reports.digest import digest
from prefaudit.reports.parts import Digest, Effect, Finding
from prefaudit.reports.words import clean, percent

if TYPE_CHECKING:
    from jinja2 import Template

LIMIT = 480_000  # bytes of the page
FINDINGS = 60
EFFECTS = 60
LISTED = 40  # skipped reasons, gaps, failures, steps
AXIS = (
    0.05,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    1.0,
)  # half widths that the drawing of effects may have, as differences of probabilities


@cache
def _template() -> Template:
    # Loaded here: a scan that writes no page pays nothing for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.j2")


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The page, under 500 KB; `width` and `color` change nothing.

    Every text of the dataset is cleaned of control characters and escaped by the template; the page's own policy
    forbids scripts, frames and requests besides.

    Args:
        report: The report of docs/architecture.md.
        width: Not used: the page follows the window.
        color: Not used.
    """
    said = digest(report)
    page = ""
    for examples, text in ((3, 1200), (2, 400), (1, 200), (0, 0)):
        page = _template().render(_context(said, report.get("examples") or {}, examples, text))
        if len(page.encode()) <= LIMIT:
            break
    return page


def _context(said: Digest, pairs: dict[str, Any], examples: int, text: int) -> dict[str, Any]:
    effects = said.effects[:EFFECTS]
    half = _half(effects)
    return {
        "said": said,
        "state": "good" if said.complete and said.passed else "bad",
        "listed": LISTED,
        "scorers_head": strength.SCORERS,
        "deciles_head": strength.DECILES,
        "fix": [(f, _examples(f, pairs, examples, text)) for f in said.fix[:FINDINGS]],
        "fix_left": max(0, len(said.fix) - FINDINGS),
        "predictable": said.predictable[:FINDINGS],
        "effects": [(e, _drawing(e, half)) for e in effects],
        "effects_left": max(0, len(said.effects) - EFFECTS),
        "half": f"{100 * half:.0f}",
        "point": 100 * 0.01 / half,
    }


def _half(effects: list[Effect]) -> float:
    """The smallest axis that holds every interval."""
    ends = [abs(x) for e in effects for x in (e.estimate, *(e.interval or ())) if x is not None]
    return next((half for half in AXIS if half >= max(ends, default=0.0)), AXIS[-1])


def _drawing(effect: Effect, half: float) -> dict[str, float] | None:
    """Where the interval and the estimate lie on an axis from -100 to 100."""
    if effect.estimate is None:
        return None
    low, high = effect.interval or (effect.estimate, effect.estimate)
    low, at, high = (round(100 * max(-1.0, min(1.0, x / half)), 2) for x in (low, effect.estimate, high))
    return {"low": low, "at": at, "high": high, "width": round(high - low, 2)}


def _examples(finding: Finding, pairs: dict[str, Any], most: int, limit: int) -> list[dict[str, Any]]:
    """The pairs behind a finding, with the words in which the answers differ marked."""
    out = []
    for row in [r for r in finding.rows if r in pairs][:most]:
        pair = pairs[row]
        texts = {
            s: None if pair.get(s) is None else clean(pair[s], limit, lines=True)
            for s in ("prompt", "chosen", "rejected")
        }
        if texts["prompt"] is not None:  # the last turn is what was answered
            texts["prompt"] = clean(_tail(pair["prompt"], limit), limit + 1, lines=True)
        chosen, rejected, share = marked(texts["chosen"] or "", texts["rejected"] or "")
        sides = [("chosen", texts["chosen"], chosen), ("rejected", texts["rejected"], rejected)]
        said = "" if share is None else "the same words" if share == 1 else f"{percent(share)} of the words in common"
        label = clean(pair["label"], 40) if pair.get("label") is not None else ""
        out.append({"row": row, "prompt": texts["prompt"], "label": label, "sides": sides, "share": said})
    return out


def _tail(text: Any, most: int) -> str:
    whole = text if isinstance(text, str) else str(text)
    return whole if len(whole) <= most else "…" + whole[len(whole) - most :]

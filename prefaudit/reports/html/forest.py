"""Effects as rows of a forest plot: over all pairs, and within each source where the report has that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefaudit.reports.effects import effect
from prefaudit.reports.parts import Effect
from prefaudit.reports.words import chance, clean, known

MOST, EACH = 300, 60  # rows of all pairs, and of each source
AXIS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)  # half widths of the axis, as differences of probabilities
SHOWN = 0.9  # of the intervals' ends lie on the axis; the others end in an arrow
ALL = "all pairs"
KEYS = {"win": "win_rate", "joint": "delta_joint", "n": "n", "differs": "prevalence", "q": "q"}


@dataclass(frozen=True)
class Row:
    """One feature, in all pairs or in those of one source."""

    told: Effect
    source: str
    sure: bool  # the interval leaves out 0
    q: str
    numbers: dict[str, float | None]  # what to sort by
    drawing: dict[str, float | bool] | None


@dataclass(frozen=True)
class Forest:
    """The rows and the axis they are drawn on."""

    rows: list[Row]
    sources: list[str]
    families: list[str]
    half: float
    whole: int
    left: int

    @property
    def ticks(self) -> list[str]:
        """The axis at its ends and in the middle, in points."""
        return [f"{-100 * self.half:.0f}", "0", f"{100 * self.half:+.0f}"]

    @property
    def point(self) -> float:
        """One point, of an axis from -100 to 100."""
        return 1 / self.half


def forest(report: dict[str, Any]) -> Forest:
    """Every feature of the report that differs anywhere, by source where it tells that."""
    whole = [e for e in report.get("effects") or () if e.get("prevalence")]
    words = {e["feature"]: e for e in whole if e.get("feature")}
    told = [(ALL, e) for e in whole[:MOST]]
    sources = []
    for one in report.get("effects_by_source") or ():
        name = clean(one.get("source", ""), 60)
        sources.append(name)
        for e in (one.get("effects") or ())[:EACH]:
            about = words.get(e.get("feature"), {})
            told.append((name, {**e, "label": about.get("label"), "family": about.get("family")}))
    said = [(source, effect(e), e) for source, e in told]
    half = _half([s for _, s, _ in said])
    rows = [_row(source, s, e, half) for source, s, e in said]
    families = sorted({row.told.family for row in rows})
    return Forest(rows, [ALL, *dict.fromkeys(sources)], families, half, len(whole), max(0, len(whole) - MOST))


def _row(source: str, told: Effect, e: dict[str, Any], half: float) -> Row:
    sure = told.interval is not None and told.interval[0] * told.interval[1] > 0
    numbers = {name: float(e[key]) if known(e.get(key)) else None for name, key in KEYS.items()}
    numbers["held"] = told.estimate
    numbers["joint"] = None if told.estimate is None else numbers["joint"]
    return Row(told, source, sure, chance(e.get("q")), numbers, _drawing(told, half))


def _half(effects: list[Effect]) -> float:
    """The smallest axis that holds every estimate and most of the intervals."""
    points = [abs(e.estimate) for e in effects if e.estimate is not None]
    ends = sorted(max(abs(x) for x in e.interval) for e in effects if e.interval is not None)
    most = ends[min(len(ends) - 1, int(SHOWN * len(ends)))] if ends else 0.0
    return next((half for half in AXIS if half >= max([most, *points])), AXIS[-1])


def _drawing(told: Effect, half: float) -> dict[str, float | bool] | None:
    """Where the interval and the estimate lie on an axis from -100 to 100, and which ends lie beyond it."""
    if told.estimate is None or told.interval is None:
        return None
    low, at, high = (100 * x / half for x in (told.interval[0], told.estimate, told.interval[1]))
    inside = [round(max(-100.0, min(100.0, x)), 1) for x in (low, at, high)]
    return {"low": inside[0], "at": inside[1], "high": inside[2], "under": low < -100, "over": high > 100}

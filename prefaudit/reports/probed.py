"""How often probes name chosen and rejected answers, in words, and what their errors leave of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefaudit.reports.words import NONE, clean, known, pair_of, percent, points, some

SIDES = ("chosen", "rejected", "difference")
UNCHECKED = "no bound"


def line(report: dict[str, Any]) -> list[str]:
    """One short line: a probe that was reviewed, else the one that most tells the sides apart within a bound."""
    probes = report.get("probes") or []
    if not probes:
        return []
    probe = max(probes, key=_telling)
    chosen, rejected, apart = (probe.get(side) or {} for side in SIDES)
    review = (probe.get("reviewed") or {}).get("difference") or {}
    ends = pair_of(apart.get("range"))
    told = f"errors allow {points(ends[0])} to {points(ends[1])}" if ends else f"errors: {UNCHECKED}"
    if known(review.get("rate")):
        told = f"reviewed {points(review['rate'], review.get('interval'))}"
    said = f"{clean(probe.get('feature', ''), 40)}: {percent(chosen.get('rate'))} chosen, "
    said += f"{percent(rejected.get('rate'))} rejected, {told}"
    return [said + (f"; {some(len(probes) - 1, 'more probe')}" if len(probes) > 1 else "")]


def _telling(probe: dict[str, Any]) -> tuple[bool, bool, float]:
    apart = probe.get("difference") or {}
    rate = apart.get("rate")
    return (
        bool(probe.get("reviewed")),
        pair_of(apart.get("range")) is not None,
        abs(float(rate or 0)) if known(rate) else 0.0,
    )


def sides(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Each probe's sides and their difference: what was found, what its errors allow, what a review makes of it."""
    rows = []
    for probe in report.get("probes") or ():
        reviewed = probe.get("reviewed") or {}
        for side in SIDES:
            told, seen = probe.get(side) or {}, reviewed.get(side) or {}
            say: Callable[..., str] = points if side == "difference" else percent
            ends = pair_of(told.get("range"))
            rows.append((
                f"{clean(probe.get('feature', ''), 40)}, {side}", say(told.get("rate"), told.get("interval")),
                f"{say(ends[0])} to {say(ends[1])}" if ends else UNCHECKED,
                say(seen.get("rate"), seen.get("interval")) if seen else NONE,
            ))  # fmt: skip
    return rows

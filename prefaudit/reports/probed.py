"""How often probes name chosen and rejected answers, in words, and what their errors leave of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefaudit.reports.words import NONE, clean, known, pair_of, percent, points

SIDES = ("chosen", "rejected", "difference")
UNCHECKED = "no bound"


def line(report: dict[str, Any]) -> list[str]:
    """All probes in one line: the difference between the sides is what can turn a choice."""
    said = []
    for probe in report.get("probes") or ():
        chosen, rejected, apart = (probe.get(side) or {} for side in SIDES)
        review = (probe.get("reviewed") or {}).get("difference") or {}
        if known(review.get("rate")):
            told = f"reviewed {points(review['rate'], review.get('interval'))}"
        else:
            ends = pair_of(apart.get("range"))
            told = (
                f"known errors allow {points(ends[0])} to {points(ends[1])}" if ends else f"known errors: {UNCHECKED}"
            )
        found = f"{percent(chosen.get('rate'))} of chosen, {percent(rejected.get('rate'))} of rejected"
        said.append(f"{clean(probe.get('feature', ''), 40)} in {found}, {points(apart.get('rate'))} points ({told})")
    return [f"probes: {'; '.join(said)}"] if said else []


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

"""What the chosen answer has more or less of, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from prefaudit.reports.parts import Effect
from prefaudit.reports.words import NONE, clean, count, hundred, known, number, pair_of, percent, points, some


def effect(told: dict[str, Any]) -> Effect:
    """A row of the report's `effects`, in words."""
    label = clean(told.get("label") or told.get("feature") or "", 60)
    n, prevalence = told.get("n"), told.get("prevalence")
    win = NONE
    if known(told.get("win_rate")):
        ends = pair_of(told.get("win_interval")) or pair_of((told.get("win_low"), told.get("win_high")))
        win = hundred(told["win_rate"]) + (f" [{hundred(ends[0])}, {hundred(ends[1])}]" if ends else "")
    interval = pair_of(told.get("interval")) or pair_of((told.get("low"), told.get("high")))
    # An estimate whose uncertainty is not known is not shown as one; the note says why there is no interval.
    sure = known(told.get("delta_win")) and interval is not None
    delta = told["delta_win"] if sure else None
    return Effect(
        label=label.removeprefix("more "),
        family=clean(told.get("family") or "", 40),
        win=win,
        held=points(delta, interval),
        joint=points(told.get("delta_joint")) if sure else NONE,
        differs=percent(prevalence),
        n=count(n),
        note=clean(told.get("note") or "", 200),
        estimate=None if delta is None else float(delta),
        interval=interval,
    )


def differs(told: dict[str, Any]) -> bool:
    """Whether the feature differs in pairs enough to speak of: fewer than 10 are only counted in a note."""
    return float(told.get("prevalence") or 0) * float(told.get("n") or 0) >= 9.5


def notes(report: dict[str, Any]) -> list[str]:
    """How many effects there are beyond chance, and why some are not told."""
    summary = report.get("effects_summary") or {}
    said = []
    if known(summary.get("of")):
        said.append(f"of a seeded sample of whole groups, {count(summary.get('n'))} of {some(summary['of'], 'pair')}; "
                    "rules are asked of all")  # fmt: skip
    if known(summary.get("exceeding")) and summary.get("features"):
        line = f"{count(summary['exceeding'])} of {some(summary.get('features'), 'feature')} exceed 1 point, "
        runs = summary.get("permutations")
        if runs and known(summary.get("exceeding_permuted")):
            line += f"{number(summary['exceeding_permuted'])} under permuted labels (mean of {count(runs)})"
        else:
            line += "labels were not permuted"
        said.append(line)
    if summary.get("note"):
        said.append(clean(summary["note"]))
    gaps = Counter(clean(e["note"], 120) for e in report.get("effects") or () if e.get("note"))
    said += [f"not estimated for {some(n, 'feature')}: {why}" for why, n in gaps.most_common(2)]
    if not report.get("effects") and not said:
        said.append("no effect was estimated")
    return said

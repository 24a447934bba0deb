"""How the labels came about, in words: agreement of annotators, presented order, names that give labels away."""

from __future__ import annotations

from typing import Any

from prefaudit.reports.words import NONE, clean, count, decimal, hundred, known, percent, some

THINGS = {
    "model": "model names alone",
    "source": "source and order alone",
    "language": "language alone",
    "format": "format alone",
    "position": "presented order alone",
}


def shortcuts(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of the held-out table: name, no accuracy, AUC; with the pairs where they are not those of the table."""
    whole = (report.get("baselines") or {}).get("n")
    rows = []
    for one in report.get("shortcuts") or ():
        if known(one.get("auc")):
            name = THINGS.get(one.get("name", ""), clean(one.get("name", ""), 40))
            name += "" if one.get("n") == whole else f", {some(one.get('n'), 'pair')}"
            rows.append((name, NONE, decimal(one["auc"], one.get("interval"))))
    return rows


def notes(report: dict[str, Any]) -> list[str]:
    """What the presented order decides, and which model wins most and least."""
    said = []
    place = report.get("position") or {}
    if known(place.get("rate")):
        said.append(
            f"the first answer wins {percent(place['rate'], place.get('interval'))} of {count(place.get('n'))}; Bayes "
            f"factor against a fair coin 10^{place.get('log10_bayes') or 0:.1f}"
        )
    models = [m for m in report.get("models") or () if known(m.get("win_rate")) and (m.get("pairs") or 0) >= 20]
    if len(models) > 1:
        order = sorted(models, key=lambda m: (-m["win_rate"], str(m.get("name"))))
        ends = [f"{clean(m['name'], 40)} {percent(m['win_rate'], m.get('interval'))}" for m in (order[0], order[-1])]
        said.append(f"of {some(len(models), 'model')} {ends[0]} wins most, {ends[1]} least")
    return said


def agreement(report: dict[str, Any]) -> str:
    """Agreement beyond chance, in one clause; empty where no pair was judged twice."""
    told = report.get("agreement") or {}
    if not known(told.get("alpha")):
        return ""
    text = f"Krippendorff's alpha {decimal(told['alpha'], told.get('alpha_interval'))} of {count(told.get('n'))} votes"
    if told.get("repeats"):
        text += f", {count(told.get('opposed'))} of {some(told['repeats'], 'repeat')} turned round"
    if known(told.get("tie_rate")):
        text += f", {hundred(told['tie_rate'])} % ties"
    return text

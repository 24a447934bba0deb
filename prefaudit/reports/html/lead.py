"""The top of the page: what matters most in a few sentences, and the numbers that are quoted."""

from __future__ import annotations

from typing import Any

from prefaudit.reports.parts import Digest
from prefaudit.reports.words import clean, count, decimal, known, pair_of, percent, points, some

SURE = 0.05  # false discovery rate under which an effect is named at the top


def sentences(report: dict[str, Any], said: Digest) -> list[str]:
    """What to fix first, what can be told without reading, and what moves the choice most."""
    told = []
    first = next((f for f in said.fix if f.severity in ("error", "warning") and f.scope == "pair"), None)
    if first is not None:
        told.append(f"First to fix: {first.code} {first.name}, in {first.found} pairs ({first.rate}).")
    base = report.get("baselines") or {}
    if known(base.get("longer_wins")):
        line = f"The longer answer is chosen in {percent(base['longer_wins'], base.get('longer_wins_interval'))}"
        if known(base.get("length_auc")):
            line += f"; the AUC of length alone is {decimal(base['length_auc'])}"
            line += f", of all text features {decimal(base['text_auc'])}" if known(base.get("text_auc")) else ""
        told.append(line + ".")
    sure = (e for e in report.get("effects") or () if known(e.get("bound")) and pair_of(e.get("interval")))
    effects = [e for e in sure if e["bound"] and known(e.get("q")) and e["q"] < SURE]
    if effects:
        most = max(effects, key=lambda e: abs(e["bound"]))
        label = clean(most.get("label") or most.get("feature") or "", 60)
        told.append(f"At equal length the choice moves most with “{label}”: "
                    f"{points(most.get('delta_win'), most.get('interval'))} points.")  # fmt: skip
    below = (report.get("strength") or {}).get("below") or {}
    if known(below.get("rate")):
        told.append(f"Outside evidence is against the label in {percent(below['rate'], below.get('interval'))} of "
                    f"{some((report.get('strength') or {}).get('n'), 'pair')}.")  # fmt: skip
    return told


def tiles(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, number and a remark."""
    data, base = report.get("dataset") or {}, report.get("baselines") or {}
    fired = [r.get("severity") for r in report.get("rules") or () if r.get("status") == "fired"]
    told = [("pairs", count(data.get("pairs")), f"{count(data.get('groups'))} independent groups")]
    for severity, name in (("error", "errors"), ("warning", "warnings"), ("info", "notes")):
        told.append((name, count(fired.count(severity)), ""))
    unjudged = sum(r.get("status") == "unjudged" for r in report.get("rules") or ())
    told.append(("rules unjudged", count(unjudged), f"of {count(len(report.get('rules') or ()))}"))
    if known(base.get("longer_wins")):
        told.append(("longer wins", percent(base["longer_wins"]), ""))
    if known(base.get("text_auc")):
        told.append(("AUC of text features", decimal(base["text_auc"]), "held out; 0.5 is chance"))
    return told

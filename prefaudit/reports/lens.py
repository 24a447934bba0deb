"""What the lens found, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefaudit.reports.words import clean, count, decimal, known, number, percent, points, some

SURE, MOST = 0.05, 3  # q and number of features on which annotators or sources disagree

Row = tuple[str, str, str, str, str, str]


def own(effect: dict[str, Any]) -> bool:
    """Whether a row of the effects table is a feature of the lens: these have a table of their own."""
    return str(effect.get("family") or "").startswith("lens")


def features(report: dict[str, Any]) -> list[Row]:
    """Each feature: what it is, how often it differs, its held effect, q, whether it comes back, pairs with most of it.

    Those that move the choice most surely come first.
    """
    each = (report.get("lens") or {}).get("each") or []
    return [
        (
            f"{clean(e.get('feature', ''), 8)}: {clean(e.get('name', ''), 120)}",
            percent(e["effect"].get("prevalence")),
            points(e["effect"].get("delta_win"), e["effect"].get("interval")),
            number(e["effect"]["q"]) if known(e["effect"].get("q")) else "",
            f"{decimal(e.get('stability'))}{'' if e.get('stable') else ' unstable'}",
            ", ".join(clean(row, 40) for row in e.get("examples") or ()),
        )
        for e in sorted(each, key=_rank)
    ]


def _rank(feature: dict[str, Any]) -> tuple[float, float]:
    effect = feature.get("effect") or {}
    q = effect.get("q")
    return (float(q) if q is not None else 2.0, -abs(float(effect.get("delta_win") or 0)))


def _disagreement(lens: dict[str, Any]) -> Iterator[str]:
    """On which features annotators and sources disagree most surely."""
    for by in ("annotator", "source"):
        told = [e for e in lens.get("each") or () if known((e.get(f"by_{by}") or {}).get("q"))]
        sure = sorted((e for e in told if e[f"by_{by}"]["q"] < SURE), key=lambda e: -e[f"by_{by}"]["tau"])[:MOST]
        if sure:
            what = "; ".join(
                f"{clean(e['feature'], 8)} {clean(e.get('name', ''), 60)} (deviation {decimal(e[f'by_{by}']['tau'])})"
                for e in sure
            )
            yield f"{by}s weigh differently, in log-odds: {what}"
        elif told:
            yield f"no feature is weighed differently by {by}s beyond chance, of {some(len(told), 'feature')} compared"


def lines(report: dict[str, Any]) -> list[str]:
    """What the lens is and how much it explains; nothing where there is none."""
    lens = report.get("lens") or {}
    if not lens:
        return []
    model = lens.get("embedder") or {}
    size = f"{count(lens.get('features'))} features, {count(lens.get('active'))} active in a pair"
    said = [f"{size}, on vectors of {clean(model.get('name', ''), 80)} ({clean(model.get('why', ''), 120)})"]
    if model.get("cut"):
        said[0] += f"; {some(model['cut'], 'answer')} longer than it reads"
    said.append(
        f"explains {percent(lens.get('explained'))} of what differs in pairs held out, "
        f"{percent(lens.get('explained_pca_chosen'))} by as many principal components; "
        f"{count(lens.get('unstable'))} of {count(lens.get('features'))} did not come back in halves of the groups"
    )
    said += list(_disagreement(lens))
    auc = lens.get("auc") or {}
    if known((auc.get("lens") or {}).get("auc")):
        views = (("lens", "lens"), ("full", "whole difference"), ("text", "text features"), ("length", "length"))
        told = [f"{words} {decimal(auc[view]['auc'], auc[view]['interval'])}" for view, words in views]
        said.append(f"AUC held out, each with length: {', '.join(told)}")
    elif auc.get("note"):
        said.append(clean(auc["note"]))
    return said

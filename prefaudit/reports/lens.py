"""What the lens found, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefaudit.reports.words import chance, clean, count, decimal, known, number, percent, points, some

SURE, MOST = 0.05, 3  # q and number of features on which annotators or sources disagree

Row = tuple[str, str, str, str, str, str]


def own(effect: dict[str, Any]) -> bool:
    """Whether a row of the effects table is a feature of the lens: these have a table of their own."""
    return str(effect.get("family") or "").startswith("lens")


def called(feature: dict[str, Any]) -> str:
    """A feature and its name; the fidelity of a language model's stands first, where no narrow line cuts it off."""
    f = feature.get("fidelity") or {}
    mark = f" [LLM {decimal(f.get('r'))}]" if feature.get("source") == "llm" else ""
    return f"{clean(feature.get('feature', ''), 8)}{mark}: {clean(feature.get('name', ''), 120)}"


def evidence(feature: dict[str, Any]) -> list[str]:
    """What a language model's names of a feature rest on: the votes on each candidate, the best first."""
    f = feature.get("fidelity") or {}
    told = []
    if f and not f.get("here"):
        told.append(f"the name came with the lens: {_votes(f)}, on its own data")
    for k, c in enumerate(feature.get("candidates") or ()):
        first = "the name" if feature.get("source") == "llm" else "not confirmed"
        kept = first if k == 0 else "also proposed"
        told.append(f"{kept}: {clean(c.get('name', ''), 120)}: {_votes(c)}")
    if feature.get("proposals_failed"):
        told.append(f"{some(feature['proposals_failed'], 'call')} for a name failed")
    return told + ([f"in its words: {clean(feature['contrast'], 120)}"] if feature.get("source") == "llm" else [])


def _votes(f: dict[str, Any]) -> str:
    said = [f"fidelity {decimal(f.get('r'), f.get('interval'))}"]
    said += [f"p {number(f['p_corrected'])} corrected"] if known(f.get("p_corrected")) else []
    turned, silent, failed = (count(f.get(name)) for name in ("contradicted", "silent", "failed"))
    return (f"{', '.join(said)}, n {count(f.get('n'))} ({silent} for neither, {turned} of them as the orders "
            f"contradict each other), {failed} votes failed")  # fmt: skip


def naming(report: dict[str, Any]) -> list[str]:
    """How a language model named features; nothing where it was not asked."""
    lens = report.get("lens") or {}
    facts = lens.get("naming") or {}
    if not facts:
        return []
    asked = [e for e in lens.get("each") or () if "candidates" in e]
    confirmed = sum(e.get("source") == "llm" for e in asked)
    model = clean(facts.get("model", ""), 80)
    if not known(facts.get("candidates")):
        failed = ", ".join(f"{clean(reason, 40)} {count(n)}" for reason, n in (facts.get("failed") or {}).items())
        return [
            f"calls of {model} for names without an answer: {failed or 'none'}; features keep the names of their words"
        ]
    return [
        f"{model} proposed {some(facts.get('candidates'), 'name')} for {some(len(asked), 'stable feature')}; "
        f"{count(confirmed)} of these {'has' if confirmed == 1 else 'have'} one that votes confirm on "
        f"{some(facts.get('pairs'), 'pair')} of other groups (p < .05 corrected for all names; [LLM fidelity]), the "
        f"others keep that of their words; {count(facts.get('unanswered'))} of {count(facts.get('ballots'))} votes and "
        f"{count(facts.get('proposals_failed'))} of {count(facts.get('proposals'))} proposals failed"
    ]


def features(report: dict[str, Any]) -> list[Row]:
    """Each feature: what it is, how often it differs, its held effect, q, whether it comes back, pairs with most of it.

    Those that move the choice most surely come first.
    """
    each = (report.get("lens") or {}).get("each") or []
    return [
        (
            called(e),
            percent(e["effect"].get("prevalence")),
            points(e["effect"].get("delta_win"), e["effect"].get("interval")),
            chance(e["effect"].get("q")),
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
    said += [*naming(report), *_disagreement(lens)]
    auc = lens.get("auc") or {}
    if known((auc.get("lens") or {}).get("auc")):
        views = (("lens", "lens"), ("full", "whole difference"), ("text", "text features"), ("length", "length"))
        told = [f"{words} {decimal(auc[view]['auc'], auc[view]['interval'])}" for view, words in views]
        said.append(f"AUC held out, each with length: {', '.join(told)}")
    elif auc.get("note"):
        said.append(clean(auc["note"]))
    return said

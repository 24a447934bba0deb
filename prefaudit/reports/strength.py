"""What outside scorers and the rest of the dataset say of the labels, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefaudit.reports.words import clean, count, decimal, known, number, percent, some

Row = tuple[str, ...]
SCORERS = ("scorer", "pairs", "as labelled", "AUC", "follows length", "weight")
DECILES = ("tenth (pairs)", "strength", "below 0", "scorers for the label", "longer wins", "contains")


def scorers(report: dict[str, Any]) -> list[Row]:
    """The rows under SCORERS; `follows length` is a rank correlation of margins and lengths."""
    each = (report.get("strength") or {}).get("scorers") or []
    return [
        (clean(s.get("name", ""), 80), count(s.get("n")), percent(s.get("accuracy"), s.get("accuracy_interval")),
         decimal(s.get("auc"), s.get("auc_interval")), decimal(s.get("length_rho")), decimal(s.get("weight")))
        for s in each
    ]  # fmt: skip


def deciles(report: dict[str, Any]) -> list[Row]:
    """The rows under DECILES, the weakest labels first."""
    each = (report.get("strength") or {}).get("deciles") or []
    return [
        (f"{k + 1} ({count(d.get('n'))})", f"{number(d.get('low'))} to {number(d.get('high'))}",
         percent(d.get("against")), percent(d.get("agree")), percent(d.get("longer_wins")), _contains(d))
        for k, d in enumerate(each)
    ]  # fmt: skip


def _contains(tenth: dict[str, Any]) -> str:
    """The source it has most of, and the features whose difference is unlike that of the rest."""
    each = [f"{clean(f.get('label', ''), 60)} {number(f.get('mean'))} (all: {number(f.get('mean_all'))})"
            for f in tenth.get("contains") or ()]  # fmt: skip
    source = tenth.get("source") or {}
    if source:
        each.insert(0, f"{clean(source.get('source', ''), 60)} {percent(source.get('share'))} "
                       f"(all: {percent(source.get('share_all'))})")  # fmt: skip
    return "; ".join(each)


def lines(report: dict[str, Any]) -> list[str]:
    """Strength first, then consensus; nothing where neither was measured."""
    reviewed = (report.get("review") or {}).get("wrong") or {}
    return [*_strength(report.get("strength") or {}, reviewed), *_consensus(report.get("consensus") or {})]


def _strength(told: dict[str, Any], reviewed: dict[str, Any]) -> list[str]:
    below = told.get("below") or {}
    each = told.get("scorers") or ()
    mute = [f"{clean(s.get('name', ''), 80)} says nothing: {clean(s['silent'])}" for s in each if s.get("silent")]
    if not below:
        return [f"no strength: {'; '.join(mute)}", *_cut(each)] if mute else []
    alone = f" ({'; '.join(mute)})" if mute else ""
    said = [f"{some(len(each) - len(mute), 'outside scorer')}{alone}: strength below 0 in {count(below.get('n'))} of "
            f"{count(told.get('n'))} pairs, {percent(below.get('rate'), below.get('interval'))}"]  # fmt: skip
    said.append(_noise(told.get("noise") or {}, reviewed))
    said += _cut(each)
    if told.get("routes"):
        people = "; ".join(f"{clean(r['to'])} {count(r['n'])} ({percent(r['share'])})" for r in told["routes"])
        said.append(f"to people: {people}")
    for scorer in told.get("scorers") or ():
        said += _swapped(scorer)
    if told.get("budget"):
        looks = "; ".join(f"{number(b['corrections'])} in {count(b['review'])} ({number(b['random'])} by chance)"
                         for b in told["budget"][:3])  # fmt: skip
        said.append(f"wrong labels to be found by looking, the least probable first: {looks}")
    worst = [p for p in told.get("parties") or () if known(p.get("wrong"))]
    if worst:
        p = max(worst, key=lambda p: p["wrong"])
        said.append(f"most wrong labels: those of {p['kind']} {clean(p['name'], 80)}, "
                    f"{percent(p['wrong'], p['interval'])} of {some(p['n'], 'pair')}")  # fmt: skip
    return said


def _cut(scorers: Sequence[dict[str, Any]]) -> list[str]:
    """One line for all models that did not read everything, and what became of their margins there."""
    told = []
    for s in scorers:
        if s.get("cut") or s.get("unread"):
            change = known(s.get("accuracy_cut")) and known(s.get("accuracy_whole"))
            with_label = (f", with the label in {percent(s['accuracy_cut'])} of these and "
                          f"{percent(s['accuracy_whole'])} of the others") if change else ""  # fmt: skip
            told.append(f"{clean(s.get('name', ''), 80)}: the prompt cut in {some(s.get('cut'), 'pair')}{with_label}; "
                        f"an answer too long to be read in {count(s.get('unread'))}")  # fmt: skip
    return ["; ".join(told)] if told else []


def _swapped(scorer: dict[str, Any]) -> list[str]:
    told = scorer.get("swapped") or {}
    if not known(told.get("kept")):
        return []
    word = "it hardly reads the prompt" if told["kept"] > 0.9 else "the rest is read from the prompt"
    return [f"{clean(scorer.get('name', ''), 80)}: under another prompt {percent(told['kept'])} of "
            f"{some(told.get('n'), 'margin')} keep their sign: {word}"]  # fmt: skip


def _noise(noise: dict[str, Any], reviewed: dict[str, Any]) -> str:
    point = known(reviewed.get("rate")) and reviewed.get("method") != "bound"
    people = f"; by the review {percent(reviewed['rate'], reviewed.get('interval'))}" if point else ""
    return _outside(noise) + people


def _outside(noise: dict[str, Any]) -> str:
    if not noise:
        return "wrong labels: no word of them, since the scorers here stem from the labels or are never against one"
    most = f"at most {percent(noise['at_most'])}" if known(noise.get("at_most")) else ""
    if known(noise.get("rate")):
        rate = f"wrong labels: {percent(noise['rate'], noise['interval'])}, if errors fall alike everywhere"
        return f"{rate}; {most or 'no bound'}"
    bound = f"{most} if they fall alike everywhere" if most else "no bound, since the scorers tell too little"
    return f"wrong labels: {bound}; no estimate from scorers: {clean(noise.get('declined', ''))}"


def _consensus(told: dict[str, Any]) -> list[str]:
    if not told.get("below"):
        return [f"consensus: {clean(told['note'])}"] if told.get("note") else []
    whole = told["below"][0]
    last = told["below"][-1]
    said = [f"consensus, no evidence: the rest of the data predicts the other answer in "
            f"{percent(whole.get('rate'), whole.get('interval'))} of {count(told.get('n'))} pairs; in "
            f"{count(last.get('n'))} at odds over 2.7"]  # fmt: skip
    if known(told.get("share")):
        said[0] += f" (a seeded sample: {percent(told['share'])} of the groups; --with +consensus measures all)"
    prompt = told.get("prompt") or {}
    if known(prompt.get("gain")):
        low = prompt["interval"][0]
        word = "the label depends on the prompt" if low > 0 else "the prompt is not seen to matter"
        said.append(f"{word}: an interaction with it takes {decimal(prompt['gain'], prompt['interval'])} of "
                    f"{decimal(prompt['loss'])} nats a pair, on {some(prompt.get('n'), 'pair')}")  # fmt: skip
    cost = told.get("min_consensus") or {}
    if known(cost.get("length_auc")) and known(cost.get("length_auc_kept")):
        said.append(f"--min-consensus {number(cost.get('at'))} would drop {percent(cost.get('drops'))}, and take the "
                    f"AUC of length from {decimal(cost['length_auc'])} to {decimal(cost['length_auc_kept'])}: the data "
                    "gets more predictable, not truer")  # fmt: skip
    return said

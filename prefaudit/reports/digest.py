"""What a reader is told, in order, before anything is laid out: the terminal, Markdown and HTML reports share it.

Every text in a digest has been through `words.clean`; a renderer adds the escaping of its own format.
"""

from __future__ import annotations

from typing import Any

from prefaudit.reports import effects, gated, judgements, lens, principles, probed, strength
from prefaudit.reports.effects import differs, effect
from prefaudit.reports.findings import finding, rank, tendency
from prefaudit.reports.parts import Digest, Step, Unknown
from prefaudit.reports.words import (
    NONE,
    clean,
    count,
    decimal,
    hundred,
    known,
    pair_of,
    percent,
    some,
)


def digest(report: dict[str, Any]) -> Digest:
    """The report in words.

    Args:
        report: The report of docs/architecture.md; sections may be missing from that of an incomplete audit, and what
            is missing is said in a line.
    """
    rules = report.get("rules") or []
    fired = sorted((r for r in rules if r.get("status") == "fired"), key=rank)
    data = report.get("dataset") or {}
    held_out, held_n, held_notes = _held_out(report.get("baselines") or {})
    held_out += principles.held_out(report) + judgements.shortcuts(report)
    held_notes += judgements.notes(report)
    return Digest(
        complete=report.get("complete") is True,
        passed=report.get("exit_code") == 0,
        headline=_headline(report, data, fired),
        failures=_failures(report, rules),
        gates=gated.lines(report),
        read=_read(report, data),
        probes=probed.sides(report),
        skipped=[(clean(reason), count(n)) for reason, n in _by_count(data.get("skipped_reasons"))],
        unknown=[
            Unknown(
                clean(u.get("what", "")), tuple(clean(c, 20) for c in u.get("rules") or ()), clean(u.get("remedy", ""))
            )
            for u in report.get("unknown") or ()
        ],
        unjudged=_unjudged(rules),
        fix=[finding(r) for r in fired if not tendency(r)],
        predictable=[finding(r) for r in fired if tendency(r)],
        predictable_none=_none_predictable(rules),
        held_out=held_out,
        held_n=held_n,
        held_notes=held_notes,
        effects=[effect(e) for e in report.get("effects") or () if differs(e) and not lens.own(e)],
        effects_notes=effects.notes(report),
        lens=lens.features(report),
        lens_notes=lens.lines(report),
        lens_naming=lens.naming(report),
        principles=principles.rules(report),
        principles_notes=principles.lines(report),
        strength=strength.lines(report),
        scorers=strength.scorers(report),
        deciles=strength.deciles(report),
        next=[
            Step(
                clean(s.get("command", ""), 400),
                clean(s.get("why", "")),
                some(s["rows"], "row") if s.get("rows") else "",
            )
            for s in report.get("next") or ()
        ],
    )


def _none_predictable(rules: list[dict[str, Any]]) -> str:
    waiting = [clean(r.get("code", ""), 20) for r in rules if tendency(r) and r.get("status") == "unjudged"]
    judged = any(tendency(r) and r.get("status") == "ok" for r in rules)
    if not waiting:
        return "nothing beyond the thresholds"
    text = f"not judged: {', '.join(waiting)}"
    return f"nothing beyond the thresholds of what was judged; {text}" if judged else text


def _by_count(reasons: dict[str, int] | None) -> list[tuple[str, int]]:
    return sorted((reasons or {}).items(), key=lambda item: (-item[1], item[0]))


def _headline(report: dict[str, Any], data: dict[str, Any], fired: list[dict[str, Any]]) -> str:
    layout = ", ".join(clean(data[k], 40) for k in ("format", "container") if data.get(k))
    subject = some(data.get("pairs"), "pair") + (f" ({layout})" if layout else "")
    sample = data.get("sample")
    if isinstance(sample, dict):
        subject += f", a sample of {count(sample.get('rows'))} of {some(sample.get('of'), 'row')}"
    elif sample:
        subject += f", a sample of {some(sample, 'row')}"
    words = (("error", "error"), ("warning", "warning"), ("info", "note"))
    tally = [(sum(r.get("severity") == s for r in fired), word) for s, word in words]
    found = ", ".join(some(n, word) for n, word in tally if n) or "no rule fired"
    gate = {0: "gate passed", 1: "gate failed"}.get(report.get("exit_code", 2), "gate not decided")
    if report.get("fail_on") == "never":
        gate = "no gate"
    elif report.get("fail_on") == "warning" and gate != "gate not decided":
        gate += " (fails on warnings)"
    if report.get("complete") is True:
        return f"{subject}: {found}; {gate}"
    return f"INCOMPLETE AUDIT, not to be relied on. {subject}: {found} so far; {gate}"


def _failures(report: dict[str, Any], rules: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"extractor {clean(e.get('name', ''), 60)} failed: {clean(e.get('error') or 'no reason given')}"
        for e in report.get("extractors") or ()
        if e.get("status") != "ok"
    ]
    lines += [
        f"rule {clean(r.get('code', ''), 20)} failed: {clean(r.get('message') or 'no reason given')}"
        for r in rules
        if r.get("status") == "error"
    ]
    return lines


def _read(report: dict[str, Any], data: dict[str, Any]) -> list[str]:
    skipped = data.get("skipped")
    lone = f", {some(data['unpaired'], 'reply', 'replies')} without a counterpart" if data.get("unpaired") else ""
    lines = [f"{some(data.get('rows'), 'row')} read: {some(data.get('pairs'), 'pair')}{lone}, {count(skipped)} skipped"]
    reasons = [f"{clean(reason, 120)} {count(n)}" for reason, n in _by_count(data.get("skipped_reasons"))]
    if len(reasons) == 1:
        lines[0] += f" ({clean(next(iter(data['skipped_reasons'])), 120)})"
    elif reasons:
        lines.append(
            "skipped: " + "; ".join(reasons[:4]) + (f"; {len(reasons) - 4} more reasons" if reasons[4:] else "")
        )
    if not known(data.get("ties")) or not known(data.get("groups")):
        return [*lines, *_reviewed(report), "ties and groups were not counted", _annotators(report)]
    ties = some(data["ties"], "tie")
    if data.get("both_bad"):
        ties += f", {count(data['both_bad'])} with both answers called bad"
    groups = f"{some(data.get('groups'), 'group')} of related pairs, the largest of {count(data.get('largest_group'))}"
    lines.append(f"{ties}; {groups}")
    notes = [clean(note) for note in data.get("notes") or ()]
    return [*lines, *_reviewed(report), *probed.line(report), _annotators(report), *notes]


SHARED = 20
"""Votes shared with others from which an annotator's agreement is worth naming."""


def _reviewed(report: dict[str, Any]) -> list[str]:
    """What a review sheet says, in a line."""
    review = report.get("review") or {}
    if not review.get("reviewed"):
        return []
    parts = []
    if review.get("wrong"):
        parts.append(f"the label is wrong in {_corrected(review['wrong'])} of all pairs")
    asked = [r for r in review.get("rules") or () if r.get("asked") != "label wrong"]
    parts += [f"{clean(r.get('code', ''), 20)} holds in {_corrected(r)}, found in {percent(r.get('found'))}"
              for r in asked[:3]]  # fmt: skip
    return [f"reviewed {some(review['reviewed'], 'pair')}: {'; '.join(parts) or 'no verdict on a label'}"]


def _corrected(estimate: dict[str, Any]) -> str:
    """A corrected rate; where too few were judged only the bound is told."""
    ends = pair_of(estimate.get("interval"))
    if estimate.get("method") == "bound" and ends:
        return f"{hundred(ends[0])} to {percent(ends[1])} ({count(estimate.get('n'))} judged, too little for more)"
    return percent(estimate.get("rate"), estimate.get("interval"))


def _annotators(report: dict[str, Any]) -> str:
    people = report.get("annotators") or []
    if not people:
        return "annotators: none named, so no agreement to tell"
    judged = [a for a in people if known(a.get("agreement"))]
    text = some(len(people), "annotator")
    beyond = judgements.agreement(report)
    text += f" ({beyond})" if beyond else ""
    if not judged:
        return f"{text}, none of whom shares a pair with another"
    judged = [a for a in judged if (a.get("shared") or 0) >= SHARED]
    if not judged:
        return f"{text}, none with {SHARED} votes shared with others"
    low = min(judged, key=lambda a: (a["agreement"], str(a.get("annotator"))))
    return (
        f"{text}; least agreement with the others: {clean(low.get('annotator', ''), 40)}, "
        f"{percent(low['agreement'], low.get('interval'))} of {some(low.get('shared'), 'shared vote')}"
    )


def _unjudged(rules: list[dict[str, Any]]) -> str:
    whole = sum(r.get("status") == "unjudged" for r in rules)
    partly = [r for r in rules if r.get("status") in ("ok", "fired") and (r.get("unjudged") or 0) > 0]
    if not rules:
        return "no rule was asked"
    if not whole and not partly:
        return "every rule could be judged"
    text = f"{count(whole)} of {some(len(rules), 'rule')} unjudged"
    if partly:
        most = max(partly, key=lambda r: (r["unjudged"], str(r.get("code"))))
        code = clean(most.get("code", ""), 20)
        text += f", {count(len(partly))} for part of the pairs (most: {code}, {count(most['unjudged'])})"
    return text


def _held_out(base: dict[str, Any]) -> tuple[list[tuple[str, str, str]], str, list[str]]:
    names = (
        ("rule", clean(base.get("rule") or "best single rule", 40)),
        ("length", "length, any curve"),
        ("text", "all text features"),
    )
    rows = [
        (
            name,
            percent(base.get(f"{key}_accuracy"), base.get(f"{key}_accuracy_interval")),
            decimal(base.get(f"{key}_auc"), base.get(f"{key}_auc_interval")),
        )
        for key, name in names
    ]
    rows = [row for row in rows if row[1:] != (NONE, NONE)]
    notes = []
    if known(base.get("longer_wins")):
        notes.append(f"the longer answer is chosen in {percent(base['longer_wins'], base.get('longer_wins_interval'))}")
    if base.get("note"):
        notes.append(clean(base["note"]))
    if not rows:
        notes += [] if base.get("note") else ["no baseline was fitted"]
    sizes = f"{some(base.get('n'), 'pair')} in {some(base.get('groups'), 'group')}" if known(base.get("n")) else ""
    return rows, sizes, notes

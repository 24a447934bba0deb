"""The principles and the constitution, in words: for the sections of every report, and a page of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefaudit.reports.paint import Line, fit, paint
from prefaudit.reports.words import (
    cells,
    clean,
    clip,
    count,
    decimal,
    known,
    pad,
    pair_of,
    percent,
    points,
    some,
    wrap,
)

Row = tuple[str, ...]
RULES = (
    "the chosen response ...",
    "weight",
    "speaks in pairs",
    "followed in others",
    "at equal length, points",
    "selected",
)
EACH = ("principle", "speaks", "followed there", "strength", "q", "in the list")
AGAINST = ("judged by", "agreement")
BY = ("name", "labels", "agreement", "weights of its own, in the order of the list")
APART = ("the chosen response ...", "of", "follows", "against", "follows")
OPENING, AGAINST_IT = "Select the response that ", "Do not select the response that "
WEIGHT = "weight: log-odds in the vote."
FRESH = f"{WEIGHT} Followed in others: where the rule speaks, in pairs that did not select it."
CHOSEN = f"{FRESH} Effect: there too. Selected: share of fits on parts of the groups."
WIDE = 100  # columns from which on effects are shown
GIVEN = "weight: log-odds in the vote, as given; nothing is chosen on these pairs."
HALF = 0.5
OTHERS = 8  # principles outside the list on the page
FEW = 40
HEAD, DIM = "bold", "dim"


def short(text: Any) -> str:
    """A principle without the words that all begin with."""
    said = clean(text, 300)
    return f"not: {said.removeprefix(AGAINST_IT)}" if said.startswith(AGAINST_IT) else said.removeprefix(OPENING)


def _marked(one: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """A principle, with a mark where it was read and not measured: a measured one can say the same words."""
    reader = _section(report).get("asked") or {}
    mark = "" if not one.get("read") else "[LLM] " if reader.get("model") else "[file] "
    return mark + short(one.get("says"))


def rules(report: Mapping[str, Any]) -> list[Row]:
    """The rows under RULES, as they came in; followed and effect are of pairs that did not select the rule."""
    found: list[Row] = []
    for r in _section(report).get("rules") or ():
        fresh = r.get("fresh") or {}
        effect = points(fresh.get("delta_win"), fresh.get("effect_interval"))
        if not known(fresh.get("delta_win")) and fresh.get("note"):
            note = clean(fresh["note"], FEW)
            effect = "is length itself" if note.startswith("length") else note
        chosen = percent(r["frequency"]) if known(r.get("frequency")) else ""
        follows = (
            percent(fresh.get("followed"), fresh.get("interval")) if known(fresh.get("followed")) else "not spoken of"
        )
        speaks = f"{count(r.get('speaks'))}, {percent(r.get('applies'))}"
        found.append((_marked(r, report), decimal(r.get("weight")), speaks, follows, effect, chosen))
    return found


def against(report: Mapping[str, Any]) -> list[Row]:
    """The rows under AGAINST: the constitution, then what else foresees the same labels, all on groups not seen."""
    section = _section(report)
    held = section.get("held_out") or {}
    if not held:
        return []
    name = _size(section) if section.get("rules") else "lists of the folds"
    rows: list[Row] = [(name, percent(held.get("agreement"), held.get("interval")))]
    for b in section.get("baselines") or ():
        name = clean(b.get("name", ""), 60) + (f": {short(b['says'])}" if b.get("says") else "")
        rows.append((name, percent(b.get("agreement"), b.get("interval"))))
    return rows


def size(report: Mapping[str, Any]) -> str:
    """How many pairs and groups the list was chosen on."""
    section = _section(report)
    return f"{some(section.get('n'), 'pair')} in {some(section.get('groups'), 'group')}"


def each(report: Mapping[str, Any]) -> list[Row]:
    """The rows under EACH: every principle in the direction that the labels follow."""
    found: list[Row] = []
    for p in report.get("principles") or ():
        follows, ends = p.get("followed"), pair_of(p.get("interval"))
        if p.get("sign") == -1 and known(follows):
            follows, ends = 1 - follows, (1 - ends[1], 1 - ends[0]) if ends else None
        strength = p["strength"] * (p.get("sign") or 1) if known(p.get("strength")) else None
        found.append((_marked(p, report), percent(p.get("applies")), percent(follows, ends), decimal(strength),
                      _q(p.get("q")), decimal(p.get("weight")) if known(p.get("weight")) else ""))  # fmt: skip
    return found


def by(report: Mapping[str, Any]) -> list[tuple[str, list[Row]]]:
    """Annotators and sources with weights of their own: what they are, and the rows under BY."""
    return [
        (kind, [(clean(s.get("name", ""), 40), count(s.get("n")), percent(s.get("agreement"), s.get("interval")),
                 " ".join(decimal(w) for w in (s.get("weights") or {}).values())) for s in some_])
        for kind, some_ in (_section(report).get("by") or {}).items()
    ]  # fmt: skip


def apart(report: Mapping[str, Any]) -> list[Row]:
    """The rows under APART: what two annotators or sources disagree on."""
    return [
        (short(d.get("text")), clean(d.get("a", ""), FEW), percent(d.get("a_followed")), clean(d.get("b", ""), FEW),
         percent(d.get("b_followed")))
        for d in _section(report).get("disagreements") or ()
    ]  # fmt: skip


def held_out(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The constitution as a line beside the other held-out predictions."""
    section = _section(report)
    held = section.get("held_out") or {}
    if not held or not section.get("rules"):
        return []
    return [(_size(section), percent(held.get("agreement"), held.get("interval")), "")]


def lines(report: Mapping[str, Any]) -> list[str]:
    """What is to be known of the constitution in a few sentences; nothing where no principle was asked."""
    section = _section(report)
    if not section:
        return []
    reader = _reader(section.get("asked") or {})
    if section.get("given"):
        told = section.get("agreement") or {}
        agreed = percent(told.get("agreement"), told.get("interval"))
        said = [f"a list of {some(len(section.get('rules') or ()), 'rule')} that was given: it agrees with {agreed} of "
                f"the labels of {some(told.get('n'), 'pair')}"]  # fmt: skip
        if section.get("seen"):
            said.append(f"{percent(section['seen'])} of the pairs it was chosen on are among these: its agreement "
                        "and how often its rules are followed are not of new pairs")  # fmt: skip
        return [*said, *reader]
    if not section.get("held_out"):
        return [clean(section.get("note") or "no constitution was chosen"), *reader]
    held = section["held_out"]
    agreed = percent(held.get("agreement"), held.get("interval"))
    said = [f"{_size(section)} from {size(report)}; lists chosen without the groups they judge agree with {agreed} of "
            f"the labels, silent in {percent(held.get('silent'))}, which count one half"]  # fmt: skip
    if not section.get("rules"):
        said = [f"{clean(section.get('note') or 'no rule says more than chance')}: {size(report)}"]
    elif (ends := pair_of(held.get("interval"))) and ends[0] <= HALF <= ends[1]:
        said.append("that interval holds 50 %: nothing shows that the list foresees other labels better than chance")
    if known(section.get("total")) and section["total"] > section.get("n", 0):
        sizes = f"{count(section['n'])} of {count(section['total'])} pairs"
        said.append(f"chosen on a seeded sample of whole groups, {sizes}")
    curve = [f"{c['rules']}: {percent(c['agreement'])}" for c in section.get("curve") or () if c.get("rules")]
    if curve:
        said.append(f"lists of so many rules, each chosen for itself: {', '.join(curve)}")
    single: Mapping[str, Any] = next((b for b in section.get("baselines") or () if b.get("says")), {})
    listed = [short(rule.get("says")) for rule in section.get("rules") or ()]
    if listed and single and listed != [short(single["says"])] and _reaches(single, held):
        alone = percent(single["agreement"], single.get("interval"))
        said.append(f"the list is no better than one principle alone, {short(single['says'])}: {alone}")
    return [*said, *reader]


def _reaches(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether one agreement is no less than another."""
    told = [float(of["agreement"]) for of in (one, other) if known(of.get("agreement"))]
    return len(told) == 2 and told[0] >= told[1]


def _reader(facts: Mapping[str, Any]) -> list[str]:
    """Who voted beside the measured principles, on how many pairs, and what that leaves open."""
    if facts.get("file"):
        return [_file(facts)]
    if not facts:
        return []
    failed = ", ".join(f"{clean(reason, FEW)} {count(n)}" for reason, n in (facts.get("failed") or {}).items())
    if not known(facts.get("pairs")):
        return [f"calls of {clean(facts.get('model'), FEW)} without an answer: {failed or 'none'}"]
    size = f"{count(facts.get('pairs'))} of {some(facts.get('of'), 'pair')}"
    if facts.get("pairs") == facts.get("of"):
        size = f"all {some(facts['of'], 'pair')}"
    left = f": a share is known to {100 * facts.get('error', 0):.1f} points" if facts.get("error") else ""
    same = facts.get("proposed") and facts.get("apart") is False
    shown = "; principles were proposed from pairs among these, which makes agreement somewhat too high" if same else ""
    turned = f"{count(facts.get('contradicted'))} of {count(facts.get('votes'))} votes"
    halves = "; halves of these pairs find the same list" if facts.get("settled") else ""
    return [
        f"votes of {clean(facts.get('model'), FEW)} on {size}{left}; its two orders contradict "
        f"each other in {turned}; calls without an answer: {failed or 'none'}{halves}{shown}"
    ]


def _file(facts: Mapping[str, Any]) -> str:
    """How much of a file of votes was of use."""
    pairs, of, name = facts.get("pairs", 0), facts.get("comparisons", 0), clean(facts["file"], FEW)
    unread = sum((facts.get("failed") or {}).values())
    lost = f"; {some(unread, 'vote')} could not be read" if unread else ""
    if pairs >= of:
        return f"votes on {some(pairs, 'pair')} from {name}{_others(facts)}{lost}"
    left = f"{count(of - pairs)} {'is' if of - pairs == 1 else 'are'} not in the data as a pair with a winner"
    return f"votes on {count(pairs)} of {some(of, 'comparison')} from {name}; {left}{_others(facts)}{lost}"


def _others(facts: Mapping[str, Any]) -> str:
    """What becomes of the pairs with a winner that are not in a file of votes; nothing where there are none."""
    pairs = facts.get("pairs", 0)
    others = facts.get("of", pairs) - pairs
    if others <= 0:
        return ""
    if not facts.get("alone"):
        return f"; the measured votes stand for the other {some(others, 'pair')} with a winner"
    return (f"; not all of its principles are measured, so what is said of the list and of each principle is of these "
            f"{some(pairs, 'pair')} alone, of {count(facts['of'])} with a winner")  # fmt: skip


def page(report: Mapping[str, Any], width: int = 80, color: bool = False) -> str:
    """The constitution, what it is worth, the other principles, and who weighs what: for the terminal."""
    return paint(list(_page(report, max(width, 60))), color=color)


def broken(report: Mapping[str, Any]) -> list[str]:
    """Why the audit is incomplete; nothing where it is not."""
    if report.get("complete") is True:
        return []
    failed = [f"extractor {clean(e.get('name', ''), 60)} failed: {clean(e.get('error') or 'no reason given')}"
              for e in report.get("extractors") or () if e.get("status") != "ok"]  # fmt: skip
    return ["INCOMPLETE AUDIT, not to be relied on", *failed]


def _page(report: Mapping[str, Any], width: int) -> Iterator[Line]:
    for sentence in broken(report):
        yield from ([(line, "bold red")] for line in wrap(sentence, width))
    for sentence in lines(report):
        yield from ([(line, "")] for line in wrap(sentence, width))
    if rules(report):
        yield from _table("CONSTITUTION", RULES, rules(report), width)
        note = GIVEN if _section(report).get("given") else CHOSEN if width >= WIDE else FRESH
        yield from ([(f"  {line}", DIM)] for line in wrap(note, width - 2))
    if against(report):
        yield from _table(f"HELD OUT  {size(report)}", AGAINST, against(report), width)
    others = [r for r, p in zip(each(report), report.get("principles") or (), strict=True) if p.get("weight") is None]
    if others:
        yield from _table("OTHER PRINCIPLES", EACH[:5], [r[:5] for r in others[:OTHERS]], width)
        yield from _left(len(others) - OTHERS)
    for kind, rows in by(report):
        yield from _table(f"BY {kind.upper()}", BY, rows, width)
    if apart(report):
        yield from _table("DISAGREEMENTS", APART, apart(report), width)


def _left(n: int) -> Iterator[Line]:
    if n > 0:
        yield [(f"  and {some(n, 'more principle')} in report.json and report.html", DIM)]


def _table(name: str, head: Sequence[str], rows: Sequence[Row], width: int) -> Iterator[Line]:
    """A heading, and rows whose first column gives way."""
    yield []
    yield [(name, HEAD)]
    sizes = [max(cells(row[k]) for row in (head, *rows)) for k in range(len(head))]
    while sum(sizes[1:]) + 2 * len(sizes) + 24 > width and len(sizes) > 2:
        sizes.pop()
    sizes[0] = max(20, min(sizes[0], width - sum(sizes[1:]) - 2 * len(sizes)))
    for k, row in enumerate((tuple(head), *rows)):
        cut = [pad(clip(text, size), size) for text, size in zip(row, sizes, strict=False)]
        yield fit([("  " + "  ".join(cut), "" if k else DIM)], width)


def _section(report: Mapping[str, Any]) -> Mapping[str, Any]:
    return report.get("constitution") or {}


def _size(section: Mapping[str, Any]) -> str:
    return f"constitution of {some(len(section.get('rules') or ()), 'rule')}"


def _q(q: Any) -> str:
    return "" if not known(q) else "<0.001" if q < 0.001 else f"{q:.3f}"

"""Which pairs a repair takes, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from prefaudit.core import UsageError
from prefaudit.repair.cut import Bools, Floats, Ints
from prefaudit.repair.evidence import LOW_IS_BAD, Evidence, no_consensus

FLIPPING = ("LBL", "STR", "PRN", "LNS")


@dataclass(frozen=True)
class Selection:
    """What to select by; see `prefaudit.filter`."""

    drop: tuple[str, ...] = ()
    keep: str | None = None
    min_strength: float | None = None
    min_consensus: float | None = None
    drop_worst: float | None = None
    by: str | None = None
    strict: bool = False
    obey: tuple[int, ...] = ()  # pairs that a person reviewed and judged not worth keeping

    def __post_init__(self) -> None:
        """Raises UsageError for a bound that no number is below."""
        for name in ("min_strength", "min_consensus", "drop_worst"):
            bound = getattr(self, name)
            if bound is not None and not np.isfinite(bound):
                raise UsageError(f"--{name.replace('_', '-')} {bound} is no number", "give a number, as 0.2")


@dataclass
class Reason:
    """Pairs taken for one reason: their rows ascending, the value in each, and what stayed for lack of evidence."""

    code: str
    rows: Ints
    values: Floats
    words: str
    unjudged: int = 0
    spared: int = 0  # found, and kept because of a conflict or as the one of its duplicates
    notes: list[str] = field(default_factory=list)
    unknown: str = "without --strict they are kept"  # what becomes of the unjudged
    inward: bool = False  # what it rests on was learned from the labels of this dataset


def check(selection: Selection) -> None:
    """Raises UsageError for a selection that says nothing or contradicts itself, before any work is done."""
    if selection.drop_worst is not None:
        if not 0 < selection.drop_worst < 1:
            raise UsageError(f"--drop-worst {selection.drop_worst:g} is no share", "a number between 0 and 1, as 0.1")
        if not selection.by:
            raise UsageError("--drop-worst needs --by", "say what is worst: --by strength, --by LEN001, --by c.words")
    elif selection.by:
        raise UsageError("--by goes with --drop-worst", "add --drop-worst 0.1")


def choose(evidence: Evidence, selection: Selection) -> list[Reason]:
    """The reasons, each with the pairs it takes; a pair may be taken for several.

    Raises:
        UsageError: a rule, column or strength that is not there.
    """
    from prefaudit.repair import features

    named, lens = features.parted(selection.drop)
    codes = evidence.codes(named, "--drop")
    # A rule that a prefix brought along and that could judge no pair would take all of them.
    mute = {c for c in codes if c not in selection.drop and not evidence.asked[c]["judged"]}
    strict = {c: selection.strict and c not in mute for c in codes}
    reasons = [_rule(evidence, c, strict[c]) for c in codes if c[:3] not in ("DUP", "CNF")]
    # Named whole, the fewest votes that have to go do go; a prefix takes nothing of a conflict.
    fewest = [c for c in codes if c == "CNF004" and c in selection.drop]
    reasons += [_rule(evidence, c, strict[c]) for c in fewest]
    reasons += [_conflict(evidence, c, strict[c]) for c in codes if c.startswith("CNF") and c not in fewest]
    reasons += [features.decides(evidence, name, "--drop") for name in lens]
    if selection.keep is not None:
        kept, unknown = evidence.asks(selection.keep, "--keep")
        reasons.append(_reason("KEEP", ~kept & ~unknown, unknown, selection.strict, f"not ({selection.keep})"))
        reasons[-1].inward = "consensus" in selection.keep
    if selection.min_strength is not None:
        strength = _strength(evidence, "--min-strength")
        reasons.append(_below("STRENGTH", strength, selection.min_strength, selection.strict))
    if selection.min_consensus is not None:
        value = _consensus(evidence, "--min-consensus")
        reasons.append(_below("CONSENSUS", value, selection.min_consensus, selection.strict))
        reasons[-1].inward = True
    if selection.drop_worst is not None:
        reasons.append(_worst(evidence, selection))
    if selection.obey:
        rows = np.asarray(selection.obey, np.int64)
        reasons.append(Reason("REVIEW", rows, np.full(len(rows), np.nan), "a reviewer did not confirm the label"))
    gone = np.zeros(evidence.pairs, bool)
    for reason in reasons:
        gone[reason.rows] = True
    for code in codes:
        if code.startswith("DUP"):
            reasons.append(_duplicates(evidence, code, gone, strict[code]))
            gone[reasons[-1].rows] = True
    return reasons


def _strength(evidence: Evidence, option: str) -> Floats:
    if evidence.strength is None:
        raise evidence.no_strength(option)
    return evidence.strength


def _consensus(evidence: Evidence, option: str) -> Floats:
    if evidence.consensus is None:
        raise no_consensus(option)
    return evidence.consensus


def _reason(code: str, found: Bools, unknown: Bools, strict: bool, words: str, values: Floats | None = None) -> Reason:
    rows = np.flatnonzero(found | unknown) if strict else np.flatnonzero(found)
    told = np.full(len(rows), np.nan) if values is None else values[rows]
    reason = Reason(code, rows, told, words, int(unknown.sum()))
    reason.unknown = "--strict drops them" if strict else reason.unknown
    return reason


def _rule(evidence: Evidence, code: str, strict: bool) -> Reason:
    rows, values = evidence.fired(code)
    rule = evidence.known[code]
    reason = Reason(code, rows, values, rule.name, int(evidence.asked[code]["unjudged"]))
    if strict and reason.unjudged:
        found = np.zeros(evidence.pairs, bool)
        found[rows] = True
        told = np.full(evidence.pairs, np.nan)
        told[rows] = values
        return _reason(code, found, evidence.unjudged(code), True, rule.name, told)
    return reason


def _conflict(evidence: Evidence, code: str, strict: bool) -> Reason:
    """Of a conflict none is dropped, as nothing tells which label is right; with --strict, all of it."""
    reason = _rule(evidence, code, strict)
    if strict:
        return reason
    told = f"{len(reason.rows):,} pairs contradict another and are kept: which label is right is not known"
    return Reason(code, reason.rows[:0], reason.values[:0], reason.words, reason.unjudged, len(reason.rows),
                  [f"{told}; --strict drops them"] if len(reason.rows) else [])  # fmt: skip


def _below(code: str, value: Floats, least: float, strict: bool) -> Reason:
    return _reason(code, value < least, np.isnan(value), strict, f"below {least:g}", value)


def _worst(evidence: Evidence, selection: Selection) -> Reason:
    """The worst share of the pairs; ties are broken by row, and what has no value is never worst."""
    by = selection.by or ""
    name, turned = by.removeprefix("-"), by.startswith("-")
    if name in ("strength", "strength.mean"):
        value, falling = _strength(evidence, "--by strength"), True
    elif name in ("consensus", "consensus.mean"):
        value, falling = _consensus(evidence, "--by consensus"), True
    elif name in evidence.known:
        code = evidence.codes((name,), "--by")[0]
        value, falling = evidence.values(code)
    else:
        value, falling = evidence.column(name, "--by"), name in LOW_IS_BAD
    falling ^= turned
    known = np.flatnonzero(~np.isnan(value))
    n = int(selection.drop_worst * evidence.pairs)  # type: ignore[operator]
    order = known[np.argsort(value[known] if falling else -value[known], kind="stable")][:n]
    found = np.zeros(evidence.pairs, bool)
    found[order] = True
    words = f"among the {selection.drop_worst:.0%} with the {'lowest' if falling else 'highest'} {name}"
    reason = _reason("WORST", found, np.isnan(value), selection.strict, words, value)
    reason.inward = name.partition(".")[0] == "consensus"
    if len(order) < n:
        reason.notes.append(f"only {len(order):,} pairs have a {name}")
    return reason


def _duplicates(evidence: Evidence, code: str, gone: Bools, strict: bool) -> Reason:
    """All but one of each set of duplicates: the strongest stays, else the first; a conflict stays whole.

    A set is a pair and those that repeat it: the same label, by the same annotator where one is named. The one that
    stays is chosen among those that nothing else drops.
    """
    reason = _rule(evidence, code, strict)
    if not len(reason.rows):
        return reason
    told = np.full(evidence.pairs, np.nan)
    told[reason.rows] = reason.values
    fired = np.zeros(evidence.pairs, bool)
    fired[reason.rows] = True
    dup = evidence.duplicates
    grouped = np.full(evidence.pairs, -1, np.int64)
    clash = np.zeros(evidence.pairs, bool)
    repeats = dup.drop_nulls("repeats")
    grouped[repeats["repeats"].to_numpy()] = repeats["repeats"].to_numpy()
    grouped[repeats["row"].to_numpy()] = repeats["repeats"].to_numpy()
    clash[dup["row"].to_numpy()] = dup["conflict"].is_not_null().to_numpy()
    spared = int((fired & clash).sum())
    fired &= ~clash
    members = np.flatnonzero((grouped >= 0) & ~gone & ~clash)
    members = members[np.isin(grouped[members], np.unique(grouped[fired & (grouped >= 0)]))]
    strength = evidence.strength if evidence.strength is not None else np.zeros(evidence.pairs)
    rank = np.where(np.isnan(strength[members]), -np.inf, strength[members])
    order = members[np.lexsort((members, -rank, grouped[members]))]
    first = np.append(True, np.diff(grouped[order]) != 0) if len(order) else np.zeros(0, bool)
    told[order] = np.where(np.isnan(told[order]), 1.0, told[order])  # a weaker one that came first repeats it as well
    rows = np.sort(np.append(order[~first], np.flatnonzero(fired & (grouped < 0))))
    notes = [f"{spared:,} duplicates are part of a conflict and are kept"] if spared else []
    return Reason(code, rows, told[rows], reason.words, reason.unjudged, spared, notes)

"""`prefaudit relabel`: labels turned round, softened, or given margins, in the layout they came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from prefaudit.audit.review import Review
from prefaudit.config import Options
from prefaudit.core import Progress, UsageError
from prefaudit.repair import choose, features, filtering, flipping, layouts, ledger, reviewing, session, softening
from prefaudit.repair.choose import FLIPPING, Reason, Selection
from prefaudit.repair.cut import Bools, Cut, Floats, Ints
from prefaudit.repair.evidence import Evidence
from prefaudit.repair.filtering import Where
from prefaudit.repair.fold import fold, of_rows
from prefaudit.repair.result import Repair
from prefaudit.repair.rewrite import Edits
from prefaudit.repair.softening import MARGIN, PROBABILITY

STAY = "their labels stay as they are"
UNDECIDED = {
    "LBL002": "says that nothing supports the label, not that the other side is right",
    "PRN002": "says which principle decides, not that the label is wrong",
    "PRN003": "says that principles are in conflict, not that the label is wrong",
}


@dataclass(frozen=True)
class Relabelling:
    """What to do; see `prefaudit.relabel`."""

    flip: tuple[str, ...] = ()
    flip_below: float | None = None
    drop: tuple[str, ...] = ()
    soft: bool | str = False
    margin: bool = False
    strict: bool = False


def relabel(data: Any, out: str | Path | None, *, flip: Sequence[str] = (), flip_below: float | None = None,
            drop: Sequence[str] = (), soft: bool | str = False, margin: bool = False, strict: bool = False,
            **more: Any) -> Repair:  # fmt: skip
    """Write a dataset with labels turned round, softened or given margins.

    Args:
        data: as for `prefaudit.scan`.
        out: where to; None only with dry_run.
        flip: codes of rules whose finding says that the label is wrong: LBL, STR, PRN, LNS by name.
        flip_below: labels with a `strength.mean` below this are turned round.
        drop: as for `filter`.
        soft: add the column `label_probability`, that the label is right; or "copies" (10 of each pair) or "copies:N",
            each with the label or the other one in proportion to it (docs/repair.md has the losses).
        margin: add the column `margin`, as TRL's RewardTrainer and OpenRLHF read it.
        strict: as for `filter`; of what is turned round it changes nothing.
        more: control, dry_run, ledger, force, to, audit, reviewed, progress, and the options of `scan`.

    Returns:
        Repair; `flipped` counts pairs.

    Raises:
        AuditError: the job cannot be done, or a rule is named whose finding does not say that the label is wrong.
    """
    wanted = Relabelling(filtering.codes(flip), flip_below, filtering.codes(drop), soft, margin, strict)
    progress, reviewed = more.pop("progress", None), more.pop("reviewed", None)
    where = filtering.where_of(out, more)
    return run(data, where, wanted, filtering.options_of(more), reviewed=reviewed, progress=progress)


def run(data: Any, where: Where, wanted: Relabelling, options: Options, *, reviewed: Path | None = None,
        progress: Progress | None = None) -> Repair:  # fmt: skip
    """`relabel` for callers that hold its parts already."""
    augmented = where.to == layouts.AUGMENTED
    if augmented and (wanted.soft or wanted.margin):
        raise UsageError(f"--to {where.to} does not go with --soft or --margin", "its rows carry the scores themselves")
    asked = wanted.flip or wanted.flip_below is not None or wanted.drop or wanted.soft or wanted.margin
    if not (asked or reviewed or augmented):
        raise UsageError("nothing to do", "name rules with --flip, or --flip-below X, --soft, --margin")
    if softening.asked(wanted.soft)[1] and wanted.margin:
        raise UsageError("--soft copies does not go with --margin", "a margin is of one label, the copies have both")
    if where.control and (wanted.soft or wanted.margin):
        raise UsageError("--control does not go with --soft or --margin", "a control turns labels round at random")
    opening = session.open_data(data, options)
    filtering.check_targets(opening[1], where)
    work = session.begin(data, options, where.audit, progress or Progress(), opening)
    evidence = work.evidence
    review = reviewing.read(reviewed, evidence) if reviewed else reviewing.NONE
    dropping = choose.choose(evidence, Selection(drop=wanted.drop, strict=wanted.strict, obey=review.unusable))
    if where.to is not None:
        dropping += layouts.cannot(evidence, where.to)
    gone = filtering.union(dropping, evidence.pairs)
    flips = _spared(_flips(evidence, wanted), review) + _reviewed(review)
    turn = filtering.union(flips, evidence.pairs) & ~gone & (evidence.label == "chosen").to_numpy()
    soft = _softened(work, wanted, turn, where, review)
    made = _finish(work, where, (dropping, flips), (gone, turn), soft)
    return replace(made, words=(*made.words, *reviewing.told(review, evidence)))


def _flips(evidence: Evidence, wanted: Relabelling) -> list[Reason]:
    rules, lens = features.parted(wanted.flip)
    reasons = [features.decides(evidence, name, "--flip") for name in lens]
    for named in rules:
        codes = evidence.codes((named,), "--flip")
        wrong = [c for c in codes if c[:3] not in FLIPPING or (c in UNDECIDED and c == named)]
        if wrong:
            why = UNDECIDED.get(wrong[0], "does not say that the label is wrong")
            raise UsageError(f"--flip {named}: {wrong[0]} {why}", "drop what it names: prefaudit filter --drop "
                             f"{wrong[0]}; to flip, name a rule of {', '.join(FLIPPING)}")  # fmt: skip
        for code in (c for c in codes if c not in UNDECIDED):
            rows, values = evidence.fired(code)
            reasons.append(Reason(code, rows, values, evidence.known[code].name,
                                  int(evidence.asked[code]["unjudged"]), unknown=STAY))  # fmt: skip
    if wanted.flip_below is not None:
        if evidence.strength is None:
            raise evidence.no_strength("--flip-below")
        rows = np.flatnonzero(evidence.strength < wanted.flip_below)
        words = f"strength below {wanted.flip_below:g}"
        unknown = int(np.isnan(evidence.strength).sum())
        reasons.append(Reason("STRENGTH", rows, evidence.strength[rows], words, unknown, unknown=STAY))
        for_it = int((evidence.strength[rows] >= 0).sum())
        if for_it:
            reasons[-1].notes.append(
                f"{for_it:,} of these {len(rows):,} labels have no evidence against them: a strength of 0 says nothing "
                "and one above 0 speaks for the label"
            )
    return reasons


def _spared(reasons: list[Reason], review: Review) -> list[Reason]:
    """The reasons less the pairs whose label a reviewer confirmed."""
    out = []
    for reason in reasons:
        stay = ~np.isin(reason.rows, np.asarray(review.confirmed, np.int64))
        out.append(replace(reason, rows=reason.rows[stay], values=reason.values[stay],
                           spared=reason.spared + int((~stay).sum())))  # fmt: skip
    return out


def _reviewed(review: Review) -> list[Reason]:
    if not review.contrary:
        return []
    rows = np.asarray(review.contrary, np.int64)
    return [Reason("REVIEW", rows, np.full(len(rows), np.nan), "a reviewer preferred the other answer")]


@dataclass(frozen=True)
class Soft:
    """By pair: columns of numbers that are added, or how many copies have the label as written and the other one."""

    added: dict[str, Floats] = field(default_factory=dict)
    copies: tuple[Ints, Ints] | None = None

    @property
    def times(self) -> int:
        """Copies of each pair."""
        return 1 if self.copies is None else int(self.copies[0][0] + self.copies[1][0])


def _softened(work: session.Session, wanted: Relabelling, turn: Bools, where: Where, review: Review) -> Soft:
    """What is known of each label as it will be written."""
    column, times = softening.asked(wanted.soft)
    option = "--soft copies" if times else "--soft" if column else "--margin"
    if not (column or times or wanted.margin):
        return Soft()
    softening.check(work, where.to, option)
    evidence = work.evidence
    if times:
        p = softening.probabilities(evidence, turn, review, option)
        return Soft(copies=softening.proportions(p, times, (evidence.label == "chosen").to_numpy()))
    found: dict[str, Floats] = {}
    if wanted.margin:
        found[MARGIN] = softening.margins(evidence, turn)
    if column:
        found[PROBABILITY] = softening.probabilities(evidence, turn, review, option)
    return Soft(found)


def _finish(work: session.Session, where: Where, reasons: tuple[list[Reason], list[Reason]], masks: tuple[Bools, Bools],
            soft: Soft) -> Repair:  # fmt: skip
    from prefaudit.repair import words

    evidence, (dropping, flips), (gone, turn) = work.evidence, reasons, masks
    folded = fold(evidence, gone)
    really = gone if where.to is not None else of_rows(evidence, folded.drop) & gone
    both = turn if soft.copies is None else turn | (soft.copies[1] > 0) & ~gone
    edits = flipping.flip(work, both) if both.any() and where.to is None else None
    able = both.copy() if where.to is not None else np.zeros(evidence.pairs, bool)
    if edits is not None:
        able[edits.done] = True
    done = turn & able
    if soft.copies is not None:
        soft = Soft(copies=softening.possible(soft.copies, able))
    left = ~folded.drop & ~folded.skipped
    lines = _lines(evidence, reasons, (gone, really, turn, done), soft)
    repair = Repair(
        read=evidence.rows, kept=int(left.sum()), dropped=int(folded.drop.sum()), flipped=int(done.sum()),
        skipped=int(folded.skipped.sum()), ledger=lines,
        pairs={"read": evidence.pairs, "kept": evidence.pairs - int(really.sum()), "dropped": int(really.sum()),
               "cannot_be_said": int((gone & ~really).sum()), "cannot_be_flipped": int((both & ~able).sum()),
               **softening.counted(soft.copies, ~really)},
        softened=int((~really).sum()) if soft.added or soft.copies else 0,
        rules=tuple(filtering.facts(r) for r in [*dropping, *flips]),
    )  # fmt: skip
    repair = words.measured(work, repair, [*dropping, *flips], really, done)
    if where.dry_run or where.out is None:
        return repair
    if repair.dropped and not repair.kept:
        raise UsageError("nothing would be left: every row is dropped", "see --dry-run for what takes them")
    cut = _cut(work, left, edits, soft, done)
    filtering.deliver(work, where, cut, repair, filtering.Changes(really, done, soft.added, soft.copies))
    return replace(repair, out=where.out, ledger_path=where.ledger_path)


def _cut(work: session.Session, left: Bools, edits: Edits | None, soft: Soft, done: Bools) -> Cut:
    by_row = {}
    for name, numbers in soft.added.items():
        column = np.full(work.evidence.rows, np.nan)
        column[work.evidence.source_row] = numbers
        by_row[name] = column
    copies = None if soft.copies is None else softening.by_row(work.evidence, done, soft.copies)
    if edits is None:
        return Cut(left, added=by_row, copies=copies)
    return Cut(left, edits.rows, edits.values, edits.text, by_row, edits.swaps, copies)


def _lines(evidence: Evidence, reasons: tuple[list[Reason], list[Reason]], masks: tuple[Bools, ...],
           soft: Soft) -> pl.DataFrame:  # fmt: skip
    (dropping, flips), (gone, really, turn, done) = reasons, masks
    flipped = ledger.taken(evidence, flips, np.flatnonzero(done), "flipped")
    flipped = flipped.with_columns(hash_after=ledger.turned(flipped["hash_before"]))
    stuck = ledger.taken(evidence, flips, np.flatnonzero(turn & ~done), "kept")
    stuck = stuck.with_columns(why=pl.format("{}; the layout cannot turn this label round without another", "why"))
    frames = [ledger.taken(evidence, dropping, np.flatnonzero(really), "dropped"), flipped, stuck]
    kept = ledger.taken(evidence, dropping, np.flatnonzero(gone & ~really), "kept")
    frames.append(kept.with_columns(why=pl.format("{}; its answers have other comparisons", "why")))
    said = [("margin" if name == MARGIN else "softened", x, f"column {name}") for name, x in soft.added.items()]
    if soft.copies is not None:
        share = soft.copies[0] / soft.times
        said.append(("softened", share, f"this share of {soft.times} copies has the label, the others the other one"))
    for action, numbers, what in said:
        rows = np.flatnonzero(~really)
        reason = Reason(action.upper(), rows, numbers[rows], what)
        new = ledger.taken(evidence, [reason], rows, action)
        after = pl.when(pl.Series(done[rows])).then(ledger.turned(new["hash_before"])).otherwise("hash_before")
        frames.append(new.with_columns(hash_after=after))
    return pl.concat([pl.concat(frames).sort("row", maintain_order=True), ledger.skipped(evidence)])

"""`prefaudit filter`: a dataset in the layout it came in, less what the evidence speaks against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from prefaudit.config import Options, checked
from prefaudit.core import Progress, UsageError
from prefaudit.repair import choose, ledger, output, reviewing, session, target
from prefaudit.repair.choose import Reason, Selection
from prefaudit.repair.cut import Bools, Cut, Floats, Ints
from prefaudit.repair.fold import fold, of_rows
from prefaudit.repair.result import Repair
from prefaudit.sources.locate import CONTAINERS, suffix

CONTROL = "control"


@dataclass(frozen=True)
class Where:
    """What is written where.

    `out` is the dataset, `ledger` its ledger (default: beside it). `control` writes a second dataset with as many
    rows dropped at random; `force` overwrites; `dry_run` writes nothing; `to` asks for another layout.
    """

    out: Path | None
    ledger: Path | None = None
    control: bool = False
    force: bool = False
    dry_run: bool = False
    to: str | None = None
    audit: str | Path | None = None

    @property
    def ledger_path(self) -> Path | None:
        """Where the ledger goes."""
        return self.ledger or (beside(self.out, "ledger", ".parquet") if self.out else None)

    @property
    def control_path(self) -> Path | None:
        """Where the control goes."""
        return beside(self.out, CONTROL) if self.out and self.control else None


def beside(out: Path, word: str, ending: str | None = None) -> Path:
    """A name next to the output: clean.jsonl.gz to clean.<word>.jsonl.gz."""
    last = suffix(out) if suffix(out) in CONTAINERS else ""
    packed = out.suffix if target.compression(out) else ""
    stem = out.name[: len(out.name) - len(last) - len(packed)]
    return out.with_name(f"{stem}.{word}{last}{packed}" if ending is None else f"{stem}.{word}{ending}")


def filter(data: Any, out: str | Path | None, *, drop: Sequence[str] = (), keep: str | None = None,
           min_strength: float | None = None, drop_worst: float | None = None, by: str | None = None,
           strict: bool = False, **more: Any) -> Repair:  # fmt: skip
    """Write a dataset without the pairs that evidence speaks against, in the layout and container it came in.

    Args:
        data: as for `prefaudit.scan`.
        out: where to; None only with dry_run.
        drop: rule codes or prefixes; of duplicates one stays, of conflicts all do.
        keep: an SQL condition over the features; pairs that fail it go.
        min_strength: the least `strength.mean` that stays.
        drop_worst: this share of the pairs goes, the worst by `by`: strength, a rule code, or SQL over the features.
        by: see drop_worst.
        strict: drop also what could not be judged, and conflicts.
        more: max_drop, control, dry_run, ledger, force, to, audit (a folder), progress, and the options of `scan`.

    Returns:
        Repair; its exit_code is 1, and nothing is written, where more than max_drop of the rows would go.

    Raises:
        AuditError: the job cannot be done.
    """
    selection = Selection(codes(drop), keep, min_strength, more.pop("min_consensus", None), drop_worst, by, strict)
    told = {name: more.pop(name, None) for name in ("max_drop", "reviewed", "progress")}
    where = where_of(out, more)
    return run(data, where, selection, options_of(more), **told)


def codes(named: Sequence[str] | str) -> tuple[str, ...]:
    """Rule codes, given as one text with commas or as several."""
    return tuple(c.strip() for code in ([named] if isinstance(named, str) else named) for c in code.split(",") if c)


def where_of(out: str | Path | None, more: dict[str, Any]) -> Where:
    """Take what says where to write out of keyword arguments."""
    said = {name: more.pop(name) for name in ("ledger", "control", "force", "dry_run", "to", "audit") if name in more}
    if said.get("ledger"):
        said["ledger"] = Path(said["ledger"])
    where = Where(Path(out) if out is not None else None, **said)
    if where.out is None and not where.dry_run:
        raise UsageError("no output named", "say where to write with -o OUT, or --dry-run to write nothing")
    return where


def options_of(more: dict[str, Any]) -> Options:
    """What is left of keyword arguments, as scan options."""
    given = more.pop("options", None)
    return given if given is not None else checked(more)


def run(data: Any, where: Where, selection: Selection, options: Options, *, max_drop: float | None = None,
        reviewed: str | Path | None = None, progress: Progress | None = None) -> Repair:  # fmt: skip
    """`filter` for callers that hold its parts already."""
    choose.check(selection)
    if max_drop is not None and not 0 <= max_drop <= 1:
        raise UsageError(f"--max-drop {max_drop:g} is no share", "a number between 0 and 1, as 0.2")
    least = None if selection.min_consensus is None else "consensus"
    options = session.asking(options, selection.keep, selection.by, least)
    opening = session.open_data(data, options)
    check_targets(opening[1], where)
    work = session.begin(data, options, where.audit, progress or Progress(), opening)
    review = reviewing.read(Path(reviewed), work.evidence) if reviewed else reviewing.NONE
    if reviewed:
        selection = replace(selection, obey=tuple(sorted({*review.unusable, *review.contrary, *review.tied})))
    reasons = choose.choose(work.evidence, selection)
    gone = union(reasons, work.evidence.pairs)
    made = finish(work, where, reasons, gone, max_drop)
    return replace(made, words=(*made.words, *reviewing.told(review, work.evidence)))


def check_targets(origin: output.Origin, where: Where) -> None:
    """Whether all that is to be written can be, before any work is done."""
    if where.out is None:
        return
    if where.to is not None:
        from prefaudit.repair import layouts

        layouts.check(where.to, where.out)
        if where.control:
            raise UsageError("--control does not go with --to", "write the control in the source's layout")
    for path in (where.out, where.control_path):
        if path is not None and where.to is None:
            output.check(origin, path, where.force or where.dry_run, where.audit)
        elif path is not None:
            target.check(path, origin.paths, where.force or where.dry_run, where.audit)
    if where.ledger_path is not None:
        target.check(where.ledger_path, origin.paths, where.force or where.dry_run, where.audit)
        if where.ledger_path.resolve() == where.out.resolve():
            raise UsageError("the ledger and the output are one file", "name another with --ledger")


def union(reasons: Sequence[Reason], pairs: int) -> Bools:
    """The pairs that any reason takes."""
    gone = np.zeros(pairs, bool)
    for reason in reasons:
        gone[reason.rows] = True
    return gone


def finish(work: session.Session, where: Where, reasons: list[Reason], gone: Bools, max_drop: float | None) -> Repair:
    """Fold the choice into source rows, measure what it does, and write it."""
    from prefaudit.repair import kwise, layouts, words

    evidence = work.evidence
    if where.to is not None:
        reasons = [*reasons, *layouts.cannot(evidence, where.to)]
        gone = union(reasons, evidence.pairs)
    folded = fold(evidence, gone)
    edits = kwise.cut_out(work, folded.partly if where.to is None else folded.partly[:0], gone)
    left = ~folded.drop & ~folded.skipped
    really = gone if where.to is not None else (of_rows(evidence, folded.drop) | edits.gone) & gone
    lines = pl.concat([
        ledger.taken(evidence, reasons, np.flatnonzero(really), "dropped"),
        ledger.taken(evidence, reasons, np.flatnonzero(gone & ~really), "kept").with_columns(
            why=pl.format("{}; its answers have other comparisons in the same row, and the layout cannot leave out one",
                          "why")),
    ]).sort("row")  # fmt: skip
    lines = pl.concat([lines, ledger.skipped(evidence)])
    repair = Repair(
        read=evidence.rows, kept=int(left.sum()), dropped=int(folded.drop.sum()), flipped=0,
        skipped=int(folded.skipped.sum()), ledger=lines,
        pairs={"read": evidence.pairs, "kept": evidence.pairs - int(really.sum()), "dropped": int(really.sum()),
               "rows_rewritten": len(edits.rows), "cannot_be_said": int((gone & ~really).sum())},
        rules=tuple(facts(r) for r in reasons),
    )  # fmt: skip
    repair = words.measured(work, repair, reasons, really)
    if max_drop is not None and repair.dropped > max_drop * repair.read:
        told = f"{repair.dropped:,} of {repair.read:,} rows would go, more than --max-drop {max_drop:g}"
        return replace(repair, exit_code=1, words=(told, *repair.words))
    if repair.dropped and not repair.kept and not where.dry_run:
        raise UsageError("nothing would be left: every row is dropped", "see --dry-run for what takes them")
    if where.dry_run or where.out is None:
        return repair
    cut = Cut(left, edits.rows, edits.values, edits.text)
    deliver(work, where, cut, repair, Changes(really, np.zeros(len(really), bool), {}))
    return replace(repair, out=where.out, ledger_path=where.ledger_path)


def facts(reason: Reason) -> dict[str, Any]:
    """What a reason did, for the summary."""
    return {"code": reason.code, "words": reason.words, "pairs": len(reason.rows), "unjudged": reason.unjudged,
            "spared": reason.spared, "notes": list(reason.notes)}  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """By pair: which are gone, which are turned round, and columns of numbers that are added.

    `copies` say how often each pair is written with the label as it then is, and with the other one.
    """

    gone: Bools
    turned: Bools
    added: Mapping[str, Floats]
    copies: tuple[Ints, Ints] | None = None


def deliver(work: session.Session, where: Where, cut: Cut, repair: Repair, changes: Changes) -> None:
    """Write ledger, control and dataset under temporary names, then put them in place: the ledger last."""
    assert where.out is not None and where.ledger_path is not None
    with target.Staged() as staged:
        # Not store.write_frame: its own temporary name beside this one would outlive a kill.
        repair.ledger.write_parquet(staged.path(where.ledger_path, explains=True), compression="lz4", statistics=False)
        if where.control_path is not None:
            random = _control(work, cut, changes)
            output.write(work.origin, staged.path(where.control_path), where.control_path, random)
        temporary = staged.path(where.out)
        if where.to is not None:
            from prefaudit.repair import layouts

            layouts.write(work, temporary, where, changes)
        else:
            output.write(work.origin, temporary, where.out, cut)
        work.origin.unchanged()
        staged.commit()


def _control(work: session.Session, cut: Cut, changes: Changes) -> Cut:
    """As many rows dropped at random, and as many labels turned round at random."""
    from prefaudit.repair import flipping

    keep = at_random(cut.keep, ~cut.keep & repair_rows(work), work.options.seed)
    n = int(changes.turned.sum())
    if not n:
        return Cut(keep)
    able = np.flatnonzero((work.evidence.label == "chosen").to_numpy() & keep[work.evidence.source_row])
    mask = np.zeros(work.evidence.pairs, bool)
    mask[np.random.default_rng([work.options.seed, 1]).choice(able, min(n, len(able)), replace=False)] = True
    edits = flipping.flip(work, mask)
    return Cut(keep, edits.rows, edits.values, edits.text, swaps=edits.swaps)


def repair_rows(work: session.Session) -> Bools:
    """Source rows that hold a pair."""
    rows = np.zeros(work.evidence.rows, bool)
    rows[work.evidence.source_row] = True
    other = work.evidence.other_row
    rows[other[other >= 0]] = True
    return rows


def at_random(keep: Bools, dropped: Bools, seed: int) -> Bools:
    """As many rows dropped, drawn at random from all that could be."""
    able = np.flatnonzero(keep | dropped)
    out = keep | dropped
    out[np.random.default_rng(seed).choice(able, int(dropped.sum()), replace=False)] = False
    return out

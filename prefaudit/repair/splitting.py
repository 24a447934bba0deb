"""`prefaudit split`: pieces that share no group, stratified by source; and what leaks through an existing split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from prefaudit import sources, stats
from prefaudit.config import Options
from prefaudit.core import AuditError, Progress, UsageError
from prefaudit.repair import output, session, target
from prefaudit.repair.cut import Bools, Cut, Floats, Ints
from prefaudit.repair.evidence import Evidence
from prefaudit.repair.filtering import repair_rows
from prefaudit.scratch import Scratch
from prefaudit.store import write_bytes

PIECES = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Source rows by piece; read = train + validation + test + skipped."""

    read: int
    rows: dict[str, int]
    skipped: int
    groups: dict[str, int]
    words: str
    out: dict[str, Path]


@dataclass(frozen=True)
class Leakage:
    """Groups and pairs that stand on both sides of a split."""

    groups: int
    pairs: int
    of: int
    words: str


def split(data: Any, out: str | Path, *, test: float = 0.1, validation: float = 0.0, **more: Any) -> Split:
    """Write train and test (and validation) pieces that share no conversation, near-duplicate prompt or answer.

    Args:
        data: as for `prefaudit.scan`.
        out: a folder; the pieces are train, validation and test in the source's container.
        test: share of the source rows.
        validation: share of the source rows.
        more: audit, force, dry_run, progress, and the options of `scan`.

    Raises:
        AuditError: the job cannot be done; a share cannot be reached without tearing a group.
    """
    from prefaudit.repair.filtering import options_of

    told = {name: more.pop(name) for name in ("audit", "force", "dry_run", "progress") if name in more}
    return run(data, Path(out), options_of(more), test=test, validation=validation, **told)


def run(data: Any, out: Path, options: Options, *, test: float, validation: float, audit: str | Path | None = None,
        force: bool = False, dry_run: bool = False, progress: Progress | None = None) -> Split:  # fmt: skip
    """`split` for callers that hold Options already."""
    if not (0 < test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise UsageError(
            "--test and --validation are shares that leave something to train on", "for example --test 0.1"
        )
    opening = session.open_data(data, options)
    target.check(out, opening[1].paths, force or dry_run, audit)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, not a folder", "name a folder with -o")
    work = session.begin(data, options, audit, progress or Progress(), opening)
    piece = assign(work.evidence, {"validation": validation, "test": test}, options.seed)
    names = {p: out / f"{p}{_ending(work.origin)}" for p in PIECES if p != "validation" or validation}
    made = _account(work, piece, names)
    if dry_run:
        return made
    with target.Staged() as staged:
        folder = staged.path(out)
        folder.mkdir()
        for name, path in names.items():
            output.write(work.origin, folder / path.name, path, Cut(piece == PIECES.index(name)))
        text = pl.DataFrame({"source_row": np.arange(len(piece)), "piece": _words(piece)}).write_csv()
        write_bytes(folder / "rows.csv", text.encode())
        work.origin.unchanged()
        staged.commit()
    return made


def _words(piece: Ints) -> pl.Series:
    return pl.Series(piece).replace_strict(
        {0: "train", 1: "validation", 2: "test", -1: "skipped"}, return_dtype=pl.String
    )


def _ending(origin: output.Origin) -> str:
    if not origin.files:
        return ".parquet"
    packed = origin.files[0][0].suffix if target.compression(origin.files[0][0]) else ""
    return output.ENDING[origin.container] + (packed if origin.container != "parquet" else "")


def clusters(evidence: Evidence) -> Ints:
    """A group id of every pair, such that no source row has pairs of two groups."""
    group = evidence.group.astype(np.uint64) + np.uint64(1)
    rows = np.column_stack([evidence.source_row, evidence.other_row]) + 1
    return stats.components([group, rows.astype(np.uint64)], evidence.pairs)


def assign(evidence: Evidence, shares: dict[str, float], seed: int) -> Ints:
    """The piece of every source row: 0 train, 1 validation, 2 test, -1 skipped.

    Within each source (that of a group's first pair) whole groups are taken in random order until the piece is full;
    a group that holds more than a quarter of a piece is only taken last, so that it does not crowd out the others.

    Raises:
        AuditError: a piece would be empty.
    """
    group = clusters(evidence)
    n = int(group.max(initial=-1)) + 1
    of_row = np.full(evidence.rows, -1, np.int64)
    of_row[evidence.source_row] = group
    two = evidence.other_row >= 0
    of_row[evidence.other_row[two]] = group[two]
    size = np.bincount(of_row[of_row >= 0], minlength=n).astype(np.float64)
    stratum = _strata(evidence, group, n)
    place = np.zeros(n, np.int64)
    free = np.ones(n, bool)
    rng = np.random.default_rng([seed, 11])
    for name, share in shares.items():
        if share:
            taken = _take(size, stratum, share, free, rng)
            if not taken.any():
                raise AuditError(f"no group is small enough for a {name} piece of {share:.0%}",
                                 "the rows hang together: a larger share, or a split by source")  # fmt: skip
            place[taken] = PIECES.index(name)
            free &= ~taken
    return np.where(of_row >= 0, place[of_row], -1)


def _strata(evidence: Evidence, group: Ints, n: int) -> Ints:
    names = evidence.pair_columns("source")["source"].fill_null("")
    codes = names.rank("dense").cast(pl.Int64).to_numpy() - 1
    found = np.zeros(n, np.int64)
    found[group[::-1]] = codes[::-1]
    return found


def _take(size: Floats, stratum: Ints, share: float, free: Bools, rng: np.random.Generator) -> Bools:
    total = np.bincount(stratum, size)
    wanted = total * share
    large = size > np.maximum(wanted[stratum] / 4, 1)
    order = np.lexsort((rng.random(len(size)), large, stratum))
    order = order[free[order]]
    sizes, strata = size[order], stratum[order]
    run_ = np.cumsum(sizes)
    begin = np.searchsorted(strata, np.arange(len(total)))
    before = np.append(0.0, run_)[begin]
    taken = np.zeros(len(size), bool)
    taken[order[(run_ - before[strata]) <= wanted[strata] + 0.5]] = True
    return taken


def _account(work: session.Session, piece: Ints, names: dict[str, Path]) -> Split:
    evidence = work.evidence
    rows = {name: int((piece == PIECES.index(name)).sum()) for name in names}
    skipped = int((piece < 0).sum())
    if sum(rows.values()) + skipped != evidence.rows or skipped != evidence.rows - int(repair_rows(work).sum()):
        raise AuditError(
            "the pieces do not account for every row", "this is an error of prefaudit; nothing was written"
        )
    group, where = clusters(evidence), piece[evidence.source_row]
    held = {name: len(np.unique(group[where == PIECES.index(name)])) for name in names}
    told = " + ".join(f"{name} {count:,}" for name, count in rows.items())
    lines = [f"read {evidence.rows:,} = {told} + skipped {skipped:,}  (source rows)"]
    lines += [f"{name:<11}{rows[name]:>10,} rows {held[name]:>10,} groups  {names[name]}" for name in names]
    lines.append("no group has rows in two pieces: no conversation, near-duplicate prompt or answer crosses")
    return Split(evidence.rows, rows, skipped, held, "\n".join(lines) + "\n", names)


def leakage(data: Any, against: Sequence[str], options: Options, progress: Progress | None = None) -> Leakage:
    """What an existing split lets through: groups with pairs on both sides.

    Args:
        data: one side, files of one kind.
        against: the other side.
        options: scan options.
        progress: how far it is.
    """
    sides = [list(data) if isinstance(data, list | tuple) else [str(data)], list(against)]
    first = 0
    for named in sides[0]:
        source = sources.open(named)
        first += source.rows if source.rows is not None else sum(p.rows for p in source.read(1 << 15))
    both = [*sides[0], *sides[1]]
    with Scratch() as folder:
        work = session.begin(
            both, options, Path(folder) / "audit", progress or Progress(), session.open_data(both, options)
        )
        evidence = work.evidence
        group, left = clusters(evidence), evidence.source_row < first
        here, there = np.unique(group[left]), np.unique(group[~left])
    crossing = np.intersect1d(here, there)
    leaked = int((np.isin(group, crossing) & ~left).sum())
    total = int((~left).sum())
    words = (
        f"{len(crossing):,} groups stand on both sides: {leaked:,} of the {total:,} pairs of {', '.join(against)} "
        f"share a conversation, a near-duplicate prompt or an answer with {', '.join(sides[0])}\n"
    )
    return Leakage(len(crossing), leaked, total, words)

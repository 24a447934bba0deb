"""Source to parts of pairs: every source row ends in a pair or in the skips."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from prefaudit import __version__, formats, sources
from prefaudit.audit.worker import Given, Job
from prefaudit.config import Options, half, placed, size
from prefaudit.core import SKIPPED, AuditError, Progress, fingerprint, unknown
from prefaudit.duck import connect
from prefaudit.sources.spans import Span
from prefaudit.store import Count, Store

if TYPE_CHECKING:
    from prefaudit.audit.crew import Crew

PAIRS_A_PART = 32_768
PART_SHARE = 32
Measure = Callable[[int, pl.DataFrame], None]


PARTS = 3  # how parts are written: raised when that changes, so that a folder from before is read anew


@dataclass(frozen=True)
class Opened:
    """A source with its layout, and the recipe of the pairs they give."""

    source: sources.Source
    detected: formats.Detected
    part_rows: int
    recipe: str


def open_source(data: Any, options: Options) -> Opened:
    """Open the data and find its layout.

    Raises:
        SourceError: it cannot be read.
        FormatError: no layout fits, or several do.
        UsageError: a layout, a field or a column that is named does not exist.
    """
    known(options)
    source = sources.open(data, seed=options.seed, memory=half(options.memory))
    some = source.sample(1000)
    for one, column in options.map.items():
        if one not in formats.LITERALS and column not in source.columns:
            raise placed(options.origins, ("map", one), unknown("column in --map", column, source.columns))
    detected = formats.detect(dict(source.columns), some, options.format, dict(options.map))
    detected, added = _with_scores(detected, options)
    part_rows = options.part_rows or _part_rows(some, detected, size(options.memory))
    sampled = (options.sample, options.seed if options.sample else 0)
    told = (detected.layout.name, detected.mapping, source.fingerprint, sampled, *added)
    recipe = fingerprint("pairs", __version__, PARTS, *told)
    return Opened(source, detected, part_rows, recipe)


def known(options: Options) -> None:
    """Whether the layout and the fields that the options name exist; asked before any data is read.

    Raises:
        UsageError: one does not; with the file, line, table and key that names it.
    """
    layouts = [layout.name for layout in formats.LAYOUTS]
    if options.format is not None and options.format not in layouts:
        raise placed(options.origins, ("format",), unknown("format", options.format, layouts))
    fields = (*formats.FIELDS, *formats.LITERALS)
    for one in options.map:
        if one not in fields:
            raise placed(options.origins, ("map", one), unknown("field in --map", one, fields))


def cut_as(opened: Opened, store: Store, options: Options) -> Opened:
    """With the parts as large as they are in the folder, where it holds the same pairs."""
    have = store.load("pairs/recipe.json") or {}
    same = have.get("recipe") == opened.recipe and options.part_rows is None
    return replace(opened, part_rows=int(have["part_rows"])) if same else opened


def _part_rows(some: pa.Table, detected: formats.Detected, memory: int) -> int:
    """Source rows a part: so many that a part's texts take a thirty-second of the memory, and no more than a limit."""
    each = max(1.0, some.nbytes / max(some.num_rows, 1))
    most = PAIRS_A_PART // max(1, detected.layout.pairs_per_row)
    return int(max(64, min(most, memory / PART_SHARE / each)))


def _with_scores(detected: formats.Detected, options: Options) -> tuple[formats.Detected, list[str]]:
    """The layout with the columns of --score-columns among those that are kept, and which it would not have kept.

    Raises:
        UsageError: the source has no such column.
    """
    named = dict.fromkeys(name.strip() for pair in options.score_columns for name in pair.split(":", 1))
    for name in named:
        if name not in detected.columns:
            raise unknown("column in --score-columns", name, detected.columns)
    added = [name for name in named if name not in detected.kept]
    return replace(detected, kept=(*detected.kept, *added)), added


def read(opened: Opened, store: Store, options: Options, measure: Measure, progress: Progress,
         crew: Crew | None = None) -> None:  # fmt: skip
    """Write the parts that are missing, and hand each to `measure` while it is in memory; or let the crew do both."""
    if store.begin_pairs(opened.recipe, opened.part_rows):
        return
    have = store.counted()
    progress.start("read and measure", opened.source.rows if options.sample is None else options.sample)
    about = opened.source.about if opened.source.rows is None and options.sample is None else None
    if about is not None:
        progress.about(about)
    progress.skip(sum(count.rows for count in have.values()))
    wanted, total = _sampled(opened.source, options)
    if crew is None:
        parts, rows, pairs = _alone(opened, store, options, measure, progress, have, wanted)
    else:
        spans = None if options.sample or opened.detected.layout.regroups else opened.source.spans(opened.part_rows)
        jobs = _given(opened, options, have, wanted, crew) if spans is None else _placed(spans, have)
        parts, rows, pairs = crew.read(jobs, progress.step)
        opened.source.check()
    store.save("pairs/complete.json", {"parts": parts, "rows": rows, "pairs": pairs, "of": total,
                                       "files": opened.source.begins, "notes": list(opened.source.notes)})  # fmt: skip
    store.remove("shards")
    progress.done()


def follows(count: Count, number: int, first: int) -> None:
    """Raise AuditError where a part that is there does not begin where those before it end."""
    if count.pairs and count.first != first:
        raise AuditError(f"part {number} of the pairs does not follow on those before it",
                         "something else wrote into the folder: run again with --force")  # fmt: skip


def _alone(opened: Opened, store: Store, options: Options, measure: Measure, progress: Progress,
           have: dict[int, Count], wanted: np.ndarray | None) -> tuple[int, int, int]:  # fmt: skip
    """All of it in this process: parts, source rows, pairs."""
    con = connect(half(options.memory), options.workers or os.cpu_count() or 1)
    number, rows, pairs = _unbroken(have)
    for part in _parts(opened, con, number, wanted):
        if number in have:
            follows(have[number], number, pairs)
            pairs += have[number].pairs
        else:
            frame, skipped = formats.to_pairs(con, opened.detected, part.table, pairs)
            skipped = pl.concat([part.skipped.cast(SKIPPED), skipped.cast(SKIPPED)]).sort("source_row")  # type: ignore[arg-type]
            opened.source.check()
            store.write_pairs(number, frame, skipped, part.rows)
            measure(number, frame)
            pairs += frame.height
            progress.step(part.rows)
        number, rows = number + 1, rows + part.rows
    return number, rows, pairs


def _unbroken(have: dict[int, Count]) -> tuple[int, int, int]:
    """Parts, source rows and pairs of the run of parts from the first that are there."""
    number = rows = pairs = 0
    while number in have:
        follows(have[number], number, pairs)
        rows, pairs, number = rows + have[number].rows, pairs + have[number].pairs, number + 1
    return number, rows, pairs


def _placed(spans: Iterator[Span], have: dict[int, Count]) -> Iterator[Job]:
    """The parts of a source that is read in pieces."""
    for number, span in enumerate(spans):
        yield Job(number, span, have=have.get(number))


def _given(opened: Opened, options: Options, have: dict[int, Count], wanted: np.ndarray | None,
           crew: Crew) -> Iterator[Job]:  # fmt: skip
    """The parts of a source that has to be read from its beginning, which is done here."""
    con = connect(half(options.memory), options.workers or os.cpu_count() or 1)
    start = _unbroken(have)[0]
    for number in range(start):
        yield Job(number, None, have=have[number])
    for number, part in enumerate(_parts(opened, con, start, wanted), start):
        opened.source.check()
        given = Given(part.skipped, part.rows)
        table = None if number in have else crew.runner.share(part.table)
        yield Job(number, given, table, have=have.get(number))


def _sampled(source: sources.Source, options: Options) -> tuple[np.ndarray | None, int | None]:
    """The source rows of --sample, sorted, and how many there are in all; None for all of them."""
    if options.sample is None:
        return None, None
    total = source.count()
    chosen = np.random.default_rng(options.seed).choice(total, min(options.sample, total), replace=False)
    return np.sort(chosen), total


def _parts(opened: Opened, con: Any, start: int, wanted: np.ndarray | None) -> Iterator[sources.Part]:
    """The parts from number `start` on; layouts that bring rows together read all of them first."""
    regroups = opened.detected.layout.regroups
    parts = opened.source.read(opened.part_rows, 0 if regroups else start * opened.part_rows)
    parts = parts if wanted is None else (_only(part, wanted) for part in parts)
    yield from _regrouped(opened, con, start, parts) if regroups else parts


def _regrouped(opened: Opened, con: Any, start: int, parts: Iterator[sources.Part]) -> Iterator[sources.Part]:
    """Parts of whole groups. Rows that could not be read are known before the first, and go with it."""
    skipped = [pl.DataFrame(schema=SKIPPED)]

    def tables() -> Iterator[pa.Table]:
        for part in parts:
            skipped.append(part.skipped.cast(SKIPPED))  # type: ignore[arg-type]
            yield part.table

    most = 0
    for number, table in enumerate(formats.regroup(con, opened.detected, tables(), opened.part_rows)):
        bad = pl.concat(skipped) if number == 0 else skipped[0]
        most = max(most, pc.max(table["group_size"]).as_py() or 0)
        if number >= start:
            yield sources.Part(table=table, skipped=bad, first=0, rows=table.num_rows + bad.height)
    if most > formats.ALL:
        opened.source.notes.append(
            f"a prompt has up to {most} answers: of more than {formats.ALL} "
            f"each is compared with the next {formats.NEXT} alone"
        )


def _only(part: sources.Part, wanted: np.ndarray) -> sources.Part:
    keep = np.isin(part.table["source_row"].to_numpy(), wanted)
    skipped = part.skipped.filter(pl.col("source_row").is_in(wanted.tolist()))
    table = part.table.filter(pa.array(keep))
    return sources.Part(table=table, skipped=skipped, first=part.first, rows=table.num_rows + skipped.height)

"""Source to parts of pairs: every source row ends in a pair or in the skips."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from prefaudit import __version__, formats, sources
from prefaudit.config import Options
from prefaudit.core import SKIPPED, Progress, fingerprint, unknown
from prefaudit.duck import connect
from prefaudit.store import Store

PAIRS_A_PART = 32_768


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
    """
    source = sources.open(data, seed=options.seed, memory=options.memory)
    detected = formats.detect(dict(source.columns), source.sample(1000), options.format, dict(options.map))
    detected, added = _with_scores(detected, options)
    part_rows = options.part_rows or max(512, PAIRS_A_PART // max(1, detected.layout.pairs_per_row))
    sampled = (options.sample, options.seed if options.sample else 0)
    told = (detected.layout.name, detected.mapping, source.fingerprint, sampled, *added)
    recipe = fingerprint("pairs", __version__, *told)
    return Opened(source, detected, part_rows, recipe)


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


def read(opened: Opened, store: Store, options: Options, measure: Callable[[int, pl.DataFrame], None],
         progress: Progress) -> None:  # fmt: skip
    """Write the parts that are missing, and hand each to `measure` while it is in memory."""
    if store.begin_pairs(opened.recipe, opened.part_rows):
        return
    done = store.progressed()
    progress.start("read and measure", opened.source.rows)
    progress.step(done.rows)
    con = connect(options.memory, options.workers or os.cpu_count() or 1)
    wanted, total = _sampled(opened.source, options)
    number, rows, pairs = done.parts, done.rows, done.pairs
    for part in _parts(opened, con, done.parts, wanted):
        frame, skipped = formats.to_pairs(con, opened.detected, part.table, pairs)
        skipped = pl.concat([part.skipped.cast(SKIPPED), skipped.cast(SKIPPED)]).sort("source_row")  # type: ignore[arg-type]
        store.write_pairs(number, frame, skipped, part.rows)
        measure(number, frame)
        number, rows, pairs = number + 1, rows + part.rows, pairs + frame.height
        progress.step(part.rows)
    store.save("pairs/complete.json", {"parts": number, "rows": rows, "pairs": pairs, "of": total,
                                       "files": opened.source.begins, "notes": list(opened.source.notes)})  # fmt: skip
    progress.done()


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

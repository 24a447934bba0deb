"""One of n jobs that share the reading and measuring of a dataset, for schedulers such as Slurm.

A shard takes a run of parts: the n-th part of all. It reads them into a temporary folder of its machine, leaves their
counts in the audit folder, waits for those of the shards before it, and then knows the number of its first pair.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from prefaudit.audit import measure, read, selection
from prefaudit.audit.crew import asks
from prefaudit.audit.worker import Worker, settings
from prefaudit.config import Options, half
from prefaudit.core import AuditError, Progress, UsageError
from prefaudit.scratch import Scratch
from prefaudit.sources.spans import Span
from prefaudit.store import Store

POLL = 1.0  # seconds between two looks for the counts of others


class Shard(NamedTuple):
    """Number `at`, from 0 on, of `of`."""

    at: int
    of: int

    def __str__(self) -> str:
        return f"{self.at}/{self.of}"

    @property
    def file(self) -> str:
        """Where its counts stand."""
        return f"shards/{self.at:05d}-of-{self.of:05d}.json"


def parsed(text: str) -> Shard:
    """A shard as it is written, 0/64 to 63/64.

    Raises:
        UsageError: it is not.
    """
    at, slash, of = text.partition("/")
    if not slash or not at.isdigit() or not of.isdigit() or int(at) >= int(of):
        raise UsageError(f"--shard {text!r} is not I/N with I from 0 to N - 1", "for example --shard 0/64")
    return Shard(int(at), int(of))


def work(data: Any, out: str | Path, options: Options, shard: Shard, *, patience: float = 3600.0,
         progress: Progress | None = None) -> int:  # fmt: skip
    """Read and measure one shard of a dataset; `scan` with the same folder and options does the rest.

    Args:
        data: as for `scan`; Parquet in row groups, or JSON Lines that are not compressed.
        out: the audit folder, the same for all shards.
        options: checked options, the same for all shards.
        shard: which one.
        patience: seconds to wait for the counts of the shards before it.
        progress: how far it is.

    Returns:
        The number of parts that are done.

    Raises:
        UsageError: the source cannot be read in pieces, or a language model would be asked.
        AuditError: the job cannot be done, an extractor failed, or a shard before this one did not come.
    """
    chosen = selection.choose(options)
    if any(asks(e) and not e.learns for e in chosen):
        raise UsageError(
            "shards ask no language model: nobody would count the calls of all", "leave the judge to `scan`"
        )
    opened, store = read.open_source(data, options), Store(out)
    _mine(opened, options, shard)  # whether it can be divided, before anything is claimed
    with store.lock(str(shard)), Scratch() as spool:
        store.claim(opened.source.fingerprint)
        opened = read.cut_as(opened, store, options)
        _only_so_many(store, shard)
        if store.begin_pairs(opened.recipe, opened.part_rows, shared=True):
            return 0
        measures = measure.Measures(store, chosen, opened.recipe, options.seed)
        worker = Worker(settings(store, measures, opened.detected, opened.source.ticket, part_rows=opened.part_rows,
                                 memory=half(options.memory), threads=options.workers or 1, here=True))  # fmt: skip
        parts = _mine(opened, options, shard)
        return _Work(store, worker, shard, Path(spool), progress or Progress()).run(parts, patience)


def _mine(opened: read.Opened, options: Options, shard: Shard) -> list[tuple[int, Span]]:
    spans = None if options.sample or opened.detected.layout.regroups else opened.source.spans(opened.part_rows)
    if spans is None:
        raise UsageError(f"{opened.source.paths[0]} cannot be read in shards: it has to be read from its beginning",
                         "write it as Parquet with row groups of up to 50,000 rows, or as JSON Lines")  # fmt: skip
    numbered = list(enumerate(spans))
    low, high = (len(numbered) * k // shard.of for k in (shard.at, shard.at + 1))
    return numbered[low:high]


def _only_so_many(store: Store, shard: Shard) -> None:
    """Raise AuditError where the folder has counts of an array of another size, whose parts are others."""
    names = list(store.remote.names("shards")) if store.remote else [p.name for p in store.folder.glob("shards/*.json")]
    other = sorted({int(name.rpartition("-")[2].removesuffix(".json")) for name in names} - {shard.of})
    if other:
        raise AuditError(f"{store.name} was begun by shards of {other[0]}, and this is one of {shard.of}",
                         f"use --shard I/{other[0]}, or another folder")  # fmt: skip


class _Work:
    """The two passes of a shard."""

    def __init__(self, store: Store, worker: Worker, shard: Shard, spool: Path, progress: Progress) -> None:
        self._store, self._worker, self._shard = store, worker, shard
        self._spool, self._progress = spool, progress

    def run(self, mine: list[tuple[int, Span]], patience: float) -> int:
        have = self._store.counted()
        self._progress.start(f"shard {self._shard}", sum(span.rows for _, span in mine))
        counts = {number: self._counted(number, span) if number not in have else
                  (have[number].rows, have[number].pairs) for number, span in mine}  # fmt: skip
        self._store.save(self._shard.file, {"pairs": sum(pairs for _, pairs in counts.values())})
        first = sum(self._before(at, patience) for at in range(self._shard.at))
        for number, _ in mine:
            if number in have:
                read.follows(have[number], number, first)
                self._worker.measure(number)
            else:
                self._finish(number, first)
            first += counts[number][1]
            self._progress.step(counts[number][0])
        self._progress.done()
        for name, (number, said) in self._worker.measures.broken.items():
            raise AuditError(f"{name} failed in part {number}: {said}", "scan tells more; the other parts are kept")
        return len(mine)

    def _counted(self, number: int, span: Span) -> tuple[int, int]:
        told = self._worker.read(number, span)
        frame, skipped, _ = self._worker.held.pop(number)
        frame.write_ipc(self._spool / f"{number}.pairs", compression="lz4")
        skipped.write_ipc(self._spool / f"{number}.skipped")
        (self._spool / f"{number}.rows").write_text(str(told[0]))
        return told

    def _finish(self, number: int, first: int) -> None:
        files = [self._spool / f"{number}.{kind}" for kind in ("pairs", "skipped", "rows")]
        frame, skipped = (pl.read_ipc(path) for path in files[:2])
        self._worker.held[number] = (frame, skipped, int(files[2].read_text()))
        self._worker.finish(number, first)
        for path in files:
            path.unlink()

    def _before(self, at: int, patience: float) -> int:
        """The pairs of an earlier shard, once it has counted them."""
        name, began, said = Shard(at, self._shard.of).file, time.monotonic(), False
        while (told := self._store.load(name)) is None:
            if not said:
                self._progress.say(f"shard {self._shard} waits for shard {Shard(at, self._shard.of)} to count its "
                                   f"pairs, for up to {patience / 60:.0f} minutes")  # fmt: skip
                said = True
            if time.monotonic() - began > patience:
                raise AuditError(f"shard {Shard(at, self._shard.of)} has not counted its pairs in {patience:.0f} s",
                                 "did it fail? run it again, then this one")  # fmt: skip
            time.sleep(POLL)
        return int(told["pairs"])

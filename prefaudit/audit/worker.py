"""The unit of work, (part, extractor), where it is done: in a process of a pool, a Ray actor, or a shard."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa

from prefaudit import formats, sources
from prefaudit.audit.measure import Measures
from prefaudit.core import SKIPPED, Extractor, UsageError
from prefaudit.duck import connect
from prefaudit.sources.spans import Span, Spans, Ticket
from prefaudit.store import Count, Store


@dataclass(frozen=True)
class Settings:
    """All that a worker has to know: where the audit lies, what is measured, how a source is read. Plain values."""

    folder: str
    mirror: str | None
    extractors: tuple[Extractor, ...]
    recipe: str
    seed: int
    part_rows: int
    layout: str
    detected: dict[str, Any]
    ticket: Ticket | None
    memory: str
    threads: int


def settings(store: Store, measures: Measures, detected: formats.Detected, ticket: Ticket | None, *, part_rows: int,
             memory: str, threads: int, here: bool) -> Settings:  # fmt: skip
    """What a worker is made with; `here` says that it runs on this machine."""
    told = {name: value for name, value in vars(detected).items() if name != "layout"}
    mirror = str(store.folder) if store.remote and here else None
    name = store.name if store.remote else str(store.folder.resolve())
    return Settings(name, mirror, measures.extractors, measures.pairs_recipe, measures.seed, part_rows,
                    detected.layout.name, told, ticket, memory, threads)  # fmt: skip


@dataclass(frozen=True)
class Given:
    """A part that was read for the worker, less its table: its skips and its source rows."""

    skipped: pl.DataFrame
    rows: int


@dataclass
class Job:
    """A part to read: `what` says where it lies, `table` has it where it was read already; `have` where it is done."""

    number: int
    what: Span | Given | None  # None where it is done
    table: Any = None
    have: Count | None = None
    tries: int = 0


@dataclass
class Worker:
    """Reads parts and measures them. Every method writes whole files that depend on its arguments alone."""

    settings: Settings
    held: dict[int, tuple[pl.DataFrame, pl.DataFrame, int]] = field(default_factory=dict)
    _states: dict[str, pl.DataFrame | None] = field(default_factory=dict)
    _spans: Spans | None = None

    def __post_init__(self) -> None:
        s = self.settings
        self.store = Store(s.folder, s.mirror)
        self.store.join(s.recipe, s.part_rows)
        self.measures = Measures(self.store, s.extractors, s.recipe, s.seed)
        layout = next(one for one in formats.LAYOUTS if one.name == s.layout)
        self._detected = formats.Detected(layout=layout, **s.detected)
        self._con = connect(s.memory, s.threads)

    def read(self, number: int, what: Span | Given, table: pa.Table | str | None = None) -> tuple[int, int]:
        """Read a part and keep it: its source rows and pairs. The number of its first pair is not known yet.

        `table` is that of a part that is given, or the Arrow file that holds it.
        """
        part = self._part(what, table)
        frame, skipped = formats.to_pairs(self._con, self._detected, part.table, 0)
        both = [part.skipped.cast(SKIPPED), skipped.cast(SKIPPED)]  # type: ignore[arg-type]
        self.held[number] = (frame, pl.concat(both).sort("source_row"), part.rows)
        return part.rows, frame.height

    def finish(self, number: int, first: int) -> dict[str, tuple[int, str]]:
        """Write the part whose first pair has this number, and measure it; what failed, with the part it failed in."""
        frame, skipped, rows = self.held.pop(number)
        frame = frame.with_columns(pl.col("row") + first)
        self.store.write_pairs(number, frame, skipped, rows)
        self.measures.part(number, frame)
        return self.measures.broken

    def measure(self, number: int) -> dict[str, tuple[int, str]]:
        """Measure a part of which something is missing."""
        self.measures.part(number)
        return self.measures.broken

    def apply(self, number: int, extractors: tuple[Extractor, ...], name: str) -> dict[str, tuple[int, str]]:
        """Measure a part with an extractor that has learned."""
        self.measures.extractors = extractors
        extractor = next(e for e in extractors if e.name == name)
        kind = self.measures.kind(extractor)
        if kind not in self._states:
            self._states = {kind: self.measures.learned(extractor)}
        self.measures.one(extractor, number, None, self._states[kind])
        return self.measures.broken

    def process(self) -> int:
        """The number of its process."""
        return os.getpid()

    def _part(self, what: Span | Given, table: pa.Table | str | None) -> sources.Part:
        if isinstance(what, Given):
            if isinstance(table, str):
                table = pa.ipc.open_file(pa.memory_map(table)).read_all()
            return sources.Part(table=table, skipped=what.skipped, first=0, rows=what.rows)
        if self.settings.ticket is None:
            raise UsageError("a frame has no places to read from")
        self._spans = self._spans or Spans(self.settings.ticket, self.settings.memory)
        return self._spans.read(what)

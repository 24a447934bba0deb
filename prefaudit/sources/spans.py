"""A part of a source by where it lies: row groups of Parquet, byte ranges of JSON Lines; several can read at once."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from prefaudit import duck
from prefaudit.core import SKIPPED, SourceError
from prefaudit.scratch import Scratch
from prefaudit.sources.base import Chunk, Kind, Part, Place, Reader
from prefaudit.sources.remote import File, fetch, is_uri

OWN = ("source_row", "file", "line")
State = tuple[int, int]


@dataclass(frozen=True)
class Span:
    """Rows `first` to `first + rows - 1` of the source, as places in some of its files: (number of the file, where)."""

    first: int
    rows: int
    pieces: tuple[tuple[int, Place], ...]


@dataclass(frozen=True)
class Ticket:
    """What another process needs to read spans of a source that was opened here.

    `kinds` are each file's columns; `names` the source's name of a column to its name here; `states` the size and time
    of change that each file had.
    """

    files: tuple[File, ...]
    container: str
    kinds: tuple[dict[str, Kind], ...]
    names: dict[str, str]
    states: tuple[State, ...]


def spans(readers: Sequence[Reader], part_rows: int) -> Iterator[Span] | None:
    """The parts of a source in reading order; None where its container has to be read from the beginning."""
    if not readers or not all(getattr(reader, "divides", lambda rows: False)(part_rows) for reader in readers):
        return None
    return _joined(readers, part_rows)


def _joined(readers: Sequence[Reader], part_rows: int) -> Iterator[Span]:
    held: list[tuple[int, Place]] = []
    first = n = at = 0
    for i, reader in enumerate(readers):
        for place in reader.places(part_rows, at % part_rows):  # type: ignore[attr-defined]
            held.append((i, place))
            n, at = n + place.rows, at + place.rows
            if n == part_rows:
                yield Span(first, n, tuple(held))
                held, first, n = [], first + n, 0
    if n:
        yield Span(first, n, tuple(held))


@dataclass
class Spans:
    """Reads spans, given a ticket. Files that this machine does not have are fetched where they are URIs.

    Raises:
        SourceError: a file is not here.
    """

    ticket: Ticket
    memory: str = "2GB"
    _readers: dict[int, Reader] = field(default_factory=dict)
    _copies: Any = None

    def __post_init__(self) -> None:
        self._con = duck.connect(self.memory, 1)
        self._files = [self._here(file, state) for file, state in zip(self.ticket.files, self.ticket.states,
                                                                      strict=True)]  # fmt: skip

    def read(self, span: Span) -> Part:
        """The rows of a span.

        Raises:
            SourceError: a file is broken, or not what it was when the source was opened.
        """
        held, at = [], span.first
        for number, place in span.pieces:
            reader, left = self._reader(number), place.rows
            for chunk in reader.piece(list(self.ticket.names), place):  # type: ignore[attr-defined]
                take = min(chunk.rows, left)
                offset = at - (place.rows - left) - place.first
                held.append(piece(self.ticket.names, chunk, 0, take, offset, reader.name))
                at, left = at + take, left - take
                if not left:
                    break
            self._same(number)
            if left:
                raise changed(self._files[number])
        return part(held, span.first, span.rows)

    def _reader(self, number: int) -> Reader:
        if number not in self._readers:
            from prefaudit.sources.opening import READERS

            file = self._files[number]
            reader = READERS[self.ticket.container](file.path, self._con, file.name)
            if hasattr(reader, "told"):
                reader.told(self.ticket.kinds[number])
            self._readers = {number: reader}  # one open file at a time: there may be thousands
        return self._readers[number]

    def _same(self, number: int) -> None:
        if self._copies is None and state(self._files[number]) != self.ticket.states[number]:
            raise changed(self._files[number])

    def _here(self, file: File, was: State) -> File:
        if file.path.exists() and file.path.stat().st_size == was[0]:
            return file
        if file.path.exists():
            raise changed(file)
        if not is_uri(file.name):
            raise SourceError(f"{file.name}: {socket.gethostname()} does not see it",
                              "a cluster needs a folder that all its machines share, or a URI")  # fmt: skip
        self._copies = self._copies or Scratch()
        into = Path(tempfile.mkdtemp(dir=self._copies.name))
        return fetch(file.name, into, lambda name: True)[0]


def piece(names: Mapping[str, str], chunk: Chunk, at: int, n: int, offset: int,
          name: str) -> tuple[pa.Table, pl.DataFrame]:  # fmt: skip
    """Rows `at` to `at + n - 1` of a chunk as rows of the source, and those of them that could not be read."""
    low, high = chunk.first + at, chunk.first + at + n
    begin, end = np.searchsorted(chunk.row, [low, high])
    own = [
        pa.array(chunk.row[begin:end] + offset, pa.int64()),
        pa.repeat(pa.scalar(name, pa.large_string()), end - begin),
        pa.array(chunk.line[begin:end], pa.int64()),
    ]
    data = complete(names, chunk.table.slice(begin, end - begin))
    whole = pa.Table.from_arrays([*own, *data.columns], names=[*OWN, *data.column_names])
    bad = chunk.skipped.filter(pl.col("row").is_between(low, high - 1))
    told = bad.select(source_row=pl.col("row") + offset, file=pl.lit(name), line="line", reason="reason")
    return whole, told.cast(SKIPPED)  # type: ignore[arg-type]


def complete(names: Mapping[str, str], table: pa.Table) -> pa.Table:
    """The table with every column of the source in order, null where the file has none."""
    nulls = pa.nulls(table.num_rows, pa.large_string())
    have = set(table.column_names)
    columns = [table[c] if c in have else nulls for c in names]
    schema = pa.schema([(n, pa.large_string()) for n in names.values()])
    return pa.Table.from_arrays(columns, schema=schema)


def part(held: list[tuple[pa.Table, pl.DataFrame]], first: int, rows: int) -> Part:
    """Pieces as one part."""
    return Part(pa.concat_tables([t for t, _ in held]), pl.concat([s for _, s in held]), first, rows)


def state(file: File) -> State:
    """Size and time of change, of content or of what is said about it; (-1, 0) where it is gone."""
    try:
        stat = file.path.stat()
    except FileNotFoundError:
        return -1, 0
    return stat.st_size, max(stat.st_mtime_ns, stat.st_ctime_ns)


def changed(file: File) -> SourceError:
    """The error for a file that is written to while it is read."""
    return SourceError(f"{file.name}: changed while it was read",
                       "run again when nothing writes to it; with --force where parts of it were kept")  # fmt: skip

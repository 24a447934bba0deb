"""Arrow IPC files and streams, also as `datasets` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from prefaudit.core import SourceError
from prefaudit.sources.base import one_line
from prefaudit.sources.columnar import ROWS, ColumnReader
from prefaudit.sources.streams import Stream, compression, head

MAGIC = b"ARROW1"


def arrow(path: Path, con: duckdb.DuckDBPyConnection, name: str) -> ColumnReader:
    """One Arrow file or stream, mapped into memory where it is not compressed.

    Raises:
        SourceError: it is cut short or no Arrow data.
    """
    with Stream(path, name) as stream, _told(name):
        schema = _reader(path, stream)[0]

    def tables(columns: list[str], start: int) -> Iterator[tuple[int, pa.Table]]:
        for first, batch in _batches(path, name):
            for at in range(max(0, start - first), batch.num_rows, ROWS):
                yield first + at, pa.Table.from_batches([batch.select(columns).slice(at, ROWS)])

    rows = None if compression(path, name) else sum(batch.num_rows for _, batch in _batches(path, name))
    return ColumnReader(name, con, schema, tables, rows)


def _batches(path: Path, name: str) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 0
    with Stream(path, name) as stream, _told(name):
        for batch in _reader(path, stream)[1]:
            yield first, batch
            first += batch.num_rows


def _reader(path: Path, stream: Stream) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if head(path, stream.name, len(MAGIC)) == MAGIC:
        # A file's footer is at its end: a compressed one has to be held in memory.
        source = pa.BufferReader(stream.read()) if stream.compression else pa.memory_map(str(path))
        file = pa.ipc.open_file(source)
        return file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
    source = pa.PythonFile(stream, mode="r") if stream.compression else pa.memory_map(str(path))
    reader = pa.ipc.open_stream(source)
    return reader.schema, iter(reader)


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, EOFError) as e:
        raise SourceError(f"{name}: not readable as Arrow (cut short?): {one_line(e)}", "write the file again") from e

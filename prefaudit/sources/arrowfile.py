"""Arrow IPC files and streams, also as `datasets` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from prefaudit.core import SourceError
from prefaudit.sources.base import one_line
from prefaudit.sources.columnar import ROWS, ColumnReader
from prefaudit.sources.streams import Stream, head


def arrow(path: Path, con: duckdb.DuckDBPyConnection, name: str) -> ColumnReader:
    """One Arrow file or stream, mapped into memory where it is not compressed.

    Raises:
        SourceError: it is cut short or no Arrow data.
    """
    schema = next(_batches(path, name, only_schema=True))[1].schema

    def tables(columns: list[str], start: int) -> Iterator[tuple[int, pa.Table]]:
        for first, batch in _batches(path, name):
            for at in range(max(0, start - first), batch.num_rows, ROWS):
                yield first + at, pa.Table.from_batches([batch.select(columns).slice(at, ROWS)])

    return ColumnReader(name, con, schema, tables, None)


def _batches(path: Path, name: str, only_schema: bool = False) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 0
    try:
        with Stream(path, name) as stream:
            compressed = bool(stream.compression)
            source = pa.PythonFile(stream, mode="r") if compressed else pa.memory_map(str(path))
            if head(path, name, 6) == b"ARROW1" and not compressed:
                reader = pa.ipc.open_file(source)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            else:
                if head(path, name, 6) == b"ARROW1":
                    source.read(8)
                reader = pa.ipc.open_stream(source)
                batches = iter(reader)
            if only_schema:
                yield 0, pa.RecordBatch.from_pylist([], schema=reader.schema)
                return
            for batch in batches:
                yield first, batch
                first += batch.num_rows
    except (pa.ArrowException, OSError, EOFError) as e:
        where = f" near row {first}" if first else ""
        raise SourceError(
            f"{name}: not readable as Arrow{where} (cut short?): {one_line(e)}", "write the file again"
        ) from e

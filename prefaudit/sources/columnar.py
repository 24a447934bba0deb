"""Arrow columns to the two kinds, and the readers of what is columns already: Parquet, Arrow files, frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from prefaudit.core import SourceError
from prefaudit.sources.base import NO_SKIPS, Chunk, Kind, Place, ask, decoded, large, one_line, skips
from prefaudit.sources.frames import Rows
from prefaudit.sources.nested import column_without_bytes, holds_bytes, without_bytes

ROWS = 8192  # rows a batch: bounds memory where texts are long


def is_text(t: pa.DataType) -> bool:
    """A string, as it stands or by dictionary."""
    if pa.types.is_dictionary(t):
        return is_text(t.value_type)
    return bool(pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t))


def kinds(schema: pa.Schema, notes: list[str]) -> dict[str, Kind]:
    """Kind of each column; columns of bytes are left out and named in `notes`."""
    found: dict[str, Kind] = {}
    for f in schema:
        if not holds_bytes(f.type):
            found[f.name] = "text" if is_text(f.type) else "json"
        elif without_bytes(pa.array([], f.type)) is None:
            notes.append(f"column {f.name!r} holds bytes ({f.type}) and is not read")
        else:
            notes.append(f"the bytes inside column {f.name!r} are not read")
            found[f.name] = "json"
    return found


def strings(con: duckdb.DuckDBPyConnection, table: pa.Table, name: str) -> dict[str, pa.ChunkedArray]:
    """Each column as large strings: text as it stands, anything else as JSON text (null and NaN are null).

    Raises:
        SourceError: a column's type has no JSON form.
    """
    done, other = {}, []
    for f in table.schema:
        column = table[f.name]
        if isinstance(f.type, pa.JsonType):
            done[f.name] = column.cast(f.type.storage_type).cast(pa.large_string())
            continue
        if is_text(f.type) or pa.types.is_integer(f.type) or pa.types.is_boolean(f.type):
            if pa.types.is_dictionary(f.type) and pa.types.is_string_view(f.type.value_type):
                column = column.cast(pa.dictionary(f.type.index_type, pa.large_string()))
            done[f.name] = column.cast(pa.large_string())
        elif pa.types.is_null(f.type):
            done[f.name] = pa.chunked_array([pa.nulls(len(column), pa.large_string())])
        else:
            other.append(f.name)
    if other:
        given = pa.table({f"c{i}": _plain(table[c]) for i, c in enumerate(other)})
        picked = ", ".join(f"nullif(to_json(c{i})::varchar, 'NaN') c{i}" for i in range(len(other)))
        try:
            told = ask(con, given, f"select {picked} from given")
        except (duckdb.Error, pa.ArrowException) as e:
            types = ", ".join(f"{c!r} ({table.schema.field(c).type})" for c in other)
            raise SourceError(f"{name}: cannot say as JSON: {types}: {one_line(e)}") from e
        done |= {c: told[f"c{i}"] for i, c in enumerate(other)}
    return {c: done[c] for c in table.column_names}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column_without_bytes(column) if holds_bytes(column.type) else column


def chunk(con: duckdb.DuckDBPyConnection, table: pa.Table, first: int, name: str) -> Chunk:
    """The chunk of these rows; rows with text that is not UTF-8 are skipped."""
    skipped, keep = NO_SKIPS, None
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:
        keep = np.ones(table.num_rows, bool)
        for f in table.schema:
            if is_text(f.type):
                raw = table[f.name].cast(pa.large_string()).cast(pa.large_binary())
                keep &= pc.is_null(raw).to_numpy() | decoded(con, raw).is_valid().to_numpy()
        if keep.all():
            raise SourceError(f"{name}: holds damaged columns", "write it again") from None
    row = np.arange(first, first + table.num_rows, dtype=np.int64)
    if keep is not None:
        skipped = skips(row[~keep], row[~keep] + 1, "text is not valid UTF-8")
        table, row = table.filter(pa.array(keep)), row[keep]
    n = len(row) + len(skipped)
    return Chunk(large(strings(con, table, name), len(row)), row, row + 1, first, n, skipped)


Tables = Callable[[list[str], int], Iterator[tuple[int, pa.Table]]]


class ColumnReader:
    """Rows that are Arrow tables already.

    Args:
        name: What to call it in messages.
        con: A connection for our own SQL.
        schema: The schema of the tables.
        tables: Given columns and a first row, the tables from that row on, each with its first row's number.
        rows: How many rows there are, None where only reading tells.
        group: How many rows have to be gone through at most to begin at any row; None for all before it.
    """

    def __init__(
        self,
        name: str,
        con: duckdb.DuckDBPyConnection,
        schema: pa.Schema,
        tables: Tables,
        rows: int | None,
        group: int | None = None,
    ) -> None:
        self.name, self.con, self.schema, self.rows, self.group = name, con, schema, rows, group
        self.notes: list[str] = []
        self.tables = tables
        self._columns = kinds(schema, self.notes)

    def columns(self) -> dict[str, Kind]:
        """Columns of the schema but those of bytes."""
        return self._columns

    def count(self) -> int | None:
        """Rows, where the container says."""
        return self.rows

    def length(self) -> int:
        """Rows, by going through them where the container does not say."""
        return self.rows if self.rows is not None else sum(t.num_rows for _, t in self.tables([], 0))

    def chunks(self, columns: list[str], start: int = 0) -> Iterator[Chunk]:
        """The rows from `start` on."""
        mine = [c for c in columns if c in self._columns]
        for first, table in self.tables(mine, start):
            yield chunk(self.con, table.select(mine), first, self.name)

    def divides(self, part_rows: int) -> bool:
        """Whether parts can be read one by one at little more cost than in a row."""
        return self.group is not None and self.group <= 2 * part_rows

    def places(self, part_rows: int, before: int) -> Iterator[Place]:
        """Where the rows of each part lie."""
        first = 0
        while first < (self.rows or 0):
            rows = min(part_rows - (before + first) % part_rows, (self.rows or 0) - first)
            yield Place(first, rows)
            first += rows

    def piece(self, columns: list[str], place: Place) -> Iterator[Chunk]:
        """The rows of a place, and those after it."""
        return self.chunks(columns, place.first)

    def sample(self, columns: list[str], n: int, seed: int) -> pa.Table:
        """The first rows, and where the number of rows is known, some from the middle and the end."""
        mine = [c for c in columns if c in self._columns]
        starts = [0] if not self.rows or self.rows <= n else [0, self.rows // 2, self.rows - n // 4]
        sizes = [n] if len(starts) == 1 else [n - 2 * (n // 4), n // 4, n // 4]
        found = []
        for start, size in zip(starts, sizes, strict=True):
            for first, table in self.tables(mine, start):
                taken = chunk(self.con, table.select(mine).slice(0, size), first, self.name).table
                found.append(taken)
                size -= table.num_rows
                if size <= 0:
                    break
        return pa.concat_tables(found) if found else pa.table({c: pa.array([], pa.large_string()) for c in mine})


def parquet(path: Path, con: duckdb.DuckDBPyConnection, name: str) -> ColumnReader:
    """A Parquet file.

    Raises:
        SourceError: its footer is wrong, it is encrypted, or has no columns.
    """
    try:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    except (pa.ArrowException, OSError) as e:
        raise broken_parquet(path, name, e) from e
    meta = file.metadata
    ends = np.cumsum([0] + [meta.row_group(i).num_rows for i in range(meta.num_row_groups)])

    def tables(columns: list[str], start: int) -> Iterator[tuple[int, pa.Table]]:
        group = int(np.searchsorted(ends, start, side="right")) - 1
        groups = list(range(group, meta.num_row_groups))
        first = int(ends[min(group, len(ends) - 1)])
        try:
            for batch in file.iter_batches(ROWS, row_groups=groups, columns=columns, use_threads=False):
                skip = max(0, start - first)
                if skip < batch.num_rows:
                    yield first + skip, pa.Table.from_batches([batch.slice(skip)])
                first += batch.num_rows
        except (pa.ArrowException, OSError) as e:
            raise SourceError(
                f"{name}: Parquet data is damaged in row {first} or after it: {one_line(e)}", "write the file again"
            ) from e

    return ColumnReader(name, con, file.schema_arrow, tables, meta.num_rows, int(np.diff(ends).max(initial=0)))


def broken_parquet(path: Path, name: str, error: BaseException) -> SourceError:
    """The error for a file that has no readable Parquet footer."""
    text = one_line(error)
    if "encrypt" in text.lower():
        return SourceError(f"{name}: the Parquet file is encrypted", "write it without encryption")
    with path.open("rb") as f:
        start = f.read(4)
    what = "it begins like Parquet but its footer is missing or wrong (cut short?)" if start == b"PAR1" else text
    return SourceError(f"{name}: not a readable Parquet file: {what}", "download or write it again")


def frame(table: Rows, con: duckdb.DuckDBPyConnection, name: str = "frame") -> ColumnReader:
    """A frame in memory."""

    def tables(columns: list[str], start: int) -> Iterator[tuple[int, pa.Table]]:
        for at in range(start, table.num_rows, ROWS):
            yield at, table.slice(at, ROWS)

    return ColumnReader(name, con, table.schema, tables, table.num_rows)

"""CSV and TSV through Arrow's streaming parser: quoted newlines, exact lines, rows of the wrong width set aside."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from prefaudit.core import SourceError
from prefaudit.sources.base import NO_SKIPS, Chunk, Kind, decoded, large, one_line, skips
from prefaudit.sources.lines import without_bom
from prefaudit.sources.streams import Stream, head

HEAD = 1 << 20
CELL_BLOCK = 32 << 20  # a row must fit in one block
CLOSE = "close the quote, or write quotes inside a cell twice"
DELIMITERS = (",", ";", "\t", "|")


def header(text: str, delimiter: str) -> tuple[list[str], int]:
    """Cells of the first row that is not blank, and its number among all rows from 1 on (0: there is none)."""
    for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1):
        if any(c.strip() for c in cells):
            return cells, number
    return [], 0


def sniff(text: str) -> str:
    """The delimiter that gives the first row the most cells."""
    return max(DELIMITERS, key=lambda d: len(header(text, d)[0]))


class CsvReader:
    """One CSV or TSV file.

    Raises:
        SourceError: no header, two columns of one name, or text that is no table.
    """

    def __init__(self, path: Path, con: duckdb.DuckDBPyConnection, tabs: bool, name: str) -> None:
        """Read the header; `tabs` for TSV, `name` is what messages call the file."""
        self.path, self.con, self.name = path, con, name
        self.notes: list[str] = []
        text = without_bom(head(path, name, HEAD), name).decode("utf-8", "replace")
        csv.field_size_limit(HEAD * 2)
        self.delimiter = "\t" if tabs else sniff(text)
        cells, self.header_row = header(text, self.delimiter)
        self.names = [c.strip() or f"column_{i}" for i, c in enumerate(cells)]
        twice = sorted({c for c in self.names if self.names.count(c) > 1})
        if twice:
            named = ", ".join(repr(c) for c in twice)
            raise SourceError(f"{name}: more than one column is called {named}", "give each column its own name")
        if len(self.names) < 2:
            raise SourceError(
                f"{name}: the header has one column: {self.names[0][:60]!r}",
                "is it separated by something else, or not a table?",
            )

    def columns(self) -> dict[str, Kind]:
        """The header's names, all text."""
        return dict.fromkeys(self.names, "text")

    def count(self) -> int | None:
        """None: only reading tells."""
        return None

    def length(self) -> int:
        """Rows, told by parsing."""
        return sum(found.rows for found in self._all())

    def chunks(self, columns: list[str], start: int = 0) -> Iterator[Chunk]:
        """The rows from `start` on. A row that is blank is no row."""
        mine = [c for c in columns if c in self.names]
        for found in self._all():
            last = found.first + found.rows
            if last <= start:
                continue
            first = max(start, found.first)
            keep = int(np.searchsorted(found.row, first))
            skipped = found.skipped.filter(pl.col("row") >= first)
            table = found.table.select(mine).slice(keep)
            yield Chunk(table, found.row[keep:], found.line[keep:], first, last - first, skipped)

    def sample(self, columns: list[str], n: int, seed: int) -> pa.Table:
        """The first rows."""
        found: list[pa.Table] = []
        for some in self.chunks(columns):
            found.append(some.table.slice(0, n))
            n -= some.table.num_rows
            if n <= 0:
                break
        return pa.concat_tables(found) if found else pa.table({c: pa.array([], pa.large_string()) for c in columns})

    def _all(self) -> Iterator[Chunk]:
        """Every row of the file. Arrow numbers physical rows, the header and blank ones too; we number what is left."""
        with Stream(self.path, self.name) as stream:
            quotes = Quotes(stream)
            place = Place(self.header_row)
            try:
                for batch in self._open(quotes, place):
                    yield self._chunk(batch, place)
            except pa.ArrowInvalid as e:
                raise self._wrong(e, place.line) from e
            if place.broken:
                yield self._chunk(None, place)
            line = place.swallowed or (place.last_line if place.last_is_long else 0)
            if quotes.odd and line:
                raise SourceError(f"{self.name}: a quote that opens in the row at line {line} never closes", CLOSE)
            if quotes.odd:
                self.notes.append(f"{self.name}: the number of quotes is odd: one stands alone somewhere")

    def _open(self, quotes: Quotes, place: Place) -> Any:
        return pacsv.open_csv(
            pa.PythonFile(quotes, mode="r"),
            pacsv.ReadOptions(use_threads=False, block_size=CELL_BLOCK, column_names=self.names),
            pacsv.ParseOptions(
                delimiter=self.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=place.take,
            ),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pa.binary()), strings_can_be_null=False, check_utf8=False
            ),
        )

    def _chunk(self, batch: pa.RecordBatch | None, place: Place) -> Chunk:
        columns = [] if batch is None else batch.columns
        n = 0 if batch is None else batch.num_rows
        newlines, length = np.zeros(n, np.int64), np.zeros(n, np.int64)
        for c in columns:
            newlines += pc.count_substring(c, "\n").to_numpy(zero_copy_only=False)
            length += pc.binary_length(c).to_numpy(zero_copy_only=False)
        first = place.row
        row, line, bad = place.number(newlines, length == 0, batch is None)
        keep = row >= 0
        values, good = utf8(self.con, columns, keep)
        row, line = row[keep], line[keep]
        notes = skips(row[~good], line[~good], "line is not valid UTF-8")
        skipped = pl.concat([bad, notes]).sort("row") if len(bad) + len(notes) else NO_SKIPS
        named = dict(zip(self.names, values, strict=True)) if batch is not None else self._empty()
        return Chunk(large(named, int(good.sum())), row[good], line[good], first, place.row - first, skipped)

    def _empty(self) -> dict[str, pa.Array]:
        return {c: pa.array([], pa.large_string()) for c in self.names}

    def _wrong(self, error: pa.ArrowInvalid, line: int) -> SourceError:
        if "straddl" in str(error):
            what = f"a row from line {line} on is longer than {CELL_BLOCK >> 20} MB: a quote that never closes?"
            return SourceError(f"{self.name}: {what}", CLOSE)
        return SourceError(f"{self.name}: near line {line}: {one_line(error)}", "is it a table?")


def utf8(
    con: duckdb.DuckDBPyConnection, columns: list[pa.Array], keep: np.ndarray
) -> tuple[list[pa.Array | pa.ChunkedArray], np.ndarray]:
    """The kept rows as strings, and which of them are UTF-8 throughout (only those are returned)."""
    mask = None if keep.all() else pa.array(keep)
    kept = [c if mask is None else c.filter(mask) for c in columns]
    good = np.ones(int(keep.sum()), bool)
    try:
        return [c.cast(pa.large_string()) for c in kept], good
    except pa.ArrowInvalid:
        texts = [decoded(con, c) for c in kept]
        for text in texts:
            good &= text.is_valid().to_numpy()
        return [text.filter(pa.array(good)) for text in texts], good


class Quotes(io.RawIOBase):
    """Counts the quotes that pass."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream, self.odd = stream, False

    def readable(self) -> bool:
        """True: Arrow asks."""
        return True

    def read(self, size: int = -1) -> bytes:
        """As the stream does."""
        data = self.stream.read(size)
        self.odd ^= bool(data.count(b'"') & 1)
        return data


class Place:
    """Where we are in the file: which physical row, line and source row comes next, and what did not parse."""

    def __init__(self, header_row: int) -> None:
        self.header_row = header_row
        self.physical, self.line, self.row = 1, 1, 0
        self.last_line, self.last_is_long = 0, False
        self.swallowed = 0  # line of the first row of the wrong width that runs over several lines
        self.broken: list[tuple[int, int]] = []  # physical row, newlines in it

    def take(self, row: Any) -> str:
        """Arrow's handler for a row of the wrong width."""
        self.broken.append((row.number, row.text.count("\n")))
        return "skip"

    def number(self, newlines: np.ndarray, blank: np.ndarray, end: bool) -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
        """Source rows (-1: blank or header) and lines of the parsed rows that come next, and the skips among them.

        Args:
            newlines: Newlines inside each row.
            blank: Whether all its cells are empty.
            end: True for no more rows: the rest of what did not parse.
        """
        lost = np.array([n for n, _ in self.broken], np.int64)
        span = np.arange(self.physical, self.physical + len(newlines) + len(lost))
        if not end:
            parsed = np.setdiff1d(span, lost, assume_unique=True)[: len(newlines)]
            span = span[: int(parsed[-1]) - self.physical + 1] if len(parsed) else span[:0]
        else:
            parsed = span[:0]
        inside = np.isin(span, lost)
        mine = [inner for n, inner in self.broken if self.physical <= n < self.physical + len(span)]
        self.broken = self.broken[len(mine) :]
        extra, empty = np.zeros(len(span), np.int64), np.zeros(len(span), bool)
        extra[~inside], extra[inside], empty[~inside] = newlines, mine, blank
        line = self.line + np.concatenate([[0], np.cumsum(extra + 1)])
        real = ~empty & (span > self.header_row)
        row = np.where(real, self.row + np.cumsum(real) - 1, -1)
        long = np.flatnonzero(inside & (extra > 0))
        if len(long) and not self.swallowed:
            self.swallowed = int(line[long[0]])
        if len(span):
            self.last_line, self.last_is_long = int(line[-2]), bool(extra[-1])
        self.physical, self.line, self.row = self.physical + len(span), int(line[-1]), self.row + int(real.sum())
        out = inside & real
        return row[~inside], line[:-1][~inside], skips(row[out], line[:-1][out], "line has the wrong number of cells")

"""What the readers of this room share: a chunk of one file, a part of the whole source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

Kind = Literal["text", "json"]

NO_SKIPS = pl.DataFrame(schema={"row": pl.Int64, "line": pl.Int64, "reason": pl.String})


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one file, as a reader yields them: `rows` rows from `first` on, each once here or skipped.

    `table` has the source's columns as large strings [n], `row` (0-based, in the file) and `line` (1-based) are int64
    [n]; `skipped` has row, line and reason.
    """

    table: pa.Table
    row: np.ndarray
    line: np.ndarray
    first: int
    rows: int
    skipped: pl.DataFrame = field(default_factory=lambda: NO_SKIPS)


@dataclass(frozen=True)
class Part:
    """Consecutive rows of the source.

    `table`: source_row int64, file, line int64, then the source's columns, each a large_string of kind text or json.
    `skipped`: the rows of the same range that could not be read (SKIPPED). `rows` counts both.
    """

    table: pa.Table
    skipped: pl.DataFrame
    first: int
    rows: int


@dataclass(frozen=True)
class Place:
    """Rows of one file: `rows` from `first` on; of JSON Lines also the bytes they take and the line they begin on."""

    first: int
    rows: int
    bytes: tuple[int, int] = (0, 0)
    line: int = 1


class Reader(Protocol):
    """One file, or one frame.

    One that can be read in pieces has more: `divides(part_rows)` says so; `places(part_rows, before)` yields the places
    of its rows, cut where `before` plus the number of the row is a multiple of part_rows; `piece(columns, place)` reads
    the chunks of one (and perhaps some rows after it); `told(kinds)` spares it looking for its columns.
    """

    name: str
    notes: list[str]

    def columns(self) -> dict[str, Kind]:
        """Names of the columns in source order, with their kind."""

    def count(self) -> int | None:
        """Number of rows where the container says so at no cost, else None."""

    def length(self) -> int:
        """Number of rows, by reading as little as possible."""

    def chunks(self, columns: list[str], start: int = 0) -> Iterator[Chunk]:
        """The rows from `start` on; columns the file does not have are left out of the tables."""

    def sample(self, columns: list[str], n: int, seed: int) -> pa.Table:
        """About n readable rows from over the whole file where that is cheap, else its first ones."""


def skips(rows: np.ndarray, lines: np.ndarray, reason: str) -> pl.DataFrame:
    """A frame of skipped rows that share a reason."""
    return pl.DataFrame(
        {"row": rows, "line": lines, "reason": [reason] * len(rows)},
        schema={"row": pl.Int64, "line": pl.Int64, "reason": pl.String},
    )


def large(columns: Mapping[str, pa.ChunkedArray | pa.Array], rows: int) -> pa.Table:
    """A table of these columns as large strings; `rows` is the length where there is no column."""
    if not columns:
        return pa.table({"": pa.nulls(rows)}).select([])
    return pa.table(
        {name: c if c.type == pa.large_string() else c.cast(pa.large_string()) for name, c in columns.items()}
    )


def ask(con: duckdb.DuckDBPyConnection, table: pa.Table, sql: str) -> pa.Table:
    """The answer to SQL about an Arrow table, which the statement calls `given`."""
    answer = con.from_arrow(table).query("given", sql)
    assert answer is not None, "only statements that answer are asked"
    return answer.to_arrow_table()


def decoded(con: duckdb.DuckDBPyConnection, values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Bytes as strings, null where they are not UTF-8."""
    return ask(con, pa.table({"b": values}), "select try(decode(b)) s from given")["s"]


def one_line(error: BaseException) -> str:
    """What a library says, on one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]

"""The table that a statement reads: its parts are handed to DuckDB one after the other, none is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

Failure = (duckdb.Error, RuntimeError, MemoryError)


def asked(con: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any], parts: Iterable[pl.DataFrame],
          seconds: float) -> pl.DataFrame:  # fmt: skip
    """What a statement over the table `part` answers.

    Args:
        con: a connection without the right to read anything else.
        sql: the statement; it may be a stranger's.
        values: of its named parameters.
        parts: frames of the same columns, one at least; together they are the table.
        seconds: that it may take with each.

    Raises:
        duckdb.Error, RuntimeError, MemoryError: it failed, or took longer.
        Exception: what reading the parts raised.
    """
    patience = _Patience(con, seconds)
    table = _Parts(parts, patience)
    con.register("part", table.reader())
    try:
        answer = con.sql(sql, params=dict(values)).to_arrow_table()
    except Failure as error:
        if table.error:
            raise table.error from None
        if isinstance(error, duckdb.InterruptException):
            raise RuntimeError(f"not answered within {seconds:g} seconds") from error
        raise
    finally:
        patience.end()
        con.unregister("part")
    frame = pl.from_arrow(answer)
    assert isinstance(frame, pl.DataFrame)
    return frame


class _Parts:
    """Frames as one stream of Arrow; what went wrong in making them is kept, since DuckDB tells its words alone."""

    def __init__(self, parts: Iterable[pl.DataFrame], patience: _Patience) -> None:
        self._tables = (part.to_arrow() for part in parts)
        self._patience = patience
        self.error: Exception | None = None

    def reader(self) -> pa.RecordBatchReader:
        first = next(self._tables)
        self._patience.again()
        return pa.RecordBatchReader.from_batches(first.schema, self._batches(first))

    def _batches(self, first: pa.Table) -> Iterator[pa.RecordBatch]:
        yield from first.to_batches()
        try:
            for table in self._tables:
                self._patience.again()
                yield from table.cast(first.schema).to_batches()
        except Exception as error:
            self.error = error
            raise


class _Patience:
    """Interrupts what a connection does, some seconds after it was last given something."""

    def __init__(self, con: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self._con, self._seconds = con, seconds
        self._timer: threading.Timer | None = None

    def again(self) -> None:
        self.end()
        self._timer = threading.Timer(self._seconds, self._con.interrupt)
        self._timer.start()

    def end(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer.join()

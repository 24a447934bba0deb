"""JSON texts to columns: each key one column of JSON text, broken rows set aside with a reason.

An escape for half of a surrogate pair, as a text cut within an emoji has it, is read as U+FFFD: others read such rows
(Python's json, jq) and train on them, so they are not to be missing here.
"""

from __future__ import annotations

import re

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from prefaudit.sources.base import NO_SKIPS, Chunk, ask, decoded, large, skips
from prefaudit.sources.lines import Texts

SHORT = 1 << 20  # bytes: where there is any text this short, the longer ones are not asked for their keys
LONG = 16 << 20  # bytes: a row this long may need more memory than there is
HALVES = re.compile(  # of surrogate pairs; whole pairs and escaped backslashes stay
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
OBJECT = "(ltrim(l, ' \t\r\n') like '{%')"


def path(key: str) -> str:
    """A JSON path to a key, as an SQL string."""
    quoted = key.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"'$.\"{quoted}\"'"


def keys(con: duckdb.DuckDBPyConnection, texts: pa.Array) -> list[str]:
    """Keys of JSON objects in order of first sight; texts that are no valid UTF-8 or JSON objects have none."""
    short = texts.filter(pc.less_equal(pc.binary_length(texts), SHORT))
    lines = decoded(con, short if len(short) else texts)
    told = ask(con, pa.table({"l": lines}), "select try(json_keys(l)) k from given")["k"].combine_chunks()
    found = told.flatten().to_pylist()
    if told.null_count:
        again = pa.table({"l": _whole(lines.filter(told.is_null()))})
        found += ask(con, again, "select try(json_keys(l)) k from given")["k"].combine_chunks().flatten().to_pylist()
    return [key for key in dict.fromkeys(found) if key]


def chunk(con: duckdb.DuckDBPyConnection, texts: Texts, columns: list[str], first: int, unit: str) -> Chunk:
    """The chunk of these rows.

    Args:
        con: A connection for our own SQL.
        texts: One JSON text a row.
        columns: Keys to take; a key that a row does not have, null and NaN are null.
        first: Number of the first row in the file.
        unit: What a row is called in a reason: line or element.

    Raises:
        duckdb.OutOfMemoryException: a document needs more memory than the connection has (a line is skipped then).
    """
    try:
        return _parsed(con, texts, columns, first, unit)
    except duckdb.OutOfMemoryException:
        fits = pc.less_equal(pc.binary_length(texts.values), LONG).to_numpy(zero_copy_only=False)
        if fits.all() or unit != "line":
            raise
        bad = skips(first + np.flatnonzero(~fits), texts.line[~fits], f"{unit} needs more memory than is allowed")
        rest = Texts(texts.values.filter(pa.array(fits)), texts.line[fits])
        told = _parsed(con, rest, columns, 0, unit)
        at = first + np.flatnonzero(fits)
        moved = told.skipped.with_columns(row=pl.Series(at[told.skipped["row"].to_numpy()], dtype=pl.Int64))
        skipped = pl.concat([moved, bad]).sort("row")
        return Chunk(told.table, at[told.row], told.line, first, len(texts), skipped)


def _parsed(con: duckdb.DuckDBPyConnection, texts: Texts, columns: list[str], first: int, unit: str) -> Chunk:
    row = np.arange(first, first + len(texts), dtype=np.int64)
    line, skipped = texts.line, NO_SKIPS
    try:
        values = texts.values.cast(pa.large_string())
    except pa.ArrowInvalid:
        values = decoded(con, texts.values)
        good = values.is_valid().to_numpy()
        values = values.drop_null()
        skipped = skips(row[~good], line[~good], f"{unit} is not valid UTF-8")
        row, line = row[good], line[good]
    try:
        table = _extract(con, values, columns)
        good = table["ok"].to_numpy()
    except duckdb.InvalidInputException:
        table, good = None, _valid(con, values)
        mended = _whole(values.filter(pa.array(~good))).cast(values.type)
        values = pc.replace_with_mask(values, pa.array(~good), mended)
        good = _valid(con, values)
        skipped = pl.concat([skipped, skips(row[~good], line[~good], f"{unit} is not valid JSON")])
        values, row, line = values.filter(pa.array(good)), row[good], line[good]
        table = _extract(con, values, columns)
        good = table["ok"].to_numpy()
    if not good.all():
        skipped = pl.concat([skipped, skips(row[~good], line[~good], f"{unit} is not a JSON object")])
        table, row, line = table.filter(pa.array(good)), row[good], line[good]
    taken = {name: table[i + 1] for i, name in enumerate(columns)}
    return Chunk(large(taken, len(row)), row, line, first, len(texts), skipped.sort("row"))


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """JSON texts with \\ufffd for each escape of half a surrogate pair."""
    texts = values.cast(pa.large_binary()).to_pylist()
    mended = [t and HALVES.sub(lambda m: b"\\ufffd" if m[1] else m[0], t) for t in texts]
    return pa.array(mended, pa.large_binary()).cast(pa.large_string())


def _valid(con: duckdb.DuckDBPyConnection, values: pa.Array) -> np.ndarray:
    ok: np.ndarray = ask(con, pa.table({"l": values}), "select json_valid(l) ok from given")["ok"].to_numpy()
    return ok


def _extract(con: duckdb.DuckDBPyConnection, values: pa.Array, columns: list[str]) -> pa.Table:
    """`ok` (it is an object), then one column of JSON text a key. Raises where a text is not JSON."""
    paths = ", ".join(path(c) for c in columns) or "'$'"
    picked = [f"case when x[{i}] not in ('null', 'NaN') then x[{i}] end c{i}" for i in range(1, len(columns) + 1)]
    taken = ", ".join([f"{OBJECT} ok", *picked])
    sql = f"select {taken} from (select l, json_extract(l, [{paths}])::varchar[] x from given)"
    return ask(con, pa.table({"l": values}), sql)

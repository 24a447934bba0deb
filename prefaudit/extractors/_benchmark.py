"""The texts of a benchmark: of every column, and of the pairs where a layout fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit import formats, sources
from prefaudit.core import FormatError, SourceError
from prefaudit.duck import connect
from prefaudit.extractors._sides import last_user

ROWS = 4096
LINES = (".txt", ".text", ".lst")
TEXTS = {"file": pl.String, "row": pl.Int64, "text": pl.String}


def print_of(path: str) -> str:
    """Twelve hex digits of the benchmark's content.

    Raises:
        SourceError: it cannot be read; the message names it.
    """
    if not _is_list(path):
        return sources.open(path).fingerprint
    return hashlib.blake2b(_lines(path).encode(), digest_size=6).hexdigest()


def texts(path: str) -> Iterator[pl.DataFrame]:
    """Frames of `file`, `row` (the source row) and `text`, one row a text.

    Args:
        path: a file, glob, folder or URI in any container, or a plain text file of one prompt a line.

    Raises:
        SourceError: it cannot be read, or holds no text; the message names it.
    """
    if _is_list(path):
        lines = pl.Series("text", [_unquoted(path, line) for line in _lines(path).splitlines()], dtype=pl.String)
        yield pl.select(file=pl.lit(path), row=pl.int_range(len(lines), dtype=pl.Int64), text=lines)
        return
    source = sources.open(path)
    try:
        detected = formats.detect(dict(source.columns), source.sample(1000))
    except FormatError:
        detected = None  # a list of prompts, questions with choices: the columns say enough
    con = connect()
    for part in source.read(ROWS):
        frame = pl.DataFrame(part.table)
        yield from (_column(frame, name, kind) for name, kind in source.columns.items())
        if detected is not None and not detected.layout.regroups:
            pairs, _ = formats.to_pairs(con, detected, part.table, 0)
            place = frame.select(pl.col("source_row").cast(pl.Int64), "file")
            whole = pairs["prompt"].list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n")
            for series in (last_user(pairs["prompt"]), whole, pairs["chosen"], pairs["rejected"]):
                found = pairs.select("source_row").with_columns(text=series).join(place, on="source_row", how="left")
                yield found.select("file", pl.col("source_row").alias("row"), "text").cast(TEXTS).drop_nulls("text")  # type: ignore[arg-type]


def _is_list(path: str) -> bool:
    """Whether a file has one text a line: plain, or JSON strings where the others have objects."""
    if path.lower().endswith(LINES):
        return True
    if not path.lower().endswith((".jsonl", ".ndjson")) or not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b'"')


def _unquoted(path: str, line: str) -> str:
    if path.lower().endswith(LINES) or not line.strip():
        return line
    try:
        value = json.loads(line)
    except ValueError as error:
        raise SourceError(f"{path}: a line is no JSON: {error}", "one JSON string a line") from error
    return value if isinstance(value, str) else ""


def _lines(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}", "a text file in UTF-8, one prompt a line") from error


def _column(frame: pl.DataFrame, name: str, kind: str) -> pl.DataFrame:
    """The texts of one column; of a JSON column every string inside."""
    column = frame.select("file", row=pl.col("source_row").cast(pl.Int64), text=pl.col(name).cast(pl.String))
    column = column.drop_nulls("text")
    if kind == "text":
        return column.cast(TEXTS)  # type: ignore[arg-type]
    column = column.filter(pl.col("text").str.contains('"', literal=True))
    strings = [list(_strings(text)) for text in column["text"]]
    told = column.with_columns(text=pl.Series("text", strings, dtype=pl.List(pl.String)))
    return told.explode("text").drop_nulls("text").cast(TEXTS)  # type: ignore[arg-type]


def _strings(text: str) -> Iterator[str]:
    waiting: list[Any] = [json.loads(text)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value

"""Parts as `sources` gives them, made from lists of dicts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from prefaudit import formats


def part(rows: list[dict[str, Any]], text: bool = False, first: int = 0) -> tuple[dict[str, str], pa.Table]:
    """Rows as a part of JSON columns; with `text`, columns of nothing but strings are text."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    kinds, columns = {}, {}
    for name in names:
        values = [row.get(name) for row in rows]
        plain = text and all(v is None or isinstance(v, str) for v in values)
        kinds[name] = "text" if plain else "json"
        columns[name] = values if plain else [None if v is None else json.dumps(v, ensure_ascii=False) for v in values]
    place = {
        "source_row": pa.array(range(first, first + len(rows)), pa.int64()),
        "file": pa.array(["data.jsonl"] * len(rows), pa.large_string()),
        "line": pa.array(range(first + 1, first + len(rows) + 1), pa.int64()),
    }
    return kinds, pa.table({**place, **{n: pa.array(v, pa.large_string()) for n, v in columns.items()}})


def read(
    rows: list[dict[str, Any]],
    text: bool = False,
    name: str | None = None,
    mapping: dict[str, str] | None = None,
    con: duckdb.DuckDBPyConnection | None = None,
) -> tuple[formats.Detected, pl.DataFrame, pl.DataFrame]:
    """Detect and read rows; every row must be accounted for."""
    con = con or duckdb.connect(config={"threads": 1})
    kinds, table = part(rows, text)
    found = formats.detect(kinds, table, name, mapping)
    tables = list(formats.regroup(con, found, [table])) if found.layout.regroups else [table]
    frames = []
    number = 0
    for one in tables:
        pairs, skipped = formats.to_pairs(con, found, one, number)
        number += pairs.height
        frames.append((pairs, skipped))
    pairs = pl.concat([f[0] for f in frames])
    skipped = pl.concat([f[1] for f in frames])
    assert formats.unaccounted(pairs, skipped, list(range(len(rows)))) == []
    return found, pairs, skipped


def load(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON, JSONL, CSV or Parquet file, perhaps gzipped."""
    if path.name.endswith(".parquet"):
        return pl.read_parquet(path).to_dicts()
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if ".csv" in path.name:
        return pl.read_csv(raw, infer_schema=False).to_dicts()
    text = raw.decode()
    if ".jsonl" in path.name:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    found = json.loads(text)
    return found if isinstance(found, list) else [found]

"""Frames given from Python, told by their module's name so that none of their libraries is imported for it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from prefaudit.core import SourceError


def table(data: Any) -> pa.Table | None:
    """The frame as an Arrow table, None for paths.

    Raises:
        SourceError: it is no kind of frame that is known.
    """
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        return data.to_arrow()
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return data
    library, kind = type(data).__module__.split(".")[0], type(data).__name__
    if library == "pyarrow" and hasattr(data, "to_table"):
        return data.to_table()
    if library == "pandas" and kind == "DataFrame":
        return pa.Table.from_pandas(data, preserve_index=False)
    if library == "datasets":
        return _hub_dataset(data, kind)
    if isinstance(data, str | list | tuple) or hasattr(data, "__fspath__"):
        return None
    raise SourceError(f"cannot read a {type(data).__name__}", "give a path, or a polars, pyarrow or pandas frame")


def _hub_dataset(data: Any, kind: str) -> pa.Table:
    if kind == "Dataset":
        found = data.with_format("arrow")[:]
        return found if isinstance(found, pa.Table) else pa.table(found)
    if isinstance(data, dict) and len(data) == 1:
        return _hub_dataset(next(iter(data.values())), "Dataset")
    if isinstance(data, dict):
        raise SourceError(f"this {kind} has the splits {', '.join(data)}", f"give one, e.g. data[{next(iter(data))!r}]")
    raise SourceError(f"a {kind} has no length and cannot be read twice", "give a Dataset, e.g. Dataset.from_generator")

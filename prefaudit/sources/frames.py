"""Frames given from Python, told by their module's name so that none of their libraries is imported for it.

They are read where they lie, batch by batch: a frame whose library keeps text in another way is put into Arrow a slice
at a time, never whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl
import pyarrow as pa

from prefaudit.core import SourceError


class Rows(Protocol):
    """What is read of a frame; an Arrow table is one."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types."""

    @property
    def num_rows(self) -> int:
        """How many there are."""

    @property
    def nbytes(self) -> int:
        """About how many bytes they are."""

    def slice(self, offset: int, length: int) -> pa.Table:
        """Some of them."""


@dataclass(frozen=True)
class Slices:
    """Rows that become Arrow when they are asked for; `cut` takes an offset and a length."""

    num_rows: int
    nbytes: int
    cut: Callable[[int, int], pa.Table]

    @property
    def schema(self) -> pa.Schema:
        """Names and types."""
        return self.cut(0, 0).schema

    def slice(self, offset: int, length: int) -> pa.Table:
        """Some of them."""
        return self.cut(offset, length)


def rows(data: Any) -> Rows | None:
    """The rows of a frame, None for paths.

    Raises:
        SourceError: it is no kind of frame that is known.
    """
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        return _polars(data)
    library, kind = type(data).__module__.split(".")[0], type(data).__name__
    found: Rows | None = None
    if isinstance(data, pa.Table):
        found = data
    elif isinstance(data, pa.RecordBatch):
        found = pa.Table.from_batches([data])
    elif library == "pyarrow" and hasattr(data, "to_table"):
        found = data.to_table()
    elif library == "pandas" and kind == "DataFrame":
        found = _pandas(data)
    elif library == "datasets":
        found = _hub_dataset(data, kind)
    if found is not None:
        return found
    if isinstance(data, str | list | tuple) or hasattr(data, "__fspath__"):
        return None
    raise SourceError(f"cannot read a {type(data).__name__}", "give a path, or a polars, pyarrow or pandas frame")


def table(data: Any) -> pa.Table | None:
    """The whole frame as an Arrow table, None for paths.

    Raises:
        SourceError: it is no kind of frame that is known.
    """
    found = rows(data)
    return found.slice(0, found.num_rows) if found is not None else None


def _pandas(data: Any) -> pa.Table:
    try:
        return pa.Table.from_pandas(data, preserve_index=False)
    except (ValueError, TypeError) as e:  # several kinds of value in a column, half of a surrogate pair
        raise SourceError(f"the frame cannot be put into Arrow: {e}",
                          "one kind of value a column, and text that UTF-8 can hold") from e  # fmt: skip


def _polars(data: pl.DataFrame) -> Rows:
    """Slices of it, but all at once where columns share a list of values, which each slice would have its own of."""
    if any(word in str(kind) for kind in data.dtypes for word in ("Categorical", "Enum")):
        whole: Rows = data.to_arrow()
        return whole
    return Slices(data.height, int(data.estimated_size()), lambda at, n: data.slice(at, n).to_arrow())


def _hub_dataset(data: Any, kind: str) -> Rows:
    """Its table, mapped from the files it lies in; slices of it where it was filtered, shuffled or selected from."""
    if kind == "Dataset":
        plain, whole = data.with_format("arrow"), data.data
        if data._indices is None:
            mapped: Rows = plain[:]
            return mapped
        return Slices(len(data), whole.nbytes * len(data) // max(whole.num_rows, 1), lambda at, n: plain[at : at + n])
    if isinstance(data, dict) and len(data) == 1:
        return _hub_dataset(next(iter(data.values())), "Dataset")
    if isinstance(data, dict):
        raise SourceError(f"this {kind} has the splits {', '.join(data)}", f"give one, e.g. data[{next(iter(data))!r}]")
    raise SourceError(f"a {kind} has no length and cannot be read twice", "give a Dataset, e.g. Dataset.from_generator")

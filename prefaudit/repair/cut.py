"""What becomes of each source row: stays, goes, or is written anew in some of its columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """The plan of one output, by source row.

    `keep` [rows] says which rows are written. `rows` [k], ascending, are those whose columns change, and `values` is
    a table of k rows with their new values by the source's own column name, mapped from a file: text as it stands for
    a text column, JSON text for the others, null for null. `text` names the text columns. `added` are columns of
    numbers [rows] put beside the source's, NaN for null; one of a name that exists replaces that column.
    `copies` [rows], [rows] say how often each row is written as it was and as changed, in place of once.
    `swaps` names the column whose value a changed column takes in every row of `rows`, so that it can be taken as it
    stands, whatever its type.
    """

    keep: Bools
    rows: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    values: pa.Table = field(default_factory=lambda: pa.table({}))
    text: frozenset[str] = frozenset()
    added: Mapping[str, Floats] = field(default_factory=dict)
    swaps: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[Ints, Ints] | None = None

    @property
    def times(self) -> int:
        """How often one row is written at most."""
        return 1 if self.copies is None else int((self.copies[0] + self.copies[1]).max(initial=1))

    def span(self, first: int, n: int) -> Span:
        """The plan for n rows from `first` on."""
        low, high = np.searchsorted(self.rows, [first, first + n])
        return Span(self, first, n, int(low), int(high))


@dataclass(frozen=True)
class Span:
    """The part of a plan that concerns some consecutive rows."""

    cut: Cut
    first: int
    n: int
    low: int
    high: int

    @property
    def keep(self) -> Bools:
        """Which of the rows are written."""
        return self.cut.keep[self.first : self.first + self.n]

    @property
    def changed(self) -> Ints:
        """Which of the rows change, counted from the span's first, ascending."""
        return self.cut.rows[self.low : self.high] - self.first

    @property
    def whole(self) -> bool:
        """Whether all rows stay as they are."""
        same = self.low == self.high and not self.cut.added and self.cut.copies is None
        return same and bool(self.keep.all())

    def order(self) -> Ints:
        """What is written, in order: numbers of the rows as they were (0 to n - 1) and as changed (from n on)."""
        place = np.arange(self.n)
        changed = np.arange(self.n, self.n + self.high - self.low)
        if self.cut.copies is None:
            place[self.changed] = changed
            return place[self.keep]
        other = place.copy()
        other[self.changed] = changed
        here = slice(self.first, self.first + self.n)
        times = np.column_stack([c[here] * self.keep for c in self.cut.copies])
        return np.repeat(np.column_stack([place, other]).ravel(), times.ravel())

    def base(self, order: Ints) -> Ints:
        """The row behind each entry of `order`."""
        found = order.copy()
        found[order >= self.n] = self.changed[order[order >= self.n] - self.n]
        return found

    def texts(self, column: str) -> list[str | None]:
        """The new values of a column in the rows that change."""
        found: list[str | None] = self.cut.values[column].slice(self.low, self.high - self.low).to_pylist()
        return found

    def edits(self) -> list[dict[str, Any]]:
        """The new values of every row that changes, as Python values."""
        columns = {name: [self.value(name, t) for t in self.texts(name)] for name in self.cut.values.column_names}
        return [{name: column[i] for name, column in columns.items()} for i in range(self.high - self.low)]

    def value(self, column: str, text: str | None) -> Any:
        """A new value as a Python value."""
        return text if text is None or column in self.cut.text else json.loads(text)

    def added(self, column: str) -> Floats:
        """The numbers of an added column in these rows."""
        return self.cut.added[column][self.first : self.first + self.n]

"""Rows written anew: decoded, changed by a move, encoded, and read back before they count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from prefaudit import formats
from prefaudit.duck import connect
from prefaudit.formats import Detected
from prefaudit.repair.cut import Ints
from prefaudit.repair.moves import loads
from prefaudit.scratch import Scratch

OWN = ("source_row", "file", "line", "group_row", "group_size", "group_index")
Said = list[tuple[Any, Any, str]]
"""Pairs of one row in order: hash of chosen, hash of rejected, label."""


@dataclass(frozen=True)
class Edits:
    """Rows that change and their new values: what `Cut` takes, and the pairs that did what was wanted (by pair)."""

    rows: Ints
    values: pa.Table
    text: frozenset[str]
    done: Ints
    held: Any = field(default=None, repr=False)
    swaps: Mapping[str, str] = field(default_factory=dict)


class Rewriter:
    """Collects rewritten rows in a file, so that they do not have to fit into memory.

    Args:
        detected: the layout.
        names: our name of a column to the source's own.
    """

    def __init__(self, detected: Detected, names: Mapping[str, str]) -> None:
        self.detected, self.names = detected, names
        self.con = connect()
        self.columns = [c for c in detected.columns if c not in OWN]
        self._folder = Scratch()
        self._path = Path(self._folder.name) / "rows.arrow"
        self._writer: Any = None
        self._rows: list[int] = []
        self._done: list[Ints] = []

    def decoded(self, table: pa.Table) -> list[dict[str, Any]]:
        """Rows as Python values."""
        rows = table.select(self.columns).to_pylist()
        return [{name: self._value(name, text) for name, text in row.items()} for row in rows]

    def _value(self, name: str, text: str | None) -> Any:
        if text is None or (self.detected.columns[name] == "text" and name not in self.detected.decoded):
            return text
        value = loads(text)
        if self.detected.columns[name] == "json" and name in self.detected.decoded and isinstance(value, str):
            return loads(value)
        return value

    def encoded(self, name: str, value: Any) -> str | None:
        """A value as the sources room would give it."""
        if value is None:
            return None
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if self.detected.columns[name] == "text":
            return text
        return json.dumps(text if name in self.detected.decoded else value, ensure_ascii=False)

    def table(self, table: pa.Table, changes: Sequence[Mapping[str, Any]]) -> pa.Table:
        """The rows of a table with these changes."""
        for name in self.columns:
            if any(name in change for change in changes):
                old = table[name].to_pylist()
                new = [self.encoded(name, c[name]) if name in c else o for c, o in zip(changes, old, strict=True)]
                table = table.set_column(table.schema.get_field_index(name), name, pa.array(new, pa.large_string()))
        return table

    def read(self, table: pa.Table) -> dict[int, Said]:
        """What the layout reads in the rows of a table, by source row."""
        pairs, _ = formats.to_pairs(self.con, self.detected, table, 0)
        found: dict[int, Said] = {}
        for row, *said in pairs.select("source_row", "hash_chosen", "hash_rejected", "label").iter_rows():
            found.setdefault(row, []).append(tuple(said))
        return found

    def accept(self, table: pa.Table, changed: pa.Table, good: Sequence[bool], done: Ints) -> None:
        """Keep the good rows of a changed table; `done` are the pairs they settle."""
        keep = pa.array(list(good), pa.bool_())
        changed = changed.filter(keep)
        self._rows += changed["source_row"].to_pylist()
        self._done.append(done)
        ours = changed.select(self.columns).rename_columns([self.names[c] for c in self.columns])
        ours = ours.cast(pa.schema([(n, pa.large_string()) for n in ours.column_names]))
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), ours.schema)
        self._writer.write_table(ours)

    def finish(self, touched: Iterable[str] | None = None, swaps: Mapping[str, str] | None = None) -> Edits:
        """All that was accepted; only columns in which something changed where `touched` names them.

        `swaps` are the columns (our names) that every accepted row exchanges whole.
        """
        text = frozenset(self.names[c] for c in self.columns if self.detected.columns[c] == "text")
        done = np.sort(np.concatenate(self._done)) if self._done else np.zeros(0, np.int64)
        if self._writer is None:
            return Edits(np.zeros(0, np.int64), pa.table({}), text, done)
        self._writer.close()
        values = pa.ipc.open_file(pa.memory_map(str(self._path))).read_all()
        if touched is not None:
            values = values.select([self.names[c] for c in self.columns if c in set(touched)])
        theirs = {self.names[a]: self.names[b] for a, b in (swaps or {}).items()}
        return Edits(np.asarray(self._rows, np.int64), values, text, done, self._folder, theirs)


def places(answers: Sequence[int]) -> list[tuple[int, int]]:
    """The two answers of each pair of a row of these answers, in the order of the pairs."""
    return list(combinations(answers, 2))


def hashes(frame: pl.DataFrame) -> Said:
    """The pairs of a frame as `Rewriter.read` gives them."""
    return list(frame.select("hash_chosen", "hash_rejected", "label").iter_rows())

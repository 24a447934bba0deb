"""JSON Lines, a JSON array, or one JSON document: every key a column of JSON text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from prefaudit.core import SourceError
from prefaudit.sources import elements, lines
from prefaudit.sources.base import Chunk, Kind, Place
from prefaudit.sources.lines import Texts
from prefaudit.sources.objects import chunk, keys
from prefaudit.sources.streams import Limited, Stream, compression, head

SAMPLE_BYTES = 4 << 20
SPREAD, SPREAD_BYTES = 16, 1 << 18


def container(path: Path, name: str, said: str = "") -> str:
    """`jsonl` or `json`, told from the text: a line that is a whole object and another after it are JSON Lines.

    Args:
        path: A local file.
        name: What messages call it.
        said: What its name says; a file called jsonl is one unless its text is an array or one object over many lines.
    """
    start = lines.without_bom(head(path, name, SAMPLE_BYTES), name).lstrip(elements.SPACE)
    first, _, rest = start.partition(b"\n")
    first, rest = first.strip(elements.SPACE), rest.lstrip(elements.SPACE)
    if start.startswith(b"["):
        return "jsonl" if first.endswith(b"]") and rest.startswith(b"[") else "json"
    if start.startswith(b"{") and said == "jsonl":
        return "json" if first == b"{" and not rest.startswith(b"{") else "jsonl"
    if start.startswith(b"{"):
        return "jsonl" if first.endswith(b"}") and rest.startswith(b"{") else "json"
    return "jsonl"


class JsonReader:
    """One file of JSON rows.

    Args:
        path: A local file, compressed or not.
        con: A connection for our own SQL.
        document: True for an array or one document, False for JSON Lines.
        name: What messages call it.
    """

    def __init__(self, path: Path, con: duckdb.DuckDBPyConnection, document: bool, name: str) -> None:
        """Nothing is read yet."""
        self.path, self.con, self.name = path, con, name
        self.notes: list[str] = []
        self.unit = "element" if document else "line"
        self._texts: Callable[..., Iterator[Texts]] = elements.texts if document else lines.texts
        self._columns: dict[str, Kind] | None = None

    def columns(self) -> dict[str, Kind]:
        """Keys of about a thousand first rows and of rows from over the file, in order of first sight."""
        if self._columns is None:
            found = dict.fromkeys(key for some in self._some(1000) for key in self._keys(some))
            self._columns = dict.fromkeys(found, "json")
        return self._columns

    def count(self) -> int | None:
        """None: only reading tells."""
        return None

    def length(self) -> int:
        """Rows, told by splitting without parsing."""
        with Stream(self.path, self.name) as stream:
            return sum(len(texts) for texts in self._texts(stream, self.name))

    def chunks(self, columns: list[str], start: int = 0) -> Iterator[Chunk]:
        """The rows from `start` on, about 16 MB of text at a time; rows before it are split but not parsed."""
        mine = [c for c in columns if c in self.columns()]
        with Stream(self.path, self.name) as stream:
            for texts in self._texts(stream, self.name, start):
                yield self._chunk(texts, mine, start)
                start += len(texts)

    def divides(self, part_rows: int) -> bool:
        """Whether bytes can be read from anywhere: not where they are compressed, or one document."""
        return self.unit == "line" and not compression(self.path, self.name)

    def places(self, part_rows: int, before: int) -> Iterator[Place]:
        """Where the rows of each part lie, by going through the bytes for the ends of lines."""
        with Stream(self.path, self.name) as stream:
            yield from lines.places(stream, self.name, part_rows, before)

    def piece(self, columns: list[str], place: Place) -> Iterator[Chunk]:
        """The rows of a place."""
        mine, first = [c for c in columns if c in self.columns()], place.first
        with Limited(self.path, place.bytes) as stream:
            for texts in lines.texts(stream, self.name, line=place.line, begins=not place.bytes[0]):
                yield self._chunk(texts, mine, first)
                first += len(texts)

    def told(self, kinds: dict[str, Kind]) -> None:
        """Take its columns from a reader that has looked."""
        self._columns = kinds

    def sample(self, columns: list[str], n: int, seed: int) -> pa.Table:
        """Rows from the beginning, and from over the file where it is not compressed JSON Lines."""
        mine = [c for c in columns if c in self.columns()]
        some = [self._chunk(texts, mine, 0).table for texts in self._some(n)]
        return pa.concat_tables(some) if some else pa.table({c: [] for c in mine})

    def _keys(self, texts: Texts) -> list[str]:
        with self._enough(texts):
            return keys(self.con, texts.values)

    def _chunk(self, texts: Texts, columns: list[str], first: int) -> Chunk:
        with self._enough(texts):
            return chunk(self.con, texts, columns, first, self.unit)

    @contextmanager
    def _enough(self, texts: Texts) -> Iterator[None]:
        try:
            yield
        except duckdb.OutOfMemoryException as e:
            told = f"{self.name}: the JSON text at line {texts.line[0]} needs more memory than is allowed"
            raise SourceError(told, "raise it by --memory") from e

    def _some(self, n: int) -> Iterator[Texts]:
        with Stream(self.path, self.name) as stream:
            spread = not stream.compression and self.unit == "line"
            size = self.path.stat().st_size
            left = n - n // 4 if spread and size > 4 * SAMPLE_BYTES else n
            for texts in self._texts(stream, self.name, size=SAMPLE_BYTES):
                yield Texts(texts.values[:left], texts.line[:left])
                left -= len(texts)
                if left <= 0:
                    break
        if spread and size > 4 * SAMPLE_BYTES:
            yield from self._spread(size, n // 4)

    def _spread(self, size: int, n: int) -> Iterator[Texts]:
        each = max(1, n // SPREAD)
        with self.path.open("rb") as f:
            for offset in np.linspace(SAMPLE_BYTES, size - SPREAD_BYTES, SPREAD).astype(int):
                f.seek(int(offset))
                block = f.read(SPREAD_BYTES)
                whole = block[block.find(b"\n") + 1 : block.rfind(b"\n") + 1]
                for texts in lines.texts(io.BytesIO(whole), self.name):
                    yield Texts(texts.values[:each], texts.line[:each])

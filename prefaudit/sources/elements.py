"""A JSON document to the texts of its rows, streamed: the elements of one array, or whole values one after another.

The structure is found on arrays of positions, not by a parser: quotes that no backslash escapes tell what is inside a
string, brackets outside strings give the depth, and a row ends at a comma at depth 1 (array) or where the depth
returns to 0 (values). An element that is not valid JSON stays an element, so it can be counted; brackets or quotes
that do not close are the document's fault.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from prefaudit.core import SourceError
from prefaudit.sources.lines import Readable, Texts, without_bom
from prefaudit.sources.streams import BLOCK

CLASS = np.zeros(256, np.int8)
CLASS[[ord(c) for c in "[{"]] = 1
CLASS[[ord(c) for c in "]}"]] = 2
CLASS[ord(",")] = 3
CLASS[ord('"')] = 4
DELTA = np.array([0, 1, -1, 0, 0], np.int64)
SPACE = b" \t\r\n"
HINT = "the file may have been cut short: write or download it again"


class Splitter:
    """Cuts blocks of a document at the ends of rows; what is between two blocks is kept."""

    def __init__(self, name: str, array: bool, line: int = 1) -> None:
        self.name, self.array, self.line = name, array, line
        self.depth, self.quoted, self.closed = int(array), False, False
        self.rest: list[bytes] = []  # the beginning of a row that has not ended
        self.opened: int | None = None  # line on which that row begins, once seen

    def feed(self, block: bytes) -> Texts | None:
        """The rows that end in this block, which must not end in a backslash (unless it is the last)."""
        if self.closed:
            self._nothing_after(block)
            return None
        data = np.frombuffer(block, np.uint8)
        at, kind, depth = self._structure(data)
        newlines = np.flatnonzero(data == 10)
        lines = self.line + np.searchsorted(newlines, at)
        over = np.flatnonzero((kind == 2) & (depth == 0))
        ends = over
        if self.array:
            last = int(over[0]) if len(over) else len(at)
            ends = np.append(np.flatnonzero((kind == 3) & (depth == 1))[: None if last == len(at) else last], over[:1])
            ends = ends[ends <= last]
            self.closed = bool(len(over))
        elif len(depth) and depth.min() < 0:
            raise SourceError(
                f"{self.name}: line {lines[np.argmax(depth < 0)]}: a bracket closes that never opened", HINT
            )
        self.line += len(newlines)
        if not len(ends):
            self.rest.append(block)
            if self.opened is None and len(lines):
                self.opened = int(lines[0])
            return None
        if self.closed:
            self._nothing_after(block[int(at[ends[-1]]) + 1 :])
        return self._cut(block, at, lines, ends)

    def _cut(self, block: bytes, at: np.ndarray, lines: np.ndarray, ends: np.ndarray) -> Texts:
        """The rows up to the last end; the bytes after it are kept."""
        cut = int(at[ends[-1]]) + 1
        shift = sum(map(len, self.rest))
        whole = bytearray(b"".join([*self.rest, block[:cut]]))
        stops = at[ends] + 1 + shift
        if self.array:  # the comma or bracket that ends a row is no part of it: white space
            np.frombuffer(whole, np.uint8)[stops - 1] = 32
        line = lines[np.concatenate([[0], ends[:-1] + 1])].astype(np.int64)
        if self.opened is not None:
            line[0] = self.opened
        after = int(ends[-1]) + 1
        self.opened = int(lines[after]) if after < len(lines) else None
        self.rest = [block[cut:]]
        offsets = np.concatenate([[0], stops]).astype(np.int64)
        if self.closed and not whole[offsets[-2] :].strip(SPACE):  # an empty array, or a comma after the last element
            offsets, line = offsets[:-1], line[:-1]
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(bytes(whole))]
        return Texts(pa.Array.from_buffers(pa.large_binary(), len(line), buffers), line)

    def _structure(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions, classes and depths (after) of brackets and commas outside strings."""
        at = np.flatnonzero(CLASS[data])
        kind = CLASS[data[at]]
        quote = kind == 4
        slashes = np.flatnonzero(data == 92)
        if len(slashes):
            run = np.concatenate([[0], np.flatnonzero(np.diff(slashes) != 1) + 1])
            start = np.repeat(slashes[run], np.diff(np.append(run, len(slashes))))
            escaped = np.zeros(len(data) + 1, bool)
            escaped[slashes[(slashes - start) % 2 == 0] + 1] = True
            quote &= ~escaped[at]
        inside = (np.cumsum(quote) + self.quoted) % 2 == 1
        if len(quote):
            self.quoted = bool(inside[-1])
        outside = ~inside & (kind != 4)
        at, kind = at[outside], kind[outside]
        depth = self.depth + np.cumsum(DELTA[kind])
        if len(depth):
            self.depth = int(depth[-1])
        return at, kind, depth

    def _nothing_after(self, tail: bytes) -> None:
        if left := tail.strip(SPACE):
            raise SourceError(f"{self.name}: there is text after the end of the array: {left[:40]!r}", HINT)

    def finish(self) -> None:
        """The document is over.

        Raises:
            SourceError: a string, an object or the array has not ended, or there is text after the last value.
        """
        left = b"".join(self.rest).strip(SPACE)
        if self.closed:
            return
        if self.quoted or self.depth:
            inside = "a string" if self.quoted else "the array" if self.array else "an object"
            raise SourceError(f"{self.name}: ends inside {inside}, at line {self.line} (cut short)", HINT)
        if left:
            raise SourceError(f"{self.name}: line {self.line}: this is not JSON: {left[:40]!r}", HINT)


def texts(stream: Readable, name: str, start: int = 0, size: int = BLOCK) -> Iterator[Texts]:
    """The rows of a document from the `start`-th on: the elements of its array, or its values.

    Raises:
        SourceError: brackets or quotes do not close, or there is text after the end.
    """
    block, body, line = without_bom(stream.read(max(size, 4)), name), b"", 1
    while block and not (body := block.lstrip(SPACE)):
        line, block = line + block.count(b"\n"), stream.read(size)
    line += block[: len(block) - len(body)].count(b"\n")
    array = body.startswith(b"[")
    splitter = Splitter(name, array, line)
    block = body[1:] if array else body
    more = stream.read(size)
    while block or more:
        held = block[len(block.rstrip(b"\\")) :] if more else b""  # an escape is never cut in two
        found = splitter.feed(block[: len(block) - len(held)])
        if found is not None:
            if start < len(found):
                yield found.from_row(start)
            start = max(0, start - len(found))
        block, more = held + more, stream.read(size) if more else b""
    splitter.finish()

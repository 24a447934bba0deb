"""Bytes to lines: one Arrow array a block, no copy of a line, no loop over lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from prefaudit.core import SourceError
from prefaudit.sources.base import Place
from prefaudit.sources.streams import BLOCK

BOM = b"\xef\xbb\xbf"
WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
SOLID = np.ones(256, bool)  # what is no JSON white space
SOLID[[9, 10, 13, 32]] = False


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size: int = -1) -> bytes:
        """The next bytes, fewer than `size` only at the end."""


@dataclass(frozen=True)
class Texts:
    """JSON texts of consecutive rows: `values` large_binary [n], `line` the 1-based line each starts on, int64 [n]."""

    values: pa.LargeBinaryArray
    line: np.ndarray

    def __len__(self) -> int:
        return len(self.line)

    def from_row(self, n: int) -> Texts:
        """All but the first n."""
        return Texts(self.values[n:], self.line[n:])


def without_bom(block: bytes, name: str) -> bytes:
    """The first block without a UTF-8 byte order mark.

    Raises:
        SourceError: the text is UTF-16.
    """
    if block.startswith(WIDE_BOMS):
        raise SourceError(f"{name}: the text is UTF-16, not UTF-8", "save it as UTF-8, e.g. iconv -f utf-16 -t utf-8")
    return block[3:] if block.startswith(BOM) else block


def whole_lines(stream: Readable, name: str, size: int = BLOCK, begins: bool = True) -> Iterator[bytes]:
    """Blocks that end at a line's end; a line longer than a block is brought together once, at its end."""
    rest: list[bytes] = []
    first = begins
    while block := stream.read(size):
        if first:
            block, first = without_bom(block, name), False
        cut = block.rfind(b"\n") + 1
        if not cut:
            rest.append(block)
            continue
        yield b"".join([*rest, block[:cut]])
        rest = [block[cut:]]
    last = b"".join(rest)
    if last:
        yield last


def bounds(block: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Where the lines of a block begin and the last ends (n + 1), and which of them are not blank; None for all."""
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == 10) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    offsets = np.concatenate([np.zeros(1, np.int64), ends.astype(np.int64)])
    if (data[offsets[:-1]] <= 32).any():
        full = np.logical_or.reduceat(SOLID[data], offsets[:-1])
        if not full.all():
            return offsets, full
    return offsets, None


def split(block: bytes, first_line: int) -> tuple[Texts, int]:
    """The lines of a block that are not blank, and how many lines there are with the blank ones."""
    offsets, full = bounds(block)
    n = len(offsets) - 1
    values = pa.Array.from_buffers(pa.large_binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(block)])
    line = np.arange(first_line, first_line + n, dtype=np.int64)
    if full is not None:
        values, line = values.filter(pa.array(full)), line[full]
    return Texts(values, line), n


def texts(stream: Readable, name: str, start: int = 0, size: int = BLOCK, line: int = 1,
          begins: bool = True) -> Iterator[Texts]:  # fmt: skip
    """The lines that are not blank, from the `start`-th of them on.

    Args:
        stream: gives the bytes.
        name: what messages call the file.
        start: rows to leave out.
        size: bytes read at a time.
        line: number of the first line.
        begins: whether the stream begins where the file does, where a byte order mark may stand.
    """
    for block in whole_lines(stream, name, size, begins):
        found, n = split(block, line)
        line += n
        if start < len(found):
            yield found.from_row(start)
        start = max(0, start - len(found))


def places(stream: Readable, name: str, part_rows: int, before: int) -> Iterator[Place]:
    """Where runs of rows lie, cut where `before` plus the number of the row is a multiple of part_rows."""
    first = row = 0  # of the place that is open; that comes next
    begin, at, line, opened = 0, 0, 1, 1
    for block in whole_lines(stream, name, begins=False):
        if not at and block.startswith(BOM):
            block, at = block[len(BOM) :], len(BOM)
        offsets, full = bounds(block)
        filled = np.arange(len(offsets) - 1) if full is None else np.flatnonzero(full)
        last = row + len(filled)
        cut = row + (-(before + row)) % part_rows
        cut = cut + part_rows if cut == first else cut
        while cut < last:
            k = int(filled[cut - row])
            here = at + int(offsets[k])
            yield Place(first, cut - first, (begin, here), opened)
            first, begin, opened = cut, here, line + k
            cut += part_rows
        row, at, line = last, at + len(block), line + len(offsets) - 1
    if row > first:
        yield Place(first, row - first, (begin, at), opened)

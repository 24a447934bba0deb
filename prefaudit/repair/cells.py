"""CSV and TSV: the bytes of every row that stays, cut at the lines where the reader found rows to begin."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from prefaudit import duck
from prefaudit.core import SourceError
from prefaudit.repair.cut import Cut, Span
from prefaudit.sources.delimited import CsvReader
from prefaudit.sources.opening import READERS
from prefaudit.sources.streams import BLOCK, Stream


class Cutter:
    """The bytes of a file, taken up to the beginning of a line."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.line, self.ended = stream, 1, False
        self.held = b""

    def upto(self, wanted: np.ndarray) -> tuple[bytes, np.ndarray]:
        """The bytes from here to the beginning of the last of these lines, and where in them each line begins.

        Raises:
            EOFError: the file has fewer lines.
        """
        last = int(wanted[-1])
        pieces = [self.held]
        found = self.held.count(b"\n")
        while found < last - self.line:
            block = self.stream.read(BLOCK)
            if not block:
                raise EOFError
            pieces.append(block)
            found += block.count(b"\n")
        data = b"".join(pieces)
        begins = np.append(0, np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1)
        at = begins[wanted - self.line]
        self.held, self.line = data[int(at[-1]) :], last
        return data[: int(at[-1])], at

    def rest(self) -> bytes:
        """All that is left."""
        data = b"".join([self.held, *iter(lambda: self.stream.read(BLOCK), b"")])
        self.held = b""
        return data


def copy_cells(path: Path, name: str, kind: str, out: BinaryIO, cut: Cut, first: int, header: bool = True) -> int:
    """Write the header and the rows of one file that stay; a blank line goes with the row before it.

    Args:
        path: the file.
        name: what messages call it.
        kind: csv or tsv.
        out: where to.
        cut: the plan.
        first: source row of the file's first row.
        header: whether to write the header.

    Returns:
        The source row after the file's last one.

    Raises:
        SourceError: rows do not begin at lines that end in a newline.
    """
    reader = READERS[kind](path, duck.connect(threads=1), name)
    assert isinstance(reader, CsvReader)
    writer = _Rows(reader, cut)
    with Stream(path, name) as stream:
        cutter, row, begun = Cutter(stream), first, False
        try:
            for line in _starts(reader):
                data, at = cutter.upto(line)
                if not begun:
                    out.write(writer.header(data[: int(at[0])]) if header else b"")
                    begun = True
                    bounds = at
                else:
                    bounds = np.append(0, at)
                out.write(writer.rows(data, bounds, row))
                row += len(bounds) - 1
        except EOFError as e:
            raise SourceError(
                f"{name}: its rows do not end in newlines, so it cannot be cut into rows",
                "save it with ordinary line ends (LF or CRLF)",
            ) from e
        last = cutter.rest()
        if not begun:
            out.write(writer.header(last) if header else b"")
            return row
        last = writer.rows(last, np.array([0, len(last)]), row)
        out.write(last)
        if last and not last.endswith(b"\n") and row + 1 < len(cut.keep):
            out.write(b"\n")
    return row + 1


def _starts(reader: CsvReader) -> Iterator[np.ndarray]:
    """The lines on which rows begin, some at a time."""
    for chunk in reader.chunks([]):
        row = np.append(chunk.row, chunk.skipped["row"].to_numpy())
        line = np.append(chunk.line, chunk.skipped["line"].to_numpy())
        if len(row):
            yield line[np.argsort(row, kind="stable")]


class _Rows:
    """Rows of bytes to rows of bytes."""

    def __init__(self, reader: CsvReader, cut: Cut) -> None:
        self.reader, self.cut = reader, cut
        self.end = "\n"

    def header(self, data: bytes) -> bytes:
        """The header with the names of added columns; what stands before it too."""
        self.end = "\r\n" if data.endswith(b"\r\n") else "\n"
        new = [name for name in self.cut.added if name not in self.reader.names]
        if not new:
            return data
        end = len(data) - len(data.rstrip(b"\r\n"))
        body = data[: len(data) - end]
        return body + b"".join(f"{self.reader.delimiter}{name}".encode() for name in new) + (data[len(body) :] or b"\n")

    def rows(self, data: bytes, bounds: np.ndarray, first: int) -> bytes:
        """The rows that stay among those that these bounds cut, as they were or written anew."""
        span = self.cut.span(first, len(bounds) - 1)
        if span.whole:
            return data[int(bounds[0]) : int(bounds[-1])]
        texts = {name: span.texts(name) for name in self.cut.values.column_names}
        edits = {row: {name: column[i] or "" for name, column in texts.items()} for i, row in
                 enumerate(span.changed.tolist())}  # fmt: skip
        names = list(self.cut.added)
        pieces = []
        keep = span.keep
        if self.cut.copies is not None:
            return self._copies(data, bounds, span, edits)
        if not edits and not names:
            edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]]).astype(np.int8)))
            return b"".join(data[bounds[a] : bounds[b]] for a, b in zip(edges[::2], edges[1::2], strict=True))
        for row in np.flatnonzero(keep).tolist():
            piece = data[int(bounds[row]) : int(bounds[row + 1])]
            pieces.append(self._row(piece, span, row, edits.get(row, {})) if names or row in edits else piece)
        return b"".join(pieces)

    def _copies(self, data: bytes, bounds: np.ndarray, span: Span, edits: dict[int, dict[str, str]]) -> bytes:
        pieces = []
        order = span.order()
        for at, row in zip(order.tolist(), span.base(order).tolist(), strict=True):
            piece = data[int(bounds[row]) : int(bounds[row + 1])]
            piece = piece if at == row else self._row(piece, span, row, edits[row])
            pieces.append(piece if piece.endswith(b"\n") else piece + self.end.encode())
        return b"".join(pieces)

    def _row(self, piece: bytes, span: Span, row: int, edit: dict[str, str]) -> bytes:
        names = self.reader.names
        cells = next(csv.reader(io.StringIO(piece.decode(), newline=""), delimiter=self.reader.delimiter))
        values = dict(zip(names, cells, strict=True)) | edit
        for name in self.cut.added:
            number = float(span.added(name)[row])
            values[name] = "" if number != number else repr(number)
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.reader.delimiter, lineterminator=self.end).writerow(values.values())
        blank = len(piece) - len(piece.rstrip(b"\r\n"))
        said = text.getvalue().encode()
        return said if blank else said.rstrip(b"\r\n")

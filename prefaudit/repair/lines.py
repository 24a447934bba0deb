"""JSON Lines and JSON arrays: every row that stays has the bytes it had."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from prefaudit.repair.cut import Cut, Span
from prefaudit.sources import elements, lines
from prefaudit.sources.streams import Stream, head

SPACE = b" \t\r\n"


def copy_lines(path: Path, name: str, out: BinaryIO, cut: Cut, first: int) -> int:
    """Write the rows of one JSON Lines file that stay; blank lines are no rows and are left out.

    Args:
        path: the file.
        name: what messages call it.
        out: where to.
        cut: the plan.
        first: source row of the file's first row.

    Returns:
        The source row after the file's last one.
    """
    ended = True
    with Stream(path, name) as stream:
        if head(path, name, 3) == lines.BOM and first == 0:
            out.write(lines.BOM)
        for texts in lines.texts(stream, name):
            span = cut.span(first, len(texts))
            data = _bytes(_kept(texts.values if cut.copies is None else _ended(texts.values), span))
            if len(data):
                if not ended:
                    out.write(b"\n")
                out.write(data)
                ended = bytes(data[-1:]) == b"\n"
            first += len(texts)
    if not ended and first < len(cut.keep):
        out.write(b"\n")
    return first


def copy_elements(path: Path, name: str, out: BinaryIO, cut: Cut, first: int) -> int:
    """Write the elements of a JSON array, or the values of a document, that stay; see `copy_lines`."""
    start = head(path, name, 1 << 12)
    bom = start.startswith(lines.BOM)
    array = start[3 if bom else 0 :].lstrip(SPACE).startswith(b"[")
    out.write((lines.BOM if bom else b"") + (b"[" if array else b""))
    tail, some = b"", False
    with Stream(path, name) as stream:
        watched = Watched(stream)
        for texts in elements.texts(watched, name):
            span = cut.span(first, len(texts))
            kept = _kept(texts.values, span).to_pylist()
            if not array:
                out.write(b"".join(kept))
            elif kept:
                out.write((b"," if some else b"") + b",".join(value.rstrip(SPACE) for value in kept))
                some = True
            last = texts.values[len(texts) - 1].as_py()
            tail = last[len(last.rstrip(SPACE)) : -1] if array else b""
            first += len(texts)
    if array:
        out.write(tail + b"]" + watched.last[len(watched.last.rstrip(SPACE)) :])
    return first


class Watched:
    """A stream whose last bytes are remembered."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.last = stream, b""

    def read(self, size: int = -1) -> bytes:
        """As the stream does."""
        data = self.stream.read(size)
        self.last = (self.last + data[-64:])[-64:]
        return data


def _kept(values: pa.LargeBinaryArray, span: Span) -> pa.LargeBinaryArray:
    if span.whole:
        return values
    if span.cut.added:
        values = _with_added(values, span)
    elif span.low < span.high or span.cut.copies is not None:
        new = pa.array(list(_rewritten(values, span)), pa.large_binary())
        return pa.concat_arrays([values, new]).take(pa.array(span.order()))
    return values.filter(pa.array(span.keep))


def _ended(values: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """The lines, the last of them with the end that the last line of a file may lack."""
    last = values[len(values) - 1].as_py() if len(values) else b"\n"
    if last.endswith(b"\n"):
        return values
    return pa.concat_arrays([values.slice(0, len(values) - 1), pa.array([last + b"\n"], pa.large_binary())])


def _bytes(values: pa.LargeBinaryArray) -> memoryview:
    """The values one after another, without a copy."""
    if not len(values):
        return memoryview(b"")
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    return memoryview(data)[int(ends[0]) : int(ends[-1])]


def _rewritten(values: pa.LargeBinaryArray, span: Span) -> Iterator[bytes]:
    for row, edit in zip(span.changed.tolist(), span.edits(), strict=True):
        yield rewritten(values[row].as_py(), edit, span.cut.swaps)


def _with_added(values: pa.LargeBinaryArray, span: Span) -> pa.LargeBinaryArray:
    """Rows with numbers put at their end, or in place of those they have."""
    edits = dict(zip(span.changed.tolist(), span.edits(), strict=True))
    columns = {name: span.added(name).tolist() for name in span.cut.added}
    new: list[bytes | None] = []
    for row, keep in enumerate(span.keep.tolist()):
        if not keep:
            new.append(b"")
            continue
        numbers = {name: None if column[row] != column[row] else column[row] for name, column in columns.items()}
        swaps = span.cut.swaps if row in edits else {}
        new.append(rewritten(values[row].as_py(), {**edits.get(row, {}), **numbers}, swaps))
    return pa.array(new, pa.large_binary())


def rewritten(text: bytes, edits: dict[str, Any], swaps: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A JSON object with other values for some keys, written the way it was: key order, spacing, escapes, line end.

    A key of `swaps` takes the value of another key as this text has it.
    """
    body = text.strip(SPACE)
    lead = text[: len(text) - len(text.lstrip(SPACE))]
    row = json.loads(body)
    row.update({**edits, **{a: row[b] for a, b in swaps.items() if b in row and a in edits}})
    inner = body[1:].lstrip(SPACE)
    indented = b"\n" in body[1 : len(body) - len(inner)]
    indent = len(body[1 : len(body) - len(inner)].rsplit(b"\n", 1)[-1]) if indented else None
    base = lead.rsplit(b"\n", 1)[-1] if indented else b""
    step = (indent or 0) - len(base)
    spaced = b'": ' in body or not row
    colons = (": " if spaced else ":",)
    separators = ("," if indented else ", " if spaced else ",", *colons)
    ascii_only = body.isascii()
    try:
        said = json.dumps(
            row, ensure_ascii=ascii_only, separators=separators, indent=step if step > 0 else None
        ).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can say
        said = json.dumps(row, ensure_ascii=True, separators=separators, indent=step if step > 0 else None).encode()
    if indented and base:
        said = said.replace(b"\n", b"\n" + base)
    return lead + said + text[len(text.rstrip(SPACE)) :]

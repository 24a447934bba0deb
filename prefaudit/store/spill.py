"""Numbers kept on disk, in the order they came, and read back a block or a range of keys at a time."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from prefaudit.core import AuditError

Ints = NDArray[np.integer[Any]]

BLOCK = 1 << 19  # numbers read at a time
RANGE = 1 << 18  # keys that are sorted at a time, on average
GAP = 256  # numbers between two runs that are read rather than passed over
HELD = 1 << 22  # numbers of runs beside each other that are held


def release() -> None:
    """Give memory that was freed back to the system: Arrow keeps it, and glibc what lies between pieces in use."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


class Column:
    """A growing array in a file without a name, which is gone with the process.

    Args:
        kind: of the numbers.
        arrays: what it holds at first.
    """

    def __init__(self, kind: Any, arrays: Iterable[NDArray[Any]] = ()) -> None:
        self.kind = np.dtype(kind)
        self.size = 0
        self._file = tempfile.TemporaryFile(prefix="prefaudit-", buffering=0)  # noqa: SIM115 it lives as long as this
        for array in arrays:
            self.add(array)

    def __len__(self) -> int:
        return self.size

    def add(self, array: NDArray[Any]) -> None:
        """Put numbers behind those that are there.

        Raises:
            AuditError: the disk of the temporary folder is full.
        """
        self.put(self.size, array)

    def put(self, at: int, array: NDArray[Any]) -> None:
        """Put numbers at a place, there or behind what is there.

        Raises:
            AuditError: the disk of the temporary folder is full.
        """
        data = memoryview(np.ascontiguousarray(array, self.kind).view(np.uint8).data)
        try:
            self._file.seek(at * self.kind.itemsize)
            while len(data):
                data = data[self._file.write(data) :]
        except OSError as error:
            hint = "free some space there, or name another folder in TMPDIR; a rerun goes on"
            raise AuditError(f"cannot write a temporary file in {tempfile.gettempdir()}: {error}", hint) from error
        self.size = max(self.size, at + len(array))

    def read(self, low: int, high: int) -> NDArray[Any]:
        """The numbers from `low` to before `high`."""
        out = np.empty(max(0, high - low), self.kind)
        data = memoryview(out.view(np.uint8).data)
        self._file.seek(low * self.kind.itemsize)
        while len(data):
            got = self._file.readinto(data)
            if not got:
                raise OSError("a temporary file was cut short")
            data = data[got:]
        return out

    def blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Runs of numbers, each with the place of its first."""
        for low in range(0, self.size, BLOCK):
            yield low, self.read(low, min(low + BLOCK, self.size))

    def take(self, places: Ints) -> NDArray[Any]:
        """The numbers at these places (ascending)."""
        out = np.empty(len(places), self.kind)
        at = 0
        while at < len(places):
            low = int(places[at])
            end = int(np.searchsorted(places, low + BLOCK))
            out[at:end] = self.read(low, int(places[end - 1]) + 1)[places[at:end] - low]
            at = end
        return out

    def gather(self, starts: Ints, sizes: Ints) -> NDArray[Any]:
        """Runs of numbers, one after the other: where each begins (ascending, none within another), and how long."""
        ends, width = starts + sizes, self.kind.itemsize
        begins = np.flatnonzero(np.append(True, starts[1:] - ends[:-1] > GAP)) if len(starts) else np.zeros(0, np.int64)
        first, last = starts[begins], ends[np.append(begins[1:], len(ends))[: len(begins)] - 1]
        spans = zip((first * width).tolist(), ((last - first) * width).tolist(), strict=True)
        held = np.frombuffer(b"".join([os.pread(self._file.fileno(), n, at) for at, n in spans]), self.kind)
        if len(held) != (last - first).sum():
            raise OSError("a temporary file was cut short")
        before = np.cumsum(last - first) - (last - first)  # of each span, among what was read
        here = np.repeat(before - first, np.diff(np.append(begins, len(starts)))) + starts
        return _runs(held, here, sizes)

    def where(self, keep: NDArray[np.bool_]) -> Column:
        """Those that are to be kept, as a column of their own."""
        return Column(self.kind, (block[keep[low : low + len(block)]] for low, block in self.blocks()))


def _runs(numbers: NDArray[Any], starts: Ints, sizes: Ints) -> NDArray[Any]:
    ends = np.cumsum(sizes)
    return np.asarray(numbers[np.arange(int(sizes.sum())) + np.repeat(starts - ends + sizes, sizes)])


class Runs:
    """Runs of 32-bit numbers on disk, one a text."""

    def __init__(self) -> None:
        self._held, self._ends = Column(np.uint32), [np.zeros(1, np.int64)]
        self._first, self._near = 0, np.zeros(0, np.uint32)

    def add(self, numbers: NDArray[Any], sizes: Ints) -> None:
        """Those of some texts more, one after the other."""
        self._ends.append(len(self._held) + np.cumsum(sizes, dtype=np.int64))
        self._held.add(numbers)

    def sizes(self, texts: Ints) -> Ints:
        """How many some texts have."""
        ends = self._all()
        return np.asarray(ends[texts + 1] - ends[texts])

    def near(self, texts: Ints) -> Iterator[slice]:
        """Slices of some texts (ascending): what lies from the first to the last of one is held while it is in turn."""
        starts, ends = self._all()[texts], self._all()[texts + 1]
        at = 0
        while at < len(texts):
            stop = max(at + 1, int(np.searchsorted(ends, starts[at] + HELD, side="right")))
            self._first, self._near = int(starts[at]), self._held.read(int(starts[at]), int(ends[stop - 1]))
            yield slice(at, stop)
            at = stop
        self._near = self._near[:0]

    def read(self, texts: Ints) -> tuple[NDArray[Any], Ints]:
        """Those of some texts (ascending), one after the other, and how many each has."""
        sizes, starts = self.sizes(texts), self._all()[texts]
        low = int(np.searchsorted(starts, self._first))
        high = max(low, int(np.searchsorted(starts + sizes, self._first + len(self._near), side="right")))
        found = [self._held.gather(starts[:low], sizes[:low]),
                 _runs(self._near, starts[low:high] - self._first, sizes[low:high]),
                 self._held.gather(starts[high:], sizes[high:])]  # fmt: skip
        return np.concatenate(found), sizes

    def _all(self) -> Ints:
        if len(self._ends) > 1:
            self._ends = [np.concatenate(self._ends)]
        return self._ends[0]


def ranges(key: Column, *beside: Column, top: int = 0) -> Iterator[tuple[Ints, Sequence[NDArray[Any]]]]:
    """All keys that are not 0, a range of them at a time: those that are equal come together.

    They are put on disk range by range first, so that the column is read twice however many ranges there are.

    Args:
        key: unsigned numbers, spread about evenly under `top`.
        beside: columns of the same length.
        top: none is as high; 0 for what the type can hold.

    Yields:
        Places (ascending); the keys, and what stands beside them.
    """
    top = top or 1 << (8 * key.kind.itemsize)
    count = max(1, -(-len(key) // RANGE))

    def range_of(block: NDArray[Any]) -> Ints:
        """From 1 on; 0 for a key of 0."""
        found = np.minimum(block * (count / top), count - 1).astype(np.uint16) + np.uint16(1)
        found[block == 0] = 0
        return np.asarray(found)

    sizes = np.zeros(count + 1, np.int64)
    for _, block in key.blocks():
        sizes += np.bincount(range_of(block), minlength=count + 1)
    sizes = sizes[1:]
    ends = np.cumsum(sizes)
    columns = [Column(np.int32 if len(key) < 1 << 31 else np.int64), *(Column(c.kind) for c in (key, *beside))]
    at = ends - sizes
    for (first, block), *others in zip(key.blocks(), *(c.blocks() for c in beside), strict=True):
        found = range_of(block)
        order = np.argsort(found, kind="stable")
        stops = np.cumsum(np.bincount(found, minlength=count + 1))
        values = [order + first, *(one[order] for one in (block, *(b for _, b in others)))]
        for k in np.flatnonzero(np.diff(stops)).tolist():
            for column, value in zip(columns, values, strict=True):
                column.put(int(at[k]), value[stops[k] : stops[k + 1]])
        at += np.diff(stops)
    for k in range(count):
        places, *keys = (column.read(int(ends[k] - sizes[k]), int(ends[k])) for column in columns)
        yield places, keys


def repeated(key: Column) -> NDArray[np.bool_]:
    """Of n keys, which are another one's too; 0 is none."""
    found = np.zeros(len(key), bool)
    for places, (keys,) in ranges(key):
        order = np.argsort(keys)
        same = keys[order][1:] == keys[order][:-1]
        found[places[order[1:][same]]] = found[places[order[:-1][same]]] = True
    return found

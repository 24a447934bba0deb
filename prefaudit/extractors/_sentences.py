"""The sentences of a column of texts, found in its bytes; only those asked for are ever made into strings."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from prefaudit.extractors._flat import NEWLINE, SPACE, Bytes, Flat, Ints

BLOCK = 1 << 18  # bytes looked at together
CLOSERS = np.zeros(256, bool)  # what may follow a full stop that ends a sentence; else it is a number or a name
CLOSERS[: SPACE + 1] = True
CLOSERS[list(b"\"')]*_!?.")] = True
CLOSERS[0xE2] = True  # a curly quote or a dash


def _stops(data: Bytes, end: int) -> Ints:
    found = []
    for at in range(0, end, BLOCK):
        block = data[at : min(at + BLOCK, end)]
        stop = block == NEWLINE
        for byte in b".!?":
            stop |= block == byte
        found.append(np.flatnonzero(stop) + at)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


class Sentences:
    """Every sentence has a number; it ends at . ! ? before a space, a quote or a bracket, or at a line's end."""

    def __init__(self, flat: Flat) -> None:
        """Find the ends of all sentences; O(bytes).

        Args:
            flat: n texts, each after one line feed.
        """
        end = int(flat.starts[-1])
        stops = _stops(flat.data, end)
        stops = stops[CLOSERS[flat.data[stops + 1]] | (flat.data[stops] == NEWLINE)]
        self.ends: Ints = np.append(stops, end)
        self.flat = flat

    def at(self, places: Ints) -> Ints:
        """The numbers of the sentences in which these bytes stand."""
        return np.searchsorted(self.ends, places) - 1

    def text(self, numbers: Ints) -> Ints:
        """The index of the text of each sentence."""
        return np.searchsorted(self.flat.starts, self.ends[numbers], side="right") - 1

    def strings(self, numbers: Ints) -> pl.Series:
        """These sentences with their last mark, as they stand."""
        offsets = pa.py_buffer(np.ascontiguousarray(self.ends + 1))
        every = pa.LargeStringArray.from_buffers(len(self.ends) - 1, offsets, pa.py_buffer(self.flat.data))
        made = pl.from_arrow(every.take(pa.array(numbers)))
        return pl.Series("sentence", made, pl.String)

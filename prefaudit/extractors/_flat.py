"""A column of texts as one array of bytes, so that a count costs a few vector operations and no loop over rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

NEWLINE, SPACE, TAB, RETURN = 10, 32, 9, 13
MARGIN = 64  # bytes after the last text, so that looking ahead never leaves the array


class Flat:
    """n texts, each after one line feed, in one array: a text's first line starts like any other line.

    Attributes:
        data: the bytes (uint8), `MARGIN` line feeds at the end.
        starts: n + 1 positions; text i is `data[starts[i] + 1 : starts[i + 1]]`.
    """

    def __init__(self, texts: pl.Series) -> None:
        """Lay the texts (String, no null) out; costs one copy of them."""
        n = len(texts)
        rows = pl.concat([("\n" + texts).cast(pl.String), pl.Series(["\n" * MARGIN])]).rechunk()
        _, offsets, data = rows.to_arrow().buffers()
        self.data: Bytes = np.frombuffer(data, np.uint8)
        self.starts: Ints = np.frombuffer(offsets, np.int64)[: n + 1]
        self.n = n

    def total(self, mask: Mask) -> Ints:
        """How often a mask over the bytes is true in each text, by population counts of 64 bytes at a time."""
        packed = np.packbits(mask, bitorder="little")
        words = np.zeros(len(packed) // 8 + 2, "<u8")
        words.view(np.uint8)[: len(packed)] = packed
        before = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.bitwise_count(words), out=before[1:])
        word, bit = self.starts >> 6, (self.starts & 63).astype(np.uint64)
        head = words[word] & ((np.uint64(1) << bit) - np.uint64(1))
        total: Ints = np.diff(before[word] + np.bitwise_count(head))
        return total

    def count(self, positions: Ints) -> Ints:
        """How many of the sorted positions lie in each text."""
        return np.diff(np.searchsorted(positions, self.starts))

    def find(self, byte: int) -> Ints:
        """The positions of a byte in all texts, the line feed that precedes each text included."""
        return np.flatnonzero(self.data[: self.starts[-1]] == byte)


def words(flat: Flat) -> Ints:
    """Runs of bytes above the space: whitespace-separated tokens of each text."""
    white = flat.data <= SPACE
    begins = np.greater(white[:-1], white[1:])
    return flat.total(begins)


def is_word(byte: Any) -> Mask:
    """Letters, digits, underscore, and every byte of a character outside ASCII."""
    lower = byte | 32
    mask: Mask = ((lower >= 97) & (lower <= 122)) | ((byte >= 48) & (byte <= 57)) | (byte == 95) | (byte >= 128)
    return mask

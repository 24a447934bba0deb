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
BLOCK = 1 << 20  # bytes looked at together: temporary arrays stay in the cache
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

    def word_starts(self) -> Ints:
        """Runs of bytes above the space in each text: its whitespace-separated tokens.

        One bit a byte where a run begins, then population counts of 64 bits at a time.
        """
        end = int(self.starts[-1])
        words = np.zeros(end // 64 + 2, "<u8")
        bits = words.view(np.uint8)
        for at in range(0, end, BLOCK):
            white = self.data[at : min(at + BLOCK, end) + 1] <= SPACE
            packed = np.packbits(np.greater(white[:-1], white[1:]), bitorder="little")
            bits[at // 8 : at // 8 + len(packed)] = packed
        return self._bits(words)

    def total(self, mask: Mask) -> Ints:
        """How often a mask over the bytes is true in each text."""
        packed = np.packbits(mask, bitorder="little")
        words = np.zeros(len(packed) // 8 + 2, "<u8")
        words.view(np.uint8)[: len(packed)] = packed
        return self._bits(words)

    def _bits(self, words: npt.NDArray[np.uint64]) -> Ints:
        """How many bits are set between the starts of the texts, bit i of the words being byte i of the data."""
        before = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.bitwise_count(words), out=before[1:])
        word, bit = self.starts >> 6, (self.starts & 63).astype(np.uint64)
        head = words[word] & ((np.uint64(1) << bit) - np.uint64(1))
        counts: Ints = np.diff(before[word] + np.bitwise_count(head))
        return counts

    def count(self, positions: Ints) -> Ints:
        """How many of the sorted positions lie in each text."""
        return np.diff(np.searchsorted(positions, self.starts))

    def find(self, byte: int) -> Ints:
        """The positions of a byte in all texts, the line feed that precedes each text included."""
        end = int(self.starts[-1])
        blocks = [np.flatnonzero(self.data[at : min(at + BLOCK, end)] == byte) + at for at in range(0, end, BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int64)


def is_word(byte: Any) -> Mask:
    """Letters, digits, underscore, and every byte of a character outside ASCII."""
    lower = byte | 32
    mask: Mask = ((lower >= 97) & (lower <= 122)) | ((byte >= 48) & (byte <= 57)) | (byte == 95) | (byte >= 128)
    return mask

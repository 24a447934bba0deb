"""Find cue words in a column of texts: one pass of an automaton, then a look at the bytes around each hit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from prefaudit.extractors._flat import Bytes, Flat, Ints, Mask, is_word

MOST = 100  # up to here the automaton is a dense table; with one cue more the pass was measured 5 times slower
KEY = 4  # bytes that sort a hit to the few cues it can be
LOWER = np.arange(256, dtype=np.uint8)
LOWER[65:91] += 32


class Cues:
    """At most `MOST` cues in one Aho-Corasick automaton: any case, the longest at a place, from a word's beginning.

    A cue that ends in `*` is the beginning of a word; any other ends where a word ends.
    """

    def __init__(self, cues: Sequence[str]) -> None:
        """Sort the cues.

        Args:
            cues: lower-case ASCII, at least `KEY` bytes or followed by a word's end.

        Raises:
            ValueError: too many, or one stands twice.
        """
        if len(set(cues)) != len(cues):
            raise ValueError("a cue stands twice")
        if len(cues) > MOST:
            raise ValueError(f"{len(cues)} cues, at most {MOST}")
        self.cues = sorted(cues, key=lambda cue: (-len(cue.rstrip("*")), cue))
        self.plain = [cue.rstrip("*") for cue in self.cues]
        self.sizes = np.array([len(cue) for cue in self.plain])
        self.open = np.array([cue.endswith("*") for cue in self.cues])
        self.inner = np.array([not bool(is_word(np.uint8(ord(cue[0])))) for cue in self.plain])

    def hits(self, texts: pl.Series, flat: Flat) -> tuple[Ints, Ints]:
        """Where which cue stands.

        Args:
            texts: n texts, straight apostrophes.
            flat: the same texts as bytes.

        Returns:
            The places in `flat.data`, in order, and the number of each one's cue in `self.cues`.
        """
        found = texts.str.find_many(self.plain, ascii_case_insensitive=True, leftmost=True)
        many = found.list.len().to_numpy()
        index = np.flatnonzero(many)
        inside = found.gather(index).explode().to_numpy().astype(np.int64)
        place = np.repeat(flat.starts[index] + 1, many[index]) + inside
        which = self._which(flat.data, place)
        after = flat.data[place + self.sizes[which]]
        whole = self.inner[which] | ~_letter(flat.data[place - 1])
        whole &= self.open[which] | ~_letter(after)
        return place[whole], which[whole]

    def _which(self, data: Bytes, place: Ints) -> Ints:
        """The cue at each place, where one is known to stand: by its first bytes, then by all of them."""
        head = LOWER[data[place[:, None] + np.arange(KEY)]].view("<u4")[:, 0]
        which = np.full(len(place), -1, np.int64)
        starts = [np.frombuffer(cue.encode()[:KEY].ljust(KEY, b"\0"), "<u4")[0] for cue in self.plain]
        for key in set(starts):
            rows = np.flatnonzero(head == key)
            for number in [n for n, start in enumerate(starts) if start == key]:
                if len(rows):
                    rows = rows[~self._settle(data, place, which, rows, number)]
        for number, cue in enumerate(self.plain):
            rows = np.flatnonzero(which < 0) if len(cue) < KEY else which[:0]
            if len(rows):
                self._settle(data, place, which, rows, number)
        return which

    def _settle(self, data: Bytes, place: Ints, which: Ints, rows: Ints, number: int) -> Mask:
        cue = np.frombuffer(self.plain[number].encode(), np.uint8)
        same: Mask = (LOWER[data[place[rows][:, None] + np.arange(len(cue))]] == cue).all(1)
        which[rows[same]] = number
        return same


def _letter(byte: Bytes) -> Mask:
    """A byte inside a word; the underscore is markup here, as in _so_."""
    inside: Mask = is_word(byte) & (byte != 95)
    return inside

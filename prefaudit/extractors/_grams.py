"""Hashes of runs of 13 words and of whole texts, from the bytes of many texts at once.

Case, spaces, punctuation and symbols are set aside. A hash is a polynomial over the letters' bytes modulo 2^64 (Karp
and Rabin 1987), so that the hash of any run is a difference of two prefix sums. A sign of Chinese, Japanese or Korean
is a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.extractors._flat import Bytes, Flat, Ints, Mask

WORDS = 13  # as the GPT-3 paper counts overlap (Brown et al. 2020, appendix C)
MOST = 200_000  # characters of a text that are read
TEXTS = 1024  # looked at together
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse
INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
MARKS = ["‘", "’", "“", "”", "–", "—", "…", "\u00a0", "\u3000", "，", "。", "、", "！", "？", "：", "；", "「", "」"]

Hashes = NDArray[np.uint64]


class Windows(NamedTuple):
    """Of n texts looked at together.

    `hashes` of every 13 words that follow each other, those that reach from one text into the next included; `words`,
    n + 1 positions: text i has the windows from `words[i]` to before `words[i + 1] - 12`; `whole` and `letters` (bytes)
    of each text.
    """

    hashes: Hashes
    words: Ints
    whole: Hashes
    letters: Ints

    @property
    def counts(self) -> Ints:
        """How many windows each text has."""
        return np.asarray(np.maximum(np.diff(self.words) - WORDS + 1, 0))

    def text_of(self, windows: Ints) -> tuple[Ints, Mask]:
        """The text that each of some windows begins in, and whether it ends there too."""
        text = np.searchsorted(self.words, windows, side="right") - 1
        return text, windows + WORDS <= self.words[text + 1]


def windows(texts: pl.Series) -> Windows:
    """Hash all runs of 13 words of some texts; about a thousand at a time stay in the cache.

    Args:
        texts: n texts, no null.
    """
    flat = Flat(_plain(texts))
    data = flat.data[: int(flat.starts[-1]) + 1]
    letter = _letters(data)
    begin, size = _words(data, letter)
    place = np.concatenate([[0], np.cumsum(size)])  # where each word begins among the letters
    words = np.searchsorted(begin, flat.starts)  # how many words stand before each text
    bound = place[words]
    sums = np.zeros(int(place[-1]) + 1, np.uint64)
    np.cumsum((data[letter].astype(np.uint64) + np.uint64(1)) * _powers(BASE, len(sums))[:-1], out=sums[1:])
    inverse = _powers(INVERSE, len(sums))
    letters = np.diff(bound)
    whole = _mixed((sums[bound[1:]] - sums[bound[:-1]]) * inverse[bound[:-1]]) + letters.astype(np.uint64)
    at = sums[place]
    hashes = _mixed((at[WORDS:] - at[:-WORDS]) * inverse[place[:-WORDS]])
    return Windows(hashes, words, whole, letters)


def in_blocks(texts: pl.Series) -> Iterator[tuple[int, Windows]]:
    """`windows` of all texts, `TEXTS` at a time, with the number of the first."""
    for first in range(0, len(texts), TEXTS):
        yield first, windows(texts[first : first + TEXTS])


def _plain(texts: pl.Series) -> pl.Series:
    """Lower case, and typographic marks as spaces: among bytes they would pass for letters."""
    texts = texts.str.head(MOST).str.to_lowercase()
    wide = np.flatnonzero((texts.str.len_bytes() != texts.str.len_chars()).to_numpy())
    if not len(wide):
        return texts
    return texts.scatter(wide, texts.gather(wide).str.replace_many(MARKS, [" "] * len(MARKS)))


def _letters(data: Bytes) -> Mask:
    """ASCII letters in lower case, digits, and every byte of a character outside ASCII."""
    return np.asarray(((data - np.uint8(97)) < 26) | ((data - np.uint8(48)) < 10) | (data >= 128))


def _words(data: Bytes, letter: Mask) -> tuple[Ints, Ints]:
    """Where each word begins, and its bytes; a sign of a script without spaces is a word."""
    begins, ends = letter.copy(), letter.copy()
    begins[1:] &= ~letter[:-1]
    ends[:-1] &= ~letter[1:]
    if (data >= 0xE3).any():
        sign = (data >= 0xE3) & (data < 0xEE)  # the first byte of such a sign
        begins |= sign
        begins[3:] |= sign[:-3] & letter[3:]  # what follows a sign is another word
        ends[:-1] |= begins[1:] & letter[:-1]
    begin = np.flatnonzero(begins)
    return begin, np.flatnonzero(ends) + 1 - begin


def _mixed(x: Hashes) -> Hashes:
    """Spread the low bits upwards and back, so that any bits of a hash can choose a sample."""
    x = (x ^ (x >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    return np.asarray(x ^ (x >> np.uint64(32)))


_known: dict[int, Hashes] = {}


def _powers(base: np.uint64, n: int) -> Hashes:
    """base ** 0 .. n - 1 modulo 2^64, kept for the next call."""
    have = _known.get(int(base))
    if have is None or len(have) < n:
        factors = np.full(max(n, 1 << 21), base)
        factors[0] = 1
        have = _known[int(base)] = np.cumprod(factors)
    return have[:n]

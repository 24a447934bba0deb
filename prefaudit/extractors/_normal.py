"""Texts as 64-bit keys: equal after normalisation of case, whitespace and punctuation."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

END = 24  # characters from each end that make the cheap key
WINDOW = 64  # bytes in which they are looked for
_ROWS = 2048

_ASCII = np.zeros(256, bool)
_ASCII[[*range(48, 58), *range(65, 91), *range(97, 123)]] = True
_KEPT = _ASCII.copy()
_KEPT[128:] = True
_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[65:91] += 32


def normal_keys(texts: pl.Series) -> tuple[Keys, NDArray[np.int64]]:
    """A key for each text's letters and digits, and how many bytes they take.

    Case is dropped as Unicode has it. ASCII whitespace and punctuation are dropped, and the block of typographic
    quotes, dashes, ellipses and spaces (U+2000 to U+203F); of other punctuation nothing is.

    Args:
        texts: n strings or nulls.

    Returns:
        n keys, 0 where nothing is left, and n byte counts.
    """
    data, starts = _buffers(texts.fill_null("").str.to_lowercase().rechunk())
    mask = _KEPT[data]
    at = np.flatnonzero(data == 0xE2)  # the first of three bytes
    at = at[data[at + 1] == 0x80]
    mask[at] = mask[at + 1] = mask[at + 2] = False
    sizes = _totals(mask, starts)
    keys = _strings(data[mask], sizes).hash(7).to_numpy().copy()
    keys[sizes == 0] = 0
    return keys, sizes


def _strings(data: Bytes, sizes: NDArray[np.int64]) -> pl.Series:
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    made = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    return pl.Series(pl.from_arrow(made))


def end_keys(texts: pl.Series) -> Keys:
    """A cheap key of the first and last 24 ASCII letters and digits: equal where `normal_keys` are, not only there.

    Only 64 bytes of each end are looked at; a text that has too few letters in them is read whole.

    Args:
        texts: n strings or nulls.

    Returns:
        n keys.
    """
    column = texts.fill_null("").rechunk()
    data, starts = _buffers(column)
    pieces = []
    for lo in range(0, len(column), _ROWS):  # a few hundred kilobytes at a time stay in the cache
        at = starts[lo : lo + _ROWS + 1]
        pieces.append(_ends(data[at[0] : at[-1]], at - at[0]))
    if not pieces:
        return np.zeros(0, np.uint64)
    keys, whole = (np.concatenate(x) for x in zip(*pieces, strict=True))
    if whole.any():
        data, starts = _buffers(column.filter(pl.Series(whole)).rechunk())
        mask = _ASCII[data]
        keys[whole] = _ends(data[mask], np.concatenate([[0], np.cumsum(_totals(mask, starts))]))[0]
    return keys


def _buffers(column: pl.Series) -> tuple[Bytes, NDArray[np.int64]]:
    """The bytes of all texts of one chunk, and the n + 1 positions at which they begin and end, the first of them 0."""
    array = column.to_arrow()
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return held[starts[0] : starts[-1]], starts - starts[0]


def _totals(mask: NDArray[np.bool_], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often the mask is true in each text, by population counts of 64 bytes at a time."""
    words = np.zeros(len(mask) // 64 + 2, "<u8")
    packed = np.packbits(mask, bitorder="little")
    words.view(np.uint8)[: len(packed)] = packed
    before = np.concatenate([[0], np.cumsum(np.bitwise_count(words), dtype=np.int64)])
    word, bit = starts >> 6, (starts & 63).astype(np.uint64)
    head = words[word] & ((np.uint64(1) << bit) - np.uint64(1))
    return np.asarray(np.diff(before[word] + np.bitwise_count(head)), dtype=np.int64)


def _ends(data: Bytes, starts: NDArray[np.int64]) -> tuple[Keys, NDArray[np.bool_]]:
    """Keys, and which texts have fewer than 24 letters in a window but more text outside it."""
    size = np.diff(starts)
    inside = np.arange(WINDOW, dtype=np.int16) < np.minimum(size, WINDOW).astype(np.int16)[:, None]
    padded = np.concatenate([np.zeros(WINDOW, np.uint8), data, np.zeros(WINDOW, np.uint8)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    key = np.zeros(len(size), np.uint64)
    short = np.zeros(len(size), bool)
    for side in (0, 1):
        window = windows[starts[:-1] + WINDOW] if side == 0 else windows[starts[1:]][:, ::-1]
        kept = _ASCII[window] & inside
        rank = np.cumsum(kept, axis=1, dtype=np.int8)
        short |= (rank[:, -1] < END) & (size > WINDOW)
        kept &= rank <= END
        letters = np.zeros((len(size), END), np.uint8)
        letters[np.arange(END) < np.minimum(rank[:, -1:], END)] = _LOWER[window[kept]]
        for word in letters.view("<u8").T:
            key = (key ^ word) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
    return key, short


def said(prompt: pl.Series) -> pl.Series:
    """The text of a prompt without its system messages, which are often one and the same; null where there is none."""
    role, content = pl.element().struct.field("role"), pl.element().struct.field("content")
    turns = pl.col(prompt.name).list.eval(content.filter(role != "system"))
    return prompt.to_frame().select(turns.list.join("\n", ignore_nulls=True)).to_series()


def first_turn(prompt: pl.Series) -> pl.Series:
    """What the user says first; null where nothing."""
    role, content = pl.element().struct.field("role"), pl.element().struct.field("content")
    return (
        prompt.to_frame().select(pl.col(prompt.name).list.eval(content.filter(role == "user")).list.first()).to_series()
    )

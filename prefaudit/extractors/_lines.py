"""What the lines of a text begin with: list items, headers, table rows, code fences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefaudit.extractors._flat import NEWLINE, RETURN, SPACE, TAB, Bytes, Flat, Ints, Mask

INDENT = 24  # deeper than this a line is code or prose, not a list
BULLET = np.array([0xE2, 0x80, 0xA2], np.uint8)  # the character •


@dataclass(frozen=True)
class Lines:
    """Per text: counts of lines by their beginning (outside fenced code), and the fences."""

    filled: Ints
    lists: Ints
    headers: Ints
    table: Ints
    fences: Ints
    fence_marks: Ints  # backticks that belong to fences


def _blank(byte: Bytes) -> Mask:
    mask: Mask = (byte == SPACE) | (byte == TAB)
    return mask


def _past_indent(flat: Flat, begin: Ints) -> Ints:
    at = begin.copy()
    active = np.arange(len(at))
    for _ in range(INDENT):
        byte = flat.data[at[active]]
        active = active[_blank(byte)]
        if not len(active):
            break
        at[active] += 1
    return at


def _listed(flat: Flat, at: Ints, first: Bytes) -> Mask:
    """Items begin with - * + or •, or one to three digits and . or ), then a space (not after •), then something."""
    data = flat.data
    after = np.zeros(len(at), np.int64)  # where the item's text begins; 0 for no item
    mark = np.flatnonzero((first == 45) | (first == 42) | (first == 43))
    after[mark] = np.where(_blank(data[at[mark] + 1]), at[mark] + 2, 0)
    mark = np.flatnonzero(first == BULLET[0])
    after[mark] = np.where((data[at[mark] + 1] == BULLET[1]) & (data[at[mark] + 2] == BULLET[2]), at[mark] + 3, 0)
    number = np.flatnonzero((first >= 48) & (first <= 57))
    end = at[number] + 1
    for _ in range(2):
        end += (data[end] >= 48) & (data[end] <= 57)
    closed = (data[end] == 46) | (data[end] == 41)
    after[number] = np.where(closed & _blank(data[end + 1]), end + 2, 0)
    item = np.flatnonzero(after)
    found = np.zeros(len(at), bool)
    found[item] = data[_past_indent(flat, after[item])] > SPACE
    return found


def _headed(flat: Flat, begin: Ints, at: Ints, first: Bytes) -> Mask:
    """Headers begin with one to six # and a space, indented by at most three."""
    found = np.zeros(len(at), bool)
    mark = np.flatnonzero((first == 35) & (at - begin <= 3))
    after = at[mark] + 1
    for _ in range(5):
        after += flat.data[after] == 35
    found[mark] = flat.data[after] == SPACE
    return found


def read_lines(flat: Flat) -> Lines:
    """Classify every line of every text; O(bytes) once, then O(lines)."""
    breaks = flat.find(NEWLINE)
    begin = breaks + 1
    at = _past_indent(flat, begin)
    data = flat.data
    first = data[at]
    filled = (first != NEWLINE) & (first != RETURN)
    ticks = (first == 96) & (data[at + 1] == 96) & (data[at + 2] == 96)
    fence = ticks | ((first == 126) & (data[at + 1] == 126) & (data[at + 2] == 126))
    borders = np.searchsorted(breaks, flat.starts)
    before = np.concatenate([[0], np.cumsum(fence)])
    inside = np.zeros(len(at), bool)
    if fence.any():
        base = np.repeat(before[borders[:-1]], np.diff(borders))
        inside = ((before[:-1] - base) & 1) == 1
    listed = _listed(flat, at, first) & ~inside
    headed = _headed(flat, begin, at, first) & ~inside
    table = (first == 124) & ~inside

    def per_text(mask: Mask) -> Ints:
        total = np.concatenate([[0], np.cumsum(mask)])
        return np.diff(total[borders])

    return Lines(
        per_text(filled), per_text(listed), per_text(headed), per_text(table), per_text(fence), 3 * per_text(ticks)
    )

"""Which words two answers do not share."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

WORDS = 400  # of each answer that are compared: the cost grows with the square
LITTLE = 0.3  # under this share of common words, marking would underline everything

Marked = list[tuple[str, bool]]
"""Pieces that joined give the text back, each with whether it is marked."""

_PIECES = re.compile(r"\s+|\S+")


def marked(first: str, second: str) -> tuple[Marked, Marked, float | None]:
    """The two texts in pieces, the differing words marked, and the share of words they have in common.

    Method: `difflib`'s longest matching blocks over the first `WORDS` words of each, whitespace aside; the share is
    its ratio. Nothing is marked where the two have little in common or are equal; the share is None where a text has
    no words.
    """
    if first == second:
        return [(first, False)], [(second, False)], 1.0
    a, b = _PIECES.findall(first), _PIECES.findall(second)
    at = [[i for i, piece in enumerate(side) if not piece.isspace()][:WORDS] for side in (a, b)]
    if not at[0] or not at[1]:
        return [(first, False)], [(second, False)], None
    matcher = SequenceMatcher(None, [a[i] for i in at[0]], [b[i] for i in at[1]], autojunk=False)
    ratio = matcher.ratio()
    if ratio < LITTLE:
        return [(first, False)], [(second, False)], ratio
    differ: tuple[set[int], set[int]] = (set(), set())
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            differ[0].update(at[0][i1:i2])
            differ[1].update(at[1][j1:j2])
    return _join(a, differ[0]), _join(b, differ[1]), ratio


def _join(pieces: list[str], differ: set[int]) -> Marked:
    """Neighbouring pieces of one kind as one; a space between two marked words is marked with them."""
    out: list[tuple[str, bool]] = []
    for i, piece in enumerate(pieces):
        mark = i in differ or (piece == " " and i - 1 in differ and i + 1 in differ)
        if out and out[-1][1] == mark:
            out[-1] = (out[-1][0] + piece, mark)
        else:
            out.append((piece, mark))
    return out

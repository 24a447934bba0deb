"""Length: its log-ratio, cells of it, and the odd spline over them.

Everything the fit needs of a pair is its length cell and the sign of a feature's difference, so one million pairs
become a table of at most 512 x 3 counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int16]

CELLS = 512
KNOTS = (0.3, 0.7, 0.97)  # quantiles of |length|; with their mirror images the six knots of an odd natural spline


def length_ratio(c: NDArray[np.floating], r: NDArray[np.floating]) -> Floats:
    """log((1 + length of chosen) / (1 + length of rejected)), lengths in characters.

    Characters and not words: they mean something in every language and in code. The one keeps an empty answer finite.
    """
    return np.asarray(np.log1p(c.astype(np.float64)) - np.log1p(r.astype(np.float64)))


def spline(x: Floats, knots: Floats) -> Floats:
    """The odd natural cubic spline basis at x >= 0; its value at -x is the negative.

    The knots are the given ones and their mirror images. The columns are x itself and, for every knot k but the
    largest, the odd function whose second derivative is 0 at 0, -1 at k and 0 from the largest knot on, and linear
    between: together all odd natural cubic splines with these knots.

    Args:
        x: m values >= 0.
        knots: increasing positive numbers.

    Returns:
        (m, len(knots)) values; x is measured in units of the largest knot.
    """
    big = knots[-1]
    scaled, at = x / big, knots / big
    return np.column_stack([scaled, *(_twice_integrated(scaled, float(k)) for k in at[:-1])])


def _twice_integrated(x: Floats, k: float) -> Floats:
    """Odd C2 function whose second derivative is 0 at 0, -1 at k, 0 from 1 on, linear between."""
    first = -(x**3) / (6 * k)  # on 0..k
    d1, f1 = -k / 2, -(k**2) / 6
    t = np.clip(x, k, 1.0) - k
    slope = 1 / (1 - k)
    middle = f1 + d1 * t - t**2 / 2 + slope * t**3 / 6
    d2 = d1 - (1 - k) / 2
    return np.where(x <= k, first, middle + d2 * np.maximum(x - 1.0, 0.0))


@dataclass(frozen=True)
class Cells:
    """Pairs by length, turned so that the first of the two answers is the longer one.

    The model is antisymmetric: a pair and its mirror image say the same. So |length| is enough, with the signs of
    label and feature turned along.
    """

    cell: Codes  # (n,) 0..len(value)-1, or -1 where the length is not known
    turn: NDArray[np.int8]  # (n,) 1 or -1; 0 length counts as 1
    value: Floats  # (m,) mean |length| of the cell
    basis: Floats  # (m, k) odd spline

    @classmethod
    def of(cls, length: Floats, cells: int = CELLS) -> Cells:
        """Cut |length| at its quantiles; exact where it has few distinct values.

        Args:
            length: n log-ratios; NaN where not known.
            cells: at most so many cells.
        """
        known = np.isfinite(length)
        size = np.abs(length[known])
        positive = np.sort(size[size > 0])
        # equal lengths have a cell of their own: there f is 0 exactly, and which way the pair is turned says nothing
        places = np.arange(cells - 1) * len(positive) // (cells - 1)
        edges = np.unique(positive)
        if len(edges) > cells - 1:
            edges = np.unique(positive[places])
        inner = np.searchsorted(edges, size, side="right")
        counts = np.bincount(inner, minlength=len(edges) + 1)
        value = np.bincount(inner, size, minlength=len(edges) + 1) / np.maximum(counts, 1)
        cell = np.full(len(length), -1, np.int16)
        cell[known] = inner
        turn = np.where(known & (length < 0), -1, 1).astype(np.int8)
        return cls(cell, turn, value, _basis(size, value))

    def code(self, level: NDArray[np.int8], known: NDArray[np.bool_], levels: int = 3) -> Codes:
        """Number of (cell, turned level) of every pair; the last number stands for what is not known.

        Args:
            level: n of -(levels // 2) .. levels // 2, the sign of the difference, or its sign and size.
            known: n, whether the feature is known on both sides.
            levels: odd number of levels.
        """
        code = self.cell * np.int16(levels) + (level * self.turn + np.int8(levels // 2))
        unknown = np.int16(levels * len(self.value))
        return np.asarray(np.where(known & (self.cell >= 0), code, unknown), dtype=np.int16)


def _basis(size: Floats, value: Floats) -> Floats:
    """The spline with knots at quantiles of the sizes above 0; one straight line where these are too few."""
    positive = size[size > 0]
    if len(positive) == 0:
        return np.zeros((len(value), 1))
    knots = np.unique(np.quantile(positive, KNOTS, method="lower"))
    return spline(value, knots if len(np.unique(positive)) >= 8 and len(knots) > 1 else knots[-1:])

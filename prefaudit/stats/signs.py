"""Features as small integers: the sign of each difference, or its sign and size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Signs = NDArray[np.int8]
Features = Mapping[str, tuple[NDArray[np.floating], NDArray[np.floating]]]

UNKNOWN = np.int8(-128)


@dataclass(frozen=True)
class Levels:
    """The difference of one feature in every pair."""

    level: Signs  # (n,) 0 where it does not differ, UNKNOWN where a side is not known
    values: Floats  # what the levels -k..k stand for; -1, 0, 1 for signs

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the feature is known on both sides."""
        return np.asarray(self.level != UNKNOWN)


def signs(c: NDArray[np.floating], r: NDArray[np.floating]) -> Levels:
    """1 where the chosen answer has more, -1 where the rejected has, 0 where equal; NaN on a side is not known."""
    level = (c > r).view(np.int8) - (c < r).view(np.int8)
    level[np.isnan(c) | np.isnan(r)] = UNKNOWN
    return Levels(level, np.array([-1.0, 0.0, 1.0]))


def magnitudes(c: NDArray[np.floating], r: NDArray[np.floating]) -> Levels:
    """Seven levels: the sign, and the size by thirds of the pairs that differ.

    A level stands for the mean size in its third over the mean size at all, so that the effect is that of a difference
    of average size.
    """
    difference = np.asarray(c, dtype=np.float64) - np.asarray(r, dtype=np.float64)
    size = np.abs(difference)
    differs = size > 0  # NaN compares false
    level = np.where(np.isnan(difference), UNKNOWN, 0).astype(np.int8)
    if not differs.any():
        return Levels(level, np.array([-1.0, 0.0, 1.0]))
    sizes = size[differs]
    third = np.searchsorted(np.quantile(sizes, [1 / 3, 2 / 3]), sizes, side="left")
    count = np.bincount(third, minlength=3)
    mean = np.bincount(third, sizes, minlength=3) / np.maximum(count, 1) / sizes.mean()
    level[differs] = (np.sign(difference[differs]) * (1 + third)).astype(np.int8)
    return Levels(level, np.concatenate([-mean[::-1], [0.0], mean]))

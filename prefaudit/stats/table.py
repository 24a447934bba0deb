"""Pairs as counts: for every feature, how many pairs of each length and difference, and how many of them won."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.cells import Cells
from prefaudit.stats.intervals import Floats
from prefaudit.stats.signs import Features, Levels, magnitudes, signs


@dataclass(frozen=True)
class Table:
    """What the pairs say of F features, in C codes each."""

    names: list[str]
    levels: list[Levels]
    design: Floats  # (F, C, p): odd spline of length, level
    count: Floats  # (F, C)
    total: Floats  # (F, C) sum of turned y

    def wins(self) -> tuple[Floats, Floats]:
        """Wins and losses (F,) of the answer with more, where the feature differs."""
        level = self.design[..., -1]
        lost = self.count - self.total
        return (
            np.where(level > 0, self.total, np.where(level < 0, lost, 0)).sum(1),
            np.where(level > 0, lost, np.where(level < 0, self.total, 0)).sum(1),
        )

    def tie(self) -> Floats:
        """1 for features where fewer than three pairs go against the rest: there the maximum may lie at infinity."""
        won, lost = self.wins()
        return np.asarray((np.minimum(won, lost) < 3).astype(np.float64))

    def explained(self) -> Floats:
        """(F,): how much of the feature's level length explains.

        R^2 of the turned level on the sign of the length ratio and its odd spline, over the pairs where the feature
        differs: 1 for length itself in the unit that `length` is in, 0 where length says nothing.
        """
        level = self.design[..., -1]
        x = np.concatenate([np.ones_like(level)[..., None], self.design[..., :-1]], axis=2)
        weight = self.count * (level != 0)
        gram = x.transpose(0, 2, 1) @ (x * weight[..., None])
        gram += 1e-9 * (1 + weight.sum(1))[:, None, None] * np.eye(x.shape[2])
        moment = np.einsum("fcp,fc->fp", x, weight * level)
        fitted = np.linalg.solve(gram, moment[..., None])[..., 0]
        return np.asarray((moment * fitted).sum(1) / np.maximum((weight * level**2).sum(1), 1e-300))


def tabulate(cells: Cells, y: Floats, features: Features, magnitude: bool = False) -> Table:
    """Count pairs and wins by code for every feature.

    Args:
        cells: length of the n pairs.
        y: (n,) turned label.
        features: name to the values of both sides, read once each.
        magnitude: levels hold size beside sign.
    """
    levels = [(magnitudes if magnitude else signs)(*features[name]) for name in features]
    width = max(len(v.values) for v in levels)
    m = len(cells.value)
    basis = np.repeat(cells.basis, width, axis=0)
    design = np.empty((len(levels), m * width, basis.shape[1] + 1))
    count, total = np.empty((2, len(levels), m * width))
    for k, feature in enumerate(levels):
        levels[k] = Levels(feature.level, np.pad(feature.values, (width - len(feature.values)) // 2))
        design[k] = np.column_stack([basis, np.tile(levels[k].values, m)])
        code = coded(cells, levels[k])
        count[k] = np.bincount(code, minlength=m * width + 1)[:-1]
        total[k] = np.bincount(code, y, minlength=m * width + 1)[:-1]
    return Table(list(features), levels, design, count, total)


def coded(cells: Cells, feature: Levels) -> NDArray[np.int16]:
    """(n,) the code of every pair; the last number stands for not known."""
    known = feature.known
    return cells.code(np.where(known, feature.level, np.int8(0)), known, len(feature.values))

"""How long a list is, which of its rules parts of the data find too, and what lists of other folds are worth on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefaudit.principles.path import Cast, Step, agreed, path, worthy
from prefaudit.principles.weights import alike, logit
from prefaudit.stats import folds
from prefaudit.stats.baselines import FOLDS
from prefaudit.stats.intervals import Floats

INNER = 3
WORTH, SURE = 0.005, 2.0  # a list stays longer unless its agreement is, by so many errors, less than this higher
CHANCE = 3.0  # what never happened in n pairs may happen in so many of n others (rule of three)
OFTEN = 0.5  # share of the fits that a rule of the list is in


@dataclass(frozen=True)
class Fit:
    """One outer fold: what the other folds give, and its scores on this one."""

    step: Step  # the list, before it is asked whether parts of the other folds find it too
    told: Step  # the list, chosen as that of all folds is
    scores: list[Floats]  # of the rows of the fold, by the list of 0, 1, ... rules
    own: Floats  # by `told`

    @classmethod
    def of(cls, cast: Cast, fold: NDArray[np.int8], k: int, seed: int, at_most: int) -> Fit:
        """Choose without fold k, and judge the rows of fold k.

        Args:
            cast: votes and labels.
            fold: n numbers of folds of whole groups.
            k: the fold that is judged.
            seed: of the inner folds and the parts.
            at_most: rules.
        """
        test, others = cast.x[fold == k], cast.of(fold != k)
        steps, step = grown(others, seed, at_most)
        some = parts(others, folds(others.group, FOLDS, seed), seed, at_most) if step.columns else []
        told = stable(others, step, some)
        return cls(step, told, [s.score(test) for s in steps], told.score(test))


def grown(cast: Cast, seed: int, at_most: int) -> tuple[list[Step], Step]:
    """The path, and the list on it that agreement on inner folds leaves."""
    steps = path(cast, at_most)
    return steps, steps[_length(cast, seed, steps)]


def parts(cast: Cast, fold: NDArray[np.int8], seed: int, at_most: int) -> list[Step]:
    """The list of the groups outside each fold."""
    return [grown(cast.of(fold != k), seed, at_most)[1] for k in range(FOLDS)]


def stable(cast: Cast, last: Step, fits: Sequence[Step]) -> Step:
    """The rules of a list that at least half of the fits on parts of the groups selected, and no idle one.

    One division into folds can be generous by accident, most are not (stability selection, Meinshausen and Buehlmann
    2010). A rule is idle where the list without it favours the other answer in fewer than WORTH of the pairs, if these
    are enough to be sure of that (CHANCE / WORTH).
    """
    kept = [c for c in last.columns if sum(c in f.columns for f in fits) >= OFTEN * len(fits)]
    while kept:
        votes = cast.x[:, kept]
        weights = logit(votes, cast.y)
        score = votes @ weights
        turned = (np.sign(np.round(score[:, None] - votes * weights, 9)) != np.sign(np.round(score, 9))[:, None]).mean(
            0
        )
        if len(kept) == 1 or turned.min() >= WORTH or len(cast.y) * WORTH < CHANCE:
            return Step(tuple(kept), tuple(alike(votes, cast.y).tolist()))
        del kept[int(turned.argmin())]
    return Step((), ())


def _length(cast: Cast, seed: int, steps: Sequence[Step]) -> int:
    """The shortest list that surely agrees, on inner folds, less than WORTH worse than that of all worthy rules.

    Lists that agree in all n pairs alike may still differ in 3 of n others (rule of three, Hanley and Lippman-Hand
    1983): so much is never taken for sure.
    """
    most = worthy(cast, steps)
    if most < 2:
        return most
    inner = folds(cast.group, INNER, seed + 1)
    right = np.empty((most + 1, len(cast.y)))
    for k in range(INNER):
        train, test = inner != k, inner == k
        own = path(cast.of(train), most, whole=True)
        for length in range(most + 1):
            right[length, test] = agreed(own[min(length, len(own) - 1)].score(cast.x[test]), cast.y[test])
    for length in range(1, most):
        gap = right[most] - right[length]
        sums = np.bincount(cast.group, gap - gap.mean())
        if gap.mean() + max(SURE * np.sqrt(float(sums @ sums)), CHANCE) / len(cast.y) <= WORTH:
            return length
    return most

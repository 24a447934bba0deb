"""How likely a list of rules is, given the labels: what they say for each rule, and how many lists there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats

WEIGHTS = 0.5  # variance of the weights of rules, in log-odds, before the labels are seen


@dataclass(frozen=True)
class Prior:
    """What is thought of lists before the labels are seen: every number of rules is as likely as another, and so is
    every list of a number, which keeps chance finds out however many candidates there are (Scott and Berger 2010).

    Attributes:
        candidates: principles that no other stands for.
        at_most: rules.
        dear: per principle, the logarithm of how much less likely it is; beyond 0 where another stands for it.
    """

    candidates: int
    at_most: int
    dear: Floats

    @classmethod
    def of(cls, stands: Ints, speak: NDArray[np.bool_], at_most: int) -> Prior:
        """Of principles of which some `speak`; all likenesses together are as likely as a principle of its own."""
        alone = stands == np.arange(len(stands))
        copies = max(int((speak & ~alone).sum()), 1)
        return cls(int((speak & alone).sum()), at_most, np.where(alone, 0.0, math.log(copies)))

    def likeliest(self, told: Sequence[float]) -> int:
        """The number of rules of the likeliest list, given the logarithms of what labels say for those of 0, 1, ..."""
        return int(np.argmax([t - self._lists(k) for k, t in enumerate(told)]))

    def hope(self, told: Sequence[float]) -> bool:
        """Whether a longer list can be the likeliest if none of its rules says more than the last one does."""
        k = len(told) - 1
        more = told[k] - told[k - 1] if k else math.inf
        best = max(t - self._lists(j) for j, t in enumerate(told))
        return any(told[k] + (j - k) * more - self._lists(j) > best for j in range(k + 1, self.at_most + 1))

    def _lists(self, k: int) -> float:
        """The logarithm of the number of lists of k rules."""
        n, k = self.candidates, min(k, self.candidates)
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def factor(total: float, spread: float, information: float, df: float) -> float:
    """The logarithm of how much likelier labels are with a weight for a rule than without (Wakefield 2009, eq. 2).

    Args:
        total: the score of the weight at 0, in standard errors as of independent pairs.
        spread: the variance of that by group; 1 where pairs are independent.
        information: of the weight.
        df: of `spread`; the t is taken for the normal variable of the same chance.
    """
    from scipy.special import ndtri, stdtr

    spread = max(spread, 1e-9)
    z = abs(total) / math.sqrt(spread)
    if df < 1e4:
        z = -float(ndtri(max(float(stdtr(max(df, 1.0), -z)), 1e-300)))
    error = spread / information
    return 0.5 * (z * z * WEIGHTS / (WEIGHTS + error) - math.log1p(WEIGHTS / error))

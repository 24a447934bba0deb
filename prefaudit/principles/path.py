"""The weighted vote with one rule more at each step: which rule comes next, and the weights of those that are in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prefaudit.principles.evidence import Prior, factor
from prefaudit.principles.weights import RIDGE, Matrix, logit
from prefaudit.stats.groups import Ints, dense
from prefaudit.stats.intervals import Floats

LOOKED_AT = 8  # candidates a step whose error is worked out group by group
BETTER = 2.0  # standard errors by which a likeness has to say more of the labels than the rule that stands for it
SHARE = 0.06  # of what a list explains that its last rule has to explain
HEARD = 5  # pairs that a principle has to speak of
ROOM = 1.0  # standard errors by which a principle that stands for others may miss that


@dataclass(frozen=True)
class Cast:
    """Votes with labels.

    Attributes:
        x: (n, p) votes, 0 for silent and unjudged ones.
        y: n values in 0..1, 1 where the first answer is preferred.
        group: n dense ids.
        stands: p columns, the one that stands for each (`likeness.stands`); each for itself where not given.
    """

    x: Matrix
    y: Floats
    group: Ints
    stands: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if not len(self.stands):
            object.__setattr__(self, "stands", np.arange(self.x.shape[1]))

    def of(self, rows: NDArray[np.bool_]) -> Cast:
        """Those of some rows."""
        return Cast(self.x[rows], self.y[rows], dense(self.group[rows]), self.stands)


@dataclass(frozen=True)
class Step:
    """A list of rules: columns and weights in log-odds, in the order they came in. Negative: the reverse is a rule.

    `explained`: twice the log-likelihood over that of chance, of the rows it was made on.
    """

    columns: tuple[int, ...]
    weights: tuple[float, ...]
    explained: float = 0.0

    def score(self, x: Matrix) -> Floats:
        """Log-odds for the first answer in n rows of votes."""
        if not self.columns:
            return np.zeros(len(x))
        return np.asarray(x[:, list(self.columns)] @ np.array(self.weights), np.float64)


def path(cast: Cast, at_most: int, whole: bool = False) -> list[Step]:
    """Lists of 0, 1, 2 ... rules, each with one rule more than the one before.

    The model is a logit without intercept on votes, so it is odd in the order of the answers. The next rule is that
    for which labels speak most given those that are in (score test, Rao 1948): what it says beyond them, so that a
    rule which only overlaps with another does not count twice. A rule comes in only where its weight has the direction
    of its own agreement, if that has one beyond a standard error: a rule that is right only as a correction of another
    cannot be read. A likeness of another principle comes in only where it says surely more than that one.

    The last list is the likeliest (see `evidence.Prior`): nothing known of the labels, every number of rules is as
    likely as another, and every list of that number. So of few candidates most may be rules where most of them say
    something, and of many a single one has to say much.

    Args:
        cast: votes and labels.
        at_most: rules.
        whole: go on to as many rules as can come in, likely or not.

    Returns:
        Steps with 0, 1, ... rules, at most `at_most`.
    """
    squares = cast.x * cast.x
    size = squares.sum(0)
    agreement = cast.x.T @ (2 * cast.y - 1).astype(np.float32)
    way = np.where(np.abs(agreement) > np.sqrt(size), np.sign(agreement), 0)
    open_ = size >= HEARD
    prior = Prior.of(cast.stands, open_, at_most)
    steps, told = [Step((), ())], [0.0]
    while len(steps) <= at_most and (whole or prior.hope(told)):
        found = _next(cast, squares, steps[-1], open_, way, prior)
        if found is None:
            break
        new, more = found
        open_[new] = False
        columns = (*steps[-1].columns, new)
        weights = logit(cast.x[:, list(columns)], cast.y, np.array([*steps[-1].weights, 0.0]))
        if (weights * way[list(columns)] < 0).any():
            continue  # it turns a rule round: it comes in for none
        score = cast.x[:, list(columns)] @ weights
        steps.append(Step(columns, tuple(weights.tolist()), explained(score, cast.y)))
        told.append(told[-1] + more)
    return steps if whole else steps[: 1 + prior.likeliest(told)]


def worthy(cast: Cast, steps: Sequence[Step]) -> int:
    """How many rules there are before the first that explains less than SHARE of what the list with it explains.

    A principle whose votes have errors leaves something for its noisy likenesses to say, more surely the more pairs
    there are: the size of what they add tells them from rules of their own, its significance does not. A principle
    that itself stands for likenesses is hardly one: it may miss that size by an error. What a rule explains is about
    the square of a normal variable, so that its root has a standard error of 1.
    """
    columns = list(steps[-1].columns)
    heads = cast.stands[columns].tolist()
    standing = np.isin(columns, cast.stands[cast.stands != np.arange(len(cast.stands))])
    for k in range(1, len(steps)):
        more = max(steps[k].explained - steps[k - 1].explained, 0.0)
        room = ROOM if standing[k - 1] and heads[k - 1] not in heads[: k - 1] else 0.0
        if math.sqrt(more) + room < math.sqrt(SHARE * max(steps[k].explained, 0.0)):
            return k - 1
    return len(steps) - 1


def explained(score: Floats, y: Floats) -> float:
    """Twice the log-likelihood of labels given log-odds, over that of even odds."""
    return float(2 * (len(y) * np.log(2) + (y * score - np.logaddexp(0, score)).sum()))


def _next(cast: Cast, squares: Matrix, last: Step, open_: NDArray[np.bool_], way: NDArray[np.float32],
          prior: Prior) -> tuple[int, float] | None:  # fmt: skip
    """The column for which the labels speak most beyond a list, and how much they do."""
    x = cast.x
    mean = 0.5 * (1 + np.tanh(0.5 * last.score(x)))
    rest, weight = (cast.y - mean).astype(np.float32), (mean * (1 - mean)).astype(np.float32)
    gradient = (x.T @ rest).astype(np.float64)
    information = (squares.T @ weight).astype(np.float64)
    inside = x[:, list(last.columns)]
    lean: Floats = np.zeros((0, x.shape[1]))
    if last.columns:
        weighted = inside * weight[:, None]
        cross = (weighted.T @ x).astype(np.float64)
        own = (weighted.T @ inside).astype(np.float64) + RIDGE * np.eye(len(last.columns))
        lean = np.asarray(np.linalg.solve(own, cross), np.float64)
        information = information - (cross * lean).sum(0)
    good = open_ & (information > 1e-6) & (gradient * way >= 0)
    gain = np.where(good, gradient**2 / np.maximum(information, 1e-6) - 2 * prior.dear, -np.inf)
    share = np.bincount(cast.group) / len(cast.group)

    def by_group(column: int) -> Floats:
        """What each group says for a weight in the direction in which all of them do, in standard errors of all."""
        beyond = x[:, column] - inside @ lean[:, column].astype(np.float32)
        sums = np.asarray(np.bincount(cast.group, beyond * rest), np.float64)
        return np.asarray(sums * (np.sign(sums.sum()) / np.sqrt(information[column])))

    looked: dict[int, float] = {}
    for column in np.argsort(-gain, kind="stable")[:LOOKED_AT].tolist():
        if not good[column]:
            break
        sums, head = by_group(column), int(cast.stands[column])
        if head != column and head not in last.columns and information[head] > 1e-6:
            gap = sums - by_group(head)
            if gap.sum() < BETTER * np.sqrt(float(gap @ gap)):
                if not good[head]:
                    continue
                column, sums = head, by_group(head)
        apart = sums - sums.sum() * share
        told = factor(float(sums.sum()), float(apart @ apart), float(information[column]), len(share) - 1)
        looked[column] = told - float(prior.dear[column])
    return max(looked.items(), key=lambda item: item[1]) if looked else None


def agreed(score: Floats, y: Floats) -> Floats:
    """1 where a score is on the side of the label, 0 on the other, one half where either says nothing."""
    return np.asarray(0.5 + 0.5 * np.sign(np.round(score, 9)) * np.sign(y - 0.5), np.float64)

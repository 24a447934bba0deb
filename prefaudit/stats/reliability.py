"""How reliable each annotator is, and what the true labels probably are, from the votes alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.groups import Ints, distinct
from prefaudit.stats.intervals import Floats, wilson

STEPS = 500
CLOSE = 5e-5  # largest change of a reliability at which the steps end
PRIOR = 5.0  # votes of an average annotator that everyone is given
LEAST = 1e-6  # of a probability, so that no vote is impossible


@dataclass(frozen=True)
class Reliability:
    """What `dawid_skene` found.

    `right` is the chance that an annotator votes for the better answer where one is better, a tie counting one half,
    with `low` and `high`, (annotators,); NaN where none of his votes is shared. `tie` is the chance of that tie.
    `truth` is (comparisons, 3): the probability of the first side, a tie, the second side; NaN where only one voted.
    """

    right: Floats
    low: Floats
    high: Floats
    tie: Floats
    votes: Ints
    truth: Floats
    steps: int


def dawid_skene(comparison: Ints, annotator: Ints, vote: Floats) -> Reliability:
    """Maximum a posteriori estimates by expectation and maximisation.

    The model is that of Dawid and Skene (1979, Applied Statistics 28, equations 2.3 to 2.5): each comparison has one
    true value, each annotator a confusion matrix, votes are independent given the truth. Here the two sides of a
    comparison are interchangeable, so the matrix is antisymmetric: where one side is better, an annotator votes for it,
    calls a tie, or votes for the other with chances that do not depend on which side it is; where the two are equal he
    calls it or takes a side, either one alike. The sides have equal prior chances. Every annotator starts with PRIOR
    votes of the average one (a Dirichlet prior), without which three votes could make someone perfect. It begins at
    the shares of votes, so of the two solutions that differ by calling wrong right, it finds the one with the majority.

    The interval is Wilson's with as many votes as carry the same expected information when the other annotators are
    held: a vote on a comparison that the others leave open says nothing of his reliability. That a set of annotators
    agrees on something else than the truth cannot be seen from votes.

    Args:
        comparison: (n,) ids 0, 1, ... of what was voted on.
        annotator: (n,) ids 0, 1, ...
        vote: (n,) 1 first side, 1/2 tie, 0 second side.

    Returns:
        Reliability; only votes on comparisons with two annotators or more count.
    """
    units, people = _count(comparison), _count(annotator)
    shared = _shared(comparison, annotator, units)
    unit, who, v = comparison[shared], annotator[shared], np.rint(2 * (1 - vote[shared])).astype(np.int64)
    seen, cell = np.bincount(who, minlength=people), 3 * who + v
    truth = np.full((units, 3), np.nan)
    nothing = np.full(people, np.nan)
    if not len(unit):
        return Reliability(nothing, nothing, nothing, nothing, seen, truth, 0)
    ties = bool((v == 1).any())
    posterior = _shares(unit, v, units)
    right, chances, steps = np.zeros(people), np.zeros((people, 4)), 0
    for steps in range(1, STEPS + 1):  # noqa: B007
        moved, (chances, prior) = right, _maximise(posterior, unit, cell, people, ties)
        right = chances[:, 0] + chances[:, 1] / 2
        reach = _reach(chances, cell)
        logs = np.stack([np.bincount(unit, reach[:, k], units) for k in range(3)], 1).astype(np.float64)
        logs += np.log(prior)
        posterior = _normal(logs)
        if np.abs(right - moved).max() < CLOSE:
            break
    low, high = _interval(right, _normal(logs[unit] - reach), who, v, people)
    known = seen > 0
    has = np.bincount(unit, minlength=units) > 0
    truth[has] = posterior[has]
    right, low, high, tie = (np.where(known, x, np.nan) for x in (right, low, high, chances[:, 1]))
    return Reliability(right, low, high, tie, seen, truth, steps)


def _count(ids: Ints) -> int:
    return int(ids.max()) + 1 if len(ids) else 0


def _shared(unit: Ints, who: Ints, units: int) -> NDArray[np.bool_]:
    """Votes on comparisons on which somebody else voted too."""
    people = max(_count(who), 1)
    voted = distinct(unit * people + who) // people
    return np.asarray(np.bincount(voted, minlength=units)[unit] > 1) if len(unit) else np.zeros(0, bool)


def _shares(unit: Ints, v: Ints, units: int) -> Floats:
    counts = np.stack([np.bincount(unit[v == k], minlength=units) for k in range(3)], 1).astype(np.float64)
    return np.asarray(counts / np.maximum(counts.sum(1, keepdims=True), 1))


def _maximise(posterior: Floats, unit: Ints, cell: Ints, people: int, ties: bool) -> tuple[Floats, Floats]:
    """Chances (people, 4): right, tie, wrong where one side is better, tie where none is; and the prior (3,).

    `cell` is 3 times the annotator plus the vote.
    """
    said = [np.bincount(cell, posterior[unit, k], 3 * people).reshape(-1, 3) for k in range(3)]
    right = said[0][:, 0] + said[2][:, 2]
    wrong = said[0][:, 2] + said[2][:, 0]
    three = np.stack([right, said[0][:, 1] + said[2][:, 1], wrong], 1)
    three += PRIOR * three.sum(0) / max(three.sum(), LEAST)
    two = np.stack([said[1][:, 1], said[1][:, 0] + said[1][:, 2]], 1)
    two += PRIOR * (two.sum(0) + LEAST) / (two.sum() + 2 * LEAST)
    chances = np.column_stack([three / three.sum(1, keepdims=True), two[:, 0] / two.sum(1)])
    has = np.bincount(unit, minlength=len(posterior)) > 0
    draw = float(posterior[has, 1].mean()) if ties else 0.0
    draw = min(max(draw, LEAST), 1 - LEAST)
    return np.clip(chances, LEAST, 1 - LEAST), np.array([(1 - draw) / 2, draw, (1 - draw) / 2])


def _reach(chances: Floats, cell: Ints) -> Floats:
    """(n, 3) logarithm of the chance of each vote where the first side, none or the second is better."""
    right, tie, wrong, even = np.log(chances).T
    apart = np.log((1 - chances[:, 3]) / 2)
    columns = ((right, tie, wrong), (apart, even, apart), (wrong, tie, right))
    return np.stack([np.stack(column, 1).reshape(-1)[cell] for column in columns], 1)


def _normal(logs: Floats) -> Floats:
    p = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(p / p.sum(1, keepdims=True))


def _interval(right: Floats, others: Floats, who: Ints, v: Ints, people: int) -> tuple[Floats, Floats]:
    sided = others[:, 0] + others[:, 2]
    w = others[:, 0] / np.maximum(sided, LEAST)
    r = right[who]
    seen = np.where(v == 1, 0.5, w * r + (1 - w) * (1 - r))
    part = np.where(v == 1, 1.0, r * (1 - r) / np.maximum(seen * (1 - seen), LEAST))
    effective = np.bincount(who, sided * (2 * w - 1) ** 2 * part, people)
    bounds = np.array([wilson(p * n, n) for p, n in zip(right, effective, strict=True)]).reshape(-1, 2)
    return bounds[:, 0], bounds[:, 1]

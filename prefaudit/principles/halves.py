"""Whether more votes would change the list: what half of them finds, drawn several times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prefaudit.principles.likeness import stands
from prefaudit.principles.path import Cast, path, worthy
from prefaudit.principles.weights import Matrix
from prefaudit.stats.groups import Ints, dense

DRAWS = 5  # divisions into two halves
IN, OUT = 7, 1  # of the ten halves that have a rule of the list at least, and any other at most


def settled(votes: Matrix, group: Ints, seed: int, at_most: int) -> bool:
    """Whether halves of the pairs find the rules that all of them find.

    Complementary halves (Shah and Samworth 2013): each rule of the whole list has to be in seven of ten at least, any
    other in one at most. A list without a rule is never settled: more votes may find one.

    Args:
        votes: (n, p) votes for the chosen answer, 0 for silent and unjudged ones.
        group: n ids; a half holds whole groups.
        seed: of the halves.
        at_most: rules.
    """
    if not len(votes):
        return False
    own = dense(group)
    cast = Cast(votes, np.ones(len(votes)), own, stands(votes))
    whole = _list(cast, at_most)
    if not whole:
        return False
    found: NDArray[np.int64] = np.zeros(votes.shape[1], np.int64)
    for draw in range(DRAWS):
        order = np.random.default_rng([seed, draw]).permutation(int(own.max()) + 1)
        half = (order < (len(order) + 1) // 2)[own]
        for rows in (half, ~half):
            found[_list(cast.of(rows), at_most)] += 1
    inside = np.isin(np.arange(len(found)), whole)
    return bool((found[inside] >= IN).all() and (found[~inside] <= OUT).all())


def _list(cast: Cast, at_most: int) -> list[int]:
    """The columns that a list of these pairs has."""
    if not len(cast.y):
        return []
    steps = path(cast, at_most)
    return list(steps[worthy(cast, steps)].columns)

"""Which principle stands for others whose votes are likenesses of its own, told from the votes alone."""

from __future__ import annotations

import numpy as np

from prefaudit.principles.weights import Matrix
from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats

SAME = 0.95  # correlation of votes from which two principles are one
LIKE = 0.5  # correlation of votes from which one may stand for another
ERRORS = 2.0  # standard errors that a correlation may be off
CLEAR = 3.0  # log-likelihood by which one has to explain the others better than its likeness does


def stands(x: Matrix) -> Ints:
    """Per principle, the one that stands for it; itself where none does.

    Where several principles are imperfect readings of one of them, they correlate with it, and with each other by the
    product of those correlations only (one common factor, Spearman 1904): it explains them, they do not explain each
    other. So those that stand for others are the set that, one for each, makes the votes of the others likeliest; it
    is grown greedily and bettered by exchanges, as medoids are (Kaufman and Rousseeuw 1990, ch. 2). A principle is a
    likeness of one of these where their correlation is beyond its error and, within it, not below LIKE, and where that
    one clearly explains the other likenesses better than it would itself. So of two that overlap, and of several that
    overlap alike, none stands for another.

    Correlations are of votes as they are, about 0: exchanging the answers of a pair leaves them, and so do labels.

    Args:
        x: (n, p) votes, 0 for silent and unjudged ones.

    Returns:
        p columns.
    """
    n, p = x.shape
    own = np.arange(p)
    unit = x / np.sqrt(np.maximum((x * x).sum(0), 1e-9))
    r = np.minimum(np.abs(unit.T @ unit).astype(np.float64), 1 - 1e-6)
    np.fill_diagonal(r, 0)
    error = ERRORS / np.sqrt(max(n, 1))
    near = (r > error) & (r + error * (1 - r**2) >= LIKE)
    told = np.where(near, -n / 2 * np.log(1 - r**2), 0.0)
    heads = _heads(told)
    if not heads:
        return own
    head = np.asarray(heads)[told[:, heads].argmax(1)]
    head = np.where(np.isin(own, heads) | (told[own, head] <= 0), own, head)
    together = (head[:, None] == head[None]) & (own[:, None] != own[None]) & (own[None] != head[:, None])
    better = np.where(together, told[head] - told, 0.0).sum(1)
    return np.where(better > CLEAR, head, own)


def apart(x: Matrix) -> Ints:
    """The columns without those that vote as one before them does, or as its reverse.

    A principle that is there twice would else explain the other one, and what is like both would be a likeness of it.

    Args:
        x: (n, p) votes, 0 for silent and unjudged ones.
    """
    unit = x / np.sqrt(np.maximum((x * x).sum(0), 1e-9))
    same = np.abs(unit.T @ unit) >= SAME
    kept: list[int] = []
    for k in range(x.shape[1]):
        if not same[k, kept].any():
            kept.append(k)
    return np.array(kept, np.int64)


def _heads(told: Floats) -> list[int]:
    """The columns that together explain the others best: what the best of them tells of each, summed."""
    found: list[int] = []
    worth, before = 0.0, -1.0
    while worth > before:
        before = worth
        for others in (found, *(found[:k] + found[k + 1 :] for k in range(len(found)))):
            values = _worth(told, others)
            if values.size and values.max() > worth + 1e-9:
                found, worth = [*others, int(values.argmax())], float(values.max())
                break
    return sorted(found)


def _worth(told: Floats, others: list[int]) -> Floats:
    """What each column and some others together explain."""
    known = told[:, others].max(1, initial=0.0)
    rest = np.setdiff1d(np.arange(len(told)), others)
    return np.asarray(
        np.maximum(known[rest, None], told[rest]).sum(0) - np.where(np.isin(np.arange(len(told)), others), 0, known)
    )

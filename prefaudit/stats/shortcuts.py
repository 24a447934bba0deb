"""How well one thing that is not the answer's content predicts the label: a model's name, a source, a language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.baselines import FOLDS, LIMIT, Matrix, newton, places, spline, squash
from prefaudit.stats.bradley_terry import NAMES, Cells, pooled, strengths
from prefaudit.stats.groups import Ints, dense, folds, sample_groups
from prefaudit.stats.intervals import Floats, quantile

Fit = Callable[[NDArray[np.bool_], NDArray[np.bool_]], Floats]
"""From masks of the training and the test pairs to the scores of the test pairs, positive for the chosen side."""

GROUPS = 40  # fewer tell nothing held out


@dataclass(frozen=True)
class Names:
    """A name on either side of the n pairs, as codes, -1 where not known: of a model, of a language."""

    chosen: Ints
    rejected: Ints
    count: int  # of different names


@dataclass(frozen=True)
class Places:
    """A name of the whole pair, as codes, and which side was presented first: 1 chosen, -1 rejected, 0 not known."""

    name: Ints
    first: NDArray[np.int8]
    count: int


def shortcuts(y: Floats, length: Floats, things: Mapping[str, Names | Places | Mapping[str, Floats]], group: Ints,
              seed: int = 0) -> list[dict[str, Any]]:  # fmt: skip
    """Held-out AUC of each thing alone, against one half and against length on the same pairs.

    Five folds of whole groups; models are odd in the order of the answers and have no intercept, and the AUC is that of
    `baselines`. Names: Bradley and Terry's strengths. Places: for each name the log-odds that the first answer wins.
    Differences: the L2 logit of their signed logarithms. Only pairs count in which the thing is known; ties are left
    out. Predictable, not wrong: a better model rightly wins.

    Args:
        y: n values, 1 chosen, 1/2 a tie.
        length: n log-ratios; NaN counts as 0.
        things: name to what is known of the pairs; a mapping holds differences, chosen minus rejected.
        group: n ids.
        seed: of folds and sample.

    Returns:
        A dict each, the highest AUC first: name, auc, interval, over_length and over_length_interval (AUC minus that of
        length), n, groups, names (how many there are), note (why a number is missing).
    """
    keep = sample_groups(group, LIMIT, seed) & (y != 0.5)
    ratio, g = np.nan_to_num(length[keep]), group[keep]
    flat = [_one(name, _cut(thing, keep), ratio, g, seed) for name, thing in things.items()]
    return sorted(flat, key=lambda e: (-(e["auc"] if e["auc"] is not None else -1.0), e["name"]))


def _cut(thing: Any, keep: NDArray[np.bool_]) -> Any:
    if isinstance(thing, Names):
        return Names(thing.chosen[keep], thing.rejected[keep], thing.count)
    if isinstance(thing, Places):
        return Places(thing.name[keep], thing.first[keep], thing.count)
    return {name: d[keep] for name, d in thing.items()}


def _one(name: str, thing: Any, ratio: Floats, group: Ints, seed: int) -> dict[str, Any]:
    known = _known(thing, len(ratio))
    thing, ratio, group = _cut(thing, known), ratio[known], dense(group[known])
    groups = int(group.max()) + 1 if len(group) else 0
    names = thing.count if isinstance(thing, Names | Places) else len(thing)
    out: dict[str, Any] = {
        "name": name, "auc": None, "interval": None, "over_length": None, "over_length_interval": None,
        "n": len(ratio), "groups": groups, "names": names, "note": "",
    }  # fmt: skip
    if groups < GROUPS:
        return out | {"note": f"held out needs {GROUPS} groups, here are {groups}"}
    fold = folds(group, FOLDS, seed)
    own, length = (_held_out(fit, fold) for fit in (_fit(thing), _logit(spline(ratio))))
    area, at = places(own)
    base, below = places(length)
    low, high = _interval(area, at - area, group)
    less, more = _interval(area - base, at - area - below + base, group)
    return out | {"auc": area, "interval": [max(0.0, low), min(1.0, high)], "over_length": area - base,
                  "over_length_interval": [less, more]}  # fmt: skip


def _known(thing: Any, n: int) -> NDArray[np.bool_]:
    if isinstance(thing, Names):
        return np.asarray((thing.chosen >= 0) & (thing.rejected >= 0))
    if isinstance(thing, Places):
        return np.asarray((thing.name >= 0) & (thing.first != 0))
    known = np.zeros(n, bool)
    for d in thing.values():
        known |= ~np.isnan(d)
    return known


def _held_out(fit: Fit, fold: NDArray[np.int8]) -> Floats:
    scores = np.empty(len(fold))
    for k in range(FOLDS):
        test = fold == k
        scores[test] = fit(~test, test)
    return scores


def _fit(thing: Any) -> Fit:
    if isinstance(thing, Names):
        return _names(thing)
    if isinstance(thing, Places):
        return _places(thing)
    return _logit(np.column_stack([squash(d) for d in thing.values()]))


def _names(thing: Names) -> Fit:
    codes = pooled(np.concatenate([thing.chosen, thing.rejected]), NAMES)
    chosen, rejected = codes[: len(thing.chosen)], codes[len(thing.chosen) :]
    count = int(codes.max()) + 1 if len(codes) else 0

    def fit(train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Floats:
        s = strengths(Cells.of(chosen[train], rejected[train], np.ones(int(train.sum())), count), count)
        return np.asarray(s[chosen[test]] - s[rejected[test]])

    return fit


def _places(thing: Places) -> Fit:
    def fit(train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Floats:
        won = np.bincount(thing.name[train], thing.first[train] > 0, thing.count)
        lost = np.bincount(thing.name[train], thing.first[train] < 0, thing.count)
        return np.asarray(np.log((won + 1) / (lost + 1))[thing.name[test]] * thing.first[test])

    return fit


def _logit(x: Matrix) -> Fit:
    def fit(train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Floats:
        return np.asarray(x[test] @ newton(x[train], np.ones(int(train.sum())), 1.0), dtype=np.float64)

    return fit


def _interval(estimate: float, influence: Floats, group: Ints) -> tuple[float, float]:
    """Of an AUC or a difference of two: errors from Hoeffding's projection, summed by group (see `baselines.auc`)."""
    share = np.bincount(group) / len(group)
    sums = np.bincount(group, influence) * 2 / len(group)
    error = float(np.sqrt((sums**2 / np.maximum(1 - share, 1e-6)).sum()))
    half = quantile(0.95, float(1 / (share @ share))) * error
    return estimate - half, estimate + half

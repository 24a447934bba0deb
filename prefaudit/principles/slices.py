"""The same principles in parts of the data: what each annotator or source weighs, and what two of them disagree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.principles.constitution import DIGITS, Ruled, matrix, score
from prefaudit.principles.path import agreed
from prefaudit.principles.weights import logit
from prefaudit.stats import bh, cluster_rate
from prefaudit.stats.groups import Ints, dense
from prefaudit.stats.intervals import Floats

MOST = 8  # parts told apart, the largest
LEAST = 100  # votes that a part needs
SPEAKS = 20  # votes of a principle in either part that a difference needs
DRAWN = 25.0  # how strongly weights are drawn to those of all, as so many pairs of the rule


def slices(
    votes: pl.DataFrame, y: Floats, group: Ints, names: pl.Series, rules: Sequence[Ruled]
) -> list[dict[str, Any]]:
    """Each part's own weights of the same rules.

    Weights are penalised towards those of all, so that a part with few votes says what all say.

    Args:
        votes: n rows of votes by principle id.
        y: n labels, 1 for chosen, 0 for rejected, 1/2 neither.
        group: n ids.
        names: n names of annotators or sources; null belongs to none.
        rules: of the constitution.

    Returns:
        The largest parts first: `name`, `n`, `agreement` of the constitution with their labels and `interval`, and
        `weights` by id, negative where they go against the rule.
    """
    found = []
    all_ = np.array([rule.weight for rule in rules])
    for name in _largest(names, y):
        here = ((names == name).fill_null(False).to_numpy()) & (y != 0.5)
        some = votes.filter(pl.Series(here))
        rate = cluster_rate(agreed(score(rules, some), y[here]), dense(group[here]))
        entry: dict[str, Any] = {"name": name, "n": int(here.sum()), "agreement": rate[0], "interval": list(rate[1:])}
        entry["weights"] = {}
        if rules:
            x = matrix(some.select(rule.id for rule in rules)) * np.array([r.sign for r in rules], np.float32)
            own = logit(x, y[here], all_, all_, DRAWN / 4)  # a pair at even odds carries an information of 1/4
            entry["weights"] = {r.id: round(float(w), DIGITS) for r, w in zip(rules, own, strict=True)}
        found.append(entry)
    return found


def disagreements(
    votes: pl.DataFrame, y: Floats, group: Ints, names: pl.Series, limit: int = 10
) -> list[dict[str, Any]]:
    """What two parts disagree on: principles that the labels of one follow more often than those of the other.

    Each principle in each pair of the largest parts, wherever it speaks in both; the difference of the two rates has
    the error of two groups of independent clusters, and q counts false discoveries over all (Benjamini and Hochberg).

    Returns:
        Those with q below .05, opposite directions first, then by the size of the difference: `a`, `b`, `id`,
        `a_followed`, `b_followed`, `a_n`, `b_n`, `difference`, `interval`, `q`.
    """
    parts = _largest(names, y)
    toward = np.sign(y - 0.5)
    masks = {name: (names == name).fill_null(False).to_numpy() & (toward != 0) for name in parts}
    found = []
    for column in votes.columns:
        vote = votes[column].fill_null(0).to_numpy()
        told = {name: _followed(vote[mask] * toward[mask], group[mask]) for name, mask in masks.items()}
        for a, b in combinations(parts, 2):
            if min(told[a]["n"], told[b]["n"]) >= SPEAKS:
                found.append(_apart(column, a, b, told))
    for entry, q in zip(found, bh(np.array([e.pop("p") for e in found])), strict=True):
        entry["q"] = float(q)
    sure = [e for e in found if e["q"] < 0.05]
    return sorted(sure, key=lambda e: (not _opposite(e), -abs(e["difference"]), e["id"], e["a"], e["b"]))[:limit]


def _opposite(entry: Mapping[str, Any]) -> bool:
    return bool((entry["a_followed"] - 0.5) * (entry["b_followed"] - 0.5) < 0)


def _largest(names: pl.Series, y: Floats) -> list[str]:
    counts = names.filter(pl.Series(y != 0.5)).drop_nulls().value_counts(name="n").filter(pl.col("n") >= LEAST)
    counts = counts.sort(["n", names.name], descending=[True, False]).head(MOST)
    return counts[names.name].to_list() if counts.height > 1 else []


def _followed(lean: NDArray[np.float64], group: Ints) -> Mapping[str, float]:
    here = lean != 0
    n = int(here.sum())
    if not n:
        return {"n": 0}
    right = (lean[here] > 0).astype(np.float64)
    sums = np.bincount(dense(group[here]), right - right.mean())
    # One imagined vote each way: a rule always followed has an error too.
    p = (right.sum() + 1) / (n + 2)
    return {"n": n, "rate": float(right.mean()), "variance": max(float(sums @ sums) / n**2, p * (1 - p) / n)}


def _apart(column: str, a: str, b: str, told: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    from scipy.special import ndtr

    difference = told[a]["rate"] - told[b]["rate"]
    error = float(np.sqrt(told[a]["variance"] + told[b]["variance"]))
    return {
        "a": a, "b": b, "id": column, "a_followed": told[a]["rate"], "b_followed": told[b]["rate"],
        "a_n": told[a]["n"], "b_n": told[b]["n"], "difference": difference,
        "interval": [difference - 1.96 * error, difference + 1.96 * error],
        "p": float(2 * ndtr(-abs(difference) / error)),
    }  # fmt: skip

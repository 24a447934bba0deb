"""The constitution: the short weighted list of principles that the labels follow, and how well it does on others.

Votes come from anywhere; what a vote says, and what a silent one counts, is written in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.principles.fits import Fit, grown, parts, stable
from prefaudit.principles.likeness import apart, stands
from prefaudit.principles.path import Cast, Step, agreed
from prefaudit.principles.weights import Matrix
from prefaudit.stats import bh, cluster_rate, folds, sample_groups
from prefaudit.stats.baselines import FOLDS, LIMIT
from prefaudit.stats.groups import Ints, dense
from prefaudit.stats.intervals import Floats, rate_of_sums

AT_MOST = 10
ENOUGH = 10  # groups below which nothing is held out
REPEATS, SMALL = 4, 20_000  # so many divisions into folds for the frequencies, where there are at most so many pairs
DIGITS = 2  # of a weight
NONE = "no principle says more of the labels than chance would"
UNSTABLE = "labels follow no principle that at least half of the fits on parts of the groups find too"


@dataclass(frozen=True)
class Ruled:
    """One rule of a constitution: a principle (`sign` 1) or its reverse (-1), and its weight in log-odds."""

    id: str
    sign: int
    weight: float


@dataclass(frozen=True)
class Constitution:
    """What `choose` found.

    Attributes:
        rules: in the order they came in, each saying something beyond those before it.
        n, groups: pairs with a label that decides, and their groups, on which it was chosen.
        total: such pairs in the data, of which those may be a sample.
        held_out: agreement with the labels of groups not used: `agreement`, `interval`, `rules` in each fold.
        curve: `rules` (0, 1, ...), `agreement`, `interval` of lists of that length, on groups not used.
        frequency: id to the share of fits in which it was selected (of either direction together with `fits`).
        fits: how many.
        single: the best single principle of each fit, on the same rows: `agreement`, `interval`, `id`, `sign`.
        stats: one entry a principle: `id`, `n` (judged), `applies` (rate), ...; see `rates`.
        selected: what each fold's list was, fold by fold.
        answers: of some of the pairs it was chosen on, the marks (`saved.marks`).
        seen: of a list that was given, the share of these that are among the pairs it is asked of; None if not known.
        note: why something is missing.
    """

    rules: tuple[Ruled, ...]
    n: int
    groups: int
    total: int
    held_out: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    frequency: dict[str, float] = field(default_factory=dict)
    fits: int = 0
    single: dict[str, Any] = field(default_factory=dict)
    stats: list[dict[str, Any]] = field(default_factory=list)
    selected: list[list[str]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    seen: float | None = None
    note: str = ""

    def score(self, votes: pl.DataFrame) -> Floats:
        """Log-odds for the chosen answer: the sum of the weights of the rules for it less those against it.

        A rule whose votes are missing is silent. The label is not looked at.
        """
        return score(self.rules, votes)


def score(rules: Sequence[Ruled], votes: pl.DataFrame) -> Floats:
    """See `Constitution.score`."""
    total = np.zeros(votes.height)
    for rule in rules:
        if rule.id in votes.columns:
            total += rule.sign * rule.weight * votes[rule.id].cast(pl.Float64).fill_null(0).to_numpy()
    return np.round(total, 6)


def held(group: Ints, y: Floats, seed: int, limit: int = LIMIT) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Which rows a constitution is chosen on, and the fold of each of them.

    They are the rows and folds of `stats.baselines`, so that agreements stand beside its accuracies. Pairs without a
    winner are left out.
    """
    keep = sample_groups(group, limit, seed) & (y != 0.5)
    own = dense(group[keep]) if keep.any() else np.zeros(0, np.int64)
    if not len(own) or own.max() + 1 < FOLDS:
        return keep, np.zeros(len(own), np.int8)
    return keep, folds(own, FOLDS, seed)


def choose(votes: pl.DataFrame, y: Floats, group: Ints, seed: int, at_most: int = AT_MOST) -> Constitution:
    """The fewest principles that follow the labels about as well as more would, with weights.

    Of principles that vote alike the first is asked (`apart`). A list grows by `path`, as long as the next rule
    explains enough (`worthy`). On inner folds of whole groups it is then cut to the shortest list whose agreement is
    surely less than half a point below.
    Of that list the rules stay that half of the fits on parts of the groups selected too (`stable`).
    What it is worth is told by five outer folds of whole groups, each judged by a list chosen, in every respect,
    without it; a list of a fold is asked of 5 parts, that of all groups of 20.

    Args:
        votes: n rows: Int8 columns by principle id, each 1 for chosen, -1 for rejected, 0 silent, null not known.
            `row` is passed over.
        y: n values, 1 where the label says chosen, 0 rejected, 1/2 neither.
        group: n ids >= 0.
        seed: of the folds, and of the sample above 50,000 pairs.
        at_most: rules.
    """
    asked = [name for name in votes.columns if name != "row"]
    keep, fold = held(group, y, seed)
    stats = rates(votes.select(asked), y, group)
    own = dense(group[keep]) if keep.any() else np.zeros(0, np.int64)
    groups = int(own.max()) + 1 if len(own) else 0
    n, total = int(keep.sum()), int((y != 0.5).sum())
    if groups < ENOUGH:
        note = f"a constitution needs {ENOUGH} groups with a preferred answer, here are {groups}"
        return Constitution((), n, groups, total, stats=stats, note=note)
    x = matrix(votes.filter(pl.Series(keep)).select(asked))
    z, g, each = y[keep], own, apart(x)
    names = [asked[k] for k in each]
    cast = Cast(x[:, each], z, g, stands(x[:, each]))
    fits = [Fit.of(cast, fold, k, seed, at_most) for k in range(FOLDS)]
    every = [f.step for f in fits]
    for r in range(1, REPEATS if n <= SMALL else 1):
        every += parts(cast, folds(g, FOLDS, seed + 1000 * r), seed + r, at_most)
    whole = grown(cast, seed, at_most)[1]
    last = stable(cast, whole, every)
    return Constitution(
        rules=tuple(_ruled(names, last)), n=n, groups=groups, total=total,
        held_out=_held_out(fits, fold, z, g), curve=_curve(fits, fold, z, g, at_most),
        frequency={name: sum(c in step.columns for step in every) / len(every) for c, name in enumerate(names)
                   if any(c in step.columns for step in every)},
        fits=len(every), single=_single(x, z, g, fold, asked), stats=stats,
        selected=[[names[c] for c in f.step.columns] for f in fits],
        note="" if last.columns else UNSTABLE if whole.columns else NONE,
    )  # fmt: skip


def matrix(votes: pl.DataFrame) -> Matrix:
    """(n, p) votes as numbers, null as 0."""
    return votes.fill_null(0).to_numpy().astype(np.float32)


def _ruled(names: Sequence[str], step: Step) -> list[Ruled]:
    found = [
        Ruled(names[c], 1 if w > 0 else -1, round(abs(w), DIGITS))
        for c, w in zip(step.columns, step.weights, strict=True)
    ]
    return [rule for rule in found if rule.weight > 0]


def _held_out(fits: Sequence[Fit], fold: NDArray[np.int8], y: Floats, group: Ints) -> dict[str, Any]:
    score = np.empty(len(y))
    for k, fit in enumerate(fits):
        score[fold == k] = fit.own
    rate = cluster_rate(agreed(score, y), group)
    silent = float((score == 0).mean())
    return {"agreement": rate[0], "interval": list(rate[1:]), "rules": [len(f.told.columns) for f in fits],
            "silent": silent}  # fmt: skip


def _curve(fits: Sequence[Fit], fold: NDArray[np.int8], y: Floats, group: Ints, at_most: int) -> list[dict[str, Any]]:
    longest = min(at_most, max(len(f.scores) for f in fits) - 1)
    found = []
    for length in range(longest + 1):
        score = np.empty(len(y))
        for k, fit in enumerate(fits):
            score[fold == k] = fit.scores[min(length, len(fit.scores) - 1)]
        rate = cluster_rate(agreed(score, y), group)
        found.append({"rules": length, "agreement": rate[0], "interval": list(rate[1:])})
    return found


def _single(x: Matrix, y: Floats, group: Ints, fold: NDArray[np.int8], names: Sequence[str]) -> dict[str, Any]:
    """The principle that agrees most often with the labels of the other folds; silence counts one half."""
    score, said = np.empty(len(y)), []
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        gain = x[train].T @ (y[train] - 0.5).astype(np.float32)
        column = int(np.abs(gain).argmax())
        sign = 1 if gain[column] >= 0 else -1
        score[test] = sign * x[test, column]
        said.append((names[column], sign))
    name, sign = max(sorted(set(said)), key=said.count)
    rate = cluster_rate(agreed(score, y), group)
    return {"id": name, "sign": sign, "agreement": rate[0], "interval": list(rate[1:])}


def rates(votes: pl.DataFrame, y: Floats, group: Ints) -> list[dict[str, Any]]:
    """How often each principle speaks, and how often the labels follow it there.

    Returns:
        One entry a column: `id`, `n` (judged), `unjudged`, `speaks` (votes that are not silent), `applies` (their
        share of n), `followed` (share of those with a preferred answer in which it is the favoured one), `interval` by
        group, `strength` (agreeing less disagreeing votes, by the pairs with a preferred answer, as Feedback Forensics
        has it), `q` (that `followed` is not one half: Benjamini and Hochberg over all principles).
    """
    found, p = [], []
    own, toward = dense(group) if len(group) else group, np.sign(y - 0.5)
    for name in votes.columns:
        judged = votes.height - votes[name].null_count()
        vote = votes[name].fill_null(0).to_numpy()
        speaks = int((vote != 0).sum())
        here = np.flatnonzero((vote != 0) & (toward != 0))
        entry: dict[str, Any] = {
            "id": name, "n": judged, "unjudged": votes.height - judged, "speaks": speaks,
            "applies": speaks / judged if judged else None, "followed": None, "interval": None, "strength": None,
        }  # fmt: skip
        found.append(entry)
        p.append(np.nan)
        if len(here):
            follows = (vote[here] * toward[here] > 0).astype(np.float64)
            sizes = np.bincount(own[here]).astype(np.float64)
            sums = np.asarray(np.bincount(own[here], follows), np.float64)
            rate = rate_of_sums(sizes[sizes > 0], sums[sizes > 0])
            lean = float((2 * sums - sizes).sum()) / int((toward != 0).sum())
            entry |= {"followed": rate[0], "interval": list(rate[1:]), "strength": lean}
            p[-1] = _sign_p(sums - sizes / 2)
    for entry, q in zip(found, bh(np.array(p)), strict=True):
        entry["q"] = None if np.isnan(q) else float(q)
    return found


def _sign_p(sums: Floats) -> float:
    """Two-sided p that the sums of groups have mean 0, by their own squares."""
    from scipy.special import ndtr

    spread = float(sums @ sums)
    return float(2 * ndtr(-abs(sums.sum()) / np.sqrt(spread))) if spread > 0 else 1.0


def plain(constitution: Constitution) -> dict[str, Any]:
    """The constitution as values that JSON keeps."""
    return {**vars(constitution), "rules": [vars(rule) for rule in constitution.rules]}


def restored(said: Mapping[str, Any]) -> Constitution:
    """What `plain` wrote."""
    return Constitution(**{**said, "rules": tuple(Ruled(**rule) for rule in said["rules"])})

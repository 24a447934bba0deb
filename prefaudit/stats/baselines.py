"""How well length, one rule, or all text features predict the labels of groups not seen in fitting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.cells import Cells
from prefaudit.stats.cluster import Clusters
from prefaudit.stats.groups import Ints, folds, sample_groups
from prefaudit.stats.intervals import Floats, cluster_rate, quantile

Matrix = NDArray[np.float32]

FOLDS = 5
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
LIMIT = 50_000


def baselines(
    y: Floats,
    length: Floats,
    differences: Mapping[str, NDArray[np.floating]],
    group: Ints,
    seed: int = 0,
    labels: Mapping[str, str] | None = None,
    limit: int = LIMIT,
) -> dict[str, Any]:
    """Accuracy and AUC on held-out groups: predictable, not wrong.

    Five folds of whole groups; whatever is chosen or tuned is chosen inside the training folds. All models are odd in
    the order of the answers and have no intercept, so a score is that of the chosen side against the rejected one.
    Accuracy counts a score of 0 as one half and leaves ties out. The AUC is that of each pair taken both ways round:
    the chance that the scores of two random pairs add up to more than 0.

    Args:
        y: n values in 0..1, as in `effects`.
        length: n log-ratios; NaN counts as 0.
        differences: feature to n differences, chosen minus rejected; NaN counts as 0.
        group: n ids.
        seed: of folds and sample.
        labels: feature to words for the rule, as "more list items"; default "more <feature>".
        limit: above so many pairs a seeded sample of whole groups is used; `n` says how many.

    Returns:
        The `baselines` of the report; every number beside its interval. Without 40 groups only n, groups,
        how often the longer answer wins, and a note.
    """
    keep = sample_groups(group, limit, seed) & (y != 0.5)
    total = len(y)
    y, group = y[keep], group[keep]
    clusters = Clusters.of(group)
    out: dict[str, Any] = {"n": len(y), "groups": clusters.groups, "note": ""}
    ratio = np.nan_to_num(length[keep])
    toward = np.where(y > 0.5, 1.0, -1.0)
    moved = ratio != 0
    if moved.any():
        rate = cluster_rate((ratio * toward > 0)[moved].astype(np.float64), clusters.group[moved])
        out |= {"longer_wins": rate[0], "longer_wins_interval": list(rate[1:])}
    if clusters.groups < 40:
        return out | {"note": f"held-out baselines need 40 groups, here are {clusters.groups}"}
    if total > limit:
        out["note"] = f"a seeded sample of whole groups, {int(keep.sum()):,} of {total:,} pairs"
    fold = folds(clusters.group, FOLDS, seed)
    curve = spline(ratio)
    x = np.column_stack([curve, *(squash(d[keep]) for d in differences.values())]).astype(np.float32)
    signs = np.sign(np.column_stack([ratio, *(np.nan_to_num(d[keep]) for d in differences.values())])).astype(np.int8)
    names = ["length", *differences]
    inner = folds(clusters.group, 2, seed + 1)
    scores = {"length": np.empty(len(y)), "text": np.empty(len(y)), "rule": np.empty(len(y))}
    chosen: list[str] = []
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        scores["length"][test] = x[test, : curve.shape[1]] @ newton(x[train, : curve.shape[1]], y[train], 1e-3)
        scores["text"][test] = x[test] @ _tuned(x[train], y[train], inner[train])
        column, way = _rule(signs[train], toward[train])
        scores["rule"][test] = way * signs[test, column]
        chosen.append(_rule_name(names[column], way, labels or {}))
    out["rule"] = max(sorted(set(chosen)), key=chosen.count)
    for name, score in scores.items():
        out |= _measured(name, score * toward, clusters.group)
    return out


def _measured(name: str, score: Floats, group: Ints) -> dict[str, Any]:
    right = cluster_rate(np.where(score > 0, 1.0, np.where(score < 0, 0.0, 0.5)), group)
    area = auc(score, group)
    return {
        f"{name}_accuracy": right[0],
        f"{name}_accuracy_interval": list(right[1:]),
        f"{name}_auc": area[0],
        f"{name}_auc_interval": list(area[1:]),
    }


def auc(score: Floats, group: Ints, level: float = 0.95) -> tuple[float, float, float]:
    """The AUC of pairs taken both ways round, with a cluster-robust interval.

    It is a U-statistic, mean over i, j of [s_i + s_j > 0] + [= 0] / 2, so its error comes from the means over j, twice,
    summed by group (Hoeffding's projection).

    Args:
        score: n scores, positive where the preferred answer is ahead.
        group: n ids.
        level: of the interval.

    Returns:
        AUC, low, high.
    """
    area, place = places(score)
    n = len(score)
    sizes = np.bincount(group)
    sums = (np.bincount(group, place) - area * sizes) * 2 / n
    share = sizes / n
    error = float(np.sqrt((sums**2 / np.maximum(1 - share, 1e-6)).sum()))
    half = quantile(level, float(1 / (share @ share))) * error
    return area, max(0.0, area - half), min(1.0, area + half)


def places(score: Floats) -> tuple[float, Floats]:
    """The AUC of pairs taken both ways round, and what each pair adds to it: the mean over j of [s_i + s_j > 0]."""
    ordered = np.sort(score)
    n = len(score)
    above = n - np.searchsorted(ordered, -score, side="right")
    equal = n - above - np.searchsorted(ordered, -score, side="left")
    place = (above + 0.5 * equal) / n
    return float(place.mean()), place


def spline(ratio: Floats) -> Matrix:
    """(n, k) the odd spline of a log-ratio of lengths, see `Cells`."""
    cells = Cells.of(ratio)
    return np.asarray(cells.basis[cells.cell] * cells.turn[:, None], dtype=np.float32)


def squash(difference: NDArray[np.floating]) -> Matrix:
    """Sign and log size, in units of its root mean square: counts have long tails. Odd, so no centre is taken away."""
    d = np.nan_to_num(np.asarray(difference, dtype=np.float64))
    d = np.sign(d) * np.log1p(np.abs(d))
    scale = float(np.sqrt((d**2).mean()))
    return np.asarray(d / scale if scale > 0 else d, dtype=np.float32)


@np.errstate(invalid="ignore")  # OpenBLAS reads past the end of odd shapes and flags what it does not use
def newton(x: Matrix, y: Floats, penalty: float | Floats, start: Floats | None = None) -> Floats:
    """The L2 logit without intercept, the penalty one for all columns or one each.

    The curvature is the costly part, so it is taken again only every eighth step.
    """
    beta = np.zeros(x.shape[1]) if start is None else start.copy()
    hessian = np.eye(x.shape[1])
    for k in range(80):
        eta = (x @ beta.astype(np.float32)).astype(np.float64)
        mean = 0.5 * (1 + np.tanh(0.5 * eta))
        if k % 8 == 0:
            weight = (mean * (1 - mean)).astype(np.float32)
            hessian = (x.T @ (x * weight[:, None])).astype(np.float64)
            hessian[np.diag_indices_from(hessian)] += penalty + 1e-6 * len(x)
        gradient = (x.T @ (y - mean).astype(np.float32)).astype(np.float64) - penalty * beta
        step = np.linalg.solve(hessian, gradient)
        beta += step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-3:
            break
    return beta


def _tuned(x: Matrix, y: Floats, inner: NDArray[np.int8]) -> Floats:
    """Fitted with the penalty that predicts the one half of the training groups best from the other, both ways."""
    loss = np.zeros(len(PENALTIES))
    for side in (0, 1):
        train, held = inner != side, inner == side
        toward = np.where(y[held] > 0.5, 1.0, -1.0)
        beta = np.zeros(x.shape[1])
        for k in range(len(PENALTIES) - 1, -1, -1):  # from the stiffest, each starting where the last one ended
            beta = newton(x[train], y[train], PENALTIES[k], beta)
            loss[k] += np.logaddexp(0, -toward * (x[held] @ beta)).sum()
    return newton(x, y, PENALTIES[int(loss.argmin())])


def _rule(signs: NDArray[np.int8], toward: Floats) -> tuple[int, int]:
    """Column and direction of the rule that is right most often; no difference is half right."""
    gain = signs.T.astype(np.float32) @ toward.astype(np.float32)
    column = int(np.abs(gain).argmax())
    return column, 1 if gain[column] >= 0 else -1


def _rule_name(name: str, way: int, labels: Mapping[str, str]) -> str:
    if name in ("length", "chars", "words"):
        return "longer wins" if way > 0 else "shorter wins"
    more = labels.get(name, f"more {name.replace('_', ' ')}")
    fewer = more.replace("more ", "fewer ", 1) if more.startswith("more ") else f"not {more}"
    return f"{more if way > 0 else fewer} wins"

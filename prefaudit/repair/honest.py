"""What a repair does to the data, measured where it can be trusted.

Two questions. Does what is left lean more to some feature than what was there? And does a model of the text features,
fitted on what is left, tell the labels of other groups better than after dropping as many pairs at random, or the ones
that differ most in length? The second is asked only of pairs that the repair did not select, in groups not fitted on:
a repair that drops what a model finds hard makes every score on its own output rise, and nothing truer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import stats
from prefaudit.audit.columns import FEATURES
from prefaudit.extractors._scorers import SOURCE
from prefaudit.repair.cut import Bools, Floats, Ints
from prefaudit.repair.evidence import Evidence

LIMIT = 16_000  # pairs measured; a seeded sample over the parts of the audit
PARTS = 8
FOLDS = 5
LEAST_GROUPS = 40
RISE = 0.01  # a change of a win rate that is worth a word
LOST = 0.5  # share of a source that is worth a word
PENALTY = 10.0


@dataclass(frozen=True)
class Sample:
    """Pairs with two answers: by row number, y (1 chosen, 1/2 a tie), features chosen minus rejected, length ratio."""

    row: Ints
    y: Floats
    group: Ints
    length: Floats
    names: list[str]
    x: NDArray[np.float32]


def measure(evidence: Evidence, gone: Bools, turned: Bools, codes: Sequence[str], seed: int) -> dict[str, Any]:
    """Numbers, and sentences: `warnings` come first in the summary, `words` later.

    Args:
        evidence: the audit.
        gone: by pair, what is dropped.
        turned: by pair, whose label is turned round.
        codes: the reasons that were used.
        seed: of sample and folds.
    """
    touched = gone | turned
    told: dict[str, Any] = {"warnings": [], "words": []}
    if not touched.any() or gone.all():
        return told
    told["sources"] = _sources(evidence, gone, told["warnings"])
    _own_scores(evidence, codes, told["warnings"])
    sample = draw(evidence, seed)
    if sample is None:
        return told
    told["biases"] = _biases(sample, gone[sample.row], turned[sample.row], told["warnings"])
    _held_out(sample, gone[sample.row], turned[sample.row], seed, told)
    return told


def _own_scores(evidence: Evidence, codes: Sequence[str], warnings: list[str]) -> None:
    if "STRENGTH" not in codes or evidence.strength is None:
        return
    scorers = (evidence.audit.report["strength"] or {}).get("scorers", ())
    if any(scorer["name"] not in SOURCE for scorer in scorers):
        return
    if not (evidence.strength < 0).any():
        warnings.append(
            "strength is the source's own score here and never against a label: it tells weak labels, not wrong ones"
        )


def _sources(evidence: Evidence, gone: Bools, warnings: list[str]) -> dict[str, list[int]]:
    """Pairs and dropped pairs of every source."""
    names = evidence.pair_columns("source")["source"]
    if names.null_count() == names.len():
        return {}
    table = pl.DataFrame({"s": names, "g": gone}).drop_nulls("s").group_by("s").agg(n=pl.len(), g=pl.col("g").sum())
    table = table.sort("s")
    overall = float(gone.mean())
    lost = table.filter((pl.col("g") / pl.col("n") >= max(LOST, 2 * overall)) & (pl.col("n") >= 10))
    if lost.height:
        worst = lost.sort(pl.col("g") / pl.col("n"), descending=True).row(0)
        more = f" (and {lost.height - 1:,} more sources)" if lost.height > 1 else ""
        warnings.append(
            f"source {worst[0]!r} loses {worst[2]:,} of its {worst[1]:,} pairs{more}; {overall:.1%} go overall"
        )
    return {s: [n, g] for s, n, g in table.rows()}


def draw(evidence: Evidence, seed: int) -> Sample | None:
    """A seeded sample of pairs with their features; None where the audit measured no text."""
    parts = evidence.store.parts()
    rng = np.random.default_rng([seed, 3])
    picked = np.sort(rng.choice(parts, min(PARTS, parts), replace=False)).tolist() if parts else []
    sizes = np.array([evidence.store.part_pairs(k) for k in range(parts)])
    first = np.concatenate([[0], np.cumsum(sizes)])
    each = -(-LIMIT // max(1, len(picked)))
    frames = []
    for k in picked:
        inside = np.sort(rng.choice(sizes[k], min(each, sizes[k]), replace=False))
        features = evidence.measures.features(k)
        if not {"c", "r"} <= set(features.columns):
            return None
        pairs = evidence.store.read("pairs", k, ["label", "hash_chosen", "hash_rejected"])
        frame = pairs.hstack(features.select("c", "r").get_columns())[inside]
        frame = frame.with_columns(row=pl.Series(inside + first[k]))
        frames.append(frame.filter(pl.col("hash_chosen").is_not_null() & pl.col("hash_rejected").is_not_null()))
    return _sample(pl.concat(frames), evidence.group) if frames and sum(f.height for f in frames) else None


def _sample(frame: pl.DataFrame, group: Ints) -> Sample:
    row = frame["row"].cast(pl.Int64).to_numpy()
    chosen, rejected = frame["c"].struct.unnest(), frame["r"].struct.unnest()
    names, columns = [], []
    for name in FEATURES:
        if name in chosen.columns:
            c, r = (side[name].cast(pl.Float32).fill_null(float("nan")).to_numpy() for side in (chosen, rejected))
            names.append(name)
            columns.append(c - r)
    length = np.zeros(len(row))
    if "chars" in chosen.columns:
        length = stats.length_ratio(*(s["chars"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
                                      for s in (chosen, rejected)))  # fmt: skip
    y = np.where((frame["label"] == "chosen").to_numpy(), 1.0, 0.5)
    ids = np.unique(group[row], return_inverse=True)[1]
    x = np.column_stack(columns) if columns else np.zeros((len(row), 0), np.float32)
    return Sample(row, y, ids.astype(np.int64), np.nan_to_num(length), names, x)


def _biases(sample: Sample, gone: Bools, turned: Bools, warnings: list[str]) -> list[dict[str, Any]]:
    """Win rates of every feature before and after; a rise beyond the interval of what is left is worth a word."""
    table, raised = [], []
    for name, x in zip(sample.names, sample.x.T, strict=True):
        differs = np.isfinite(x) & (x != 0)
        wins = np.where(x > 0, sample.y, 1 - sample.y)
        later = np.where(turned, 1 - wins, wins)
        if differs.sum() < 50 or (differs & ~gone).sum() < 50:
            continue
        before = float(wins[differs].mean())
        after, low, high = stats.cluster_rate(later[differs & ~gone], _ids(sample.group[differs & ~gone]))
        table.append({"feature": name, "before": before, "after": after, "interval": [low, high]})
        rise = abs(after - 0.5) - abs(before - 0.5)
        if rise > RISE and not low <= before <= high:
            raised.append((rise, name, before, after))
    if raised:
        _, name, before, after = max(raised)
        more = len(raised) - 1
        others = f", and {more:,} other feature{'s lean' if more > 1 else ' leans'} more" if more else ""
        warnings.append(f"raises a bias: {FEATURES[name].words} wins {after:.3f} after, {before:.3f} before{others}")
    return table


def _held_out(sample: Sample, gone: Bools, turned: Bools, seed: int, told: dict[str, Any]) -> None:
    """Accuracy on held-out groups after the repair, after as many at random, and after the most unequal in length."""
    ids = _ids(sample.group)
    touched = gone | turned
    asked = sample.y != 0.5
    if ids.max(initial=0) + 1 < LEAST_GROUPS or (asked & ~touched).sum() < 100 or not touched.any():
        told["words"].append("held out: too few pairs or groups to tell what the repair is worth")
        return
    fold = stats.folds(ids, FOLDS, seed)
    rng = np.random.default_rng([seed, 5])
    n, unequal = int(touched.sum()), np.argsort(-np.abs(sample.length), kind="stable")
    policies = {"repair": touched, "random": _mask(len(ids), rng.choice(len(ids), n, replace=False)),
                "length": _mask(len(ids), unequal[:n])}  # fmt: skip
    flips = bool(turned.any() and not gone.any())
    right = {name: np.full(len(ids), np.nan) for name in policies}
    x = _scaled(sample)
    for k in range(FOLDS):
        test = (fold == k) & asked
        for name, mask in policies.items():
            y = np.where(turned, 1 - sample.y, sample.y) if name == "repair" else sample.y
            y = np.where(mask, 1 - sample.y, sample.y) if flips and name != "repair" else y
            train = (fold != k) & (np.ones(len(ids), bool) if flips else ~mask | (turned & (name == "repair")))
            score = x[test] @ _fit(x[train], y[train])
            right[name][test] = np.where(score > 0, 1.0, np.where(score < 0, 0.0, 0.5))
    _say(right, ids, asked, touched, "turning" if flips else "dropping", told)


def _say(right: dict[str, Floats], ids: Ints, asked: Bools, touched: Bools, verb: str, told: dict[str, Any]) -> None:
    """Gains over random on the pairs not selected, and on all held-out pairs as they were labelled.

    What a selection leaves depends on it, so a gain on the pairs not selected alone may be the selection's own doing:
    only a gain on both is called better.
    """
    test = asked & ~touched
    found = {name: float(values[test].mean()) for name, values in right.items()}
    difference = right["repair"] - right["random"]
    gain, low, high = stats.cluster_rate(difference[test], _ids(ids[test]))
    whole, whole_low, whole_high = stats.cluster_rate(difference[asked], _ids(ids[asked]))
    told["held_out"] = {**found, "n": int(test.sum()), "gain": gain, "interval": [low, high],
                        "gain_all": whole, "interval_all": [whole_low, whole_high],
                        "n_all": int(asked.sum())}  # fmt: skip
    itself = low > 0 and whole_low <= 0
    verdict = "worse" if high < 0 else "better" if low > 0 else "no difference that could be told"
    verdict = "self-consistency" if itself else verdict
    told["words"].append(
        f"held out, on {found_n(test)} pairs not selected: accuracy of the text features {found['repair']:.3f} after "
        f"the repair, {found['random']:.3f} after {verb} as many at random, {found['length']:.3f} after {verb} the "
        f"most unequal in length; against random {gain:+.3f} [{low:+.3f}, {high:+.3f}], on all "
        f"{found_n(asked)} held-out pairs {whole:+.3f} [{whole_low:+.3f}, {whole_high:+.3f}]: {verdict}"
    )
    if itself:
        told["warnings"].append(
            f"rests on self-consistency: what is left is easier to predict ({gain:+.3f} on held-out pairs it did not "
            f"select), and no truer ({whole:+.3f} on all held-out pairs)"
        )
    if high < 0:
        told["warnings"].append(f"held-out accuracy is {-gain:.3f} lower than after {verb} as many pairs at random")


def found_n(mask: Bools) -> str:
    """How many, in words."""
    return f"{int(mask.sum()):,}"


def _mask(n: int, rows: Any) -> Bools:
    mask = np.zeros(n, bool)
    mask[rows] = True
    return mask


def _ids(group: Ints) -> Ints:
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def _scaled(sample: Sample) -> NDArray[np.float64]:
    """Signed logs in units of their root mean square, and the length ratio: odd in the order of the answers."""
    x = np.nan_to_num(np.column_stack([sample.x, sample.length]).astype(np.float64))
    x = np.sign(x) * np.log1p(np.abs(x))
    scale = np.sqrt((x**2).mean(0))
    return np.asarray(x / np.where(scale > 0, scale, 1))


def _fit(x: NDArray[np.float64], y: Floats) -> Floats:
    """The L2 logit without intercept, by Newton's method."""
    beta = np.zeros(x.shape[1])
    for _ in range(12):
        p = 0.5 * (1 + np.tanh(0.5 * (x @ beta)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + PENALTY * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, x.T @ (y - p) - PENALTY * beta)
        beta += step
        if np.abs(step).max() < 1e-6:
            break
    return beta

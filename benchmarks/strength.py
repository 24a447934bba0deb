"""Planted flips: how well the rest of a dataset finds them, beside length, one head, the plain mean of heads, cleanlab.

    PREFAUDIT_TEST_DATA=... python benchmarks/strength.py [SET ...] [--seeds 20] [--rates .1 .2 .3] [--cleanlab PYTHON]
                                  [--embedder minilm]

Sets: gsm8k, ultrafeedback, hh-harmless, alpaca, parity (benchmarks/strength_sets.py). For each seed a share of the
labels is turned round and every scorer is fitted on the turned labels of the other folds; all use the same folds of
groups and the same views. *length* is the head on the curve of length. *single* is one head on all views side by side,
each view scaled to rows of unit length on average, its penalty tuned on inner folds: the probability of the given label
out of sample, which is what cleanlab ranks by (`--cleanlab`, a Python that has it, checks that the order is the same).
*mean* is the plain mean of the heads of the views, each at root mean square 1. With `--embedder` there are *with*,
consensus with the vectors among its views, and *vectors*, their head alone; the others are as without.

Told are the AUROC of "turned" by how low the score is, the share of turned labels among the lowest share of scores, and
the lower end of a one-sided 95 % interval of the gain over length: groups drawn anew 1,000 times, the same for both,
the mean over the seeds taken in each draw.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from strength_sets import NAMES, Set, load

from prefaudit.stats import folds
from prefaudit.stats.heads import FOLDS, Heads, cross_fit

SCORERS = ("consensus", "length", "text", "words", "single", "mean")
DRAWS = 1000


def scored(data: Set, turned: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Support for the label as it now stands, of every scorer, for pairs it was not fitted on."""
    y, fold = np.where(turned, 0.0, 1.0), folds(data.group, FOLDS, seed)
    more = ("with", "vectors") if "vectors" in data.views else ()
    found = {name: np.empty(len(y)) for name in (*SCORERS, *more)}
    plain = {name: v for name, v in data.views.items() if name != "vectors"}
    several = cross_fit(plain, y, fold, data.group)
    richer = cross_fit(data.views, y, fold, data.group) if more else several
    one = cross_fit({"all": data.single}, y, fold, data.group)
    for k, (heads, single, rich) in enumerate(zip(several, one, richer, strict=True)):
        at = np.flatnonzero(fold == k)
        inside = {name: v[at] for name, v in plain.items()}
        found["consensus"][at] = heads.score(inside)
        found["single"][at] = Heads(single.coefficients, {"all": 1.0}).score({"all": data.single[at]})
        for name, view in inside.items():
            found[name][at] = view @ heads.coefficients[name]
        if more:
            vectors = data.views["vectors"][at]
            found["with"][at] = rich.score({**inside, "vectors": vectors})
            found["vectors"][at] = vectors @ rich.coefficients["vectors"]
    views = [found[name] for name in plain]
    found["mean"] = np.sum([v / max(float(np.sqrt((v**2).mean())), 1e-12) for v in views], axis=0)
    return {name: np.where(turned, -1, 1) * score for name, score in found.items()}


def auroc(score: np.ndarray, turned: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted AUROC of `turned` by how low the score is; weight (draws, n)."""
    order = np.argsort(score, kind="stable")
    s, w = score[order], weight[:, order]
    start = np.flatnonzero(np.concatenate([[True], s[1:] > s[:-1]]))  # of each run of equal scores
    bad = np.add.reduceat(w * turned[order], start, axis=1)
    good = np.add.reduceat(w * ~turned[order], start, axis=1)
    above = good.sum(1, keepdims=True) - np.cumsum(good, 1)
    return np.asarray((bad * (above + good / 2)).sum(1) / (bad.sum(1) * good.sum(1)))


def measure(data: Set, rate: float, seeds: int) -> dict[str, object]:
    n, groups = len(data.group), int(data.group.max()) + 1
    rng = np.random.default_rng(1)
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), DRAWS)[:, data.group].astype(np.float32)
    area: dict[str, list[float]] = defaultdict(list)
    precise: dict[str, list[float]] = defaultdict(list)
    gains, richer = [], []
    for seed in range(seeds):
        turned = np.random.default_rng([seed, 5]).random(n) < rate
        found = scored(data, turned, seed)
        for name, score in found.items():
            area[name].append(float(auroc(score, turned, np.ones((1, n)))[0]))
            lowest = np.argsort(score, kind="stable")[: int(turned.sum())]
            precise[name].append(float(turned[lowest].mean()))
        ours = auroc(found["consensus"], turned, drawn)
        gains.append(ours - auroc(found["length"], turned, drawn))
        if "with" in found:
            richer.append(auroc(found["with"], turned, drawn) - ours)
    best = max((name for name in SCORERS if name not in ("consensus", "text", "words")), key=lambda k: np.mean(area[k]))
    told = {"with_over_without": [round(float(np.mean(area["with"]) - np.mean(area["consensus"])), 4),
                                  *(round(float(np.quantile(np.mean(richer, 0), q)), 4) for q in (0.05, 0.95))],
            "seeds_with_over_without_above_0": sum(a > b for a, b in zip(area["with"], area["consensus"], strict=True))
            } if richer else {}  # fmt: skip
    return {
        "n": n, "groups": groups, "rate": rate, "seeds": seeds,
        "auroc": {k: [round(float(np.mean(v)), 4), round(float(np.std(v)), 4)] for k, v in area.items()},
        "precision": {k: round(float(np.mean(v)), 4) for k, v in precise.items()},
        "best_rival": best, "to_best": round(float(np.mean(area["consensus"]) - np.mean(area[best])), 4),
        "over_length": round(float(np.mean(area["consensus"]) - np.mean(area["length"])), 4),
        "over_length_low": round(float(np.quantile(np.mean(gains, 0), 0.05)), 4),
        "seeds_with_low_over_0": sum(float(np.quantile(g, 0.05)) > 0 for g in gains), **told,
    }  # fmt: skip


def cleanlab(python: str, data: Set, rate: float) -> dict[str, object]:
    """Whether cleanlab's own label quality scores order the pairs as the single head does."""
    turned = np.random.default_rng([0, 5]).random(len(data.group)) < rate
    score = scored(data, turned, 0)["single"]
    first = np.random.default_rng(2).random(len(score)) < 0.5  # which side is shown first: cleanlab needs two classes
    p = 1 / (1 + np.exp(-np.where(first, score, -score)))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "in.npz", labels=first.astype(int), probs=np.column_stack([1 - p, p]))
        code = ("import numpy as np, sys; from cleanlab.rank import get_label_quality_scores as q;"
                "d = np.load(sys.argv[1] + '/in.npz');"
                "np.save(sys.argv[1] + '/out.npy', q(d['labels'], d['probs'], method='self_confidence'))")  # fmt: skip
        subprocess.run([python, "-c", code, folder], check=True)
        theirs = np.load(Path(folder) / "out.npy")
    one = np.ones((1, len(score)))
    return {"same_order": bool((np.diff(theirs[np.argsort(score, kind="stable")]) >= -1e-12).all()),
            "auroc": [float(auroc(s, turned, one)[0]) for s in (score, theirs)]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(NAMES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 0.2, 0.3])
    parser.add_argument("--cleanlab")
    parser.add_argument("--embedder")
    asked = parser.parse_args()
    for name in asked.sets:
        data = load(name, asked.embedder)
        for rate in asked.rates:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
            told = measure(data, rate, asked.seeds)
            spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
            print(json.dumps({"set": name, **told, "cpu_seconds": round(spent, 1)}), flush=True)
        if asked.cleanlab:
            print(json.dumps({"set": name, "cleanlab": cleanlab(asked.cleanlab, data, asked.rates[0])}), flush=True)


if __name__ == "__main__":
    main()

"""Simulated outside scorers: what combining them finds, and what they say of the share of wrong labels.

    PREFAUDIT_TEST_DATA=... python benchmarks/strength_scorers.py [--redraws 2000] [--seeds 10]

**Finding.** 50,000 pairs, a fifth of the labels turned round, a true margin |N(0, 1)| + .1 for the right answer. Three
scorers see it with noise .6, .8 and 1.6 and give it on scales 1, 3 and 8: the loudest is the noisiest. Then a copy of
each is added. Compared are `strength.mean`, the raw mean, the share of votes and each scorer alone.

**Noise.** The correct and wrong solutions of gsm8k-solutions; each label is turned round with probability e. A scorer
gives each answer a number: scale * (strength * correct + N(0, 1)), so that pairs that share an answer share its error.
*independent*: noise of its own. *shared*: .6 of the noise is common to all. *copy*: the third is the first, twice as
loud. *hard*: the gap between correct and wrong is max(0, u - .3) times three, u uniform, one for each question and the
same for all scorers, so that a third of the questions tell them nothing. *one*, *two*: fewer scorers.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter

import numpy as np
import polars as pl
from strength import auroc
from strength_sets import gsm8k

from prefaudit.core import PAIRS
from prefaudit.extractors.rewards import REWARDS
from prefaudit.extractors.strength import Strength
from prefaudit.stats.noise import noise

SCALES, NOISES, STRENGTHS = (1.0, 3.0, 8.0), (0.6, 0.8, 1.6), (0.98, 1.26, 1.68)


def combined(d: np.ndarray) -> np.ndarray:
    """`strength.mean` of margins (m, n), by the extractor itself."""
    n = d.shape[1]
    rewards = pl.DataFrame({"chosen": d.T.tolist(), "rejected": (0 * d.T).tolist(), "margin": [[None] * len(d)] * n,
                            "step": (0 * d.T).tolist(),
                            "cut": [[False] * len(d)] * n}).to_struct("rewards").cast(REWARDS)  # fmt: skip
    frame = pl.DataFrame({"row": range(n), "group": range(n), "rewards": rewards}).with_columns(
        [pl.lit("chosen" if name == "label" else None, PAIRS[name]).alias(name) for name in Strength.reads]
    )
    made = Strength(reward_model=tuple(str(k) for k in range(len(d))))
    state = made.fit(lambda names: [frame.select(names)], 0)
    return made.load(state)(frame)["strength"].struct.field("mean").to_numpy()


def finding(seeds: int, n: int = 50_000) -> dict[str, list[float]]:
    area: dict[str, list[float]] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        turned = rng.random(n) < 0.2
        truth = np.where(turned, -1, 1) * (np.abs(rng.normal(size=n)) + 0.1)
        d = np.array([s * (truth + k * rng.normal(size=n)) for s, k in zip(SCALES, NOISES, strict=True)])
        scores = {"strength.mean": combined(d), "raw mean": d.mean(0), "votes": (d > 0).mean(0)}
        scores |= {f"scorer {k + 1} alone": row for k, row in enumerate(d)}
        scores |= {f"strength.mean, and a copy of {k + 1}": combined(np.vstack([d, 2 * d[k]])) for k in range(3)}
        for name, score in scores.items():
            area.setdefault(name, []).append(float(auroc(score, turned, np.ones((1, n)))[0]))
    return {name: [round(float(np.mean(v)), 4), round(float(np.std(v)), 4)] for name, v in area.items()}


class Answers:
    """The pairs of gsm8k-solutions, by question and by answer."""

    def __init__(self) -> None:
        pairs = gsm8k()
        self.group = pairs["prompt"].rank("dense").to_numpy().astype(int) - 1
        texts = pl.concat([pairs["prompt"] + "\n" + pairs[side] for side in ("chosen", "rejected")])
        ids = texts.rank("dense").to_numpy().astype(int) - 1
        self.n, self.answers = len(pairs), int(ids.max()) + 1
        self.chosen, self.rejected = ids[: self.n], ids[self.n :]

    def margins(self, kind: str, rate: float, rng: np.random.Generator) -> np.ndarray:
        turned = rng.random(self.n) < rate
        common = rng.normal(size=self.answers)
        gap = 3 * np.maximum(0, rng.random(self.group.max() + 1) - 0.3)[self.group] if kind == "hard" else 1.0
        found: list[np.ndarray] = []
        for strength, scale in zip(STRENGTHS, SCALES, strict=True):
            r = rng.normal(size=self.answers)
            r = 0.6 * common + 0.8 * r if kind == "shared" else r
            found.append(scale * (strength * gap + r[self.chosen] - r[self.rejected]))
        if kind == "copy":
            found[2] = 2 * found[0]
        found = found[: {"one": 1, "two": 2}.get(kind, 3)]
        return np.array(found) * np.where(turned, -1, 1)


def wrong_labels(data: Answers, kind: str, rate: float, redraws: int) -> dict[str, object]:
    told = [noise(data.margins(kind, rate, np.random.default_rng([k, 11])), data.group) for k in range(redraws)]
    points = [t for t in told if t["rate"] is not None]
    out: dict[str, object] = {
        "kind": kind, "rate": rate, "redraws": redraws, "points": len(points),
        "bound_holds": round(float(np.mean([t["at_most"] >= rate for t in told])), 4),
        "bound_median": round(float(np.median([t["at_most"] for t in told])), 4),
        "declined": dict(Counter(t["declined"] for t in told if t["declined"])),
    }  # fmt: skip
    if points:
        error = np.abs([t["rate"] - rate for t in points])
        covered = [t["interval"][0] <= rate <= t["interval"][1] for t in points]
        out |= {"mean": round(float(np.mean([t["rate"] for t in points])), 4), "largest_error": round(error.max(), 4),
                "within_3_points": round(float((error <= 0.03).mean()), 4),
                "covered": round(float(np.mean(covered)), 4),
                "width": round(float(np.median([np.diff(t["interval"])[0] for t in points])), 4)}  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redraws", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    print(json.dumps({"finding": finding(asked.seeds)}), flush=True)
    if not os.environ.get("PREFAUDIT_TEST_DATA"):
        raise SystemExit("PREFAUDIT_TEST_DATA is not set: the noise part needs gsm8k-solutions")
    data = Answers()
    for kind in ("independent", "shared", "copy", "hard", "one", "two"):
        for rate in (0.0, 0.1, 0.2, 0.3):
            redraws = asked.redraws if kind == "independent" else asked.redraws // 20
            print(json.dumps(wrong_labels(data, kind, rate, redraws)), flush=True)


if __name__ == "__main__":
    main()

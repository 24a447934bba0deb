"""Do the errors of the effects hold? Permuted labels, planted effects, coverage over redraws.

usage: PREFAUDIT_TEST_DATA=DIR python benchmarks/effects.py [--runs 200] [--redraws 400] [--sets hh fine alpaca]

Three pair sets: hh-harmless (groups by first turn), finegrained-rlhf (four answers to a question, six pairs), and four
of the answers of alpaca-eval's judged responses to each prompt (six pairs). Features are counts by pattern, made once;
every run calls `stats.effects` anew, so selection, false discovery rates and all are run again.
"""

import argparse
import gzip
import json
import os
import resource
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl

from prefaudit import stats

PATTERNS = {
    "chars": ("length", None),
    "lines": ("format", r"\n"),
    "questions": ("format", r"\?"),
    "exclamations": ("format", "!"),
    "quotes": ("format", '"'),
    "digits": ("format", r"[0-9]+"),
    "commas": ("format", ","),
    "capitals": ("format", r"[A-Z]"),
    "brackets": ("format", r"\("),
    "i": ("tone", r"\bI\b"),
    "you": ("tone", r"(?i)\byou\b"),
    "not": ("tone", r"(?i)\bnot\b|n't\b"),
    "could": ("tone", r"(?i)\b(could|might|may|maybe|perhaps)\b"),
    "should": ("tone", r"(?i)\b(should|must|need)\b"),
    "because": ("tone", r"(?i)\b(because|since|so|therefore)\b"),
    "also": ("tone", r"(?i)\b(also|and)\b"),
    "the": ("style", r"(?i)\bthe\b"),
    "long_words": ("style", r"\w{9,}"),
    "was": ("style", r"(?i)\b(was|were|had)\b"),
    "people": ("style", r"(?i)\b(people|they|we)\b"),
}
FAMILIES = {name: family for name, (family, _) in PATTERNS.items()}
OPTIONS = stats.EffectOptions(joint_rows=0)
EFFECT = 0.4  # logits of a planted effect, over 15 points, on features that differ in a tenth of the pairs or more
TASTE = 0.5  # standard deviation over groups of the logits of each feature
PLANTED = 5


@dataclass
class Pairs:
    """A pair set: features of both sides, length, groups, labels; which side comes first is drawn."""

    name: str
    features: dict
    length: np.ndarray
    group: np.ndarray
    y: np.ndarray

    @property
    def n(self):
        return len(self.length)


def pairs(name, frame, group, y, rng):
    """Features of `a` and `b`; sides are exchanged by a coin, so that orientation carries nothing."""
    flip = rng.random(frame.height) < 0.5
    features = {}
    for feature, (_, pattern) in PATTERNS.items():
        count = [frame[s].str.len_chars() if pattern is None else frame[s].str.count_matches(pattern) for s in "ab"]
        a, b = (c.cast(pl.Float64).to_numpy() for c in count)
        features[feature] = (np.where(flip, b, a), np.where(flip, a, b))
    return Pairs(name, features, stats.length_ratio(*features["chars"]), group, np.where(flip, 1 - y, y))


def hh(data, rng):
    frame = pl.read_ndjson(data / "hh-harmless/test.jsonl.gz")
    last = [pl.col(c).str.extract(r"(?s)^.*\n\nAssistant:(.*)$", 1).fill_null("") for c in ("chosen", "rejected")]
    first = frame["chosen"].str.extract(r"(?s)^\n\nHuman:(.*?)\n\nAssistant:", 1).fill_null("")
    group = stats.components([first.str.strip_chars().hash(1).to_numpy()], frame.height)
    return pairs("hh-harmless", frame.select(a=last[0], b=last[1]), group, np.ones(frame.height), rng)


def fine(data, rng):
    rows = []
    with gzip.open(data / "finegrained-rlhf/dev_feedback.json.gz", "rt") as file:
        for g, item in enumerate(json.load(file)):
            for (i, j), p in zip(combinations(range(1, 5), 2), item["preference"], strict=True):
                rows.append((item[f"prediction {i}"], item[f"prediction {j}"], g, {0: 0.5, 1: 1.0, 2: 0.0}[p]))
    frame = pl.DataFrame(rows, schema=["a", "b", "g", "y"], orient="row")
    return pairs("finegrained-rlhf", frame, frame["g"].to_numpy(), frame["y"].to_numpy(), rng)


def alpaca(data, rng):
    frame = pl.read_parquet(data / "alpaca-eval/judged_responses.parquet").sort("prompt", "model")
    rows = []
    for g, part in enumerate(frame.partition_by("prompt", maintain_order=True)):
        for i, j in combinations(sorted(rng.choice(part.height, min(4, part.height), replace=False)), 2):
            gap = part["score"][int(i)] - part["score"][int(j)]
            rows.append((part["response"][int(i)], part["response"][int(j)], g, 0.5 + 0.5 * float(np.sign(gap))))
    frame = pl.DataFrame(rows, schema=["a", "b", "g", "y"], orient="row").fill_null("")
    return pairs("alpaca-eval", frame, frame["g"].to_numpy(), frame["y"].to_numpy(), rng)


def run(p, y, features=None, group=None):
    group = p.group if group is None else group
    return stats.effects(y, p.length, features or p.features, FAMILIES, group, options=OPTIONS).sort("feature")


def signs(p, features=None):
    """(n, F) signs of the differences of all features but length, in the order of their names."""
    features = features or p.features
    return np.column_stack([np.sign(a - b) for name, (a, b) in sorted(features.items()) if name != "chars"])


def permutations(p, runs, rng):
    """Share of runs with any q < .05: as reported, with BH within families alone; and p < .05 per feature."""
    found, within, single = [], [], []
    for _ in range(runs):
        flip = rng.integers(0, 2, p.group.max() + 1)[p.group]
        e = run(p, np.where(flip, 1 - p.y, p.y)).filter(pl.col("p").is_not_null())
        found.append(bool((e["q"] < 0.05).any()))
        families = e.partition_by("family")
        within.append(any(np.nanmin(stats.bh(f["p"].to_numpy())) < 0.05 for f in families))
        single.append(float((e["p"] < 0.05).mean()))
    return np.mean(found), np.mean(within), np.mean(single)


def tastes(p, s, rng):
    """Each group's own taste for every feature: (n,) logits, shared by the pairs of a group."""
    taste = rng.normal(0, TASTE, (p.group.max() + 1, s.shape[1]))
    return (taste[p.group] * s).sum(1)


def planted(p, runs, rng):
    """False discovery proportion and power with five effects; other features come from a shuffled pair set.

    Real features go together, so beside a planted one they have true effects of their own. Those that are to have none
    are taken from other groups of the same size, pair by pair.
    """
    common = (pl.col("prevalence") >= 0.1) & pl.col("p").is_not_null()
    known = run(p, p.y).filter(common).sort("prevalence", descending=True)["feature"].to_list()
    real = known[:: max(1, len(known) // PLANTED)][:PLANTED]
    sizes = np.bincount(p.group)
    order = np.lexsort((p.group, sizes[p.group]))
    false, power = [], []
    for _ in range(runs):
        donor = np.empty(p.n, np.int64)
        shuffled = np.lexsort((rng.permutation(len(sizes))[p.group], sizes[p.group]))
        donor[order] = shuffled
        mixed = {k: (a, b) if k in real or k == "chars" else (a[donor], b[donor]) for k, (a, b) in p.features.items()}
        s = signs(p, mixed)
        names = [k for k in sorted(mixed) if k != "chars"]
        effect = np.array([EFFECT * (-1) ** real.index(k) if k in real else 0.0 for k in names])
        own = s * (effect != 0)
        logit = 0.4 * p.length + s @ effect + tastes(p, own, rng)
        y = (rng.random(p.n) < 1 / (1 + np.exp(-logit))).astype(float)
        hits = run(p, y, mixed).filter(pl.col("q") < 0.05)["feature"].to_list()
        false.append(len([h for h in hits if h not in real]) / max(1, len(hits)))
        power.append(len([h for h in hits if h in real]) / len(real))
    return np.mean(false), np.mean(power)


def coverage(p, redraws, rng):
    """Coverage and width over redraws of all labels; naive: every pair its own group; oracle: the spread itself."""
    s = signs(p)
    effect = rng.normal(0, 0.2, s.shape[1])
    logit = 0.4 * p.length + s @ effect
    spread = np.sqrt((s**2).sum(1)) * TASTE
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    mean = (1 / (1 + np.exp(-(logit[:, None] + spread[:, None] * nodes)))) @ (weights / weights.sum())
    truth = run(p, mean)["delta_win"].to_numpy()
    names = ("delta_win", "low", "high")
    robust, naive = [], []
    for _ in range(redraws):
        y = (rng.random(p.n) < 1 / (1 + np.exp(-(logit + tastes(p, s, rng))))).astype(float)
        robust.append(run(p, y).select(names).to_numpy().astype(float))
        naive.append(run(p, y, group=np.arange(p.n)).select(names).to_numpy().astype(float))
    r, v = np.array(robust), np.array(naive)
    keep = ~np.isnan(r[:, :, 1]).any(0)
    oracle = 2 * 1.96 * r[:, keep, 0].std(0, ddof=1)
    inside = ((r[:, :, 1] <= truth) & (truth <= r[:, :, 2]))[:, keep].mean(0)
    plain = ((v[:, :, 1] <= truth) & (truth <= v[:, :, 2]))[:, keep].mean()
    width = (r[:, keep, 2] - r[:, keep, 1]).mean(0) / oracle
    return inside.mean(), inside.min(), inside.max(), plain, width.mean(), width.max(), int(keep.sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--redraws", type=int, default=400)
    parser.add_argument("--sets", nargs="+", default=["hh", "fine", "alpaca"], choices=["hh", "fine", "alpaca"])
    args = parser.parse_args()
    data = Path(os.environ["PREFAUDIT_TEST_DATA"])
    print(
        "| set | pairs | groups | any q < .05, permuted | BH within families alone | p < .05 per feature "
        "| false discoveries | power | coverage (per feature) | naive coverage | width / oracle (largest) | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in args.sets:
        rng = np.random.default_rng(7)
        began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        p = {"hh": hh, "fine": fine, "alpaca": alpaca}[name](data, rng)
        found, within, single = permutations(p, args.runs, rng)
        false, power = planted(p, args.runs, rng)
        mean, low, high, plain, width, widest, k = coverage(p, args.redraws, rng)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
        print(
            f"| {p.name} | {p.n:,} | {p.group.max() + 1:,} | {found:.3f} | {within:.3f} | {single:.3f} | {false:.3f} "
            f"| {power:.2f} | {mean:.3f} ({low:.3f} to {high:.3f}, {k} features) | {plain:.3f} "
            f"| {width:.3f} ({widest:.3f}) | {used:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

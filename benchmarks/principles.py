"""Principles without a language model: held-out agreement, permuted labels, planted rules, and cost.

    PREFAUDIT_TEST_DATA=... python benchmarks/principles.py agreement [SET ...] [--permutations 20]
    python benchmarks/principles.py planted [--seeds 10]
    python benchmarks/principles.py few [--seeds 20]
    python benchmarks/principles.py cost FILE.parquet
    python benchmarks/principles.py choice

agreement: the constitution of at most ten rules on hh-harmless, alpaca-eval, ultrafeedback clean and ukp-convarg, on
groups it was not chosen on, against the best single principle, the curve of length and all text features on the same
folds; then the same with labels turned at random, each label for itself, and by group.

planted: labels by five principles among 40 decoys correlated .6 with them, 15 % of all votes wrong: how many of the
five and of the decoys are in the list, and held-out agreement over that of the five with their weights known.

few: labels of few pairs by one to three principles of few candidates: how many are found, how many others are told.

cost: CPU seconds of each part of a scan that principles add, by `resource.getrusage`, on what FILE holds. The features
that they rest on, but for `wording`, are part of every scan and are not counted.

choice: CPU seconds of choosing a list of four rules among 70 on 50,000 pairs, the most that a list is chosen on.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from prefaudit.audit import Audit, judge, run
from prefaudit.audit.measure import Measures
from prefaudit.config import checked
from prefaudit.extractors.constitution import Constitutional
from prefaudit.principles import constitution as chosen
from prefaudit.principles.path import agreed

SETS = {
    "hh-harmless": "hh-harmless/test.jsonl.gz",
    "alpaca-eval": "alpaca-eval/gpt-3.5-turbo-0301.weighted_alpaca_eval_gpt4_turbo.annotations.json.gz",
    "ultrafeedback": "ultrafeedback-flips/clean.jsonl.gz",
    "ukp-convarg": "ukp-convarg/votes.parquet",
}


def told(rate: dict[str, Any]) -> str:
    low, high = rate["interval"]
    return f"{rate['agreement']:.3f} [{low:.3f}, {high:.3f}]"


def columns(audit: Audit) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Votes, labels and groups of the pairs with two answers."""
    both = pl.all_horizontal(pl.col("hash_chosen", "hash_rejected").is_not_null())
    frame = pl.concat([audit.pairs(), audit.features().drop("row")], how="horizontal").filter(both)
    frame = frame.select("label", "group", "principles").collect()
    return (
        frame["principles"].struct.unnest(),
        np.where(frame["label"] == "chosen", 1.0, 0.5),
        frame["group"].to_numpy(),
    )


def agreement(name: str, permutations: int) -> None:
    path = Path(os.environ["PREFAUDIT_TEST_DATA"]) / SETS[name]
    with tempfile.TemporaryDirectory() as folder:
        audit = run([str(path)], folder, checked({"with_": ("text", "principles"), "fail_on": "never"}))
        section = audit.report["constitution"]
        print(f"\n{name}: {section['n']:,} pairs with a winner, {section['groups']:,} groups")
        print(f"  constitution  {told(section['held_out'])}  rules by fold {section['held_out']['rules']}")
        for one in section["baselines"]:
            print(f"  {one['name']}{': ' + one['says'] if one['says'] else ''}  {told(one)}")
        print("  curve", [round(c["agreement"], 3) for c in section["curve"]])
        for rule in section["rules"]:
            print(f"    {rule['weight']:.2f}  {rule['says']}; followed {rule['followed']:.3f} in {rule['applies']:.3f}")
        votes, y, group = columns(audit)
    for unit in ("label", "group"):
        holds, rates = [], []
        for seed in range(permutations):
            rng = np.random.default_rng(10_000 + seed)  # not the seed of the folds
            turn = (rng.integers(0, 2, len(y)) if unit == "label" else rng.integers(0, 2, group.max() + 1)[group]) == 1
            found = chosen.choose(votes, np.where(turn, 1 - y, y), group, seed).held_out
            rates.append(found["agreement"])
            holds.append(found["interval"][0] <= 0.5 <= found["interval"][1])
        print(f"  turned by {unit}: mean {np.mean(rates):.3f}, {min(rates):.3f} to {max(rates):.3f}; "
              f"interval holds 1/2 in {sum(holds)} of {permutations}")  # fmt: skip


def planted(seeds: int, n: int = 2300) -> None:
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        true, weight = rng.choice([-1, 0, 1], (n, 5), p=[0.3, 0.4, 0.3]), np.array([1.0, 0.9, 0.8, 0.7, 0.6])
        sums = true @ weight
        y = np.where(sums > 0, 1.0, np.where(sums < 0, 0.0, rng.integers(0, 2, n)))
        decoys = [np.where(rng.random(n) < 0.6, true[:, k % 5], rng.choice([-1, 0, 1], n, p=[0.3, 0.4, 0.3]))
                  for k in range(40)]  # fmt: skip
        votes = np.column_stack([true, *decoys]).astype(np.int8)
        wrong = rng.random(votes.shape) < 0.15
        votes[wrong] = (votes[wrong] + 1 + rng.integers(1, 3, int(wrong.sum()))) % 3 - 1
        names = [f"true{k}" for k in range(5)] + [f"decoy{k}" for k in range(40)]
        found = chosen.choose(pl.DataFrame(dict(zip(names, votes.T, strict=True))), y, np.arange(n), seed)
        ids = [rule.id for rule in found.rules]
        best = float(agreed(votes[:, :5] @ weight, y).mean())
        rate, right = found.held_out["agreement"], sum(i.startswith("true") for i in ids)
        print(f"seed {seed}: {right} of 5, {len(ids) - right} decoys; held-out {rate:.3f}, {rate / best:.3f} of what "
              "the votes allow")  # fmt: skip


def few(seeds: int) -> None:
    for n, candidates, rules, copies in ((60, 3, 1, 0), (60, 10, 3, 0), (60, 30, 3, 0), (60, 5, 1, 8), (60, 5, 2, 8),
                                         (60, 10, 3, 3), (200, 10, 3, 0), (200, 5, 2, 8)):  # fmt: skip
        right, false, share = [], [], []
        for seed in range(seeds):
            rng = np.random.default_rng([n, candidates, rules, seed])
            true = rng.choice([-1, 0, 1], (n, candidates), p=[0.4, 0.2, 0.4])
            sums = true[:, :rules].sum(1)
            y = np.where(sums != 0, sums > 0, rng.random(n) < 0.5).astype(float)
            said = np.where(rng.random(true.shape) < 0.15, rng.choice([-1, 0, 1], true.shape), true)
            near = [np.where(rng.random(n) < 0.6, said[:, k], rng.permutation(said[:, k]))
                    for k in range(candidates) for _ in range(copies)]  # fmt: skip
            votes = np.column_stack([said, *near]).astype(np.int8)
            frame = pl.DataFrame({str(k): votes[:, k] for k in range(votes.shape[1])})
            ids = [int(rule.id) for rule in chosen.choose(frame, y, np.arange(n), seed).rules]
            right.append(sum(k < rules for k in ids))
            false.append(len(ids) - right[-1])
            share.append(false[-1] / max(len(ids), 1))
        print(f"{n} pairs, {candidates} candidates with {copies} copies each: {np.mean(right):.1f} of {rules} found, "
              f"{np.mean(false):.1f} others, {np.mean(share):.2f} of a list")  # fmt: skip


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


SPENT: dict[str, float] = {}
ADDED = {
    "wording": "wording",
    "principles": "votes, with reading what they rest on",
    "constitution": "columns of the list",
}
"""Extractors that the other groups do without, and what they do."""


@contextmanager
def counted(place: Any, name: str, what: Callable[..., str | None]) -> Iterator[None]:
    """Count what a function spends, wherever it is called from, under what its arguments say."""
    own: Callable[..., Any] = getattr(place, name)

    def timed(*args: Any, **options: Any) -> Any:
        start, said = cpu(), what(*args)
        try:
            return own(*args, **options)
        finally:
            if said:
                SPENT[said] = SPENT.get(said, 0.0) + cpu() - start

    setattr(place, name, timed)
    try:
        yield
    finally:
        setattr(place, name, own)


def cost(path: str) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        counted(Measures, "one", lambda measures, extractor, *rest: ADDED.get(extractor.name)),
        counted(Constitutional, "fit", lambda *rest: "choosing the list"),
        counted(judge, "principles", lambda *rest: "report: effects, baselines"),
    ):
        start = cpu()
        audit = run([path], folder, checked({"with_": ("text", "principles"), "fail_on": "never", "workers": 1}))
        whole = cpu() - start
    pairs = audit.report["dataset"]["pairs"]
    for what, seconds in SPENT.items():
        print(f"{what}: {seconds:.1f} CPU s")
    print(f"together {sum(SPENT.values()):.1f} of {whole:.1f} CPU s for {pairs:,} pairs; "
          f"{len(audit.report['constitution']['rules'])} rules; "
          f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")  # fmt: skip


def choice(n: int = 50_000) -> None:
    rng = np.random.default_rng(0)
    votes = rng.choice([-1, 0, 1], (n, 70), p=[0.3, 0.4, 0.3]).astype(np.int8)
    odds = votes[:, :4] @ np.array([0.8, 0.6, 0.4, 0.3])
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    start = cpu()
    found = chosen.choose(pl.DataFrame({f"p{k}": votes[:, k] for k in range(70)}), y, np.arange(n), 0)
    print(f"{len(found.rules)} rules: {cpu() - start:.1f} CPU s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("agreement", "planted", "few", "cost", "choice"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--permutations", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    if given.what == "agreement":
        for name in given.names or SETS:
            agreement(name, given.permutations)
    elif given.what == "planted":
        planted(given.seeds)
    elif given.what == "few":
        few(given.seeds)
    elif given.what == "choice":
        choice()
    else:
        cost(given.names[0])


if __name__ == "__main__":
    main()

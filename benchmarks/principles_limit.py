"""How many pairs it takes to find five principles among forty decoys: the limit beside what the package finds.

    python benchmarks/principles_limit.py DATA [icai-synthetic] [hh-harmless] [--draws 10] [--quick]

Votes are drawn as `principles_judge.votes` draws them, anew by numpy for every draw: labels by the five, 15 % of votes
wrong, decoys that repeat a principle's votes (`votes`) or its truth with errors of their own (`truth`), correlation .6.

The oracle knows that there are five, that they weigh alike, and how likely a label is given the sum of their votes. It
takes, of all 1,221,759 sets of five of 45, the one under which the labels are likeliest: no method that tells the five
by how labels follow votes alone is right more often. --quick leaves it out. Votes say more: of likenesses of one
principle, that one explains the others (`likeness.stands`), and in how many draws these are the five is told first.
"""

from __future__ import annotations

import argparse
import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import principles_judge as judge
from numpy.typing import NDArray
from principles_llm import apart, fitted, pairs_of, texts

from prefaudit.principles.constitution import AT_MOST, choose
from prefaudit.principles.discover import FIRST, PAIRS
from prefaudit.principles.halves import settled
from prefaudit.principles.likeness import stands
from prefaudit.principles.path import agreed

Votes = NDArray[np.int8]
DECOYS, FIVE = 40, 5
SIZES = (60, 100, 200, 400, 800)


def drawn(true: Votes, rng: np.random.Generator, tie: str, wrong: float, decoys: int = DECOYS) -> Votes:
    """(n, 5 + decoys) votes for the chosen answer of n pairs, from what five principles truly say of them."""
    n, five = true.shape
    lean = np.sign(true.sum(1))
    label = np.where(lean != 0, lean, rng.choice([-1, 1], n))

    def erring(vote: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(rng.random(n) < wrong, (vote + 1 + rng.integers(1, 3, n)) % 3 - 1, vote)

    said = [erring(true[:, k].astype(np.int64)) for k in range(five)]
    for decoy in range(decoys):
        own = said[decoy % five] if tie == "votes" else true[:, decoy % five].astype(np.int64)
        free = rng.choice(own, n)
        vote = np.where(rng.random(n) < judge.TIED, own, free)
        said.append(vote if tie == "votes" else erring(vote))
    return (np.column_stack(said) * label[:, None]).astype(np.int8)


def likely(true: Votes, wrong: float) -> NDArray[np.float32]:
    """The log-chance of the label given that the five votes for it sum to -5 ... 5."""
    many = np.repeat(true, 100_000 // len(true) + 1, axis=0)
    sums = drawn(many, np.random.default_rng(7), "votes", wrong, 0).sum(1)
    count = np.bincount(sums + FIVE, minlength=2 * FIVE + 1) + 0.5
    return np.log(count / (count + count[::-1])).astype(np.float32)


def oracle(votes: Votes, chance: NDArray[np.float32]) -> set[int]:
    """The set of five under which the labels are likeliest."""
    p = votes.shape[1]
    three = np.array(list(combinations(range(p), 3)))
    sums = np.array([votes[:, list(t)].sum(1) for t in three], np.int8)
    best, found = -np.inf, set()
    for a, b in combinations(range(p - 3), 2):
        start = int(np.searchsorted(three[:, 0], b + 1))
        told = chance[sums[start:] + (votes[:, a] + votes[:, b] + FIVE)].sum(1)
        k = int(told.argmax())
        if told[k] > best:
            best, found = float(told[k]), {a, b, *three[start + k].tolist()}
    return found


def ours(votes: Votes, seed: int, worth: list[list[float]] | None = None) -> set[int]:
    """The rules of the constitution; adds its held-out agreement to `worth`, and that of the five in two ways.

    These are the five with weights from the other folds, and their plain majority.
    """
    y, group = np.ones(len(votes)), np.arange(len(votes))
    frame = pl.DataFrame({str(k): votes[:, k] for k in range(votes.shape[1])})
    made = choose(frame, y, group, seed)
    if worth is not None:
        five = fitted(frame[:, :FIVE], y, group, seed)
        worth.append([made.held_out["agreement"], five, float(agreed(votes[:, :FIVE].sum(1).astype(float), y).mean())])
    return {int(rule.id) for rule in made.rules}


def heads(votes: Votes) -> set[int]:
    """The principles that stand for others or for themselves alone."""
    head = stands(votes.astype(np.float32))
    return set(np.flatnonzero(head == np.arange(len(head))).tolist())


def table(name: str, true: Votes, sizes: tuple[int, ...], draws: int, quick: bool) -> None:
    """Print what votes alone, labels alone and both find of so many pairs."""
    for tie, wrong in (("votes", judge.WRONG), ("truth", judge.WRONG), ("votes", 0.0))[: 3 if len(sizes) == 1 else 2]:
        chance = None if quick else likely(true, wrong)
        for n in sizes:
            found, worth = [], []
            for seed in range(draws):
                rng = np.random.default_rng([seed, n])
                votes = drawn(true, rng, tie, wrong)[rng.permutation(len(true))[:n]]
                found.append(
                    (heads(votes), ours(votes, seed, worth), *([] if chance is None else [oracle(votes, chance)]))
                )
            said = []
            for who in zip(*found, strict=True):
                right, decoys = [sum(k < FIVE for k in f) for f in who], [sum(k >= FIVE for k in f) for f in who]
                whole = sum(r == FIVE and d <= 1 for r, d in zip(right, decoys, strict=True))
                said.append(f"all five in {whole:2} of {draws}, on average {np.mean(right):.1f}, "
                            f"decoys {np.mean(decoys):.1f}")  # fmt: skip
            told = " | ".join(": ".join(both) for both in zip(("votes alone", "ours", "oracle"), said, strict=False))
            ours_, five, most = np.mean(worth, 0)
            told += f" | held-out {ours_:.3f}, the five fitted {five:.3f}, their majority {most:.3f}"
            print(f"{name} {n:5,} pairs, decoys of the {tie}, {wrong:.0%} wrong | {told}", flush=True)


def stops(name: str, true: Votes, draws: int) -> None:
    """Print how many pairs are voted on until the list is settled, and what it then is."""
    for tie in ("votes", "truth"):
        found = []
        for seed in range(draws):
            rng = np.random.default_rng([seed, 1])
            votes, n, sure = drawn(true, rng, tie, judge.WRONG)[rng.permutation(len(true))], 0, False
            while not sure and n < PAIRS:
                n = max(FIRST, 2 * n)
                sure = settled(votes[:n].astype(np.float32), np.arange(n), seed, AT_MOST)
            list_ = ours(votes[:n], seed)
            found.append((n, sure, sum(k < FIVE for k in list_), sum(k >= FIVE for k in list_)))
        print(f"{name}, decoys of the {tie}: (pairs, settled, of the five, decoys): draws")
        for key in sorted(set(found)):
            print(f"  {key}: {found.count(key)}", flush=True)


def said(pairs: list[tuple[str, str, str]], rules: dict[str, judge.Rule]) -> Votes:
    return np.array([[rule(a, b) for rule in rules.values()] for _, a, b in pairs], np.int8)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("sets", nargs="*", default=["icai-synthetic", "hh-harmless"])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if "icai-synthetic" in given.sets:
        with (given.data / "icai-synthetic" / "synthetic_data_mixed_vqvtb_adcbg.csv").open() as f:
            some = pairs_of(list(csv.DictReader(f)))
        every = apart(some)
        table("icai-synthetic", said(some, judge.SHORT), (len(some),), given.draws, given.quick)
        table(
            "icai-synthetic, every two answers",
            said(every, judge.SHORT),
            (200, 400, len(every)),
            given.draws,
            given.quick,
        )
    if "hh-harmless" in given.sets:
        true = said(texts(given.data / "hh-harmless" / "test.jsonl.gz")[0], judge.KNOWN)
        stops("hh-harmless", true, 3 * given.draws)
        table("hh-harmless", true, SIZES, given.draws, given.quick)


if __name__ == "__main__":
    main()

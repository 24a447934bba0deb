"""Coverage of the intervals that a review sheet gives, over datasets and sheets drawn anew each time.

    python benchmarks/review.py [--runs 2000] [--only NAME]

A dataset has groups of pairs whose labels are wrong at the group's own rate (a beta distribution of the given
intra-group correlation) and a rule that names some of them. A sheet of n pairs is drawn at random, or half from what
the rule names. Asked is how often the interval holds the share in data of this kind, and how often the one-sided bound
does. "naive" is the same estimate with pairs taken as independent and no floor for what the sheet did not happen to
hold.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from prefaudit.audit.estimate import Answers, Population, estimate


@dataclass(frozen=True)
class Case:
    """pairs in groups of 1 to `largest`; share `wrong` of labels with correlation `rho` in a group; the rule names
    `hit` of the wrong and `alarm` of the right ones; `n` pairs judged, half of them by the rule where `by`."""

    pairs: int
    largest: int
    wrong: float
    rho: float
    hit: float
    alarm: float
    n: int
    by: bool


CASES = {
    "independent": Case(2000, 1, 0.15, 0.0, 0.5, 0.05, 100, False),
    "by the rule": Case(2000, 1, 0.15, 0.0, 0.5, 0.05, 100, True),
    "groups of 1 to 8": Case(2000, 8, 0.15, 0.4, 0.5, 0.05, 300, False),
    "groups of 1 to 8, by the rule": Case(2000, 8, 0.15, 0.4, 0.5, 0.05, 300, True),
    "groups of 1 to 40": Case(2000, 40, 0.15, 0.4, 0.5, 0.05, 200, False),
    "all judged, groups of 1 to 8": Case(400, 8, 0.15, 0.4, 0.5, 0.05, 400, False),
    "rare, no rule": Case(2000, 1, 0.02, 0.0, 0.0, 0.0, 100, False),
    "rare in the rest, by the rule": Case(2000, 1, 0.06, 0.0, 0.6, 0.01, 100, True),
    "few judged": Case(2000, 1, 0.15, 0.0, 0.5, 0.05, 20, False),
}


def drawn(case: Case, rng: np.random.Generator) -> tuple[Population, np.ndarray, np.ndarray, Answers]:
    """A dataset, which labels are wrong, what the rule names, and a sheet."""
    sizes = rng.integers(1, case.largest + 1, case.pairs)
    group = np.repeat(np.arange(case.pairs), sizes)[: case.pairs]
    rate = np.full(case.pairs, case.wrong)
    if case.rho:
        spread = 1 / case.rho - 1
        rate = rng.beta(case.wrong * spread, (1 - case.wrong) * spread, case.pairs)
    wrong = rng.random(case.pairs) < rate[group]
    named = rng.random(case.pairs) < np.where(wrong, case.hit, case.alarm)
    pools = [np.flatnonzero(named), np.flatnonzero(~named)] if case.by else [np.arange(case.pairs)]
    each = [min(len(pool), case.n // len(pools)) for pool in pools]
    rows = [rng.choice(pool, k, replace=False) for pool, k in zip(pools, each, strict=True)]
    weight = [np.full(k, len(pool) / max(k, 1)) for pool, k in zip(pools, each, strict=True)]
    seen = np.concatenate(rows)
    population = Population.of(np.ones(case.pairs, bool), group)
    return population, wrong, named.astype(float), Answers(seen, wrong[seen].astype(float), np.concatenate(weight))


def naive(named: np.ndarray, said: Answers) -> tuple[float, float]:
    share, rest = said.weight / said.weight.sum(), said.truth - named[said.rows]
    mean, n = float((share * rest).sum()), len(rest)
    half = 1.96 * float(np.sqrt((share**2 * (rest - mean) ** 2).sum() * n / (n - 1)))
    return named.mean() + mean - half, named.mean() + mean + half


def run(case: Case, runs: int, seed: int) -> tuple[float, float, float, float, float]:
    """Coverage, of the one-sided bound, median width, coverage and median width of the naive interval."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(runs):
        population, _, named, said = drawn(case, rng)
        told, (a, b) = estimate(population, named, said), naive(named, said)
        assert told is not None
        low, high = told["interval"]
        held, bounded = low <= case.wrong <= high, case.wrong <= told["at_most"]
        found.append((held, bounded, high - low, a <= case.wrong <= b, b - a))
    made = np.array(found, float)
    rate, width = made.mean(0), np.median(made, 0)
    return rate[0], rate[1], width[2], rate[3], width[4]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    print("| case | covered | at most holds | median width | naive covered | naive width |\n|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if given.only in name:
            told = run(case, given.runs, 0)
            print(f"| {name} | " + " | ".join(f"{x:.3f}" for x in told) + " |")


if __name__ == "__main__":
    main()

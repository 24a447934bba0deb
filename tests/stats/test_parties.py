"""Parties: each one's share of wrong labels, where scorers' errors are known, and nothing of it where not."""

from __future__ import annotations

import numpy as np
import pytest

from prefaudit.stats.noise import evidence, noise
from prefaudit.stats.parties import parties

RATES = {"a": 0.05, "b": 0.2, "c": 0.4}
N = 6000


def drawn(seed: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    names = rng.choice(list(RATES), N)
    wrong = np.where(rng.random(N) < np.array([RATES[n] for n in names]), -1, 1)
    return names.tolist(), np.array([s * (m + rng.normal(size=N)) * wrong for s, m in ((1, 0.7), (3, 0.9), (8, 1.2))])


def test_each_party_gets_its_own_rate() -> None:
    covered, bias = [], []
    for seed in range(12):
        names, margins = drawn(seed)
        told = noise(margins, np.arange(N))
        assert told["rate"] is not None
        found = parties(names, margins.mean(0), evidence(told, np.sign(margins)), told["rate"], np.arange(N))
        assert [p["n"] for p in found] == sorted((p["n"] for p in found), reverse=True) and len(found) == 3
        for p in found:
            covered.append(p["interval"][0] <= RATES[p["name"]] <= p["interval"][1])
            bias.append(p["wrong"] - RATES[p["name"]])
    assert np.mean(covered) > 0.85 and np.abs(np.mean(bias)) < 0.02 and np.max(np.abs(bias)) < 0.06


def test_without_a_calibration_only_what_was_seen() -> None:
    names, margins = drawn(0)
    found = parties(names, margins[0], None, None, np.arange(N))
    assert all(p["wrong"] is None and p["interval"] is None for p in found)
    for p in found:
        here = margins[0][np.array(names) == p["name"]]
        assert p["against"] == pytest.approx((here < 0).mean())
    assert parties(["a"] * N, margins[0], None, None, np.arange(N)) == []
    few = ["a"] * (N - 40) + ["b"] * 40
    assert [p["name"] for p in parties(few, margins[0], None, None, np.arange(N))] == ["a"]

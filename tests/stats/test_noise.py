"""What scorers say of wrong labels: a bound from one, a number from three that err apart, neither from relatives."""

from __future__ import annotations

import numpy as np
import pytest

from prefaudit.stats.noise import log_odds, noise

N = 4000


def scorers(
    rate: float, seed: int = 0, shared: float = 0.0, gap: np.ndarray | float = 1.0, many: int = 3
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wrong = np.where(rng.random(N) < rate, -1, 1)
    common = rng.normal(size=N)
    own = [np.sqrt(1 - shared**2) * rng.normal(size=N) + shared * common for _ in range(many)]
    return np.array([s * (m * gap + e) * wrong for s, m, e in zip((1, 3, 8), (0.7, 0.9, 1.2), own, strict=False)])


def test_three_that_err_apart_tell_the_share_of_wrong_labels() -> None:
    group = np.arange(N)
    for rate in (0.1, 0.2, 0.3):
        told = noise(scorers(rate), group)
        assert not told["declined"]
        assert abs(told["rate"] - rate) < 0.03 and told["interval"][0] < rate < told["interval"][1]
        assert told["at_most"] >= rate
        truth = [0.758, 0.816, 0.885]  # the normal distribution's share below .7, .9, 1.2
        assert np.abs(np.array(told["accuracy"]) - truth).max() < 0.03


def test_groups_that_move_as_one_widen_the_interval() -> None:
    once = scorers(0.2)[:, :1000]
    told = [noise(np.repeat(once, 4, axis=1), g) for g in (np.arange(N), np.repeat(np.arange(1000), 4))]
    width = [t["interval"][1] - t["interval"][0] for t in told if t["interval"]]
    assert len(width) == 2 and width[1] > 1.8 * width[0]


@pytest.mark.parametrize(
    ("margins", "why"),
    [
        (scorers(0.2, many=1), "one scorer"),
        (scorers(0.2, many=2), "leave nothing over"),
        (scorers(0.2, shared=0.6), "err together"),
        (scorers(0.2)[[0, 1, 0]], "err together"),
        (scorers(0.2)[:, :900], "do not rule out"),
        (np.sign(scorers(0.2)), "only votes"),
        (scorers(0.2)[:, :300], "are needed"),
        (scorers(0.5), "by chance"),
    ],
)
def test_who_cannot_tell_says_why(margins: np.ndarray, why: str) -> None:
    told = noise(margins, np.arange(margins.shape[1]))
    assert told["rate"] is None and told["interval"] is None and why in told["declined"]
    assert (told["at_most"] or 0.5) > 0.1


def test_too_few_pairs_are_not_reported_as_dependence() -> None:
    group = np.arange(1200)
    why = [noise(scorers(0.2, seed=seed)[:, :1200], group)["declined"] for seed in range(60)]
    assert sum("too few" in w for w in why) > 10 and not any("err together" in w for w in why)


def test_hard_pairs_are_not_taken_for_wrong_labels() -> None:
    hard = 3 * np.maximum(0, np.random.default_rng(1).random(N) - 0.3)
    told = noise(scorers(0.0, gap=hard), np.arange(N))
    assert told["rate"] is None and told["at_most"] < 0.05
    votes = np.sign(scorers(0.0, gap=hard))  # what the votes alone would have said
    moment = [(votes[i] * votes[j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert (1 - np.sqrt(votes[0].mean() * votes[1].mean() / moment[0])) / 2 > 0.03


def test_no_label_wrong_and_nothing_to_judge() -> None:
    assert noise(scorers(0.0), np.arange(N))["rate"] < 0.01
    assert noise(np.full((3, 50), np.nan), np.arange(50))["at_most"] is None


def test_log_odds_are_calibrated() -> None:
    margins = scorers(0.2, seed=3)
    told = noise(margins, np.arange(N))
    right = np.where(np.random.default_rng(3).random(N) < 0.2, 0.0, 1.0)
    p = 1 / (1 + np.exp(-log_odds(told, np.sign(margins))))
    for low, high in ((0, 0.3), (0.3, 0.8), (0.8, 1)):
        inside = (p >= low) & (p < high)
        assert abs(p[inside].mean() - right[inside].mean()) < 0.06


def test_scorers_no_better_than_chance_bound_nothing() -> None:
    margins = np.random.default_rng(0).normal(size=(1, 600))
    told = noise(margins, np.arange(600))
    assert told["at_most"] is None and told["bin"]["n"] == 100
    assert noise(np.abs(margins), np.arange(600))["at_most"] < 0.05

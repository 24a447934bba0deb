"""The effects table against plain formulas, and its symmetries."""

import numpy as np
import polars as pl
import pytest

from prefaudit import stats
from prefaudit.core import EFFECTS
from prefaudit.stats.cells import Cells, spline

FAMILIES = {"lists": "format", "bold": "format", "hedging": "tone", "chars": "length", "words": "format"}


def sigma(x):
    return 1 / (1 + np.exp(-x))


def data(n=3000, groups=600, seed=0, slope=0.8, effect=0.5):
    """Pairs with chosen first, lists worth `effect` logits, length `slope`."""
    rng = np.random.default_rng(seed)
    chars = rng.lognormal(6, 0.5, (2, n))
    features = {
        "chars": chars,
        "words": np.round(chars / 5),
        "lists": rng.poisson(chars / 300).astype(float),
        "bold": rng.poisson(0.5, (2, n)).astype(float),
        "hedging": rng.poisson(1, (2, n)).astype(float),
    }
    length = stats.length_ratio(*chars)
    group = rng.integers(0, groups, n)
    logit = slope * length + effect * np.sign(features["lists"][0] - features["lists"][1])
    wins = rng.random(n) < sigma(logit)
    features = {k: (np.where(wins, a, b), np.where(wins, b, a)) for k, (a, b) in features.items()}
    return np.ones(n), stats.length_ratio(*features["chars"]), features, group


def one(frame, feature):
    return frame.row(by_predicate=pl.col("feature") == feature, named=True)


def test_spline_is_natural_and_smooth():
    knots = np.array([0.3, 1.0, 2.0])
    x = np.linspace(0, 4, 4001)
    basis = spline(x, knots)
    h = x[1] - x[0]
    second = np.diff(basis, 2, axis=0) / h**2
    assert basis.shape == (4001, 3)
    assert np.allclose(basis[0], 0) and np.allclose(second[0], 0, atol=0.02)
    assert np.allclose(second[x[1:-1] > 2.01], 0, atol=1e-6)
    assert np.abs(np.diff(second, axis=0)).max() < 0.02  # the second derivative has no jump


def test_equal_lengths_have_a_cell_of_their_own():
    cells = Cells.of(np.concatenate([np.zeros(5), np.random.default_rng(0).normal(0, 1, 5000)]))
    assert (cells.cell[:5] == 0).all() and cells.value[0] == 0
    assert (cells.cell[5:] > 0).all() and np.allclose(cells.basis[0], 0)
    assert len(cells.value) <= 512


def test_delta_is_the_maximum_of_the_likelihood():
    """The same model on the pairs themselves, by scipy, with the cells' spline."""
    from scipy.optimize import minimize

    y, length, features, group = data(n=400, groups=400)
    y = np.where(np.arange(400) % 7 == 0, 0.5, y)
    cells = Cells.of(length)
    basis = cells.basis[cells.cell] * cells.turn[:, None]
    s = np.sign(features["lists"][0] - features["lists"][1])
    x = np.column_stack([basis, s])

    def loss(beta):
        eta = x @ beta
        return (np.logaddexp(0, eta) - y * eta).sum()

    beta = minimize(loss, np.zeros(x.shape[1]), method="BFGS", options={"gtol": 1e-8}).x
    f = basis @ beta[:-1]
    expected = (sigma(f + beta[-1]) - sigma(f - beta[-1])).mean()
    found = one(stats.effects(y, length, features, FAMILIES, group), "lists")
    assert found["delta_win"] == pytest.approx(expected, abs=1e-5)


def test_the_planted_effect_is_found_and_nothing_else():
    frame = stats.effects(*_args(data(n=8000, groups=2000)))
    assert frame.schema == EFFECTS
    lists = one(frame, "lists")
    assert lists["low"] < 0.22 < lists["high"] and lists["q"] < 1e-6 and lists["replication"] == 1.0
    assert lists["win_rate"] > sigma(0.5)  # length adds to it
    assert frame["feature"][0] == "lists" and lists["bound"] == lists["low"]
    for name in ("bold", "hedging"):
        assert abs(one(frame, name)["delta_win"]) < 0.06


def _args(made):
    y, length, features, group = made
    return y, length, features, FAMILIES, group


def test_no_held_effect_for_length_and_what_length_explains():
    frame = stats.effects(*_args(data()))
    for name, note in (("chars", "length itself"), ("words", "length explains")):
        row = one(frame, name)
        assert row["delta_win"] is None and row["delta_joint"] is None and row["q"] is None
        assert row["note"].startswith(note) and row["win_rate"] > 0.5


def test_swapping_the_sides_changes_nothing():
    y, length, features, group = data(n=1500, groups=300)
    y[::5] = 0.5
    flip = np.random.default_rng(1).random(1500) < 0.5
    swapped = {k: (np.where(flip, b, a), np.where(flip, a, b)) for k, (a, b) in features.items()}
    before = stats.effects(y, length, features, FAMILIES, group)
    after = stats.effects(np.where(flip, 1 - y, y), np.where(flip, -length, length), swapped, FAMILIES, group)
    for column in ("win_rate", "win_low", "delta_win", "low", "high", "delta_joint", "p"):
        assert np.allclose(before[column].to_numpy(), after[column].to_numpy(), atol=1e-6, equal_nan=True), column


def test_negating_the_labels_negates_the_effects():
    y, length, features, group = data(n=1500, groups=300)
    before = stats.effects(y, length, features, FAMILIES, group).sort("feature")
    after = stats.effects(1 - y, length, features, FAMILIES, group).sort("feature")
    assert np.allclose(before["delta_win"].to_numpy(), -after["delta_win"].to_numpy(), atol=1e-7, equal_nan=True)
    assert np.allclose(before["high"].to_numpy(), -after["low"].to_numpy(), atol=1e-7, equal_nan=True)


def test_ties_only_halve_the_effect():
    y, length, features, group = data(n=4000, groups=800, slope=0.0)
    full = one(stats.effects(y, length, features, FAMILIES, group), "lists")["win_rate"]
    half = one(stats.effects(np.where(np.arange(4000) % 2 == 0, y, 0.5), length, features, FAMILIES, group), "lists")
    assert half["win_rate"] - 0.5 == pytest.approx((full - 0.5) / 2, abs=0.02)


def test_where_every_pair_is_a_tie_no_effect_is_told():
    y, *rest = _args(data(n=400, groups=80))
    told = stats.effects(np.full(len(y), 0.5), *rest)
    assert told["delta_win"].is_null().all() and told["low"].is_null().all()
    assert one(told, "lists")["note"] == "every pair is a tie"


def test_unknown_values_are_left_out():
    y, length, features, group = data(n=1000, groups=200)
    c, r = (x.copy() for x in features["lists"])
    c[:300] = np.nan
    frame = stats.effects(y, length, features | {"lists": (c, r)}, FAMILIES, group)
    keep = np.arange(1000) >= 300
    alone = stats.effects(y[keep], length[keep], {"lists": (c[keep], r[keep])}, FAMILIES, group[keep])
    assert one(frame, "lists")["n"] == 700
    assert one(frame, "lists")["win_rate"] == pytest.approx(one(alone, "lists")["win_rate"])
    assert one(frame, "bold")["n"] == 1000


def test_few_groups_decline_with_a_note():
    y, length, features, group = data(n=600, groups=30)
    row = one(stats.effects(y, length, features, FAMILIES, group), "lists")
    assert row["low"] is None and row["q"] is None and row["bound"] is None
    assert "groups" in row["note"] and row["delta_win"] is not None


def test_repeating_pairs_in_their_groups_does_not_narrow_the_interval():
    y, length, features, group = data(n=500, groups=500)
    once = one(stats.effects(y, length, features, FAMILIES, group), "lists")
    many = stats.effects(
        np.tile(y, 10),
        np.tile(length, 10),
        {k: (np.tile(a, 10), np.tile(b, 10)) for k, (a, b) in features.items()},
        FAMILIES,
        np.tile(group, 10),
    )
    again = one(many, "lists")
    assert again["high"] - again["low"] == pytest.approx(once["high"] - once["low"], rel=0.02)


def test_annotators_widen_the_interval_where_they_differ():
    rng = np.random.default_rng(0)
    y, length, features, group = data(n=4000, groups=4000, effect=0.0)
    worker = rng.integers(0, 20, 4000)
    s = np.sign(features["bold"][0] - features["bold"][1])
    taste = rng.normal(0, 1.5, 20)
    y = (rng.random(4000) < sigma(taste[worker] * s)).astype(float)
    plain = one(stats.effects(y, length, features, FAMILIES, group), "bold")
    both = one(stats.effects(y, length, features, FAMILIES, group, annotator=worker), "bold")
    assert both["high"] - both["low"] > 2 * (plain["high"] - plain["low"])


def test_one_sided_features_have_a_finite_effect():
    y, length, _, group = data(n=500, groups=500)
    always = (np.where(np.arange(500) < 60, 1.0, 0.0), np.zeros(500))
    row = one(stats.effects(y, length, {"lists": always}, FAMILIES, group), "lists")
    assert row["win_rate"] == 1 and 0.5 < row["delta_win"] < 1 and row["win_low"] > 0.9


def test_large_data_are_tested_against_one_point():
    made = data(n=40_000, groups=40_000, effect=0.06, slope=0.0)
    wide = one(stats.effects(*_args(made)), "lists")
    point = one(stats.effects(*_args(made), options=stats.EffectOptions(large=10**9)), "lists")
    assert wide["delta_win"] == point["delta_win"] and wide["p"] > 3 * point["p"]


def test_bad_arguments():
    y, length, features, group = data(n=100)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        stats.effects(y * 2, length, features, FAMILIES, group)
    with pytest.raises(ValueError, match="100, 99 and 100"):
        stats.effects(y, length[1:], features, FAMILIES, group)
    assert stats.effects(y, length, {}, {}, group).is_empty()


def test_magnitude_levels():
    y, length, features, group = data(n=3000)
    row = one(stats.effects(y, length, features, FAMILIES, group, options=stats.EffectOptions(magnitude=True)), "lists")
    assert (
        row["low"] > 0
        and row["win_rate"] == one(stats.effects(y, length, features, FAMILIES, group), "lists")["win_rate"]
    )


def test_permuted_labels_exceed_rarely_and_real_ones_do():
    y, length, features, group = data(n=4000, groups=1000)
    real = stats.effects(y, length, features, FAMILIES, group)
    assert real.filter(pl.col("bound").abs() > 0.01).height >= 1
    made = stats.permuted(y, length, features, FAMILIES, group, permutations=40)
    assert made["permutations"] == 40 and 0 <= made["exceeding_permuted"] < 0.4
    assert made == stats.permuted(y, length, features, FAMILIES, group, permutations=40)


def test_intervals_cover_where_groups_have_tastes_and_naive_ones_do_not():
    rng = np.random.default_rng(3)
    n, groups = 1200, 150
    group = np.repeat(np.arange(groups), n // groups)
    length = rng.normal(0, 0.5, n)
    a, b = rng.poisson(np.repeat(rng.gamma(2, 1, groups), n // groups), (2, n)).astype(float)
    s = np.sign(a - b)
    once = rng.normal(0, 1.0, (4000, 1))
    mean = sigma(0.5 * length + (0.3 + once) * s).mean(0)
    options = stats.EffectOptions(joint_rows=0)

    def interval(y, g):
        return stats.effects(y, length, {"lists": (a, b)}, FAMILIES, g, options=options).row(0, named=True)

    truth = interval(mean, group)["delta_win"]
    robust, naive = [], []
    for _ in range(150):
        y = (rng.random(n) < sigma(0.5 * length + (0.3 + rng.normal(0, 1.0, groups)[group]) * s)).astype(float)
        for found, g in ((robust, group), (naive, np.arange(n))):
            row = interval(y, g)
            found.append(row["low"] <= truth <= row["high"])
    assert 0.9 <= np.mean(robust) <= 0.99
    assert np.mean(naive) < 0.9

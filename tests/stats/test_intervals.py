"""Intervals, false discovery rates."""

import numpy as np
import pytest

from prefaudit import stats
from prefaudit.stats.intervals import p_value


def test_wilson_against_published_values():
    # Newcombe 1998, table I: 81/263, 15/148, 0/20, 1/29
    for k, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert stats.wilson(k, n) == pytest.approx((low, high), abs=5e-5)
    assert np.isnan(stats.wilson(0, 0)).all()


def test_cluster_rate_is_nearly_wilson_without_groups():
    x = np.array([1.0] * 30 + [0.0] * 70)
    rate, low, high = stats.cluster_rate(x)
    assert rate == 0.3
    assert (low, high) == pytest.approx(stats.wilson(30, 100), abs=0.003)


def test_groups_that_move_as_one_count_once():
    x = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0] * 5, 20)
    group = np.repeat(np.arange(50), 20)
    _, low, high = stats.cluster_rate(x, group)
    _, low1, high1 = stats.cluster_rate(x[::20])
    assert (low, high) == pytest.approx((low1, high1), abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_cluster_rate_at_the_ends(value):
    rate, low, high = stats.cluster_rate(np.full(40, value), np.repeat(np.arange(10), 4))
    assert rate == value
    assert (low, high) == pytest.approx(stats.wilson(10 * value, 10))


def test_cluster_rate_of_nothing_and_of_one_group():
    assert np.isnan(stats.cluster_rate(np.array([np.nan]))).all()
    rate, low, high = stats.cluster_rate(np.array([1.0, 0.0, 1.0]), np.zeros(3, np.int64))
    assert rate == pytest.approx(2 / 3) and low < 0.3 and high > 0.9


def test_cluster_rate_covers():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        p = np.repeat(rng.beta(2, 3, 60), 5)
        _, low, high = stats.cluster_rate((rng.random(300) < p).astype(float), np.repeat(np.arange(60), 5))
        inside += low <= 0.4 <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_bh_by_hand_with_missing():
    q = stats.bh(np.array([0.01, np.nan, 0.04, 0.03, 0.5]))
    assert q[[0, 2, 3, 4]] == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert np.isnan(q[1])
    assert len(stats.bh(np.array([]))) == 0


def test_bh_families_is_bh_for_one_family_and_never_less():
    p = np.array([0.001, 0.2, 0.04, 0.6])
    assert stats.bh_families(p, ["a"] * 4) == pytest.approx(stats.bh(p))
    two = stats.bh_families(p, ["a", "a", "b", "b"])
    assert two == pytest.approx([0.004, 0.8 / 3, 0.08, 0.6])


def test_bh_families_holds_any_finding_at_the_level():
    rng = np.random.default_rng(0)
    families = [f"f{k % 6}" for k in range(24)]
    runs = [(stats.bh_families(rng.random(24), families) < 0.05).any() for _ in range(2000)]
    assert np.mean(runs) < 0.065


def test_p_value_of_a_point_and_of_an_interval():
    d, s, df = np.array([0.02]), np.array([0.01]), np.array([np.inf])
    assert p_value(d, s, df)[0] == pytest.approx(0.0455, abs=1e-4)
    assert p_value(d, s, df, 0.01)[0] == pytest.approx(0.1587 + 0.00135, abs=1e-4)
    assert p_value(np.array([0.005]), np.array([0.001]), df, 0.01)[0] > 0.99

"""Where a feature is present: found without labels, odd, and read where it plainly is."""

from __future__ import annotations

import numpy as np

from prefaudit.lens import least, present, readings, toward

D, ACTIVE = 400, 1


def planted(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differences in which a sentence was added to one answer of a tenth of the pairs; which of them; and features, the
    first of which is the sentence and a part of what else differs."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(np.random.default_rng(7).standard_normal((D, D)))[0]
    there = np.where(rng.random(n) < 0.1, rng.choice([-1, 1], n), 0)
    other = rng.standard_normal(n)
    x = there[:, None] * 8 * basis[0] + other[:, None] * basis[1] + 0.2 * rng.standard_normal((n, D))
    return x.astype(np.float32), there, np.vstack([basis[0] + 0.3 * basis[1], basis[2:9]]).astype(np.float32)


def test_a_cosine_is_odd_and_knows_no_size() -> None:
    x, _, rows = planted(300, 9)
    x[7] = 0
    values = toward(x, rows)
    np.testing.assert_array_equal(toward(-x, rows), -values)
    assert np.abs(values).max() <= 1 + 1e-6 and not values[7].any()
    np.testing.assert_allclose(toward(3 * x, 5 * rows), values, atol=1e-6)


def test_a_feature_that_stands_out_is_read_without_what_else_differs_along_it() -> None:
    x, _, rows = planted(6000, 0)
    read = readings(x, rows, ACTIVE)
    fresh, there, _ = planted(3000, 1)
    own, learned = (toward(fresh, r) for r in (rows, read))
    found = [np.sign(present(v, least(v, ACTIVE)))[:, 0] for v in (own, learned)]
    wrong = [(f != there).mean() for f in found]
    assert wrong[1] < 0.01, wrong
    spread = [np.abs(v[there == 0, 0]).mean() / np.abs(v[there != 0, 0]).mean() for v in (own, learned)]
    assert spread[1] < 0.7 * spread[0], spread
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), 1, atol=1e-5)


def test_readings_know_neither_which_answer_is_which_nor_a_gain() -> None:
    x, _, rows = planted(4000, 2)
    read = readings(x, rows, ACTIVE)
    assert np.abs(read[0] - rows[0] / np.linalg.norm(rows[0])).max() > 0.05
    turned = x * np.random.default_rng(0).choice([-1, 1], len(x)).astype(np.float32)[:, None]
    for other in (readings(-x, rows, ACTIVE), readings(turned, rows, ACTIVE), readings(x, 0.2 * rows, ACTIVE)):
        np.testing.assert_allclose(other, read, atol=1e-4)


def test_a_feature_that_is_everywhere_a_little_is_read_along_its_own_direction() -> None:
    x = np.random.default_rng(3).standard_normal((4000, D)).astype(np.float32)
    rows = 2 * np.eye(D, dtype=np.float32)[:8]
    np.testing.assert_array_equal(readings(x, rows, ACTIVE), rows / 2)


def test_present_is_what_stands_out_of_the_noise() -> None:
    rng = np.random.default_rng(3)
    there = rng.random(4000) < 0.2
    size = np.where(there, rng.uniform(3, 6, 4000), 0) * rng.choice([-1, 1], 4000)
    values = np.column_stack([size + 0.1 * rng.standard_normal(4000), rng.standard_normal(4000)]).astype(np.float32)
    values[:20, 0] = 1  # nearer to the noise than to what is usual where it is there: something alike
    there[:20] = False
    floor = least(values, ACTIVE)
    found = present(values, floor) != 0
    assert found[there, 0].all() and not found[~there, 0].any()
    assert 2 < floor[0] < 2.5
    assert 0.1 < found[:, 1].mean() < 0.4, "one without tails: half the largest of what would be active"
    values[:, 0] = 0
    assert not present(values, least(values, ACTIVE))[:, 0].any()

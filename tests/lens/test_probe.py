"""Heads: what is shrunk in them, and what is not."""

from __future__ import annotations

import numpy as np

from prefaudit.lens.probe import held_out, scaled, tuned
from prefaudit.stats import folds


def pairs(n: int = 600, wide: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A control that decides, `wide` columns that say nothing; labels and groups."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((n, 1)).astype(np.float32)
    y = (rng.random(n) < 1 / (1 + np.exp(-0.6 * base[:, 0]))) * 1.0
    return base, rng.standard_normal((n, wide)).astype(np.float32), y, np.arange(n)


def test_a_control_is_not_shrunk_with_what_says_nothing() -> None:
    base, noise, y, group = pairs()
    x, inner = np.column_stack([base, noise]), folds(group, 2, 0)
    free, shrunk = tuned(x, y, inner, 1), tuned(x, y, inner)
    alone = tuned(base, y, inner, 1)[0]
    assert abs(free[0] / alone - 1) < 0.1 and shrunk[0] < 0.8 * alone
    assert np.abs(free[1:]).max() < 0.1


def test_what_says_nothing_takes_next_to_nothing_from_length() -> None:
    base, noise, y, group = pairs()
    told = held_out({"length": noise[:, :0], "noise": noise}, base, y, group, 0)
    assert told["length"]["auc"] > 0.6
    assert told["noise"]["auc"] > told["length"]["auc"] - 0.02


def test_one_scale_for_all_columns() -> None:
    x = np.array([[3, 1], [-3, 1]], np.float32)
    np.testing.assert_allclose(scaled(x), x / np.sqrt(5))
    assert scaled(np.zeros((2, 2), np.float32)).tolist() == [[0, 0], [0, 0]] and scaled(x[:, :0]).shape == (2, 0)

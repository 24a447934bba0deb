"""Slopes by annotator."""

from __future__ import annotations

import numpy as np
import pytest

from prefaudit.lens.slopes import slopes


def votes(tau: float, seed: int, units: int = 60, each: int = 80) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    own = 0.5 + tau * rng.standard_normal(units)
    unit = np.repeat(np.arange(units), each)
    sign = rng.choice([-1, 0, 1], len(unit)).astype(np.float32)
    length = rng.standard_normal(len(unit)) * 0.5
    p = 1 / (1 + np.exp(-(own[unit] * sign + 0.3 * length)))
    return own, (rng.random(len(unit)) < p) * 1.0, length, sign, unit


def test_disagreement_is_found_and_its_size() -> None:
    own, y, length, sign, unit = votes(0.8, 0)
    told = slopes(y, length, sign, unit, [f"a{k}" for k in range(60)])
    assert told["p"] < 1e-6 and told["tau"] == pytest.approx(0.8, abs=0.3) and told["units"] == 60
    assert told["common"] == pytest.approx(own.mean(), abs=0.2)
    low, high = ([int(m["name"][1:]) for m in told["most"][a:b]] for a, b in ((0, 3), (3, 6)))
    assert own[low].max() < own[high].min()
    assert max(abs(m["slope"] - own[int(m["name"][1:])]) for m in told["most"]) < 1.0


def test_no_disagreement_is_found_where_there_is_none() -> None:
    found = [slopes(*votes(0.0, s)[1:], [f"a{k}" for k in range(60)]) for s in range(20)]
    assert sum(f["p"] < 0.05 for f in found) <= 4 and np.median([f["tau"] for f in found]) < 0.2


def test_few_units_tell_nothing_and_the_order_of_answers_changes_nothing() -> None:
    _, y, length, sign, unit = votes(0.8, 1)
    assert slopes(y, length, sign, np.where(unit < 4, unit, -1), ["a"] * 60) == {"units": 4}
    names = [f"a{k}" for k in range(60)]
    one, other = slopes(y, length, sign, unit, names), slopes(1 - y, -length, -sign, unit, names)
    assert one["tau"] == pytest.approx(other["tau"], rel=1e-3) and one["most"][0]["name"] == other["most"][0]["name"]

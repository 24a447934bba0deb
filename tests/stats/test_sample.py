"""A sample of whole groups that the group's number tells."""

import numpy as np
import pytest

from prefaudit.stats.sample import Sample, sizes


def test_all_where_they_fit_else_about_the_limit_in_whole_groups() -> None:
    group = np.random.default_rng(0).integers(0, 9000, 40_000)
    counted = sizes(np.array_split(group, 7))
    assert counted[: group.max() + 1].tolist() == np.bincount(group).tolist()
    assert Sample.of(counted, 40_000, 0).holds(group).all()
    held = Sample.of(counted, 10_000, 0).holds(group)
    assert held.sum() == pytest.approx(10_000, rel=0.05)
    assert not set(group[held]) & set(group[~held])
    assert (held == np.concatenate([Sample.of(counted, 10_000, 0).holds(g) for g in np.array_split(group, 5)])).all()
    assert (held != Sample.of(counted, 10_000, 1).holds(group)).any()


def test_a_very_large_group_is_left_out_unless_there_is_little_else() -> None:
    group = np.concatenate([np.zeros(30_000, np.int64), np.arange(1, 20_001)])
    held = Sample.of(sizes([group]), 10_000, 0).holds(group)
    assert not held[:30_000].any() and held.sum() == pytest.approx(10_000, rel=0.05)
    alone = np.zeros(50_000, np.int64)
    assert not len(Sample.of(sizes([alone]), 10_000, 0).large)

"""Components, folds, samples of groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefaudit import stats


def keys(*values):
    return np.array(values, dtype=np.uint64)


def test_rows_are_joined_through_any_key():
    a = keys(1, 1, 2, 3, 0, 0)
    b = keys(9, 8, 8, 7, 0, 0)
    assert stats.components([a, b], 6).tolist() == [0, 0, 0, 1, 2, 3]


def test_columns_of_one_key_share_their_values():
    both = np.array([[1, 2], [3, 1], [4, 5]], dtype=np.uint64)
    assert stats.components([both], 3).tolist() == [0, 0, 1]
    assert stats.components([both[:, 0], both[:, 1]], 3).tolist() == [0, 1, 2]


def test_no_keys_no_rows():
    assert stats.components([], 3).tolist() == [0, 1, 2]
    assert stats.components([keys()], 0).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25))
def test_components_are_the_closure(rows):
    a, b = (np.array([r[k] for r in rows], dtype=np.uint64) for k in (0, 1))
    found = stats.components([a, b], len(rows))
    label = list(range(len(rows)))
    for _ in rows:
        for i in range(len(rows)):
            for j in range(len(rows)):
                if (a[i] == a[j] != 0) or (b[i] == b[j] != 0):
                    label[i] = label[j] = min(label[i], label[j])
    order = list(dict.fromkeys(label))
    assert found.tolist() == [order.index(x) for x in label]


@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8), max_size=6))
def test_sets_that_grow_link_by_link_are_the_components(batches):
    sets, label = stats.Union(31), list(range(31))
    for links in batches:
        a, b = (np.array([link[k] for link in links], np.int64) for k in (0, 1))
        sets.join(a, b)
        for x, y in links:
            low, high = sorted((label[x], label[y]))
            label = [low if one == high else one for one in label]
    assert sets.all().tolist() == label


@pytest.mark.parametrize("k", [2, 5])
def test_folds_keep_groups_whole_and_even(k):
    rng = np.random.default_rng(1)
    group = rng.integers(0, 300, 5000)
    group[:400] = 0
    fold = stats.folds(group, k, seed=3)
    assert all(len(set(fold[group == g])) == 1 for g in range(300))
    sizes = np.bincount(fold, minlength=k)
    assert sizes.max() - sizes.min() <= 30
    assert (fold == stats.folds(group, k, seed=3)).all()
    assert (fold != stats.folds(group, k, seed=4)).any()


def test_a_giant_group_leaves_the_rest_to_the_other_folds():
    group = np.concatenate([np.zeros(600, np.int64), np.arange(1, 401)])
    sizes = np.bincount(stats.folds(group, 5, 0), minlength=5)
    assert sorted(sizes.tolist()) == [100, 100, 100, 100, 600]


def test_samples_are_whole_groups():
    group = np.random.default_rng(0).integers(0, 100, 5000)
    mask = stats.sample_groups(group, 1000, 0)
    assert 900 < mask.sum() <= 1000
    assert all(mask[group == g].all() or not mask[group == g].any() for g in range(100))
    assert stats.sample_groups(group, 5000, 0).all()
    assert stats.sample_groups(np.zeros(50, np.int64), 10, 0).sum() == 10

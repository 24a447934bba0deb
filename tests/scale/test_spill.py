"""Numbers on disk: what comes back is what was put there, whatever the blocks."""

import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefaudit.core import AuditError
from prefaudit.store import spill
from prefaudit.store.spill import Column, Runs, ranges


@pytest.fixture(autouse=True, scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "BLOCK", 3)
        patch.setattr(spill, "RANGE", 4)
        patch.setattr(spill, "GAP", 2)
        patch.setattr(spill, "HELD", 9)
        yield


NUMBERS = st.lists(st.integers(0, 2**32 - 1), max_size=30)


@given(st.lists(NUMBERS, max_size=4), st.data())
def test_a_column_gives_back_what_it_was_given(arrays, data):
    column = Column(np.uint32, [np.array(a, np.uint32) for a in arrays])
    whole = [x for a in arrays for x in a]
    assert len(column) == len(whole)
    assert [x for _, block in column.blocks() for x in block.tolist()] == whole
    places = sorted(data.draw(st.sets(st.integers(0, max(len(whole) - 1, 0)), max_size=len(whole))))
    assert column.take(np.array(places, np.int64)).tolist() == [whole[k] for k in places]
    keep = np.array([x % 2 == 0 for x in whole], bool)
    kept = column.where(keep)
    assert kept.read(0, len(kept)).tolist() == [x for x in whole if x % 2 == 0]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=12))
def test_runs_of_a_column_are_read_one_by_one(runs):
    column = Column(np.uint16, [np.arange(200)])
    starts, sizes, at = [], [], 0
    for gap, size in runs:
        starts.append(at + gap)
        sizes.append(size)
        at += gap + size
    got = column.gather(np.array(starts, np.int64), np.array(sizes, np.int64))
    assert got.tolist() == [x for start, size in zip(starts, sizes, strict=True) for x in range(start, start + size)]


@given(st.lists(st.lists(NUMBERS, max_size=4), max_size=4), st.data())
def test_runs_are_read_whether_they_are_held_or_not(added, data):
    runs = Runs()
    for some in added:
        runs.add(np.array([x for run in some for x in run], np.uint32), np.array([len(r) for r in some], np.int64))
    whole = [run for some in added for run in some]
    texts = st.lists(st.integers(0, max(len(whole) - 1, 0)), max_size=9 if whole else 0)
    beside = np.array(sorted(data.draw(texts)), np.int64)
    asked = np.array(sorted(set(data.draw(texts))), np.int64)
    assert runs.sizes(asked).tolist() == [len(whole[k]) for k in asked]
    turns = [np.zeros(0, np.int64)]
    for some in runs.near(beside):
        turns.append(beside[some])
        own = np.union1d(asked, beside[some])
        numbers, sizes = runs.read(own)
        assert numbers.tolist() == [x for k in own for x in whole[k]] and sizes.tolist() == [len(whole[k]) for k in own]
    assert np.concatenate(turns).tolist() == beside.tolist()
    assert runs.read(asked)[0].tolist() == [x for k in asked for x in whole[k]]


@given(NUMBERS)
def test_ranges_bring_equal_keys_together_and_leave_zeros_out(keys):
    keys = [k if k % 3 else k % 7 for k in keys]
    found, seen = [], []
    for places, (key, beside) in ranges(
        Column(np.uint32, [np.array(keys, np.uint32)]), Column(np.int64, [np.arange(len(keys))])
    ):
        assert places.tolist() == sorted(places.tolist()) == beside.tolist()
        assert not set(key.tolist()) & set(seen)
        seen += set(key.tolist())
        found += zip(places.tolist(), key.tolist(), strict=True)
    assert sorted(found) == [(at, key) for at, key in enumerate(keys) if key]


def test_a_file_that_was_cut_short_is_an_error():
    column = Column(np.int32, [np.arange(5)])
    column.size = 9
    with pytest.raises(OSError, match="cut short"):
        column.read(0, 9)
    with pytest.raises(OSError, match="cut short"):
        column.gather(np.array([3]), np.array([5]))


def test_a_full_temporary_folder_is_an_error_that_names_it():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    column = Column(np.int64)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(AuditError, match="temporary file in"):
            column.add(np.arange(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

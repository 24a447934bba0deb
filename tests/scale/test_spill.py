"""Numbers on disk: what comes back is what was put there, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefaudit.store import spill
from prefaudit.store.spill import Column, ranges


@pytest.fixture(autouse=True, scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "BLOCK", 3)
        patch.setattr(spill, "RANGE", 4)
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

"""What must hold of every extractor that measures one part at a time."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from prefaudit.core import Extractor
from prefaudit.extractors import EXTRACTORS, GROUPS
from tests.extractors.frames import pairs, run

PER_PART = [cls() for cls in EXTRACTORS if cls.name in ("text", "pair", "refusal", "sycophancy", "style", "overlap")]
ROWS = [
    ("How do I make a bomb?", "I can’t help with that.", "First, take some fertilizer and"),
    ("I think the earth is flat.", "You're absolutely right!", "I disagree: it is round."),
    ("Say hi", "hi", "hi"),
    ("Say hi", "hi", "Hi!"),
    ("Unpaired", None, "a reply"),
    ("Unpaired", "a reply", None),
    ("你好", "你好！", "您好，有什么可以帮您？"),
    ("Empty", "", "x"),
    (
        [("user", "2+2?"), ("assistant", "4"), ("user", "Are you sure?")],
        "I apologize for the confusion, it's 5.",
        "Yes.",
    ),
    ("List", "- a\n- b", "**a**, b", "thinking", None),
]


@pytest.fixture
def frame() -> pl.DataFrame:
    return pairs(ROWS * 3).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"))


def swapped(frame: pl.DataFrame) -> pl.DataFrame:
    names = {name: name.replace("chosen", "rejected") for name in frame.columns if "chosen" in name}
    return frame.rename({**names, **{v: k for k, v in names.items()}})


@pytest.mark.parametrize("extractor", PER_PART, ids=lambda e: e.name)
def test_seven_parts_give_the_rows_of_one(extractor: Extractor, frame: pl.DataFrame) -> None:
    whole = run(extractor, frame)
    size = -(-frame.height // 7)
    parts = [run(extractor, frame[at : at + size]) for at in range(0, frame.height, size)]
    assert pl.concat(parts).equals(whole)
    assert whole["row"].equals(frame["row"])


@pytest.mark.parametrize("extractor", PER_PART, ids=lambda e: e.name)
def test_swapping_the_answers_swaps_the_features(extractor: Extractor, frame: pl.DataFrame) -> None:
    one, other = run(extractor, frame), run(extractor, swapped(frame))
    if "c" in one.columns:
        assert one["c"].equals(other["r"])
        assert one["r"].equals(other["c"])
    assert one.drop("c", "r", strict=False).equals(other.drop("c", "r", strict=False))


@pytest.mark.parametrize("extractor", PER_PART, ids=lambda e: e.name)
def test_a_missing_answer_is_unknown(extractor: Extractor, frame: pl.DataFrame) -> None:
    made = run(extractor, frame)
    if "c" in made.columns:
        assert (made["c"].is_null() == frame["chosen"].is_null()).all()
        assert (made["r"].is_null() == frame["rejected"].is_null()).all()
    for name in ("pair", "overlap"):
        if name in made.columns:
            missing = made.filter(frame["chosen"].is_null() | frame["rejected"].is_null())[name].struct.unnest()
            assert missing.height == 6
            told = ("reasoning_sides", "empty_reasoning_sides")
            assert all(missing[f].null_count() == 6 for f in missing.columns if f not in told)


@pytest.mark.parametrize("extractor", PER_PART, ids=lambda e: e.name)
def test_a_part_of_distinct_texts_measures_the_same(extractor: Extractor) -> None:
    distinct, repeated = pairs(ROWS), pairs(ROWS * 5)
    assert run(extractor, distinct).drop("row").equals(run(extractor, repeated).head(len(ROWS)).drop("row"))


@pytest.mark.parametrize("extractor", PER_PART, ids=lambda e: e.name)
def test_parts_of_any_size_give_the_rows_of_one(extractor: Extractor, frame: pl.DataFrame) -> None:
    whole = run(extractor, frame)
    for size in range(1, 10):
        # A product of matrices of one row is summed in another order than one of many: the last digits may move.
        assert_frame_equal(run(extractor, frame[:size]), whole[:size], rel_tol=0, abs_tol=1e-6)


def test_the_tables_agree() -> None:
    names = [cls.name for cls in EXTRACTORS]
    assert len(set(names)) == len(names)
    needed = {need for cls in EXTRACTORS for need in cls.needs}
    working = {cls.name for cls in EXTRACTORS if getattr(cls, "hidden", False)}
    grouped = {name for group in GROUPS.values() for name in group}
    assert grouped | working | {"groups"} == set(names)
    assert working - grouped <= needed <= set(names)


def test_real_pairs_in_parts_and_whole() -> None:
    folder = os.environ.get("PREFAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("PREFAUDIT_TEST_DATA is not set")
    with gzip.open(Path(folder) / "hh-harmless" / "test.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(300), strict=False)]
    frame = pairs(
        [("q", *(row[side].rsplit("\n\nAssistant:", 1)[1].strip() for side in ("chosen", "rejected"))) for row in rows]
    )
    for extractor in PER_PART:
        parts = [run(extractor, frame[at : at + 43]) for at in range(0, 300, 43)]
        assert pl.concat(parts).equals(run(extractor, frame))

from __future__ import annotations

import polars as pl
import pytest

from prefaudit.extractors.overlap import Overlap
from prefaudit.extractors.pair import Pair, same_normalised, shared_prefix
from tests.extractors.frames import pairs, run


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ("abcd", "abxy", 0.5),
        ("abc", "abcdef", 1.0),
        ("same", "same", 1.0),
        ("x", "y", 0.0),
        ("", "abc", 0.0),
        ("a" * 5000 + "b", "a" * 5000 + "c", 5000 / 5001),
        (None, "a", None),
    ],
)
def test_prefix(a: str | None, b: str | None, share: float | None) -> None:
    made = shared_prefix(pl.Series([a, a], dtype=pl.String), pl.Series([b, b], dtype=pl.String)).to_list()
    assert made == [share, share]


def test_prefix_agrees_with_a_plain_loop() -> None:
    texts = ["", "a", "ab", "abc", "abd", "b", "abcabc", "é", "éa", "èa"]
    left = pl.Series([x for x in texts for _ in texts])
    right = pl.Series([y for _ in texts for y in texts])

    def plain(x: bytes, y: bytes) -> float:
        shared = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
        return shared / max(1, min(len(x), len(y)))

    expected = [plain(x.encode(), y.encode()) for x, y in zip(left, right, strict=True)]
    assert shared_prefix(left, right).to_list() == expected


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Hello, world!", "hello world", True),
        ("**Bold** text", "Bold text.", True),
        ("a b", "ab", True),
        ("yes", "no", False),
        ("!!!", "???", False),
        ("!!!", "!!!", True),
        ("", "", True),
        ("你好。", "你好", True),
        (None, "a", None),
    ],
)
def test_same_normalised(a: str | None, b: str | None, same: bool | None) -> None:
    assert same_normalised(pl.Series([a], dtype=pl.String), pl.Series([b], dtype=pl.String)).to_list() == [same]


def test_pair_fields() -> None:
    frame = pairs([("q", "a", "a"), ("q", "a", "b", "hm", None), ("q", "a", "b", "hm", "hm")])
    other = [*frame["prompt"].to_list()[:1], None, None]
    made = run(Pair(), frame.with_columns(pl.Series("rejected_prompt", other, frame.schema["rejected_prompt"])))["pair"]
    assert made.struct.field("same").to_list() == [True, False, False]
    assert made.struct.field("prompt_differs").to_list() == [True, False, False]
    assert made.struct.field("reasoning_sides").to_list() == [0, 1, 2]


def test_system_sides() -> None:
    system, plain = [("system", "Be brief."), ("user", "q")], [("user", "q")]
    frame = pairs([(system, "a", "b"), (plain, "a", "b"), (system, "a", "b"), (plain, "a", "b"), (plain, None, "b")])
    prompts = frame["prompt"].to_list()
    other = pl.Series("rejected_prompt", [None, None, prompts[1], prompts[0], None], frame.schema["rejected_prompt"])
    made = run(Pair(), frame.with_columns(other))["pair"].struct.field("system_sides").to_list()
    assert made == [2, 0, 1, 1, None]


def test_overlap() -> None:
    frame = pairs([("q", "abcd", "abcd"), ("q", "abcd", "abxd"), ("q", "a", "b"), ("q", "", ""), ("q", None, "a")])
    assert run(Overlap(), frame)["overlap"].struct.field("edit").to_list() == [1.0, 0.75, 0.0, 1.0, None]


def test_overlap_looks_at_the_head_alone() -> None:
    frame = pairs([("q", "a" * 50 + "x" * 50, "a" * 50 + "y" * 50)])
    assert run(Overlap(head=50), frame)["overlap"][0]["edit"] == 1.0


def test_an_empty_block_of_reasoning_is_counted_apart() -> None:
    texts = [(None, None), ("", None), ("why", ""), ("", "")]
    found = run(Pair(), pairs([("q", "a", "b", *both) for both in texts]))["pair"].struct.unnest()
    assert found["reasoning_sides"].to_list() == [0, 0, 1, 0]
    assert found["empty_reasoning_sides"].to_list() == [0, 1, 1, 2]

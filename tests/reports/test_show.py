"""The pairs behind a finding."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefaudit.reports.diff import marked
from prefaudit.reports.terminal import show
from prefaudit.reports.words import cells, clean, clip, decimal, number, percent, points, wrap

from .sample import HOSTILE, rule
from .test_reports import SGR, unsafe

PAIR = {
    "row": 7,
    "label": "chosen",
    "value": 0.25,
    "prompt": [{"role": "user", "content": s} for s in ("first", "x", "last turn")],
    "chosen": "The sky is blue because of scattering.",
    "rejected": "The sky is green because of scattering.",
}  # fmt: skip


def test_differing_words_are_marked() -> None:
    text = show([PAIR], rule("TST001", "test", "warning", found=1, rate=0.1, interval=[0.0, 0.2], what="Why."))
    assert "The sky is {+blue+} because of scattering." in text
    assert "The sky is [-green-] because of scattering." in text
    assert text.startswith(
        "TST001 test  warning, 1 of 2,312 pairs, 10.0 % [0.0, 20.0]\n  Why.\n\nrow 7, label chosen, value 0.25\n"
    )
    assert "user (after 2 turns)\n    last turn\n" in text and "first" not in text


def test_colour_marks_without_brackets() -> None:
    text = show([PAIR], None, color=True)
    assert "{+" not in text and "[-" not in text
    assert "The sky is blue because" in SGR.sub("", text)
    assert re.search("\x1b\\[[0-9;]+mblue\x1b\\[0m", text)


def test_side_by_side_where_there_is_room() -> None:
    narrow, wide = show([PAIR], None, width=80), show([PAIR], None, width=120)
    assert not any("blue" in s and "green" in s for s in narrow.splitlines())
    assert any("blue" in s and "green" in s for s in wide.splitlines())


def test_a_lone_reply_an_empty_one_and_no_rows() -> None:
    lone = show([{**PAIR, "chosen": None}], None)
    assert "chosen (there is none)" in lone and "The sky is green" in lone
    assert "rejected (empty)" in show([{**PAIR, "rejected": ""}], None)
    assert show([], None) == "no rows to show\n"


def test_long_texts_are_folded_and_say_so() -> None:
    text = show([{**PAIR, "chosen": "word " * 3000 + "the very end", "prompt": "line\n" * 50}], None, width=80)
    assert len(text.splitlines()) < 45
    assert "    … 46 lines left out\n" in text
    assert "the very end\n" in text
    whole = show([{**PAIR, "chosen": "\n".join(f"line {i}" for i in range(13))}], None)
    assert "left out" not in whole and "line 12\n" in whole


@pytest.mark.parametrize("width", [40, 80, 100, 160])
@pytest.mark.parametrize("color", [False, True])
def test_hostile_texts(width: int, color: bool) -> None:
    pair = dict.fromkeys(("prompt", "chosen", "rejected", "label", "row", "value"), HOSTILE * 50)
    text = show([pair], rule(HOSTILE, HOSTILE, HOSTILE, what=HOSTILE), width=width, color=color)
    bare = SGR.sub("", text) if color else text
    assert unsafe(bare) == set()
    assert max(cells(s) for s in bare.splitlines()) <= width


def test_a_megabyte_takes_no_time() -> None:
    rows = [{"row": 1, "prompt": "p " * 10**6, "chosen": "a b " * 10**6, "rejected": "b a " * 10**6}]
    start = time.process_time()
    show(rows, None)
    assert time.process_time() - start < 2


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_marked_pieces_join_to_the_texts(first: str, second: str) -> None:
    left, right, share = marked(first, second)
    assert "".join(t for t, _ in left) == first
    assert "".join(t for t, _ in right) == second
    assert share is None or 0 <= share <= 1
    if share is not None and share >= 0.3:
        same = ["".join(t for t, m in side if not m).split() for side in (left, right)]
        assert same[0] == same[1]


@settings(max_examples=100, deadline=None)
@given(st.text(), st.integers(1, 40))
def test_clean_clip_and_wrap(text: str, width: int) -> None:
    safe = clean(text)
    assert unsafe(safe) == set() and "\n" not in safe
    assert clean(safe, 10_000) == safe
    assert cells(clip(safe, width)) <= width
    lines = wrap(safe, max(width, 2))
    assert all(cells(line) <= max(width, 2) for line in lines)
    assert "".join(lines).replace(" ", "") == safe.replace(" ", "")


def test_numbers_in_words() -> None:
    assert percent(0.4447, [0.4235, 0.4661]) == "44.5 % [42.4, 46.6]"
    assert percent(0.0004) == "0.04 %" and percent(0.00001) == "<0.01 %" and percent(0.0) == "0.0 %"
    assert percent(None) == percent(float("nan")) == "-"
    assert points(-0.0001) == "0.0" and points(0.074, [0.031, 0.118]) == "+7.4 [+3.1, +11.8]"
    assert decimal(0.596, [0.5714, 0.6206]) == "0.596 [0.571, 0.621]"
    assert number(12345.6) == "12,346" and number(0.55531) == "0.5553" and number(3.0) == "3"

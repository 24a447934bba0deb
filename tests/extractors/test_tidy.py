"""Spellings that look alike are one."""

from __future__ import annotations

import polars as pl
import pytest

from prefaudit.extractors._tidy import tidy


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("I’m sorry, but I\ncan’t assist\nwith that.", "I'm sorry, but I can't assist with that."),
        ("I&#39;m   sorry,\u00a0but", "I'm sorry, but"),
        ("I\u200b can\u00ad't\ufeff", "I can't"),
        ("I＇m “fine”", 'I\'m "fine"'),
        ("Im sorry, I cant, wont and dont.", "I'm sorry, I can't, won't and don't."),
        ("significant wonton, Kant", "significant wonton, Kant"),
        ("Steps:\n- one\n- two\n\nthen three", "Steps:\n- one\n- two\n\nthen three"),
        ("First.\nSecond.", "First.\nSecond."),
        ("a\nb\nc\nd", "a b c d"),
    ],
)
def test_one_spelling(text: str, plain: str) -> None:
    texts = pl.Series([text, "as it is", None])
    assert tidy(texts).to_list() == [plain, "as it is", None]
    assert texts[0] == text, "what was given is not changed"

"""Agreement, presented order and shortcuts in the readable reports."""

from __future__ import annotations

from typing import Any

import pytest

from prefaudit.reports import render

from .sample import clean_small

TOLD: dict[str, Any] = {
    "agreement": {
        "alpha": 0.26, "alpha_interval": [0.215, 0.305], "n": 41604, "repeats": 280, "opposed": 38, "tie_rate": 0.226,
    },
    "position": {"n": 1150, "rate": 0.531, "interval": [0.508, 0.554], "log10_bayes": -0.45},
    "shortcuts": [
        {"name": "model", "auc": 0.832, "interval": [0.82, 0.844], "n": 4814, "note": ""},
        {"name": "language", "auc": None, "interval": None, "n": 12, "note": "held out needs 40 groups, here are 3"},
    ],
    "models": [
        {"name": "b\x1b[1mad|<b>", "pairs": 30, "win_rate": 0.2, "interval": [0.1, 0.3]},
        {"name": "good", "pairs": 30, "win_rate": 0.8, "interval": [0.7, 0.9]},
        {"name": "rare", "pairs": 3, "win_rate": 1.0, "interval": [0.4, 1.0]},
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", ["terminal", "markdown", "html"])
def test_every_readable_report_tells_them(name: str) -> None:
    plain = render(name, clean_small())
    text = " ".join(render(name, {**clean_small(), **TOLD, "annotators": [{"annotator": "w1", "agreement": None}]},
                           width=120).split())  # fmt: skip
    for words in ("model names alone", "0.832 [0.820, 0.844]", "the first answer wins 53.1 %", "wins most"):
        assert words in text.replace("\\", "") and words not in plain
    assert "alpha 0.260 [0.215, 0.305] of 41,604 votes" in text.replace("\\", "").replace("&#39;", "'")
    assert "38 of 280 repeats turned round" in text
    assert "language alone" not in text and "\x1b" not in text and "<b>mad" not in text and "rare" not in text


def test_a_report_without_them_says_nothing_of_them() -> None:
    text = render("terminal", clean_small(), width=120)
    assert not any(word in text for word in ("alone", "Krippendorff", "wins most", "Bayes"))

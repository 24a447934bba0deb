"""Every layout gives canonical pairs back that were written its way."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from helpers import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefaudit.core import PAIRS, SKIPPED
from prefaudit.formats import LAYOUTS, Layout

CON = duckdb.connect(config={"threads": 1})
TALKS = {
    "trl",
    "trl-implicit",
    "ifbench",
    "hh",
    "hh-strength",
    "sharegpt",
    "axolotl-chat",
    "ms-swift",
    "nectar",
    "ms-swift-messages",
    "kto-messages",
    "kto",
    "arena",
    "arena-140k",
    "arena-55k",
    "nemo-rl",
    "nemo-aligner-rm",
    "columns",
    "columns-unpaired",
}
SYSTEMS = {
    "trl",
    "trl-implicit",
    "ifbench",
    "sharegpt",
    "axolotl-chat",
    "ms-swift",
    "ms-swift-messages",
    "nemo-rl",
    "kto-messages",
    "columns",
}
UNPAIRED = {"kto", "kto-messages", "columns-unpaired"}
NUMBERS = {"margin", "score_chosen", "score_rejected"}
WORDS = {"source", "annotator", "model_chosen", "model_rejected"}

word = st.text(st.characters(codec="utf-8", exclude_characters="\0<"), min_size=1, max_size=30)
name = st.text("abcdefgh-0123456789", min_size=1, max_size=8)


@st.composite
def pairs(draw: st.DrawFn, layout: Layout, unique: int) -> dict[str, Any]:
    talk = draw(st.integers(0, 1)) if layout.name in TALKS else 0
    prompt = [{"role": r, "content": draw(word)} for r in ["user", "assistant"] * talk] + [
        {"role": "user", "content": f"{draw(word)} {unique}"}
    ]
    if layout.name in SYSTEMS and draw(st.booleans()):
        prompt.insert(0, {"role": "system", "content": draw(word)})
    if layout.name == "icai":
        prompt = prompt[-1:]
    label = draw(st.sampled_from(["chosen", *(x for x in ("tie", "both_bad") if x in layout.carries)]))
    pair: dict[str, Any] = {"prompt": prompt, "chosen": draw(word), "rejected": draw(word), "label": label}
    if "first" in layout.carries:
        pair["first"] = draw(st.integers(0, 1)) if label == "chosen" else 1
    if layout.name in ("pandalm", "multipref", "multipref-prompt"):
        pair.pop("votes", None)
    for column in (c for c in layout.carries if c in NUMBERS):
        pair[column] = float(draw(st.integers(1, 3)))
    if label == "tie" and "margin" in pair:
        pair["margin"] = 0.0
    for column in (c for c in layout.carries if c in WORDS):
        pair[column] = draw(name)
    return pair


@pytest.mark.parametrize("text", [False, True], ids=["json", "text"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: one.name)
def test_pairs_come_back_as_they_were_written(layout: Layout, text: bool) -> None:
    @settings(
        max_examples=3 if not text else 2,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        written = [data.draw(pairs(layout, n)) for n in range(data.draw(st.integers(1, 4)))]
        _, found, skipped = read(layout.rows(written), text, layout.name, con=CON)
        assert skipped.height == 0, skipped["reason"].to_list()
        assert list(found.columns) == list(PAIRS) and list(skipped.columns) == list(SKIPPED)
        compare(layout, written, found.to_dicts())

    check()


def compare(layout: Layout, written: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
    if layout.name == "finegrained-rlhf":
        found = [row for row in found if row["rejected"] is not None]
    assert [row["row"] for row in found] == list(range(len(found)))
    assert len(found) == len(written)
    for pair, row in zip(written, found, strict=True):
        assert (row["chosen"], row["rejected"], row["label"]) == (pair["chosen"], pair["rejected"], pair["label"])
        if layout.name not in ("texts", "columns-implicit"):
            assert row["prompt"] == pair["prompt"]
        assert row["rejected_prompt"] is None
        for column in {*layout.carries, "first"} & pair.keys() & PAIRS.keys():
            assert row[column] == pair[column], column
        if "votes" in layout.carries:
            assert {v["vote"] for v in row["votes"]} == ({0.5} if pair["label"] == "tie" else {1.0})


PLAIN = [
    {
        "prompt": [{"role": "user", "content": f"What is {n} and {n}?"}],
        "chosen": f"It is {2 * n}.",
        "rejected": f"I guess {n}, <b>perhaps</b>.",
        "label": "chosen",
        "first": n % 2,
        "margin": 1.0 + n,
        "model_chosen": "m1",
        "model_rejected": "m2",
        "annotator": "w1",
        "source": "s",
        "score_chosen": 4.0,
        "score_rejected": 2.0,
    }
    for n in range(6)
]


@pytest.mark.parametrize("text", [False, True], ids=["json", "text"])
@pytest.mark.parametrize("layout", [one for one in LAYOUTS if not one.hidden], ids=lambda one: one.name)
def test_layout_is_detected_from_its_own_rows(layout: Layout, text: bool) -> None:
    found, pairs_, _ = read(layout.rows(PLAIN), text)
    assert found.layout.name == layout.name
    assert found.warnings == ()
    assert pairs_["chosen"].to_list() == [p["chosen"] for p in PLAIN]

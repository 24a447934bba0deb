"""Every layout: rows go and stay, labels turn round and back, and the output is read as what it was."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from repair.making import begin, jsonl, options, pairs, read, turned

from prefaudit.formats import LAYOUTS, Layout
from prefaudit.repair import filtering, flipping, ranks
from prefaudit.repair.choose import Reason

NAMES = {layout.name: layout for layout in LAYOUTS}
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\x00<>[]"), min_size=1, max_size=30).filter(
    lambda t: t.strip() == t and "Human" not in t and "Assistant" not in t and "###" not in t
)


def loaded(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf8").split("\n") if line]


FEW = settings(max_examples=1, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
               suppress_health_check=list(HealthCheck))  # fmt: skip  # shrinking reads files for minutes

SCORED = {*flipping.SCORES, *ranks.LISTS, "argilla", "webgpt", "nemo-aligner-rm"}
"""Layouts whose scores are the label: of a turned pair the better score is the chosen one's again."""


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(texts=st.lists(st.tuples(LINES, LINES, LINES).filter(lambda t: t[1] != t[2]), min_size=2, max_size=7),
       seed=st.integers(0, 99))  # fmt: skip
def test_turned_twice_is_the_source(name: str, texts: list[tuple[str, str, str]], seed: int) -> None:
    assume(seed)  # not the simplest example, which comes first
    layout = NAMES[name]
    made = [p | {"prompt": [{"role": "user", "content": f"{q} {i}"}], "chosen": c, "rejected": r}
            for i, (p, (q, c, r)) in enumerate(zip(pairs(len(texts), seed), texts, strict=True))]  # fmt: skip
    opt = options(layout)
    with tempfile.TemporaryDirectory() as there:
        source, once, twice = (Path(there) / f"{x}.jsonl" for x in "abc")
        work = read(jsonl(source, layout.rows(made)), opt, Path(there) / "first")
        assert (work.evidence.label == "chosen").all()
        assert turned(work, once, np.ones(work.evidence.pairs, bool)).all(), "one pair a row can always be turned"
        again = read(once, opt, Path(there) / "second")
        sides = ("hash_{}", "score_{}", "model_{}")
        columns = [side.format(s) for side in sides for s in ("chosen", "rejected")]
        before, after = (w.evidence.pair_columns("label", *columns) for w in (work, again))
        assert not before["hash_chosen"].is_null().any() and not before["hash_rejected"].is_null().any()
        assert after["label"].equals(before["label"])
        for side in sides:
            if side != "score_{}" or name not in SCORED:
                assert after[side.format("chosen")].equals(before[side.format("rejected")]), side
                assert after[side.format("rejected")].equals(before[side.format("chosen")]), side
        assert turned(again, twice, np.ones(again.evidence.pairs, bool)).all()
        assert loaded(twice) == loaded(source)


K = 4


def kwise(layout: Layout) -> list[dict[str, Any]]:
    """Two rows of four answers each, the ranking 0 > 1 > 2 > 3."""
    rows = []
    for i in range(2):
        said = [f"answer {i} {k} as it is" for k in range(K)]
        by_name: dict[str, dict[str, Any]] = {
            "ultrafeedback": {"source": "s", "instruction": f"q{i}", "models": [f"m{k}" for k in range(K)],
                              "completions": [{"model": f"m{k}", "principle": "p", "response": said[k],
                                               "overall_score": 9.0 - k} for k in range(K)]},
            "nectar": {"prompt": f"\n\nHuman: q{i}\n\nAssistant: ",
                       "answers": [{"answer": said[k], "model": f"m{k}", "rank": 1.0 + k} for k in range(K)]},
            "nemo-rl": {"context": [{"role": "user", "content": f"q{i}"}], "completions": [
                {"rank": k, "completion": [{"role": "assistant", "content": said[k]}]} for k in range(K)]},
            "distilabel": {"instruction": f"q{i}", "generations": said, "ratings": [9.0 - k for k in range(K)]},
            "argilla": {"instruction": f"q{i}", **{f"generations-{k}": said[k] for k in range(K)},
                        **{f"generations-{k}-rating": 9.0 - k for k in range(K)}},
            "finegrained-rlhf": {"question": f"q{i}", **{f"prediction {k + 1}": said[k] for k in range(K)},
                                 "preference": [1, 1, 1, 1, 1, 1]},
        }  # fmt: skip
        rows.append(by_name[layout.name])
    return rows


@pytest.mark.parametrize("name", ["ultrafeedback", "nectar", "nemo-rl", "distilabel", "argilla", "finegrained-rlhf"])
def test_an_answer_that_loses_all_comparisons_is_taken_out(tmp_path: Path, name: str) -> None:
    layout = NAMES[name]
    work = begin(jsonl(tmp_path / "a.jsonl", kwise(layout)), options(layout, select=("SCH001",)), tmp_path / "audit")
    assert work.evidence.pairs == 12
    rows = np.array([1, 3, 5, 6])  # answer 2 of the first row meets 0, 1, 3; one comparison of the second row
    gone = np.zeros(12, bool)
    gone[rows] = True
    made = filtering.finish(
        work, filtering.Where(tmp_path / "b.jsonl"), [Reason("SCH001", rows, np.ones(4), "x")], gone, None
    )
    assert (made.read, made.kept, made.dropped) == (2, 2, 0)
    assert made.pairs["dropped"] == 3 and made.pairs["rows_rewritten"] == 1 and made.pairs["cannot_be_said"] == 1
    assert made.ledger["action"].to_list() == ["dropped"] * 3 + ["kept"]
    again = read(tmp_path / "b.jsonl", options(layout), tmp_path / "second")
    kept = work.evidence.pair_columns("hash_chosen", "hash_rejected")[np.setdiff1d(np.arange(12), [1, 3, 5])]
    assert again.evidence.pair_columns("hash_chosen", "hash_rejected").equals(kept)
    assert loaded(tmp_path / "b.jsonl")[1] == loaded(tmp_path / "a.jsonl")[1]


@pytest.mark.parametrize("name", ["ultrafeedback", "nectar", "nemo-rl", "distilabel", "argilla", "finegrained-rlhf"])
def test_ranks_are_exchanged_only_where_no_other_pair_turns(tmp_path: Path, name: str) -> None:
    layout = NAMES[name]
    work = read(jsonl(tmp_path / "a.jsonl", kwise(layout)), options(layout), tmp_path / "first")
    wanted = np.zeros(12, bool)
    wanted[[0, 8]] = True  # neighbours in the first row; first against last in the second
    path = tmp_path / "b.jsonl"
    assert np.flatnonzero(turned(work, path, wanted)).tolist() == ([0, 8] if name == "finegrained-rlhf" else [0])
    again = read(path, options(layout), tmp_path / "second")
    before, after = (w.evidence.pair_columns("hash_chosen", "hash_rejected").rows() for w in (work, again))
    assert after[0] == before[0][::-1]
    assert after[1:6] == before[1:6] if name == "finegrained-rlhf" else {*after[1:6]} == {*before[1:6]}

"""Every layout: rows go and stay, labels turn round and back, and the output is read as what it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.helpers import part
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repair.making import begin, cells, jsonl, options, pairs, same_cells

from prefaudit import formats
from prefaudit.formats import LAYOUTS, Layout
from prefaudit.repair import filtering, flipping, moves, output, ranks
from prefaudit.repair.choose import Reason
from prefaudit.repair.cut import Cut
from prefaudit.repair.rewrite import Rewriter

NAMES = {layout.name: layout for layout in LAYOUTS}
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\x00<>[]"), min_size=1, max_size=30).filter(
    lambda t: t.strip() == t and "Human" not in t and "Assistant" not in t and "###" not in t
)


def turned_file(work: Any, path: Path) -> tuple[Path, np.ndarray]:
    """The source with every label turned round, and which pairs were."""
    wanted = (work.evidence.label == "chosen").to_numpy()
    edits = flipping.flip(work, wanted)
    output.write(work.origin, path, path, Cut(np.ones(work.evidence.rows, bool), edits.rows, edits.values, edits.text))
    done = np.zeros(len(wanted), bool)
    done[edits.done] = True
    assert (done == wanted).all(), "every label of one pair a row can be turned"
    return path, done


def loaded(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_turned_twice_is_the_source(tmp_path: Path, name: str) -> None:
    layout = NAMES[name]
    source = jsonl(tmp_path / "a.jsonl", layout.rows(pairs(8)))
    work = begin(source, options(layout, select=("SCH001",)), tmp_path / "audit-a")
    once, done = turned_file(work, tmp_path / "b.jsonl")
    assert done.any()
    again = begin(once, options(layout, select=("SCH001",)), tmp_path / "audit-b")
    columns = (
        "hash_chosen",
        "hash_rejected",
        "label",
        "score_chosen",
        "score_rejected",
        "model_chosen",
        "model_rejected",
    )
    before, after = work.evidence.pair_columns(*columns), again.evidence.pair_columns(*columns)
    lone = before["hash_chosen"].is_null() | before["hash_rejected"].is_null()
    assert not lone.any()
    for side, other in (
        ("hash_chosen", "hash_rejected"),
        ("score_chosen", "score_rejected"),
        ("model_chosen", "model_rejected"),
    ):
        if side == "score_chosen" and name in flipping.SCORES | ranks.LISTS | {
            "argilla": 1,
            "webgpt": 1,
            "nemo-aligner-rm": 1,
        }:
            continue  # there the scores are the label: the better one is the chosen one's again
        assert after[side].equals(before[other]), side
    twice, _ = turned_file(again, tmp_path / "c.jsonl")
    assert loaded(twice) == loaded(source)


@pytest.mark.parametrize("name", NAMES)
def test_filtered_rows_are_the_source_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    layout = NAMES[name]
    monkeypatch.chdir(tmp_path)
    source = jsonl(tmp_path / "a.jsonl", layout.rows(pairs(9)))
    opt = options(layout, select=("SCH",))
    work = begin(source, opt, tmp_path / "audit")
    rows = np.array([1, 4, 5])
    gone = np.zeros(work.evidence.pairs, bool)
    gone[rows] = True
    where = filtering.Where(tmp_path / "b.jsonl")
    made = filtering.finish(work, where, [Reason("SCH001", rows, np.ones(3), "x")], gone, None)
    assert made.read == made.kept + made.dropped + made.skipped
    if name == "annotated-pairs":  # one row holds all comparisons
        assert made.pairs["cannot_be_said"] == 3
        return
    assert made.pairs["dropped"] == 3
    before, n = cells(source)
    ledger = made.ledger.filter(made.ledger["action"] == "dropped")
    assert ledger["row"].to_list() == [1, 4, 5]
    keep = np.ones(n, bool)
    lost = np.concatenate([work.evidence.source_row[rows], work.evidence.other_row[rows]])
    keep[lost[lost >= 0]] = False
    assert same_cells(before, keep, cells(tmp_path / "b.jsonl")[0])
    assert (made.kept, made.dropped) == (int(keep.sum()), n - int(keep.sum()))
    again = begin(tmp_path / "b.jsonl", opt, tmp_path / "audit-b")
    assert again.opened.detected.layout.name == name
    assert again.evidence.pairs == work.evidence.pairs - 3


@pytest.mark.parametrize("name", [n for n in NAMES if n in moves.FLIPS])
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(texts=st.lists(st.tuples(LINES, LINES, LINES).filter(lambda t: t[1] != t[2]), min_size=1, max_size=4))
def test_moves_turn_hostile_texts_and_back(name: str, texts: list[tuple[str, str, str]]) -> None:
    layout = NAMES[name]
    made = [p | {"prompt": [{"role": "user", "content": q}], "chosen": c, "rejected": r}
            for p, (q, c, r) in zip(pairs(len(texts)), texts, strict=True)]  # fmt: skip
    rows = layout.rows(made)
    kinds, table = part(rows)
    detected = formats.detect(kinds, table, name, options(layout).map)
    writer = Rewriter(detected, {c: c for c in kinds})
    before = writer.read(table)
    values = writer.decoded(table)
    changes = [moves.FLIPS[name](row, detected) for row in values]
    assert all(changes)
    turned = writer.table(table, changes)  # type: ignore[arg-type]
    if name == "annotated-pairs":
        return
    after = writer.read(turned)
    assert after == {row: [(r, c, label) for c, r, label in said] for row, said in before.items()}
    back = [moves.FLIPS[name](row, detected) for row in writer.decoded(turned)]
    assert writer.decoded(writer.table(turned, back)) == values  # type: ignore[arg-type]


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
    again = begin(tmp_path / "b.jsonl", options(layout, select=("SCH001",)), tmp_path / "audit-b")
    kept = work.evidence.pair_columns("hash_chosen", "hash_rejected")[np.setdiff1d(np.arange(12), [1, 3, 5])]
    assert again.evidence.pair_columns("hash_chosen", "hash_rejected").equals(kept)
    assert loaded(tmp_path / "b.jsonl")[1] == loaded(tmp_path / "a.jsonl")[1]


@pytest.mark.parametrize("name", ["ultrafeedback", "nectar", "nemo-rl", "distilabel", "argilla", "finegrained-rlhf"])
def test_ranks_are_exchanged_only_where_no_other_pair_turns(tmp_path: Path, name: str) -> None:
    layout = NAMES[name]
    work = begin(jsonl(tmp_path / "a.jsonl", kwise(layout)), options(layout, select=("SCH001",)), tmp_path / "audit")
    wanted = np.zeros(12, bool)
    wanted[[0, 8]] = True  # neighbours in the first row; first against last in the second
    edits = flipping.flip(work, wanted)
    assert edits.done.tolist() == ([0, 8] if name == "finegrained-rlhf" else [0])
    path = tmp_path / "b.jsonl"
    output.write(work.origin, path, path, Cut(np.ones(2, bool), edits.rows, edits.values, edits.text))
    again = begin(path, options(layout, select=("SCH001",)), tmp_path / "audit-b")
    before, after = (w.evidence.pair_columns("hash_chosen", "hash_rejected").rows() for w in (work, again))
    assert after[0] == before[0][::-1]
    assert after[1:6] == before[1:6] if name == "finegrained-rlhf" else {*after[1:6]} == {*before[1:6]}

"""Strength: scales, copies, ties, lists, and that turning a pair round negates what is said of it."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefaudit.core import PAIRS, UsageError
from prefaudit.extractors._scorers import split
from prefaudit.extractors.rewards import REWARDS
from prefaudit.extractors.strength import Strength


def frame(n: int, **columns: object) -> pl.DataFrame:
    schema = {name: PAIRS[name] for name in Strength.reads}
    rows = pl.DataFrame({"row": range(n), "group": range(n)}).with_columns(
        [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in columns]
    )
    given_ = {name: pl.Series(name, v, dtype=schema.get(name)) for name, v in columns.items() if name != "rewards"}
    empty = pl.Series(
        "rewards", [{"chosen": [], "rejected": [], "margin": [], "step": [], "cut": []}] * n, dtype=REWARDS
    )
    held = columns.get("rewards", empty)
    rows = rows.with_columns(**given_, rewards=held)
    return rows if "label" in columns else rows.with_columns(label=pl.lit("chosen"))


def rewards(chosen: np.ndarray, rejected: np.ndarray, step: float = 0.0) -> pl.Series:
    rows = [{"chosen": c.tolist(), "rejected": r.tolist(), "margin": [None] * len(c),
             "step": [step] * len(c), "cut": [False] * len(c)}
            for c, r in zip(chosen, rejected, strict=True)]  # fmt: skip
    return pl.Series("rewards", rows, dtype=REWARDS)


def measured(data: pl.DataFrame, parts: int = 1, **fields: object) -> pl.DataFrame:
    made = Strength(**fields)  # type: ignore[arg-type]
    cuts = np.array_split(np.arange(data.height), parts)
    state = made.fit(lambda names: [data[c].select(names) for c in cuts], 0)
    return pl.concat([made.load(state)(data[c]) for c in cuts]).unnest("strength")


def test_scales_do_not_matter_and_a_copy_gains_nothing() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    wrong = rng.random(n) < 0.2
    truth = (np.abs(rng.normal(size=n)) + 0.1) * np.where(wrong, -1, 1)
    c = np.stack([k * (truth + noise * rng.normal(size=n)) for k, noise in ((1, 0.6), (3, 0.8), (8, 1.6))], 1)
    names = ("quiet", "middle", "loud")

    def area(chosen: np.ndarray, models: tuple[str, ...]) -> float:
        mean = measured(frame(n, rewards=rewards(chosen, 0 * chosen)), reward_model=models)["mean"].to_numpy()
        rank = mean.argsort().argsort() + 1
        return float(1 - (rank[wrong].sum() - wrong.sum() * (wrong.sum() + 1) / 2) / (wrong.sum() * (~wrong).sum()))

    alone, again = area(c, names), area(np.hstack([c, c[:, 2:]]), (*names, "copy"))
    assert alone > 0.93 and abs(again - alone) < 0.01
    assert abs(area(c * [1000, 1, 1], names) - alone) < 1e-9


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-9, 9)] * 4), min_size=2, max_size=12), st.integers(1, 3))
def test_turned_round_it_is_negated_and_parts_do_not_matter(rows: list[tuple[float, ...]], parts: int) -> None:
    said = np.array(rows)
    there = measured(frame(len(rows), rewards=rewards(said[:, :2], said[:, 2:])), parts, reward_model=("a", "b"))
    back = measured(frame(len(rows), rewards=rewards(said[:, 2:], said[:, :2])), 1, reward_model=("a", "b"))
    for name, sign in (("mean", -1), ("std", 1)):
        x, y = (f[name].fill_null(0).to_numpy() for f in (there, back))
        assert np.allclose(x, sign * y, atol=1e-9)
    assert np.allclose((there["agree"] + back["agree"]).fill_null(1).to_numpy(), 1)


def test_a_difference_below_the_step_is_a_tie() -> None:
    near = rewards(np.array([[1.05], [2.0]]), np.array([[1.0], [1.0]]), step=0.1)
    found = measured(frame(2, rewards=near), reward_model=("m",))
    assert found["mean"].to_list() == [0.0, pytest.approx(2**0.5)] and found["agree"].to_list() == [0.5, 1.0]


def test_without_a_scorer_nothing_is_said() -> None:
    found = measured(frame(3))
    assert found.select("mean", "std", "agree", "worst", "p_correct").null_count().sum_horizontal().item() == 15
    assert found["scorers"].to_list() == [0, 0, 0]


def test_one_scorer_has_no_spread_and_a_tie_no_side() -> None:
    data = frame(3, margin=[1.0, -2.0, 3.0], label=["chosen", "chosen", "tie"])
    found = measured(data)
    assert found["std"].null_count() == 3 and found["mean"][2] == 0
    assert np.sign(found["mean"]).to_list() == [1, -1, 0] and found["p_correct"].null_count() == 3


def test_columns_of_numbers_verdicts_and_lists() -> None:
    extra = [json.dumps({"a": 3, "b": 1, "right": True, "wrong": False, "many": [1, 2], "few": [0.5, None]}),
             json.dumps({"a": "n/a", "b": 2, "right": False, "wrong": True, "many": [4], "few": [1, 7]}),
             None]  # fmt: skip
    data = frame(3, extra=extra)
    assert measured(data, score_columns=("a:b",))["scorers"].to_list() == [1, 0, 0]
    assert measured(data, score_columns=("right:wrong",))["agree"].to_list() == [1.0, 0.0, None]
    lists = measured(data, score_columns=("many:few",))
    assert lists["agree"].to_list() == [1.0, 1.0, None]
    assert lists.equals(measured(data, 3, score_columns=("many:few",)))


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"a": [1, "high"], "b": [1, 2]}, r"'a': row 3 has \"high\" in its list"),
        ({"a": [1, [2]], "b": [1, 2]}, r"'a': row 3 has \[2\]"),
        ({"a": [1, 2], "b": [1] * 33}, "'b': row 3 has 33 scores, and 32 are the most"),
        ({"a": 1, "b": [1, 2]}, "a:b: row 3 has a list on one side"),
        ({"a": [1, 2], "b": 1}, "a:b: row 3 has a list on one side"),
    ],
)
def test_cells_that_cannot_be_compared_are_named(cells: dict[str, object], why: str) -> None:
    good = json.dumps({"a": [1, 2], "b": [0, 3]})
    with pytest.raises(UsageError, match=why):
        measured(frame(5, extra=[good] * 3 + [json.dumps(cells), good]), score_columns=("a:b",))


def test_lists_and_numbers_in_turn_do_not_depend_on_parts() -> None:
    cells = [{"a": 3, "b": 1}, {"a": [1, True], "b": [2, False]}, {"a": 0.5, "b": 2}, {"a": [2], "b": [1, 0]}]
    data = frame(4, extra=[json.dumps(c) for c in cells])
    once = measured(data, score_columns=("a:b",))
    assert once["scorers"].to_list() == [1, 2, 1, 1]
    assert once.equals(measured(data, 4, score_columns=("a:b",)))
    many = [json.dumps({"a": list(range(1, 33)), "b": [0] * 32})] * 2
    assert measured(frame(2, extra=many), score_columns=("a:b",))["scorers"].to_list() == [32, 32]


def test_a_column_that_is_not_there_is_named() -> None:
    data = frame(1, extra=['{"score": 1, "other": "x"}'])
    with pytest.raises(UsageError, match="scor_e") as caught:
        measured(data, score_columns=("scor_e:other",))
    assert "score" in caught.value.hint
    with pytest.raises(UsageError, match="no row has a number in both"):
        measured(data, score_columns=("score:other",))
    late = frame(300, extra=[*['{"c": null, "r": 1}'] * 299, '{"c": 2.0, "r": 1}'])  # null in all rows that are sampled
    assert measured(late, score_columns=("c:r",))["scorers"].sum() == 1
    with pytest.raises(UsageError, match="is not CHOSEN:REJECTED"):
        split(["score"])


def test_quality_is_low_where_even_the_chosen_answer_is_bad() -> None:
    chosen = np.array([[5.0], [-5.0], [5.0], [-5.0]])
    found = measured(frame(4, rewards=rewards(chosen, chosen - 1)), reward_model=("m",))
    assert found["quality"][0] > found["quality"][1] and found["mean"].n_unique() == 1


def test_a_verdict_that_contradicts_the_label() -> None:
    extra = [json.dumps({"ok": a, "ko": b, "g": k, "h": 0}) for k, (a, b) in
             enumerate([(True, False), (False, True), (True, True), (None, True)])]  # fmt: skip
    found = measured(frame(4, extra=extra), score_columns=("ok:ko", "g:h"))
    assert found["verdict"].to_list() == [1.0, -1.0, 0.0, None]
    assert measured(frame(4, extra=extra), score_columns=("g:h",))["verdict"].null_count() == 4

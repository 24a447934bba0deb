"""What becomes of a row: skips, prompts, reasoning, roles, hostile names and values."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

USER = {"role": "user", "content": "q"}


def one(row: dict[str, Any], **options: Any) -> dict[str, Any]:
    _, pairs, skipped = read([row], **options)
    assert skipped.height == 0, skipped["reason"].to_list()
    return pairs.row(0, named=True)


def said(text: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("answer", "text", "reasoning"),
    [
        ("<think>a\nb</think>\n\nc", "c", "a\nb"),
        ("<think>open end", "", "open end"),
        ("<think></think>c", "c", ""),
        ("bare</think>c", "c", "bare"),
        ("<thinking>a</thinking> c", "c", "a"),
        ("<reasoning>a</reasoning>c", "c", "a"),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>c<|end_of_solution|>", "c", "a"),
        ("[THINK]a[/THINK]c", "c", "a"),
        ("<think>a</think>b<think>d</think>c", "bc", "a\nd"),
        ("use the <think>tag</think> here", "use the <think>tag</think> here", None),
        ("1 < 2 and <b>bold</b>", "1 < 2 and <b>bold</b>", None),
        ([said("c") | {"reasoning_content": "a"}], "c", "a"),
        ([said([{"type": "thinking", "thinking": "a"}, {"type": "text", "text": "c"}])], "c", "a"),
    ],
)
def test_reasoning_is_cut_from_the_answer(answer: Any, text: str, reasoning: str | None) -> None:
    for as_text in (False, True):
        row = one({"prompt": "q", "chosen": answer, "rejected": "no"}, text=as_text)
        assert (row["chosen"], row["chosen_reasoning"]) == (text, reasoning)
        assert (row["rejected"], row["rejected_reasoning"]) == ("no", None)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "text", "text": "a"}, {"type": "image", "image": "x"}], "a[image]"),
        (["a", "b"], "ab"),
        ({"text": "a"}, "a"),
        ("", ""),
    ],
)
def test_content_of_any_kind(content: Any, text: str) -> None:
    row = one({"prompt": [USER], "chosen": [said(content)], "rejected": [said("b")]})
    assert row["chosen"] == text


def test_tool_calls_stay_in_the_content() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}
    tool = {"role": "tool", "content": "3"}
    row = one({"prompt": [USER, call, tool], "chosen": [said("3")], "rejected": [said("4")]})
    assert [m["role"] for m in row["prompt"]] == ["user", "assistant", "tool"]
    assert row["prompt"][1]["content"] == '[{"name":"f"}]'


@pytest.mark.parametrize("prompt", ["q", [USER], {"role": "user", "content": "q"}, ["q"]])
def test_prompt_beside_whole_conversations_is_not_doubled(prompt: Any) -> None:
    row = one({"prompt": prompt, "chosen": [USER, said("a")], "rejected": [USER, said("b")]})
    assert row["prompt"] == [USER] and (row["chosen"], row["rejected"]) == ("a", "b")


def test_system_prompt_stays() -> None:
    system = {"role": "system", "content": "s"}
    row = one({"prompt": [system, USER], "chosen": [USER, said("a")], "rejected": [USER, said("b")]})
    assert row["prompt"] == [system, USER]
    row = one({"system": "s", "prompt": "q", "chosen": "a", "rejected": "b"})
    assert row["prompt"] == [system, USER]


def test_prompts_that_differ_are_both_kept() -> None:
    row = one({"chosen": "\n\nHuman: x\n\nAssistant: a", "rejected": "\n\nHuman: y\n\nHum: z\n\nAssistant: b"})
    assert row["prompt"] == [{"role": "user", "content": "x"}]
    assert row["rejected_prompt"] == [{"role": "user", "content": "y"}, {"role": "user", "content": "z"}]


def test_completion_of_several_turns_follows_the_prompt() -> None:
    turns = [said("look"), {"role": "tool", "content": "3"}, said("three")]
    row = one({"prompt": [USER], "chosen": turns, "rejected": [said("no")]})
    assert row["chosen"] == "three" and len(row["prompt"]) == 3
    assert row["rejected_prompt"] == [USER]


GOOD: dict[str, Any] = {"prompt": "q", "chosen": "a", "rejected": "b"}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"chosen": None}, "an answer is missing"),
        ({"chosen": None, "rejected": None}, "both answers are missing"),
        ({"chosen": 3}, "an answer is neither text nor messages"),
        ({"chosen": True}, "an answer is neither text nor messages"),
        ({"chosen": {"x": 1}}, "an answer is neither text nor messages"),
        ({"chosen": [USER]}, "the last turn is not an assistant turn"),
        ({"chosen": []}, "the last turn is not an assistant turn"),
        ({"prompt": 3}, "the prompt is neither text nor messages"),
        ({"prompt": [3]}, "the prompt is neither text nor messages"),
    ],
)
def test_a_row_that_is_no_pair_is_skipped_with_its_reason(bad: dict[str, Any], reason: str) -> None:
    _, pairs, skipped = read([GOOD, GOOD | bad, GOOD])
    assert pairs["source_row"].to_list() == [0, 2] and pairs["row"].to_list() == [0, 1]
    assert skipped.rows() == [(1, "data.jsonl", 2, reason)]


def test_empty_answers_and_prompts_stay_pairs() -> None:
    _, pairs, _ = read([GOOD | {"chosen": ""}, GOOD | {"prompt": None}, GOOD | {"prompt": ""}, GOOD])
    assert pairs["chosen"][0] == "" and pairs["prompt"][1].to_list() == []


@pytest.mark.parametrize("name", ["turn", "msg", "part", "m", "e", 'a"b', "Prompt", "select", "col_1", "g", "label"])
def test_column_names_cannot_disturb_the_statement(name: str) -> None:
    rows = [{**GOOD, name: "x", "row": i} for i in range(3)]
    if name == "label":
        rows = [row | {name: {"x": 1}} for row in rows]
    _, pairs, _ = read(rows, name="trl")
    assert pairs["chosen"].to_list() == ["a"] * 3 and pairs["extra"][0].startswith("{")


def test_votes_of_one_row_are_one_pair() -> None:
    def row(*votes: int) -> dict[str, Any]:
        return {
            "instruction": "q",
            "input": "",
            "response1": "x",
            "response2": "y",
            **{f"annotator{n + 1}": v for n, v in enumerate(votes)},
        }

    _, pairs, _ = read([row(1, 1, 2), row(2, 2, 0), row(0, 1, 2), row(0, 0, 1)])
    assert pairs["label"].to_list() == ["chosen", "chosen", "tie", "tie"]
    assert pairs["chosen"].to_list() == ["x", "y", "x", "x"] and pairs["first"].to_list() == [1, 0, 1, 1]
    assert [[v["vote"] for v in votes] for votes in pairs["votes"]] == [
        [1, 1, 0],
        [1, 1, 0.5],
        [0.5, 1, 0],
        [0.5, 0.5, 1],
    ]


def test_labels_that_are_easy_to_get_wrong() -> None:
    def helpsteer(n: int) -> dict[str, Any]:
        return {"prompt": "q", "response_1": "x", "response_2": "y", "preference_strength": n}

    _, pairs, _ = read([helpsteer(-2), helpsteer(3), helpsteer(0)])
    assert pairs["chosen"].to_list() == ["x", "y", "x"] and pairs["margin"].to_list() == [2, 3, 0]
    _, pairs, _ = read([{"history": "q", "human_ref_A": "x", "human_ref_B": "y", "labels": n} for n in (1, 0)])
    assert pairs["chosen"].to_list() == ["x", "y"]
    alpaca = [{"instruction": "q", "output_1": "x", "output_2": "y", "preference": p} for p in (1, 2, 1.5, 0, 1.2, 1.9)]
    _, pairs, _ = read(alpaca)
    assert pairs["label"].to_list() == ["chosen", "chosen", "tie", "tie", "chosen", "chosen"]
    assert pairs["chosen"].to_list() == ["x", "y", "x", "x", "x", "y"]


def test_half_a_surrogate_pair_in_a_text_of_json_costs_one_character() -> None:
    def row(answer: str) -> dict[str, Any]:
        hot = {"winner_model_a": 1, "winner_model_b": 0, "winner_tie": 0}
        return {"prompt": '["q"]', "response_a": answer, "response_b": '["y"]', "model_a": "m", "model_b": "n", **hot}

    for text in (True, False):
        _, pairs, skipped = read([row('["x"]'), row('["x\\ud83d z"]'), row("[null]")], text)
        assert pairs["chosen"].to_list() == ["x", "x\ufffd z"]
        assert skipped["reason"].to_list() == ["an answer is missing"]


def test_ratings_ranks_and_places() -> None:
    rows = [{"prompt": "q", "answers": [{"answer": f"r{n}", "rank": n} for n in (3, 1, 2)]}]
    _, pairs, _ = read(rows)
    assert list(zip(pairs["chosen"], pairs["rejected"], pairs["margin"], strict=True)) == [
        ("r1", "r3", 2),
        ("r2", "r3", 1),
        ("r1", "r2", 1),
    ]


def test_single_replies_become_pairs_where_a_prompt_has_both_labels() -> None:
    rows = [
        {"prompt": p, "completion": c, "label": good}
        for p, c, good in (("p", "a", 1), ("q", "x", 0), ("p", "b", 0), ("p", "c", 1), ("r", "y", 1))
    ]
    _, pairs, _ = read(rows)
    assert list(
        zip(pairs["source_row"], pairs["other_source_row"], pairs["chosen"], pairs["rejected"], strict=True)
    ) == [(0, 2, "a", "b"), (3, 2, "c", "b"), (1, None, None, "x"), (4, None, "y", None)]


reply = st.one_of(
    st.none(),
    st.text("ab<>", max_size=4),
    st.integers(0, 2),
    st.booleans(),
    st.just([]),
    st.lists(
        st.fixed_dictionaries(
            {
                "role": st.sampled_from(["user", "assistant", "x"]),
                "content": st.one_of(st.none(), st.text("ab", max_size=2)),
            }
        ),
        max_size=3,
    ),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "prompt": st.one_of(st.none(), st.sampled_from("pq")),
                "completion": reply,
                "label": st.sampled_from([True, False, None, "maybe"]),
            }
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_source_row_is_in_a_pair_or_skipped(rows: list[dict[str, Any]]) -> None:
    read(rows, name="kto")
    read(
        [{"prompt": r["prompt"], "chosen": r["completion"], "rejected": rows[0]["completion"]} for r in rows],
        name="trl",
    )
    read(
        [{"prompt": r["prompt"], "response": r["completion"], "score": n % 3} for n, r in enumerate(rows)],
        name="scored",
    )

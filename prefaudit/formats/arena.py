"""Arena battles: Chatbot Arena in its three releases, and the human judgments of MT-bench."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.build import sides
from prefaudit.formats.columns import Columns
from prefaudit.formats.judged import by_word, placed, words_fit
from prefaudit.formats.sample import Sample, is_conversation, is_texts
from prefaudit.formats.sql import ANSWER, MSGS, PROMPT

NOTHING = f"{{'m': [], 'bad': null}}::{PROMPT}"
WINNER = {"a": "model_a", "b": "model_b", "tie": "tie"}
CARRIES = ("tie", "both_bad", "first", "model_chosen", "model_rejected")


def _battle(c: Columns, a: str, b: str) -> Reading:
    return replace(
        sides(c, a, b),
        label=by_word("winner")(c),
        first="1",
        model_a=c.text("model_a"),
        model_b=c.text("model_b"),
        annotator=c.text("judge", "judge_hash", "annotator"),
    )


def _conversations(sample: Sample) -> str:
    for side in ("conversation_a", "conversation_b"):
        if sample.share(side, is_conversation) < 0.5:
            return f"{side!r} does not hold message lists"
    return words_fit("winner")(sample)


def _battle_rows(bad: str, parts: bool = False) -> Callable[[list[PairDict]], list[dict[str, Any]]]:
    def said(text: str) -> Any:
        return [{"type": "text", "text": text, "image": None, "mimeType": None}] if parts else text

    def rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
        out = []
        for n, pair in enumerate(pairs):
            x, y, winner = placed(pair)
            row: dict[str, Any] = {"winner": WINNER.get(winner, bad)}
            for letter, side in (("a", x), ("b", y)):
                turns = [*pair["prompt"], {"role": "assistant", "content": pair[side]}]
                row[f"conversation_{letter}"] = [{"role": m["role"], "content": said(m["content"])} for m in turns]
                row[f"model_{letter}"] = pair.get(f"model_{side}")
            more = {"evaluation_session_id": str(n), "evaluation_order": 1} if parts else {"tstamp": n}
            out.append(row | more)
        return out

    return rows


FIELDS = {"response_a": "conversation_a", "response_b": "conversation_b", "label": "winner"}

ARENA_100K = Layout(
    "arena",
    "Chatbot Arena conversations, arena 100k",
    "conversation_a, conversation_b, model_a, model_b, winner",
    ("conversation_a", "conversation_b", "model_a", "model_b", "winner"),
    lambda c: _battle(c, "conversation_a", "conversation_b"),
    _battle_rows("tie (bothbad)"),
    _conversations,
    FIELDS,
    CARRIES,
)

ARENA_140K = Layout(
    "arena-140k",
    "Arena 140k",
    "conversation_a, conversation_b with content parts, winner, evaluation_session_id",
    ("conversation_a", "conversation_b", "model_a", "model_b", "winner", "evaluation_session_id"),
    lambda c: _battle(c, "conversation_a", "conversation_b"),
    _battle_rows("both_bad", True),
    _conversations,
    FIELDS,
    CARRIES,
)


def _mt_bench(c: Columns) -> Reading:
    def upto(name: str) -> str:
        both = f"{{'j': {c[name].json}, 'n': coalesce({c['turn'].number}, 99)::bigint}}"
        seen = f"({sql.turns('talk.j', 'assistant')})[1:2 * talk.n]"
        return sql.let(both, "talk", sql.let(seen, "m", sql.last_turn("m")))

    return replace(
        _battle(c, "conversation_a", "conversation_b"),
        a=upto("conversation_a"),
        b=upto("conversation_b"),
        text_a=None,
        text_b=None,
    )


def _mt_bench_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    rows = _battle_rows("tie")(pairs)
    for n, (row, pair) in enumerate(zip(rows, pairs, strict=True)):
        turn = (len(pair["prompt"]) + 1) // 2
        row |= {"question_id": n, "turn": turn, "judge": pair.get("annotator")}
        del row["tstamp"]
        if turn == 1:
            later = [{"role": "user", "content": "and then?"}, {"role": "assistant", "content": "no more"}]
            row |= {f"conversation_{s}": [*row[f"conversation_{s}"], *later] for s in "ab"}
    return rows


MT_BENCH = Layout(
    "mt-bench",
    "MT-bench human judgments",
    "question_id, conversation_a, conversation_b, winner, judge, turn 1 or 2",
    ("conversation_a", "conversation_b", "model_a", "model_b", "winner", "judge", "turn", "question_id"),
    _mt_bench,
    _mt_bench_rows,
    lambda s: "it has 'tstamp', like Chatbot Arena" if "tstamp" in s else _conversations(s),
    FIELDS,
    ("tie", "first", "model_chosen", "model_rejected", "annotator"),
)


def _one_hot(c: Columns) -> str:
    a, b, tie = (c[f"winner_{x}"].number for x in ("model_a", "model_b", "tie"))
    return (
        f"case when {a} = 1 and {b} = 0 and {tie} = 0 then 'a' when {b} = 1 and {a} = 0 and {tie} = 0 then 'b' "
        f"when {tie} = 1 and {a} = 0 and {b} = 0 then 'tie' end"
    )


def _lists(c: Columns, side: str) -> str:
    """SQL ANSWER of lists of user and of assistant turns; the last assistant turn is the answer."""
    asked = f"json_transform({c['prompt'].json}, '[\"VARCHAR\"]')"
    given = f"json_transform({c[side].json}, '[\"VARCHAR\"]')"
    flat = (
        "flatten(list_transform(list_zip(z.asked, z.given), lambda t, i: case when i < len(z.asked) then "
        "[{'role': 'user', 'content': coalesce(t[1], '')}, {'role': 'assistant', 'content': coalesce(t[2], '')}] "
        "else [{'role': 'user', 'content': coalesce(t[1], '')}] end))"
    )
    return (
        f"(list_transform([{{'asked': {asked}, 'given': {given}}}], lambda z: case when z.given is null then null "
        f"when z.asked is null or len(z.asked) <> len(z.given) then pf_bad('prompt and answers have unequal turns') "
        f"else {{'context': {flat}::{MSGS}, 'text': z.given[-1], 'reasoning': null, 'bad': null}}::{ANSWER} end)[1])"
    )


def _arena_55k(c: Columns) -> Reading:
    return Reading(
        prompt=NOTHING,
        a=_lists(c, "response_a"),
        b=_lists(c, "response_b"),
        label=_one_hot(c),
        first="1",
        model_a=c.text("model_a"),
        model_b=c.text("model_b"),
    )


def _arena_55k_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    out = []
    for pair in pairs:
        x, y, winner = placed(pair)
        said = [m["content"] for m in pair["prompt"] if m["role"] == "assistant"]
        row = {"prompt": json.dumps([m["content"] for m in pair["prompt"] if m["role"] == "user"])}
        row |= {"response_a": json.dumps([*said, pair[x]]), "response_b": json.dumps([*said, pair[y]])}
        hot: dict[str, Any] = {"winner_model_a": "a", "winner_model_b": "b", "winner_tie": "tie"}
        hot = {name: int(winner == side) for name, side in hot.items()}
        out.append(row | hot | {"model_a": pair.get(f"model_{x}"), "model_b": pair.get(f"model_{y}")})
    return out


ARENA_55K = Layout(
    "arena-55k",
    "Arena 55k",
    "prompt, response_a, response_b: JSON lists in texts; winner_model_a, _model_b, _tie",
    ("prompt", "response_a", "response_b", "winner_model_a", "winner_model_b", "winner_tie"),
    _arena_55k,
    _arena_55k_rows,
    lambda s: "" if s.share("response_a", is_texts) > 0.5 else "'response_a' does not hold lists",
    {"prompt": "prompt", "response_a": "response_a", "response_b": "response_b"},
    ("tie", "first", "model_chosen", "model_rejected"),
    beats=("judged",),
)

LAYOUTS = (ARENA_100K, ARENA_140K, MT_BENCH, ARENA_55K)

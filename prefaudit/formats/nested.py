"""Layouts whose answers stand inside other values: summaries, WebGPT, and FastChat's pair judgments."""

from __future__ import annotations

from typing import Any

from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.columns import Columns
from prefaudit.formats.explicit import last_user
from prefaudit.formats.judged import placed
from prefaudit.formats.sample import Sample
from prefaudit.formats.sql import ANSWER, PROMPT


def _answer(value: str) -> str:
    return f"(list_transform([{value}], lambda js: {sql.answer_json('js')})[1])"


def _asked(text: str) -> str:
    return f"{{'m': case when {text} is null then [] else {sql.user(text)} end, 'bad': null}}::{PROMPT}"


def _summaries(c: Columns) -> Reading:
    info, two = c["info"].json, c["summaries"].json
    body = f"coalesce({info}->>'$.post', {info}->>'$.article')"
    title = (
        f"case when {info}->>'$.title' is null then {body} "
        f"else ({info}->>'$.title') || chr(10) || chr(10) || coalesce({body}, '') end"
    )
    note = f", 'confidence', {c['extra'].json}->'$.confidence'" if "extra" in c else ""
    return Reading(
        prompt=_asked(f"({title})"),
        a=_answer(f"{two}->0->'$.text'"),
        b=_answer(f"{two}->1->'$.text'"),
        label=f"case {c['choice'].number} when 0 then 'a' when 1 then 'b' end",
        first="1",
        model_a=f"{two}->0->>'$.policy'",
        model_b=f"{two}->1->>'$.policy'",
        annotator=c.text("worker"),
        source=f"coalesce({info}->>'$.subreddit', {info}->>'$.site')",
        extra=f"json_object('id', {info}->'$.id', 'batch', {c.text('batch')}, 'split', {c.text('split')}{note})"
        "::varchar",
    )


def _summaries_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    out = []
    for p in pairs:
        x, y, winner = placed(p)
        out.append(
            {
                "info": {"id": "i", "post": last_user(p), "title": None, "subreddit": p.get("source")},
                "summaries": [{"text": p[s], "policy": p.get(f"model_{s}"), "note": None} for s in (x, y)],
                "choice": int(winner == "b"),
                "worker": p.get("annotator"),
                "batch": "1",
                "split": "train",
                "extra": {"confidence": 5},
            }
        )
    return out


SUMMARIES = Layout(
    "summarize-from-feedback",
    "summarize_from_feedback",
    "info{post or article}, summaries[2]{text, policy}, choice 0, 1",
    ("info", "summaries", "choice"),
    _summaries,
    _summaries_rows,
    carries=("first", "model_chosen", "model_rejected", "annotator", "source"),
)


def _webgpt(c: Columns) -> Reading:
    q = c["question"].json
    a, b = c["score_0"].number, c["score_1"].number
    return Reading(
        prompt=_asked(f"coalesce({q}->>'$.full_text', pf_string({q}))"),
        a=c["answer_0"].answer,
        b=c["answer_1"].answer,
        label=sql.compare(a, b),
        first="1",
        score_a=a,
        score_b=b,
    )


def _webgpt_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    out = []
    for p in pairs:
        x, y, winner = placed(p)
        low, high = {"a": (0.5, -0.5), "b": (-1.0, 1.0), "tie": (0.0, 0.0)}[winner]
        out.append(
            {
                "question": {"full_text": last_user(p), "id": "q"},
                "answer_0": p[x],
                "answer_1": p[y],
                "score_0": low,
                "score_1": high,
            }
        )
    return out


WEBGPT = Layout(
    "webgpt",
    "WebGPT comparisons",
    "question{full_text}, answer_0, answer_1, score_0, score_1: equal scores are a tie",
    ("question", "answer_0", "answer_1", "score_0", "score_1"),
    _webgpt,
    _webgpt_rows,
    fields={"response_a": "answer_0", "response_b": "answer_1"},
    carries=("tie", "first"),
)

_ONE = (
    r"(?s)\[User Question\]\n(.*?)\n\n\[The Start of Assistant A''s Answer\]\n(.*?)\n"
    r"\[The End of Assistant A''s Answer\]\n\n\[The Start of Assistant B''s Answer\]\n(.*)\n"
    r"\[The End of Assistant B''s Answer\]"
)
_TALK = (
    r"(?s)<\|The Start of Assistant {0}''s Conversation with User\|>\s*(.*)"
    r"\s*<\|The End of Assistant {0}''s Conversation with User\|>"
)
_TURN = r"### (User|Assistant [AB]):\n"


def _talk(text: str, side: str) -> str:
    """SQL ANSWER of a judge prompt's conversation of two turns."""
    body = f"regexp_extract({text}, '{_TALK.format(side)}', 1)"
    zipped = f"list_zip(regexp_extract_all(talk, '{_TURN}', 1), regexp_split_to_array(talk, '{_TURN}')[2:])"
    turns = (
        f"list_transform({zipped}, lambda z: {{'role': case when z[1] = 'User' then 'user' else 'assistant' end, "
        "'content': trim(z[2], chr(10)), 'reasoning': null::varchar})"
    )
    return sql.let(body, "talk", sql.let(turns, "m", sql.last_turn("m")))


def _fastchat(c: Columns) -> Reading:
    text = c["g1_user_prompt"].string
    found = f"regexp_extract({text}, '{_ONE}', ['q', 'a', 'b'])"
    single = f"regexp_matches({text}, '{_ONE}')"
    g1, g2 = c["g1_winner"].text, c["g2_winner"].text
    judge = c.get("judge")
    return Reading(
        prompt=f"{{'m': case when {single} then {sql.user(f'({found}).q')} else [] end, 'bad': null}}::{PROMPT}",
        a=f"case when {text} is null then null::{ANSWER} when {single} then pf_plain(({found}).a) "
        f"else {_talk(text, 'A')} end",
        b=f"case when {text} is null then null::{ANSWER} when {single} then pf_plain(({found}).b) "
        f"else {_talk(text, 'B')} end",
        label=sql.words(g1, {"a": ("model_1",), "b": ("model_2",), "tie": ("tie",)}),
        reason=f"case when {g1} = 'error' or {g2} = 'error' then 'the judge gave no verdict' "
        f"when {g1} <> {g2} then 'the two orders gave different verdicts' end",
        model_a=c.text("model_1"),
        model_b=c.text("model_2"),
        annotator=f"coalesce({judge.json}->>0, pf_scalar({judge.json}))" if judge else "null",
    )


def _fastchat_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    out = []
    for n, p in enumerate(pairs):
        x, y, winner = placed({**p, "first": 1})
        said = {"a": "model_1", "b": "model_2", "tie": "tie"}[winner]
        text = (
            f"[User Question]\n{last_user(p)}\n\n[The Start of Assistant A's Answer]\n{p[x]}\n[The End of "
            f"Assistant A's Answer]\n\n[The Start of Assistant B's Answer]\n{p[y]}\n[The End of Assistant B's Answer]"
        )
        out.append(
            {
                "question_id": n,
                "model_1": p.get(f"model_{x}"),
                "model_2": p.get(f"model_{y}"),
                "g1_winner": said,
                "g2_winner": said,
                "judge": [p.get("annotator"), "pair-v2"],
                "g1_user_prompt": text,
                "turn": 1,
            }
        )
    return out


def _fastchat_fits(sample: Sample) -> str:
    return "" if sample.texts("g1_user_prompt") else "'g1_user_prompt', which holds the answers, is empty"


FASTCHAT = Layout(
    "fastchat-pairs",
    "FastChat pair judgments",
    "model_1, model_2, g1_winner, g2_winner, g1_user_prompt: counts where both agree",
    ("model_1", "model_2", "g1_winner", "g2_winner", "g1_user_prompt"),
    _fastchat,
    _fastchat_rows,
    _fastchat_fits,
    carries=("tie", "model_chosen", "model_rejected", "annotator"),
)

LAYOUTS = (SUMMARIES, WEBGPT, FASTCHAT)

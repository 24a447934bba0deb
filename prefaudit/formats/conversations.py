"""Layouts with the history in a message list beside the two answers: LLaMA-Factory, MedicalGPT, ms-swift, Axolotl."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.build import sides, with_system
from prefaudit.formats.columns import Columns
from prefaudit.formats.explicit import STRENGTHS, answers, last_user
from prefaudit.formats.judged import shifted
from prefaudit.formats.sample import Sample, is_conversation
from prefaudit.formats.sql import MSGS, PROMPT

FROM = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}


def _listed(column: str) -> Any:
    def fits(sample: Sample) -> str:
        if sample.share(column, is_conversation) < 0.5:
            return f"{column!r} does not hold message lists"
        return ""

    return fits


def _sharegpt(c: Columns) -> Reading:
    return with_system(c, sides(c, "chosen", "rejected", "conversations"), "system")


def _sharegpt_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    return [
        {
            "conversations": [{"from": FROM[m["role"]], "value": m["content"]} for m in pair["prompt"]],
            **{side: {"from": "gpt", "value": pair[side]} for side in ("chosen", "rejected")},
            **{f: pair.get(f) for f in STRENGTHS},
        }
        for pair in pairs
    ]


SHAREGPT = Layout(
    "sharegpt",
    "ShareGPT ranking",
    "conversations{from, value}, chosen, rejected (a turn or a text): LLaMA-Factory, MedicalGPT",
    ("conversations", "chosen", "rejected"),
    _sharegpt,
    _sharegpt_rows,
    lambda s: _listed("conversations")(s) or answers(s, "chosen", "rejected"),
    {"prompt": "conversations", "chosen": "chosen", "rejected": "rejected", "system": "system"},
    STRENGTHS,
    True,
)


def _chat(c: Columns) -> Reading:
    return with_system(c, sides(c, "chosen", "rejected", "messages"), "system")


CHAT = Layout(
    "axolotl-chat",
    "Axolotl chat_template",
    "messages, chosen{role, content}, rejected{role, content}",
    ("messages", "chosen", "rejected"),
    _chat,
    lambda pairs: [
        {
            "messages": p["prompt"],
            **{s: {"role": "assistant", "content": p[s]} for s in ("chosen", "rejected")},
            **{f: p.get(f) for f in STRENGTHS},
        }
        for p in pairs
    ],
    lambda s: "'prompt' is there" if "prompt" in s else _listed("messages")(s) or answers(s, "chosen", "rejected"),
    {"prompt": "messages", "chosen": "chosen", "rejected": "rejected", "system": "system"},
    STRENGTHS,
)


def _alpaca(c: Columns) -> Reading:
    reading = sides(c, "chosen", "rejected", "instruction")
    asked = shifted(c["instruction"].text, c["input"].text)
    past = c.get("history")
    if past is not None:
        turns = (
            f"flatten(list_transform(coalesce(json_extract({past.json}, '$[*]'), []), lambda h: "
            "[{'role': 'user', 'content': coalesce(h->>0, '')}, "
            "{'role': 'assistant', 'content': coalesce(h->>1, '')}]))"
        )
        asked = f"(list_transform([{asked}], lambda pr: {{'m': {turns}::{MSGS} || pr.m, 'bad': null}}::{PROMPT})[1])"
    return with_system(c, replace(reading, prompt=asked, text_prompt=None), "system")


ALPACA = Layout(
    "alpaca-ranking",
    "LLaMA-Factory alpaca",
    "instruction, input, chosen, rejected, (system, history)",
    ("instruction", "input", "chosen", "rejected"),
    _alpaca,
    lambda pairs: [
        {
            "instruction": last_user(p),
            "input": "",
            "chosen": p["chosen"],
            "rejected": p["rejected"],
            **{f: p.get(f) for f in STRENGTHS},
        }
        for p in pairs
    ],
    lambda s: answers(s, "chosen", "rejected"),
    {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected", "system": "system"},
    STRENGTHS,
    beats=("axolotl-icr", "instruction"),
)


def _swift(rejected: str) -> Layout:
    def read(c: Columns) -> Reading:
        return sides(c, "messages", rejected)

    def rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
        out = []
        for pair in pairs:
            turn = {"role": "assistant", "content": pair["rejected"]}
            other: Any = [*pair["prompt"], turn] if rejected == "rejected_messages" else pair["rejected"]
            out.append(
                {
                    "messages": [*pair["prompt"], {"role": "assistant", "content": pair["chosen"]}],
                    rejected: other,
                    "margin": pair.get("margin"),
                }
            )
        return out

    return Layout(
        f"ms-swift{'-messages' if rejected == 'rejected_messages' else ''}",
        "ms-swift",
        f"messages whose last turn is the chosen answer, {rejected}",
        ("messages", rejected),
        read,
        rows,
        _listed("messages"),
        {"chosen": "messages", "rejected": rejected},
        ("margin",),
    )


def _one_prompt(layout: Layout) -> Layout:
    """The rejected answer is a text: it shares the turns that stand before the chosen one."""

    def read(c: Columns) -> Reading:
        both = sides(c, "messages", "rejected_response")
        shared = f"(list_transform([{both.a}], lambda an: {{'m': coalesce(an.context, []), 'bad': null}}::{PROMPT})[1])"
        return replace(both, prompt=shared)

    return replace(layout, read=read)


SWIFT = _one_prompt(_swift("rejected_response"))
SWIFT_MESSAGES = _swift("rejected_messages")

LAYOUTS = (SHAREGPT, CHAT, ALPACA, SWIFT, SWIFT_MESSAGES)

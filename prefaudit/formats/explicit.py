"""Layouts with a prompt, a chosen and a rejected answer in columns of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.build import sides, with_system
from prefaudit.formats.columns import Columns
from prefaudit.formats.sample import Sample, is_answer, is_conversation, is_texts, is_transcript


def answers(sample: Sample, *names: str) -> str:
    """What speaks against these columns as answers; empty where nothing does."""
    for name in names:
        if not sample.values(name):
            return f"{name!r} has no value"
        if sample.share(name, is_answer) < 0.5:
            return f"the values of {name!r} are neither text nor messages"
    return ""


def asked(sample: Sample, name: str) -> str:
    """What speaks against a column as a prompt."""
    values = sample.values(name)
    if values and sample.share(name, lambda v: isinstance(v, str) or is_conversation(v) or is_texts(v)) < 0.5:
        return f"the values of {name!r} are neither text nor messages"
    return ""


def last_user(pair: PairDict) -> str:
    """The prompt of a pair that has one user turn, as text."""
    return "".join(m["content"] for m in pair["prompt"] if m["role"] == "user")


def explicit(
    name: str,
    title: str,
    about: str,
    *,
    prompt: str = "prompt",
    chosen: str = "chosen",
    rejected: str = "rejected",
    also: tuple[str, ...] = (),
    carries: tuple[str, ...] = (),
    messages: bool = False,
    rename: dict[str, str] | None = None,
    verified: bool = False,
    beats: tuple[str, ...] = (),
    hidden: bool = False,
) -> Layout:
    """A layout of three columns; `also` must be there too, `rename` maps PAIRS columns to the layout's own."""
    names = rename or {}

    def read(c: Columns) -> Reading:
        return with_system(c, sides(c, chosen, rejected, prompt), "system", "system_prompt")

    def rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
        out = []
        for pair in pairs:
            turns = {side: [{"role": "assistant", "content": pair[side]}] for side in ("chosen", "rejected")}
            row: dict[str, Any] = {
                prompt: pair["prompt"] if messages else last_user(pair),
                chosen: turns["chosen"] if messages else pair["chosen"],
                rejected: turns["rejected"] if messages else pair["rejected"],
            }
            row |= {names.get(f, f): pair.get(f) for f in carries}
            row |= {extra: "" for extra in also if extra not in row}
            out.append(row)
        return out

    def fits(sample: Sample) -> str:
        return answers(sample, chosen, rejected) or asked(sample, prompt)

    return Layout(
        name,
        title,
        about,
        (prompt, chosen, rejected, *also),
        read,
        rows,
        fits,
        fields={"prompt": prompt, "chosen": chosen, "rejected": rejected, "system": "system"},
        carries=carries,
        verified=verified,
        beats=beats,
        hidden=hidden,
    )


STRENGTHS = ("margin", "score_chosen", "score_rejected", "source", "model_chosen", "model_rejected", "annotator")

TRL = explicit(
    "trl",
    "TRL explicit",
    "prompt, chosen, rejected: texts or message lists; also OpenRLHF, Axolotl prompt_pairs and ultra, distilabel",
    carries=STRENGTHS,
    messages=True,
    verified=True,
)


def _implicit_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    return [
        {
            **{
                side: [*pair["prompt"], {"role": "assistant", "content": pair[side]}] for side in ("chosen", "rejected")
            },
            **{f: pair.get(f) for f in STRENGTHS},
        }
        for pair in pairs
    ]


def implicit(name: str, title: str, about: str, chosen: str, rejected: str, *, verified: bool = False) -> Layout:
    """Two whole conversations as message lists; the prompt is what stands before the last assistant turn."""

    def read(c: Columns) -> Reading:
        return with_system(c, sides(c, chosen, rejected), "system")

    def fits(sample: Sample) -> str:
        if "prompt" in sample or "conversations" in sample or "messages" in sample:
            return "there is a column for the prompt"
        for side in (chosen, rejected):
            if sample.share(side, lambda v: is_conversation(v) and isinstance(v, list)) < 0.5:
                return f"{side!r} does not hold message lists"
        return ""

    def rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
        return [{chosen: row.pop("chosen"), rejected: row.pop("rejected"), **row} for row in _implicit_rows(pairs)]

    return Layout(
        name,
        title,
        about,
        (chosen, rejected),
        read,
        rows,
        fits,
        {"chosen": chosen, "rejected": rejected},
        STRENGTHS,
        verified,
    )


TRL_IMPLICIT = implicit(
    "trl-implicit",
    "TRL implicit",
    "chosen, rejected: whole message lists; also Skywork, RLHFlow, RewardBench 2",
    "chosen",
    "rejected",
)

IFBENCH = implicit(
    "ifbench",
    "IFBench pairs",
    "text_chosen, text_rejected: whole message lists",
    "text_chosen",
    "text_rejected",
    verified=True,
)


def _no_prompt(sample: Sample) -> str:
    if any(n in sample for n in ("prompt", "question", "instruction", "input", "conversations", "messages", "history")):
        return "there is a column for the prompt"
    if sample.share("chosen", is_transcript) > 0.5:
        return "the texts are transcripts"
    if sample.share("chosen", lambda v: isinstance(v, str)) < 0.5:
        return "'chosen' does not hold text"
    return answers(sample, "chosen", "rejected")


TEXTS = Layout(
    "texts",
    "chosen and rejected texts",
    "chosen, rejected: texts without a prompt (each is read whole)",
    ("chosen", "rejected"),
    lambda c: sides(c, "chosen", "rejected"),
    lambda pairs: [
        {"chosen": p["chosen"], "rejected": p["rejected"], **{f: p.get(f) for f in STRENGTHS}} for p in pairs
    ],
    _no_prompt,
    {"chosen": "chosen", "rejected": "rejected"},
    STRENGTHS,
)

NEMO = explicit(
    "nemo-aligner",
    "NeMo-Aligner DPO",
    "prompt, chosen_response, rejected_response, chosen_reward, rejected_reward",
    chosen="chosen_response",
    rejected="rejected_response",
    carries=("score_chosen", "score_rejected"),
    rename={"score_chosen": "chosen_reward", "score_rejected": "rejected_reward"},
)
AXOLOTL_ARGILLA = explicit(
    "axolotl-argilla",
    "Axolotl argilla",
    "instruction, chosen_response, rejected_response",
    prompt="instruction",
    chosen="chosen_response",
    rejected="rejected_response",
)
INTEL = explicit("axolotl-intel", "Axolotl chatml.intel", "(system), question, chosen, rejected", prompt="question")
ICR = explicit("axolotl-icr", "Axolotl icr, bradley_terry", "(system), input, chosen, rejected", prompt="input")
INSTRUCTION = explicit(
    "instruction",
    "instruction, chosen, rejected",
    "instruction, chosen, rejected: Argilla and Axolotl argilla_chat",
    prompt="instruction",
    carries=STRENGTHS,
)


def _columns(name: str, about: str, prompt: bool) -> Layout:
    def read(c: Columns) -> Reading:
        reading = sides(c, "chosen", "rejected", "prompt" if prompt else None)
        return with_system(c, replace(reading), "system")

    wants = ("prompt", "chosen", "rejected") if prompt else ("chosen", "rejected")
    return Layout(
        name,
        "columns named with --map",
        about,
        wants,
        read,
        TRL.rows if prompt else TEXTS.rows,
        lambda s: answers(s, "chosen", "rejected"),
        {f: f for f in (*wants, "system")},
        STRENGTHS,
        True,
        hidden=True,
    )


COLUMNS = _columns("columns", "--map prompt=, chosen=, rejected=", True)
COLUMNS_IMPLICIT = _columns("columns-implicit", "--map chosen=, rejected=", False)

LAYOUTS = (TRL, TRL_IMPLICIT, IFBENCH, TEXTS, NEMO, AXOLOTL_ARGILLA, INTEL, ICR, INSTRUCTION, COLUMNS, COLUMNS_IMPLICIT)

"""HH-RLHF: two transcripts, and the same cleaned by the strength that reward models gave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.build import sides
from prefaudit.formats.columns import Columns
from prefaudit.formats.sample import Sample, is_texts, is_transcript
from prefaudit.formats.sql import PROMPT

ROLES = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: "}


def _transcripts(c: Columns) -> Reading:
    return Reading(
        prompt=f"{{'m': [], 'bad': null}}::{PROMPT}",
        a=sql.answer_transcript(c["chosen"].string),
        b=sql.answer_transcript(c["rejected"].string),
    )


def _fits(sample: Sample) -> str:
    if min(sample.share("chosen", is_transcript), sample.share("rejected", is_transcript)) < 0.5:
        return "the texts are not transcripts of Human and Assistant"
    return ""


def write(messages: list[dict[str, str]]) -> str:
    """A transcript of messages."""
    return "".join(ROLES[m["role"]] + m["content"] for m in messages)


def _rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    return [
        {side: write(pair["prompt"]) + ROLES["assistant"] + pair[side] for side in ("chosen", "rejected")}
        for pair in pairs
    ]


HH = Layout(
    "hh",
    "HH-RLHF transcripts",
    "chosen, rejected: texts of \\n\\nHuman: and \\n\\nAssistant: turns",
    ("chosen", "rejected"),
    _transcripts,
    _rows,
    _fits,
    {"chosen": "chosen", "rejected": "rejected"},
    (),
    True,
    beats=("texts", "trl-implicit"),
)

MEAN = "mean preference difference"


def _strength(c: Columns) -> Reading:
    mean = c.get(MEAN, MEAN.replace(" ", "_"))
    assert mean is not None
    return replace(sides(c, "chosen", "rejected"), margin=mean.number)


def _strength_fits(sample: Sample) -> str:
    return "" if sample.share("chosen", is_texts) > 0.5 else "'chosen' does not hold lists of turns"


def _strength_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    return [
        {
            **{side: [*(m["content"] for m in pair["prompt"]), pair[side]] for side in ("chosen", "rejected")},
            MEAN: pair.get("margin"),
        }
        for pair in pairs
    ]


STRENGTH = Layout(
    "hh-strength",
    "HH-RLHF strength cleaned",
    "chosen, rejected: lists of turns; the mean difference of ten reward models as margin (negative against the label)",
    ("chosen", "rejected", MEAN),
    _strength,
    _strength_rows,
    _strength_fits,
    {"chosen": "chosen", "rejected": "rejected", "margin": MEAN},
    ("margin",),
)

LAYOUTS = (HH, STRENGTH)

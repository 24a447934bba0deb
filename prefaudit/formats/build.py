"""Readings that many layouts share: two answer columns, a system prompt beside them, k answers to one prompt."""

from __future__ import annotations

from dataclasses import replace

from prefaudit.formats import sql
from prefaudit.formats.base import Reading
from prefaudit.formats.columns import Columns
from prefaudit.formats.sql import MSGS, PROMPT

ALL, NEXT = 20, 10
"""Up to so many answers to a prompt all are compared; of more, each with so many that follow it."""


def sides(c: Columns, a: str, b: str, prompt: str | None = None) -> Reading:
    """The reading of a row with two answer columns and at most one prompt column."""
    first, second = c[a], c[b]
    asked = c[prompt] if prompt else None
    plain = first.plain and second.plain
    return Reading(
        prompt=asked.prompt if asked else f"{{'m': [], 'bad': null}}::{PROMPT}",
        a=first.answer,
        b=second.answer,
        text_a=first.text if plain else None,
        text_b=second.text if plain else None,
        text_prompt=asked.text if asked and asked.plain else None,
    )


def with_system(c: Columns, reading: Reading, *names: str) -> Reading:
    """Put a system prompt that stands in a column of its own before the prompt."""
    found = c.get(*names)
    if found is None:
        return reading
    lead = (
        f"case when coalesce({found.string}, '') = '' then []::{MSGS} "
        f"else [{{'role': 'system', 'content': {found.string}}}] end"
    )
    body = f"(list_transform([{reading.prompt}], lambda pr: {{'m': {lead} || pr.m, 'bad': pr.bad}}::{PROMPT})[1])"
    return replace(reading, prompt=body, text_prompt=None)


def items(select: str, *, ranked: bool = False, same: str = "") -> Reading:
    """Pairs of every two answers to one prompt.

    `select` is SQL for one row an answer: g (number of the group), source_row, i (place in the group), n (group
    size), prompt PROMPT, answer ANSWER, score (higher is better), model, source, annotator, extra. Up to 20 answers
    give every pair; in a larger group each answer meets the 10 that follow it, so that one huge group cannot square
    the dataset. With `ranked` the score is a negated rank: the margin is the difference in rank and no score is kept.
    `same` is a condition on x and y that a pair must meet.
    """
    where = f" and ({same})" if same else ""
    table = (
        f"(with items as ({select}) select x.g as g, x.i as i, y.i as j, x.source_row as xr, y.source_row as yr, "
        "x.prompt as prompt, x.answer as a, y.answer as b, x.score as sa, y.score as sb, x.model as ma, y.model as mb, "
        "x.source as src, x.annotator as ann, x.extra as ex, y.extra as ey "
        f"from items x join items y on x.g = y.g and x.i < y.i and (x.n <= {ALL} or y.i - x.i <= {NEXT}){where})"
    )
    return Reading(
        prompt="prompt",
        a="a",
        b="b",
        label=sql.compare("sa", "sb"),
        table=table,
        keys=("g", "i", "j"),
        row_a="xr",
        row_b="yr",
        margin="abs(sa - sb)" if ranked else "null",
        score_a="null" if ranked else "sa",
        score_b="null" if ranked else "sb",
        source="src",
        annotator="ann",
        model_a="ma",
        model_b="mb",
        extra="case when ex is null and ey is null then null when ex = ey or ey is null then ex "
        "else json_object('a', ex::json, 'b', ey::json)::varchar end",
        reason="case when a.text is not null and b.text is not null and (sa is null or sb is null) "
        "then 'a score is missing' end",
    )

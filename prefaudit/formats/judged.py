"""Layouts of two answers and a verdict: the parts they share, and those that need nothing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.build import sides
from prefaudit.formats.columns import Columns
from prefaudit.formats.explicit import answers, asked, last_user
from prefaudit.formats.sample import Sample, fine
from prefaudit.formats.sql import PROMPT

Label = Callable[[Columns], str]
Verdict = Callable[[str, PairDict], dict[str, Any]]
"""From the winning side (a, b, tie, both_bad) and the pair to the columns that say so."""

A_WORDS = (
    "a",
    "model_a",
    "response_a",
    "text_a",
    "answer_a",
    "output_a",
    "completion_a",
    "model_1",
    "response_1",
    "response1",
    "output_1",
    "answer_1",
    "first",
    "left",
    "a>b",
    "a-is-better",
    "[[a]]",
)
B_WORDS = (
    "b",
    "model_b",
    "response_b",
    "text_b",
    "answer_b",
    "output_b",
    "completion_b",
    "model_2",
    "response_2",
    "response2",
    "output_2",
    "answer_2",
    "second",
    "right",
    "b>a",
    "b-is-better",
    "[[b]]",
)
TIES = ("tie", "equal", "same", "draw", "tied", "neither", "both", "a=b", "[[c]]", "0.5")
BOTH_BAD = ("both_bad", "tie (bothbad)", "bothbad", "both bad", "tie(bothbad)")
WORDS = {"a": A_WORDS, "b": B_WORDS, "tie": TIES, "both_bad": BOTH_BAD}
KNOWN = {word for spellings in WORDS.values() for word in spellings}


def placed(pair: PairDict) -> tuple[str, str, str]:
    """Which side of a pair is written first, which second, and the side that wins."""
    if pair["label"] in ("tie", "both_bad"):
        return "chosen", "rejected", pair["label"]
    return ("rejected", "chosen", "b") if pair.get("first") == 0 else ("chosen", "rejected", "a")


def judged(
    name: str,
    title: str,
    about: str,
    *,
    a: str,
    b: str,
    prompt: str | None,
    label: Label,
    verdict: Verdict,
    needs: tuple[str, ...],
    read: Callable[[Columns, Reading], Reading] = lambda c, r: r,
    models: tuple[str, str] | None = None,
    carries: tuple[str, ...] = (),
    verified: bool = False,
    fits: Callable[[Sample], str] = fine,
    also: Callable[[PairDict], dict[str, Any]] = lambda p: {},
    fields: dict[str, str] | None = None,
    beats: tuple[str, ...] = (),
    first: str = "1",
) -> Layout:
    """A layout of a prompt, two answers and a verdict; `needs` are the verdict's columns.

    `read` refines the reading, `also` adds columns when canonical pairs are written.
    """

    def reading(c: Columns) -> Reading:
        whole = replace(sides(c, a, b, prompt), label=label(c), first=first)
        if models:
            whole = replace(whole, model_a=c.text(models[0]), model_b=c.text(models[1]))
        return read(c, whole)

    def rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
        out = []
        for pair in pairs:
            x, y, winner = placed(pair)
            row: dict[str, Any] = {prompt: last_user(pair)} if prompt else {}
            row |= {a: pair[x], b: pair[y], **verdict(winner, pair), **also(pair)}
            if models:
                row |= {models[0]: pair.get(f"model_{x}"), models[1]: pair.get(f"model_{y}")}
            out.append(row)
        return out

    def fit(sample: Sample) -> str:
        return answers(sample, a, b) or (asked(sample, prompt) if prompt else "") or fits(sample)

    names = {"response_a": a, "response_b": b, "label": needs[0], **({"prompt": prompt} if prompt else {})}
    wants = (*((prompt,) if prompt else ()), a, b, *needs)
    kept = (*(("first",) if first != "null" else ()), *carries)
    return Layout(
        name,
        title,
        about,
        wants,
        reading,
        rows,
        fit,
        names | (fields or {}),
        (*kept, "model_chosen", "model_rejected") if models else kept,
        verified,
        beats=beats,
    )


def by_word(column: str, meaning: dict[str, tuple[str, ...]] | None = None) -> Label:
    """A label in words."""
    return lambda c: sql.words(c[column].text, meaning or WORDS)


def words_fit(column: str, known: set[str] | None = None) -> Callable[[Sample], str]:
    """The check that a column holds such words."""
    allowed = known or KNOWN

    def fits(sample: Sample) -> str:
        if sample.share(column, lambda v: str(v).strip().lower() in allowed) < 0.5:
            return f"the values of {column!r} name no side"
        return ""

    return fits


def majority(votes: str) -> str:
    """SQL label of VOTES for the first answer: the most frequent verdict, a tie where there is none."""
    count = "len(list_filter({v}, lambda x: x.vote = {n}))"
    up, down, even = (count.format(v="vs", n=n) for n in ("1", "0", "0.5"))
    body = (
        f"case when len(vs) = 0 then null when {up} > {down} and {up} > {even} then 'a' "
        f"when {down} > {up} and {down} > {even} then 'b' else 'tie' end"
    )
    return f"(list_transform([{votes}], lambda vs: {body})[1])"


def shifted(prompt: str, text: str) -> str:
    """SQL PROMPT: the prompt's text with another text, where it is not empty, under it."""
    joined = f"case when coalesce({text}, '') = '' then {prompt} else {prompt} || chr(10) || chr(10) || {text} end"
    return f"{{'m': case when {prompt} is null then [] else {sql.user(f'({joined})')} end, 'bad': null}}::{PROMPT}"

"""What the report says of the whole dataset that no rule asks: its languages, and what is in a benchmark."""

from __future__ import annotations

from typing import Any

import polars as pl

from prefaudit.audit.measure import Measures
from prefaudit.store import Store

SIDES = ("c", "r")


def languages(store: Store, measures: Measures) -> dict[str, Any]:
    """Pairs by the language of the prompt and of both answers.

    Returns:
        Empty where `language` was not measured. Else `prompt`, `chosen` and `rejected` (code to count, the 20 most
        frequent), `unknown` of each, and of the pairs whose two languages are known `n` and how many are `mixed`.
    """
    extractor = next((e for e in measures.present if e.name == "language"), None)
    if extractor is None:
        return {}
    counted = []
    for number in range(store.parts()):
        frame = store.read(measures.kind(extractor), number)
        chosen, rejected = (frame[side].struct.field("language").alias(side) for side in SIDES)
        there = [frame[side].is_not_null().alias(f"has_{side}") for side in SIDES]
        counted.append(pl.DataFrame([frame["prompt_language"], chosen, rejected, *there]).group_by(pl.all()).len())
    pairs = pl.concat(counted)
    found: dict[str, Any] = {}
    unknown = {}
    for name, column in (("prompt", "prompt_language"), ("chosen", "c"), ("rejected", "r")):
        rows = pairs if name == "prompt" else pairs.filter(f"has_{column}")
        sums = rows.group_by(pl.col(column).alias("code")).agg(pl.col("len").sum())
        unknown[name] = int(sums.filter(pl.col("code").is_null())["len"].sum())
        found[name] = dict(sums.drop_nulls().sort(["len", "code"], descending=[True, False]).head(20).rows())
    known = pairs.drop_nulls(["c", "r"])
    mixed = known.filter(pl.col("c") != pl.col("r"))
    return {**found, "unknown": unknown, "n": int(known["len"].sum()), "mixed": int(mixed["len"].sum())}


def contamination(store: Store, measures: Measures) -> list[dict[str, Any]]:
    """For each file of `--against`: how many prompts and answers are texts of it, and how many share runs with it.

    Returns:
        `file`, `prompts`, `answers` (the same text), `prompts_share`, `answers_share` (some runs of 13 words); an
        answer counts once a pair and side. Empty without `--against`.
    """
    extractor = next((e for e in measures.present if e.name == "contamination"), None)
    if extractor is None or not getattr(extractor, "against", ()):
        return []
    rows = []
    for number in range(store.parts()):
        frame = store.read(measures.kind(extractor), number)
        prompts = frame["contamination"].struct.unnest().rename({"in": "at"}).with_columns(kind=pl.lit("prompts"))
        names = {"contamination": "share", "contamination_exact": "exact", "contamination_in": "at"}
        sides = [frame[side].struct.unnest().rename(names).with_columns(kind=pl.lit("answers")) for side in SIDES]
        rows.append(pl.concat([prompts, *sides]).filter(pl.col("share") > 0))
    found = pl.concat(rows).with_columns(file=pl.col("at").str.replace(r" row \d+$", ""))
    told = []
    for file in found["file"].unique().sort():
        here = found.filter(pl.col("file") == file)
        counts: dict[str, int] = {}
        for kind in ("prompts", "answers"):
            some = here.filter(pl.col("kind") == kind)
            counts |= {kind: int(some["exact"].sum()), f"{kind}_share": some.height - int(some["exact"].sum())}
        told.append({"file": file, **counts})
    return told

"""PAIRS frames for the tests of extractors."""

from __future__ import annotations

from typing import Any

import polars as pl

from prefaudit.core import MESSAGES, Extractor
from prefaudit.extractors.text import Text, measure


def pairs(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows of (prompt, chosen, rejected[, chosen_reasoning, rejected_reasoning]); a prompt is a text or messages."""
    made = []
    for number, (prompt, chosen, rejected, *reasoning) in enumerate(rows):
        turns = prompt if isinstance(prompt, list) else [("user", prompt)]
        thought = [*reasoning, None, None][:2]
        made.append(
            {
                "row": number,
                "prompt": [{"role": role, "content": content} for role, content in turns],
                "rejected_prompt": None,
                "chosen": chosen,
                "rejected": rejected,
                "chosen_reasoning": thought[0],
                "rejected_reasoning": thought[1],
            }
        )
    schema = {
        "row": pl.Int64,
        "prompt": MESSAGES,
        "rejected_prompt": MESSAGES,
        "chosen": pl.String,
        "rejected": pl.String,
    }
    frame = pl.DataFrame(made, schema={**schema, "chosen_reasoning": pl.String, "rejected_reasoning": pl.String})
    return frame.with_columns(
        pl.col("chosen").hash().alias("hash_chosen"),
        pl.col("rejected").hash().alias("hash_rejected"),
        pl.col("prompt").list.last().struct.field("content").hash().alias("hash_prompt"),
    ).with_columns(
        pl.when(pl.col(side).is_not_null()).then(f"hash_{side}").alias(f"hash_{side}")
        for side in ("chosen", "rejected")
    )


def run(extractor: Extractor, frame: pl.DataFrame) -> pl.DataFrame:
    """The extractor's columns, with those of `text` beside the pairs where it needs them."""
    if extractor.needs:
        frame = frame.hstack(run(Text(), frame).drop("row"))
    result = extractor.load(None)(frame.select("row", *extractor.reads, *(["c", "r"] if extractor.needs else [])))
    return result.select("row", *extractor.columns).cast(extractor.columns)  # type: ignore[arg-type]


def of(name: str, *texts: str) -> list[Any]:
    """One feature of some answers."""
    return measure(pl.Series(list(texts)))[name].to_list()

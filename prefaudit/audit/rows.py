"""Pairs by number, for examples and `prefaudit show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from prefaudit.store import Store

COLUMNS = ["row", "source_row", "prompt", "chosen", "rejected", "label", "annotator", "source", "margin"]


def fetch(store: Store, wanted: Sequence[int]) -> list[dict[str, Any]]:
    """The pairs with these numbers, in that order; numbers that do not exist are left out."""
    found: dict[int, dict[str, Any]] = {}
    first = 0
    for number in range(store.parts()):
        here = store.part_pairs(number)
        inside = [row for row in wanted if first <= row < first + here]
        if inside:
            frame = store.read("pairs", number, COLUMNS).filter(pl.col("row").is_in(inside))
            found |= {row["row"]: row for row in frame.iter_rows(named=True)}
        first += here
    return [found[row] for row in dict.fromkeys(wanted) if row in found]


def example(row: dict[str, Any], most: int = 2000) -> dict[str, Any]:
    """A pair as the report shows it: texts cut to `most` characters, the prompt from the left, where it is answered."""
    prompt = "\n".join(f"{m['role']}: {m['content'] or ''}" for m in row["prompt"] or [])
    answers = {
        name: row[name] if len(row[name] or "") <= most else row[name][:most] + "…" for name in ("chosen", "rejected")
    }
    shown = {"prompt": prompt if len(prompt) <= most else "…" + prompt[-most:], **answers}
    return {**shown, **{name: row[name] for name in ("source_row", "label", "annotator", "source")}}

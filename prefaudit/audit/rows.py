"""Pairs by number, for examples and `prefaudit show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from prefaudit.extractors.pii import mask
from prefaudit.store import Store

COLUMNS = ["row", "source_row", "prompt", "chosen", "rejected", "label", "annotator", "source", "margin"]
MARGIN = 300  # beyond the cut, so that what is masked is seen whole


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
    """A pair as the report shows it: texts cut to `most` characters, the prompt from the left, where it is answered.

    Personal data is masked, for reports are passed on; `show` prints the pair as it is.
    """
    prompt = "\n".join(f"{m['role']}: {m['content'] or ''}" for m in row["prompt"] or [])
    shown = {"prompt": mask(prompt) if len(prompt) <= most else "…" + mask(prompt[-most - MARGIN :])[-most:]}
    for name in ("chosen", "rejected"):
        text = row[name]
        whole = text is None or len(text) <= most
        shown[name] = text and (mask(text) if whole else mask(text[: most + MARGIN])[:most] + "…")
    return {**shown, **{name: row[name] for name in ("source_row", "label", "annotator", "source")}}

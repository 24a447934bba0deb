"""Pairs by number, for examples and `prefaudit show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from prefaudit.audit.measure import Measures
from prefaudit.extractors.pii import mask
from prefaudit.store import Store
from prefaudit.store.spill import release

COLUMNS = ["row", "source_row", "prompt", "chosen", "rejected", "label", "annotator", "source", "margin"]
MARGIN = 300  # beyond the cut, so that what is masked is seen whole

PLACES = {
    "CTM001": {"prompt": ("contamination", "share", "in")},
    "CTM002": {
        "chosen": ("c", "contamination", "contamination_in"), "rejected": ("r", "contamination", "contamination_in"),
    },
}  # fmt: skip
"""Rules about texts that stand elsewhere: of each text the struct, its field of how much, and that of where."""


def fetch(store: Store, wanted: Sequence[int]) -> list[dict[str, Any]]:
    """The pairs with these numbers, in that order; numbers that do not exist are left out."""
    found: dict[int, dict[str, Any]] = {}
    first = 0
    for number in range(store.parts()):
        here = store.part_pairs(number)
        inside = [row for row in wanted if first <= row < first + here]
        if inside:
            frame = store.frame(store.part("pairs", number), COLUMNS, where=pl.col("row").is_in(inside))
            found |= {row["row"]: row for row in frame.iter_rows(named=True)}
            del frame
            release()
        first += here
    return [found[row] for row in dict.fromkeys(wanted) if row in found]


def places(measures: Measures, code: str, wanted: Sequence[int]) -> dict[int, list[tuple[str, float, str]]]:
    """Where texts of these rows stand, by the rules of `PLACES`: row to the text's name, the share of it, and where."""
    sides = PLACES.get(code, {})
    columns = [
        pl.concat_list(pl.col(root).struct.field(share).cast(pl.String), pl.col(root).struct.field(where)).alias(name)
        for name, (root, share, where) in sides.items()
    ]
    if not columns:
        return {}
    frame = measures.lazy().filter(pl.col("row").is_in(list(wanted))).select("row", *columns).collect()
    return {
        row["row"]: [(name, float(row[name][0]), row[name][1]) for name in sides if row[name] and row[name][1]]
        for row in frame.iter_rows(named=True)
    }


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

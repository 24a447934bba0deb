"""Verdicts in both orders, and majorities of repeats."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pytest

from prefaudit.core import PAIRS
from prefaudit.extractors.panel import Panel


def pairs(rows: list[dict[str, object]]) -> pl.DataFrame:
    plain = {"label": "chosen", "first": 1, "hash_prompt": 1, "hash_chosen": 10, "hash_rejected": 20}
    full = [dict.fromkeys(PAIRS) | plain | row | {"row": k} for k, row in enumerate(rows)]
    return pl.DataFrame(full, schema=PAIRS, orient="row")


def measured(frame: pl.DataFrame, parts: int = 1) -> pl.DataFrame:
    size = -(-frame.height // parts)

    def read(columns: list[str]) -> Iterable[pl.DataFrame]:
        return (frame.slice(k * size, size).select(columns) for k in range(parts))

    panel = Panel()
    told = panel.load(panel.fit(read, 0))
    return pl.concat([told(part) for part in read(["row"])]).unnest("panel")


TURNED = {"hash_chosen": 20, "hash_rejected": 10}


@pytest.mark.parametrize(
    ("rows", "orders"),
    [
        ([{}, {"first": 0}], [0.0, 0.0]),  # 10 wins when first, and when second
        ([{}, TURNED], [1.0, 1.0]),  # whichever comes first wins
        ([{}, {"label": "tie", **TURNED}], [0.5, 0.5]),  # 20 first: a tie
        ([{}, {}], [None, None]),  # one order only
        ([{}, {"first": None, **TURNED}], [None, None]),
        ([{}, {"label": "both_bad", **TURNED}], [None, None]),
        ([{"annotator": "a"}, {"annotator": "b", **TURNED}], [None, None]),
        ([{"annotator": "a"}, {"annotator": "a", **TURNED}], [1.0, 1.0]),
        ([{}, {"first": 0}, TURNED], [0.5, 0.0, 1.0]),  # held against every verdict in the other order
        ([{}, {"hash_prompt": 2, **TURNED}], [None, None]),
        ([{"hash_rejected": 10}, {"hash_rejected": 10, "first": 0}], [None, None]),
    ],
)
def test_verdicts_in_both_orders(rows: list[dict[str, object]], orders: list[float | None]) -> None:
    assert measured(pairs(rows))["orders"].to_list() == orders


def votes(*values: float) -> list[dict[str, object]]:
    return [{"annotator": f"w{k}", "vote": float(v)} for k, v in enumerate(values)]


def test_rows_of_votes_are_items_of_their_own() -> None:
    rows = [{"votes": votes(1, 1, 0)}, {"votes": votes(1, 1, 0), **TURNED}, {"hash_prompt": 2, "votes": votes(1, 1)},
            {"hash_prompt": 2, "votes": votes(1, 0.5)}, {"hash_prompt": 3, "votes": votes(1, 1)}]  # fmt: skip
    assert measured(pairs(rows))["opposed"].to_list() == [True, True, False, False, None]


def test_the_source_names_what_was_put_to_annotators() -> None:
    items = [("x", {}), ("x", {}), ("y", TURNED), ("y", TURNED), ("z", TURNED)]
    rows = [{"annotator": f"w{k}", "extra": f'{{"pair_id":"{name}"}}', **side} for k, (name, side) in enumerate(items)]
    assert measured(pairs(rows))["opposed"].to_list() == [True] * 5
    assert measured(pairs(rows[:2]))["opposed"].to_list() == [None, None]
    unnamed = [{**row, "extra": None} for row in rows]
    assert measured(pairs(unnamed))["opposed"].to_list() == [None] * 5


def test_parts_make_no_difference() -> None:
    rows = [{"annotator": f"w{k % 3}", "first": k % 2, "extra": f'{{"id":{k // 5}}}', **(TURNED if k % 7 else {})}
            for k in range(40)]  # fmt: skip
    whole = measured(pairs(rows))
    assert whole["orders"].null_count() < 40 and whole["opposed"].null_count() < 40
    assert measured(pairs(rows), 7).equals(whole)


def test_nothing_judged_twice() -> None:
    assert measured(pairs([{}])).row(0) == (0, None, None)

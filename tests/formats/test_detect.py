"""Detection: what it refuses, and what it says then."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from helpers import part, read

from prefaudit import formats
from prefaudit.core import FormatError, UsageError

ROW: dict[str, Any] = {"q": "what?", "good": "a", "bad": "b", "who": "w", "which": "good"}


def test_nothing_fits_names_columns_and_neighbours() -> None:
    with pytest.raises(FormatError) as caught:
        read([{"question": "q", "chosen": "a", "reject": "b"}])
    assert "'reject'" in caught.value.message and "axolotl-intel" in caught.value.message
    assert "--map" in caught.value.hint


def test_ambiguous_names_the_layouts() -> None:
    rows = [{"prompt": "q", "chosen": "a", "rejected": "b", "response_a": "x", "response_b": "y", "label": "a"}]
    with pytest.raises(FormatError) as caught:
        read(rows)
    assert "trl" in caught.value.message and "judged" in caught.value.message and "--format" in caught.value.hint
    assert read(rows, name="judged")[1]["chosen"].to_list() == ["x"]
    assert read(rows, name="trl")[1]["chosen"].to_list() == ["a"]


@pytest.mark.parametrize(
    ("mapping", "words"),
    [({"promt": "q"}, "prompt"), ({"prompt": "qq"}, "'q'"), ({"chosen": "god"}, "good")],
)
def test_unknown_fields_and_columns_name_the_nearest(mapping: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read([ROW], mapping=mapping)
    assert words in caught.value.hint


def test_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        read([ROW], name="alpaca-eva")
    assert "alpaca-eval" in caught.value.hint


def test_format_whose_column_is_missing_says_how_to_name_it() -> None:
    with pytest.raises(FormatError) as caught:
        read([{"prompt": "q", "chosen": "a", "no": "b"}], name="trl")
    assert "--map rejected=COLUMN" in caught.value.hint


def test_map_alone_selects_a_generic_layout() -> None:
    found, pairs, _ = read([ROW], mapping={"prompt": "q", "chosen": "good", "rejected": "bad", "annotator": "who"})
    assert found.layout.name == "columns"
    row = pairs.row(0, named=True)
    assert (row["chosen"], row["rejected"], row["annotator"]) == ("a", "b", "w")
    assert row["prompt"] == [{"role": "user", "content": "what?"}]
    found, pairs, _ = read(
        [ROW | {"which": w} for w in ("a", "B", "tie")],
        mapping={"prompt": "q", "response_a": "good", "response_b": "bad", "label": "which"},
    )
    assert found.layout.name == "columns-judged"
    assert pairs["label"].to_list() == ["chosen", "chosen", "tie"] and pairs["chosen"].to_list() == ["a", "b", "a"]


def test_map_adds_to_a_detected_layout() -> None:
    rows = [{"question": "q", "chosen": "a", "rejected": "b", "gap": 2, "who": "m", "place": p} for p in (0, 1)]
    found, pairs, _ = read(rows, mapping={"margin": "gap", "model_chosen": "who", "first": "place"})
    assert found.layout.name == "axolotl-intel"
    assert pairs["margin"].to_list() == [2.0, 2.0] and pairs["model_chosen"][0] == "m"
    assert pairs["first"].to_list() == [0, 1] and pairs["extra"].null_count() == 2


def test_numbers_that_may_mean_either_side_are_refused_until_explained() -> None:
    rows = [{"prompt": "q", "x": "a", "y": "b", "won": n} for n in (0, 1)]
    mapping = {"prompt": "prompt", "response_a": "x", "response_b": "y", "label": "won"}
    with pytest.raises(FormatError) as caught:
        read(rows, mapping=mapping)
    assert "label_a" in caught.value.hint
    _, pairs, _ = read(rows, mapping=mapping | {"label_a": "1", "label_b": "0"})
    assert pairs["chosen"].to_list() == ["b", "a"]


def test_parts_do_not_matter() -> None:
    rows = [{"prompt": f"p{n % 5}", "completion": f"c{n}", "label": n % 3 == 0} for n in range(40)]
    con = duckdb.connect(config={"threads": 1})
    kinds, table = part(rows)
    found = formats.detect(kinds, table)

    def gather(size: int) -> list[Any]:
        tables = [table.slice(n, size) for n in range(0, len(rows), size)]
        out: list[Any] = []
        for one in formats.regroup(con, found, tables, part_rows=size):
            out += formats.to_pairs(con, found, one, len(out))[0].rows()
        return out

    assert gather(40) == gather(7) == gather(3)


def test_table_lists_every_layout_once() -> None:
    names = [entry["name"] for entry in formats.table()]
    assert len(names) == len(set(names)) and {"trl", "hh", "kto", "arena-55k"} <= set(names)

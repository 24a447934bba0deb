"""Duplicates and conflicts on small frames whose answer is plain."""

import polars as pl
import pytest

from prefaudit.core import Extractor
from prefaudit.extractors.duplicates import Duplicates
from tests.extractors.test_groups import frame, parts

PROMPT = "What is the capital of Peru?"


def found(rows, labels=None, size=10**9):
    made = frame(rows).with_columns(annotator=pl.lit(None, pl.String))
    if labels:
        made = made.with_columns(label=pl.Series(labels))
    out = measured(made, size)
    return [(d and (d["group"], d["kind"]), c) for d, c in out.select("dup", "conflict").iter_rows()]


def measured(made, size=10**9):
    apply = Duplicates().load(Duplicates().fit(parts(made, size), 0))
    out = apply(made.select("row", "hash_chosen", "hash_rejected"))
    assert out.columns == ["row", *Duplicates().columns] and out["row"].equals(made["row"])
    assert dict(out.schema) == {"row": pl.Int64, **Duplicates().columns}
    return out


def test_it_is_an_extractor():
    assert isinstance(Duplicates(), Extractor)


def test_nothing_repeats():
    rows = [(PROMPT, "Lima", "Quito"), (PROMPT, "Lima", "Cusco"), ("Other", "Lima", "Quito")]
    assert found(rows) == [(None, None)] * 3


def test_exact_normalised_and_the_other_way_round():
    rows = [
        (PROMPT, "Lima", "Quito"),
        (PROMPT, "Lima", "Quito"),
        (PROMPT.lower(), "lima.", "Quito!"),
        (PROMPT, "Quito", "Lima"),
        ("Alone", "x", "y"),
    ]
    assert found(rows) == [
        ((0, "exact"), 0),
        ((0, "exact"), 0),
        ((0, "normalised"), 0),
        ((0, "swapped"), 0),
        (None, None),
    ]


def test_what_a_row_repeats():
    """The same label by the same annotator; a vote of another one, or for the other answer, repeats nothing."""
    rows = [(PROMPT, "Lima", "Quito"), (PROMPT, "lima", "Quito"), (PROMPT, "Quito", "Lima"), (PROMPT, "Lima", "Quito")]
    for names, expected in ((None, [None, 0, None, 0]), (["a", "b", "b", "a"], [None, None, None, 0])):
        made = frame(rows).with_columns(annotator=pl.Series(names or [None] * 4, dtype=pl.String))
        out = measured(made)
        assert out["dup"].struct.field("repeats").to_list() == expected


def test_agreeing_repeats_are_no_conflict():
    rows = [(PROMPT, "Lima", "Quito"), (PROMPT, "Lima", "quito")]
    assert found(rows) == [((0, "normalised"), None), ((0, "normalised"), None)]


def test_ties_take_no_side():
    rows = [(PROMPT, "Lima", "Quito"), (PROMPT, "Quito", "Lima"), (PROMPT, "Lima", "Quito")]
    assert [c for _, c in found(rows, ["chosen", "tie", "both_bad"])] == [None, None, None]
    assert [c for _, c in found(rows, ["chosen", "chosen", "tie"])] == [0, 0, None]
    assert [d for d, _ in found(rows[:2], ["tie", "tie"])] == [(0, "swapped"), (0, "swapped")]


def test_conflicts_after_normalisation():
    rows = [(PROMPT, "It is Lima", "It is Quito"), ("what is the capital of peru", "It is quito.", "It is lima.")]
    assert found(rows) == [((0, "normalised"), 0), ((0, "normalised"), 0)]


def test_two_equal_answers_are_no_conflict():
    rows = [(PROMPT, "Lima", "Lima"), (PROMPT, "Lima", "Lima")]
    assert found(rows) == [((0, "exact"), None), ((0, "exact"), None)]


def test_answers_that_differ_in_form_alone_are_labelled_both_ways_as_they_stand():
    rows = [(PROMPT, "LiMa", "Lima"), (PROMPT, "Lima", "LiMa"), (PROMPT, "lima", "LIMA"), (PROMPT, "LiMa", "Lima")]
    made = frame(rows).with_columns(annotator=pl.lit(None, pl.String))
    out = measured(made)
    assert out["conflict"].to_list() == [0, 0, None, 0]
    assert out["dup"].struct.field("kind").to_list() == ["exact", "swapped", "normalised", "exact"]
    assert out["dup"].struct.field("repeats").to_list() == [None, None, None, 0]
    assert out["cycle"].null_count() == 4


def test_answers_of_marks_only_are_told_apart():
    rows = [(PROMPT, "!", "?"), (PROMPT, "?", "!"), (PROMPT, "...", "?")]
    assert found(rows) == [((0, "swapped"), 0), ((0, "swapped"), 0), (None, None)]


def test_missing_sides_and_prompts_are_no_duplicates():
    rows = [(PROMPT, None, "Lima"), (PROMPT, None, "Lima"), (None, "a", "b")]
    assert found(rows) == [(None, None)] * 3


def test_ids_follow_first_rows():
    rows = [("A b", "1", "2"), ("C d", "3", "4"), ("C d", "4", "3"), ("A b", "2", "1")]
    assert [(d[0], c) for d, c in found(rows)] == [(0, 0), (1, 1), (1, 1), (0, 0)]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_parts_change_nothing(size):
    rows = [(f"Prompt {k % 3}", f"Answer {k % 2}", f"Answer {(k + 1) % 2 if k % 5 else 7}") for k in range(30)]
    assert found(rows, size=size) == found(rows)


def test_no_rows():
    assert found([]) == []


def test_a_repeat_is_of_the_same_label_by_the_same_annotator():
    rows = [(PROMPT, "Lima", "Quito"), (PROMPT, "lima!", "Quito"), (PROMPT, "Lima", "Quito"), (PROMPT, "Quito", "Lima")]
    made = frame([*rows, rows[0]]).with_columns(annotator=pl.Series(["x", "x", "y", "x", "x"]))
    dup = measured(made, 10)["dup"]
    assert dup.struct.field("repeats").to_list() == [None, 0, None, None, 0]

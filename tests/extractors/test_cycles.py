"""Preferences in a circle: hand-made, against brute force, and the same however rows are written."""

import itertools

import numpy as np
import polars as pl
import pytest

from prefaudit.extractors import _cycles
from tests.extractors.test_duplicates import PROMPT, measured
from tests.extractors.test_groups import frame


def circle(rows, labels=None):
    made = frame(rows)
    if labels:
        made = made.with_columns(label=pl.Series(labels))
    return [c and (c["group"], c["answers"], c["drop"]) for c in measured(made)["cycle"].to_list()]


def test_three_answers():
    rows = [(PROMPT, "A", "B"), (PROMPT, "B", "C"), (PROMPT, "C", "A"), (PROMPT, "A", "D"), ("Other", "A", "C")]
    found = circle(rows)
    assert [f and f[:2] for f in found] == [(0, 3)] * 3 + [None] * 2
    assert sum(f[2] for f in found if f) == 1


def test_no_cycle():
    assert circle([(PROMPT, "A", "B"), (PROMPT, "B", "C"), (PROMPT, "A", "C")]) == [None] * 3
    tie = [(PROMPT, "A", "B"), (PROMPT, "B", "C"), (PROMPT, "C", "A")]
    assert circle(tie, ["chosen", "chosen", "tie"]) == [None] * 3
    assert circle([(p, c, r) for p, (_, c, r) in zip("xyz", tie, strict=True)]) == [None] * 3


def test_votes_are_set_off_first():
    """Two against one for C over A is a lead of one; one against one is none, and there is no cycle."""
    rows = [(PROMPT, "A", "B"), (PROMPT, "A", "B"), (PROMPT, "B", "C"), (PROMPT, "B", "C"), (PROMPT, "C", "A"),
            (PROMPT, "C", "A"), (PROMPT, "A", "C")]  # fmt: skip
    found = circle(rows)
    assert [f[2] for f in found] == [False, False, False, False, False, True, False]
    assert circle([*rows, (PROMPT, "A", "C")]) == [None] * 8


def test_after_normalisation():
    rows = [(PROMPT, "It is A.", "it is b"), (PROMPT.upper(), "It is B", "It is C"), (PROMPT, "it is c!", "It is A")]
    assert [f[:2] for f in circle(rows)] == [(0, 3)] * 3


def brute(lead):
    k = len(lead)
    return min(sum(lead[b, a] for i, a in enumerate(o) for b in o[i + 1 :]) for o in itertools.permutations(range(k)))


@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_the_smallest_set_is_exact(k):
    rng = np.random.default_rng(k)
    lead = rng.integers(0, 4, (20, k, k))
    lead[lead < lead.transpose(0, 2, 1)] = 0
    place = _cycles._exact(lead)
    for one, order in zip(lead, place, strict=True):
        assert sorted(order) == list(range(k))
        assert one[order[:, None] > order[None]].sum() == brute(one)
        swept = _cycles._swept(one)
        assert brute(one) <= one[swept[:, None] > swept[None]].sum() <= one.sum() / 2


@pytest.mark.parametrize("answers", [5, 12])
def test_no_cycle_is_left_without_the_votes_to_drop(answers):
    rng = np.random.default_rng(answers)
    rows = []
    for prompt in ("First one", "Second one"):
        for a, b in itertools.combinations(range(answers), 2):
            c, r = (a, b) if rng.random() < 0.5 else (b, a)
            rows.append((prompt, f"answer {c}", f"answer {r}"))
    made = frame(rows)
    cycle = measured(made)["cycle"]
    fields = cycle.struct.unnest()
    assert fields["exact"].drop_nulls().unique().to_list() == [answers <= _cycles.EXACT]
    kept = made.filter(~fields["drop"].fill_null(False)).with_columns(row=pl.int_range(pl.len()))
    assert kept.height < made.height
    assert measured(kept)["cycle"].null_count() == kept.height


def test_order_and_parts_change_nothing():
    rng = np.random.default_rng(3)
    rows = [
        (f"Prompt {rng.integers(3)}", f"answer {a}", f"answer {b}") for a, b in rng.integers(0, 6, (60, 2)) if a != b
    ]
    made = frame(rows)
    whole = measured(made)
    assert whole["cycle"].null_count() < made.height
    for size in (1, 7):
        assert measured(made, size).equals(whole)
    order = rng.permutation(made.height)
    again = measured(made[order].with_columns(row=pl.int_range(pl.len())))["cycle"].struct.unnest()
    there = whole[order]["cycle"].struct.unnest()
    assert again["answers"].equals(there["answers"])
    assert again["drop"].sum() == there["drop"].sum()

"""Over generated datasets of every layout: rows are accounted for, nothing selected changes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from repair.making import begin, cells, jsonl, options, pairs, read, same_cells

from prefaudit.formats import LAYOUTS
from prefaudit.repair import filtering
from prefaudit.repair.choose import Reason

NAMES = {layout.name: layout for layout in LAYOUTS}
FEW = settings(
    max_examples=1,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def made(folder: Path, name: str, n: int, seed: int, broken: int) -> Path:
    """A file of n pairs of a layout, its last lines broken."""
    path = jsonl(folder / "a.jsonl", NAMES[name].rows(pairs(n, seed)))
    path.write_text(path.read_text(encoding="utf8") + "broken\n" * broken, encoding="utf8")
    return path


def reasons(gone: np.ndarray) -> list[Reason]:
    rows = np.flatnonzero(gone)
    return [Reason("SCH001", rows, np.ones(len(rows)), "taken at random")] if len(rows) else []


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(n=st.integers(2, 12), seed=st.integers(0, 99), broken=st.integers(0, 2), data=st.data())
def test_rows_are_accounted_for(name: str, n: int, seed: int, broken: int, data: Any) -> None:
    assume(seed)  # not the simplest example, which comes first
    with tempfile.TemporaryDirectory() as there:
        folder = Path(there)
        source = made(folder, name, n, seed, broken)
        opt = options(NAMES[name], select=("SCH",))
        work = begin(source, opt, folder / "audit")
        count = work.evidence.pairs
        before, total = cells(source)

        none = filtering.finish(work, filtering.Where(folder / "b.jsonl"), [], np.zeros(count, bool), None)
        assert (none.read, none.kept, none.dropped, none.skipped) == (total, total - broken, 0, broken)
        whole = source.read_bytes().removesuffix(b"broken\n" * broken)
        assert (folder / "b.jsonl").read_bytes() == whole

        gone = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
        gone[data.draw(st.integers(0, count - 1))] = False  # something is left
        some = filtering.finish(work, filtering.Where(folder / "c.jsonl"), reasons(gone), gone, None)
        assert some.read == some.kept + some.dropped + some.skipped == total and some.skipped == broken
        after, _ = cells(folder / "c.jsonl")
        assert after.num_rows == some.kept
        if not some.pairs["rows_rewritten"]:
            keep = np.ones(total, bool)
            dropped = some.ledger.filter(some.ledger["action"] == "dropped")["row"].to_numpy()
            lost = np.concatenate([work.evidence.source_row[dropped], work.evidence.other_row[dropped]])
            keep[lost[lost >= 0]] = False
            assert same_cells(before, keep, after)
        opened = read(folder / "c.jsonl", opt, folder / "again")
        assert opened.opened.detected.layout.name == name
        assert opened.evidence.pairs == count - (some.pairs["dropped"] if name != "annotated-pairs" else 0)
        assert (some.pairs["cannot_be_said"] == 0) == (name != "annotated-pairs" or not gone.any())
        told = some.ledger["action"].value_counts().sort("action").rows()
        assert sum(k for action, k in told if action in ("dropped", "kept")) == int(gone.sum())

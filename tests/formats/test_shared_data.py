"""Every pair set of the shared data reads without options, and docs/formats.md says what came of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers import load, read
from shared import SETS

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"


def row(entry: tuple[str, str, dict[str, str], int, int, int, int]) -> str:
    path, layout, mapping, rows, pairs, skipped, ties = entry
    options = " ".join(f"--map {f}={c}" for f, c in mapping.items()) or "none"
    return f"| {path} | `{layout}` | {options} | {rows:,} | {pairs:,} | {skipped:,} | {ties:,} |"


@pytest.mark.parametrize("entry", SETS, ids=lambda e: e[0].split("/")[-1])
def test_set_reads_without_options(entry: tuple[str, str, dict[str, str], int, int, int, int]) -> None:
    folder = os.environ.get("PREFAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("PREFAUDIT_TEST_DATA is not set")
    path, layout, mapping, count, pairs, skipped, ties = entry
    rows = load(Path(folder) / path)
    found, frame, left = read(rows, text=path.endswith((".csv", ".parquet")), mapping=mapping)
    assert found.layout.name == layout and found.layout.verified
    assert (len(rows), frame.height, left.height) == (count, pairs, skipped)
    assert frame.filter(frame["label"] == "tie").height == ties


@pytest.mark.parametrize("entry", SETS, ids=lambda e: e[0].split("/")[-1])
def test_docs_give_these_counts(entry: tuple[str, str, dict[str, str], int, int, int, int]) -> None:
    assert row(entry) in DOCS.read_text()

"""Every pair set of the shared data reads without options, and docs/formats.md says what came of it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from xml.etree import ElementTree

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


def sheet(path: Path) -> list[dict[str, str]]:
    """Rows of the first sheet of a spreadsheet, by its header."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        texts = ["".join(t.text or "" for t in item.iter(f"{space}t")) for item in shared.iter(f"{space}si")]
        cells = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = []
    for line in cells.iter(f"{space}row"):
        found = {}
        for cell in line.iter(f"{space}c"):
            value = cell.find(f"{space}v")
            if value is not None and value.text is not None:
                place = "".join(ch for ch in cell.attrib["r"] if ch.isalpha())
                found[place] = texts[int(value.text)] if cell.attrib.get("t") == "s" else value.text
        rows.append(found)
    header = rows[0]
    return [{header[place]: text for place, text in row.items() if place in header} for row in rows[1:] if row]


def test_tulu_judgments_read_from_their_columns() -> None:
    folder = os.environ.get("PREFAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("PREFAUDIT_TEST_DATA is not set")
    rows = sheet(Path(folder) / "tulu-human-eval" / "eval_annotations_tulu_1.xlsx")
    found, pairs, skipped = read(rows, text=True)
    assert found.layout.name == "tulu-human-eval"
    assert (len(rows), pairs.height, skipped.height) == (1150, 1150, 0)
    assert pairs.filter(pairs["label"] == "tie").height == 376

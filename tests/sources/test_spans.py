"""Parts read by where they lie are the parts that are read in a row."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest

from prefaudit import sources
from prefaudit.core import SourceError
from prefaudit.sources.spans import Spans


def line(rng: random.Random, i: int) -> bytes:
    x = rng.random()
    odd = {0.15: b"", 0.2: b"{bad", 0.25: b"{\xff{", 0.3: b"   "}
    told = json.dumps({"prompt": "p" * rng.randint(0, 50), "chosen": str(i), "rejected": "r"}).encode()
    return next((text for upto, text in odd.items() if x < upto), told)


def same(files: list[str], part_rows: int) -> None:
    source = sources.open(files)
    want, found = list(source.read(part_rows)), sources.open(files)
    spans = found.spans(part_rows)
    assert spans is not None
    reader = Spans(found.ticket)
    got = [reader.read(span) for span in spans]
    assert [(p.first, p.rows) for p in got] == [(p.first, p.rows) for p in want]
    for one, other in zip(got, want, strict=True):
        assert one.table.combine_chunks().equals(other.table.combine_chunks())
        assert one.skipped.equals(other.skipped)
    assert found.begins == source.begins
    assert found.rows == source.rows


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_byte_ranges_of_json_lines(tmp_path: Path, bom: bytes) -> None:
    rng = random.Random(len(bom))
    for trial in range(2):
        files = []
        for k in range(3):
            path = tmp_path / f"{trial}-{k}.jsonl"
            whole = [line(rng, i) for i in range(rng.randint(1, 25))] + [b'{"prompt": "p", "chosen": "x"}']
            path.write_bytes(bom + b"\n".join(whole) + (b"\n" if rng.random() < 0.5 else b""))
            files.append(str(path))
        for part_rows in (3, 7, 1000):
            same(files, part_rows)


def test_row_groups_of_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame({"prompt": [f"p{i}" for i in range(1000)], "chosen": ["a"] * 1000, "rejected": ["b"] * 1000})
    files = [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]
    frame[:333].write_parquet(files[0], row_group_size=100)
    frame[333:].write_parquet(files[1], row_group_size=70)
    for part_rows in (64, 100, 129, 2000):
        same(files, part_rows)
    assert sources.open(files).spans(8) is None  # one part would mean going through much more than itself


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"chosen": "a", "rejected": "b"}\n' * 10)
    source = sources.open(str(path))
    spans, reader = list(source.spans(4) or []), Spans(source.ticket)
    reader.read(spans[0])
    path.write_text('{"chosen": "a", "rejected": "B"}\n' * 10)
    with pytest.raises(SourceError, match="changed while it was read"):
        reader.read(spans[1])

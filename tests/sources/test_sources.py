"""Every container gives the same rows, in the same parts, from wherever reading starts."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefaudit import sources
from prefaudit.core import SKIPPED, SourceError
from prefaudit.sources import elements
from prefaudit.sources.frames import Slices
from prefaudit.sources.frames import rows as frame_rows

N = 23
FRAME = pl.DataFrame(
    {
        "prompt": [f"question {i}, with a comma" for i in range(N)],
        "chosen": [f'line one of {i}\nline "two", né' for i in range(N)],
        "rejected": ["" if i % 5 else f"no {i}" for i in range(N)],
    }
)
NDJSON = FRAME.write_ndjson().encode()


def zstd(data: bytes, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.CompressedOutputStream(file, "zstd") as out:
        out.write(data)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.parquet": lambda p: FRAME.write_parquet(p, row_group_size=5),
    "a.jsonl": lambda p: p.write_bytes(NDJSON),
    "a.ndjson": lambda p: p.write_bytes(b"\xef\xbb\xbf" + NDJSON.replace(b"\n", b"\r\n\r\n")),
    "a.jsonl.gz": lambda p: p.write_bytes(gzip.compress(NDJSON[:500]) + gzip.compress(NDJSON[500:])),
    "a.jsonl.bz2": lambda p: p.write_bytes(bz2.compress(NDJSON)),
    "a.jsonl.xz": lambda p: p.write_bytes(lzma.compress(NDJSON)),
    "a.jsonl.zst": lambda p: zstd(NDJSON, p),
    "lines.json": lambda p: p.write_bytes(NDJSON),
    "a.json": lambda p: p.write_text(json.dumps(FRAME.to_dicts(), indent=2)),
    "a.json.gz": lambda p: p.write_bytes(gzip.compress(json.dumps(FRAME.to_dicts()).encode())),
    "objects.json": lambda p: p.write_text("\n".join(json.dumps(d, indent=1) for d in FRAME.to_dicts())),
    "array.jsonl": lambda p: p.write_text(json.dumps(FRAME.to_dicts())),
    "a.csv": lambda p: FRAME.write_csv(p),
    "excel.csv": lambda p: FRAME.write_csv(p, separator=";", line_terminator="\r\n", include_bom=True),
    "a.tsv": lambda p: FRAME.write_csv(p, separator="\t"),
    "a.csv.gz": lambda p: p.write_bytes(gzip.compress(FRAME.write_csv().encode())),
    "a.arrow": lambda p: FRAME.write_ipc(p),
    "stream.arrow": lambda p: FRAME.write_ipc_stream(p),
    "a.arrow.gz": lambda p: (FRAME.write_ipc(p), p.write_bytes(gzip.compress(p.read_bytes()))),
    "stdin": lambda p: p.write_bytes(NDJSON),
}  # fmt: skip


def values(table: pa.Table, kinds: dict[str, str]) -> list[dict[str, Any]]:
    rows = table.select(list(kinds)).to_pylist()
    return [{c: json.loads(v) if kinds[c] == "json" and v is not None else v for c, v in r.items()} for r in rows]


@pytest.mark.parametrize("name", WRITERS)
def test_a_container_gives_its_rows_from_anywhere(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    source = sources.open(tmp_path / name)
    parts = list(source.read(4))
    assert [(p.first, p.rows) for p in parts] == [(i, min(4, N - i)) for i in range(0, N, 4)]
    whole = pa.concat_tables([p.table for p in parts])
    assert whole["source_row"].to_pylist() == list(range(N))
    assert values(whole, source.columns) == FRAME.to_dicts()
    assert source.rows == source.count() == sources.open(tmp_path / name).count() == N
    for start in range(0, N + 8, 4):
        later = list(sources.open(tmp_path / name).read(4, start))
        assert [p.first for p in later] == list(range(start, N, 4))
        assert [r for p in later for r in p.table.to_pylist()] == whole.slice(start).to_pylist()
    assert all(p.skipped.schema == pl.Schema(SKIPPED) for p in parts)
    assert source.sample(10).column_names == list(source.columns)


def test_lines_are_physical_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'a,b\r\n\r\n1,"x\r\ny"\r\n2,z\r\n')
    (part,) = sources.open(tmp_path / "a.csv").read(10)
    assert part.table["line"].to_pylist() == [3, 5]
    (tmp_path / "a.jsonl").write_bytes(b'\n{"a": 1}\n\n  \n{"a": 2}')
    (part,) = sources.open(tmp_path / "a.jsonl").read(10)
    assert part.table["line"].to_pylist() == [2, 5]
    (tmp_path / "a.json").write_bytes(b'\n[\n{"a":\n1},\n\n{"a": 2}]')
    (part,) = sources.open(tmp_path / "a.json").read(10)
    assert part.table["line"].to_pylist() == [3, 6]


@pytest.mark.parametrize("container", ["jsonl", "parquet", "csv"])
def test_files_run_on_and_their_columns_are_the_union(container: str, tmp_path: Path) -> None:
    def write(frame: pl.DataFrame, path: Path) -> None:
        getattr(frame, {"jsonl": "write_ndjson", "parquet": "write_parquet", "csv": "write_csv"}[container])(path)

    write(FRAME, tmp_path / f"1.{container}")
    write(FRAME.select("prompt", extra="chosen"), tmp_path / f"2.{container}")
    source = sources.open(tmp_path)
    assert list(source.columns) == ["prompt", "chosen", "rejected", "extra"]
    whole = pa.concat_tables([p.table for p in source.read(7)])
    assert whole["source_row"].to_pylist() == list(range(2 * N))
    assert whole["chosen"].null_count == N and whole["extra"].null_count == N
    assert whole["file"].to_pylist() == [str(tmp_path / f"{i}.{container}") for i in (1, 2) for _ in range(N)]
    later = pa.concat_tables([p.table for p in source.read(7, 28)])
    assert later.to_pylist() == whole.slice(28).to_pylist()
    globbed = sources.open(str(tmp_path / f"*.{container}"))
    assert globbed.files == source.files and globbed.fingerprint == source.fingerprint


def frames() -> dict[str, Any]:
    import datasets
    import pandas as pd

    return {
        "polars": FRAME,
        "lazy": FRAME.lazy(),
        "pyarrow": FRAME.to_arrow(),
        "dataset": pyarrow.dataset.dataset(FRAME.to_arrow()),
        "pandas": pd.DataFrame(FRAME.to_dicts()),
        "datasets": datasets.Dataset.from_list(FRAME.reverse().to_dicts()).select(range(N - 1, -1, -1)),
    }


@pytest.mark.parametrize("name", ["polars", "lazy", "pyarrow", "dataset", "pandas", "datasets"])
def test_frames(name: str) -> None:
    source = sources.open(frames()[name])
    assert source.container == "frame" and source.rows == N
    whole = pa.concat_tables([p.table for p in source.read(5)])
    assert values(whole, source.columns) == FRAME.to_dicts()


@pytest.mark.parametrize("value", ["half \ud83d", 3])
def test_a_frame_that_arrow_cannot_hold_is_an_error(value: object) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(SourceError, match="cannot be put into Arrow"):
        sources.open(pandas.DataFrame({"chosen": ["yes", value], "rejected": ["no", "no"]}, dtype=object))


def test_a_frame_is_put_into_arrow_a_slice_at_a_time() -> None:
    """Whatever its library keeps; and each slice is the same rows, whichever way they are asked for."""
    import datasets

    long = pl.DataFrame({"prompt": [f"q{i}" for i in range(20_000)], "chosen": "a", "rejected": "b"})
    mixed = datasets.Dataset.from_polars(long).shuffle(seed=1)
    order = pl.from_arrow(mixed.with_format("arrow")[:])
    assert isinstance(order, pl.DataFrame) and order["prompt"].to_list() != long["prompt"].to_list()
    for data, want in ((long, long), (mixed, order)):
        found = frame_rows(data)
        assert isinstance(found, Slices)
        assert pl.from_arrow(found.slice(9_000, 7)).equals(want[9_000:9_007])  # type: ignore[union-attr]
        source = sources.open(data)
        assert values(pa.concat_tables([p.table for p in source.read(6_000)]), source.columns) == want.to_dicts()
    assert sources.open(order).fingerprint == sources.open(order.to_arrow()).fingerprint
    assert sources.open(mixed).fingerprint != sources.open(long).fingerprint


def test_folders_of_datasets(tmp_path: Path) -> None:
    import datasets

    data = datasets.Dataset.from_list(FRAME.to_dicts())
    data.save_to_disk(tmp_path / "one", num_shards=3)
    datasets.DatasetDict({"train": data}).save_to_disk(tmp_path / "dict")
    for folder in ("one", "dict"):
        source = sources.open(tmp_path / folder)
        whole = pa.concat_tables([p.table for p in source.read(5)])
        assert values(whole, source.columns) == FRAME.to_dicts()
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "two")
    with pytest.raises(SourceError, match="the splits test, train"):
        sources.open(tmp_path / "two")
    assert sources.open(tmp_path / "two" / "train").count() == N


def test_values_that_are_not_text_are_json(tmp_path: Path) -> None:
    image = {"bytes": b"\x89PNG", "path": "a.png"}
    row = {
        "n": 1, "f": 0.5, "nan": float("nan"), "yes": True, "none": None, "list": [1, None], "raw": b"\x00\xff",
        "turns": [
            {"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "image": None}]}, None],
    }  # fmt: skip
    pl.DataFrame([row, row | {"turns": None}]).write_parquet(tmp_path / "a.parquet")
    source = sources.open(tmp_path / "a.parquet")
    (part,) = source.read(10)
    first, second = values(part.table, source.columns)
    parts = [{"type": "image", "image": {"path": "a.png"}}, {"type": "text", "image": None}]
    assert first["turns"] == [{"role": "user", "content": parts}, None] and second["turns"] is None
    assert (first["n"], first["f"], first["nan"], first["yes"], first["list"]) == (1, 0.5, None, True, [1, None])
    assert "raw" not in source.columns and any("'raw'" in n for n in source.notes)
    assert any("'turns'" in n for n in source.notes)


def test_half_a_surrogate_pair_costs_one_character(tmp_path: Path) -> None:
    said = [r"cut \ud83d", r"\udc00 begun", r"\ud83d\ude00 whole", r"\\ud83d no escape", r"\ud800\ud83d\ude00"]
    read = ["cut \ufffd", "\ufffd begun", "\U0001f600 whole", r"\ud83d no escape", "\ufffd\U0001f600"]
    rows = [f'{{"a": "{text}", "b": {k}}}' for k, text in enumerate(said)]
    for name, text in (("a.jsonl", "\n".join([*rows, "{broken"])), ("a.json", f"[{','.join(rows)}]")):
        (tmp_path / name).write_text(text)
        for size in (1, 2, 100):
            parts = list(sources.open(tmp_path / name).read(size))
            assert [json.loads(a) for p in parts for a in p.table["a"].to_pylist()] == read
            assert pl.concat([p.skipped for p in parts])["line"].to_list() == ([6] if name == "a.jsonl" else [])
    (tmp_path / "only.jsonl").write_text(rows[0])
    (part,) = sources.open(tmp_path / "only.jsonl").read(9)
    assert part.table.select(["a", "b"]).to_pylist() == [{"a": '"cut \ufffd"', "b": "0"}]


def test_any_key_is_a_column(tmp_path: Path) -> None:
    row = {"line": 1, "Prompt": 2, "prompt": 3, "a.b": 4, 'q"t': 5, "it's": 6, "x y": 7, "é\\": 8}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n" + '{"late": null, "x y": NaN, "a.b": 1, "a.b": 2}\n')
    source = sources.open(tmp_path / "a.jsonl")
    assert list(source.columns) == ["line_2", "Prompt", "prompt_2", "a.b", 'q"t', "it's", "x y", "é\\", "late"]
    (part,) = source.read(5)
    first, second = values(part.table, source.columns)
    assert list(first.values()) == [*row.values(), None]
    assert second["a.b"] == 1 and second["x y"] is None
    assert "column 'line' is called 'line_2' here" in source.notes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('a,"\\[]{}é\n')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(JSON, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_elements_are_those_of_a_parser(rows: list[Any], size: int, indent: int | None, ascii: bool) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=ascii).encode()
    found = [t for some in elements.texts(io.BytesIO(text), "x", size=size) for t in some.values.to_pylist()]
    assert [json.loads(t) for t in found] == rows


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON, min_size=1, max_size=4), st.integers(1, 9), st.data())
def test_an_array_cut_anywhere_is_an_error(rows: list[Any], size: int, data: st.DataObject) -> None:
    text = json.dumps(rows).encode()
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    with pytest.raises(SourceError, match="cut short"):
        list(elements.texts(io.BytesIO(cut), "x", size=size))


def test_one_object_is_one_row(tmp_path: Path) -> None:
    given = {"metadata": {"version": "2.0"}, "annotators": {}, "comparisons": [{"id": 1}]}
    (tmp_path / "a.json").write_text(json.dumps(given, indent=2))
    source = sources.open(tmp_path / "a.json")
    (part,) = source.read(10)
    assert part.rows == 1 and values(part.table, source.columns) == [given]


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(NDJSON)
    (tmp_path / "b.jsonl").write_bytes(NDJSON)
    os.utime(tmp_path / "b.jsonl", (1, 1))
    (tmp_path / "c.jsonl").write_bytes(NDJSON.replace(b"comma", b"Comma", 1))
    a, b, c = (sources.open(tmp_path / f"{x}.jsonl").fingerprint for x in "abc")
    assert a == b != c
    chunked = pa.concat_tables([FRAME.to_arrow().slice(0, 5), FRAME.to_arrow().slice(5)])
    assert sources.open(FRAME).fingerprint == sources.open(chunked).fingerprint
    assert sources.open(FRAME).fingerprint != sources.open(FRAME.reverse()).fingerprint


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (NDJSON, gzip.compress(NDJSON), FRAME.write_csv().encode()):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        source = sources.open("-")
        whole = pa.concat_tables([p.table for p in source.read(5)])
        assert values(whole, source.columns) == FRAME.to_dicts() and source.files == ["-"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(SourceError, match="standard input is empty"):
        sources.open("-")
    _, terminal = os.openpty()
    with open(terminal) as stream:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(SourceError, match="nothing is piped"):
            sources.open("-")


def test_uris() -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/prefs/1.jsonl", NDJSON)
    memory.pipe("/prefs/2.jsonl", NDJSON)
    memory.pipe("/prefs/README.md", b"hello")
    assert sources.open("memory://prefs/1.jsonl").count() == N
    assert sources.open("memory://prefs/*.jsonl").count() == 2 * N
    assert sources.open("memory://prefs").count() == 2 * N
    with pytest.raises(SourceError, match="not found"):
        sources.open("memory://prefs/3.jsonl")


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(NDJSON)
    source = sources.open(tmp_path / "a.jsonl")
    with pytest.raises(SourceError, match="changed while it was read"):
        for _ in source.read(5):
            (tmp_path / "a.jsonl").write_bytes(NDJSON + NDJSON)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give up rights")
def test_permission_denied(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(NDJSON)
    (tmp_path / "a.jsonl").chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(SourceError, match="permission denied"):
            sources.open(tmp_path / "a.jsonl")
    finally:
        os.seteuid(0)


def test_a_folder_that_holds_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(NDJSON)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert sources.open(tmp_path).count() == N


def test_a_long_line_takes_linear_time(tmp_path: Path) -> None:
    import time

    took = []
    for size in (8, 32):
        (tmp_path / "a.jsonl").write_bytes(b'{"a": "' + b"x" * (size << 20) + b'"}\n{"a": 1}\n')
        begin = time.process_time()
        assert sources.open(tmp_path / "a.jsonl").count() == 2
        took.append(time.process_time() - begin)
    assert took[1] < 10 * took[0] + 0.2


def test_skips_of_any_part_are_those_of_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [b'{"a": %d}' % i if rng.random() < 0.7 else [b"{bad", b"[]", b'{"a": "\xff"}'][i % 3] for i in range(200)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    source = sources.open(tmp_path / "a.jsonl")
    (whole,) = source.read(1000)
    parts = list(source.read(7))
    assert pl.concat([p.skipped for p in parts]).equals(whole.skipped)
    assert pa.concat_tables([p.table for p in parts]).to_pylist() == whole.table.to_pylist()
    assert whole.rows == 200 == len(whole.table) + len(whole.skipped)

"""Rows that stay are the rows that were: byte for byte where the container has lines, cell for cell where not."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repair.making import cells, jsonl, same_cells

from prefaudit import sources
from prefaudit.core import AuditError, SourceError, UsageError
from prefaudit.repair import output, target
from prefaudit.repair.cut import Cut
from prefaudit.repair.lines import rewritten

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
VALUE = st.one_of(TEXT, st.integers(-9, 9), st.none(), st.booleans(), st.lists(TEXT, max_size=2))
ROWS = st.lists(st.fixed_dictionaries({"prompt": TEXT, "chosen": TEXT, "rejected": VALUE}), min_size=1, max_size=12)
QUIET = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def copy(path: Path, out: Path, cut: Cut) -> bytes:
    origin = output.origin(sources.open(str(path)), str(path))
    with target.Staged() as staged:
        output.write(origin, staged.path(out), out, cut)
        staged.commit()
    return out.read_bytes()


def mask(n: int, seed: int) -> np.ndarray:
    keep = np.random.default_rng(seed).random(n) < 0.6
    keep[seed % n] = True
    return keep


@QUIET
@given(rows=ROWS, seed=st.integers(0, 99), end=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
def test_json_lines_keep_their_bytes(tmp_path: Path, rows: list[Any], seed: int, end: str, last: bool) -> None:
    lines = [json.dumps(r, ensure_ascii=bool(seed % 2), separators=(",", ": "[: 1 + seed % 2])) + end for r in rows]
    lines[-1] = lines[-1] if last else lines[-1].rstrip()
    path = tmp_path / "a.jsonl"
    path.write_bytes("".join(lines).encode())
    keep = mask(len(rows), seed)
    assert (
        copy(path, tmp_path / "b.jsonl", Cut(keep))
        == "".join(x for x, k in zip(lines, keep, strict=True) if k).encode()
    )
    assert copy(path, tmp_path / "c.jsonl", Cut(np.ones(len(rows), bool))) == path.read_bytes()


@QUIET
@given(rows=ROWS, seed=st.integers(0, 99), indent=st.sampled_from([None, 2, 4]))
def test_json_arrays_keep_their_elements(tmp_path: Path, rows: list[Any], seed: int, indent: int | None) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=False), encoding="utf8")
    keep = mask(len(rows), seed)
    kept = [r for r, k in zip(rows, keep, strict=True) if k]
    assert json.loads(copy(path, tmp_path / "b.json", Cut(keep))) == kept
    assert copy(path, tmp_path / "c.json", Cut(np.ones(len(rows), bool))) == path.read_bytes()


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=12).filter(str.strip)


@QUIET
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=10), seed=st.integers(0, 99),
       end=st.sampled_from(["\n", "\r\n"]), tab=st.booleans())  # fmt: skip
def test_csv_keeps_the_bytes_of_every_row(tmp_path: Path, rows: list[Any], seed: int, end: str, tab: bool) -> None:
    def written(some: list[Any]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter="\t" if tab else ",", lineterminator=end).writerows(
            [("prompt", "chosen", "rejected"), *some]
        )
        return text.getvalue().encode()

    path = tmp_path / ("a.tsv" if tab else "a.csv")
    path.write_bytes(written(rows))
    keep = mask(len(rows), seed)
    assert copy(path, tmp_path / f"b{path.suffix}", Cut(keep)) == written(
        [r for r, k in zip(rows, keep, strict=True) if k]
    )
    assert copy(path, tmp_path / f"c{path.suffix}", Cut(np.ones(len(rows), bool))) == path.read_bytes()


def table(n: int) -> pa.Table:
    return pa.table({
        "prompt": pa.array([f"q{i}" for i in range(n)], pa.string()).dictionary_encode(),
        "chosen": pa.array([[{"role": "assistant", "content": f"a{i}"}] for i in range(n)]),
        "rejected": pa.array([[{"role": "assistant", "content": None if i % 5 == 0 else f"b{i}"}] for i in range(n)]),
        "score": pa.array([None if i % 7 == 0 else i / 3 for i in range(n)], pa.float32()),
        "when": pa.array(range(n), pa.timestamp("us", tz="UTC")),
        "blob": pa.array([bytes([i % 256]) for i in range(n)]),
    }).replace_schema_metadata({"huggingface": '{"info": 1}', "mine": "x"})  # fmt: skip


@pytest.mark.parametrize("codec", ["zstd", "snappy", "none", "gzip"])
def test_parquet_keeps_schema_metadata_codec_and_cells(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(1000), path, row_group_size=300, compression=codec, use_dictionary=["prompt"])
    keep = mask(1000, 3)
    copy(path, tmp_path / "b.parquet", Cut(keep))
    after, file = pq.read_table(tmp_path / "b.parquet"), pq.ParquetFile(tmp_path / "b.parquet")
    written = pq.read_table(path)
    assert after.schema.equals(written.schema, check_metadata=True)
    assert after.equals(written.filter(pa.array(keep)))
    assert file.schema.equals(pq.ParquetFile(path).schema)
    before = pq.ParquetFile(path).metadata
    assert file.metadata.num_row_groups == before.num_row_groups
    assert file.metadata.row_group(0).column(0).compression == before.row_group(0).column(0).compression


@pytest.mark.parametrize("stream", [True, False])
def test_arrow_keeps_schema_and_kind(tmp_path: Path, stream: bool) -> None:
    given_, path = table(500), tmp_path / "a.arrow"
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), given_.schema) as writer:
        writer.write_table(given_, max_chunksize=100)
    keep = mask(500, 5)
    data = copy(path, tmp_path / "b.arrow", Cut(keep))
    assert data.startswith(b"ARROW1") != stream
    after = (pa.ipc.open_stream if stream else pa.ipc.open_file)(data).read_all()
    assert after.schema.equals(given_.schema, check_metadata=True)
    assert after.equals(given_.filter(pa.array(keep)))


def test_views_as_polars_writes_them_stay_views(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    message = [{"role": "assistant", "content": "said"}]
    frame = pl.DataFrame({"chosen": [f"{i} at a length that is kept apart" for i in range(9)], "rejected": ["b"] * 9,
                          "said": [message] * 9, "raw": [b"\xff"] * 9})  # fmt: skip
    frame.write_ipc(path)
    keep = mask(9, 4)
    copy(path, tmp_path / "b.arrow", Cut(keep))
    before, after = (pa.ipc.open_file(p).read_all() for p in (path, tmp_path / "b.arrow"))
    assert "string_view" in str(before.schema) and after.schema.equals(before.schema, check_metadata=True)
    assert pl.from_arrow(after).equals(frame.filter(pl.Series(keep)))  # type: ignore[union-attr, arg-type]


def unzstd(data: bytes) -> bytes:
    return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())


UNPACK = [(".gz", gzip.decompress), (".bz2", bz2.decompress), (".xz", lzma.decompress), (".zst", unzstd)]


@pytest.mark.parametrize("ending, unpack", UNPACK)
def test_the_name_says_the_compression(tmp_path: Path, ending: str, unpack: Any) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"chosen": f"{i}", "rejected": "x"} for i in range(50)])
    out = tmp_path / f"b.jsonl{ending}"
    first = copy(path, out, Cut(np.ones(50, bool)))
    assert unpack(first) == path.read_bytes()
    assert copy(path, out, Cut(np.ones(50, bool))) == first, "the same rows give the same file"


def test_several_files_become_one_file_or_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    jsonl(folder / "a.jsonl", [{"chosen": f"a{i}", "rejected": "x"} for i in range(5)])
    (folder / "deep" / "b.jsonl").write_text('{"chosen": "b0", "rejected": "x"}\n{"chosen": "b1", "rejected": "x"}')
    keep = np.array([1, 0, 1, 1, 0, 0, 1], bool)
    one, other = tmp_path / "out.jsonl", tmp_path / "out"
    copy(folder, one, Cut(keep))
    assert [json.loads(x)["chosen"] for x in one.read_text().splitlines()] == ["a0", "a2", "a3", "b1"]
    origin = output.origin(sources.open(str(folder)), str(folder))
    with target.Staged() as staged:
        output.write(origin, staged.path(other), other, Cut(keep))
        staged.commit()
    assert [p.relative_to(other).as_posix() for p in sorted(other.rglob("*.jsonl"))] == ["a.jsonl", "deep/b.jsonl"]
    assert (other / "deep" / "b.jsonl").read_text() == '{"chosen": "b1", "rejected": "x"}'


def test_broken_lines_are_not_written_and_not_miscounted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"chosen": "a", "rejected": "b"}'
    path.write_text(f"{good}\n\nnot json\n[1]\n   \n{good.replace('a', 'c')}\n")
    before, n = cells(path)
    keep = np.zeros(n, bool)
    keep[before["source_row"].to_numpy()] = True
    copy(path, tmp_path / "b.jsonl", Cut(keep))
    assert n == 4
    assert same_cells(before, keep, cells(tmp_path / "b.jsonl")[0])


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_flipped_columns_are_exchanged_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Bytes, decimals and times do not pass through text."""
    import datetime
    from decimal import Decimal

    from prefaudit.repair import relabel

    monkeypatch.chdir(tmp_path)
    message = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("image", pa.binary())]))
    sides = {s: [[{"role": "assistant", "content": f"{s} answer {i}", "image": bytes([i, 255])}] for i in range(20)]
             for s in ("chosen", "rejected")}  # fmt: skip
    when = [datetime.datetime(2024, 1, 1 + i % 28, 1, 2, 3, 456789) for i in range(20)]
    given_ = pa.table({
        "prompt": [f"question {i}" for i in range(20)], **{s: pa.array(v, message) for s, v in sides.items()},
        "score_chosen": pa.array([Decimal(i % 4) / 4 for i in range(20)], pa.decimal128(5, 2)),
        "score_rejected": pa.array([Decimal("0.30")] * 20, pa.decimal128(5, 2)),
        "chosen_at": pa.array(when, pa.timestamp("us")), "rejected_at": pa.array([None] * 20, pa.timestamp("us")),
    })  # fmt: skip
    path, out = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    if ending == "parquet":
        pq.write_table(given_, path)
    else:
        with pa.ipc.new_file(str(path), given_.schema) as writer:
            writer.write_table(given_)
    made = relabel(str(path), out, flip=["LBL001"])
    assert made.flipped == 10
    after = (pq.read_table(out) if ending == "parquet" else pa.ipc.open_file(out).read_all()).to_pylist()
    names = {"chosen": "rejected", "score_chosen": "score_rejected", "chosen_at": "rejected_at"}
    names |= {b: a for a, b in names.items()}
    for i, (old, new) in enumerate(zip(given_.to_pylist(), after, strict=True)):
        assert new == ({c: old[names.get(c, c)] for c in old} if i % 4 < 2 else old)


def test_a_rewritten_line_keeps_its_ways() -> None:
    assert rewritten(b'{"a": 1, "b": "\xc3\xa9"}\n', {"a": 2}) == b'{"a": 2, "b": "\xc3\xa9"}\n'
    assert rewritten(b'{"a":1,"b":"\\u00e9"}\r\n', {"a": 2}) == b'{"a":2,"b":"\\u00e9"}\r\n'
    assert rewritten(b'\n  {\n    "a": 1,\n    "b": [\n      2\n    ]\n  } ', {"a": 3}) == (
        b'\n  {\n    "a": 3,\n    "b": [\n      2\n    ]\n  } '
    )
    assert json.loads(rewritten('{"a": "é", "b": "\\ud800"}'.encode(), {"c": 1})) == {"a": "é", "b": "\ud800", "c": 1}


@pytest.mark.parametrize("out, told", [("b.parquet", "container"), ("b", "no ending"), ("a.jsonl", "source itself"),
                                       ("none/b.jsonl", "no folder")])  # fmt: skip
def test_refused_names(tmp_path: Path, out: str, told: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"chosen": "a", "rejected": "b"}])
    origin = output.origin(sources.open(str(path)), str(path))
    with pytest.raises(UsageError, match=told):
        output.check(origin, tmp_path / out, force=True)


def test_a_link_to_the_source_is_the_source(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"chosen": "a", "rejected": "b"}])
    (tmp_path / "soft.jsonl").symlink_to(path)
    (tmp_path / "hard.jsonl").hardlink_to(path)
    origin = output.origin(sources.open(str(path)), str(path))
    for name in ("soft.jsonl", "hard.jsonl"):
        with pytest.raises(UsageError, match="source itself"):
            output.check(origin, tmp_path / name, force=True)


def test_a_source_that_changed_is_not_written(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{"chosen": "a", "rejected": "b"}] * 3)
    out = tmp_path / "b.jsonl"
    out.write_text("old")
    origin = output.origin(sources.open(str(path)), str(path))
    jsonl(path, [{"chosen": "c", "rejected": "b"}] * 3)
    with pytest.raises(SourceError, match="changed"), target.Staged() as staged:
        output.write(origin, staged.path(out), out, Cut(np.ones(3, bool)))
        staged.commit()
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl"]


def test_a_full_disk_leaves_the_old_output(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    out = tmp_path / "b.jsonl"
    out.write_text("old")
    with pytest.raises(AuditError, match="No space left") as caught, target.Staged() as staged:
        staged.path(out).symlink_to(full)
        with target.opened(staged._moves[0][0], "") as stream:
            stream.write(b"x" * 100_000)
        staged.commit()
    assert "untouched" in caught.value.hint
    assert out.read_text() == "old"

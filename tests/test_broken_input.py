"""Broken input: each kind is either an error that names the file and what is wrong, or rows skipped and counted."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prefaudit import sources
from prefaudit.core import SourceError

Build = Callable[[Path], Path | str]


@dataclass(frozen=True)
class Broken:
    """A kind of broken input.

    `build` writes it and gives the path to name; `says` are fragments of the error's message and hint, or where it is
    empty, `skips` are the rows expected to be skipped, as (line, reason), among `rows` source rows.
    """

    name: str
    build: Build
    says: tuple[str, ...] = ()
    rows: int = 0
    skips: tuple[tuple[int, str], ...] = field(default=())


def pairs(n: int = 12) -> list[dict[str, str]]:
    return [
        {
            "prompt": f"What is {i} plus {i}?",
            "chosen": f"{i} plus {i} is {2 * i}, which you can check by counting.",
            "rejected": f"It may be {2 * i + 1}, but nobody can really say.",
        }
        for i in range(n)
    ]


def jsonl(n: int = 12) -> bytes:
    return b"".join(json.dumps(p).encode() + b"\n" for p in pairs(n))


def csv(n: int = 12) -> bytes:
    return pl.DataFrame(pairs(n)).write_csv().encode()


def file(name: str, data: bytes) -> Build:
    def build(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return build


def parquet(name: str = "data.parquet", change: Callable[[bytes], bytes] = bytes, n: int = 2000) -> Build:
    def build(folder: Path) -> Path:
        pl.DataFrame(pairs(n)).write_parquet(folder / name)
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        return folder / name

    return build


def arrow(name: str, cut: float) -> Build:
    table = pa.Table.from_pylist(pairs(2000))
    sink = io.BytesIO()
    make = pa.ipc.new_file if name.endswith(".arrow") else pa.ipc.new_stream
    with make(sink, table.schema) as writer:
        writer.write_table(table, 200)
    return file(name, sink.getvalue()[: int(len(sink.getvalue()) * cut)])


def zero(rows: bool) -> Build:
    def build(folder: Path) -> Path:
        table = pa.Table.from_pylist(pairs(3)).slice(0, 0) if rows else pa.table({})
        pq.write_table(table, folder / "zero.parquet")
        return folder / "zero.parquet"

    return build


def many(files: dict[str, bytes]) -> Build:
    def build(folder: Path) -> Path:
        inside = folder / "inside"
        inside.mkdir()
        for name, data in files.items():
            (inside / name).write_bytes(data)
        return inside

    return build


def ununified(folder: Path) -> Path:
    pl.DataFrame(pairs(3)).write_parquet(folder / "a.parquet")
    pl.DataFrame([p | {"chosen": [p["chosen"]]} for p in pairs(3)]).write_parquet(folder / "b.parquet")
    return folder


def splits(folder: Path) -> Path:
    table = pa.Table.from_pylist(pairs(3))
    (folder / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    for split in ("train", "test"):
        (folder / split).mkdir()
        (folder / split / "state.json").write_text("{}")
        with pa.ipc.new_stream(folder / split / "data-00000-of-00001.arrow", table.schema) as writer:
            writer.write_table(table)
    return folder


def link(target: str) -> Build:
    def build(folder: Path) -> Path:
        (folder / "link.jsonl").symlink_to(folder / target)
        return folder / "link.jsonl"

    return build


def workbook() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as z:
        z.writestr("xl/workbook.xml", "<workbook/>")
    return sink.getvalue()


def zstd(data: bytes) -> bytes:
    sink = io.BytesIO()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(data)
        out.flush()
        return _closed(out, sink)


def _closed(out: pa.CompressedOutputStream, sink: io.BytesIO) -> bytes:
    sink.close = lambda: None  # type: ignore[method-assign]  # Arrow closes what it writes to
    out.close()
    return sink.getvalue()


def cut(data: bytes, share: float = 0.6) -> bytes:
    return data[: int(len(data) * share)]


def lines(*wrong: bytes) -> bytes:
    """Ten good lines, the wrong ones from line 4 on."""
    good = jsonl(10).splitlines(keepends=True)
    return b"".join([*good[:3], *(w + b"\n" for w in wrong), *good[3:]])


def rows(*wrong: bytes) -> bytes:
    good = csv(10).splitlines(keepends=True)
    return b"".join([*good[:3], *(w + b"\n" for w in wrong), *good[3:]])


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n"
HTML = b"<!DOCTYPE html>\n<html><body>404</body></html>\n"
BIG = jsonl(3000)
ARRAY = json.dumps(pairs(), indent=1).encode()
WIDTH, UTF8 = "line has the wrong number of cells", "line is not valid UTF-8"
INVALID, OBJECT = "line is not valid JSON", "line is not a JSON object"

BROKEN = [
    Broken("not there, a near name is", lambda d: file("pairs.jsonl", b"{}")(d).with_name("pair.jsonl"),
           ("pair.jsonl: not found", "did you mean", "pairs.jsonl")),
    Broken("no such folder", lambda d: d / "no" / "data.jsonl", ("not found", "there is no folder")),
    Broken("glob without match", lambda d: d / "*.jsonl", ("no file matches",)),
    Broken("folder without data", many({"README.md": b"hello", "LICENSE": b"MIT"}), ("no data file in this folder",)),
    Broken("folder of two containers", many({"a.jsonl": jsonl(), "b.csv": csv()}),
           ("more than one kind", "csv", "jsonl")),
    Broken("broken link", link("gone.jsonl"), ("a broken link to", "gone.jsonl")),
    Broken("link to itself", link("link.jsonl"), ("a broken link to", "link.jsonl")),
    Broken("several splits", splits, ("the splits test, train", "name one")),
    Broken("empty file", file("a.jsonl", b""), ("the file is empty",)),
    Broken("empty parquet", file("a.parquet", b""), ("the file is empty",)),
    Broken("only blank lines", file("a.jsonl", b"\n \r\n\n\t\n"), ("nothing but blank lines",)),
    Broken("empty inside gzip", file("a.jsonl.gz", gzip.compress(b"")), ("nothing but blank lines",)),
    Broken("gzip cut short", file("a.jsonl.gz", cut(gzip.compress(BIG))), ("cut short", "download or compress")),
    Broken("zstd cut short", file("a.jsonl.zst", cut(zstd(BIG))), ("cut short",)),
    Broken("bzip2 cut short", file("a.jsonl.bz2", cut(bz2.compress(BIG))), ("cut short",)),
    Broken("xz cut short", file("a.jsonl.xz", cut(lzma.compress(BIG))), ("cut short",)),
    Broken("gzip damaged", file("a.jsonl.gz", gzip.compress(BIG)[:200] + b"\x00" * 64 + gzip.compress(BIG)[264:]),
           ("gzip data is damaged",)),
    Broken("gzip by name only", file("a.jsonl.gz", jsonl()), ("ends in .gz but is not gzip data",)),
    Broken("zstd by name, gzip inside", file("a.jsonl.zst", gzip.compress(jsonl())),
           ("not zstd data", "it is gzip data")),
    Broken("git lfs pointer", file("a.parquet", POINTER), ("Git LFS pointer", "git lfs pull")),
    Broken("web page", file("a.jsonl", HTML), ("web page",)),
    Broken("web page called parquet", file("a.parquet", HTML), ("web page",)),
    Broken("text called parquet", file("a.parquet", jsonl()), ("not a readable Parquet file",)),
    Broken("parquet cut short", parquet(change=cut), ("not a readable Parquet file", "footer")),
    Broken("parquet with a wrong footer", parquet(change=lambda b: b[:-8] + b"\xff\xff\xff\x7fPAR1"),
           ("not a readable Parquet file",)),
    Broken("parquet with damaged pages", parquet(change=lambda b: b[:50] + b"\xff" * 400 + b[450:]),
           ("Parquet data is damaged",)),
    Broken("parquet encrypted", parquet(change=lambda b: b[:-4] + b"PARE"), ("encrypted",)),
    Broken("parquet without columns", zero(rows=False), ("no columns",)),
    Broken("parquet without rows", zero(rows=True), ("no rows",)),
    Broken("schemas that do not unify", ununified, ("column 'chosen' is text in", "but json in")),
    Broken("json array cut short", file("a.json", cut(ARRAY)), ("cut short", "at line")),
    Broken("json object cut short", file("a.json", b'{"metadata": {"version": 1}, "comparisons": ['), ("cut short",)),
    Broken("json bracket too many", file("a.json", b'{"a": 1}}'), ("a bracket closes that never opened",)),
    Broken("text after a json array", file("a.json", ARRAY + b"\nbye"), ("text after the end of the array",)),
    Broken("json array of numbers", file("a.json", b"[1, 2, 3]"), ("none of its rows is a JSON object",)),
    Broken("empty json array", file("a.json", b"[]"), ("none of its rows is a JSON object",)),
    Broken("prose called jsonl", file("a.jsonl", b"Dear all,\nplease find attached.\n"),
           ("none of its rows is a JSON",)),
    Broken("utf-16", file("a.jsonl", jsonl().decode().encode("utf-16")), ("UTF-16", "iconv")),
    Broken("excel sheet", file("a.xlsx", workbook()), (".xlsx is not read", "CSV")),
    Broken("excel sheet called csv", file("a.csv", workbook()), ("zip archive (or Excel sheet)",)),
    Broken("pickle", file("a.pkl", pickle.dumps(pairs())), ("never opened",)),
    Broken("pickle without a name", file("a", pickle.dumps(pairs())), ("pickle", "never opened")),
    Broken("torch file", file("a.pt", workbook()), ("never opened",)),
    Broken("no known kind", file("a.txt", b"just words\n"), ("neither its name nor its text",)),
    Broken("arrow file cut short", arrow("a.arrow", 0.5), ("not readable as Arrow",)),
    Broken("arrow stream cut short", arrow("a.ipc", 0.5), ("not readable as Arrow", "cut short")),
    Broken("csv with one name twice", file("a.csv", b"prompt,chosen,chosen\nx,y,z\n"),
           ("more than one column", "'chosen'")),
    Broken("csv with one column", file("a.csv", b"chosen\nx\n"), ("the header has one column",)),
    Broken("csv with no rows", file("a.csv", b"prompt,chosen,rejected\n"), ("no rows",)),
    Broken("csv quote that never closes", file("a.csv", b'prompt,chosen,rejected\na,b,c\nd,e,"f\ng,h,i\nj,k,l\n'),
           ("a quote that opens", "line 3", "never closes")),
    Broken("csv quote that swallows a row", file("a.csv", rows(b'a,b,"open')), ("a quote that opens", "line 4")),
    Broken("unknown protocol", lambda d: "gopher://x/data.jsonl", ("no such protocol",)),
    # counted skips
    Broken("jsonl: broken line", file("a.jsonl", lines(b"{broken")), rows=11, skips=((4, INVALID),)),
    Broken("jsonl: last line cut", file("a.jsonl", jsonl(10)[:-20]), rows=10, skips=((10, INVALID),)),
    Broken("jsonl: not an object", file("a.jsonl", lines(b"[1]", b"", b'"x"')), rows=12,
           skips=((4, OBJECT), (6, OBJECT))),
    Broken("jsonl: not utf-8", file("a.jsonl", lines(b'{"prompt": "\xff\xfe"}')), rows=11, skips=((4, UTF8),)),
    Broken("jsonl: a NUL byte", file("a.jsonl", lines(b'{"prompt": "\x00"}', b"\x00")), rows=12,
           skips=((4, INVALID), (5, INVALID))),
    Broken("jsonl: two objects on a line", file("a.jsonl", lines(b'{"a": 1}{"b": 2}')), rows=11, skips=((4, INVALID),)),
    Broken("json: a broken element", file("a.json", ARRAY.replace(b'"chosen": "3 ', b'"chosen": ~"3 ')), rows=12,
           skips=((17, "element is not valid JSON"),)),
    Broken("csv: rows of the wrong width", file("a.csv", rows(b"one", b"a,b,c,d")), rows=12,
           skips=((4, WIDTH), (5, WIDTH))),
    Broken("csv: not utf-8", file("a.csv", rows(b"\xff,b,c")), rows=11, skips=((4, UTF8),)),
]  # fmt: skip

ERRORS = [b for b in BROKEN if b.says]
SKIPS = [b for b in BROKEN if not b.says]


def test_there_are_forty_kinds() -> None:
    assert len({b.name for b in BROKEN}) == len(BROKEN) >= 40


@pytest.mark.parametrize("broken", ERRORS, ids=lambda b: b.name)
def test_an_error_names_the_file_and_what_is_wrong(broken: Broken, tmp_path: Path) -> None:
    path = broken.build(tmp_path)
    with pytest.raises(SourceError) as caught:
        for _ in sources.open(str(path)).read(5):
            pass
    said = f"{caught.value.message} | {caught.value.hint}"
    for fragment in (*broken.says, Path(path).name if broken.name != "schemas that do not unify" else "b.parquet"):
        assert fragment in said
    assert "\n" not in said


@pytest.mark.parametrize("broken", SKIPS, ids=lambda b: b.name)
@pytest.mark.parametrize("part_rows", [3, 1000])
def test_a_broken_row_is_skipped_with_its_line(broken: Broken, part_rows: int, tmp_path: Path) -> None:
    parts = list(sources.open(broken.build(tmp_path)).read(part_rows))
    skipped = pl.concat([p.skipped for p in parts])
    assert tuple(skipped.select("line", "reason").iter_rows()) == broken.skips
    read = [r for p in parts for r in p.table["source_row"].to_pylist()]
    assert sorted(read + skipped["source_row"].to_list()) == list(range(broken.rows))


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prefaudit", "scan", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=os.environ | {"NO_COLOR": "1"}, check=False
    )


@pytest.mark.parametrize("broken", ERRORS, ids=lambda b: b.name)
def test_scan_exits_2_and_leaves_nothing(
    broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefaudit.cli import main

    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    path = broken.build(given)
    monkeypatch.setattr(sys, "argv", ["prefaudit", "scan", str(path), "-o", str(out)])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr()
    assert caught.value.code == 2, said.err
    told = " ".join(said.err.split())
    assert broken.says[0] in told
    assert "Traceback" not in said.err + said.out and "internal error" not in said.err
    assert not (out / "report.json").exists()


@pytest.mark.parametrize("broken", [b for b in SKIPS if b.name != "jsonl: last line cut"], ids=lambda b: b.name)
def test_scan_counts_the_skips(
    broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefaudit.cli import main

    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    path = broken.build(given)
    monkeypatch.setattr(sys, "argv", ["prefaudit", "scan", str(path), "-o", str(out), "--fail-on", "never", "--quiet"])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr()
    assert not caught.value.code, said.err
    report = json.loads((out / "report.json").read_text())
    assert report["dataset"]["rows"] == broken.rows
    assert report["dataset"]["skipped"] >= len(broken.skips)
    for _, reason in broken.skips:
        assert report["dataset"]["skipped_reasons"][reason] == sum(r == reason for _, r in broken.skips)


def test_one_error_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_bytes(cut(ARRAY))
    done = run(["cut.json", "-o", "out"], tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "cut.json" in done.stderr and "cut short" in done.stderr and "Traceback" not in done.stderr

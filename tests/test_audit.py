"""The spine: what a scan leaves, what a second scan reuses, and that nothing depends on how it was cut or killed."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import forked
import polars as pl
import pytest

import prefaudit
from prefaudit.core import EFFECTS, FINDINGS, PAIRS, AuditError, UsageError
from prefaudit.demo import demo_path
from prefaudit.store import Store


@pytest.fixture(scope="module")
def demo(demo_audit: prefaudit.Audit) -> prefaudit.Audit:
    return demo_audit


def report_bytes(folder: Path) -> bytes:
    return (folder / "report.json").read_bytes()


def test_audit_offers_report_findings_pairs_features(demo: prefaudit.Audit) -> None:
    assert demo.report["schema"] == "prefaudit.report/1"
    assert demo.report["complete"] is True
    assert dict(demo.findings.schema) == FINDINGS
    assert dict(demo.effects.schema) == EFFECTS
    pairs = demo.pairs().collect()
    assert dict(pairs.schema) == PAIRS
    features = demo.features().collect()
    assert features["row"].equals(pairs["row"])
    assert {"c", "r", "group", "dup", "pair"} <= set(features.columns)
    fields = {f.name for f in features.schema["c"].fields}  # type: ignore[attr-defined]
    assert {"chars", "words", "refusal", "sycophancy"} <= fields
    assert features.select(pl.col("c").struct.field("chars")).null_count().item() < features.height


def test_every_source_row_is_in_a_pair_or_skipped(demo: prefaudit.Audit) -> None:
    pairs, skipped = demo.pairs().collect(), demo.skipped
    used = set(pairs["source_row"]) | set(pairs["other_source_row"].drop_nulls())
    assert used.isdisjoint(skipped["source_row"])
    assert sorted(used | set(skipped["source_row"])) == list(range(demo.report["dataset"]["rows"]))
    assert (
        sum(demo.report["dataset"]["skipped_reasons"].values()) == demo.report["dataset"]["skipped"] == skipped.height
    )


def test_findings_and_report_tell_the_same(demo: prefaudit.Audit) -> None:
    counts = dict(demo.findings.filter(pl.col("row").is_not_null())["rule"].value_counts().rows())
    for rule in demo.report["rules"]:
        if rule["scope"] == "pair":
            assert counts.get(rule["code"], 0) == rule["found"]
            assert rule["judged"] + rule["unjudged"] == demo.pairs().select(pl.len()).collect().item()
        if rule["found"] and rule["scope"] == "pair":
            assert rule["interval"][0] <= rule["rate"] <= rule["interval"][1]


def test_a_field_read_alone_is_the_one_of_the_whole_struct(demo: prefaudit.Audit) -> None:
    seen = 0
    for folder in (demo.folder / "features").iterdir():
        whole = demo.store.read(kind := f"features/{folder.name}", 0)
        for column, dtype in whole.schema.items():
            for field in dtype.fields if isinstance(dtype, pl.Struct) else ():
                alone = demo.store.read(kind, 0, ["row", f"{column}.{field.name}"])
                assert alone.columns == ["row", column] and alone["row"].equals(whole["row"])
                assert alone[column].is_null().equals(whole[column].is_null())
                assert alone[column].struct.fields == [field.name]
                one = alone[column].struct.field(field.name)
                assert one.dtype == field.dtype and one.equals(whole[column].struct.field(field.name))
                seen += 1
    assert seen > 100


@pytest.mark.parametrize("part_rows", [61, 10_000])
def test_report_does_not_depend_on_the_parts(demo: prefaudit.Audit, tmp_path: Path, part_rows: int) -> None:
    other = prefaudit.scan(str(demo_path()), tmp_path / "audit", part_rows=part_rows)
    assert report_bytes(other.folder) == report_bytes(demo.folder)
    assert (other.folder / "findings.parquet").read_bytes() == (demo.folder / "findings.parquet").read_bytes()


def test_second_scan_answers_from_the_folder(demo: prefaudit.Audit, tmp_path: Path) -> None:
    first = prefaudit.Audit(shutil.copytree(demo.folder, tmp_path / "audit"))
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "audit").rglob("*.parquet")}
    start = time.process_time()
    second = prefaudit.scan(str(demo_path()), tmp_path / "audit")
    assert time.process_time() - start < 2
    assert second.report == first.report
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "audit").rglob("*.parquet")}


def test_other_rules_measure_nothing_again(demo: prefaudit.Audit, tmp_path: Path) -> None:
    shutil.copytree(demo.folder, tmp_path / "audit")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "audit/features").rglob("*.parquet")}
    audit = prefaudit.scan(str(demo_path()), tmp_path / "audit", select=["SCH"], fail_on="never")
    assert {r["code"][:3] for r in audit.report["rules"]} == {"SCH"}
    assert audit.exit_code == 0
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "audit/features").rglob("*.parquet")}


def test_missing_part_alone_is_measured_again(tmp_path: Path) -> None:
    options = {"part_rows": 100, "with_": ["text", "duplicates"]}
    first = prefaudit.scan(str(demo_path()), tmp_path / "audit", **options)
    whole = report_bytes(first.folder)
    victim = next((tmp_path / "audit/features").glob("text-*/part-00001.parquet"))
    others = {p: p.stat().st_mtime_ns for p in (tmp_path / "audit/features").rglob("part-*.parquet") if p != victim}
    victim.unlink()
    (tmp_path / "audit/report.html").unlink()
    again = prefaudit.scan(str(demo_path()), tmp_path / "audit", **options)
    assert victim.exists()
    assert report_bytes(again.folder) == whole
    assert others == {p: p.stat().st_mtime_ns for p in others}


def test_map_reads_the_pairs_anew(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{i}", "chosen": f"yes {i}", "rejected": f"no {i}", "who": "w"} for i in range(5)]
    data = tmp_path / "d.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    assert prefaudit.scan(str(data), tmp_path / "a").pairs().collect()["annotator"].null_count() == 5
    assert (
        prefaudit.scan(str(data), tmp_path / "a", map={"annotator": "who"}).pairs().collect()["annotator"].to_list()
        == ["w"] * 5
    )


def test_map_of_both_answers_keeps_the_prompt(tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text(json.dumps({"prompt": "why", "chosen": "bad", "rejected": "good"}) + "\n")
    pairs = (
        prefaudit.scan(str(data), tmp_path / "a", map={"chosen": "rejected", "rejected": "chosen"}).pairs().collect()
    )
    assert pairs.select("chosen", "rejected").row(0) == ("good", "bad")
    assert pairs["prompt"].to_list() == [[{"role": "user", "content": "why"}]]


def test_few_groups_leave_length_unjudged_and_say_so(tmp_path: Path) -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    rows = [
        {
            "prompt": f"Tell me about topic number {i % 4}.",
            "chosen": " ".join(words[: 2 + i % 7]),
            "rejected": words[i % 10],
        }
        for i in range(60)
    ]
    data = tmp_path / "d.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    audit = prefaudit.scan(str(data), tmp_path / "a")
    assert {r["code"]: r["status"] for r in audit.report["rules"]}["LEN002"] == "unjudged"
    gap = next(u for u in audit.report["unknown"] if "groups" in u["what"])
    assert "LEN002" in gap["rules"]
    assert audit.report["baselines"]["longer_wins"] == 1.0
    screen = audit.show(None)
    assert "not judged:" in screen
    assert "the longer answer is chosen in 100.0 %" in screen


def test_sample_is_seeded_and_counted(data: Path, tmp_path: Path) -> None:
    path = str(data / "hh-harmless/test.jsonl.gz")
    one = prefaudit.scan(path, tmp_path / "a", sample=100, with_=["text"])
    two = prefaudit.scan(path, tmp_path / "b", sample=100, with_=["text"])
    three = prefaudit.scan(path, tmp_path / "c", sample=100, seed=1, with_=["text"])
    assert one.report["dataset"]["rows"] == 100
    assert one.report["dataset"]["sample"] == {"rows": 100, "of": 2312}
    assert one.pairs().collect().equals(two.pairs().collect())
    assert not one.pairs().collect()["source_row"].equals(three.pairs().collect()["source_row"])


def test_frames_are_read_as_files_are(demo: prefaudit.Audit, tmp_path: Path) -> None:
    frame = pl.DataFrame({"prompt": ["a b", "c d"], "chosen": ["x y z", "u"], "rejected": ["x", "v"]})
    file = tmp_path / "d.parquet"
    frame.write_parquet(file)
    from_file = prefaudit.scan(str(file), tmp_path / "f").pairs().collect()
    for given in (frame, frame.to_arrow(), frame.to_pandas()):
        got = prefaudit.scan(given, tmp_path / type(given).__module__.split(".")[0]).pairs().collect()
        assert got.equals(from_file)


def test_folder_of_other_data_is_refused_without_force(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"prompt": "p", "chosen": name, "rejected": "x"}) + "\n")
    prefaudit.scan(str(tmp_path / "one.jsonl"), tmp_path / "audit")
    with pytest.raises(AuditError, match="audit of other data"):
        prefaudit.scan(str(tmp_path / "two.jsonl"), tmp_path / "audit")
    audit = prefaudit.scan(str(tmp_path / "two.jsonl"), tmp_path / "audit", force=True)
    assert audit.pairs().collect()["chosen"].to_list() == ["two"]


def test_folder_with_other_things_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps({"prompt": "p", "chosen": "a", "rejected": "x"}) + "\n")
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("ten years")
    for force in (False, True):
        with pytest.raises(AuditError, match="holds no audit"):
            prefaudit.scan(str(tmp_path / "d.jsonl"), home, force=force)
    assert (home / "thesis.txt").read_text() == "ten years"


def test_second_scan_of_one_folder_at_once_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "audit")
    with store.lock(), pytest.raises(AuditError, match=f"in use by process {os.getpid()}"):
        prefaudit.scan(str(demo_path()), tmp_path / "audit")


@pytest.mark.parametrize(
    "options",
    [{"select": ["XYZ"]}, {"ignore": ["LEN9"]}, {"with_": ["txt"]}, {"without": ["nope"]}, {"fail_on": "sometimes"},
     {"sample": 0}, {"colour": 1}, {"params": {"LEN001": {"ratoi": 2}}}, {"severity": {"LEN001": "fatal"}},
     {"map": {"chosen": "nope"}}, {"format": "nope"}, {"with_": ["text"], "without": ["text"]}],
)  # fmt: skip
def test_wrong_options_are_refused_before_any_work(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(AuditError) as caught:
        prefaudit.scan(str(demo_path()), tmp_path / "audit", **options)  # type: ignore[arg-type]
    assert caught.value.message
    assert not (tmp_path / "audit/report.json").exists()


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        prefaudit.scan("x", selct=["LEN"])
    assert "select" in caught.value.hint


TIMED = """
import os, signal, sys, time
signal.setitimer(signal.ITIMER_PROF, float(os.environ["SECONDS"]))  # SIGPROF ends a process as SIGKILL does
from prefaudit.cli import main
try:
    main()
finally:
    sys.stderr.write(f" {time.process_time()}")
"""


def test_twenty_random_kills_leave_the_same_bytes(data: Path, tmp_path: Path) -> None:
    source = str(tmp_path / "source.jsonl")
    with gzip.open(data / "hh-harmless/test.jsonl.gz") as whole_set:
        Path(source).write_bytes(b"".join(itertools.islice(whole_set, 240)))
    calm, wild, said = tmp_path / "calm", tmp_path / "wild", tmp_path / "said"

    def scan(out: Path, seconds: float) -> int:
        """The exit code; after so many CPU seconds the system kills it, wherever it is and however busy the machine."""
        asked = ["-o", str(out), "--with", "text,duplicates", "-q"]
        environment = {"PREFAUDIT_PART_ROWS": "40", "POLARS_MAX_THREADS": "1"}
        process = forked.start(TIMED, "scan", source, *asked, said=said, SECONDS=str(seconds), **environment)
        process.join()
        assert process.exitcode in (0, 1, -signal.SIGPROF), said.read_text()
        return process.exitcode

    assert scan(calm, 0) in (0, 1)
    whole = float(said.read_text().split()[-1])
    rng, kills = random.Random(0), 0
    while kills < 20:
        if scan(wild, rng.uniform(0.05, 0.9) * whole) < 0:
            kills += 1
        else:  # it was through: start over, so that the kills hit every stage
            shutil.rmtree(wild)
    assert scan(wild, 0) in (0, 1)

    def files(folder: Path) -> dict[str, bytes]:
        own = ("run.json", ".lock")
        return {
            str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in own
        }

    assert files(wild).keys() == files(calm).keys()
    assert [name for name, content in files(wild).items() if files(calm)[name] != content] == []

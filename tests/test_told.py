"""What a scan tells of languages, benchmarks, truncation and personal data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import prefaudit
from prefaudit.cli import app
from prefaudit.core import SourceError

GERMAN = "Das kann ich gern erklären: Zuerst sollten Sie die Unterlagen sammeln und dann in Ruhe durchlesen."
ENGLISH = "You could collect the papers first and then read them at home with the time that you need for it."
ADDRESS = "mira.tolk77@proton.me"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {"prompt": f"Question {k}: how should one go about all of these papers, and why?", "chosen": f"{ENGLISH} ({k})",
         "rejected": f"{GERMAN if k % 3 == 0 else ENGLISH} [{k}]"}
        for k in range(12)
    ]  # fmt: skip
    rows[5]["chosen"] += f" Write to {ADDRESS}."
    path = tmp_path_factory.mktemp("told") / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def audit(data: Path) -> prefaudit.Audit:
    bench = data.with_name("bench.txt")
    bench.write_text("Question 7 how should one go about all of these papers and why\n")
    return prefaudit.scan(data, data.with_name("audit"), max_length=150, against=[str(bench)])


def found(audit: prefaudit.Audit, code: str) -> list[int]:
    return audit.findings.filter(audit.findings["rule"] == code)["row"].to_list()


def test_rules(audit: prefaudit.Audit) -> None:
    assert audit.report["complete"]
    assert found(audit, "LNG001") == [0, 3, 6, 9]
    assert found(audit, "CTM001") == [7]
    assert found(audit, "PII003") == [5]
    sizes = audit.pairs().collect()
    long = [
        row["row"]
        for row in sizes.iter_rows(named=True)
        if len(row["prompt"][0]["content"]) + max(len(row["chosen"]), len(row["rejected"])) > 150
    ]
    assert found(audit, "TRC003") == long


def test_languages(audit: prefaudit.Audit) -> None:
    assert audit.report["languages"] == {
        "prompt": {"en": 12}, "chosen": {"en": 12}, "rejected": {"en": 8, "de": 4},
        "unknown": {"prompt": 0, "chosen": 0, "rejected": 0}, "n": 12, "mixed": 4,
    }  # fmt: skip


def test_benchmarks(audit: prefaudit.Audit, data: Path) -> None:
    file = str(data.with_name("bench.txt"))
    told = audit.report["contamination"]
    assert told == [{"file": file, "prompts": 1, "prompts_share": 0, "answers": 0, "answers_share": 0}]


def test_show_names_the_benchmark_and_the_row(audit: prefaudit.Audit, data: Path, tmp_path: Path) -> None:
    text = " ".join(audit.show("CTM001", width=400).split())
    assert "row 7, label chosen, value 1 " in text
    assert f"prompt: 100.0 % in {data.with_name('bench.txt')} row 0" in text
    bench = tmp_path / "answers.jsonl"
    bench.write_text("".join(json.dumps({"id": k, "answer": t}) + "\n" for k, t in enumerate(["no", GERMAN + " [3]"])))
    made = prefaudit.scan(data, tmp_path / "audit", against=[str(bench)], with_=["integrity"], fail_on="never")
    text = " ".join(made.show("CTM002", width=400).split())
    assert f"row 3, label chosen, value 1 rejected: 100.0 % in {bench} row 1" in text
    assert "chosen: 100.0" not in text


def test_no_report_holds_personal_data(audit: prefaudit.Audit) -> None:
    assert "[email]" in audit.report["examples"]["5"]["chosen"]
    for name in ("report.json", "report.html"):
        assert ADDRESS not in (audit.folder / name).read_text(encoding="utf8")
    assert ADDRESS in audit.show("5")


def test_an_audit_opens_again_without_the_benchmark(audit: prefaudit.Audit, data: Path) -> None:
    data.with_name("bench.txt").rename(data.with_name("moved.txt"))
    try:
        assert prefaudit.Audit(audit.folder).features().collect().height == 12
    finally:
        data.with_name("moved.txt").rename(data.with_name("bench.txt"))


def test_a_missing_benchmark_ends_before_anything_is_read(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.parquet"):
        prefaudit.scan(data, tmp_path / "a", against=[str(tmp_path / "gone.parquet")])
    assert not (tmp_path / "a").exists()


def test_command_line(data: Path, tmp_path: Path) -> None:
    command = ["scan", str(data), "-o", str(tmp_path / "a"), "-q"]
    bad = CliRunner().invoke(app, [*command, "--against", "no-such.jsonl"])
    assert bad.exit_code == 2 and "no-such.jsonl" in bad.stderr
    bad = CliRunner().invoke(app, [*command, "--tokenizer", "nowhere"])
    assert bad.exit_code == 2 and "--max-length" in bad.stderr

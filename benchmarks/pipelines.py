"""Every pipeline example, run with its own tool: `python benchmarks/pipelines.py FOLDER [NAME ...]`.

FOLDER gets a virtual environment for each tool (pip fetches the tools) and the copies that the examples work in. Each
runs on examples/pipelines/good.jsonl, which has to pass, and on bad.jsonl, which has to stop at the gate with nothing
built behind it. Exit code 1 where one does not do so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "pipelines"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "pipelines")]

Outcome = tuple[int, bool]  # exit code of the tool, and whether what lies behind the gate was built


def environment(home: Path, *packages: str) -> dict[str, str]:
    """Variables for a virtual environment with these packages and prefaudit, made where it is not there yet."""
    folder = home / "venvs" / "-".join(p.split("[")[0] for p in packages or ("plain",))
    if not (folder / "done").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin/pip", "install", "-q", str(ROOT), *packages], check=True)
        (folder / "done").touch()
    return {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def run(work: Path, env: dict[str, str], *words: str) -> int:
    with (work / "log.txt").open("a") as log:
        return subprocess.run(words, cwd=work, env=env, stdout=log, stderr=subprocess.STDOUT, timeout=1200).returncode


def make(home: Path, work: Path, data: str) -> Outcome:
    code = run(work, environment(home), "make", f"DATA={data}")
    return code, (work / "build/train.jsonl").exists()


def dvc(home: Path, work: Path, data: str) -> Outcome:
    env = environment(home, "dvc")
    text = (work / "dvc.yaml").read_text().replace("data: good.jsonl", f"data: {data}")
    (work / "dvc.yaml").write_text(text)
    run(work, env, "git", "init", "-q")
    run(work, env, "dvc", "init", "-q")
    return run(work, env, "dvc", "repro"), (work / "build/train.jsonl").exists()


def airflow(home: Path, work: Path, data: str) -> Outcome:
    env = environment(home, "apache-airflow") | {
        "AIRFLOW_HOME": str(work / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(work),
    }  # fmt: skip
    run(work, env, "airflow", "db", "migrate")
    given = json.dumps({"data": str(work / data), "out": str(work / "build")})
    return run(work, env, "airflow", "dags", "test", "preferences", "-c", given), (work / "build/train.jsonl").exists()


def dagster(home: Path, work: Path, data: str) -> Outcome:
    env = environment(home, "dagster") | {"PREFERENCES": data, "BUILD": "build", "DAGSTER_HOME": ""}
    code = run(work, env, "dagster", "asset", "materialize", "-f", "dagster_assets.py", "--select", "*")
    return code, (work / "build/train.jsonl").exists()


def trl(home: Path, work: Path, data: str) -> Outcome:
    code = run(work, environment(home, "torch<2.14", "trl"), "python", "train.py", data)
    return code, (work / "reward-model/model.safetensors").exists()


def pre_commit(home: Path, work: Path, data: str) -> Outcome:
    env = environment(home, "pre-commit") | {"PRE_COMMIT_HOME": str(home / "pre-commit")}
    hook = f"repos:\n- repo: {ROOT}\n  rev: {_head()}\n  hooks:\n  - id: prefaudit\n    files: ^{data}$\n"
    (work / ".pre-commit-config.yaml").write_text(hook)
    for words in (("init", "-q"), ("config", "user.email", "a@example.org"), ("config", "user.name", "a")):
        run(work, env, "git", *words)
    run(work, env, "pre-commit", "install")
    run(work, env, "git", "add", data, ".pre-commit-config.yaml")
    code = run(work, env, "git", "commit", "-q", "-m", "pairs")
    return code, run(work, env, "git", "rev-parse", "HEAD") == 0


def action(home: Path, work: Path, data: str) -> Outcome:
    from runner import Job

    folder = home / "venvs" / "action"
    venv.create(folder, with_pip=True, clear=True)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    job = Job(work, {**os.environ, "PATH": path}, data=str(work / data), folder=str(work / "audit"))
    done = job.run()
    (work / "log.txt").write_text(done.stdout + done.stderr)
    return done.returncode, done.returncode == 0


EXAMPLE: dict[str, Callable[[Path, Path, str], Outcome]] = {
    "make": make, "dvc": dvc, "airflow": airflow, "dagster": dagster, "trl": trl, "pre-commit": pre_commit,
    "action": action,
}  # fmt: skip


def _head() -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> None:
    home = Path(sys.argv[1]).resolve()
    wrong = 0
    for name in sys.argv[2:] or EXAMPLE:
        told = []
        for data in ("good.jsonl", "bad.jsonl"):
            work = home / f"{name}-{data.split('.')[0]}"
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(EXAMPLES, work)
            code, built = EXAMPLE[name](home, work, data)
            wrong += (code == 0, built) != (data == "good.jsonl",) * 2
            told.append(f"{data}: exit {code}, {'went on' if built else 'stopped'}")
        print(f"{name:<11} {'; '.join(told)}", flush=True)
    sys.exit(int(wrong > 0))


if __name__ == "__main__":
    main()

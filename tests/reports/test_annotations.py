"""The annotations of a run, read by a stand-in for GitHub's runner and compared with what GitHub's toolkit prints.

Both come from npm, so this is heavy: it needs node and the network, once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hostile import TEXTS, write
from pages.blocks import ROOT

import prefaudit
from prefaudit import reports
from prefaudit.reports.github import LEVELS, command
from prefaudit.reports.items import items

PACKAGES = ("github-action-ts-run-api@3.1.0", "@actions/core@1.11.1")
SCRIPT = Path(__file__).with_name("annotations.js")

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages."""
    home = tmp_path_factory.mktemp("npm")
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    words = ["npm", "install", "--no-save", "--ignore-scripts", "--prefix", str(home), *PACKAGES]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"npm cannot fetch: {done.stderr[-300:]}")
    return home


def node(packages: Path, what: str, text: str) -> str:
    words = ["node", str(SCRIPT), str(packages), what]
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=True).stdout


def read(packages: Path, audit: prefaudit.Audit) -> dict[str, Any]:
    return json.loads(node(packages, "read", reports.render("github", audit.report)))


def test_the_stand_in_reads_every_annotation(packages: Path, tmp_path: Path) -> None:
    audit = prefaudit.scan(str(ROOT / "examples/pipelines/bad.jsonl"), tmp_path / "audit")
    told = read(packages, audit)
    fired = [item for item in items(audit.report) if item.state == "fired"]
    assert len(fired) > 3
    for severity, level in LEVELS.items():
        heads = [item.lines[0] for item in fired if item.severity == severity]
        seen = [message.split("\n")[0] for message in told["store"][f"{level}s"]]
        assert seen[: len(heads)] == heads
        assert len(seen) == len(heads) + (level == "notice")  # the headline is one
    titles = {line["properties"]["title"] for line in told["lines"]}
    assert titles == {item.title for item in fired} | {"prefaudit"}


def test_nothing_of_a_hostile_dataset_is_a_command_of_its_own(packages: Path, tmp_path: Path) -> None:
    audit = prefaudit.scan(str(write(tmp_path / "hostile.jsonl")), tmp_path / "audit")
    text = reports.render("github", audit.report)
    told = read(packages, audit)
    assert len(told["lines"]) == len(text.splitlines())
    assert {line["command"] for line in told["lines"]} <= set(LEVELS.values())
    assert all(not told["store"][name] for name in ("outputs", "secrets", "savedState", "exportedVars", "addedPaths"))


def test_a_command_is_what_the_toolkit_prints(packages: Path) -> None:
    texts = [text for text in (*TEXTS, "a,b:c=d%e\r\nf", "::x::", "%0A%25") if text]
    given = [(level, text, "data.jsonl", text) for level in LEVELS.values() for text in texts]
    ours = "".join(command(level, title, message, file) + "\n" for level, title, file, message in given)
    assert node(packages, "write", json.dumps(given)) == ours

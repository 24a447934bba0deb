"""Temporary folders of killed processes go with the next one; those of the living, of others and of elsewhere stay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import prefaudit
from prefaudit import scratch

KILLED = """
import os, signal, sys
from prefaudit.audit import run
from prefaudit.config import checked
from prefaudit.core import Progress
kill = Progress(step=lambda n: os.kill(os.getpid(), signal.SIGKILL))
run(sys.argv[1], sys.argv[2], checked({"with_": ["text"]}), progress=kill)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of its own, in which nobody has looked yet."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left(place: Path, name: str) -> Path:
    """What a killed process leaves, an hour ago."""
    folder = place / name
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "rows.arrow").write_bytes(b"rows")
    os.utime(folder, (0, 0))
    return folder


def test_what_a_killed_scan_leaves_goes_with_the_next(place: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    rows = [{"prompt": f"q{k}", "chosen": f"yes {k}", "rejected": f"no {k}"} for k in range(9)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-c", KILLED, str(path), str(tmp_path / "audit")]
    killed = subprocess.run(command, env={**os.environ, "TMPDIR": str(place)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    found = [*place.iterdir()]
    assert found and all(folder.name.startswith("prefaudit-") for folder in found)
    for folder in found:
        os.utime(folder, (0, 0))
    assert prefaudit.scan(str(path), tmp_path / "audit", with_=["text"]).report["dataset"]["pairs"] == 9
    assert not set(found) & {*place.iterdir()}


def test_the_folder_of_a_process_that_lives_stays(place: Path) -> None:
    held = scratch.Scratch()
    os.utime(held.name, (0, 0))
    scratch.bury.cache_clear()
    scratch.bury(str(place))
    assert Path(held.name).is_dir()
    held.cleanup()
    assert [*place.iterdir()] == []


def test_what_may_be_another_ones_stays(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, owner = scratch._prefix(), os.geteuid()
    young, elsewhere, target = (left(place, name) for name in (f"{ours}young", "prefaudit-00000000-x", "mine"))
    os.utime(young)
    (place / f"{ours}link").symlink_to(target)
    (place / f"{ours}file").write_text("no folder")
    stale = left(place, f"{ours}stale")
    scratch.bury.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: owner + 1)
        scratch.bury(str(place))
    assert stale.is_dir(), "it is another user's"
    scratch.bury.cache_clear()
    scratch.bury(str(place))
    assert not stale.exists()
    assert all((folder / "inside" / "rows.arrow").read_bytes() == b"rows" for folder in (young, elsewhere, target))
    assert (place / f"{ours}link").is_symlink() and (place / f"{ours}file").exists()


def test_a_temporary_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"prompt": "q", "chosen": "yes", "rejected": "no"}\n')
    command = [sys.executable, "-m", "prefaudit", "scan", str(path), "-o", str(tmp_path / "audit")]
    full = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        " os.execv(sys.argv[1], sys.argv[1:])"
    )
    for place, before in (("missing", []), ("", [sys.executable, "-c", full])):
        there = {**os.environ, "TMPDIR": str(tmp_path / place)}
        done = subprocess.run([*before, *command], env=there, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"TMPDIR is {tmp_path / place}, which cannot be written in" in done.stderr.replace("\n", " ")

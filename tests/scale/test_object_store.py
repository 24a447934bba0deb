"""An audit folder and a source on an object store that fails as stores do: the right result, or exit 2."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import prefaudit
from prefaudit.core import AuditError
from prefaudit.store import Store, lock, remote
from scale.flaky import ENVIRONMENT, Faults, store

ROWS = [
    {"prompt": f"What is {i}?", "chosen": f"{i} is a number. " * (1 + i % 3), "rejected": f"No idea, {i}."}
    for i in range(120)
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture(scope="module")
def faults() -> Faults:
    return Faults()


@pytest.fixture(scope="module")
def endpoint(faults: Faults) -> Iterator[str]:
    with store(faults) as address:
        yield address


@pytest.fixture
def s3(endpoint: str, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Faults:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(remote, "WAITS", (0.05,) * 8)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)  # its own, inside ours
    faults.errors = faults.throttled = faults.cut = faults.slow = 0.0
    faults.dead = False
    return faults


def local(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name not in ("run.json", ".lock")
    }


def objects(uri: str) -> dict[str, bytes]:
    there = remote.Remote(uri)
    return {name: there.read(name) for name in there.names() if name not in ("run.json", ".lock")}


def same_but_paths(files: dict[str, bytes]) -> dict[str, bytes]:
    """The report names its source as it was named."""
    return {name: data for name, data in files.items() if not name.startswith("report.")}


def test_s3_with_injected_errors_gives_the_local_bytes(source: Path, tmp_path: Path, s3: Faults) -> None:
    import s3fs

    s3fs.S3FileSystem().put_file(str(source), "bucket/d.jsonl")
    calm = prefaudit.scan(str(source), tmp_path / "calm", with_=["text"], part_rows=50)
    s3.errors, s3.throttled, s3.cut, s3.slow = 0.1, 0.05, 0.05, 0.1
    audit = prefaudit.scan("s3://bucket/d.jsonl", "s3://bucket/audit", with_=["text"], part_rows=50)
    s3.errors = s3.throttled = s3.cut = s3.slow = 0.0
    assert s3.done["errors"] + s3.done["throttled"] > 5
    assert objects("s3://bucket/audit").keys() == local(tmp_path / "calm").keys()
    features = lambda files: {n: d for n, d in same_but_paths(files).items() if "/text-" in n}  # noqa: E731
    assert len(features(objects("s3://bucket/audit"))) == 3
    assert audit.pairs().collect().equals(calm.pairs().collect())
    assert audit.findings.equals(calm.findings)
    assert audit.features().collect().equals(calm.features().collect())
    again = prefaudit.scan("s3://bucket/d.jsonl", "s3://bucket/audit", with_=["text"], part_rows=50)
    assert again.report == audit.report


def test_s3_that_is_down_is_an_error_and_no_gap(source: Path, s3: Faults) -> None:
    s3.dead = True
    with pytest.raises(AuditError):
        prefaudit.scan(str(source), "s3://bucket/other", with_=["text"], part_rows=50)
    s3.dead = False
    assert "report.json" not in remote.Remote("s3://bucket/other").names()


def test_memory_uri_is_the_same_folder(source: Path, tmp_path: Path) -> None:
    calm = prefaudit.scan(str(source), tmp_path / "calm", with_=["text"], part_rows=50)
    audit = prefaudit.scan(str(source), "memory://scale/audit", with_=["text"], part_rows=50)
    assert objects("memory://scale/audit") == local(calm.folder)
    assert prefaudit.Audit("memory://scale/audit").report == audit.report
    assert audit.store.name == "memory://scale/audit"


def test_lock_of_a_store_names_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    monkeypatch.setattr(lock, "DEAD", 1.0)
    one, two = Store("memory://locked/a"), Store("memory://locked/a")
    with one.lock(), pytest.raises(AuditError, match="in use by process"), two.lock():
        pass
    with two.lock():
        pass


def test_lock_without_signs_of_life_is_taken_and_its_holder_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.2)
    monkeypatch.setattr(lock, "DEAD", 0.3)
    there = remote.Remote("memory://stale/a")
    there.write(".lock", json.dumps({"holder": "process 1 on elsewhere", "token": "x", "beat": 3}).encode())
    one = Store("memory://stale/a")
    with one.lock():
        assert json.loads(there.read(".lock"))["token"] != "x"
        there.write(".lock", json.dumps({"holder": "process 2 on elsewhere", "token": "y", "beat": 0}).encode())
        deadline = time.monotonic() + 5
        while threading.active_count() and not one._held._lost and time.monotonic() < deadline:  # type: ignore[union-attr]
            time.sleep(0.05)
        with pytest.raises(AuditError, match="taken by process 2"):
            one.put("x.json", b"{}")
    assert json.loads(there.read(".lock"))["token"] == "y"

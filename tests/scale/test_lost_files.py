"""What an audit folder has lost, or has only begun, does not stand in the way of the next run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import prefaudit
from prefaudit.audit import shard
from prefaudit.config import checked
from prefaudit.core import AuditError, UsageError
from prefaudit.runners.cluster import _reach
from prefaudit.sources.remote import File
from prefaudit.sources.spans import state
from tests.scale.conftest import files, rows

OPTIONS = {"with_": ["text", "duplicates"], "part_rows": 100}


@pytest.fixture(scope="module")
def calm(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prefaudit.scan(str(source), tmp_path_factory.mktemp("calm") / "audit", workers=1, **OPTIONS).folder


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "pairs cut": ("pairs/part-00001.parquet", cut),
    "pairs gone": ("pairs/part-00001.parquet", Path.unlink),
    "skips gone": ("skipped/part-00002.parquet", Path.unlink),
    "recipe gone": ("pairs/recipe.json", Path.unlink),
    "a measure gone": ("features/text-*/part-00000.parquet", Path.unlink),
    "what was learned cut": ("features/near-*/fit.parquet", cut),
    "a folder gone": ("features/groups-*", shutil.rmtree),
    "report gone": ("report.json", Path.unlink),
    "findings cut": ("findings.parquet", cut),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_a_finished_audit_lost_is_made_again(source: Path, calm: Path, tmp_path: Path, damage: str) -> None:
    name, harm = DAMAGES[damage]
    shutil.copytree(calm, tmp_path / "audit")
    (path,) = (tmp_path / "audit").glob(name)
    harm(path)
    assert files(tmp_path / "audit") != files(calm)
    prefaudit.scan(str(source), tmp_path / "audit", workers=1, **OPTIONS)
    assert files(tmp_path / "audit") == files(calm)


def test_a_shard_that_is_refused_claims_nothing(source: Path, tmp_path: Path) -> None:
    document = tmp_path / "d.json"
    document.write_text(json.dumps(rows(20)))
    options = checked({"with_": ["text"], "part_rows": 10})
    with pytest.raises(UsageError, match="cannot be read in shards"):
        shard.work(str(document), tmp_path / "audit", options, shard.Shard(0, 2))
    assert not (tmp_path / "audit").exists()
    assert shard.work(str(source), tmp_path / "audit", options, shard.Shard(0, 2)) == 15


def test_shards_of_another_number_are_refused(source: Path, tmp_path: Path) -> None:
    options = checked(OPTIONS)
    shard.work(str(source), tmp_path / "audit", options, shard.Shard(0, 2))
    with pytest.raises(AuditError, match="begun by shards of 2, and this is one of 3"):
        shard.work(str(source), tmp_path / "audit", options, shard.Shard(1, 3))


def test_a_change_that_leaves_the_time_of_the_content_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("abc")
    before, was = path.stat(), state(File(path, "d.jsonl"))
    path.write_text("abd")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert state(File(path, "d.jsonl")) != was


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_whose_port_is_closed_is_said_at_once(address: str) -> None:
    with pytest.raises(AuditError, match="no Ray cluster at"):
        _reach(address)


def test_memory_that_nothing_can_work_with_is_refused() -> None:
    with pytest.raises(UsageError, match="too little"):
        checked({"memory": "2MB"})

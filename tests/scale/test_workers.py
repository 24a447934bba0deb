"""Workers: nothing of the result depends on how many there are, on who was lost, or on what broke off."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import prefaudit
from prefaudit import scratch
from prefaudit.audit import crew, shard
from prefaudit.config import Options, checked, half, size
from prefaudit.core import AuditError, Progress, SourceError, UsageError
from prefaudit.progress import Stage
from prefaudit.runners import Event, Processes, Task
from prefaudit.store import Store
from tests.scale.conftest import files, rows

HERE = Path(__file__).parents[1]
PARTS = {"with_": ["text"], "part_rows": 40}


@pytest.fixture(scope="module")
def calm(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prefaudit.scan(str(source), tmp_path_factory.mktemp("calm") / "audit", workers=1, **PARTS).folder


class Losing:
    """A runner in this process that loses some of its workers, before or after they did what they were called for."""

    def __init__(self, task: Task, seed: int, rate: float, workers: int = 3) -> None:
        self.workers, self._task, self._rng, self._rate = workers, task, random.Random(seed), rate
        self._made: dict[int, Any] = {}
        self._events: list[Event] = []
        self._away: set[int] = set()
        self.lost = 0

    def _open(self) -> int:
        return self.workers - len(self._away)

    def call(self, worker: int, method: str, *arguments: Any) -> None:
        assert worker not in self._away
        made = self._made.setdefault(worker, self._task.make())
        gone = self._rng.random() < self._rate
        value = None if gone and self._rng.random() < 0.5 else getattr(made, method)(*arguments)
        if gone:
            self.lost += 1
            del self._made[worker]
        over = gone and self._open() > 1 and self._rng.random() < 0.2
        self._away |= {worker} if over else set()
        self._events.append(Event(worker, lost="gone", gone=over) if gone else Event(worker, value))

    def wait(self, seconds: float | None = None) -> list[Event]:
        if not self._events:
            return []
        return [self._events.pop(self._rng.randrange(len(self._events)))]

    def share(self, table: pa.Table) -> pa.Table:
        return table

    def release(self, shared: Any) -> None:
        return

    def close(self) -> None:
        return


@pytest.mark.parametrize("seed", [0, pytest.param(2, marks=pytest.mark.heavy)])
def test_lost_workers_leave_the_same_bytes(
    source: Path, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    made: list[Losing] = []

    def losing(self: crew.Crew, count: int, gpu: bool) -> Losing:
        made.append(Losing(Task(crew.FACTORY, self.settings), seed, 0.3))
        return made[-1]

    monkeypatch.setattr(crew.Crew, "_open", losing)
    monkeypatch.setattr(crew, "TRIES", 20)
    monkeypatch.setattr(crew, "workers", lambda options, size: 3)
    prefaudit.scan(str(source), tmp_path / "audit", **PARTS)
    assert made[0].lost > 0
    assert files(tmp_path / "audit") == files(calm)


def test_a_part_that_loses_every_worker_is_given_up(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew.Crew, "_open", lambda self, count, gpu: Losing(Task(crew.FACTORY, self.settings), 0, 1.0))
    monkeypatch.setattr(crew, "workers", lambda options, size: 3)
    with pytest.raises(AuditError, match="lost 4 times at part 0"):
        prefaudit.scan(str(source), tmp_path / "audit", **PARTS)


def test_two_processes_leave_the_same_bytes(source: Path, calm: Path, tmp_path: Path) -> None:
    prefaudit.scan(str(source), tmp_path / "audit", workers=2, **PARTS)
    assert files(tmp_path / "audit") == files(calm)


def test_what_has_to_be_read_from_its_beginning_is_measured_by_workers_too(
    source: Path, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped = tmp_path / "d.jsonl.gz"
    zipped.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
    monkeypatch.setattr(crew, "workers", lambda options, size: 3)
    monkeypatch.setattr(crew.Crew, "_open", lambda self, count, gpu: Losing(Task(crew.FACTORY, self.settings), 0, 0.1))
    got, want = prefaudit.scan(str(zipped), tmp_path / "audit", **PARTS), prefaudit.Audit(calm)
    assert got.pairs().collect().equals(want.pairs().collect())
    assert got.features().collect().equals(want.features().collect())
    assert got.skipped.drop("file").equals(want.skipped.drop("file"))


@pytest.fixture
def toy_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))


@pytest.mark.usefixtures("toy_path")
def test_processes_answer_fail_and_are_replaced() -> None:
    runner = Processes(Task("scale.toy:Toy", 1), 1)
    try:
        runner.call(0, "add", 2, 3)
        assert runner.wait() == [Event(0, 6)]
        runner.call(0, "fail")
        (event,) = runner.wait()
        assert isinstance(event.error, UsageError)
        assert event.error.hint == "try another"
        runner.call(0, "die")
        (event,) = runner.wait()
        assert "SIGKILL" in event.lost
        runner.call(0, "add", 1, 1)
        assert runner.wait() == [Event(0, 3)]
        (pid,) = runner.pids
        os.kill(pid, signal.SIGINT)  # as the terminal does to all processes of a group
        runner.call(0, "add", 1, 1)
        assert runner.wait() == [Event(0, 3)]
        runner.call(0, "sleep", 60.0)
    finally:
        began = time.monotonic()
        runner.close()
    assert time.monotonic() - began < 2
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.usefixtures("toy_path")
def test_a_worker_that_cannot_be_made_says_why() -> None:
    runner = Processes(Task("scale.toy:Toy", "broken"), 1)
    try:
        runner.call(0, "add", 2, 3)
        (event,) = runner.wait()
        assert isinstance(event.error, UsageError)
    finally:
        runner.close()


def test_shards_leave_the_same_bytes(source: Path, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "POLL", 0.01)
    options = checked(PARTS)
    done = [shard.work(str(source), tmp_path / "audit", options, shard.Shard(at, 3)) for at in range(3)]
    assert sum(done) == 8
    assert shard.work(str(source), tmp_path / "audit", options, shard.Shard(1, 3)) == done[1]
    prefaudit.scan(str(source), tmp_path / "audit", workers=1, **PARTS)
    assert files(tmp_path / "audit") == files(calm)
    with pytest.raises(AuditError, match="shard 0/3 has not counted"):
        shard.work(str(source), tmp_path / "late", options, shard.Shard(1, 3), patience=0.05)


def test_shards_and_scans_exclude_each_other(source: Path, tmp_path: Path) -> None:
    one, two = Store(tmp_path / "audit"), Store(tmp_path / "audit")
    with one.lock("0/2"), two.lock("1/2"):
        pass
    with one.lock("0/2"), pytest.raises(AuditError, match=f"in use by process {os.getpid()}.*shard 0/2"), two.lock():
        pass
    with pytest.raises(UsageError):
        shard.parsed("2/2")


def test_a_part_cut_short_is_made_again(source: Path, calm: Path, tmp_path: Path) -> None:
    audit = prefaudit.scan(str(source), tmp_path / "audit", **PARTS)
    for victim in (*audit.folder.glob("pairs/part-00002*"), *audit.folder.glob("features/text-*/part-00004*")):
        victim.write_bytes(victim.read_bytes()[:-20])
    for name in ("report.html", "pairs/complete.json"):
        (audit.folder / name).unlink()
    prefaudit.scan(str(source), tmp_path / "audit", **PARTS)
    assert files(audit.folder) == files(calm)


def test_a_source_that_changes_under_way_is_refused_and_leaves_no_part_of_it(
    source: Path, calm: Path, tmp_path: Path
) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(source.read_bytes())
    steps: list[int] = []

    def step(n: int) -> None:
        steps.append(n)
        if len(steps) == 2:
            path.write_bytes(source.read_bytes().replace(b"why", b"WHY"))

    from prefaudit.audit import run

    with pytest.raises(SourceError, match="changed while it was read"):
        run(str(path), tmp_path / "audit", checked(PARTS), progress=Progress(step=step))
    parts = sorted((tmp_path / "audit/pairs").glob("part-*"))
    assert [p.read_bytes() for p in parts] == [(calm / "pairs" / p.name).read_bytes() for p in parts]
    assert len(parts) == 2


def test_a_full_disk_is_an_error_and_the_next_run_goes_on(source: Path, calm: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, hard))
    try:
        with pytest.raises(AuditError, match="cannot write"):
            prefaudit.scan(str(source), tmp_path / "audit", **PARTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "audit").rglob(".*.tmp")) == []
    prefaudit.scan(str(source), tmp_path / "audit", **PARTS)
    assert files(tmp_path / "audit") == files(calm)


def test_a_folder_that_vanishes_is_never_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "audit")
    with pytest.raises(AuditError, match="vanished"), store.lock():
        (tmp_path / "audit").rename(tmp_path / "gone")
        store.put("x.json", b"{}")
    assert not (tmp_path / "audit").exists()


@pytest.mark.parametrize("sent", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)], ids=["ctrl-c twice", "SIGTERM"])
def test_ctrl_c_ends_in_two_seconds_with_exit_code_2(source: Path, tmp_path: Path, sent: tuple[int, ...]) -> None:
    long = tmp_path / "long.jsonl"
    long.write_bytes(source.read_bytes() * 150)
    command = [sys.executable, "-m", "prefaudit", "scan", str(long), "-o", str(tmp_path / "audit"), "-q"]
    process = subprocess.Popen([*command, "--with", "text"], stderr=subprocess.PIPE, start_new_session=True,
                               env={**os.environ, "PREFAUDIT_PART_ROWS": "512"})  # fmt: skip
    while not list((tmp_path / "audit").glob("pairs/part-*")):
        assert process.poll() is None
        time.sleep(0.02)
    began = time.monotonic()
    for number in sent:
        os.killpg(process.pid, number)
        time.sleep(0.3)
    _, said = process.communicate()
    assert time.monotonic() - began < 4  # two on a machine that does nothing else
    assert process.returncode == 2
    assert b"interrupted" in said
    assert list((tmp_path / "audit").rglob(".*.tmp")) == []


@pytest.mark.usefixtures("toy_path")
def test_temporary_folders_go_with_their_process() -> None:
    held = scratch.Scratch()
    runner = Processes(Task("scale.toy:Toy", 1), 1)
    runner.call(0, "folder")
    (event,) = runner.wait()
    assert Path(event.value).is_dir()  # made by the worker, and under what is swept here
    scratch.sweep()
    assert not Path(event.value).exists() and not Path(held.name).exists()
    runner.close()


def test_the_memory_says_how_many_work() -> None:
    assert size("4GB") == 4_000_000_000
    assert size("1.5 GiB") == 3 << 29
    assert half("4GB") == "2000000KB"
    cores = len(os.sched_getaffinity(0))
    assert crew.workers(Options(workers=64, memory="4GB"), 1 << 40) == min(64, 4)
    assert crew.workers(Options(workers=64, memory="1GB"), 1 << 40) == 1
    assert crew.workers(Options(), 1000) == 1
    assert crew.workers(Options(memory="1TB"), 1 << 40) == cores


def test_parts_are_as_long_as_the_memory_allows(tmp_path: Path) -> None:
    from prefaudit.audit.read import open_source

    frame = pl.DataFrame({"prompt": ["p"] * 3000, "chosen": ["word " * 2000] * 3000, "rejected": ["r"] * 3000})
    long = open_source(frame, Options(memory="400MB")).part_rows
    assert 1000 < long < 1300
    assert open_source(frame, Options(memory="40GB")).part_rows == 32_768
    first = prefaudit.scan(frame[:200], tmp_path / "audit", with_=["text"], memory="40MB")
    stamp = (first.folder / "pairs/part-00000.parquet").stat().st_mtime_ns
    prefaudit.scan(frame[:200], tmp_path / "audit", with_=["text"], memory="4GB", select=["SCH"])
    assert (first.folder / "pairs/part-00000.parquet").stat().st_mtime_ns == stamp


def test_progress_counts_what_this_run_does() -> None:
    stage = Stage("read", 1000, 100.0)
    assert stage.told(101.0) == "0 of 1,000 rows"
    stage.skipped, stage.done = 600, 100
    assert stage.speed(110.0) == 10.0
    assert stage.left(110.0) == 30.0
    assert stage.told(110.0) == "700 of 1,000 rows · 600 from an earlier run · 10 rows/s · 0:30 left"


def test_what_has_no_end_tells_what_it_reads() -> None:
    stage = Stage("near: learn", None, 100.0)
    assert stage.told(101.0) == "1 s"
    stage.done = 3000
    assert Stage("read", 1000, 100.0, done=1200, about=True).told(110.0).startswith("1,200 of about 1,200 rows")
    assert stage.told(110.0) == "3,000 rows read · 300 rows/s · 10 s"


def test_the_log_of_a_job_gets_lines(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    from prefaudit import progress
    from prefaudit.audit import run

    monkeypatch.setattr(progress, "EVERY", 0.0)
    with progress.on_terminal(quiet=False) as told:
        run(str(source), tmp_path / "audit", checked(PARTS), progress=told)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"read and measure: 40 of about 300 rows · [\d,]+ rows/s · 0:\d\d left", lines[0])
    assert [line for line in lines if re.fullmatch(r"groups: learn: \d+ rows read · [\d,]+ rows/s · \d+ s", line)]


@pytest.mark.heavy
def test_fifty_kills_and_a_cluster_that_loses_nodes(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(8000)))
    script = HERE.parent / "benchmarks/scale.py"
    for what in (["kills", str(path), "--kills", "50"], ["ray", str(path)]):
        done = subprocess.run([sys.executable, str(script), *what], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout.splitlines()[-1])["differ"] == []

"""CPU seconds and peak memory of each stage of a scan, in one process, beside a floor.

usage: python benchmarks/stages.py PAIRS.parquet [GROUPS]     GROUPS as in --with; default: those of a scan

The floor is one DuckDB scan and write of the same data (COPY of the whole table to Parquet, one thread): what any tool
that reads the pairs and leaves them somewhere has to pay. Each extractor is a stage of its own: its measurement of all
parts, and what it learns before. CPU seconds are the system's count for this process (user and system), so they are
comparable between stages of one run; a busy machine inflates all of them.
"""

from __future__ import annotations

import os

os.environ.update(POLARS_MAX_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before they are loaded

import resource
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from prefaudit.audit import run
from prefaudit.audit.measure import Measures
from prefaudit.config import Options
from prefaudit.core import Extractor, Progress


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak() -> float:
    """Peak resident MB since `forget`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def forget() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def floor(path: str) -> float:
    """CPU seconds of one scan and write of the file, the least of three."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(3):
            con = duckdb.connect(config={"threads": 1})
            before = used()
            con.execute(f"COPY (FROM read_parquet(?)) TO '{folder}/{number}.parquet' (COMPRESSION zstd)", [path])
            spent.append(used() - before)
            con.close()
    return min(spent)


class Watch:
    """CPU seconds by stage, and the peak memory of the stages that a scan announces."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = defaultdict(float)
        self.peak: dict[str, float] = {}
        self._begun: list[tuple[str, float]] = []
        self._inside = 0.0

    def start(self, stage: str, total: int | None) -> None:
        forget()
        self._inside = 0.0
        self._begun.append((stage, used()))

    def done(self) -> None:
        stage, since = self._begun.pop()
        name = "read, find pairs, write them" if stage == "read and measure" else stage.removesuffix(": learn")
        self.cpu[name] += used() - since - self._inside
        self.peak[name] = max(self.peak.get(name, 0.0), peak())
        self._inside = 0.0

    def one(self, inner: Any) -> Any:
        """`Measures.one`, its time booked on the extractor and not on the stage around it."""

        def measured(measures: Measures, extractor: Extractor, number: int, pairs: pl.DataFrame | None,
                     state: pl.DataFrame | None) -> None:  # fmt: skip
            before = used()
            inner(measures, extractor, number, pairs, state)
            spent = used() - before
            self.cpu[extractor.name] += spent
            self._inside += spent

        return measured


def main() -> None:
    path, groups = sys.argv[1], tuple(filter(None, sys.argv[2].split(","))) if len(sys.argv) > 2 else ()
    least, watch = floor(path), Watch()
    Measures.one = watch.one(Measures.one)  # type: ignore[method-assign]
    before, clock = used(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress(start=watch.start, done=watch.done)
        options = Options(with_=groups, workers=1, fail_on="never")
        report = run(path, Path(folder) / "audit", options, progress=progress).report
    total = used() - before
    watch.cpu["start, layout, reports"] = total - sum(watch.cpu.values())
    failed = [e["name"] for e in report["extractors"] if e["status"] != "ok"]
    pairs = report["dataset"]["pairs"]
    print(f"{pairs:,} pairs, floor {least:.2f} CPU s, {time.perf_counter() - clock:.0f} s wall, failed: {failed}\n")
    print("| stage | CPU s | CPU s per 100,000 pairs | times the floor | peak MB |\n|---|---|---|---|---|")
    for stage, spent in [*sorted(watch.cpu.items(), key=lambda item: -item[1]), ("all", total)]:
        top = f"{watch.peak[stage]:,.0f}" if stage in watch.peak else ""
        print(f"| {stage} | {spent:.2f} | {spent / pairs * 1e5:.2f} | {spent / least:.1f} | {top} |")


if __name__ == "__main__":
    main()

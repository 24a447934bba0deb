"""CPU seconds and peak memory of each stage of a scan, in one process.

usage: OPENBLAS_NUM_THREADS=1 python benchmarks/stages.py FILE [GROUPS]     GROUPS as in --with, default text
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

from prefaudit.audit import run
from prefaudit.config import Options
from prefaudit.core import Progress


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    path, groups = sys.argv[1], tuple((sys.argv[2] if len(sys.argv) > 2 else "text").split(","))
    begun: list[tuple[str, float]] = []

    def done() -> None:
        stage, since = begun.pop()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"| {stage} | {used() - since:.1f} | {peak:.2f} |", flush=True)

    print("| stage | CPU s | peak GB so far |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress(start=lambda stage, total: begun.append((stage, used())), done=done)
        run(path, Path(folder) / "audit", Options(with_=groups), progress=progress)


if __name__ == "__main__":
    main()

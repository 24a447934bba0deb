"""Programs in processes forked from one that has loaded prefaudit: real ones, to be killed, not having to load it."""

from __future__ import annotations

import os
import sys
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

CONTEXT = get_context("forkserver")
LATE = ("pandas", "scipy.sparse.csgraph", "scipy.special", "scipy.stats", "jinja2", "altair", "rapidfuzz")
CONTEXT.set_forkserver_preload(["pytest", "prefaudit.cli", "prefaudit.audit", "prefaudit.repair", *LATE])
COMMAND = "from prefaudit.cli import main; main()"


def start(program: str, *words: str, said: Path | None = None, **environment: str) -> BaseProcess:
    """Run a program, as `python -c` does, in the current folder.

    Args:
        program: Python.
        words: its arguments.
        said: a file for its standard error.
        environment: variables beside those that were there when the first of these processes began.
    """
    process = CONTEXT.Process(target=_run, args=(program, words, said, environment))
    process.start()
    return process


def _run(program: str, words: tuple[str, ...], said: Path | None, environment: dict[str, str]) -> None:
    if said is not None:
        with said.open("wb") as file:
            os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    sys.argv = ["prefaudit", *words]
    exec(compile(program, "program", "exec"), {"__name__": "__main__"})

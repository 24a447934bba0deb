"""A `prefaudit` for shells that a test starts: it hands its words to the test's own process, which has it loaded.

What starts it (bash, make, dvc, a hook) is real, and so is what it does; only the time of loading it is saved.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

from typer.testing import CliRunner

from prefaudit.cli import app

SHIM = """#!/usr/bin/env bash
job=$(mktemp -d '{folder}/job.XXXXXX')
printf '%s\\0' "$PWD" "$@" > "$job/words"
env -0 > "$job/env"
mkfifo "$job/code"
printf '%s\\n' "$job" > '{folder}/asked'
read -r code < "$job/code"
cat "$job/out"
cat "$job/err" >&2
exit "$code"
"""


class Served:
    """A folder for PATH with such a `prefaudit`, while the context lasts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[list[str]] = []

    def __enter__(self) -> Served:
        self.folder.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self.folder / "asked")
        shim = self.folder / "prefaudit"
        shim.write_text(SHIM.format(folder=self.folder))
        shim.chmod(0o755)
        self.asked = os.fdopen(os.open(self.folder / "asked", os.O_RDWR))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self.asked.fileno(), b"\n")
        self.thread.join(60)
        self.asked.close()

    @property
    def environment(self) -> dict[str, str]:
        """The test's environment with this `prefaudit` before any other."""
        return {**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"}

    def _serve(self) -> None:
        while name := self.asked.readline().strip():
            self._answer(Path(name))

    def _answer(self, job: Path) -> None:
        where, *words = (job / "words").read_bytes().decode().split("\0")[:-1]
        given = dict(pair.split("=", 1) for pair in (job / "env").read_bytes().decode().split("\0")[:-1])
        given = {name: value for name, value in given.items() if name.startswith("PREFAUDIT_")}
        before = Path.cwd()
        os.chdir(where)
        try:
            done = CliRunner().invoke(app, words, env=given)
        finally:
            os.chdir(before)
        self.calls.append(words)
        fault = done.exception
        failed = fault is not None and not isinstance(fault, SystemExit)
        (job / "out").write_text(done.stdout)
        (job / "err").write_text(done.stderr + (f"Traceback: {fault!r}\n" if failed else ""))
        (job / "code").write_text(f"{99 if failed else done.exit_code}\n")

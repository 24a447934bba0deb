"""Options that several commands share, and how errors, progress and output reach the user."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from prefaudit.cli.stop import Guard

if TYPE_CHECKING:
    from prefaudit.audit import Audit

# Small matrices in many threads cost BLAS more than they gain; it reads this when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Data = Annotated[list[str], typer.Argument(metavar="DATA...", help="File, glob, folder, URI, or - for standard input.")]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", metavar="DIR", help="Audit folder [default: .prefaudit/NAME-FINGERPRINT].")
]
FailOn = Annotated[
    str | None, typer.Option("--fail-on", metavar="LEVEL", help="error, warning or never [default: error].")
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "--output-format",
        metavar="NAME[=PATH]",
        help="terminal, json, jsonl, markdown, html, sarif, junit, github, card, baseline; repeatable.",
    ),
]
Reviewed = Annotated[
    Path | None, typer.Option("--reviewed", metavar="FILE", help="A sheet of `prefaudit review` that was filled in.")
]
Sample = Annotated[int | None, typer.Option("--sample", metavar="N", help="Read N source rows, drawn with the seed.")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="prefaudit.toml or pyproject.toml.")]
Force = Annotated[bool, typer.Option("--force", help="Audit anew, and overwrite report files.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no report on the terminal.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


INTO = ("card",)
"""Formats that are written into a file that is there, and keep what else it says."""


def targets(output: list[str] | None, force: bool,
            known: Collection[str] | None = None) -> list[tuple[str, Path | None]]:  # fmt: skip
    """What to render where, in one of the known formats (of a report, where not given); checked before any work."""
    from prefaudit.core import UsageError, unknown
    from prefaudit.reports import FORMATS

    known = FORMATS if known is None else known
    found: list[tuple[str, Path | None]] = []
    for value in output or ["terminal"]:
        name, equals, path = value.partition("=")
        if name not in known:
            raise unknown("output format", name, known)
        if equals and not path:
            raise UsageError(f"{value} names no file", f"{name}=PATH, or {name} alone for the terminal")
        target = Path(path) if path not in ("", "-") else None
        if target is not None and target.is_dir():
            raise UsageError(f"{target} is a folder", f"name a file: {name}={target / 'FILE'}")
        if target is not None and target.exists() and not force and name not in INTO:
            raise UsageError(f"{target} exists", "name another file, or overwrite it with --force")
        if target is not None and not target.parent.is_dir():
            raise UsageError(
                f"{target.parent} is no folder", f"make it first, or name another place for the {name} report"
            )
        found.append((name, target))
    named = [path.resolve() for _, path in found if path is not None]
    twice = next((path for path in named if named.count(path) > 1), None)
    if twice is not None:
        raise UsageError(f"two files would go to {twice}", "give each a name of its own")
    if sum(target is None for _, target in found) > 1:
        raise UsageError(
            "two reports would go to standard output", "give all but one a file: --output-format NAME=PATH"
        )
    return found


def spared(where: Sequence[tuple[str, Path | None]], data: Iterable[str], *audits: str | Path | None) -> None:
    """Raise UsageError where a file to be written is one of the sources, or of the files of an audit."""
    from prefaudit.audit import spare

    for _, target in where:
        for audit in audits or (None,):
            if target is not None:
                spare.check(target, data=data, audit=audit)


def render(audit: Audit, where: list[tuple[str, Path | None]], quiet: bool) -> None:
    """Write every report to where it was asked for."""
    from prefaudit import reports
    from prefaudit.store import write_bytes

    for name, path in where:
        if path is not None and name in INTO:
            path = path.resolve()  # through a link, which a rename would replace
            write_bytes(path, reports.card.into(path, reports.render(name, audit.report)))
        elif path is not None:
            write_bytes(path, reports.render(name, audit.report).encode())
        elif not quiet:
            placed = audit.report if name == "json" else audit.placed()
            told = reports.render(name, placed, width=width(), color=color())
            say(told, commands=name not in ("terminal", "markdown"))
    if quiet:
        lacking(audit)


def lacking(audit: Audit) -> None:
    """Say on stderr why an audit is incomplete: --quiet silences progress and reports, not errors."""
    from prefaudit.reports.principles import broken

    sys.stderr.writelines(f"error: {line}\n" for line in broken(audit.report))


COMMAND = re.compile(r"^(\s*):(?=:)|(#)(?=#[a-z]*\[)", re.MULTILINE)
"""What the log of a pipeline would take for a command: `::error ...` of GitHub, `##[...]`, `##vso[...]` of others."""


def say(text: str, *, commands: bool = False) -> None:
    """A result, on stdout; in a pipeline (CI is set) no line of it is a command, unless it is meant to be one."""
    if os.environ.get("CI") and not commands:
        text = COMMAND.sub(r"\g<0> ", text)
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def paged(text: str) -> None:
    """A long result: in a terminal through the user's pager (PAGER, else less), anywhere else as it stands."""
    import shlex
    import shutil
    import subprocess

    tall = text.count("\n") >= shutil.get_terminal_size((80, 24)).lines
    pager = shlex.split(os.environ.get("PAGER") or "less -FRX")
    if not tall or not sys.stdout.isatty() or not pager or shutil.which(pager[0]) is None:
        return say(text)
    # -R lets colours through, and the text holds no other escape sequence.
    subprocess.run(pager, input=text, text=True, check=False, env={"LESS": "-FRX", **os.environ})
    return None


def color() -> bool:
    """Whether stdout shows colour: a terminal, and nobody said no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    import shutil

    return max(60, min(120, shutil.get_terminal_size((80, 24)).columns)) if sys.stdout.isatty() else 80


def threads(workers: int | None) -> None:
    """polars takes its number of threads from the environment when it is first imported."""
    if workers is not None and workers > 0:
        os.environ.setdefault("POLARS_MAX_THREADS", str(min(workers, os.cpu_count() or 1)))


class errors:
    """Turn an error into a message and exit code 2; no traceback without --debug."""

    def __init__(self, debug: bool) -> None:
        self.debug = debug
        self._guard = Guard()

    def __enter__(self) -> None:
        """Watch for ctrl-C; refuse a TMPDIR instead of which Python would take another without a word."""
        named = os.environ.get("TMPDIR")
        if named:
            try:
                with tempfile.TemporaryFile(dir=named) as probe:
                    probe.write(b"0" * 4096)
            except OSError as error:
                fail(f"TMPDIR is {named}, which cannot be written in: {error.strerror}",
                     "make it, free some space there, or name another")  # fmt: skip
        self._guard.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Say what went wrong and exit, unless the exception is an exit of its own."""
        self._guard.stop()
        if error is None or isinstance(error, typer.Exit | SystemExit) or self.debug:
            return
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(2)
        if isinstance(error, KeyboardInterrupt) or self._guard.interrupted:
            fail("interrupted", "the same command goes on from the finished parts")
        from prefaudit.core import AuditError

        if isinstance(error, AuditError):
            fail(error.message, error.hint)
        if isinstance(error, OSError):
            fail(
                f"the operating system says: {error}",
                "free space or mend the permission, then run the same command again",
            )
        fail(f"internal error: {type(error).__name__}: {error}", "rerun with --debug and report the traceback")


def fail(message: str, hint: str) -> NoReturn:
    """Say on stderr what went wrong and what to do, and exit with 2."""
    from prefaudit.reports.terminal import clean

    sys.stderr.write(f"error: {clean(message, limit=2000)}\n" + (f"hint: {clean(hint, limit=2000)}\n" if hint else ""))
    raise typer.Exit(2)


def progress(quiet: bool, max_calls: int | None = None) -> Any:
    """Progress bars, or silence; but `--max-calls 0` asks for nothing else than what would be asked."""
    from prefaudit.progress import on_terminal

    return on_terminal(quiet, preview=max_calls == 0)

"""The command line: one short function per command, no logic. Results on stdout, progress and errors on stderr."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from prefaudit.audit import Audit
    from prefaudit.core import AuditError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out what preference pairs teach before a model learns it.",
    epilog="Exit codes: 0 nothing at or above --fail-on, 1 the gate failed, 2 the job could not be done.",
)

Data = Annotated[list[str], typer.Argument(metavar="DATA...", help="File, glob, folder, URI, or - for standard input.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="Audit folder [default: .prefaudit/NAME-FINGERPRINT].")]
Format = Annotated[str | None, typer.Option("--format", metavar="NAME", help="Layout, where detection is wrong; see `prefaudit formats`.")]
Map = Annotated[list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Say which column holds what; repeatable.")]
Select = Annotated[list[str] | None, typer.Option("--select", metavar="CODES", help="Rules to ask, by code or prefix: LEN,DUP001.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="CODES", help="Rules not to ask.")]
With = Annotated[list[str] | None, typer.Option("--with", metavar="NAMES", help="Exactly these extractor groups.")]
Without = Annotated[list[str] | None, typer.Option("--without", metavar="NAMES", help="All default extractor groups but these.")]
Rules = Annotated[list[str] | None, typer.Option("--rules", metavar="DIR", help="Folder with rules of your own; repeatable.")]
FailOn = Annotated[str | None, typer.Option("--fail-on", metavar="LEVEL", help="error, warning or never [default: error].")]
Output = Annotated[list[str] | None, typer.Option("--output-format", metavar="NAME[=PATH]", help="terminal, json, jsonl, markdown, html; repeatable.")]
Sample = Annotated[int | None, typer.Option("--sample", metavar="N", help="Read N source rows, drawn with the seed.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of everything random [default: 0].")]
Workers = Annotated[int | None, typer.Option("--workers", metavar="N", help="Threads [default: all cores].")]
Memory = Annotated[str | None, typer.Option("--memory", metavar="SIZE", help="Memory for SQL, as 2GB [default: 2GB].")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="prefaudit.toml or pyproject.toml.")]
Force = Annotated[bool, typer.Option("--force", help="Audit anew, and overwrite report files.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no report on the terminal.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Find out what preference pairs teach before a model learns it."""
    if version:
        from prefaudit import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def scan(
    data: Data, out: Out = None, format: Format = None, map: Map = None, select: Select = None, ignore: Ignore = None,
    with_: With = None, without: Without = None, rules: Rules = None, fail_on: FailOn = None, output: Output = None,
    sample: Sample = None, seed: Seed = None, workers: Workers = None, memory: Memory = None, config: Config = None,
    force: Force = False, quiet: Quiet = False, debug: Debug = False,
) -> None:  # fmt: skip
    """What is in the data, what would go wrong, and an exit code for the pipeline."""
    with _errors(debug):
        _threads(workers)
        given = {"format": format, "map": _mapping(map), "select": _codes(select), "ignore": _codes(ignore),
                 "with_": _codes(with_), "without": _codes(without), "rules": tuple(rules or ()), "fail_on": fail_on,
                 "sample": sample, "seed": seed, "workers": workers, "memory": memory}  # fmt: skip
        _scan(data, out, given, config, output, force, quiet)


@app.command()
def demo(
    out: Out = None, output: Output = None, force: Force = False, quiet: Quiet = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Audit the example dataset that comes with prefaudit; exits 0 when it ran."""
    with _errors(debug):
        from prefaudit.demo import demo_path

        audit = _audit([str(demo_path())], out, {"fail_on": "never"}, None, output, force, quiet)
        raise typer.Exit(2 if audit.exit_code == 2 else 0)


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An audit folder.")],
    what: Annotated[str | None, typer.Argument(metavar="[CODE|ROW]", help="A rule code or the number of a pair.")] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", metavar="N", help="Rows at most.")] = 10,
    debug: Debug = False,
) -> None:
    """The rows behind a finding, with the words that differ marked."""
    with _errors(debug):
        from prefaudit.audit import Audit

        _print(Audit(folder).show(what, limit=limit, width=_width(), color=_color()))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An audit folder.")],
    output: Output = None, force: Force = False, debug: Debug = False,
) -> None:  # fmt: skip
    """The report of a finished audit, in another format."""
    with _errors(debug):
        from prefaudit.audit import Audit

        targets = _targets(output, force)
        audit = Audit(folder)
        _render(audit, targets, quiet=False)
        raise typer.Exit(audit.exit_code)


@app.command()
def rule(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="A rule code; without it, the list.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every rule in full.")] = False,
    rules: Rules = None,
    debug: Debug = False,
) -> None:
    """What a rule asks, why, what to do, and its known false alarms."""
    with _errors(debug):
        from prefaudit.rules import describe

        _print(describe(code, everything=all_, folders=tuple(rules or ())))


@app.command()
def formats(debug: Debug = False) -> None:
    """The layouts that are read."""
    with _errors(debug):
        from prefaudit.formats import table

        lines = [f"{row['name']:<24} {'' if row['verified'] else 'unverified':<11} {row['title']}" for row in table()]
        _print("\n".join(lines))


@app.command()
def extractors(debug: Debug = False) -> None:
    """The measurements, by group, and the columns they write."""
    with _errors(debug):
        from prefaudit.audit import extractor_table

        _print("\n".join(f"{r['group']:<12} {r['name']:<12} {r['columns']}" for r in extractor_table()))


def _scan(data: list[str], out: Path | None, given: dict[str, Any], config: Path | None, output: list[str] | None,
          force: bool, quiet: bool) -> NoReturn:  # fmt: skip
    raise typer.Exit(_audit(data, out, given, config, output, force, quiet).exit_code)


def _audit(data: list[str], out: Path | None, given: dict[str, Any], config: Path | None, output: list[str] | None,
           force: bool, quiet: bool) -> Audit:  # fmt: skip
    from prefaudit import config as configuration
    from prefaudit.audit import run

    targets = _targets(output, force)
    options = configuration.load(config, given)
    with _progress(quiet) as progress:
        audit = run(data, out, options, force=force, progress=progress)
    _render(audit, targets, quiet)
    return audit


def _codes(values: list[str] | None) -> tuple[str, ...]:
    return tuple(code.strip() for value in values or () for code in value.split(",") if code.strip())


def _mapping(values: list[str] | None) -> dict[str, str]:
    from prefaudit.core import UsageError

    mapping = {}
    for value in values or ():
        name, equals, column = value.partition("=")
        if not equals or not name or not column:
            raise UsageError(f"--map {value!r} is not FIELD=COLUMN", "for example --map chosen=good_answer")
        mapping[name.strip()] = column.strip()
    return mapping


def _targets(output: list[str] | None, force: bool) -> list[tuple[str, Path | None]]:
    """What to render where; checked before any work is done."""
    from prefaudit.core import UsageError, unknown
    from prefaudit.reports import FORMATS

    targets: list[tuple[str, Path | None]] = []
    for value in output or ["terminal"]:
        name, _, path = value.partition("=")
        if name not in FORMATS:
            raise unknown("output format", name, FORMATS)
        target = Path(path) if path else None
        if target is not None and target.exists() and not force:
            raise UsageError(f"{target} exists", "name another file, or overwrite it with --force")
        if target is not None and not target.parent.is_dir():
            raise UsageError(f"{target.parent} is no folder", f"make it first, or name another place for the {name} report")
        targets.append((name, target))
    return targets


def _render(audit: Audit, targets: list[tuple[str, Path | None]], quiet: bool) -> None:
    from prefaudit.reports import render
    from prefaudit.store import write_bytes

    for name, path in targets:
        if path is not None:
            write_bytes(path, render(name, audit.report).encode())
        elif not quiet:
            _print(render(name, audit.report, width=_width(), color=_color()))


def _print(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def _color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width() -> int:
    import shutil

    return max(60, min(120, shutil.get_terminal_size((80, 24)).columns)) if sys.stdout.isatty() else 80


def _threads(workers: int | None) -> None:
    """polars takes its number of threads from the environment when it is first imported."""
    if workers is not None and workers > 0:
        os.environ.setdefault("POLARS_MAX_THREADS", str(workers))


class _errors:  # noqa: N801
    """Turn an error into a message and exit code 2; no traceback without --debug."""

    def __init__(self, debug: bool) -> None:
        self.debug = debug

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Say what went wrong and exit, unless the exception is an exit of its own."""
        if error is None or isinstance(error, typer.Exit | SystemExit) or self.debug:
            return
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(2)
        if isinstance(error, KeyboardInterrupt):
            _fail("interrupted", "the same command goes on from the finished parts")
        from prefaudit.core import AuditError

        if isinstance(error, AuditError):
            _fail(error.message, error.hint)
        _fail(f"internal error: {type(error).__name__}: {error}", "rerun with --debug and report the traceback")


def _fail(message: str, hint: str) -> NoReturn:
    from prefaudit.reports.terminal import clean

    sys.stderr.write(f"error: {clean(message)}\n" + (f"hint: {clean(hint)}\n" if hint else ""))
    raise typer.Exit(2)


def _progress(quiet: bool) -> Any:
    from prefaudit.progress import on_terminal

    return on_terminal(quiet)


def main() -> None:
    """Run the command line; every way out is one of the exit codes 0, 1, 2."""
    try:
        app(standalone_mode=True)
    except Exception as error:
        sys.stderr.write(f"error: internal error: {type(error).__name__}: {error}\n")
        sys.exit(2)

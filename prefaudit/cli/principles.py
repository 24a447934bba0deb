"""The command that lists the principles the labels follow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prefaudit.cli.common import (
    Config,
    Data,
    Debug,
    Force,
    Out,
    Quiet,
    Sample,
    color,
    errors,
    lacking,
    progress,
    say,
    spared,
    threads,
)
from prefaudit.cli.common import width as columns
from prefaudit.cli.options import scan_options

GROUP = "principles"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(principles)


@scan_options()
def principles(
    data: Data, given: dict[str, Any], out: Out = None,
    export: Annotated[
        list[str] | None,
        typer.Option("--export", metavar="NAME=PATH", help="Write the principles as annotation, markdown, ...; "
                     "repeatable."),
    ] = None,
    sample: Sample = None, config: Config = None, force: Force = False, quiet: Quiet = False, debug: Debug = False,
) -> None:  # fmt: skip
    """The few rules in plain words that the labels follow, how often each does, and what the list is worth."""
    with errors(debug):
        threads(given.get("workers"))
        from prefaudit import config as configuration
        from prefaudit.audit import run
        from prefaudit.audit.interchange import EXPORTS
        from prefaudit.core import AuditError
        from prefaudit.reports.principles import page
        from prefaudit.store import write_bytes

        where = _targets(export, force, EXPORTS)
        spared(where, data, out)
        options = configuration.load(config, {**asked(given), "fail_on": "never", "sample": sample})
        with progress(quiet, options.max_calls) as bars:
            audit = run(data, out, options, force=force, progress=bars)
        if quiet:
            lacking(audit)
        else:
            say(page(audit.report, columns(), color()) + f"\n{_next(audit.report, str(audit.folder))}\n")
        missing: dict[str, list[str]] = {}
        hints: list[str] = []
        written: list[str] = []
        for name, path in where:
            try:
                write_bytes(path, EXPORTS[name](audit))
                written.append(f"{name}={path}")
            except AuditError as e:  # the others are written whatever order they were named in
                missing.setdefault(e.message, []).append(name)
                hints += [e.hint] if e.hint and e.hint not in hints else []
        if missing:
            told = [f"--export {', '.join(names)}: {why}" for why, names in missing.items()]
            told += [f"written: {', '.join(written)}"] if written else []
            raise AuditError("; ".join(told), "; ".join(hints))
        raise typer.Exit(audit.exit_code)


def asked(given: dict[str, Any]) -> dict[str, Any]:
    """The options with the principles measured, whatever other groups were named."""
    from prefaudit.core import UsageError

    if GROUP in (given.get("without") or ()):
        raise UsageError("`prefaudit principles` needs the principles", f"leave {GROUP} out of --without")
    named = given.get("with_") or ()
    if named and GROUP not in {name.removeprefix("+") for name in named}:
        return {**given, "with_": (*named, f"+{GROUP}" if named[0].startswith("+") else GROUP)}
    return given


def _next(report: dict[str, Any], folder: str) -> str:
    """Where to look on: the folder, and the pairs that the list votes against."""
    from prefaudit.reports.words import some

    against = next((r for r in report["rules"] if r["code"] == "PRN001"), None)
    found = some(against["found"], "label") if against and against["status"] == "fired" else ""
    look = f"\n{found} clearly against the list: prefaudit show {folder} PRN001" if found else ""
    return f"Audit folder: {folder}{look}"


def _targets(export: list[str] | None, force: bool, known: Any) -> list[tuple[str, Path]]:
    from prefaudit.cli.common import targets
    from prefaudit.core import UsageError

    found = []
    for name, path in targets(export, force, known) if export else []:
        if path is None:
            raise UsageError(f"--export {name} names no file", f"--export {name}=PATH")
        found.append((name, path))
    return found

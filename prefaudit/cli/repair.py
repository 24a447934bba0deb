"""The commands that write a dataset: filter, relabel, split, review; and diff."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from prefaudit.cli.common import Config, Data, Debug, Quiet, Reviewed, errors, progress, say, spared, targets, threads
from prefaudit.cli.options import READ, codes, scan_options

if TYPE_CHECKING:
    from prefaudit.config import Options
    from prefaudit.repair.filtering import Where
    from prefaudit.repair.result import Repair

To = Annotated[Path | None, typer.Option("-o", "--out", metavar="OUT", help="Where to write; never over the source.")]
Codes = Annotated[list[str] | None, typer.Option("--drop", metavar="CODES", help="Drop what these rules name.")]
Strict = Annotated[bool, typer.Option("--strict", help="Drop also what could not be judged, and conflicts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and write nothing.")]
Ledger = Annotated[
    Path | None, typer.Option("--ledger", metavar="PATH", help="The ledger [default: OUT's name with .ledger.parquet].")
]
Control = Annotated[
    bool, typer.Option("--control", help="Write a second dataset: as many rows at random, for comparison.")
]
Layout = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="LAYOUT", help="trl, hh, sharegpt, kto, annotated-pairs or reward-augmented [default: as read]."
    ),
]
Audit = Annotated[
    Path | None, typer.Option("--audit", metavar="DIR", help="Audit folder [default: .prefaudit/NAME-FINGERPRINT].")
]
MaxDrop = Annotated[
    float | None, typer.Option("--max-drop", metavar="F", help="Exit 1 and write nothing if more than this share goes.")
]
Overwrite = Annotated[bool, typer.Option("--force", help="Overwrite the output and its ledger.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (filter, split, review, diff):
        app.command()(command)
    app.command(cls=Softly)(relabel)


class Softly(TyperCommand):
    """A command in which --soft alone says --soft column, so that the word after it is not taken for its value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give --soft its value where it has none."""
        said: list[str] = []
        for word, after in zip(args, [*args[1:], ""], strict=True):
            said.append(word)
            if word == "--soft" and after != "column" and not re.fullmatch(r"copies(:.*)?", after):
                said.append("column")
        return super().parse_args(ctx, said)


@scan_options()
def filter(
    data: Data, given: dict[str, Any], out: To = None, drop: Codes = None,
    keep: Annotated[str | None, typer.Option("--keep", metavar="SQL", help="Keep pairs for which this holds.")] = None,
    min_strength: Annotated[
        float | None, typer.Option("--min-strength", metavar="X", help="The least strength.mean that stays.")
    ] = None,
    min_consensus: Annotated[
        float | None, typer.Option("--min-consensus", metavar="X", help="The least consensus.mean that stays.")
    ] = None,
    drop_worst: Annotated[
        float | None, typer.Option("--drop-worst", metavar="F", help="Drop this share of the pairs, the worst --by.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="WHAT", help="strength, a rule code, or SQL over the features.")
    ] = None,
    max_drop: MaxDrop = None, strict: Strict = False, control: Control = False, to: Layout = None,
    reviewed: Reviewed = None, dry_run: DryRun = False, ledger: Ledger = None, audit: Audit = None,
    force: Overwrite = False, config: Config = None, quiet: Quiet = False, debug: Debug = False,
) -> None:  # fmt: skip
    """A dataset without the pairs that evidence speaks against, in the layout it came in, and a ledger."""
    with errors(debug):
        from prefaudit.repair import filtering
        from prefaudit.repair.choose import Selection

        options = _options(config, given)
        where = _where(out, ledger, control, force, dry_run, to, audit)
        selection = Selection(codes(drop), keep, min_strength, min_consensus, drop_worst, by, strict)
        with progress(quiet) as bars:
            made = filtering.run(data, where, selection, options, max_drop=max_drop, reviewed=reviewed, progress=bars)
        _tell(made, where, quiet)


@scan_options()
def relabel(
    data: Data, given: dict[str, Any], out: To = None,
    flip: Annotated[
        list[str] | None, typer.Option("--flip", metavar="CODES", help="Turn round the labels these rules call wrong.")
    ] = None,
    flip_below: Annotated[
        float | None, typer.Option("--flip-below", metavar="X", help="Turn round labels of a strength below this.")
    ] = None,
    drop: Codes = None,
    soft: Annotated[
        str | None,
        typer.Option("--soft", metavar="[copies[:N]]", help="Add the probability of each label as a column, or write "
                     "copies with the label or the other one in proportion."),
    ] = None,
    margin: Annotated[bool, typer.Option("--margin", help="Add a margin as trainers read it.")] = False,
    strict: Strict = False, control: Control = False, to: Layout = None, reviewed: Reviewed = None,
    dry_run: DryRun = False, ledger: Ledger = None, audit: Audit = None, force: Overwrite = False,
    config: Config = None, quiet: Quiet = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Turn round labels that evidence calls wrong, soften them, or give them margins; and a ledger."""
    with errors(debug):
        from prefaudit.repair import relabelling

        options = _options(config, given)
        where = _where(out, ledger, control, force, dry_run, to, audit)
        wanted = relabelling.Relabelling(codes(flip), flip_below, codes(drop), soft or False, margin, strict)
        with progress(quiet) as bars:
            made = relabelling.run(data, where, wanted, options, reviewed=reviewed, progress=bars)
        _tell(made, where, quiet)


@scan_options(*READ)
def split(
    data: Data, given: dict[str, Any],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the pieces.")],
    test: Annotated[float, typer.Option("--test", metavar="F", help="Share of the test piece.")] = 0.1,
    validation: Annotated[float, typer.Option("--validation", metavar="F", help="Share to validate on.")] = 0.0,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="DATA", help="Only say what leaks between this split and DATA; repeatable."),
    ] = None,
    audit: Audit = None, force: Overwrite = False, dry_run: DryRun = False, config: Config = None, quiet: Quiet = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Train and test pieces that share no conversation, near-duplicate prompt or answer."""
    with errors(debug):
        from prefaudit.repair import splitting

        options = _options(config, given)
        with progress(quiet) as bars:
            if against:
                say(splitting.leakage(data, against, options, progress=bars).words)
                return
            made = splitting.run(data, out, options, test=test, validation=validation, audit=audit, force=force,
                                 dry_run=dry_run, progress=bars)  # fmt: skip
        if not quiet:
            say(made.words)


@scan_options(*READ)
def review(
    data: Data, given: dict[str, Any],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.csv", help="The sheet to fill in.")],
    n: Annotated[int, typer.Option("--n", "-n", metavar="N", help="Pairs to look at.")] = 100,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="random; half from strength, consensus, a rule code or a probe.")
    ] = "random",
    ask: Annotated[
        list[str] | None,
        typer.Option("--ask", metavar="NAME", help="Ask of each answer what this probe claims: refusal, sycophancy."),
    ] = None,
    audit: Audit = None, force: Overwrite = False, config: Config = None, quiet: Quiet = False, debug: Debug = False,
) -> None:  # fmt: skip
    """A sheet of pairs to judge by hand, blinded and in random order, with their sampling weights."""
    with errors(debug):
        from prefaudit.repair import reviewing

        options = _options(config, given)
        with progress(quiet) as bars:
            told = reviewing.write(data, out, options, n=n, by=by, ask=codes(ask), audit=audit, force=force,
                                   progress=bars)  # fmt: skip
        if not quiet:
            say(told)


@scan_options(*READ, "lens", "embedder")
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="An audit folder, or a dataset.")], given: dict[str, Any],
    after: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    output: Annotated[
        list[str] | None,
        typer.Option("--output-format", metavar="NAME[=PATH]", help="terminal, json, markdown; repeatable."),
    ] = None,
    changes: Annotated[
        Path | None, typer.Option("--changes", metavar="FILE.parquet", help="A line for each pair that did not stay.")
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 where any pair did not stay.")] = False,
    config: Config = None, force: Overwrite = False, quiet: Quiet = False, debug: Debug = False,
) -> None:  # fmt: skip
    """Two versions of a dataset, or two audits: pairs gone, new, changed, relabelled; what moved in every feature."""
    with errors(debug):
        from prefaudit.core import UsageError
        from prefaudit.repair import differing
        from prefaudit.reports import versions
        from prefaudit.store import write_bytes, write_frame

        where = targets(output, force, versions.FORMATS)
        spared([*where, ("changes", changes)], (before, after), *(one for one in (before, after) if Path(one).is_dir()))
        if changes is not None and changes.exists() and not force:
            raise UsageError(f"{changes} exists", "name another file, or overwrite it with --force")
        options = _options(config, given)
        with progress(quiet) as bars:
            found = differing.compare(before, after, options, progress=bars)
        for name, path in where:
            told = versions.render(name, found.report)
            if path is not None:
                write_bytes(path, told.encode())
            elif not quiet:
                say(told, commands=name == "json")
        if changes is not None:
            write_frame(changes, found.changes)
        raise typer.Exit(int(exit_code and found.differs))


def _options(config: Path | None, given: dict[str, Any]) -> Options:
    from prefaudit import config as configuration

    threads(given.get("workers"))
    return configuration.load(config, {**given, "fail_on": "never"})


def _where(out: Path | None, ledger: Path | None, control: bool, force: bool, dry_run: bool, to: str | None,
           audit: Path | None) -> Where:  # fmt: skip
    from prefaudit.core import UsageError
    from prefaudit.repair.filtering import Where

    if out is None and not dry_run:
        raise UsageError("no output named", "say where to write with -o OUT, or --dry-run to write nothing")
    return Where(out, ledger, control, force, dry_run, to, audit)


def _tell(made: Repair, where: Where, quiet: bool) -> None:
    from prefaudit.repair.words import table

    if not quiet:
        say(table(made, str(where.out), where.dry_run))
    raise typer.Exit(made.exit_code)

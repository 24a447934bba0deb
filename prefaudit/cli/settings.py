"""The commands about the configuration: `init` writes a file, `config show` says what holds and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prefaudit.cli.common import Config, Debug, FailOn, Sample, errors, say
from prefaudit.cli.options import scan_options

if TYPE_CHECKING:
    from prefaudit.config import Options
    from prefaudit.core import Rule

Baseline = Annotated[
    str | None,
    typer.Option("--baseline", metavar="FILE", help="A report.json or written baseline: fail on what is new alone."),
]

config = typer.Typer(no_args_is_help=True, help="What the configuration says.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(init)
    app.add_typer(config, name="config")


def init(
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="Where to write it.", show_default=True)
    ] = Path("prefaudit.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    debug: Debug = False,
) -> None:
    """Write a commented prefaudit.toml: every key with its default, nothing switched on but the gate."""
    with errors(debug):
        from prefaudit.core import UsageError
        from prefaudit.store import write_bytes

        if out.suffix != ".toml":
            raise UsageError(f"{out} is no TOML file", "name a file ending in .toml")
        if (out.exists() or out.is_symlink()) and not force:
            raise UsageError(f"{out} exists", "name another file with -o, or overwrite it with --force")
        if not out.parent.is_dir():
            raise UsageError(f"{out.parent} is no folder", "make it first, or name another place with -o")
        write_bytes(out, template().encode())
        say(f"wrote {out}: every key with its default, commented out. `prefaudit config show` says what holds.")


TABLES = "# -- tables"


def template() -> str:
    """init.toml, and in it each key that a scan has and this file does not explain."""
    import re
    from importlib import resources

    from prefaudit.config import KINDS

    text = (resources.files("prefaudit.cli") / "init.toml").read_text(encoding="utf8")
    examples = {str: '"..."', int: "1", bool: "false", tuple: '["..."]'}
    missing = [f"#{key} = {examples[kind]}\n" for key, kind in KINDS.items()
               if kind in examples and not re.search(rf"^#?{key} = ", text, re.MULTILINE)]  # fmt: skip
    others = f"# Others, see docs/configuration.md.\n{''.join(missing)}\n" if missing else ""
    return text.replace(TABLES, others + TABLES, 1)


@config.command()
@scan_options()
def show(
    given: dict[str, Any], fail_on: FailOn = None, sample: Sample = None, baseline: Baseline = None,
    config: Config = None, debug: Debug = False,
) -> None:  # fmt: skip
    """Every value a scan would go by, and where it came from: default, file and line, environment, command line."""
    with errors(debug):
        from prefaudit import config as configuration
        from prefaudit.audit import gate, read, selection
        from prefaudit.rules import load

        options = configuration.load(config, {**given, "fail_on": fail_on, "sample": sample, "baseline": baseline})
        known = load(options.rules, columns=selection.column_names())
        gate.asked(known, options)
        selection.choose(options)
        read.known(options)
        gate.baseline(options)
        say(shown(options, known))


def shown(options: Options, known: Mapping[str, Rule]) -> str:
    """The values in TOML, the origin of each behind it; what is not set stands in the last comment."""
    from prefaudit.reports.words import clean

    rows = [(clean(said, 400), clean(origin, 600)) for said, origin in _rows(options, known)]
    width = min(max(len(said) for said, _ in rows), 52)
    return "\n".join(f"{said:<{width}}  # {origin}" if said else f"# {origin}" for said, origin in rows) + "\n"


def _rows(options: Options, known: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    from prefaudit.config import KINDS, keyed

    lines = _lines(options)
    unset = []
    for key, kind in sorted(KINDS.items(), key=lambda item: item[1] is dict):
        name = keyed(key)
        value = getattr(options, name)
        origin = options.origins.get(name, "default")
        if kind is dict:
            for path, leaf in _leaves(value, (key,)):
                where = f"{origin}:{lines[path]}" if path in lines else origin
                yield f"{_dotted(path)} = {_toml(leaf)}", where + _instead(path, known)
        elif value in (None, ()):
            unset.append(key)
        else:
            inside = origin.endswith(".toml") and (key,) in lines
            yield f"{key} = {_toml(value)}", f"{origin}:{lines[(key,)]}" if inside else origin
    if unset:
        yield "", f"not set: {', '.join(unset)}"


def _lines(options: Options) -> dict[tuple[str | int, ...], int]:
    """Where the keys stand in the file, without what stands before them in pyproject.toml."""
    from prefaudit.toml import places

    file = next((origin for origin in options.origins.values() if origin.endswith(".toml")), None)
    if file is None:
        return {}
    found = places(Path(file).read_text(encoding="utf-8-sig"))
    head = ("tool", "prefaudit") if Path(file).name == "pyproject.toml" else ()
    return {path[len(head) :]: line for path, line in found.items() if path[: len(head)] == head}


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, Mapping) or (isinstance(inner, list) and inner and isinstance(inner[0], Mapping)):
            yield from _leaves(inner, (*path, key))
        else:
            yield (*path, key), inner


def _instead(path: tuple[str | int, ...], known: Mapping[str, Rule]) -> str:
    """The default of a rule that a value stands instead of; of a gate, what `value` is where it is no plain number."""
    rule = known.get(str(path[1]))
    if rule is None or path[0] not in ("params", "severity"):
        of_value = rule is not None and rule.end and path[-1] in ("error_if", "warn_if") and path[0] == "gate"
        return f", value: the {rule.end} end of its interval" if rule is not None and of_value else ""
    default = rule.severity if path[0] == "severity" else rule.params.get(str(path[-1]))
    return f", instead of {_toml(default)}"


def _dotted(path: tuple[str | int, ...]) -> str:
    import re

    words = (f"[{part}]" if isinstance(part, int) else part if re.fullmatch(r"[\w-]+", part) else _toml(part)
             for part in path)  # fmt: skip
    return ".".join(words).replace(".[", "[")


def _toml(value: Any) -> str:
    import json

    if isinstance(value, tuple | list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)

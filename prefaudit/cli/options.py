"""What a scan can be told, written once and given to every command that scans."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from prefaudit.cli.common import errors

SCAN: dict[str, Any] = {
    "format": Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="Layout, where detection is wrong; see `prefaudit formats`."),
    ],
    "map": Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Say which column holds what; repeatable.")
    ],
    "select": Annotated[
        list[str] | None, typer.Option("--select", metavar="CODES", help="Rules to ask, by code or prefix: LEN,DUP001.")
    ],
    "ignore": Annotated[list[str] | None, typer.Option("--ignore", metavar="CODES", help="Rules not to ask.")],
    "with_": Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAMES", help="Exactly these extractor groups; +NAME adds one."),
    ],
    "without": Annotated[
        list[str] | None, typer.Option("--without", metavar="NAMES", help="All default extractor groups but these.")
    ],
    "rules": Annotated[
        list[str] | None, typer.Option("--rules", metavar="DIR", help="Folder with rules of your own; repeatable.")
    ],
    "embedder": Annotated[
        str | None,
        typer.Option(
            "--embedder",
            metavar="NAME",
            help="lexical, minilm, a model's id, folder or ID@LAYER, a URL; adds the lens.",
        ),
    ],
    "lens": Annotated[
        str | None,
        typer.Option("--lens", metavar="LENS", help="The lens/ of an audit, an SAE's folder, or sae-lens:RELEASE/ID."),
    ],
    "lens_features": Annotated[
        int | None, typer.Option("--lens-features", metavar="M", help="Features of the lens [default: by size].")
    ],
    "lens_active": Annotated[int | None, typer.Option("--lens-active", metavar="K", help="Of which a pair has K.")],
    "principles": Annotated[
        list[str] | None,
        typer.Option("--principles", metavar="FILE", help="Principles of your own, TOML or a list; repeatable."),
    ],
    "constitution": Annotated[
        str | None,
        typer.Option("--constitution", metavar="FILE", help="A constitution.json to judge by; none is chosen."),
    ],
    "reward_model": Annotated[
        list[str] | None,
        typer.Option(
            "--reward-model", metavar="MODEL", help="Folder, hub id, server, judge or two models; repeatable."
        ),
    ],
    "score_columns": Annotated[
        list[str] | None,
        typer.Option(
            "--score-columns", metavar="CHOSEN:REJECTED", help="Columns with scores of the answers; repeatable."
        ),
    ],
    "max_tokens": Annotated[
        int | None,
        typer.Option("--max-tokens", metavar="N", help="Tokens a reward model reads [default: its own limit]."),
    ],
    "trust_remote_code": Annotated[
        bool | None,
        typer.Option("--trust-remote-code", help="Run the code of a reward model named with @COMMIT, if it has any."),
    ],
    "device": Annotated[
        str | None, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps [default: auto].")
    ],
    "precision": Annotated[
        str | None,
        typer.Option(
            "--precision", metavar="TYPE", help="float32 or bfloat16 in local reward models [default: by device]."
        ),
    ],
    "votes": Annotated[
        str | None,
        typer.Option("--votes", metavar="FILE", help="Votes on principles cast elsewhere: an AnnotatedPairs file."),
    ],
    "llm": Annotated[
        str | None, typer.Option("--llm", metavar="MODEL", help="A language model, for principles, names and verdicts.")
    ],
    "llm_url": Annotated[
        str | None, typer.Option("--llm-url", metavar="URL", help="Where it is: any OpenAI-compatible URL.")
    ],
    "llm_pairs": Annotated[
        int | None,
        typer.Option("--llm-pairs", metavar="N", help="Pairs it is asked about at most [default: 1600; names: 400]."),
    ],
    "llm_price": Annotated[
        str | None, typer.Option("--llm-price", metavar="IN,OUT", help="Dollars per million tokens, for the preview.")
    ],
    "max_calls": Annotated[
        int | None, typer.Option("--max-calls", metavar="N", help="Calls to it at most in this run; a rerun goes on.")
    ],
    "probe": Annotated[
        list[str] | None,
        typer.Option(
            "--probe", metavar="FEATURE=MODEL[:LABEL]", help="Classifier, minilm or judge+URL#MODEL as a probe."
        ),
    ],
    "max_length": Annotated[
        int | None,
        typer.Option(
            "--max-length", metavar="N", help="The trainer's max_length, in characters or tokens of --tokenizer."
        ),
    ],
    "tokenizer": Annotated[
        str | None, typer.Option("--tokenizer", metavar="PATH", help="A tokenizer.json or folder, for --max-length.")
    ],
    "against": Annotated[
        list[str] | None,
        typer.Option(
            "--against", metavar="DATA", help="A benchmark whose texts should not be in the data; repeatable."
        ),
    ],
    "presidio": Annotated[
        list[str] | None,
        typer.Option(
            "--presidio", metavar="LANG|MODEL", help="Presidio too: en, or an installed spaCy model; repeatable."
        ),
    ],
    "seed": Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of everything random [default: 0].")],
    "workers": Annotated[int | None, typer.Option("--workers", metavar="N", help="Processes [default: all cores].")],
    "memory": Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="Memory of all processes [default: 4GB].")
    ],
    "runner": Annotated[
        str | None, typer.Option("--runner", metavar="NAME", help="local, ray or ray:ADDRESS [default: local].")
    ],
}
"""Every option of a scan, by its field of `config.Options`."""

READ = ("format", "map", "seed", "workers", "memory", "runner")
"""Those that say how the data are read."""


def scan_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options of a scan; its parameter `given` is the mapping of those that were named.

    Args:
        names: of SCAN; all of them where none is named.
    """
    chosen = {name: SCAN[name] for name in names or SCAN}

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        kinds = inspect.Parameter.KEYWORD_ONLY
        more = [inspect.Parameter(name, kinds, default=None, annotation=kind) for name, kind in chosen.items()]
        kept = [p.replace(kind=kinds) for p in own.parameters.values() if p.name != "given"]

        @functools.wraps(command)
        def wrapped(**values: Any) -> None:
            with errors(bool(values.get("debug"))):
                given = {name: _plain(name, values.pop(name)) for name in chosen}
            command(given={name: value for name, value in given.items() if value is not None}, **values)

        at = next((k for k, p in enumerate(kept) if p.name in LAST), len(kept))
        parameters = [*kept[:at], *more, *kept[at:]]
        wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return wrap


LAST = ("config", "force", "quiet", "debug")  # stand at the end of a command's help
CODES = ("select", "ignore", "with_", "without")


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "map":
        return mapping(value)
    if name not in CODES:
        return tuple(value) if isinstance(value, list) else value
    named = codes(value)
    if not named and name in ("select", "with_"):  # an empty variable of a script; without them, all would be asked
        from prefaudit.core import UsageError

        raise UsageError(f"--{name.rstrip('_')} names nothing", "leave it out to have the default")
    return named


def codes(values: list[str] | None) -> tuple[str, ...]:
    """Rule codes or names, given several times or with commas."""
    return tuple(code.strip() for value in values or () for code in value.split(",") if code.strip())


def mapping(values: list[str] | None) -> dict[str, str]:
    """FIELD=COLUMN, as a mapping.

    Raises:
        UsageError: one is not of that form.
    """
    from prefaudit.core import UsageError

    found = {}
    for value in values or ():
        name, equals, column = value.partition("=")
        if not equals or not name or not column:
            raise UsageError(f"--map {value!r} is not FIELD=COLUMN", "for example --map chosen=good_answer")
        found[name.strip()] = column.strip()
    return found

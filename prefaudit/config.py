"""prefaudit.toml, or [tool.prefaudit] in pyproject.toml: command line over environment over file."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from prefaudit.core import UsageError, unknown


@dataclass(frozen=True)
class Options:
    """Everything that decides what a scan does. What changes the result is part of the report."""

    format: str | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    with_: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    fail_on: str = "error"
    sample: int | None = None
    seed: int = 0
    workers: int | None = None
    memory: str = "2GB"
    rules: tuple[str, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    severity: Mapping[str, str] = field(default_factory=dict)
    max_length: int | None = None  # the trainer's; in characters, or in tokens of `tokenizer`
    tokenizer: str | None = None
    probe: tuple[str, ...] = ()  # FEATURE=MODEL[:LABEL]: a classifier in place of a built-in probe
    embedder: str | None = None  # lexical, minilm, a hub id, a folder, a URL; chosen by the number of pairs
    lens_features: int | None = None  # M and K of the lens; chosen by the number of pairs
    lens_active: int | None = None
    against: tuple[str, ...] = ()  # benchmarks whose texts should not be in the data
    presidio: tuple[str, ...] = ()  # languages or installed spaCy models: personal data by Presidio
    reward_model: tuple[str, ...] = ()  # folders, hub ids or servers that score each answer
    score_columns: tuple[str, ...] = ()  # CHOSEN:REJECTED, columns of the source with scores of the two answers
    max_tokens: int | None = None  # that a reward model reads
    device: str = "auto"  # where local models run
    part_rows: int | None = None  # source rows a part; for tests and tuning, no result depends on it


KINDS: dict[str, type] = {
    "format": str, "map": dict, "select": tuple, "ignore": tuple, "with": tuple, "without": tuple, "fail-on": str,
    "sample": int, "seed": int, "workers": int, "memory": str, "rules": tuple, "params": dict, "severity": dict,
    "max-length": int, "tokenizer": str, "against": tuple, "presidio": tuple, "probe": tuple, "part-rows": int,
    "reward-model": tuple, "score-columns": tuple, "max-tokens": int, "device": str,
    "embedder": str, "lens-features": int, "lens-active": int,
}  # fmt: skip


MEMORY = re.compile(r"\d+(\.\d+)? *([KMGT]i?)?B", re.IGNORECASE)


def _field(key: str) -> str:
    return {"with": "with_"}.get(key, key.replace("-", "_"))


def load(path: Path | None, command_line: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Options:
    """Merge the three layers into Options.

    Args:
        path: the file of --config; None looks for prefaudit.toml, then pyproject.toml, in the current folder.
        command_line: values by Options field; None and empty values count as not given.
        environment: PREFAUDIT_SELECT, PREFAUDIT_FAIL_ON ...; lists are separated by commas.

    Raises:
        UsageError: the file is missing or no TOML, a key is unknown, a value has the wrong type.
    """
    merged: dict[str, Any] = {}
    source, table = _file(path)
    for key, value in table.items():
        if key not in KINDS:
            error = unknown("key", key, KINDS)
            raise UsageError(f"{source}: {error.message}", error.hint)
        merged[_field(key)] = _typed(f"{source}: {key}", value, KINDS[key])
    for key, kind in KINDS.items():
        name = "PREFAUDIT_" + key.upper().replace("-", "_")
        if kind is not dict and environment.get(name):
            merged[_field(key)] = _from_text(name, environment[name], kind)
    return checked({**merged, **{k: v for k, v in command_line.items() if v is not None and v != () and v != {}}})


def _file(path: Path | None) -> tuple[Path | None, dict[str, Any]]:
    if path is None:
        for candidate in (Path("prefaudit.toml"), Path("pyproject.toml")):
            if candidate.is_file():
                table = _toml(candidate)
                if candidate.name == "prefaudit.toml":
                    return candidate, table
                if "prefaudit" in table.get("tool", {}):
                    return candidate, table["tool"]["prefaudit"]
        return None, {}
    table = _toml(path)
    return path, table.get("tool", {}).get("prefaudit", {}) if path.name == "pyproject.toml" else table


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf8"))
    except FileNotFoundError as error:
        raise UsageError(f"no configuration file {path}", "check the path given to --config") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "it has to be TOML, see docs/configuration.md") from error


def _typed(where: str, value: Any, kind: type) -> Any:
    if kind is tuple:
        values = [value] if isinstance(value, str) else value
        if isinstance(values, list) and all(isinstance(v, str) for v in values):
            return tuple(values)
        raise UsageError(f"{where} has to be a list of strings, not {value!r}", 'for example ["LEN", "DUP001"]')
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UsageError(f"{where} has to be a {kind.__name__}, not {value!r}", "see docs/configuration.md")
    return value


def _from_text(name: str, text: str, kind: type) -> Any:
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is int:
        try:
            return int(text)
        except ValueError as error:
            raise UsageError(f"{name} has to be a whole number, not {text!r}", "unset it or correct it") from error
    return text


def checked(values: Mapping[str, Any]) -> Options:
    """Options of these fields.

    Raises:
        UsageError: a field is unknown, or its value cannot be.
    """
    known = {f.name for f in fields(Options)}
    for key in values:
        if key not in known:
            raise unknown("option", key, known)
    lists = {f.name for f in fields(Options) if f.default == ()}
    given: dict[str, Any] = {}
    for key, value in values.items():
        given[key] = (value,) if key in lists and isinstance(value, str) else tuple(value) if key in lists else value
    options = Options(**given)
    if options.fail_on not in ("error", "warning", "never"):
        raise UsageError(f"--fail-on cannot be {options.fail_on!r}", "choose error, warning or never")
    for name in ("sample", "workers", "part_rows", "max_length", "max_tokens", "lens_features", "lens_active"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(
                f"--{name.replace('_', '-')} has to be at least 1, not {value}", "leave it out for the default"
            )
    if options.seed < 0:
        raise UsageError(f"--seed has to be 0 or more, not {options.seed}", "any whole number will do")
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", options.device):
        raise UsageError(f"--device cannot be {options.device!r}", "choose auto, cpu, cuda, cuda:1 or mps")
    if not MEMORY.fullmatch(options.memory):
        raise UsageError(f"--memory cannot be {options.memory!r}", "a number and a unit, as 500MB or 4GB")
    wrong = [f"{field}={column!r}" for field, column in options.map.items() if not isinstance(column, str)]
    if wrong:
        raise UsageError(f"map: {wrong[0]} names no column", "a column's name, in quotes")
    for code, values in options.params.items():
        for name, value in values.items() if isinstance(values, Mapping) else ((code, float("nan")),):
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(f"params: {code}: {name} cannot be {value}", "a number, as ratio = 3.0")
    if options.lens_active and options.lens_active > (options.lens_features or options.lens_active):
        raise UsageError("--lens-active cannot be more than --lens-features", "4 of 32 is usual")
    if options.without and any(not name.startswith("+") for name in options.with_):
        raise UsageError("--with and --without exclude each other", "--with names exactly the groups to run")
    cores = os.cpu_count() or 1
    return replace(options, workers=min(options.workers, cores)) if options.workers else options

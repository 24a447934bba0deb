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

from prefaudit import gates
from prefaudit.core import AuditError, UsageError, unknown
from prefaudit.toml import Path as Keys
from prefaudit.toml import place


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
    memory: str = "4GB"  # of all processes together; half of it bounds a statement of SQL
    runner: str = "local"  # or ray, ray:ADDRESS
    rules: tuple[str, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    severity: Mapping[str, str] = field(default_factory=dict)
    max_length: int | None = None  # the trainer's; in characters, or in tokens of `tokenizer`
    tokenizer: str | None = None
    probe: tuple[str, ...] = ()  # FEATURE=MODEL[:LABEL]: a classifier in place of a built-in probe
    embedder: str | None = None  # lexical, minilm, a hub id, a folder, a URL; chosen by the number of pairs
    lens: str | None = None  # a lens or autoencoder that is there already: a folder, or sae-lens:RELEASE/ID
    lens_features: int | None = None  # M and K of the lens; chosen by the number of pairs
    lens_active: int | None = None
    against: tuple[str, ...] = ()  # benchmarks whose texts should not be in the data
    presidio: tuple[str, ...] = ()  # languages or installed spaCy models: personal data by Presidio
    principles: tuple[str, ...] = ()  # files of principles: TOML with SQL, or a list for a language model
    constitution: str | None = None  # a constitution.json: nothing is chosen anew
    reward_model: tuple[str, ...] = ()  # folders, hub ids or servers that score each answer
    score_columns: tuple[str, ...] = ()  # CHOSEN:REJECTED, columns of the source with scores of the two answers
    max_tokens: int | None = None  # that a reward model reads
    device: str = "auto"  # where local models run
    precision: str = "auto"  # of local reward models
    trust_remote_code: bool | None = None  # run what code comes with a reward model that is pinned to a commit
    votes: str | None = None  # an AnnotatedPairs file: votes on principles that were cast elsewhere
    llm: str | None = None  # name of a language model, and the OpenAI-compatible URL behind which it is
    llm_url: str | None = None
    llm_pairs: int | None = None  # that it is asked about, drawn with the seed
    llm_price: str | None = None  # IN,OUT: dollars per million tokens, for the preview and the ledger alone
    max_calls: int | None = None  # to it, in one run
    part_rows: int | None = None  # source rows a part; for tests and tuning, no result depends on it
    gate: Mapping[str, Any] = field(default_factory=dict)  # conditions by rule, and by feature under `effects`
    baseline: str | None = None  # a report.json or a written baseline: only what is new fails
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)  # field to who gave it
    reopened: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False, repr=False)  # selection


KINDS: dict[str, type] = {
    "format": str, "map": dict, "select": tuple, "ignore": tuple, "with": tuple, "without": tuple, "fail-on": str,
    "sample": int, "seed": int, "workers": int, "memory": str, "runner": str, "rules": tuple, "params": dict,
    "severity": dict,
    "max-length": int, "tokenizer": str, "against": tuple, "presidio": tuple, "probe": tuple, "part-rows": int,
    "reward-model": tuple, "score-columns": tuple, "max-tokens": int, "device": str, "precision": str,
    "trust-remote-code": bool,
    "principles": tuple, "constitution": str,
    "embedder": str, "lens": str, "lens-features": int, "lens-active": int, "votes": str, "llm": str, "llm-url": str,
    "llm-pairs": int, "llm-price": str, "max-calls": int, "gate": dict, "baseline": str,
}  # fmt: skip


LEAST = 20_000_000  # bytes of --memory: DuckDB cannot work with much less than half of it
MEMORY = re.compile(r"(\d+(?:\.\d+)?) *(?:([KMGT])(i?))?B", re.IGNORECASE)


def size(memory: str) -> int:
    """Bytes of a size that was checked, as 4GB."""
    found = MEMORY.fullmatch(memory)
    assert found is not None, "sizes are checked where options are"
    power = " KMGT".index((found[2] or " ").upper())
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def half(memory: str) -> str:
    """What a statement of SQL may take of the memory; the same whatever the number of workers."""
    return f"{size(memory) // 2_000}KB"


def keyed(key: str) -> str:
    """The field of Options that a key of the file sets."""
    return {"with": "with_"}.get(key, key.replace("-", "_"))


COMMAND_LINE = "command line"


def load(path: Path | None, command_line: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Options:
    """Merge the three layers into Options.

    Args:
        path: the file of --config; None looks for prefaudit.toml, then pyproject.toml, in the current folder.
        command_line: values by Options field; None and empty values count as not given.
        environment: PREFAUDIT_SELECT, PREFAUDIT_FAIL_ON ...; lists are separated by commas.

    Raises:
        UsageError: the file is missing or no TOML, a key is unknown, a value has the wrong type; with file, line, table
            and key.
    """
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    source, table = _file(path)
    for key, value in table.items():
        origins[keyed(key)] = str(source)
        if key not in KINDS:
            error = unknown("key", key, KINDS)
            raise UsageError(f"{located(str(source), (key,))}: {error.message}", error.hint)
        try:
            merged[keyed(key)] = _typed(value, KINDS[key])
        except UsageError as error:
            raise placed(origins, (keyed(key),), error) from error
    for key, kind in KINDS.items():
        name = "PREFAUDIT_" + key.upper().replace("-", "_")
        if kind is not dict and environment.get(name):
            merged[keyed(key)], origins[keyed(key)] = _from_text(name, environment[name], kind), name
    given = {k: v for k, v in command_line.items() if v is not None and v != () and v != {}}
    if "map" in given:  # field by field: the command line adds to the table of the file
        given["map"] = {**merged.get("map", {}), **given["map"]}
    origins |= dict.fromkeys(given, COMMAND_LINE)
    if merged.get("trust_remote_code") and "trust_remote_code" not in given:
        refused = UsageError("code is run only on the command line's word", "say --trust-remote-code with the command")
        raise placed(origins, ("trust_remote_code",), refused)
    try:
        return checked({**merged, **given, "origins": origins})
    except UsageError as error:
        name = next((n for n in origins if error.message.startswith(f"--{n.replace('_', '-')} ")), "")
        raise placed(origins, (name,), error) if name else error from error


def placed(origins: Mapping[str, str], path: Keys, error: AuditError) -> UsageError:
    """An error about a value, with the file, line, table and key it was read from.

    Args:
        origins: of the Options.
        path: an Options field, then the keys below it.
        error: what is wrong with it.
    """
    origin = origins.get(str(path[0]), "")
    if origin == COMMAND_LINE:
        return UsageError(error.message, error.hint)
    key = str(path[0]).rstrip("_").replace("_", "-")
    where = located(origin, (key, *path[1:])) if origin.endswith(".toml") else origin or place("", "", path)
    return UsageError(f"{where}: {error.message}", error.hint)


def located(file: str, path: Keys) -> str:
    """File, line, table and key of a value in a configuration file."""
    whole = ("tool", "prefaudit", *path) if Path(file).name == "pyproject.toml" else path
    return place(file, Path(file).read_text(encoding="utf-8-sig"), whole)


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
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # editors on Windows write a mark before it
    except FileNotFoundError as error:
        raise UsageError(f"no configuration file {path}", "check the path given to --config") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "it has to be TOML, see docs/configuration.md") from error


def _typed(value: Any, kind: type) -> Any:
    if kind is tuple:
        values = [value] if isinstance(value, str) else value
        if isinstance(values, list) and all(isinstance(v, str) for v in values):
            return tuple(values)
        raise UsageError(f"has to be a list of strings, not {value!r}", 'for example ["LEN", "DUP001"]')
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {str: "text in quotes", int: "whole number", dict: "table", bool: "true or false"}
        raise UsageError(f"has to be a {words[kind]}, not {value!r}", "see docs/configuration.md")
    return value


def _from_text(name: str, text: str, kind: type) -> Any:
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            raise UsageError(f"{name} has to be true or false, not {text!r}", "unset it or correct it")
        return text.lower() in ("true", "1")
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
    for name in ("sample", "workers", "part_rows", "max_length", "max_tokens", "lens_features", "lens_active",
                 "llm_pairs"):  # fmt: skip
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(
                f"--{name.replace('_', '-')} has to be at least 1, not {value}", "leave it out for the default"
            )
    if options.seed < 0:
        raise UsageError(f"--seed has to be 0 or more, not {options.seed}", "any whole number will do")
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", options.device):
        raise UsageError(f"--device cannot be {options.device!r}", "choose auto, cpu, cuda, cuda:1 or mps")
    if options.precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"--precision cannot be {options.precision!r}", "choose auto, float32 or bfloat16")
    if not re.fullmatch(r"local|ray(:.+)?", options.runner):
        raise UsageError(f"--runner cannot be {options.runner!r}", "choose local, ray or ray:ADDRESS")
    if not MEMORY.fullmatch(options.memory):
        raise UsageError(f"--memory cannot be {options.memory!r}", "a number and a unit, as 500MB or 4GB")
    if size(options.memory) < LEAST:
        raise UsageError(f"--memory {options.memory} is too little to work with", "a scan takes some 600MB; say 500MB")
    try:
        _tables(options)
    except gates.GateError as error:
        raise placed(options.origins, error.path, error) from error
    if options.lens_active and options.lens_active > (options.lens_features or options.lens_active):
        raise UsageError("--lens-active cannot be more than --lens-features", "4 of 32 is usual")
    if options.max_calls is not None and options.max_calls < 0:
        raise UsageError(f"--max-calls has to be 0 or more, not {options.max_calls}", "0 shows what would be asked")
    if options.votes and options.llm:
        raise UsageError("--votes and --llm exclude each other", "votes are read from the file, or the model is asked")
    if bool(options.llm) != bool(options.llm_url):
        raise UsageError("--llm and --llm-url belong together", "--llm MODEL --llm-url http://localhost:8000/v1")
    _unasked(options)
    if re.search(r"[?@]", options.llm_url or ""):
        raise UsageError("--llm-url has a user or a query, where keys stand", "put the key into PREFAUDIT_LLM_KEY")
    if options.llm_price is not None and not re.fullmatch(r"\d+(\.\d+)?,\d+(\.\d+)?", options.llm_price):
        raise UsageError(f"--llm-price cannot be {options.llm_price!r}", "dollars per million tokens, as 0.15,0.60")
    if options.without and any(not name.startswith("+") for name in options.with_):
        raise UsageError("--with and --without exclude each other", "--with names exactly the groups to run")
    cores = os.cpu_count() or 1
    return replace(options, workers=min(options.workers, cores)) if options.workers else options


def _unasked(options: Options) -> None:
    """Refuse what is said of calls to a language model where none is named; a file or a variable may say it always."""
    judged = any("judge+" in name for name in (*options.probe, *options.reward_model))
    for name, asks in (("max_calls", judged), ("llm_price", judged), ("llm_pairs", False)):
        here = options.origins.get(name, COMMAND_LINE) == COMMAND_LINE
        if here and getattr(options, name) is not None and not (options.llm or asks):
            raise UsageError(f"--{name.replace('_', '-')} without a language model", "add --llm, or leave it out")


def _tables(options: Options) -> None:
    """The tables of the configuration: what can be wrong whatever the rules are."""
    wrong = [f"{field}={column!r}" for field, column in options.map.items() if not isinstance(column, str)]
    if wrong:
        raise UsageError(f"map: {wrong[0]} names no column", "a column's name, in quotes")
    for code, values in options.params.items():
        if not isinstance(values, Mapping):
            raise gates.GateError(("params", code), f"has to be a table, not {values!r}", f"[params.{code}]")
        for name, value in values.items():
            if not isinstance(value, int | float | str) or (isinstance(value, float) and not math.isfinite(value)):
                raise gates.GateError(("params", code, name), f"cannot be {value!r}", "a number, as ratio = 3.0")
    for code, severity in options.severity.items():
        if not isinstance(severity, str):
            raise gates.GateError(("severity", code), f"cannot be {severity!r}", 'for example "warning"')
    gates.read(options.gate)

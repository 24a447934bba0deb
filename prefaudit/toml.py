"""On which lines of a TOML file its keys stand, for messages and for `prefaudit config show`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]

LONGEST = 1_000  # lines; beyond, a message names the file alone


def places(text: str) -> dict[Path, int]:
    """The line, from 1, on which every key and table of a TOML text begins.

    The text is parsed anew up to each line: what is there then and was not before stands on the lines just added. So
    quoted keys, dotted keys and values of several lines need no parser of our own.

    Returns:
        Path (an entry of an array of tables by its number) to line; empty for a text that is no TOML or longer than
        LONGEST.
    """
    lines = text.splitlines()
    found: dict[Path, int] = {}
    begins = 0
    for number in range(1, len(lines) + 1) if len(lines) <= LONGEST else ():
        try:
            table = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        first = next((k for k in range(begins, number) if lines[k].strip() and lines[k].lstrip()[0] != "#"), begins)
        for path in _paths(table):
            found.setdefault(path, first + 1)
        begins = number
    return found


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value):
            yield from _paths(inner, (*path, number))


def place(file: str, text: str, path: Path) -> str:
    """File, line, table and key, as `prefaudit.toml:7: [gate.DUP001] error_if`."""
    lines = places(text)
    line = next((at for depth in range(len(path), 0, -1) if (at := lines.get(path[:depth]))), None)
    *table, key = [str(part) for part in path if not isinstance(part, int)]
    start = f"{file}:{line}: " if line is not None else f"{file}: " if file else ""
    return start + _dotted(table) + key


def _dotted(table: list[str]) -> str:
    return f"[{'.'.join(table)}] " if table else ""

"""Some rows of a source as Python values, and what their values look like."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pyarrow as pa


class Sample:
    """Some rows of the source as Python values, under a layout's names."""

    def __init__(self, table: pa.Table, kinds: dict[str, str], renames: dict[str, str] | None = None) -> None:
        """`table` has the columns of `kinds`; JSON columns are parsed."""
        self.table = table
        self.kinds = kinds
        self.renames = renames or {}
        self._cache: dict[str, list[Any]] = {}

    def renamed(self, renames: dict[str, str]) -> Sample:
        """The same rows under other names."""
        other = Sample(self.table, self.kinds, renames)
        other._cache = self._cache
        return other

    def __contains__(self, name: str) -> bool:
        return self.renames.get(name, name) in self.kinds

    def values(self, name: str) -> list[Any]:
        """Values that are not null; a text column that holds JSON lists or objects throughout is parsed."""
        real = self.renames.get(name, name)
        if real not in self.kinds:
            return []
        if real not in self._cache:
            raw = [v for v in self.table.column(real).to_pylist() if v is not None]
            if self.kinds[real] == "json":
                raw = [v for v in map(loads, raw) if v is not None]
            self._cache[real] = parsed(raw) or raw
        return self._cache[real]

    def texts(self, name: str) -> list[str]:
        """The values that are strings."""
        return [v for v in self.values(name) if isinstance(v, str)]

    def share(self, name: str, test: Callable[[Any], bool]) -> float:
        """Share of the values that pass a test; 0 where there is none."""
        values = self.values(name)
        return sum(map(test, values)) / len(values) if values else 0.0

    @cached_property
    def decoded(self) -> list[str]:
        """Source columns whose strings hold JSON."""
        out = []
        for name, kind in self.kinds.items():
            raw = [v for v in self.table.column(name).to_pylist() if v is not None]
            raw = [v for v in map(loads, raw) if v is not None] if kind == "json" else raw
            if parsed(raw) is not None:
                out.append(name)
        return out


def loads(text: str) -> Any:
    """A JSON value; the text itself where it is none, or nested too deeply to be data."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parsed(values: list[Any]) -> list[Any] | None:
    """Strings that are all JSON lists or messages, parsed; None where they are not."""
    if not values or not all(isinstance(v, str) and v[:1] in "[{" and v[-1:] in "]}" for v in values):
        return None
    found = [loads(v) for v in values]
    return found if all(is_conversation(v) or is_texts(v) for v in found) else None


def is_message(value: Any) -> bool:
    """A {role, content} or {from, value} object."""
    return isinstance(value, dict) and (("role" in value and "content" in value) or {"from", "value"} <= value.keys())


def is_conversation(value: Any) -> bool:
    """One message, or a list of messages."""
    return is_message(value) or (isinstance(value, list) and bool(value) and all(map(is_message, value)))


def is_texts(value: Any) -> bool:
    """A list of strings; empty ones pass."""
    return isinstance(value, list) and all(isinstance(v, str) or v is None for v in value)


def is_answer(value: Any) -> bool:
    """Anything an answer can be written as."""
    return isinstance(value, str) or is_conversation(value) or (is_texts(value) and bool(value))


def is_transcript(value: Any) -> bool:
    """A whole conversation in one text, as HH-RLHF writes it."""
    return isinstance(value, str) and "Human:" in value and "\n\nAssistant:" in value


def is_number(value: Any) -> bool:
    """A number, or a text that is one."""
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def fine(_: Sample) -> str:
    """The check of a layout whose column names say enough."""
    return ""

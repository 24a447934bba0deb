"""One source column, and all of them, as SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa

from prefaudit.formats import sql
from prefaudit.formats.sql import MSGS, PROMPT

PLACE = ("source_row", "file", "line", "group_row", "group_size", "group_index")
"""Columns of a part that say where a row stands; they are never data."""


@dataclass(frozen=True)
class Col:
    """One source column as SQL. `raw` is its identifier, `kind` text or json; a decoded column's text holds JSON,
    and a JSON column of `strings` holds nothing but strings and nulls in the part at hand."""

    raw: str
    kind: str
    decoded: bool = False
    strings: bool = False

    @property
    def plain(self) -> bool:
        """Whether the column is nothing but text."""
        return (self.kind == "text" or self.strings) and not self.decoded

    @property
    def json(self) -> str:
        """The value as JSON; a text that does not hold JSON becomes a JSON string."""
        text = self.raw if self.kind == "text" else f"pf_string({self.raw})"
        if self.decoded:
            other = "null" if self.kind == "text" else f"{self.raw}::json"
            # half of a surrogate pair, as arena exports have it, is no valid JSON: such escapes become U+FFFD
            mended = f"regexp_replace({text}, '\\\\u[dD][89a-fA-F][0-9a-fA-F][0-9a-fA-F]', '\\\\ufffd', 'g')"
            return f"coalesce(try_cast({text} as json), try_cast({mended} as json), to_json({text}), {other})"
        return f"to_json({self.raw})" if self.kind == "text" else f"{self.raw}::json"

    @property
    def _value(self) -> str:
        """JSON that need not be checked once more."""
        return self.raw if self.kind == "json" and not self.decoded else self.json

    @property
    def text(self) -> str:
        """The value as text: strings and scalars; null for lists, objects and null."""
        if self.strings:
            return f"({self.raw}->>'$')"
        return self.raw if self.kind == "text" else f"pf_scalar({self.raw})"

    @property
    def string(self) -> str:
        """The value where it is a string, else null."""
        if self.strings:
            return f"({self.raw}->>'$')"
        return self.raw if self.kind == "text" else f"pf_string({self.raw})"

    @property
    def number(self) -> str:
        """The value as a double, null where it is no number."""
        return f"try_cast({self.text} as double)"

    @property
    def truth(self) -> str:
        """The value as a boolean, null where it is none."""
        return (
            f"case when lower({self.text}) in ('true', '1', '1.0', 'yes') then true "
            f"when lower({self.text}) in ('false', '0', '0.0', 'no') then false end"
        )

    @property
    def prompt(self) -> str:
        """The value as PROMPT."""
        if self.plain:
            text = f"case when txt is null then []::{MSGS} else {sql.prompt_text('txt')} end"
            return sql.let(self.text, "txt", f"{{'m': {text}, 'bad': null}}::{PROMPT}")
        return _once(self._value, sql.prompt_json)

    @property
    def answer(self) -> str:
        """The value as ANSWER."""
        if self.plain:
            return f"case when {self.text} is null then null else pf_plain({self.text}) end"
        return _once(self._value, sql.answer_json)


def _once(value: str, build: Callable[[str], str]) -> str:
    return f"(list_transform([{value}], lambda js: {build('js')})[1])"


def alias(columns: dict[str, str], name: str) -> str:
    """The SQL name of a source column: its place, so that no name a dataset gives can clash with ours."""
    return f"col_{list(columns).index(name)}"


def aliased(table: pa.Table, columns: dict[str, str]) -> pa.Table:
    """The table with its source columns under their SQL names."""
    names = {name: f"col_{n}" for n, name in enumerate(columns)}
    return table.rename_columns([names.get(name, name) for name in table.column_names])


class Columns:
    """The source's columns under the names a layout gives them; remembers which were asked for."""

    def __init__(
        self,
        kinds: dict[str, str],
        renames: dict[str, str],
        decoded: Iterable[str] = (),
        options: dict[str, str] | None = None,
        strings: Iterable[str] = (),
    ) -> None:
        """`renames` maps a layout's column name to the source's; `options` are what detection read from values."""
        self.kinds = kinds
        self.renames = renames
        self.decoded = frozenset(decoded)
        self.options = options or {}
        self.strings = frozenset(strings)
        self.used: set[str] = set()

    def real(self, name: str) -> str:
        """The source's name of a layout's column."""
        return self.renames.get(name, name)

    def __contains__(self, name: str) -> bool:
        return self.real(name) in self.kinds

    def __getitem__(self, name: str) -> Col:
        real = self.real(name)
        self.used.add(real)
        return Col(alias(self.kinds, real), self.kinds[real], real in self.decoded, real in self.strings)

    def get(self, *names: str) -> Col | None:
        """The first of these columns that the source has, or None."""
        return next((self[name] for name in names if name in self), None)

    def text(self, *names: str) -> str:
        """SQL text of the first of these columns that exists, else null."""
        found = self.get(*names)
        return found.text if found else "null"

    def number(self, *names: str) -> str:
        """SQL number of the first of these columns that exists, else null."""
        found = self.get(*names)
        return found.number if found else "null"

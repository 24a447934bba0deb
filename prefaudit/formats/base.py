"""What a layout is made of: columns as SQL, one reading of a row as a pair, and what detection found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from prefaudit.formats import sql
from prefaudit.formats.sql import MSGS, PROMPT

PLACE = ("source_row", "file", "line", "group_row", "group_size", "group_index")
"""Columns of a part that say where a row stands; they are never data."""

PairDict = dict[str, Any]
"""A canonical pair as Python values: prompt (messages), chosen, rejected, label and what else PAIRS has."""


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
            return f"coalesce(try_cast({text} as json), to_json({text}), {other})"
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


@dataclass(frozen=True)
class Reading:
    """How a row becomes a pair of a first and a second answer, as SQL over `source`.

    `prompt` is a PROMPT, `a` and `b` are ANSWERs. `label` is a, b, tie or both_bad, null where unknown; a constant
    "'a'" says that the first is the chosen one. `first` is 1 where a was presented first, 0 where b was. `votes` are
    VOTES for a. `margin` is the strength of the label, `reason` a skip of the layout's own. `keys` order the pairs of
    one source row. `single` allows one answer to be missing. `text_a` and `text_b` replace `a` and `b` where both
    columns are plain text, and `text_prompt` the prompt, so that no structure is built for them.
    """

    prompt: str
    a: str
    b: str
    label: str = "'a'"
    first: str = "null"
    margin: str = "null"
    score_a: str = "null"
    score_b: str = "null"
    source: str = "null"
    annotator: str = "null"
    model_a: str = "null"
    model_b: str = "null"
    votes: str = "null"
    extra: str | None = None
    reason: str = "null"
    table: str = "part"
    keys: tuple[str, ...] = ()
    row_a: str = "source_row"
    row_b: str = "source_row"
    single: bool = False
    text_prompt: str | None = None
    text_a: str | None = None
    text_b: str | None = None


Read = Callable[[Columns], Reading]
Rows = Callable[[list[PairDict]], list[dict[str, Any]]]


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
    """A JSON value; the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
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


@dataclass(frozen=True)
class Layout:
    """One way of writing preferences down.

    `wants` are the columns that must be there, `read` turns them into a Reading, `fits` looks at the values and
    returns what speaks against the layout ("" where nothing does). `fields` name the layout's columns by canonical
    field for --map. `rows` writes canonical pairs the layout's way; `carries` are the PAIRS columns that survive it.
    `beats` names layouts this one is preferred to; `group` is the SQL key by which a layout that `regroups` brings
    source rows together. A `hidden` layout is never detected, only asked for by name.
    """

    name: str
    title: str
    about: str
    wants: tuple[str, ...]
    read: Read
    rows: Rows
    fits: Callable[[Sample], str] = fine
    fields: dict[str, str] = field(default_factory=dict)
    carries: tuple[str, ...] = ()
    verified: bool = False
    pairs_per_row: int = 1
    group: Callable[[Columns], str] | None = None
    beats: tuple[str, ...] = ()
    hidden: bool = False
    choices: Callable[[Sample], dict[str, str]] | None = None

    @property
    def regroups(self) -> bool:
        """Whether pairs come from several source rows, so that `regroup` must run first."""
        return self.group is not None


@dataclass(frozen=True)
class Detected:
    """A layout and how it meets this source.

    `columns` are the source's columns with their kinds, `decoded` those whose text holds JSON, `kept` those that go
    to `extra`, `options` what the values said (label encodings).
    """

    layout: Layout
    columns: dict[str, str]
    mapping: dict[str, str]
    why: str
    warnings: tuple[str, ...] = ()
    decoded: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)

    def view(self, strings: Iterable[str] = ()) -> Columns:
        """The columns as the layout names them; `strings` are JSON columns that hold nothing but strings."""
        return Columns(self.columns, renames(self.layout, self.mapping), self.decoded, self.options, strings)


def renames(layout: Layout, mapping: dict[str, str]) -> dict[str, str]:
    """The layout's column names that a mapping replaces."""
    return {layout.fields[f]: column for f, column in mapping.items() if f in layout.fields}


def sides(c: Columns, a: str, b: str, prompt: str | None = None) -> Reading:
    """The reading of a row with two answer columns and at most one prompt column."""
    first, second = c[a], c[b]
    asked = c[prompt] if prompt else None
    plain = first.plain and second.plain
    return Reading(
        prompt=asked.prompt if asked else f"{{'m': [], 'bad': null}}::{PROMPT}",
        a=first.answer,
        b=second.answer,
        text_a=first.text if plain else None,
        text_b=second.text if plain else None,
        text_prompt=asked.text if asked and asked.plain else None,
    )


def with_system(c: Columns, reading: Reading, *names: str) -> Reading:
    """Put a system prompt that stands in a column of its own before the prompt."""
    found = c.get(*names)
    if found is None:
        return reading
    lead = (
        f"case when coalesce({found.string}, '') = '' then []::{MSGS} "
        f"else [{{'role': 'system', 'content': {found.string}}}] end"
    )
    body = f"(list_transform([{reading.prompt}], lambda pr: {{'m': {lead} || pr.m, 'bad': pr.bad}}::{PROMPT})[1])"
    return replace(reading, prompt=body, text_prompt=None)


def items(select: str, *, ranked: bool = False, same: str = "") -> Reading:
    """Pairs of every two answers to one prompt.

    `select` is SQL for one row an answer: g (number of the group), source_row, i (place in the group), n (group
    size), prompt PROMPT, answer ANSWER, score (higher is better), model, source, annotator, extra. Up to 20 answers
    give every pair; in a larger group each answer meets the 10 that follow it, so that one huge group cannot square
    the dataset. With `ranked` the score is a negated rank: the margin is the difference in rank and no score is kept.
    `same` is a condition on x and y that a pair must meet.
    """
    where = f" and ({same})" if same else ""
    table = (
        f"(with items as ({select}) select x.g as g, x.i as i, y.i as j, x.source_row as xr, y.source_row as yr, "
        "x.prompt as prompt, x.answer as a, y.answer as b, x.score as sa, y.score as sb, x.model as ma, y.model as mb, "
        "x.source as src, x.annotator as ann, x.extra as ex, y.extra as ey "
        f"from items x join items y on x.g = y.g and x.i < y.i and (x.n <= 20 or y.i - x.i <= 10){where})"
    )
    return Reading(
        prompt="prompt",
        a="a",
        b="b",
        label=sql.compare("sa", "sb"),
        table=table,
        keys=("g", "i", "j"),
        row_a="xr",
        row_b="yr",
        margin="abs(sa - sb)" if ranked else "null",
        score_a="null" if ranked else "sa",
        score_b="null" if ranked else "sb",
        source="src",
        annotator="ann",
        model_a="ma",
        model_b="mb",
        extra="case when ex is null and ey is null then null when ex = ey or ey is null then ex "
        "else json_object('a', ex::json, 'b', ey::json)::varchar end",
        reason="case when a.text is not null and b.text is not null and (sa is null or sb is null) "
        "then 'a score is missing' end",
    )

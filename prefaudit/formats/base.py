"""What a layout is made of: a reading of a row as a pair, how it is recognised and written, what detection found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from prefaudit.formats.columns import Columns
from prefaudit.formats.sample import Sample, fine

PairDict = dict[str, Any]
"""A canonical pair as Python values: prompt (messages), chosen, rejected, label and what else PAIRS has."""


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


@dataclass(frozen=True)
class Layout:
    """One way of writing preferences down.

    `wants` are the columns that must be there, `read` turns them into a Reading, `fits` looks at the values and
    returns what speaks against the layout ("" where nothing does). `fields` name the layout's columns by canonical
    field for --map. `rows` writes canonical pairs the layout's way; `carries` are the PAIRS columns that survive it.
    `beats` names layouts this one is preferred to; `group` is the SQL key by which a layout that `regroups` brings
    source rows together. A `hidden` layout is never detected, only asked for by name. `keeps` are columns that go to
    `extra` though the layout reads them.
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
    keeps: tuple[str, ...] = ()

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

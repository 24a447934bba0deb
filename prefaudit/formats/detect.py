"""Which layout a source has: from the names of its columns and from their values."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from prefaudit.core import FormatError, unknown
from prefaudit.formats.base import Detected, Layout, renames
from prefaudit.formats.pairs import data_columns, reading
from prefaudit.formats.sample import Sample, is_conversation

FIELDS = (
    "prompt",
    "system",
    "chosen",
    "rejected",
    "response_a",
    "response_b",
    "label",
    "completion",
    "margin",
    "source",
    "annotator",
    "model_chosen",
    "model_rejected",
    "model_a",
    "model_b",
    "first",
    "score_chosen",
    "score_rejected",
    "score_a",
    "score_b",
    "score",
    "model",
    "group",
)
"""What --map can name."""

LITERALS = ("label_a", "label_b", "label_tie")
"""What --map gives a value, not a column: the words by which a label names its sides."""

LONG = 600


def detect(
    layouts: tuple[Layout, ...],
    columns: Mapping[str, str],
    sample: pa.Table,
    name: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Detected:
    """Find the layout of a source.

    Args:
        layouts: those to choose from.
        columns: source columns to text or json.
        sample: some rows with these columns.
        name: the layout the user asks for, if any.
        mapping: canonical field to column, from --map.

    Raises:
        UsageError: an unknown layout, field or column.
        FormatError: no layout fits, or several do.
    """
    columns = data_columns(dict(columns))
    mapping = dict(mapping or {})
    _check(columns, mapping)
    seen = Sample(sample, columns)
    if name is not None:
        return _named(layouts, name, columns, mapping, seen)
    mapping = _with_prompt(columns, mapping)
    direct = _direct(layouts, mapping)
    if direct is not None:
        against = _against(direct, columns, mapping, seen)
        if against:
            raise FormatError(f"--map does not give pairs: {against}", "see `prefaudit formats`")
        return _found(direct, columns, mapping, seen, "--map names the columns")
    fitting = [layout for layout in layouts if not layout.hidden and not _against(layout, columns, mapping, seen)]
    best = _best(fitting)
    if len(best) == 1:
        named = ", ".join(f"`{renames(best[0], mapping).get(w, w)}`" for w in best[0].wants)
        return _found(best[0], columns, mapping, seen, f"columns {named}")
    if best:
        names = ", ".join(layout.name for layout in best)
        raise FormatError(f"more than one layout fits: {names}", f"choose one with --format {best[0].name}")
    raise _nothing(layouts, columns, mapping, seen)


def _check(columns: dict[str, str], mapping: dict[str, str]) -> None:
    for field, column in mapping.items():
        if field in LITERALS:
            continue
        if field not in FIELDS:
            raise unknown("field in --map", field, (*FIELDS, *LITERALS))
        if column not in columns:
            raise unknown("column in --map", column, columns)


def _named(
    layouts: tuple[Layout, ...], name: str, columns: dict[str, str], mapping: dict[str, str], seen: Sample
) -> Detected:
    layout = next((one for one in layouts if one.name == name), None)
    if layout is None:
        raise unknown("format", name, [one.name for one in layouts])
    names = renames(layout, mapping)
    missing = [w for w in layout.wants if names.get(w, w) not in columns]
    if missing:
        field = next((f for f, column in layout.fields.items() if column == missing[0]), None)
        raise FormatError(
            f"layout {name} wants the column {missing[0]!r}; the columns are {_listed(columns)}",
            f"name it with --map {field}=COLUMN" if field else f"see `prefaudit formats`: {layout.about}",
        )
    against = layout.fits(seen.renamed(names))
    warnings = (f"the values do not look like layout {name}: {against}",) if against else ()
    return replace(_found(layout, columns, mapping, seen, "--format names it"), warnings=warnings)


PROMPTS = ("prompt", "instruction", "question", "query", "context", "input")


def _with_prompt(columns: dict[str, str], mapping: dict[str, str]) -> dict[str, str]:
    """The mapping, and where it names the answers but no prompt, the column that goes by a prompt's name."""
    answers = (
        {"chosen", "rejected"},
        {"response_a", "response_b", "label"},
        {"completion", "label"},
        {"completion", "score"},
    )
    if "prompt" in mapping or not any(fields <= mapping.keys() for fields in answers):
        return mapping
    free = [name for name in PROMPTS if name in columns and name not in mapping.values()]
    return {**mapping, "prompt": free[0]} if free else mapping


def _direct(layouts: tuple[Layout, ...], mapping: dict[str, str]) -> Layout | None:
    """The generic layout that a mapping spells out, if it does."""
    if {"chosen", "rejected"} <= mapping.keys():
        wanted = "columns" if "prompt" in mapping else "columns-implicit"
    elif {"response_a", "response_b", "label"} <= mapping.keys():
        wanted = "columns-judged"
    elif {"completion", "label"} <= mapping.keys():
        wanted = "columns-unpaired"
    elif {"completion", "score"} <= mapping.keys():
        wanted = "columns-scored"
    else:
        return None
    return next((layout for layout in layouts if layout.name == wanted), None)


def _against(layout: Layout, columns: dict[str, str], mapping: dict[str, str], seen: Sample) -> str:
    """What speaks against a layout; empty where it fits."""
    names = renames(layout, mapping)
    missing = [names.get(w, w) for w in layout.wants if names.get(w, w) not in columns]
    if missing:
        return f"no column {', '.join(map(repr, missing))}"
    return layout.fits(seen.renamed(names))


def _best(fitting: list[Layout]) -> list[Layout]:
    """Those that no other fitting layout is more particular than."""
    beaten = {loser for layout in fitting for loser in layout.beats}
    left = [layout for layout in fitting if layout.name not in beaten]
    return [a for a in left if not any(set(a.wants) < set(b.wants) for b in left)]


def _found(layout: Layout, columns: dict[str, str], mapping: dict[str, str], seen: Sample, why: str) -> Detected:
    named = seen.renamed(renames(layout, mapping))
    options = layout.choices(named) if layout.choices else {}
    options |= {field: value for field, value in mapping.items() if field in LITERALS}
    decoded = tuple(seen.decoded)
    first = Detected(layout, columns, mapping, why, (), decoded, (), options)
    view = first.view()
    reading(first, view)
    claimed = (view.used | set(mapping.values())) - set(layout.keeps)
    kept = tuple(name for name in columns if name not in claimed and _light(seen, name))
    return replace(first, kept=kept)


def _light(seen: Sample, name: str) -> bool:
    """Whether a column goes to `extra`: it has values, and they are neither long nor a conversation."""
    values = seen.values(name)
    if not values or any(is_conversation(v) for v in values[:20]) or not name:
        return False
    size = sum(len(v) if isinstance(v, str) else len(json.dumps(v, ensure_ascii=False)) for v in values)
    return size <= LONG * len(values)


def _listed(columns: dict[str, str]) -> str:
    names = [repr(name) for name in columns]
    return ", ".join(names[:24]) + (f" and {len(names) - 24} more" if len(names) > 24 else "")


def _nothing(
    layouts: tuple[Layout, ...], columns: dict[str, str], mapping: dict[str, str], seen: Sample
) -> FormatError:
    """The error that names the columns seen and the layouts that come nearest."""

    def score(layout: Layout) -> tuple[float, int]:
        names = [renames(layout, mapping).get(w, w) for w in layout.wants]
        near = [max((difflib.SequenceMatcher(None, n, c).ratio() for c in columns), default=0.0) for n in names]
        return sum(1.0 if n in columns else x / 2 for n, x in zip(names, near, strict=True)) / len(names), len(names)

    near = sorted((one for one in layouts if not one.hidden), key=score, reverse=True)[:3]
    said = "; ".join(f"{layout.name} ({_against(layout, columns, mapping, seen)})" for layout in near)
    return FormatError(
        f"no layout fits the columns {_listed(columns)}; nearest: {said}",
        "name the columns: --map prompt=COLUMN --map chosen=COLUMN --map rejected=COLUMN, or "
        "--map prompt=COLUMN --map response_a=COLUMN --map response_b=COLUMN --map label=COLUMN",
    )

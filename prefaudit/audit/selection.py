"""Which extractors an audit runs, each with the options that are its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import polars as pl

from prefaudit.config import Options
from prefaudit.core import PAIRS, Extractor, UsageError, unknown
from prefaudit.extractors import EXTRACTORS, GROUPS, ON_REQUEST, SAMPLED
from prefaudit.extractors._classified import taken_over
from prefaudit.principles.library import measurable

ASKING = ("llm", "llm_url", "llm_pairs", "votes", "embedder", "lens", "lens_features", "lens_active")
"""Options that have more measured than the extractors with a field of that name: told again to those it was told to."""


def choose(options: Options) -> tuple[Extractor, ...]:
    """The extractors to run: exactly the named groups, or all default groups but some; `groups` always.

    A group named with a plus, as +consensus, is added to the default ones. Of an audit that is there (`reopened`) the
    lens and its names are measured where they were, and what was asked of a language model is asked of it alone.

    Raises:
        UsageError: no such group, or some are named with a plus and some without.
    """
    before = options.reopened
    added = {name[1:] for name in options.with_ if name.startswith("+")}
    exact = {name for name in options.with_ if not name.startswith("+")}
    if added and exact:
        raise UsageError("--with names some groups with a plus and some without",
                         f"either exactly these groups, or the default ones and +{min(added)}")  # fmt: skip
    for name in (*exact, *added, *options.without):
        if name not in GROUPS:
            raise unknown("extractor group", name, GROUPS)
    lens = options.embedder or options.lens or options.lens_features or options.lens_active or "lens" in before
    asked = {"lens"} if lens else set()
    if options.probe and ("probes" in options.without or (exact and "probes" not in exact)):
        raise UsageError("--probe replaces a probe, and the group probes is left out", "leave out one of the two")
    if not (options.llm or options.votes or "asked" in before):
        measurable(options.principles)
    spared = {name for name, needs in SAMPLED.items() if not needs.isdisjoint(options.without)}
    wanted = exact or (set(GROUPS) - ON_REQUEST - spared | asked | added) - set(options.without)
    names = {"groups"} | {extractor for group in wanted for extractor in GROUPS[group]}
    called = (options.llm or "names" in before) and "lens" in names and "names" not in options.without
    names |= {"names"} if called else set()
    vectors = "lens" in wanted or "embed" in before or bool(options.embedder or options.lens)
    unnamed = "consensus" not in exact | added and before.get("consensus", {}).get("sampled", True)
    given = {**vars(options), "vectors": vectors, "sampled": unnamed}
    return in_order({cls.name: configured(cls, given | _told_before(cls.name, options)) for cls in EXTRACTORS}, names)


def _told_before(name: str, options: Options) -> dict[str, Any]:
    """Of ASKING, what an extractor of an audit that is there was told and this command does not say."""
    plain, fields = Options(), options.reopened.get(name, {})
    said = {option for option in ASKING if getattr(options, option) != getattr(plain, option)}
    said |= {"llm", "llm_url", "votes"} if said & {"llm", "votes"} else set()
    return {option: fields[option] for option in ASKING if option in fields and option not in said}


def configured(cls: type[Extractor], values: Mapping[str, Any]) -> Extractor:
    """An extractor whose fields that bear the name of an option have its value, where one was given."""
    given = {f.name: values[f.name] for f in fields(cls) if values.get(f.name) is not None}  # type: ignore[arg-type]
    return taken_over(cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}), values)


def recorded(extractors: Sequence[Extractor]) -> dict[str, dict[str, Any]]:
    """What `configured` needs to make the same extractors again, of those that have fields."""
    told = {e.name: {f.name: getattr(e, f.name) for f in fields(e) if f.name != "inner"}  # type: ignore[arg-type]
            for e in extractors}  # fmt: skip
    told |= {e.name: told[e.name] | vars(e.inner) for e in extractors if hasattr(e, "inner")}
    return {
        name: {k: list(v) if isinstance(v, tuple) else v for k, v in said.items()}
        for name, said in told.items()
        if said
    }


def in_order(made: Mapping[str, Extractor], names: set[str]) -> tuple[Extractor, ...]:
    """The named extractors and what they need, each after what it needs."""
    names = set(names)
    pending = list(names)
    while pending:
        for need in made[pending.pop()].needs:
            if need not in names:
                names.add(need)
                pending.append(need)
    ordered: list[Extractor] = []
    while len(ordered) < len(names):
        done = {e.name for e in ordered}
        ordered += [e for n, e in made.items() if n in names and n not in done and done.issuperset(e.needs)]
    return tuple(ordered)


def column_names() -> set[str]:
    """Dotted names of everything a pair rule can read: PAIRS, and what the extractors write."""
    names = set(PAIRS)
    for cls in EXTRACTORS:
        for name, kind in cls().columns.items() if not hidden(cls()) else ():
            names.add(name)
            if isinstance(kind, pl.Struct):
                names.update(f"{name}.{field.name}" for field in kind.fields)
    return names


def hidden(extractor: Extractor) -> bool:
    """Whether its columns are working material for other extractors, which no rule and no report sees."""
    return bool(getattr(extractor, "hidden", False))

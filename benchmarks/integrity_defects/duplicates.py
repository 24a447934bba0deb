"""Duplicates and conflicts."""

from __future__ import annotations

import random

from integrity_defects.base import Row, defect, plain


def _keys(rows: list[Row]) -> list[tuple[str, str, str]]:
    return [(plain(r["prompt"]), plain(r["chosen"]), plain(r["rejected"])) for r in rows]


def repeated(rows: list[Row]) -> set[int]:
    """Rows that have the prompt, chosen and rejected of an earlier one, but for form."""
    seen, found = set(), set()
    for number, key in enumerate(_keys(rows)):
        if key in seen:
            found.add(number)
        seen.add(key)
    return found


def contradicted(rows: list[Row]) -> set[int]:
    """Rows whose two answers are labelled the other way elsewhere, but for form."""
    keys = _keys(rows)
    known = set(keys)
    return {n for n, (p, c, r) in enumerate(keys) if c != r and (p, r, c) in known}


@defect("exact pair", ("DUP001",), true=repeated)
def exact(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    rows += [dict(rows[number]) for number in own]
    return set(range(len(rows) - len(own), len(rows)))


@defect("swapped pair, labelled both ways", ("CNF001",), true=contradicted)
def swapped(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    rows += [{**rows[n], "chosen": rows[n]["rejected"], "rejected": rows[n]["chosen"]} for n in own]
    return {*own, *range(len(rows) - len(own), len(rows))}

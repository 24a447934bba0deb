"""The registry of planted defects.

A defect is a function that is given the rows of the dataset, the numbers of rows that are its own (no other defect
touches them) and a random generator. It changes those rows or appends rows, and returns the numbers of the rows that
carry the defect. Rows are dicts of `prompt`, `chosen`, `rejected` (texts) and of whatever other column a defect adds;
a column that a row lacks is null there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
_MARKS = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f\u2000-\u203f]")


def plain(text: str) -> str:
    """A text without case, white space, ASCII punctuation and typographic marks; as it stands where nothing is left."""
    return _MARKS.sub("", text.lower()) or text


Plant = Callable[[list[Row], list[int], random.Random], set[int]]


@dataclass(frozen=True)
class Planted:
    """What a defect of its own scan reports: rows that carry it, rows found, rows that are right to be found."""

    planted: set[int]
    found: set[int]
    true: set[int]


Own = Callable[[list[Row], list[int], random.Random, Path], Planted]


@dataclass(frozen=True)
class Defect:
    """One kind of defect.

    `found` says which rows of the finished audit count as found: rule codes, or a function of the audit. `true` gives
    all rows in which the defect holds by a plain reading of the rows, planted or natural: what it names counts as
    right. Without it only planted rows do. `right` is the same where it takes the audit to say what was claimed of a
    row: given rows and audit, the rows whose claim holds. `own` makes and scans a dataset of its own, where the defect
    is not in the rows of one file (a second file, another option); it is given copies of the rows. `holds` says, once
    all defects are planted, which of the planted rows carry this one by its definition; others do not count as planted.
    """

    name: str
    found: tuple[str, ...] | Callable[[Any], set[int]]
    plant: Plant | None = None
    true: Callable[[list[Row]], set[int]] | None = None
    own: Own | None = None
    n: int = 1000
    right: Callable[[list[Row], Any], set[int]] | None = None
    holds: Callable[[list[Row], set[int]], set[int]] | None = None


DEFECTS: list[Defect] = []


def defect(
    name: str, found: tuple[str, ...] | Callable[[Any], set[int]], *, n: int = 1000,
    true: Callable[[list[Row]], set[int]] | None = None, right: Callable[[list[Row], Any], set[int]] | None = None,
    holds: Callable[[list[Row], set[int]], set[int]] | None = None,
) -> Callable[[Plant], Plant]:  # fmt: skip
    """Register a function that plants."""

    def add(plant: Plant) -> Plant:
        DEFECTS.append(Defect(name, found, plant, true, None, n, right, holds))
        return plant

    return add


def own_scan(name: str, *, n: int = 1000) -> Callable[[Own], Own]:
    """Register a function that makes and scans a dataset of its own."""

    def add(own: Own) -> Own:
        DEFECTS.append(Defect(name, (), None, None, own, n))
        return own

    return add

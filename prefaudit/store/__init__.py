"""The audit folder: a directory of Parquet parts, each there whole or not at all, on a disk or an object store.

What is finished is a file in its place, so a run that was killed goes on from the missing parts. Parts of pairs carry
their recipe, the number of their first pair, and the source rows they stand for; `pairs/complete.json` says that the
source was read to its end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit.core import PAIRS, SKIPPED, AuditError
from prefaudit.store.files import whole, write_bytes, write_frame
from prefaudit.store.folder import OWNED, Folder

__all__ = ["OWNED", "Count", "Store", "write_bytes", "write_frame"]

PART = re.compile(r"part-(\d+)\.parquet")


@dataclass(frozen=True)
class Count:
    """What a part of pairs holds: the number of its first pair, how many, and the source rows they stand for."""

    first: int
    pairs: int
    rows: int


class Store(Folder):
    """One audit folder, as parts of pairs and of columns; see Folder."""

    def __init__(self, folder: str | Path, mirror: str | Path | None = None) -> None:
        super().__init__(folder, mirror)
        self._recipe: dict[str, Any] = {}
        self._parts: dict[str, set[int]] = {}  # of object stores: which are there, by kind
        self._counts: dict[int, Count] = {}
        self._total = 0

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it."""
        self._parts = {kind: parts for kind, parts in self._parts.items() if not f"{kind}/".startswith(f"{name}/")}
        if name == "pairs":
            self._counts, self._total = {}, 0
        super().remove(name)

    # -- pairs -----------------------------------------------------------------------------------------------------

    def begin_pairs(self, recipe: str, part_rows: int, *, shared: bool = False) -> bool:
        """Ready the folder for pairs made by this recipe; True where they are all there already.

        Pairs of another recipe, or cut into other parts, go, and what was measured of them too. With `shared`, others
        are at work in the folder.

        Raises:
            AuditError: it is shared and holds pairs of another recipe.
        """
        want = {"recipe": recipe, "part_rows": part_rows}
        have = self.load("pairs/recipe.json")
        if shared and have not in (None, want):
            raise AuditError(f"{self.name} holds pairs read in another way", "name another folder with -o")
        if have != want:
            for name in () if shared else ("features", "stats", "lens", "skipped", "shards", "pairs"):
                self.remove(name)
            self.save("pairs/recipe.json", want)
        self._recipe = want
        if (told := self.load("pairs/complete.json")) is None:
            return False
        if any(self.missing(kind, int(told["parts"])) for kind in ("pairs", "skipped")):
            self.remove("pairs/complete.json")  # a part was lost since, and is made again
            return False
        return True

    def join(self, recipe: str, part_rows: int) -> None:
        """Write parts of pairs that another process began.

        Raises:
            AuditError: it did not: the folder is not the same one here.
        """
        self._recipe = {"recipe": recipe, "part_rows": part_rows}
        if self.load("pairs/recipe.json") != self._recipe:
            raise AuditError(f"{self.name} is another folder on {os.uname().nodename}",
                             "a cluster needs a folder that all its machines share, or a URI")  # fmt: skip
        self._root = None if self.remote else self._stat()

    def part(self, kind: str, number: int) -> str:
        """Name of a part: kind is `pairs`, `skipped` or `features/<name>-<fingerprint>`."""
        return f"{kind}/part-{number:05d}.parquet"

    def write_pairs(self, number: int, pairs: pl.DataFrame, skipped: pl.DataFrame, rows: int) -> None:
        """Write one part: the skips first, so that the pairs' rename completes it."""
        first = int(pairs["row"][0]) if pairs.height else 0
        told = {"recipe": self._recipe.get("recipe", ""), "first": first, "pairs": pairs.height, "rows": rows}
        self.put_frame(self.part("skipped", number), skipped.select(list(SKIPPED)).cast(SKIPPED))  # type: ignore[arg-type]
        self.put_frame(self.part("pairs", number), pairs.select(list(PAIRS)), {k: str(v) for k, v in told.items()})
        self._counts[number] = Count(first, pairs.height, rows)

    def counted(self) -> dict[int, Count]:
        """The parts of pairs that are there, by number; those of another recipe or without their skips are not."""
        skips = self.numbers("skipped")
        found = {number: self._count(number) for number in sorted(self.numbers("pairs") & skips)}
        return {number: count for number, count in found.items() if count is not None}

    def part_pairs(self, number: int) -> int:
        """How many pairs a part holds."""
        count = self._count(number)
        return count.pairs if count else 0

    def _count(self, number: int) -> Count | None:
        if number not in self._counts:
            name = self.part("pairs", number)
            try:
                told = self.remote.metadata(name) if self.remote else pl.read_parquet_metadata(self.folder / name)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise self._damaged(name, error) from error
            if self._recipe and told.get("recipe") != self._recipe["recipe"]:
                return None
            if "first" not in told:
                raise AuditError(f"{self.folder} was written by another version of prefaudit", "scan the data again")
            self._counts[number] = Count(int(told["first"]), int(told["pairs"]), int(told["rows"]))
        return self._counts[number]

    # -- columns ---------------------------------------------------------------------------------------------------

    def parts(self) -> int:
        """Number of parts of a completely read source."""
        if not self._total:
            self._total = int((self.load("pairs/complete.json") or {}).get("parts", 0))
        return self._total

    def read(self, kind: str, number: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """One part as a frame.

        Raises:
            AuditError: the file is missing or damaged.
        """
        return self.frame(self.part(kind, number), columns)

    def write(self, kind: str, number: int, frame: pl.DataFrame) -> None:
        """Write one part."""
        self.put_frame(self.part(kind, number), frame)
        self._parts.setdefault(kind, set()).add(number) if kind in self._parts else None

    def schema(self, kind: str) -> list[str]:
        """Names of the columns of a kind of parts."""
        return list(pl.read_parquet_schema(self.path(self.part(kind, 0)))) if self.parts() else []

    def numbers(self, kind: str) -> set[int]:
        """The parts of this kind that are there; one that was cut short is not."""
        if self.remote:
            names = [name.rpartition("/")[2] for name in self.remote.names(kind)]
        else:
            folder = self.folder / kind
            names = [p.name for p in folder.iterdir() if whole(p)] if folder.is_dir() else []
        return {int(found[1]) for found in map(PART.fullmatch, names) if found}

    def has_part(self, kind: str, number: int) -> bool:
        """Whether a part is there; on an object store as it was when first asked for this kind."""
        if not self.remote:
            return whole(self.folder / self.part(kind, number))
        if kind not in self._parts:
            self._parts[kind] = self.numbers(kind)
        return number in self._parts[kind]

    def missing(self, kind: str, parts: int) -> list[int]:
        """The parts of this kind that are not there yet."""
        there = self.numbers(kind)
        return [k for k in range(parts) if k not in there]

    def scan(self, kind: str) -> pl.LazyFrame:
        """All parts of one kind, in order, as a lazy frame."""
        if self.remote:
            self.remote.kept = 1 << 62  # all of them have to be here at once
        return pl.scan_parquet([self.path(self.part(kind, k)) for k in range(self.parts())])

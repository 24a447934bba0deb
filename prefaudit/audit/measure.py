"""Run extractors over parts: what has a finished part is never measured again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from prefaudit.audit.selection import hidden
from prefaudit.core import PAIRS, Apply, AuditError, Extractor, Parts, Progress, fingerprint, recipe
from prefaudit.store import Store
from prefaudit.store.spill import release

if TYPE_CHECKING:
    from prefaudit.audit.crew import Crew

SIDES = ("c", "r")
RUN = 1 << 18  # pairs whose share of what was learned is held at a time


@dataclass
class Measures:
    """The extractors of one audit and where their columns lie.

    `failed` maps an extractor that broke to what it said: its columns are missing and the audit is incomplete;
    `broken` has the part beside it, where it was a part, and `lost` what else the report tells of one that learns.
    """

    store: Store
    extractors: tuple[Extractor, ...]
    pairs_recipe: str
    seed: int
    failed: dict[str, str] = field(default_factory=dict)
    broken: dict[str, tuple[int, str]] = field(default_factory=dict)
    lost: dict[str, dict[str, Any]] = field(default_factory=dict)
    _loaded: dict[str, Apply] = field(default_factory=dict)
    _recent: dict[tuple[str, int], pl.DataFrame] = field(default_factory=dict)

    def settle(self, pairs: int) -> None:
        """Let extractors that choose by the number of pairs choose; what they chose is then part of their recipe.

        One that is not worth its time with so many pairs steps back (None).
        """
        chosen = (e.settled(pairs) if hasattr(e, "settled") else e for e in self.extractors)
        self.extractors = tuple(e for e in chosen if e is not None)

    def print_of(self, extractor: Extractor) -> str:
        """The fingerprint under which the columns lie: of the recipe and of the pairs it measures."""
        learned = (self.seed,) if extractor.learns else ()
        needs = [self.print_of(e) for e in self.extractors if e.name in extractor.needs]
        return fingerprint(recipe(extractor), self.pairs_recipe, learned, needs)

    def kind(self, extractor: Extractor) -> str:
        """The folder of the extractor's parts, inside the audit folder."""
        return f"features/{extractor.name}-{self.print_of(extractor)}"

    def part(self, number: int, pairs: pl.DataFrame | None = None) -> None:
        """Measure one part with every extractor that needs no fit and has no finished part for it."""
        for extractor in self.extractors:
            if not extractor.learns:
                self.one(extractor, number, pairs, None)

    def unmeasured(self) -> list[int]:
        """The parts that `part` has something to do for."""
        kinds = [self.kind(e) for e in self.extractors if not e.learns and e.name not in self.failed]
        return sorted({number for kind in kinds for number in self.store.missing(kind, self.store.parts())})

    def heard(self, broken: Mapping[str, tuple[int, str]]) -> None:
        """Take what failed elsewhere; of two failures of an extractor the one in the earlier part counts."""
        for name, (number, said) in broken.items():
            if name not in self.broken or number < self.broken[name][0]:
                self.broken[name] = (number, said)
                self.failed[name] = said

    def fit(self, progress: Progress, crew: Crew | None = None) -> None:
        """Fit the extractors that learn from the whole dataset, then measure every part with them."""
        parts = self.store.parts()
        release()  # what reading has freed
        for extractor in self.extractors:
            missing = self.store.missing(self.kind(extractor), parts) if extractor.learns else []
            path = f"{self.kind(extractor)}/fit.parquet"
            if not missing and not self.store.cut(path):
                continue
            if any(need in self.failed for need in extractor.needs):
                self.failed[extractor.name] = "an extractor it needs failed"
                continue
            state: pl.DataFrame | None = None
            try:
                if not self.store.has(path):
                    progress.start(f"{extractor.name}: learn", None)
                    given = _watched(self.given(extractor), progress)
                    known = [self.state(e) for e in self.extractors if e.name in getattr(extractor, "knows", ())]
                    if hasattr(extractor, "pieces"):
                        self.store.put_pieces(path, extractor.pieces(given, self.seed))
                    elif (state := extractor.fit(given, self.seed, *known)) is not None:
                        self.store.put_frame(path, state)
                    state = None  # it is read again where it is needed: two of them would be held
                    release()
                    progress.done()
            except AuditError:
                raise
            except Exception as error:
                progress.done()
                self.failed[extractor.name] = f"{type(error).__name__}: {error}"
                self.lost[extractor.name] = getattr(error, "facts", None) or {}
                continue
            if missing:
                self._apply(extractor, missing, progress, crew)

    def _apply(self, extractor: Extractor, missing: list[int], progress: Progress, crew: Crew | None) -> None:
        """Measure the missing parts with an extractor that has learned; by the crew where texts are read again."""
        sizes = [self.store.part_pairs(number) for number in range(self.store.parts())]
        progress.start(extractor.name, sum(sizes))
        progress.skip(sum(sizes) - sum(sizes[number] for number in missing))
        if crew is not None and extractor.reads and crew.takes(extractor):
            crew.apply(extractor, missing, lambda number: progress.step(sizes[number]))
        else:
            for number, state in self._told(extractor, missing, sizes):
                self.one(extractor, number, None, state)
                release()
                progress.step(sizes[number])
            self._loaded.pop(extractor.name, None)
        self._recent.clear()
        release()
        progress.done()

    def _told(self, extractor: Extractor, numbers: Sequence[int],
              sizes: Sequence[int]) -> Iterator[tuple[int, pl.DataFrame | None]]:  # fmt: skip
        """The parts, each with what the extractor learned; where that is by pair, a run that holds the part's."""
        if not getattr(extractor, "by_pair", False):
            state = self.learned(extractor)
            yield from ((number, state) for number in numbers)
            return
        end, state = 0, None
        for number in numbers:
            first = sum(sizes[:number])
            if first + sizes[number] > end:
                end = first + max(RUN, sizes[number])
                state = self.store.frame(f"{self.kind(extractor)}/fit.parquet", rows=(first, end - first))
                self._loaded.pop(extractor.name, None)
            yield number, state

    def learned(self, extractor: Extractor) -> pl.DataFrame | None:
        """What its `fit` returned, as it was stored."""
        path = f"{self.kind(extractor)}/fit.parquet"
        return self.store.frame(path) if self.store.has(path) else None

    def one(self, extractor: Extractor, number: int, pairs: pl.DataFrame | None, state: pl.DataFrame | None) -> None:
        """Measure one part with one extractor, unless that is done; an error of its own is kept, not raised."""
        name, kind = extractor.name, self.kind(extractor)
        if name in self.failed or any(need in self.failed for need in extractor.needs):
            self.heard({name: (number, "an extractor it needs failed")} if name not in self.failed else {})
            return
        if self.store.has_part(kind, number):
            return
        columns = ["row", *extractor.reads]
        frame = pairs.select(columns) if pairs is not None else self.store.read("pairs", number, columns)
        if extractor.needs and not getattr(extractor, "looks_up", False):
            needed = [(e.name, self._result(e, number)) for e in self.extractors if e.name in extractor.needs]
            frame = frame.hstack(merge(needed, frame["row"]).drop("row").get_columns())
        try:
            if name not in self._loaded:
                self._loaded[name] = extractor.load(state)
            result = self._loaded[name](frame).select("row", *extractor.columns).cast(extractor.columns)  # type: ignore[arg-type]
            if not result["row"].equals(frame["row"]):
                raise ValueError("its rows are not the rows it was given")
        except AuditError:
            raise
        except Exception as error:
            self.heard({name: (number, f"{type(error).__name__}: {error}")})
            return
        self.store.write(kind, number, result)
        self._recent = {k: v for k, v in self._recent.items() if k[1] == number} | {(name, number): result}

    def _result(self, extractor: Extractor, number: int) -> pl.DataFrame:
        """What an extractor said of a part: just now, or as it lies in the folder."""
        recent = self._recent.get((extractor.name, number))
        if recent is not None:
            return recent
        return self.store.read(self.kind(extractor), number, getattr(extractor, "gives", None))

    def state(self, extractor: Extractor) -> pl.DataFrame:
        """What its `fit` returned."""
        return self.store.frame(f"{self.kind(extractor)}/fit.parquet")

    def given(self, extractor: Extractor) -> Parts:
        """What its `fit` is given: also `file`, the name of the row's file, and columns of the extractors it needs."""
        needed = tuple(e for e in self.extractors if e.name in extractor.needs)
        return lambda columns: self._pairs(columns, needed)

    def _pairs(self, columns: list[str], needed: Sequence[Extractor]) -> Iterator[pl.DataFrame]:
        own = list(dict.fromkeys("source_row" if name == "file" else name for name in columns))
        own = [name for name in own if name in PAIRS] or ["row"]
        asked = [(e, some) for e in needed if (some := _wanted(e, set(columns))) != ["row"]]
        for number in range(self.store.parts()):
            frame = self.store.read("pairs", number, own)
            if "file" in columns:
                frame = frame.with_columns(file=self._files(frame["source_row"]))
            if asked:
                frames = [(e.name, self.store.read(self.kind(e), number, some)) for e, some in asked]
                frame = frame.hstack(merge(frames, frames[0][1]["row"]).drop("row").get_columns())
            yield frame.select(list(dict.fromkeys(name.partition(".")[0] for name in columns)))

    def _files(self, source_row: pl.Series) -> pl.Series:
        names, firsts = zip(*(self.store.load("pairs/complete.json") or {"files": [("", 0)]})["files"], strict=True)
        at = np.searchsorted(np.asarray(firsts), source_row.to_numpy(), side="right") - 1
        return pl.Series("file", names).gather(at)

    @property
    def present(self) -> tuple[Extractor, ...]:
        """The extractors that did not fail."""
        return tuple(e for e in self.extractors if e.name not in self.failed)

    def features(self, number: int, names: Iterable[str] | None = None) -> pl.DataFrame:
        """One part of all features side by side: `row`, the structs `c` and `r` of every extractor as one, the rest.

        Args:
            number: of the part.
            names: dotted names; what has none of them is not read, so that structs may lack other fields.
        """
        wanted = None if names is None else set(names)
        frames = [
            (e.name, self.store.read(self.kind(e), number, columns))
            for e in self.present
            if not hidden(e) and (columns := _wanted(e, wanted)) != ["row"]
        ]
        return merge(frames, self.store.read("pairs", number, ["row"])["row"])

    def lazy(self) -> pl.LazyFrame:
        """All parts of all features, lazily, in the layout of `features`."""
        row = self.store.scan("pairs").select("row")
        plain, sided = [row], []
        for e in self.present:
            if hidden(e):
                continue
            lazy = self.store.scan(self.kind(e)).drop("row")
            renamed = {s: f"{s}@{e.name}" for s in SIDES if s in e.columns}
            sided += [e.name] if renamed else []
            plain.append(lazy.rename(renamed))
        merged = pl.concat(plain, how="horizontal")
        structs = [pl.struct(*[pl.col(f"{s}@{n}").struct.field("*") for n in sided]).alias(s) for s in SIDES if sided]
        return merged.with_columns(structs).drop([f"{s}@{n}" for n in sided for s in SIDES])


def _wanted(extractor: Extractor, names: set[str] | None) -> list[str] | None:
    """`row`, and of the extractor's columns and their fields those with one of these dotted names; None for all."""
    if names is None:
        return None
    columns = ["row"]
    for column, kind in extractor.columns.items():
        fields = [f"{column}.{f.name}" for f in kind.fields] if isinstance(kind, pl.Struct) else []
        columns += [column] if column in names else [field for field in fields if field in names]
    return columns


def _watched(parts: Parts, progress: Progress) -> Parts:
    """The parts; every row that is read of them is told."""

    def read(columns: list[str]) -> Iterator[pl.DataFrame]:
        for frame in parts(columns):
            yield frame
            progress.step(frame.height)

    return read


def merge(frames: Sequence[tuple[str, pl.DataFrame]], row: pl.Series) -> pl.DataFrame:
    """Features of several extractors, all of the same rows in the same order, as one frame."""
    sides: dict[str, list[pl.Series]] = {s: [] for s in SIDES}
    plain: list[pl.Series] = [row]
    for _, frame in frames:
        for series in frame.drop("row").get_columns():
            if series.name in sides:
                sides[series.name] += series.struct.unnest().get_columns()
            else:
                plain.append(series)
    structs = [pl.DataFrame(fields).to_struct(side) for side, fields in sides.items() if fields]
    return pl.DataFrame(plain + structs)

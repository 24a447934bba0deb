"""One statement for many rules, and the frames that go in and out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from prefaudit.core import Rule
from prefaudit.rules.sql import Expression

EXAMPLES = 5


@dataclass
class Tally:
    """What one rule has answered so far."""

    rule: Rule
    value: Expression
    where: Expression
    judged: int = 0
    found: int = 0
    unjudged: int = 0
    error: str = ""
    missing: tuple[str, ...] = ()
    rows: list[int] = field(default_factory=list)  # the lowest rows found
    names: list[str] = field(default_factory=list)  # of the annotators or features found, most extreme first
    extreme: float | None = None
    extreme_row: int | None = None
    estimate: float | None = None  # the number of whose interval the value is an end
    message: str = ""
    fired: list[tuple[bool | None, int] | pl.Series] = field(default_factory=list)  # one answer for n pairs, or n

    @property
    def columns(self) -> frozenset[str]:
        """Dotted paths that value and where read."""
        return self.value.columns | self.where.columns

    def answered(self, fired: pl.Series) -> None:
        """Keep the answers of a part; a part that has one answer for all its pairs takes no memory.

        Others are copied: as DuckDB hands them over, one column keeps all columns of its answer in memory.
        """
        none, some = fired.null_count(), int(fired.sum() or 0)
        alike = fired.len() in (none, some) or not (none or some)
        value = None if none else bool(some)
        self.fired.append((value, fired.len()) if alike else _copied(fired))

    def answers(self) -> pl.Series:
        """One answer a pair, null where unjudged."""
        parts = [one if isinstance(one, pl.Series) else _alike(*one) for one in self.fired]
        return pl.concat(parts) if parts else pl.Series([], dtype=pl.Boolean)

    def worse(self, value: float) -> bool:
        """Whether a value is more extreme than what was seen; the first of equals stays."""
        return self.extreme is None or (value < self.extreme if self.where.falling else value > self.extreme)


def _alike(value: bool | None, n: int) -> pl.Series:
    return pl.Series([value], dtype=pl.Boolean).new_from_index(0, n)


def _copied(fired: pl.Series) -> pl.Series:
    own = pl.Series(fired.fill_null(False).to_numpy(allow_copy=True).copy())
    return own.set(pl.Series(fired.is_null().to_numpy()), None) if fired.null_count() else own


def statement(tallies: list[Tally], key: str = "row") -> str:
    """One SELECT over `part` that gives `_key`, and of every rule `_v<tag>` (its value) and `_f<tag>` (its answer)."""
    tags = [t.rule.code.lower() for t in tallies]
    values = ", ".join(f"cast(({t.value.sql}) as double) as _x{tag}" for t, tag in zip(tallies, tags, strict=True))
    # A ratio with a zero below is no number: unjudged, as a null is.
    finite = ", ".join(f"case when isfinite(_x{tag}) then _x{tag} end as _v{tag}" for tag in tags)
    asked = ", ".join(
        f"_v{tag}, case when _v{tag} is not null then cast(({t.where.sql}) as boolean) end as _f{tag}"
        for t, tag in zip(tallies, tags, strict=True)
    )
    inner = f"select *, {finite} from (select *, {values} from part)"
    return f'select "{key}" as _key, {asked} from ({inner})'


def aggregate(tally: Tally) -> str:
    """The same for a rule whose value is an aggregate of all rows: one row."""
    tag = tally.rule.code.lower()
    inner = f"select cast(({tally.value.sql}) as double) as _x{tag} from part"
    finite = f"select case when isfinite(_x{tag}) then _x{tag} end as _v{tag} from ({inner})"
    asked = f"case when _v{tag} is not null then cast(({tally.where.sql}) as boolean) end as _f{tag}"
    return f"select 0 as _key, _v{tag}, {asked} from ({finite})"


def paths(frame: pl.DataFrame) -> set[str]:
    """The columns of a frame and the fields of its structs, as dotted names."""
    found = set(frame.columns)
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Struct):
            found.update(f"{name}.{f.name}" for f in kind.fields)
    return found


def narrow(frame: pl.DataFrame, paths: set[str]) -> pl.DataFrame:
    """Just the named columns and fields. Small and unsigned integers become signed 64-bit, so that none overflows."""
    columns = []
    for name, kind in frame.schema.items():
        if not isinstance(kind, pl.Struct):
            if name in paths:
                columns.append(_wide(pl.col(name), kind).alias(name))
            continue
        fields = [f for f in kind.fields if name in paths or f"{name}.{f.name}" in paths]
        parts = [_wide(pl.col(name).struct.field(f.name), f.dtype).alias(f.name) for f in fields]
        if parts:
            columns.append(pl.struct(parts).alias(name))
    return frame.select(columns)


def _wide(column: pl.Expr, kind: Any) -> pl.Expr:
    return column.cast(pl.Int64) if kind.is_integer() and kind not in (pl.UInt64, pl.Int128) else column


def estimate(rule: Rule, table: pl.DataFrame) -> float | None:
    """The number of whose interval the value of a dataset rule is an end, from the table of one row; None of others."""
    stem = rule.value.strip().rpartition("_")[0]
    return next((table[c][0] for c in (stem, f"{stem}_agreement") if rule.end and c in table.columns), None)

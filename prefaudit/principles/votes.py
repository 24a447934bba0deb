"""The votes of measurable principles: one statement over the features of a part, asked both ways round."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

from prefaudit import duck
from prefaudit.core import RuleError
from prefaudit.principles.library import Principle
from prefaudit.rules.file import nearest
from prefaudit.rules.sql import Parser

SIDES = {"a": "c", "b": "r"}  # what the SQL calls the two answers, and the columns they stand in
SECONDS = 60.0  # that one statement may take


class Voter:
    """Asks measurable principles of parts.

    Args:
        principles: those with SQL; its names are `a.<feature>`, `b.<feature>`, and columns both answers share.
        columns: what there is to ask, as dotted names with `c.` and `r.`; None checks none.

    Raises:
        RuleError: a principle has no SQL, or names a column that is not there; in `votes`, one is no condition.
    """

    def __init__(self, principles: Sequence[Principle], columns: set[str] | None = None) -> None:
        parser = Parser()
        self.principles = tuple(principles)
        asked: set[str] = set()
        each = []
        for number, principle in enumerate(self.principles):
            if principle.sql is None:
                raise RuleError(f"{principle.id} has no SQL", "only a language model can vote on it")
            read = parser.parse(principle.sql)
            if read.params:
                raise RuleError(f"{principle.id}: a principle has no parameters: ${min(read.params)}")
            if columns is not None:
                _known(principle, read.columns, columns)
            asked |= read.columns
            each.append(f"({read.sql}) as p{number}")
        self._reads, self._each = asked, each

    def votes(self, frame: pl.DataFrame, there: pl.Series | None = None) -> pl.DataFrame:
        """The votes of a part.

        Args:
            frame: n pairs: `row`, the structs `c` and `r`, and shared columns.
            there: which pairs have both answers; all where None. The others are unjudged.

        Returns:
            n rows: `row`, and an Int8 column a principle: 1 it favours chosen, -1 rejected, 0 silent, null unjudged.
        """
        forth, back = self._ask(frame, "c", "r"), self._ask(frame, "r", "c")
        columns = []
        for number, principle in enumerate(self.principles):
            name = f"p{number}"
            vote = forth[name].cast(pl.Int8) - back[name].cast(pl.Int8)
            columns.append((vote if there is None else vote.set(~there, None)).alias(principle.id))
        return pl.DataFrame([frame["row"], *columns])

    def _ask(self, frame: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
        sides = {"a": first, "b": second}
        made = []
        for side, column in sides.items():
            fields = sorted(path.partition(".")[2] for path in self._reads if path.startswith(f"{side}."))
            if fields:
                kinds = {f.name: f.dtype for f in frame.schema[column].fields}  # type: ignore[attr-defined]
                made.append(pl.struct(_wide(column, field, kinds[field]) for field in fields).alias(side))
        shared = sorted(path.partition(".")[0] for path in self._reads if path.partition(".")[0] not in SIDES)
        table = frame.select(*made, *dict.fromkeys(["row", *shared])).to_arrow()
        con = duck.confined()
        con.register("pairs", table)
        timer = threading.Timer(SECONDS, con.interrupt)
        timer.start()
        try:
            asked = con.sql(f"select {', '.join(self._each)} from pairs")
            for principle, kind in zip(self.principles, asked.types, strict=True):
                if str(kind) != "BOOLEAN":
                    raise RuleError(f"{principle.id}: sql: {principle.sql!r} is no condition: its values are {kind}",
                                    "what is true where a is favoured, as a.words > b.words")  # fmt: skip
            answer: Any = asked.to_arrow_table()
        except duckdb.InterruptException as e:
            raise RuleError(f"the principles were not answered within {SECONDS:g} seconds") from e
        except duckdb.Error as e:
            raise RuleError(self._fault(con) or f"the principles could not be asked: {_first(e)}") from e
        finally:
            timer.cancel()
            timer.join()
            con.close()
        told = pl.from_arrow(answer)
        assert isinstance(told, pl.DataFrame)
        return told

    def _fault(self, con: duckdb.DuckDBPyConnection) -> str:
        """Which principle fails when it is asked alone, and why; "" where none does."""
        for principle, sql in zip(self.principles, self._each, strict=True):
            try:
                con.sql(f"select {sql} from pairs").to_arrow_table()
            except duckdb.Error as e:
                return f"{principle.id}: sql: {principle.sql!r} failed: {_first(e)}"
        return ""


def _first(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0]


def _wide(struct: str, field: str, kind: pl.DataType) -> pl.Expr:
    """A field; small integers as 64 bits, so that a product of two of them fits."""
    column = pl.col(struct).struct.field(field)
    return column.cast(pl.Int64).alias(field) if kind.is_integer() else column.alias(field)


def _known(principle: Principle, asked: frozenset[str], columns: set[str]) -> None:
    for path in sorted(asked):
        side, _, name = path.partition(".")
        both = [f"{column}.{name}" for column in SIDES.values()] if side in SIDES else [path]
        if side in SIDES.values():
            raise RuleError(f"{principle.id}: {path!r}: the two answers are called a and b in a principle")
        if side in SIDES and not name:
            raise RuleError(f"{principle.id}: {path!r} alone is no feature", "as in a.words")
        for column in both:
            if column not in columns:
                own = {c for c in columns if c.startswith(("c.", "r.")) == (side in SIDES) and not c.startswith("r.")}
                hint = nearest(column, own).replace("'c.", "'a.")
                raise RuleError(f"{principle.id}: unknown feature {path!r}", hint)

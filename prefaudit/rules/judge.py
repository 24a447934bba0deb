"""Asking: many pair rules in one SELECT a part, the rules of the small tables one by one.

The SQL may be a stranger's, so every statement runs over a confined connection, with a limit on memory and time,
and on nothing but the columns that the rules name. A rule that fails is reported as failed; the others go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from prefaudit import duck
from prefaudit.core import FINDINGS, Rule, RuleError
from prefaudit.rules.ask import EXAMPLES, Tally, aggregate, estimate, narrow, paths, statement
from prefaudit.rules.sql import Parser
from prefaudit.rules.stream import Failure, asked
from prefaudit.rules.tables import NAMED, SMALL

Z95 = 1.959963984540054  # the 97.5 % point of the normal distribution

Interval = Callable[[pl.Series], tuple[float, float]]
"""From a rule's answers (Boolean, null: unjudged; one a pair, in the order judged) to the interval of its rate."""


class Judge:
    """Asks the rules, part by part, and keeps the tally.

    Args:
        rules: by code, as `load` or `select` return them.
        memory: DuckDB's limit for one statement, such as "1GB".
        seconds: time limit of one statement, and of each part that it is given.
    """

    def __init__(self, rules: Mapping[str, Rule], memory: str = "1GB", seconds: float = 60.0) -> None:
        """Read the SQL of the rules again; they were checked when loaded."""
        parser = Parser()
        self._seconds = seconds
        self._con = duck.confined(memory)
        self._tallies: dict[str, Tally] = {}
        for rule in rules.values():
            tag = rule.code.lower()
            whole = rule.scope == "dataset" and rule.over == "features"
            value = parser.parse(rule.value, tag, aggregates=whole)
            self._tallies[rule.code] = Tally(rule, value, parser.parse(rule.where, tag))

    def columns(self) -> list[str]:
        """Dotted names of what the pair rules read, `row` included; `c` alone stands for the whole struct."""
        pair = (t for t in self._tallies.values() if t.rule.scope == "pair")
        return sorted({"row"}.union(*(t.columns for t in pair)))

    def pairs(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Ask every pair rule of one part.

        Args:
            frame: one row a pair: `row`, and of `columns()` what there is, as columns and fields of structs.

        Returns:
            FINDINGS, ordered by code, then as the rows come.
        """
        open_: list[Tally] = []
        have = paths(frame)
        for tally in self._pair_tallies():
            tally.missing = tuple(sorted(tally.columns - have))
            if tally.error or tally.missing:
                tally.unjudged += frame.height
                tally.fired.append((None, frame.height))
            else:
                open_.append(tally)
        table = narrow(frame, set().union(*(t.columns for t in open_)) | {"row"})
        findings = [_count_pairs(tally, answer) for tally, answer in self._answers(table, open_)]
        return pl.concat([_no_findings(), *findings])

    def dataset(
        self,
        metrics: Mapping[str, Any],
        annotators: pl.DataFrame,
        effects: pl.DataFrame,
        features: Callable[[list[str]], Iterable[pl.DataFrame]] | None = None,
    ) -> pl.DataFrame:
        """Ask the dataset and feature rules.

        Args:
            metrics: the numbers of the dataset table; a missing or None one leaves its rules unjudged.
            annotators: one row an annotator; empty where the source names none.
            effects: EFFECTS; empty where no effect could be told.
            features: gives the named columns over all pairs, part by part, for dataset rules over the features
                themselves; asked once a rule.

        Returns:
            FINDINGS, without rows.
        """
        one = {k: [metrics.get(k)] for k in SMALL["dataset"]}
        tables = {
            "dataset": pl.DataFrame(one, schema=SMALL["dataset"], strict=False),
            "annotators": annotators,
            "effects": effects,
        }
        rest = [t for t in self._tallies.values() if t.rule.scope != "pair"]
        findings = [_no_findings()]
        for over, table in tables.items():
            findings += self._small([t for t in rest if t.rule.over == over], table)
        for tally in rest:
            if tally.rule.over == "features":
                findings.append(self._whole(tally, features(sorted(tally.columns)) if features else ()))
        return pl.concat(findings)

    def fired(self, code: str) -> pl.Series:
        """A rule's answers: Boolean, null where unjudged, one a pair in the order judged."""
        return self._tallies[code].answers()

    def results(self, interval: Interval | None = None) -> list[dict[str, Any]]:
        """The report's `rules`, ordered by code.

        Args:
            interval: for the rate of a pair rule; Wilson's, which takes pairs as independent, where None.
        """
        return [self._result(t, interval) for _, t in sorted(self._tallies.items())]

    def _pair_tallies(self) -> list[Tally]:
        return [t for t in self._tallies.values() if t.rule.scope == "pair"]

    def _answers(self, table: pl.DataFrame, tallies: list[Tally],
                 key: str = "row") -> Iterable[tuple[Tally, pl.DataFrame]]:  # fmt: skip
        """One SELECT for all; where that fails, one each, so that only the rule at fault fails."""
        if not tallies:
            return
        try:
            together = self._ask(statement(tallies, key), [table], tallies)
        except Failure:
            for tally in tallies:
                try:
                    own = narrow(table, {key, *tally.columns})
                    answer = self._ask(statement([tally], key), [own], [tally])
                except Failure as e:
                    _fail(tally, e, table.height)
                    continue
                yield tally, _columns_of(tally, answer)
            return
        for tally in tallies:
            yield tally, _columns_of(tally, together)

    def _ask(self, sql: str, parts: Iterable[pl.DataFrame], tallies: list[Tally]) -> pl.DataFrame:
        values = {f"{t.rule.code.lower()}_{k}": v for t in tallies for k, v in t.rule.params.items()}
        return asked(self._con, sql, values, parts, self._seconds)

    def _small(self, tallies: list[Tally], table: pl.DataFrame) -> list[pl.DataFrame]:
        """The rules of one small table, a row of which is one thing to ask about."""
        have = paths(table)
        for tally in tallies:
            tally.missing = tuple(sorted(tally.columns - have))
        table = narrow(table, set(table.columns)).with_row_index("_row")
        open_ = [t for t in tallies if not t.missing] if table.height else []
        return [_told(tally, answer, table) for tally, answer in self._answers(table, open_, "_row")]

    def _whole(self, tally: Tally, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """A rule whose value is an aggregate of all pairs."""
        tables = (narrow(part, set(tally.columns)) for part in parts)
        first = next(tables, pl.DataFrame())
        tally.missing = tuple(sorted(tally.columns - paths(first)))
        if tally.missing or not first.height:
            return _no_findings()
        try:
            answer = _columns_of(tally, self._ask(aggregate(tally), chain([first], tables), [tally]))
        except Failure as e:
            _fail(tally, e, 1)
            return _no_findings()
        # Threads add up in no fixed order.
        return _told(tally, answer.with_columns(pl.col("value").round_sig_figs(12)), None)

    def _result(self, tally: Tally, interval: Interval | None) -> dict[str, Any]:
        rule = tally.rule
        status = "error" if tally.error else "unjudged" if not tally.judged else "fired" if tally.found else "ok"
        rate = tally.found / tally.judged if tally.judged else None
        bounds: list[float] | None = None
        if rate is not None and rule.scope == "pair":
            low, high = interval(self.fired(rule.code)) if interval else wilson(tally.found, tally.judged)
            bounds = [round(low, 6), round(high, 6)]
        threshold = _threshold(rule)
        rows = [*tally.rows, *([tally.extreme_row] if tally.extreme_row not in (None, *tally.rows) else [])]
        return {
            "code": rule.code, "name": rule.name, "severity": rule.severity, "scope": rule.scope, "status": status,
            "judged": tally.judged, "found": tally.found, "unjudged": tally.unjudged,
            "rate": None if rate is None else round(rate, 6), "interval": bounds,
            "value": None if tally.extreme is None else round(tally.extreme, 6), "end": rule.end,
            "estimate": None if tally.estimate is None else round(tally.estimate, 6), "threshold": threshold,
            "params": dict(rule.params), "message": self._message(tally, status),
            "remedy": rule.remedy, "what": rule.what, "examples": rows, "named": tally.names, "preview": rule.preview,
        }  # fmt: skip

    def _message(self, tally: Tally, status: str) -> str:
        if status == "error":
            return tally.error
        if status == "unjudged":
            return f"the data has no {', '.join(tally.missing)}" if tally.missing else "not known for any row"
        if status == "ok":
            return ""
        return tally.message or worded(tally.rule, {"value": tally.extreme})


def _columns_of(tally: Tally, answer: pl.DataFrame) -> pl.DataFrame:
    tag = tally.rule.code.lower()
    return answer.select(key="_key", value=f"_v{tag}", fired=f"_f{tag}")


def _count(tally: Tally, fired: pl.Series) -> None:
    nulls = fired.null_count()
    tally.unjudged += nulls
    tally.judged += fired.len() - nulls
    tally.found += int(fired.sum() or 0)


def _count_pairs(tally: Tally, answer: pl.DataFrame) -> pl.DataFrame:
    _count(tally, answer["fired"])
    tally.answered(answer["fired"])
    some = np.flatnonzero(answer["fired"].fill_null(False).to_numpy())  # what `filter` gives keeps room for all
    found = answer.select(row=pl.col("key").cast(pl.Int64), value="value")[some]
    if found.height:
        tally.rows = sorted({*tally.rows, *found["row"].bottom_k(EXAMPLES).to_list()})[:EXAMPLES]
        best = found.select(pl.col("value").min() if tally.where.falling else pl.col("value").max()).item()
        if tally.worse(best):
            tally.extreme = best
            tally.extreme_row = found.filter(pl.col("value") == best)["row"].min()  # type: ignore[assignment]
    return _findings(tally, found) if found.height else _no_findings()  # none of a part would hold all of its answers


def _told(tally: Tally, answer: pl.DataFrame, table: pl.DataFrame | None) -> pl.DataFrame:
    """Count what a rule of small tables answered, with the names and the message of what it found in the table."""
    _count(tally, answer["fired"])
    found = answer.filter("fired").sort("value", descending=not tally.where.falling, maintain_order=True)
    if answer.height == 1:
        tally.extreme = answer["value"][0] if answer["fired"][0] is not None else None
        tally.estimate = estimate(tally.rule, table) if tally.extreme is not None and table is not None else None
    if found.height:
        tally.extreme = found["value"][0]
        _name(tally, table[found["key"].to_list()] if table is not None else pl.DataFrame())
    return _findings(tally, found.select(row=pl.lit(None, pl.Int64), value="value"))


def _name(tally: Tally, found: pl.DataFrame) -> None:
    """The message of the most extreme row of a small table, and the names of the first few."""
    rule = tally.rule
    row: dict[str, Any] = found.row(0, named=True) if found.height else {}
    known = {k: float("nan") if v is None else v for k, v in row.items()}
    tally.message = worded(rule, {**known, "value": tally.extreme})
    column = NAMED.get(rule.over)
    if column in found.columns:
        tally.names = [str(n) for n in found[column].head(EXAMPLES).to_list()]


def _threshold(rule: Rule) -> float | None:
    """The parameter that the value is compared with in `where`; where none is, the first number."""
    compared = re.search(r"\bvalue\s*(?:[<>]=?|=)\s*\$(\w+)", rule.where)
    named = compared and rule.params.get(compared[1])
    return next((v for v in (named, *rule.params.values()) if isinstance(v, int | float)), None)


def _fail(tally: Tally, error: BaseException, rows: int) -> None:
    tally.error = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    tally.unjudged += rows
    tally.fired.append((None, rows))


def _findings(tally: Tally, found: pl.DataFrame) -> pl.DataFrame:
    rule = tally.rule
    return found.select("row", rule=pl.lit(rule.code), severity=pl.lit(rule.severity), value="value")


def _no_findings() -> pl.DataFrame:
    return pl.DataFrame(schema=FINDINGS)


def wilson(found: int, judged: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate of independent trials (Wilson 1927)."""
    if not judged:
        raise RuleError("no interval without a judged row")
    rate, z2 = found / judged, Z95**2
    centre = (rate + z2 / (2 * judged)) / (1 + z2 / judged)
    half = Z95 / (1 + z2 / judged) * (rate * (1 - rate) / judged + z2 / (4 * judged**2)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def worded(rule: Rule, known: Mapping[str, Any]) -> str:
    """The rule's message; shares that it calls points lose the sign of percent."""
    return rule.message.format(**{**rule.params, **known}).replace("% points", " points")

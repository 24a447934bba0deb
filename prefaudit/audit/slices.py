"""The pairs by source, by annotator and by language: how many, what decides in them, and what rules find in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import stats
from prefaudit.audit.columns import FEATURES, Columns
from prefaudit.stats.counted import UNKNOWN, answered, counted_rate, group_sizes, runs

MOST = 20  # slices of one kind, the largest
FEW = 256  # names of one part, of which a number fits into a byte
SOURCES = 8  # sources whose effects are told, the largest
BY = ("source", "annotator", "language")
KEPT = ("n", "groups", "prevalence", "win_rate", "delta_win", "q", "note")

Fired = Callable[[str], pl.Series]


def part(frame: pl.DataFrame) -> pl.DataFrame:
    """What the slices are cut by, and what is told of them, of one part as pair rules see it."""
    spoken = [_field(frame, side, "language") for side in ("c", "r")]
    columns = {name: frame[name] if name in frame.columns else _nulls(frame) for name in BY[:2]}
    cut = {name: _names(column.cast(pl.String)) for name, column in columns.items()}
    language = pl.DataFrame({"a": spoken[0], "b": spoken[1]}).select(
        pl.when(pl.col("a") == pl.col("b")).then("a").alias("language")
    )
    cut["language"] = _names(language.to_series())
    return pl.DataFrame({**cut, "tie": frame["label"] != "chosen", "longer": _longer(frame)})


def _names(column: pl.Series) -> pl.Series:
    """As categories of the part, a byte each where they are few; a part without any name takes no memory."""
    if column.null_count() == column.len():
        return column.cast(pl.Null)
    names = column.drop_nulls().unique().sort()
    return column.cast(pl.Enum(names) if len(names) < FEW else pl.Categorical)


def slices(parts: Sequence[pl.DataFrame], group: NDArray[np.integer[Any]], results: Sequence[Mapping[str, Any]],
           fired: Fired) -> list[dict[str, Any]]:  # fmt: skip
    """The report's `slices`: of each kind in BY the largest, where there is more than one.

    Args:
        parts: what `part` gave, in reading order.
        group: n ids of pairs that are not independent.
        results: the report's `rules`.
        fired: a pair rule's answers, one a pair in reading order, null where unjudged.

    Returns:
        `by`, `slice`, `pairs`, `share`, `groups`, `ties`, `longer_wins` with its interval by group, and `rules`: of
        each pair rule that fired anywhere `code`, `judged` and `found` in the slice.
    """
    cuts = [(by, codes, names) for by in BY for codes, names in _codes(parts, by)]
    if not cuts:
        return []
    won, tie = answered(pl.concat(one["longer"] for one in parts)), np.concatenate([one["tie"] for one in parts])
    counted: dict[str, dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]] = {by: {} for by, *_ in cuts}
    for rule in results:
        if rule["scope"] == "pair" and rule["status"] == "fired":
            answers = answered(fired(rule["code"]))
            for by, codes, names in cuts:
                counts = np.zeros((2, len(names) + 1), np.int64)
                for at in runs(len(answers)):
                    for count, here in zip(counts, (answers[at] >= 0, answers[at] == 1), strict=True):
                        count += np.bincount(codes[at][here] + np.int8(1), minlength=len(names) + 1)
                counted[by][rule["code"]] = (counts[0, 1:], counts[1, 1:])
    return [
        {"by": by, "slice": name, **_one(codes == k, won, tie, group),
         "rules": [{"code": code, "judged": int(judged[k]), "found": int(found[k])}
                   for code, (judged, found) in counted[by].items() if judged[k]]}
        for by, codes, names in cuts for k, name in enumerate(names)
    ]  # fmt: skip


def by_source(columns: Columns, length: NDArray[np.float64], seed: int) -> list[dict[str, Any]]:
    """The effects within each of the largest sources, where there are several with groups enough for an interval.

    Returns:
        `source`, `n`, `groups` and `effects`: rows of EFFECTS without the joint effect; q counts false discoveries
        within the source.
    """
    found = []
    options = stats.EffectOptions({name: FEATURES[name].words for name in columns.features}, joint_rows=0)
    families = {name: FEATURES[name].family for name in columns.features}
    cut = next(_codes([columns.meta], "source", SOURCES), None)
    for k, name in enumerate(cut[1]) if cut else ():
        assert cut is not None
        rows = np.flatnonzero(cut[0] == k)
        groups = len(stats.distinct(columns.group[rows]))
        if groups < options.min_groups:
            continue
        features = _Some(columns.features, rows)
        frame = stats.effects(
            columns.y[rows], length[rows], features, families, columns.group[rows], None, seed, options
        )
        effects = [_effect(row) for row in frame.iter_rows(named=True) if row["n"] and row["prevalence"]]
        found.append({"source": name, "n": len(rows), "groups": groups, "effects": effects})
    return found


def together(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """What `part` gave, as one frame."""
    named = [one.with_columns(pl.col(*BY).cast(pl.String).cast(pl.Categorical)) for one in parts]
    return pl.concat(named, how="vertical_relaxed") if parts else pl.DataFrame()


class _Some(Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]):
    """Features of some rows, one at a time as it is asked for."""

    def __init__(self, features: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
                 rows: NDArray[np.int64]) -> None:  # fmt: skip
        self._features, self._rows = features, rows

    def __getitem__(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chosen, rejected = self._features[name]
        return chosen[self._rows], rejected[self._rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


def _effect(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {"feature": row["feature"], **{name: row[name] for name in KEPT}}
    told["interval"] = None if row["low"] is None else [row["low"], row["high"]]
    return {**told, "win_interval": None if row["win_low"] is None else [row["win_low"], row["win_high"]]}


def _codes(parts: Sequence[pl.DataFrame], by: str,
           most: int = MOST) -> Iterator[tuple[NDArray[np.int8], list[str]]]:  # fmt: skip
    """Each row's slice as a number, -1 for none of the largest, and their names; nothing where there is but one."""
    columns = [one[by] for one in parts if by in one.columns]
    seen = [column.drop_nulls().value_counts(name="n").select(pl.col(by).cast(pl.String), "n") for column in columns]
    counts = pl.concat(seen).group_by(by).agg(pl.col("n").sum()) if seen else pl.DataFrame()
    if counts.height < 2:
        return
    names = counts.sort(["n", by], descending=[True, False]).head(most)[by].to_list()
    numbers = range(len(names))
    codes = [column.cast(pl.String).replace_strict(names, numbers, default=-1, return_dtype=pl.Int8).fill_null(-1)
             for column in columns]  # fmt: skip
    yield np.concatenate([code.to_numpy() for code in codes]), names


def _one(at: NDArray[np.bool_], won: NDArray[np.int8], tie: NDArray[np.bool_],
         group: NDArray[np.integer[Any]]) -> dict[str, Any]:  # fmt: skip
    rate = counted_rate(np.where(at, won, np.int8(UNKNOWN)), group)
    n = int(at.sum())
    known = not np.isnan(rate[0])
    return {"pairs": n, "share": n / len(at), "groups": int((group_sizes(group, at) > 0).sum()),
            "ties": int((tie & at).sum()), "longer_wins": rate[0] if known else None,
            "longer_wins_interval": list(rate[1:]) if known else None}  # fmt: skip


def _longer(frame: pl.DataFrame) -> pl.Series:
    """Whether the longer answer was chosen; null in a tie, of equal length or with one answer."""
    chosen, rejected = (_field(frame, side, "chars").cast(pl.Float32) for side in ("c", "r"))
    differ = (chosen - rejected).fill_null(0)
    return (differ > 0).set(~((frame["label"] == "chosen") & (differ != 0)), None)


def _field(frame: pl.DataFrame, side: str, name: str) -> pl.Series:
    if side in frame.columns and name in (f.name for f in frame.schema[side].fields):  # type: ignore[attr-defined]
        return frame[side].struct.field(name)
    return _nulls(frame)


def _nulls(frame: pl.DataFrame) -> pl.Series:
    return pl.repeat(None, frame.height, dtype=pl.String, eager=True)

"""Outside scorers of a pair: reward models, score columns, and what the source says of its own label."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import UsageError, unknown

Floats = NDArray[np.float64]
SOURCE = ("source", "votes")  # what the source itself says of its label
HUGE = 1e100  # from where a score is no number: its square would not be one
MOST = 32  # scores a side that a list may hold


@dataclass(frozen=True)
class Said:
    """What one scorer says of n pairs: `margin` in favour of chosen, and the two scores where it gave such; NaN is
    not known."""

    name: str
    margin: Floats
    chosen: Floats | None = None
    rejected: Floats | None = None


def split(columns: Iterable[str]) -> list[tuple[str, str]]:
    """CHOSEN:REJECTED, as names of two columns.

    Raises:
        UsageError: one is not of that form.
    """
    found = []
    for said in columns:
        chosen, colon, rejected = said.partition(":")
        if not colon or not chosen or not rejected:
            raise UsageError(f"--score-columns {said!r} is not CHOSEN:REJECTED",
                             "the columns with the scores of the two answers")  # fmt: skip
        found.append((chosen.strip(), rejected.strip()))
    return found


def scorers(frame: pl.DataFrame, models: tuple[str, ...], columns: list[tuple[str, str]]) -> list[Said]:
    """Every scorer of one part, those without a word of it left out.

    Args:
        frame: label, score_chosen, score_rejected, margin, votes, extra of PAIRS, and the column `rewards`.
        models: the names of the reward models, in the order of the lists.
        columns: the named score columns.
    """
    found = [_model(frame["rewards"], k, name) for k, name in enumerate(models)]
    for chosen, rejected in columns:
        found += _column(frame, chosen, rejected)
    found += _source(frame)
    tied = (frame["label"] != "chosen").to_numpy()
    for one in found:
        one.margin[tied & ~np.isnan(one.margin)] = 0.0  # a tie has no side to be for
        for side in (one.chosen, one.rejected):
            if side is not None:
                side[np.isnan(one.margin)] = np.nan  # one answer's score alone is part of nothing
    return [one for one in found if not np.isnan(one.margin).all()]


def _model(rewards: pl.Series, k: int, name: str) -> Said:
    frame = rewards.struct.unnest().select(pl.col("chosen", "rejected", "margin", "step").list.get(k))
    chosen, rejected, compared, step = (_floats(frame[side]) for side in frame.columns)
    margin = np.where(np.isnan(compared), chosen - rejected, compared)
    margin[np.abs(margin) < step] = 0.0
    if not np.isnan(compared).all():
        return Said(name, margin)
    return Said(name, margin, chosen, rejected)


def _column(frame: pl.DataFrame, chosen: str, rejected: str) -> list[Said]:
    (one, listed), (other, listed_too) = (_numbers(frame, name) for name in (chosen, rejected))
    sides = one, other
    uneven = np.flatnonzero((listed & _some(other, ~listed_too)) | (listed_too & _some(one, ~listed)))
    if len(uneven):
        raise UsageError(f"--score-columns {chosen}:{rejected}: row {frame['row'][int(uneven[0])]} has a list on one "
                         "side and a number on the other",
                         "name two columns of numbers, or two of lists in the same order")  # fmt: skip
    name = f"{chosen}:{rejected}"  # the same whatever part it is seen in; more scores a side are numbered from 1
    return [Said(name + f"[{k}]" * (k > 0), c - r, c, r) for k, (c, r) in enumerate(zip(*sides, strict=False))]


def _some(columns: list[Floats], at: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return at & ~np.isnan(columns[0]) if columns else np.zeros(len(at), bool)


def _numbers(frame: pl.DataFrame, name: str) -> tuple[list[Floats], NDArray[np.bool_]]:
    """The numbers under a key of the JSON objects in `extra`, and which of them are lists; these give as many columns
    as the longest has elements.

    Raises:
        UsageError: a list is too long, or has something else than numbers in it.
    """
    raw = frame.select(pl.col("extra").str.json_path_match(path(name)).alias("v"))["v"]
    lists = raw.str.starts_with("[").fill_null(False)
    at = lists.to_numpy()
    plain = _floats(raw.replace({"true": "1", "false": "0"}).cast(pl.Float64, strict=False))
    if not at.any():
        return [plain], at
    inner = _lists(raw.filter(lists), frame["row"].filter(lists), name)
    long = inner.list.len().to_numpy()
    if long.max() > MOST:
        row = frame["row"].filter(lists)[int(long.argmax())]
        raise UsageError(f"score column {name!r}: row {row} has {long.max()} scores, and {MOST} are the most",
                         "name columns with fewer of them")  # fmt: skip
    out = [plain, *(np.full(len(raw), np.nan) for _ in range(int(long.max()) - 1))]
    for k in range(int(long.max())):
        out[k][at] = _floats(inner.list.get(k, null_on_oob=True))
    return out, at


def _lists(raw: pl.Series, rows: pl.Series, name: str) -> pl.Series:
    """Lists of numbers from JSON; true and false are 1 and 0."""
    try:
        return raw.str.json_decode(pl.List(pl.Float64))
    except pl.exceptions.ComputeError:  # it does not say where; or there are booleans
        found = []
        for row, text in zip(rows, raw, strict=True):
            values = json.loads(text)
            wrong = [x for x in values if not (x is None or isinstance(x, int | float))]
            if wrong:
                raise UsageError(f"score column {name!r}: row {row} has {json.dumps(wrong[0])[:60]} in its list",
                                 "lists hold numbers, true and false, and null") from None  # fmt: skip
            found.append([None if x is None else float(x) for x in values])
        return pl.Series(found, dtype=pl.List(pl.Float64))


def path(name: str) -> str:
    """The JSON path of a key that may hold any character."""
    return f"$[{json.dumps(name, ensure_ascii=False)}]"


def _source(frame: pl.DataFrame) -> list[Said]:
    """The source's scores (else its margin), and its votes."""
    chosen, rejected = _floats(frame["score_chosen"]), _floats(frame["score_rejected"])
    scored = chosen - rejected
    margin = np.where(np.isnan(scored), _floats(frame["margin"]), scored)
    vote = pl.col("votes").list.eval(pl.element().struct.field("vote")).list.mean()
    votes = _floats(frame.select((2 * vote - 1).alias("v"))["v"])
    return [Said(SOURCE[0], margin, chosen, rejected), Said(SOURCE[1], votes)]


def _floats(series: pl.Series) -> Floats:
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    values[~(np.abs(values) < HUGE)] = np.nan
    return np.asarray(values)


def known_columns(extra: pl.Series, wanted: Iterable[str]) -> None:
    """Say of a named column that no row has a value in.

    Args:
        extra: JSON objects of the whole dataset, or of as much as is needed to see every key.

    Raises:
        UsageError: it is in no row.
    """
    keys = {key for text in extra.drop_nulls() for key in json.loads(text)}
    for name in wanted:
        if name not in keys:
            hint = unknown("", name, keys).hint if keys else "this layout keeps no other columns"
            raise UsageError(f"score column {name!r}: no row has a value there", hint)

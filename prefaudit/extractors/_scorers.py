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
        found += _column(frame["extra"], chosen, rejected)
    found += _source(frame)
    tied = (frame["label"] != "chosen").to_numpy()
    for one in found:
        one.margin[tied & ~np.isnan(one.margin)] = 0.0  # a tie has no side to be for
    return [one for one in found if not np.isnan(one.margin).all()]


def _model(rewards: pl.Series, k: int, name: str) -> Said:
    frame = rewards.struct.unnest().select(pl.col("chosen", "rejected", "margin", "step").list.get(k))
    chosen, rejected, compared, step = (_floats(frame[side]) for side in frame.columns)
    margin = np.where(np.isnan(compared), chosen - rejected, compared)
    margin[np.abs(margin) < step] = 0.0
    if not np.isnan(compared).all():
        return Said(name, margin)
    return Said(name, margin, chosen, rejected)


def _column(extra: pl.Series, chosen: str, rejected: str) -> list[Said]:
    sides = [_numbers(extra, name) for name in (chosen, rejected)]
    name = f"{chosen}:{rejected}"  # the same whatever part it is seen in; more scores a side are numbered from 1
    return [Said(name + f"[{k}]" * (k > 0), c - r, c, r) for k, (c, r) in enumerate(zip(*sides, strict=False))]


def _numbers(extra: pl.Series, name: str) -> list[Floats]:
    """The numbers under a key of JSON objects; a list gives as many columns as its longest has elements."""
    raw = extra.to_frame("j").select(pl.col("j").str.json_path_match(path(name)).alias("v"))["v"]
    lists = raw.str.starts_with("[").fill_null(False)
    if not lists.any():
        plain = raw.replace({"true": "1", "false": "0"})
        return [_floats(plain.cast(pl.Float64, strict=False))]
    inner = raw.filter(lists).str.json_decode(pl.List(pl.Float64))
    wide = min(int(inner.list.len().to_numpy().max(initial=0)), MOST)
    out = [np.full(len(raw), np.nan) for _ in range(wide)]
    at = lists.to_numpy()
    for k, column in enumerate(out):
        column[at] = _floats(inner.list.get(k, null_on_oob=True))
    return out


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

"""The two answers of every pair as one column, measured once per distinct text, and put back as structs c and r."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from polars.datatypes import DataType

Score = Callable[[pl.Series], pl.DataFrame]
"""From n texts (String, no null) to n rows of features."""

WORTH = 0.8  # below this share of distinct texts, measuring each once saves more than finding them costs


def side_columns(fields: Mapping[str, DataType]) -> dict[str, pl.DataType]:
    """The columns c and r that hold these response features."""
    return {side: pl.Struct(dict(fields)) for side in ("c", "r")}


def answers(frame: pl.DataFrame) -> pl.Series:
    """All chosen answers, then all rejected ones: 2n texts for n rows."""
    return pl.concat([frame["chosen"], frame["rejected"]]).alias("text")


def twice(column: pl.Series) -> pl.Series:
    """A pair column beside `answers`: the n values, then the same again."""
    return pl.concat([column, column])


def each_once(texts: pl.Series, keys: pl.Series, score: Score) -> pl.DataFrame:
    """Features of every text, null where it is null, each distinct text measured once where texts repeat.

    Args:
        texts: m texts, null allowed.
        keys: m hashes of them (UInt64); equal texts have equal keys.
        score: measures texts without nulls.

    Returns:
        m rows, in the order of the texts.
    """
    known = texts.is_not_null().to_numpy()
    index = np.flatnonzero(known)
    distinct, first, back = np.unique(keys.gather(index).to_numpy(), return_index=True, return_inverse=True)
    if len(distinct) > WORTH * len(index):
        if len(index) == len(texts):
            return score(texts)
        first = back = np.arange(len(index))
    scored = score(texts.gather(index[first]))
    place = np.full(len(texts), -1, np.int64)
    place[index] = back
    at = pl.Series(place)
    return scored.select(pl.all().gather(at.set(at < 0, None)))


def keys(frame: pl.DataFrame) -> pl.Series:
    """The hashes of `answers`."""
    return pl.concat([frame["hash_chosen"], frame["hash_rejected"]])


def as_sides(frame: pl.DataFrame, measured: pl.DataFrame, columns: Mapping[str, DataType]) -> pl.DataFrame:
    """The 2n rows measured on `answers` as structs c and r beside `row`; a side without a text is null."""
    n = frame.height
    made = [frame["row"]]
    for side, name, rows in (("c", "chosen", measured.head(n)), ("r", "rejected", measured.tail(n))):
        struct = rows.to_struct(side).cast(columns[side])
        missing = frame[name].is_null()
        if missing.any():
            struct = pl.select(pl.when(~missing).then(struct).alias(side)).to_series()
        made.append(struct)
    return pl.DataFrame(made)


def last_user(prompt: pl.Series) -> pl.Series:
    """The text of each prompt's last user turn; null where there is none.

    Args:
        prompt: n lists of {role, content}.
    """
    frame = prompt.alias("prompt").to_frame().with_columns(last=prompt.list.last())
    role, content = pl.col("last").struct.field("role"), pl.col("last").struct.field("content")
    quick = frame.select(pl.when(role == "user").then(content).alias("turn")).to_series()
    slow = np.flatnonzero(frame.select((role != "user").fill_null(False)).to_series().to_numpy())
    if not len(slow):
        return quick
    turns = (
        pl.DataFrame({"at": slow, "prompt": prompt.gather(slow)})
        .explode("prompt")
        .unnest("prompt")
        .filter(pl.col("role") == "user")
        .unique("at", keep="last", maintain_order=True)
    )
    return quick.scatter(turns["at"], turns["content"]) if turns.height else quick


def readable(frame: pl.DataFrame) -> pl.Series:
    """Of the 2n `answers`, which can be read: not blank, and not known from `text` to be in another language."""
    english = pl.concat([frame[side].struct.field("english") for side in ("c", "r")]).fill_null(True)
    return english & answers(frame).str.contains(r"\S").fill_null(False)


def in_english(frame: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The 2n rows measured on `answers`, null where an answer is blank or known not to be English (`readable`)."""
    known = readable(frame)
    return scores.select(pl.when(known).then(pl.col(name)).alias(name) for name in scores.columns)

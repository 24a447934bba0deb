"""What each annotator's votes look like beside those of the others."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.stats.intervals import cluster_rate

ANNOTATORS: dict[str, pl.DataType] = {
    "annotator": pl.String(),
    "votes": pl.Int64(),
    "shared": pl.Int64(),
    "agreement": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "first_rate": pl.Float64(),
    "first_low": pl.Float64(),
    "first_high": pl.Float64(),
    "longer_rate": pl.Float64(),
}

READS = ("row", "annotator", "votes", "label", "first", "hash_prompt", "hash_chosen", "hash_rejected")


def annotators(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row an annotator: how much they voted, and how far the others agree.

    Votes on the same two answers to the same prompt are one comparison, whichever of the two was chosen and in however
    many source rows they stand. A vote is held against the majority of the other votes on its comparison: 1 where it
    is the same, 0 where opposite, 1/2 where it is a tie; comparisons whose other votes have no majority say nothing.
    One's own other votes on the comparison are not among the others.

    Args:
        pairs: the columns READS of PAIRS, `group`, and `length` (`length_ratio` of the two answers).

    Returns:
        The columns ANNOTATORS, most votes first. `agreement` with its interval is over `shared` votes, robust by group.
        `first_rate`: how often the answer presented first was voted for, where that is known; `longer_rate`: the longer
        one, where lengths differ; ties are left out of both. Null where nothing is known.
    """
    votes = _votes(pairs)
    if votes.is_empty():
        return pl.DataFrame(schema=ANNOTATORS)
    held = votes.with_columns(
        others=pl.col("vote").sum().over("comparison") - pl.col("vote").sum().over("comparison", "annotator"),
        count=pl.len().over("comparison").cast(pl.Int64) - pl.len().over("comparison", "annotator").cast(pl.Int64),
    ).with_columns(lean=(2 * pl.col("others") - pl.col("count")).sign())
    held = held.with_columns(
        agrees=pl.when((pl.col("count") > 0) & (pl.col("lean") != 0)).then(
            (1 + pl.col("lean") * (2 * pl.col("vote") - 1)) / 2
        ),
        first_won=_won("first"),
        longer_won=_won("longer"),
    )
    rows = []
    for (name,), part in held.group_by("annotator", maintain_order=True):
        known = part.filter(pl.col("agrees").is_not_null())
        told = part.filter(pl.col("first_won").is_not_null())
        rate = cluster_rate(known["agrees"].to_numpy(), known["group"].to_numpy())
        first = cluster_rate(told["first_won"].to_numpy(), told["group"].to_numpy())
        numbers = dict(
            zip(("agreement", "low", "high", "first_rate", "first_low", "first_high"), (*rate, *first), strict=True)
        )
        rows.append(
            {
                "annotator": name,
                "votes": part.height,
                "shared": known.height,
                **{key: None if np.isnan(v) else v for key, v in numbers.items()},
                "longer_rate": part["longer_won"].mean(),
            }
        )
    return pl.DataFrame(rows, schema=ANNOTATORS).sort("votes", "annotator", descending=[True, False])


def _won(side: str) -> pl.Expr:
    """Whether the vote went to the side (1 or -1 in the turned order; 0 not known)."""
    toward = (2 * pl.col("vote") - 1).sign()
    return pl.when((toward != 0) & (pl.col(side) != 0)).then((toward == pl.col(side)).cast(pl.Float64))


def _votes(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row a vote: comparison, group, annotator, vote for the answer with the smaller hash."""
    a, b = pl.col("hash_chosen"), pl.col("hash_rejected")
    single = pl.when(pl.col("label") == "chosen").then(1.0).otherwise(0.5)
    own = pl.struct(pl.col("annotator"), single.alias("vote"))
    voted = pl.col("votes").list.len().fill_null(0) > 0
    frame = pairs.filter(voted | pl.col("annotator").is_not_null()).with_columns(
        votes=pl.when(voted).then(pl.col("votes")).otherwise(pl.concat_list(own)),
        turn=pl.when(a <= b).then(1).otherwise(-1),
        first=pl.when(pl.col("first") == 1).then(1).when(pl.col("first") == 0).then(-1).otherwise(0),
        longer=pl.col("length").fill_nan(None).fill_null(0).sign().cast(pl.Int32),
        comparison=pl.struct("hash_prompt", pl.min_horizontal(a, b), pl.max_horizontal(a, b).alias("other")),
    )
    frame = frame.select("comparison", "group", "turn", "first", "longer", "votes").explode("votes").unnest("votes")
    return frame.filter(pl.col("annotator").is_not_null()).select(
        pl.col("comparison").hash(0),  # only to compare, never written
        "group",
        "annotator",
        vote=0.5 + (pl.col("vote") - 0.5) * pl.col("turn"),
        first=pl.col("first") * pl.col("turn"),
        longer=pl.col("longer") * pl.col("turn"),
    )

"""Votes on comparisons: one row a vote, however the source keeps them."""

from __future__ import annotations

import polars as pl

READS = ("row", "annotator", "votes", "label", "first", "hash_prompt", "hash_chosen", "hash_rejected")
"""Columns of PAIRS that hold a vote."""

CARRIED = ("item", "source", "language")
"""Columns that are handed on where the pairs have them."""

ITEM_KEYS = ("pair_id", "comparison_id", "question_id", "instance_id", "idx", "id")
"""Where a source keeps the name of what was put to its annotators; the first that a row has counts."""


def items() -> pl.Expr:
    """`item`: a number for what was put to annotators, from `extra`, `votes` and `row`; only to compare.

    It is what the source calls the comparison, else a source row that lists its votes; null where neither is known.
    """
    name = pl.coalesce(*(pl.col("extra").str.json_path_match(f"$.{key}") for key in ITEM_KEYS))
    row = pl.when(pl.col("votes").list.len() > 0).then(pl.col("row").hash(1))
    return pl.when(name.is_not_null()).then(name.hash(0)).otherwise(row).alias("item")


def votes(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row a vote.

    Votes on the same two answers to the same prompt are one comparison, whichever of the two was chosen and in however
    many source rows they stand. Sides are told apart by content hash, so no number depends on which side a row calls
    chosen. Pairs of two equal answers hold no vote.

    Args:
        pairs: the columns READS of PAIRS, `group`, and where known `length` (`length_ratio` of the two answers) and
            CARRIED.

    Returns:
        comparison (a number, only to compare), row, group, annotator, vote (1 for the answer with the smaller hash, 0
        for the other, 1/2 for a tie), first and longer (1 or -1 where that answer is the first or longer one or the
        other one is; 0 not known), gap (size of the length ratio), and CARRIED where given.
    """
    a, b = pl.col("hash_chosen"), pl.col("hash_rejected")
    single = pl.when(pl.col("label") == "chosen").then(1.0).otherwise(0.5)
    own = pl.struct(pl.col("annotator"), single.alias("vote"))
    voted = pl.col("votes").list.len().fill_null(0) > 0
    length = pl.col("length").fill_nan(None) if "length" in pairs.columns else pl.lit(None, pl.Float64)
    frame = pairs.filter((voted | pl.col("annotator").is_not_null()) & (a != b)).with_columns(
        votes=pl.when(voted).then(pl.col("votes")).otherwise(pl.concat_list(own)),
        turn=pl.when(a <= b).then(1).otherwise(-1),
        first=pl.when(pl.col("first") == 1).then(1).when(pl.col("first") == 0).then(-1).otherwise(0),
        longer=length.fill_null(0).sign().cast(pl.Int32),
        gap=length.abs().round(9),
        comparison=pl.struct("hash_prompt", pl.min_horizontal(a, b), pl.max_horizontal(a, b).alias("other")).hash(0),
    )
    carried = [name for name in CARRIED if name in frame.columns]
    frame = frame.select("row", "comparison", "group", "turn", "first", "longer", "gap", "votes", *carried)
    frame = frame.explode("votes").unnest("votes")
    return frame.filter(pl.col("annotator").is_not_null()).select(
        *carried,
        "comparison", "row", "group", "annotator",
        vote=0.5 + (pl.col("vote") - 0.5) * pl.col("turn"),
        first=pl.col("first") * pl.col("turn"),
        longer=pl.col("longer") * pl.col("turn"),
        gap="gap",
    )  # fmt: skip


def repeats(table: pl.DataFrame) -> pl.DataFrame:
    """Comparisons that were put to several annotators more than once, as items of their own.

    An item is what the source names as one (ITEM_KEYS), else a source row that lists its votes. Only items with two
    votes or more count: a single vote is no majority.

    Args:
        table: what `votes` returns, with `item`.

    Returns:
        comparison, group, opposed: whether the majority of one item is strictly the other way round than that of
        another; ties have no side.
    """
    items = table.filter(pl.col("item").is_not_null()).group_by("comparison", "item").agg(
        pl.col("group").first(), lean=(2 * pl.col("vote") - 1).sum().sign(), n=pl.len())  # fmt: skip
    clash = (pl.col("lean").max() > 0) & (pl.col("lean").min() < 0)
    many = items.filter(pl.col("n") > 1).group_by("comparison").agg(pl.col("group").first(), opposed=clash, n=pl.len())
    return many.filter(pl.col("n") > 1).drop("n").sort("comparison")

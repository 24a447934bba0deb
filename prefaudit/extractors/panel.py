"""What became of a comparison that was judged again: by other annotators, or in the other order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from prefaudit.core import Apply, Parts
from prefaudit.stats.votes import READS, items, repeats, votes

PANEL = pl.Struct({"opposed": pl.Boolean, "orders": pl.Float64})


@dataclass(frozen=True)
class Panel:
    """`panel.opposed` and `panel.orders` of pairs whose comparison stands in the data more than once.

    `opposed`: the comparison was put to several annotators more than once, and the strict majority of one time is the
    opposite of that of another; false where no two are; null where it was not put to them twice. `orders`: how far the
    verdict moves when the other answer is presented first, the same judge (annotator, or the one that nobody names)
    having judged both orders: 0 it stays, 1 it turns round, 1/2 where one of the two is a tie, the mean over verdicts
    in the other order; null where only one order was judged. Found by content hashes of prompt and answers.
    """

    name: ClassVar[str] = "panel"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct, its fields null where nothing was judged twice."""
        return {"panel": PANEL}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """The rows of which something is known: row, opposed, orders."""
        judged, voted = [], []
        for part in parts([*READS, "extra"]):
            judged.append(_judged(part))
            if part["annotator"].null_count() < part.height or part["votes"].null_count() < part.height:
                table = votes(part.with_columns(items(), group=pl.lit(0)))
                voted.append(table.select("row", "comparison", "group", "item", "vote").drop_nulls("item"))
        opposed, orders = _opposed(voted), _orders(judged)
        return opposed.join(orders, on="row", how="full", coalesce=True).sort("row")

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("panels are looked up in what fit returned")
        known = state.select("row", panel=pl.struct("opposed", "orders").cast(PANEL))
        absent = pl.struct(opposed=pl.lit(None, pl.Boolean), orders=pl.lit(None, pl.Float64))

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            found = frame.select("row").join(known, on="row", how="left", maintain_order="left")
            return found.select("row", panel=pl.coalesce("panel", absent))

        return apply


def _judged(part: pl.DataFrame) -> pl.DataFrame:
    """row, comparison, judge, order (1: the answer with the smaller hash was first, else -1) and vote for that one."""
    a, b = pl.col("hash_chosen"), pl.col("hash_rejected")
    turn = pl.when(a < b).then(1).otherwise(-1)
    side = pl.when(pl.col("label") == "chosen").then(1).otherwise(0)
    known = pl.col("first").is_not_null() & (a != b) & pl.col("label").is_in(["chosen", "tie"])
    return part.filter(known).select(
        "row",
        comparison=pl.struct("hash_prompt", pl.min_horizontal(a, b), pl.max_horizontal(a, b).alias("other")).hash(0),
        judge=pl.col("annotator").hash(0),
        order=(turn * (2 * pl.col("first") - 1)).cast(pl.Int8),
        vote=(0.5 + 0.5 * turn * side).cast(pl.Float32),
    )


def _orders(judged: list[pl.DataFrame]) -> pl.DataFrame:
    if not judged:
        return pl.DataFrame(schema={"row": pl.Int64, "orders": pl.Float64})
    same = ["comparison", "judge"]
    table = pl.concat(judged).filter(pl.len().over(same) > 1)
    table = table.filter((pl.col("order").min().over(same) < 0) & (pl.col("order").max().over(same) > 0))
    other = table.group_by(*same, -pl.col("order"), maintain_order=True).agg(pl.col("vote").alias("others"))
    found = table.join(other, on=[*same, "order"], how="left", maintain_order="left")
    # The mean of |v - w| over the other order's verdicts w: v takes three values, so three counts say it.
    distance = sum(
        pl.when(pl.col("vote") == v).then(pl.col("others").list.eval((pl.element() - v).abs()).list.mean()).otherwise(0)
        for v in (0.0, 0.5, 1.0)
    )
    return found.select("row", orders=distance.cast(pl.Float64))  # type: ignore[union-attr]


def _opposed(voted: list[pl.DataFrame]) -> pl.DataFrame:
    if not voted:
        return pl.DataFrame(schema={"row": pl.Int64, "opposed": pl.Boolean})
    table = pl.concat(voted)
    twice = repeats(table).select("comparison", "opposed")
    return table.select("row", "comparison").unique("row").join(twice, on="comparison").select("row", "opposed")

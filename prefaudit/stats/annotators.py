"""What each annotator's votes look like beside those of the others."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.stats.groups import Ints
from prefaudit.stats.intervals import Floats, bh, wilson
from prefaudit.stats.reliability import dawid_skene
from prefaudit.stats.votes import votes

TESTED = 20  # with fewer votes nothing is tested: it could hardly be found, and each test costs the others power

ANNOTATORS: dict[str, pl.DataType] = {
    "annotator": pl.String(),
    **dict.fromkeys(("votes", "shared"), pl.Int64()),
    **dict.fromkeys(
        (
            *("agreement", "low", "high", "q_agreement", "reliability", "reliability_low", "reliability_high"),
            *("tie_rate", "first_rate", "first_low", "first_high", "q_first"),
            *("longer_rate", "longer_low", "longer_high", "q_longer"),
        ),
        pl.Float64(),
    ),
}


def annotators(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row an annotator: how much they voted, how far the others agree, and what their votes follow.

    A vote is held against the majority of the other votes on its comparison: 1 where it is the same, 0 where opposite,
    1/2 where it is a tie; comparisons whose other votes have no majority say nothing. One's own other votes on the
    comparison are not among the others.

    Intervals are Wilson's over votes: what is asked is how this annotator votes on the comparisons that he was given,
    and given those his votes are independent. Each q is Benjamini and Hochberg's over annotators, of an exact binomial
    test (fractions by the incomplete beta function) against the rate of all others together: `q_agreement` one-sided,
    of agreeing less than they do; `q_first` and `q_longer` two-sided. `reliability` is that of `dawid_skene`.

    Args:
        pairs: as for `votes`.

    Returns:
        The columns ANNOTATORS, most votes first. `first_rate`: how often the answer presented first was voted for,
        where that is known; `longer_rate`: the longer one, where lengths differ; ties are left out of both. Null where
        nothing is known.
    """
    table = votes(pairs)
    if table.is_empty():
        return pl.DataFrame(schema=ANNOTATORS)
    others = pl.col("vote").sum().over("comparison") - pl.col("vote").sum().over("comparison", "annotator")
    count = (pl.len().over("comparison") - pl.len().over("comparison", "annotator")).cast(pl.Int64)
    held = table.with_columns(others=others, count=count).with_columns(
        lean=(2 * pl.col("others") - pl.col("count")).sign()
    )
    names = held["annotator"].unique().sort()
    held = held.select(
        who=held["annotator"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64),
        unit=pl.col("comparison").rank("dense").cast(pl.Int64) - 1,
        vote="vote",
        agrees=pl.when((pl.col("count") > 0) & (pl.col("lean") != 0)).then(
            (1 + pl.col("lean") * (2 * pl.col("vote") - 1)) / 2
        ),
        first=_won("first"),
        longer=_won("longer"),
    )
    who = held["who"].to_numpy()
    found = dawid_skene(held["unit"].to_numpy(), who, held["vote"].to_numpy())
    columns: dict[str, object] = {"annotator": names, "votes": np.bincount(who, minlength=len(names))}
    for name, column, lower in (
        ("agreement", "agrees", True),
        ("first", "first", False),
        ("longer", "longer", False),
    ):
        k, n = _tally(held[column], who, len(names))
        rate, low, high = _rates(k, n)
        ends = ("low", "high") if lower else (f"{name}_low", f"{name}_high")
        columns |= {name if lower else f"{name}_rate": rate, ends[0]: low, ends[1]: high}
        columns[f"q_{name}"] = bh(_against_others(k, n, lower))
        if lower:
            columns["shared"] = n.astype(np.int64)
    ties, all_ = _tally((held["vote"] == 0.5).cast(pl.Float64), who, len(names))
    columns |= {"tie_rate": ties / all_, "reliability": found.right}
    columns |= {"reliability_low": found.low, "reliability_high": found.high}
    frame = pl.DataFrame({name: columns[name] for name in ANNOTATORS}, schema=ANNOTATORS)
    return frame.fill_nan(None).sort("votes", "annotator", descending=[True, False])


def _won(side: str) -> pl.Expr:
    """Whether the vote went to the side (1 or -1 in the turned order; 0 not known)."""
    toward = (2 * pl.col("vote") - 1).sign()
    return pl.when((toward != 0) & (pl.col(side) != 0)).then((toward == pl.col(side)).cast(pl.Float64))


def _tally(values: pl.Series, who: Ints, people: int) -> tuple[Floats, Floats]:
    """Sum and number of each annotator's known values."""
    known = values.is_not_null().to_numpy()
    mine = who[known]
    total = np.bincount(mine, values.drop_nulls().to_numpy(), people)
    return np.asarray(total, dtype=np.float64), np.bincount(mine, minlength=people).astype(np.float64)


def _rates(k: Floats, n: Floats) -> tuple[Floats, Floats, Floats]:
    bounds = np.array([wilson(a, b) for a, b in zip(k, n, strict=True)]).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        return k / n, bounds[:, 0], bounds[:, 1]


def _against_others(k: Floats, n: Floats, lower: bool) -> Floats:
    """p of a rate like that of all others together; NaN with fewer than TESTED votes, or where nobody else is known."""
    from scipy.special import betainc

    known = (n >= TESTED) & (n < n.sum())
    p = np.full(len(n), np.nan)
    rate = np.clip((k.sum() - k[known]) / (n.sum() - n[known]), 1e-9, 1 - 1e-9)
    k, n = k[known], n[known]
    below = np.where(k >= n, 1.0, betainc(np.maximum(n - k, 1e-12), k + 1, 1 - rate))
    above = np.where(k <= 0, 1.0, betainc(np.maximum(k, 1e-12), n - k + 1, rate))
    p[known] = below if lower else np.minimum(1.0, 2 * np.minimum(below, above))
    return p

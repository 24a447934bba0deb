"""Strength of a label from what the source itself says of it."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.repair.cut import Floats


def of_source(pairs: pl.DataFrame) -> Floats | None:
    """Strength of every pair, NaN where nothing tells, None where nothing tells of any pair.

    A scorer is whatever the source records beside the label: its scores of the two answers (else its margin), and the
    votes. Each gives a margin m in favour of the label (scores: the difference; votes: twice the mean less 1), which
    is divided by sqrt(mean(m^2)), so that 0 stays 0: no evidence either way. The mean of those is the strength. A tie
    has no side to be for and gets the strength 0 where a scorer speaks of it.

    Args:
        pairs: label, score_chosen, score_rejected, margin, votes.
    """
    scores = (pairs["score_chosen"] - pairs["score_rejected"]).to_frame("s")["s"]
    margin = scores.fill_null(pairs["margin"]) if scores.null_count() < scores.len() else pairs["margin"]
    votes = pairs.select((2 * pl.col("votes").list.eval(pl.element().struct.field("vote")).list.mean() - 1).alias("v"))[
        "v"
    ]
    tied = (pairs["label"] != "chosen").to_numpy()
    found = []
    for scorer in (margin, votes):
        m = scorer.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
        m[~np.isfinite(m)] = np.nan
        m[tied & ~np.isnan(m)] = 0.0
        scale = np.sqrt(np.nanmean(m**2)) if not np.isnan(m).all() else 0.0
        if scale > 0:
            found.append(m / scale)
    if not found:
        return None
    both = np.stack(found)
    told = ~np.isnan(both)
    total = np.where(told, both, 0).sum(0)
    return np.asarray(np.where(told.any(0), total / np.maximum(told.sum(0), 1), np.nan))


def probability(pairs: pl.DataFrame, strength: Floats, correct: Floats | None = None) -> Floats:
    """Probability that the label is right, for soft labels; NaN where nothing is known.

    `strength.p_correct` where the audit has it: something outside the dataset calibrates it. Else, with votes,
    (votes for the label + 1/2) / (votes + 1), the posterior mean under Jeffreys' prior, a tie counting half. Else
    sigma(strength): Bradley and Terry's model with one standardised margin as the unit, which nothing has calibrated.
    Ties get 1/2.

    Args:
        pairs: label, votes.
        strength: of every pair, NaN where not known.
        correct: a calibrated probability, NaN where not known.
    """
    told = pairs.select(
        n=pl.col("votes").list.len(), s=pl.col("votes").list.eval(pl.element().struct.field("vote")).list.sum()
    )
    n, s = (told[c].cast(pl.Float64).fill_null(0).to_numpy() for c in ("n", "s"))
    p = np.where(n > 0, (s + 0.5) / (n + 1), 1 / (1 + np.exp(-np.where(np.isnan(strength), 0, strength))))
    p = np.where((n == 0) & np.isnan(strength), np.nan, p)
    p = p if correct is None else np.where(np.isnan(correct), p, correct)
    return np.asarray(np.where((pairs["label"] != "chosen").to_numpy(), 0.5, p))

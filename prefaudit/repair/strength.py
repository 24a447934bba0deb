"""The probability of a label, from its strength."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.repair.cut import Floats


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

"""Two views side by side."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.models import Lexical, Views

CHOSEN = pl.Series(
    [f"a long answer about {w} and more" for w in ("tea", "rain", "boats", "maps", "stone", "paper")] * 5
)
REJECTED = pl.Series([f"no {w} here today" for w in ("cake", "sun", "trains", "lamps", "wood", "ink")] * 5)


def test_pairs_differ_as_much_in_either_view() -> None:
    one, other = (Lexical.fit(CHOSEN, REJECTED, dim=dim) for dim in (3, 8))
    both = Views.fit(one, other, CHOSEN, REJECTED, None)
    x = both.embed(CHOSEN).values - both.embed(REJECTED).values
    size = [(x[:, part] ** 2).sum() for part in (slice(0, one.dim), slice(one.dim, None))]
    assert x.shape[1] == one.dim + other.dim and np.isclose(size[0], size[1], rtol=1e-4)
    assert both.name == "lexical+lexical" and both.revision != Views(one, other, 2.0).revision
    np.testing.assert_allclose(Views(one, Lexical.from_bytes(other.to_bytes()), both.scale).embed(CHOSEN).values,
                               both.embed(CHOSEN).values)  # fmt: skip

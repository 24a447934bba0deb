"""Names from contrast."""

from __future__ import annotations

import numpy as np
import polars as pl

from prefaudit.lens import Terms, names

WORDS = ["tea", "cake", "rain", "train", "boat", "map", "lamp", "stone", "river", "paper"]


def world(n: int = 600, seed: int = 0) -> tuple[Terms, np.ndarray, np.ndarray]:
    """Texts in which `sorry` stands in one side of a third of the pairs; which side, and which pairs are held out."""
    rng = np.random.default_rng(seed)
    side = rng.choice([-1, 0, 1], n)
    texts = [[" ".join(rng.choice(WORDS, 9)) for _ in range(n)] for _ in range(2)]
    for k in range(n):
        if side[k]:
            texts[0 if side[k] > 0 else 1][k] += " sorry"
    return Terms.of(pl.Series(texts[0]), pl.Series(texts[1])), side, rng.random(n) < 0.3


def test_the_term_behind_a_feature_is_named_with_its_direction() -> None:
    terms, side, held = world()
    z = np.column_stack([side * 2.0, -side * 1.0]).astype(np.float32)
    more, less = names(z, terms, {}, held)
    assert more.terms[0].words == "sorry" and more.terms[0].r > 0.9
    assert less.terms[0].r < -0.9 and "without “sorry”" in str(less)


def test_properties_are_named_where_they_hold() -> None:
    terms, side, held = world()
    rng = np.random.default_rng(1)
    properties = {
        "more lists": side + 0.1 * rng.standard_normal(len(side)),
        "more code": rng.standard_normal(len(side)),
    }
    (name,) = names(side[:, None].astype(np.float32), terms, properties, held)
    assert [p.words for p in name.properties] == ["more lists"]
    (turned,) = names(-side[:, None].astype(np.float32), terms, properties, held)
    assert str(turned).startswith("fewer lists")


def test_noise_has_no_name() -> None:
    terms, side, held = world()
    z = np.random.default_rng(2).standard_normal((len(side), 40)).astype(np.float32)
    told = names(z, terms, {"more code": np.full(len(side), np.nan)}, held)
    assert np.mean([len(n.terms) for n in told]) < 1.0  # 12 proposals confirmed at two standard errors by chance
    assert "nothing" in str(names(z[:, :1] * 0, terms, {}, held)[0])


def test_exchanging_the_answers_changes_no_name() -> None:
    terms, side, held = world()
    z = (side[:, None] * np.random.default_rng(3).random((len(side), 1))).astype(np.float32)
    turned = Terms(-terms.sign, terms.words)
    assert names(z, terms, {}, held) == names(-z, turned, {}, held)

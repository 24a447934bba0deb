"""The embedder fitted on the data."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from prefaudit.models import Lexical
from prefaudit.models.base import Embedder
from prefaudit.models.lexical import HEAD, Lookup, chunks, tokens

WORDS = [
    "the", "a", "of", "tea", "cake", "rain", "train", "boat",
    "map", "lamp", "stone", "river", "paper", "window", "garden", "letter",
]  # fmt: skip


def texts(n: int, seed: int) -> pl.Series:
    rng = np.random.default_rng(seed)
    lines = [" ".join(rng.choice(WORDS, rng.integers(4, 30))) for _ in range(n)]
    return pl.Series([line + rng.choice([".", "!", "\n- x"]) for line in lines])


@pytest.fixture(scope="module")
def fitted() -> Lexical:
    return Lexical.fit(texts(300, 1), texts(300, 2), seed=3, dim=24)


def test_is_an_embedder(fitted: Lexical) -> None:
    assert isinstance(fitted, Embedder)


def test_lookup_finds_what_is_there_and_nothing_else() -> None:
    keys = np.random.default_rng(0).integers(0, 2**63, 5000).astype(np.uint64)
    keys[1] = keys[0] + np.uint64(1)  # one bucket of the table
    lookup = Lookup(keys)
    assert (lookup.find(keys) == np.arange(len(keys))).all()
    assert (lookup.find(keys + np.uint64(7)) == -1).sum() >= 4990
    assert (Lookup(keys[:0]).find(keys) == -1).all()


def test_tokens_of_scripts_marks_and_line_ends() -> None:
    cut = tokens(pl.Series(["Don't STOP, 42!\n新しい", "", "é"]))
    assert cut.flat.to_list() == ["don't", "stop", ",", "42", "!", "\n", "新", "し", "い", "é"]
    assert cut.text.tolist() == [0] * 9 + [2]


def test_same_data_same_vectors_and_saved_ones_too(fitted: Lexical) -> None:
    again = Lexical.fit(texts(300, 1), texts(300, 2), seed=3, dim=24)
    some = texts(50, 9)
    want = fitted.embed(some).values
    np.testing.assert_array_equal(again.embed(some).values, want)
    saved = Lexical.from_bytes(fitted.to_bytes())
    np.testing.assert_array_equal(saved.embed(some).values, want)
    assert saved.revision == again.revision == fitted.revision
    assert Lexical.fit(texts(300, 4), texts(300, 2), seed=3, dim=24).revision != fitted.revision


def test_a_text_has_one_vector_whatever_stands_beside_it(fitted: Lexical, monkeypatch: pytest.MonkeyPatch) -> None:
    some = texts(40, 5)
    want = fitted.embed(some).values
    monkeypatch.setattr("prefaudit.models.lexical.CHUNK", 200)
    assert len(chunks(some)) > 3
    np.testing.assert_array_equal(fitted.embed(some).values, want)


def test_unit_length_and_zero_for_what_has_no_known_term(fitted: Lexical) -> None:
    vectors = fitted.embed(pl.Series(["tea cake rain", "", "zzz qqq", "tea " * HEAD]))
    assert np.linalg.norm(vectors.values, axis=1).round(5).tolist() == [1, 0, 0, 1]
    assert vectors.cut.tolist() == [False, False, False, True]
    assert np.isfinite(vectors.values).all()


def test_swapping_the_sides_of_the_sample_changes_nothing_but_rounding() -> None:
    a, b = texts(200, 1), texts(200, 2)
    some = texts(30, 3)
    one, other = Lexical.fit(a, b, dim=8).embed(some).values, Lexical.fit(b, a, dim=8).embed(some).values
    assert np.abs(one @ one.T - other @ other.T).max() < 1e-3


def test_a_tiny_sample_and_one_without_words() -> None:
    small = Lexical.fit(pl.Series(["tea cake", "rain"]), pl.Series(["tea", "boat rain"]))
    assert small.embed(pl.Series(["tea rain"])).values.shape == (1, small.dim)
    with pytest.raises(ValueError, match="no word"):
        Lexical.fit(pl.Series(["", " "]), pl.Series(["", ""]))

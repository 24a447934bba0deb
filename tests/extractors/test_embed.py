"""Vectors of answers, part by part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from prefaudit.extractors.embed import Embed, said, sample
from prefaudit.models import default
from prefaudit.models.base import packed, unpacked

WORDS = ["tea", "cake", "rain", "train", "boat", "map", "lamp", "stone", "river", "paper"]


def frame(n: int = 60, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    texts = pl.Series([" ".join(rng.choice(WORDS, 8)) for _ in range(2 * n)])
    pairs = pl.DataFrame({"row": np.arange(n), "chosen": texts[:n], "rejected": texts[n:]})
    pairs = pairs.with_columns(
        prompt=pl.Series([[{"role": "user", "content": f"question {k}"}] for k in range(n)]),
        hash_prompt=pl.int_range(1, n + 1, dtype=pl.UInt64),
    )
    blank = pl.when(pl.col("row") % 7 != 3).then(pl.col("rejected"))  # unpaired rows
    pairs = pairs.with_columns(rejected=blank)
    hashed = [
        pl.when(pl.col(s).is_not_null()).then(pl.col(s).hash(0)).alias(f"hash_{s}") for s in ("chosen", "rejected")
    ]
    return pairs.with_columns(hashed)


def parts(whole: pl.DataFrame, size: int):  # type: ignore[no-untyped-def]
    return lambda columns: (whole[k : k + size].select(columns) for k in range(0, whole.height, size))


def test_packed_and_back() -> None:
    values = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float16).astype(np.float32)
    known = np.array([True, False, True, True, False])
    out, again = unpacked(packed(values, known))
    np.testing.assert_array_equal(again, known)
    np.testing.assert_array_equal(out[known], values)
    assert not out[~known].any()
    assert unpacked(packed(values[:0], np.zeros(2, bool)))[0].shape == (2, 0)


def test_parts_change_neither_the_fit_nor_the_vectors() -> None:
    whole, one = frame(), Embed("lexical")
    state = one.fit(parts(whole, 60), 0)
    assert state.equals(one.fit(parts(whole, 7), 0))
    apply = one.load(state)
    got = apply(whole)
    cut = pl.concat([apply(whole[k : k + 7]) for k in range(0, 60, 7)])
    assert got.equals(cut)
    vectors, known = unpacked(got["embedding"].struct.field("rejected"))
    assert (known == whole["rejected"].is_not_null().to_numpy()).all()
    assert np.allclose(np.linalg.norm(vectors[known], axis=1), 1, atol=1e-2)


def test_equal_answers_have_one_vector() -> None:
    whole = frame()
    whole = whole.with_columns(chosen=pl.lit(whole["chosen"][0]), hash_chosen=pl.lit(whole["hash_chosen"][0]))
    one = Embed("lexical")
    chosen = one.load(one.fit(parts(whole, 60), 0))(whole)["embedding"].struct.field("chosen")
    assert chosen.n_unique() == 1


def test_the_sample_is_of_distinct_pairs_and_of_the_seed() -> None:
    whole = frame()
    twice = pl.concat([whole, whole.with_columns(row=pl.col("row") + 60)])
    first, _ = sample(parts(twice, 11), 0, 20)
    assert first.equals(sample(parts(twice, 40), 0, 20)[0]) and len(first) == 20
    assert not first.equals(sample(parts(twice, 40), 1, 20)[0])
    assert len(sample(parts(twice, 11), 0, 1000)[0]) == whole["rejected"].is_not_null().sum()


def test_prompts_as_text() -> None:
    system, user = {"role": "system", "content": "s"}, {"role": "user", "content": "b"}
    turns = [[{"role": "user", "content": "a"}], [system, user], []]
    kind = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    assert said(pl.Series(turns, dtype=kind)).to_list() == ["a", "system: s\n\nuser: b", ""]


def test_the_default_goes_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Embed().settled(10**6).embedder == "lexical"
    monkeypatch.setattr("prefaudit.models.installed", lambda: True)
    assert Embed().settled(1000).embedder == "minilm"
    monkeypatch.setattr("prefaudit.models.installed", lambda: False)
    assert Embed().settled(1000).embedder == "lexical" and "not installed" in default(1000)[1]
    assert Embed("minilm").settled(10**6).embedder == "minilm"


def test_other_weights_are_another_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(b"{}")
    before = Embed(f"{tmp_path}@2")
    assert before.embedder_revision and before == Embed(f"{tmp_path}@2")
    assert before.settled(10).embedder_revision == before.embedder_revision
    (tmp_path / "model.safetensors").write_bytes(b"[]")
    assert Embed(f"{tmp_path}@2").embedder_revision != before.embedder_revision
    assert Embed("minilm@3") == Embed("minilm")
    monkeypatch.chdir(tmp_path)
    assert Embed().embedder_revision == "", "none is named: nothing is read for it"

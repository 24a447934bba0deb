"""Consensus: what the rest of the dataset says, never what a pair says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.audit.selection import choose, configured, recorded
from prefaudit.config import Options
from prefaudit.extractors import consensus
from prefaudit.extractors.consensus import Consensus, fold_of
from prefaudit.models.base import packed
from prefaudit.reports.json import canonical
from prefaudit.stats.heads import ENOUGH, cross_fit

WORDS = [a + b for a in ("al", "be", "ga", "de", "ze") for b in ("pha", "ta", "mma", "lta")]


def made(n: int, seed: int = 0, per_group: int = 2) -> pl.DataFrame:
    """Pairs in which the answer with the word "sure" is chosen, and the number of lists says nothing."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, 12)) for _ in range(2 * n)]
    chosen = [f"sure {t}" if rng.random() < 0.7 else t for t in texts[:n]]
    rejected = texts[n:]
    sides = [pl.DataFrame({"lists": rng.integers(0, 5, n), "words": [len(t.split()) for t in side]}).to_struct("s")
             for side in (chosen, rejected)]  # fmt: skip
    return pl.DataFrame({
        "row": np.arange(n), "prompt": [[{"role": "user", "content": f"question {k % 7}"}] for k in range(n)],
        "group": np.arange(n) // per_group, "label": ["chosen"] * n, "chosen": chosen,
        "rejected": rejected, "hash_chosen": pl.Series(np.arange(n), dtype=pl.UInt64),
        "hash_rejected": pl.Series(np.arange(n) + n, dtype=pl.UInt64), "c": sides[0], "r": sides[1],
    })  # fmt: skip


def measured(data: pl.DataFrame, parts: int = 1, seed: int = 0) -> np.ndarray:
    cuts = [data[c] for c in np.array_split(np.arange(data.height), parts)]
    one = Consensus("embedding" in data.columns)
    state = one.fit(lambda names: [c.select(names) for c in cuts], seed)
    found = pl.concat([one.load(state)(c) for c in cuts])
    return found["consensus"].struct.field("mean").to_numpy()


def turned(data: pl.DataFrame, rows: np.ndarray) -> pl.DataFrame:
    swap = pl.Series(np.isin(np.arange(data.height), rows))
    pairs = [("chosen", "rejected"), ("hash_chosen", "hash_rejected"), ("c", "r")]
    if "embedding" in data.columns:
        sides = data["embedding"].struct.unnest()
        both = [sides[b].zip_with(swap, sides[a]).alias(a) for a, b in (pairs[0], pairs[0][::-1])]
        data = data.with_columns(pl.DataFrame(both).to_struct("embedding"))
    ours = [data[b].zip_with(swap, data[a]).alias(a) for a, b in pairs]
    return data.with_columns(ours + [data[a].zip_with(swap, data[b]).alias(b) for a, b in pairs])


def test_wrong_labels_stand_at_the_bottom() -> None:
    data, wrong = made(600), np.arange(0, 600, 6)
    score = measured(turned(data, wrong))
    low = np.isin(np.argsort(score), wrong)
    assert low[:100].mean() > 0.5 and score[wrong].mean() < 0 < np.delete(score, wrong).mean()


def test_a_pair_does_not_speak_for_itself() -> None:
    data, rng = made(400), np.random.default_rng(1)
    shuffled = turned(data, np.flatnonzero(rng.random(400) < 0.5))  # labels that nothing predicts
    score = measured(shuffled)
    assert abs(np.nanmean(score > 0) - 0.5) < 0.08


def test_turning_one_pair_round_negates_its_own_score_alone() -> None:
    data = made(300, per_group=1)
    there, back = measured(data), measured(turned(data, np.array([7])))
    assert there[7] == pytest.approx(-back[7], abs=1e-6)
    same_fold = fold_of(np.arange(300), 0) == fold_of(np.arange(300), 0)[7]
    same_fold[7] = False
    assert np.allclose(there[same_fold], back[same_fold])  # their heads saw neither


def test_parts_and_the_sample_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(500)
    assert np.array_equal(measured(data), measured(data, 7))
    monkeypatch.setattr(consensus, "SAMPLE", 300)
    assert np.array_equal(measured(data), measured(data, 7)) and not np.isnan(measured(data)).any()


def test_too_few_groups_and_lone_replies_are_not_judged() -> None:
    assert np.isnan(measured(made(ENOUGH // 2))).all()
    lone = [pl.when(pl.col("row") != 3).then(name).alias(name) for name in ("rejected", "hash_rejected")]
    data = made(400).with_columns(lone)
    assert np.flatnonzero(np.isnan(measured(data))).tolist() == [3]


def test_a_view_that_is_worth_nothing_gets_little() -> None:
    rng = np.random.default_rng(0)
    group = np.arange(4000)
    told = rng.normal(size=(4000, 3)).astype(np.float32)
    y = (told[:, 0] + rng.logistic(size=4000) > 0).astype(float)
    noise = rng.normal(size=(4000, 60)).astype(np.float32)
    views = {"told": told, "noise": noise}
    for head in cross_fit(views, y, fold_of(group, 0), group):
        share = {k: head.weights[k] * np.abs(v @ head.coefficients[k]).mean() for k, v in views.items()}
        assert share["told"] > 0.5 and share["noise"] < share["told"] / 2


@pytest.mark.parametrize("matters", [True, False])
def test_the_label_depends_on_the_prompt_where_it_does(matters: bool) -> None:
    rng = np.random.default_rng(3)
    n = 1200
    data = made(n, seed=3, per_group=1)
    brief = rng.random(n) < 0.5
    asked = [[{"role": "user", "content": "be brief" if b else "tell me all"}] for b in brief]
    longer = data["chosen"].str.len_chars().to_numpy() > data["rejected"].str.len_chars().to_numpy()
    wanted = ~brief if matters else rng.random(n) < 0.5
    follows = rng.random(n) < 0.8
    data = turned(data, np.flatnonzero((longer != wanted) & follows))
    data = data.with_columns(prompt=pl.Series(asked))
    state = Consensus().fit(lambda names: [data.select(names)], 0)
    told = json.loads(state.row(0, named=True)["view"])["prompt"]
    assert told["n"] == n and told["groups"] == n
    low, high = told["interval"]
    assert (low > 0.01) if matters else (low < 0.002 and told["gain"] < 0.005)
    assert low < told["gain"] < high


def with_vectors(n: int, told: float) -> pl.DataFrame:
    """Pairs whose vectors, of 200 numbers, differ by so much in a direction of their own, and by chance."""
    rng = np.random.default_rng(4)
    sides = rng.normal(size=(2, n, 200)).astype(np.float32)
    sides[0] += told * rng.normal(size=200).astype(np.float32) / 4
    known = np.ones(n, bool)
    columns = [packed(v, known).alias(side) for v, side in zip(sides, ("chosen", "rejected"), strict=True)]
    return made(n, per_group=1).with_columns(pl.DataFrame(columns).to_struct("embedding"))


def test_vectors_join_where_they_say_something() -> None:
    wrong = np.arange(0, 500, 5)
    low = {}
    for told in (0.0, 1.0):
        data = turned(with_vectors(500, told), wrong)
        low[told] = [np.isin(np.argsort(measured(d))[:100], wrong).mean() for d in (data, data.drop("embedding"))]
    assert low[1.0][0] > low[1.0][1] + 0.1 and low[0.0][0] > low[0.0][1] - 0.1


def test_vectors_in_parts_and_turned_round() -> None:
    data = with_vectors(300, 0.5)
    there, back = measured(data), measured(turned(data, np.array([7])))
    assert np.array_equal(there, measured(data, 7)) and there[7] == pytest.approx(-back[7], abs=1e-6)


def test_vectors_are_read_where_the_scan_has_an_embedder() -> None:
    def needs(**options: str | tuple[str, ...]) -> tuple[bool, bool]:
        found = {e.name: e for e in choose(Options(**options))}  # type: ignore[arg-type]
        again = configured(Consensus, recorded([found["consensus"]])["consensus"])
        assert again == found["consensus"] and again.needs == found["consensus"].needs
        return "embed" in found, "embed" in again.needs

    assert needs(with_=("+consensus",)) == (False, False)
    assert needs(with_=("+consensus", "+lens")) == (True, True)
    assert needs(with_=("consensus",), embedder="lexical") == (True, True)


def test_unasked_it_is_measured_on_a_sample_of_large_data_alone() -> None:
    found = {e.name: e for e in choose(Options())}
    unasked = found["consensus"]
    assert isinstance(unasked, Consensus)
    assert unasked.settled(consensus.MEASURED - 1) is None
    assert unasked.settled(10 * consensus.MEASURED) == Consensus(sampled=True, share=0.1)
    for pairs in (160_800, 300_000, 3_000_000, 15_000_001):
        share = unasked.settled(pairs).share
        assert abs(share * pairs / consensus.MEASURED - 1) < 0.001 and canonical(share) == share
    for asked in ({"with_": ("+consensus",)}, {"with_": ("consensus",)}):
        one = next(e for e in choose(Options(**asked)) if e.name == "consensus")
        assert isinstance(one, Consensus) and one.settled(10**9) == Consensus()
    for left in ("consensus", "text", "probes"):
        assert "consensus" not in {e.name for e in choose(Options(without=(left,)))}


def test_an_audit_with_a_sample_of_any_size_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consensus, "MEASURED", 37)
    pairs = made(300).select("chosen", "rejected", prompt=pl.format("Request {}, please?", pl.int_range(300)))
    audit = prefaudit.scan(pairs, tmp_path / "audit", seed=0)
    assert audit.report["options"]["measured"]["consensus"]["share"] == 0.123333
    assert audit.features().collect().height == 300
    done = prefaudit.filter(pairs, tmp_path / "kept.parquet", drop=("DUP001",), audit=tmp_path / "audit")
    assert pl.read_parquet(tmp_path / "kept.parquet").height == 300, done


def test_of_the_sample_it_says_what_it_would_say_of_all() -> None:
    data = made(600)
    state = Consensus().fit(lambda names: [data.select(names)], 0)
    whole, part = (one.load(state)(data)["consensus"].struct.field("mean").to_numpy()
                   for one in (Consensus(), Consensus(sampled=True, share=0.25)))  # fmt: skip
    inside = ~np.isnan(part)
    assert 80 < inside.sum() < 220 and (inside[::2] == inside[1::2]).all()
    assert (part[inside] == whole[inside]).all()

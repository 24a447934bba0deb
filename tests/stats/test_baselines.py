"""Held-out baselines and the table of annotators."""

import numpy as np
import polars as pl
import pytest

from prefaudit import stats
from prefaudit.stats.baselines import auc


def made(slope, n=2000, seed=0):
    rng = np.random.default_rng(seed)
    length, lists, noise = rng.normal(0, 1, n), rng.normal(0, 1, n).round(), rng.normal(0, 1, n)
    wins = rng.random(n) < 1 / (1 + np.exp(-slope * length - lists))
    turn = np.where(wins, 1, -1)
    return np.ones(n), length * turn, {"lists": lists * turn, "noise": noise * turn}, np.arange(n) // 2


def test_auc_is_that_of_both_ways_round():
    score = np.random.default_rng(0).normal(0.3, 1, 300).round(1)
    both, label = np.concatenate([score, -score]), np.repeat([1, 0], 300)
    above = (both[label == 1][:, None] > both[label == 0]).mean() + 0.5 * (
        both[label == 1][:, None] == both[label == 0]
    ).mean()
    assert auc(score, np.arange(300))[0] == pytest.approx(above)


def test_the_better_model_predicts_better():
    out = stats.baselines(*made(-1.0))
    assert out["rule"] in ("shorter wins", "more lists wins")
    assert 0.6 < out["length_auc"] < out["text_auc"] < 0.9
    assert out["longer_wins"] < 0.4
    for key in ("length", "rule", "text"):
        for what in ("accuracy", "auc"):
            low, high = out[f"{key}_{what}_interval"]
            assert low < out[f"{key}_{what}"] < high
    assert out["n"] == 2000 and out["groups"] == 1000


def test_noise_is_not_predictable():
    rng = np.random.default_rng(0)
    length, x = rng.normal(0, 1, 3000), rng.normal(0, 1, (20, 3000))
    out = stats.baselines(np.ones(3000), length, {f"x{k}": v for k, v in enumerate(x)}, np.arange(3000))
    for key in ("length", "rule", "text"):
        low, high = out[f"{key}_auc_interval"]
        assert low - 0.01 < 0.5 < high + 0.01


def test_swapping_sides_and_labels_changes_nothing():
    y, length, x, group = made(0.5)
    flip = np.random.default_rng(1).random(len(y)) < 0.5
    swapped = {k: np.where(flip, -v, v) for k, v in x.items()}
    before = stats.baselines(y, length, x, group)
    after = stats.baselines(np.where(flip, 0.0, y), np.where(flip, -length, length), swapped, group)
    assert before["text_auc"] == pytest.approx(after["text_auc"], abs=1e-4)
    assert before["rule_accuracy"] == pytest.approx(after["rule_accuracy"], abs=1e-9)


def test_few_groups_and_samples_say_so():
    y, length, x, group = made(0.5)
    assert "need 40" in stats.baselines(y, length, x, group % 10)["note"]
    out = stats.baselines(y, length, x, group, limit=500)
    assert out["n"] == 500 and "500 of 2,000" in out["note"]


def test_ties_are_left_out():
    y, length, x, group = made(0.5)
    y[:1000] = 0.5
    assert stats.baselines(y, length, x, group)["n"] == 1000


def votes():
    """Five annotators on 40 comparisons; the fifth always votes against the rest. One source row a vote."""
    rows = []
    for k in range(40):
        for a in range(5):
            right = (k % 3 != 0) if a < 4 else (k % 3 == 0)
            c, r = (100 + k, 200 + k) if right else (200 + k, 100 + k)
            rows.append((k * 5 + a, f"w{a}", "chosen", int(right), k + 1, c, r, k, 0.5 if right else -0.5))
    columns = ["row", "annotator", "label", "first", "hash_prompt", "hash_chosen", "hash_rejected", "group", "length"]
    hashes = {c: pl.UInt64 for c in columns if c.startswith("hash")}
    frame = pl.DataFrame(rows, schema=columns, orient="row").cast(hashes)
    none = pl.List(pl.Struct({"annotator": pl.String, "vote": pl.Float64}))
    return frame.with_columns(votes=pl.lit(None, dtype=none))


def test_the_bad_annotator_stands_out():
    table = stats.annotators(votes())
    rows = {r["annotator"]: r for r in table.iter_rows(named=True)}
    assert rows["w0"]["votes"] == 40 and rows["w0"]["shared"] == 40
    assert rows["w0"]["agreement"] == 1.0 and rows["w4"]["agreement"] == 0.0
    assert rows["w4"]["high"] < 0.1 and rows["w0"]["low"] > 0.9
    assert rows["w0"]["first_rate"] == pytest.approx(26 / 40)  # the first answer is 100 + k in every row
    assert rows["w0"]["longer_rate"] == pytest.approx(26 / 40)


def test_votes_in_a_list_are_the_same_votes():
    single = votes()
    listed = (
        single.with_columns(vote=pl.when(pl.col("hash_chosen") < pl.col("hash_rejected")).then(1.0).otherwise(0.0))
        .group_by("hash_prompt", maintain_order=True)
        .agg(
            pl.col("row").first(),
            pl.lit(None, pl.String).first().alias("annotator"),
            pl.col("label").first(),
            pl.lit(1).first().alias("first"),
            pl.col("hash_chosen").min(),
            pl.col("hash_rejected").max(),
            pl.col("group").first(),
            pl.lit(0.5).first().alias("length"),
            votes=pl.struct("annotator", "vote"),
        )
    )
    assert stats.annotators(listed).equals(stats.annotators(single))


def test_no_annotators():
    assert stats.annotators(votes().with_columns(annotator=pl.lit(None, pl.String))).is_empty()

"""Agreement, reliability, presented order, and names that give labels away."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit import stats
from prefaudit.stats.agreement import alpha
from prefaudit.stats.bradley_terry import Cells, pooled, strengths
from prefaudit.stats.reliability import dawid_skene
from prefaudit.stats.votes import repeats


def table(rows: list[tuple[int, str, float]], group: list[int] | None = None) -> pl.DataFrame:
    """As `votes` returns it: comparison, annotator, vote."""
    frame = pl.DataFrame(rows, schema=["comparison", "annotator", "vote"], orient="row")
    return frame.with_columns(group=pl.Series(group) if group is not None else pl.col("comparison"))


def panel(seed: int, right: list[float], units: int = 300, each: int = 5, tie: float = 0.1) -> pl.DataFrame:
    """Pairs of which every annotator calls the better one with his own chance, in either order, one row a vote."""
    rng = np.random.default_rng(seed)
    rows = []
    for unit in range(units):
        better = int(rng.integers(1, 2**60)) | 1
        worse = int(rng.integers(1, 2**60)) | 1
        for who in rng.permutation(len(right))[:each]:
            won = rng.random() < right[who]
            sides = (better, worse) if won else (worse, better)
            label = "tie" if rng.random() < tie else "chosen"
            rows.append((len(rows), f"w{who:02}", label, int(rng.integers(2)), unit + 1, *sides, unit))
    names = ["row", "annotator", "label", "first", "hash_prompt", "hash_chosen", "hash_rejected", "group"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.with_columns(pl.col("^hash_.*$").cast(pl.UInt64), votes=pl.lit(None, pl.List(
        pl.Struct({"annotator": pl.String, "vote": pl.Float64}))), length=pl.lit(0.1))  # fmt: skip


def by_hand(rows: list[tuple[int, str, float]]) -> float:
    """Alpha from the coincidence matrix, pair by pair."""
    together = np.zeros((3, 3))
    for unit in {u for u, _, _ in rows}:
        values = [int(2 * v) for u, _, v in rows if u == unit]
        for i, x in enumerate(values):
            for k, y in enumerate(values):
                if i != k:
                    together[x, y] += 1 / (len(values) - 1)
    n, sides = together.sum(), together.sum(1)
    return 1 - (n - 1) * (n - np.trace(together)) / (n**2 - (sides**2).sum())


def test_alpha_is_that_of_the_coincidence_matrix() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (int(u), f"w{k}", float(rng.choice([0, 0.5, 1]))) for u in range(40) for k in range(int(rng.integers(1, 5)))
    ]
    many = [r for r in rows if sum(u == r[0] for u, _, _ in rows) > 1]
    found = alpha(table(rows))
    assert found["alpha"] == pytest.approx(by_hand(many), abs=1e-12)
    assert (found["n"], found["comparisons"]) == (len(many), len({u for u, _, _ in many}))
    assert found["alpha_interval"][0] < found["alpha"] < found["alpha_interval"][1]


def test_alpha_against_a_published_value() -> None:
    """Krippendorff 2011, B: ten units, two observers, binary; D_o 4 of 10 units, alpha .095."""
    one, two = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    rows = [(u, who, float(v)) for who, values in (("a", one), ("b", two)) for u, v in enumerate(values)]
    assert alpha(table(rows))["alpha"] == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_perfect_agreement_of_chance_and_of_nothing() -> None:
    same = [(u, w, float(u % 2)) for u in range(50) for w in "ab"]
    assert alpha(table(same))["alpha"] == 1.0
    rng = np.random.default_rng(1)
    coin = alpha(table([(u, w, float(rng.integers(2))) for u in range(400) for w in "abc"]))
    assert coin["alpha_interval"][0] < 0 < coin["alpha_interval"][1]
    alone = alpha(table([(u, "a", 1.0) for u in range(5)]))
    assert alone["alpha"] is None and alone["n"] == 0


def test_the_interval_widens_where_groups_move_as_one() -> None:
    rows = [
        (u, w, float((u // 20) % 2 if w != "c" or (u // 20) % 3 else 1 - (u // 20) % 2))
        for u in range(400)
        for w in "abc"
    ]
    wide, narrow = (alpha(table(rows, [f(u) for u, _, _ in rows])) for f in (lambda u: u // 20, lambda u: u))
    assert wide["alpha"] == narrow["alpha"] and wide["groups"] == 20
    assert np.ptp(wide["alpha_interval"]) > 2 * np.ptp(narrow["alpha_interval"])


def test_reliabilities_are_found_again_with_honest_intervals() -> None:
    """Of 400 annotators over 20 panels the interval holds the truth about 95 times in a hundred."""
    held, error = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        right = rng.uniform(0.55, 0.95, 20)
        right[0], right[1] = 0.5, 0.2
        unit = np.repeat(np.arange(300), 5)
        who = np.concatenate([rng.permutation(20)[:5] for _ in range(300)])
        truth = rng.integers(0, 2, 300)[unit]
        vote = np.where(rng.random(1500) < right[who], truth, 1 - truth).astype(float)
        vote[rng.random(1500) < 0.1] = 0.5
        found = dawid_skene(unit, who, vote)
        credit = right * 0.9 + 0.05
        held.append((found.low <= credit) & (credit <= found.high))
        error.append(found.right - credit)
        assert found.steps < 500
    assert 0.9 < np.mean(held) < 0.99
    assert np.sqrt(np.mean(np.square(error))) < 0.07
    assert np.mean(np.stack(error)[:, 1]) == pytest.approx(0, abs=0.08)  # drawn a little towards the average


def test_reliability_does_not_depend_on_which_side_is_called_first() -> None:
    rng = np.random.default_rng(5)
    unit, who = np.repeat(np.arange(60), 4), np.tile(np.arange(4), 60)
    vote = rng.choice([0.0, 0.5, 1.0], 240, p=[0.3, 0.1, 0.6])
    turn = rng.integers(0, 2, 60)[unit].astype(bool)
    one, two = dawid_skene(unit, who, vote), dawid_skene(unit, who, np.where(turn, 1 - vote, vote))
    assert np.allclose(one.right, two.right, atol=1e-9) and np.allclose(one.low, two.low, atol=1e-9)
    at = ~turn[::4]
    assert np.allclose(one.truth[at], two.truth[at]) and np.allclose(one.truth[~at], two.truth[~at][:, ::-1])


def test_votes_that_nobody_shares_say_nothing() -> None:
    found = dawid_skene(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 2]), np.ones(4))
    assert np.isnan(found.right).all() and found.steps == 0


def test_bad_annotators_stand_out_and_no_honest_one() -> None:
    right = [0.8] * 18 + [0.5, 0.15]
    frame = panel(2, right, units=1200)
    frame = frame.with_columns(first=pl.when(pl.col("annotator") == "w00").then(1).otherwise("first"))
    told = stats.annotators(frame)
    assert set(told.filter((pl.col("agreement") < 0.6) & (pl.col("q_agreement") <= 0.05))["annotator"]) == {
        "w18",
        "w19",
    }
    assert told.filter((pl.col("high") < 0.5) & (pl.col("q_agreement") <= 0.05))["annotator"].to_list() == ["w19"]
    assert told.filter(pl.col("q_first") <= 0.05)["annotator"].to_list() == ["w00"]
    worst = told.sort("reliability")["annotator"].head(2).to_list()
    assert worst == ["w19", "w18"]


def test_permuted_votes_name_nobody() -> None:
    """Every vote a coin: no annotator differs from the others, over twenty draws."""
    named = 0
    for seed in range(20):
        told = stats.annotators(panel(seed, [0.5] * 30, units=200))
        quiet = (pl.col("q_agreement") <= 0.05) | (pl.col("q_first") <= 0.05) | (pl.col("q_longer") <= 0.05)
        named += told.filter(quiet).height
    assert named <= 3  # of 1,800 tests


def test_fewer_than_twenty_votes_are_not_tested() -> None:
    told = stats.annotators(panel(1, [0.8] * 5, units=15))
    assert told["q_agreement"].null_count() == 5 and told["agreement"].null_count() == 0


def test_agreement_counts_what_was_judged_again() -> None:
    frame = panel(3, [0.9] * 6, units=80, each=3)
    twice = pl.concat([frame, frame.head(30)]).with_columns(row=pl.int_range(pl.len()), item=pl.lit(None, pl.UInt64))
    told = stats.agreement(twice)
    assert (told["again"], told["kept"]) == (30, 1.0)
    assert (told["votes"], told["voted"], told["votes_per_pair"]) == (270, 80, {"3": 80})
    assert told["n"] == 240 and sum(s["n"] for s in told["slices"] if s["by"] == "length") == 240
    assert stats.agreement(frame.with_columns(annotator=pl.lit(None, pl.String))) == {}


def test_repeats_need_two_votes_an_item_and_a_strict_side() -> None:
    rows = [(1, 1, 1.0), (1, 1, 1.0), (1, 2, 0.0), (1, 2, 0.0), (2, 3, 1.0), (2, 3, 1.0), (2, 4, 0.0), (3, 5, 1.0),
            (3, 5, 0.0), (3, 6, 0.0), (3, 6, 0.0)]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["comparison", "item", "vote"], orient="row").with_columns(group=pl.lit(0))
    assert repeats(frame).select("comparison", "opposed").rows() == [(1, True), (3, False)]


def test_position_of_a_fair_and_of_a_bent_coin() -> None:
    rng = np.random.default_rng(0)
    group = np.arange(2000)
    fair, bent = (stats.position((rng.random(2000) < p).astype(float), group) for p in (0.5, 0.6))
    assert fair["log10_bayes"] < -0.5 and bent["log10_bayes"] > 10
    assert fair["interval"][0] < 0.5 < fair["interval"][1] and bent["n"] == 2000
    from scipy.stats import betabinom, binom

    k = round(bent["rate"] * 2000)
    direct = np.log10(betabinom.pmf(k, 2000, 1, 1)) - np.log10(binom.pmf(k, 2000, 0.5))
    assert stats.position(np.repeat([1.0, 0.0], [k, 2000 - k]), group)["log10_bayes"] == pytest.approx(direct, rel=0.01)


def test_groups_that_move_as_one_are_weak_evidence() -> None:
    wins = np.repeat([1.0] * 12 + [0.0] * 8, 100)
    told = stats.position(wins, np.repeat(np.arange(20), 100))
    assert told["effective"] < 30 and told["log10_bayes"] < 0.5
    assert stats.position(wins, np.arange(2000))["log10_bayes"] > 10
    assert stats.position(np.full(5, np.nan), np.arange(5)) == {}


def test_strengths_are_those_of_the_model() -> None:
    rng = np.random.default_rng(0)
    true = np.linspace(-1.5, 1.5, 8)
    a, b = rng.integers(0, 8, (2, 40_000))
    won = (rng.random(40_000) < 1 / (1 + np.exp(true[b] - true[a]))).astype(float)
    found = strengths(Cells.of(a, b, won, 8), 8)
    assert np.abs(found - true).max() < 0.1
    again = strengths(Cells.of(b, a, 1 - won, 8), 8)
    assert np.allclose(found, again, atol=1e-6)
    names = [f"m{k}" for k in range(8)]
    told = {s["name"]: s for s in stats.standings(a, b, won, np.arange(40_000), names)}
    assert all(t["strength_interval"][0] < true[int(n[1])] + 0.05 and t["strength_interval"][1] > true[int(n[1])] - 0.05
               for n, t in told.items())  # fmt: skip
    assert told["m7"]["win_rate"] > 0.7 > 0.3 > told["m0"]["win_rate"]
    assert pooled(np.array([0, 0, 1, 2, -1]), 1).tolist() == [0, 0, 3, 3, -1]


def planted(seed: int, strong: float, n: int = 3000) -> list[dict[str, Any]]:
    """Model names, languages, format, source and order that predict the label as strongly as `strong` says."""
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 10, (2, n))
    better = rng.random(n) < 1 / (1 + np.exp(-strong * (one - two)))
    chosen, rejected = np.where(better, one, two), np.where(better, two, one)
    language = [np.where(rng.random(n) < 0.3, 1, 0) for _ in range(2)]
    source = rng.integers(0, 2, n)
    first = np.where(rng.random(n) < 0.5 + 0.4 * np.tanh(strong) * (2 * source - 1), 1, -1).astype(np.int8)
    things = {
        "model": stats.Names(chosen, rejected, 10), "language": stats.Names(*language, 2),
        "source": stats.Places(source, first, 2), "position": stats.Places(source * 0, first, 1),
        "format": {"bold": rng.poisson(2, n) + strong * rng.poisson(2, n) - rng.poisson(2, n)},
    }  # fmt: skip
    return stats.shortcuts(np.ones(n), rng.normal(0, 1, n), things, np.arange(n) // 3, seed)


def test_shortcuts_that_are_there_are_found_and_length_is_not_credited() -> None:
    told = {e["name"]: e for e in planted(0, 1.0)}
    assert told["model"]["interval"][0] > 0.9 and told["model"]["over_length_interval"][0] > 0.3
    assert told["source"]["interval"][0] > 0.78 and told["format"]["interval"][0] > 0.65
    assert told["position"]["interval"][0] < 0.52 and told["language"]["interval"][0] < 0.5
    assert (told["model"]["n"], told["model"]["groups"], told["model"]["names"]) == (3000, 1000, 10)


def test_labels_without_meaning_give_no_shortcut() -> None:
    """A hundred AUC intervals around one half: about one in twenty leaves it out, hardly any by much."""
    low = np.array([e["interval"][0] for seed in range(20) for e in planted(seed, 0.0, 900)])
    high = np.array([e["interval"][1] for seed in range(20) for e in planted(seed, 0.0, 900)])
    assert len(low) == 100 and (low > 0.5).mean() <= 0.06 and low.max() < 0.52 and (high > 0.5).mean() > 0.8


def test_too_few_groups_are_said_to_be() -> None:
    told = planted(0, 1.0, 60)
    assert {e["auc"] for e in told} == {None} and "needs 40 groups" in told[0]["note"]


VOTED = ("row", "annotator", "label", "hash_prompt", "hash_chosen", "hash_rejected")


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic)


def test_ukp_workers(data: Path, tmp_path: Path) -> None:
    """Reliabilities go with leave-one-out agreement; 38 repeated pairs have strictly opposed majorities."""
    audit = prefaudit.scan(
        str(data / "ukp-convarg" / "votes.parquet"), tmp_path / "a", with_=("panel",), fail_on="never"
    )
    told = pl.DataFrame(audit.report["annotators"], infer_schema_length=None).drop_nulls(["agreement", "reliability"])
    for least in (1, 20, 50):
        some = told.filter(pl.col("shared") >= least)
        assert spearman(some["agreement"].to_numpy(), some["reliability"].to_numpy()) >= 0.8
    agreed = audit.report["agreement"]
    assert (agreed["repeats"], agreed["opposed"], agreed["annotators"]) == (280, 38, 2440)
    assert 0.2 < agreed["alpha_interval"][0] < agreed["alpha"] < agreed["alpha_interval"][1] < 0.32
    rules = {r["code"]: r for r in audit.report["rules"]}
    assert rules["AGR006"]["found"] == 425 and rules["AGR006"]["examples"]
    opposed = (
        audit.pairs().join(audit.findings.filter(pl.col("rule") == "AGR006").lazy(), on="row").select(*VOTED).collect()
    )
    sides = pl.col("hash_chosen"), pl.col("hash_rejected")
    same = opposed.select("hash_prompt", pl.min_horizontal(*sides), pl.max_horizontal(*sides).alias("other")).n_unique()
    assert same == 38


def test_pandalm_experts(data: Path, tmp_path: Path) -> None:
    """Three people a pair, ties a value of their own; repeats agree, and nobody is named."""
    audit = prefaudit.scan(
        str(data / "pandalm" / "testset-v1.json"), tmp_path / "a", with_=("text", "panel"), fail_on="never"
    )
    agreed = audit.report["agreement"]
    assert (agreed["votes"], agreed["annotators"], agreed["opposed"]) == (2979, 3, 0)
    assert agreed["alpha_interval"][0] > 0.75 and agreed["tie_rate"] > 0.05
    assert set(agreed["votes_per_pair"]) == {"3"} and agreed["kept"] > 0.95
    assert all(a["reliability"] > 0.9 for a in audit.report["annotators"])
    rules = {r["code"]: r["status"] for r in audit.report["rules"]}
    assert {rules[f"AGR00{k}"] for k in range(1, 7)} == {"ok"} and rules["POS002"] == "ok"


def sheet(path: Path) -> list[dict[str, str]]:
    """The first sheet of a workbook as rows of text, read without a library."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        names = [n for n in book.namelist() if n.endswith("sharedStrings.xml")]
        strings = ["".join(t.text or "" for t in item.iter(f"{space}t")) for n in names
                   for item in ElementTree.fromstring(book.read(n))]  # fmt: skip
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = []
    for line in root.iter(f"{space}row"):
        cells = {}
        for cell in line:
            value = cell.find(f"{space}v")
            text = "".join(t.text or "" for t in cell.iter(f"{space}t")) if value is None else value.text or ""
            cells[re.sub(r"\d", "", cell.get("r", ""))] = strings[int(text)] if cell.get("t") == "s" else text
        rows.append(cells)
    head = rows[0]
    return [{head[k]: v for k, v in row.items() if k in head} for row in rows[1:]]


def test_tulu_evaluators(data: Path, tmp_path: Path) -> None:
    """1,150 votes of sixteen people with five levels; of the pairs rated twice some are opposite."""
    rows = [r for r in sheet(data / "tulu-human-eval" / "eval_annotations_tulu_1.xlsx") if r.get("preference")]
    told = {"a": "a", "b": "b", "t": "tie"}
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps({
        "prompt": r["prompt"], "response_a": r["completion_a"], "response_b": r["completion_b"],
        "label": told[r["preference"][0]], "annotator": r["evaluator"],
        "model_a": r["model_a"], "model_b": r["model_b"],
    }) + "\n" for r in rows), encoding="utf8")  # fmt: skip
    names = ("prompt", "response_a", "response_b", "label", "annotator", "model_a", "model_b")
    audit = prefaudit.scan(str(path), tmp_path / "a", map={n: n for n in names}, with_=("panel",), fail_on="never")
    agreed = audit.report["agreement"]
    assert len(rows) == 1150 and agreed["annotators"] == 16
    apart = [r for r in rows if r["completion_a"] != r["completion_b"]]  # equal answers hold no vote
    assert agreed["votes"] == len(apart) and agreed["voted"] == 955
    assert agreed["tie_rate"] == pytest.approx(sum(r["preference"] == "tie" for r in apart) / len(apart), abs=1e-6)
    assert 0 < agreed["alpha"] < 0.8 and agreed["comparisons"] < 160
    first = audit.report["position"]
    assert first["n"] == audit.report["dataset"]["pairs"] and first["interval"][0] > 0.5
    assert first["log10_bayes"] < 0  # an interval that leaves out one half, and yet no evidence of a bias
    assert {m["name"] for m in audit.report["models"]} == {"tulu_65B", "chatgpt", "tulu_human_only_65B", "tulu_7B"}
    assert all(m["interval"][0] < m["win_rate"] < m["interval"][1] for m in audit.report["models"])

"""An audit with outside scorers: what the report says of them, the rules, the cells that repairs go by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import prefaudit
from prefaudit import reports
from prefaudit.cli import app

N = 2500


def frame(rate: float = 0.2) -> tuple[pl.DataFrame, np.ndarray]:
    """Answers of random words, a share of the labels turned round, three scorers on three scales."""
    rng = np.random.default_rng(0)
    words = np.array(["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "yew"])
    texts = [[" ".join(rng.choice(words, rng.integers(5, 25))) for _ in range(2)] for _ in range(N)]
    wrong = rng.random(N) < rate
    margin = {f"s{k}": scale * (m + rng.normal(size=N)) * np.where(wrong, -1, 1)
              for k, (m, scale) in enumerate(((0.9, 1), (1.1, 3), (1.4, 8)))}  # fmt: skip
    length = [float(len(c) - len(r)) for c, r in texts]
    made = pl.DataFrame({"prompt": [f"question {k}" for k in range(N)], "chosen": [c for c, _ in texts],
                         "rejected": [r for _, r in texts], **margin, "chars": length, "zero": 0.0})  # fmt: skip
    return made, wrong


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> prefaudit.Audit:
    columns = [f"s{k}:zero" for k in range(3)]
    return prefaudit.scan(frame()[0], tmp_path_factory.mktemp("a") / "audit", fail_on="never", score_columns=columns,
                          with_=("text", "strength", "consensus"))  # fmt: skip


def test_each_scorer_the_tenths_and_the_share_below_zero(audit: prefaudit.Audit) -> None:
    made, wrong = frame()
    told: dict[str, Any] = audit.report["strength"]
    assert [s["name"] for s in told["scorers"]] == ["s0:zero", "s1:zero", "s2:zero"]
    for k, scorer in enumerate(told["scorers"]):
        assert scorer["accuracy"] == pytest.approx(float((made[f"s{k}"] > 0).mean()), abs=1e-6)
        assert scorer["scale"] == pytest.approx(float((made[f"s{k}"] ** 2).mean()) ** 0.5, abs=1e-5)
        assert scorer["n"] == N and scorer["ece"] is None and scorer["auc"] > 0.5
        assert [s["n"] for s in scorer["by_length_gap"]] and abs(scorer["length_rho"]) < 0.2
    mean = audit.features().select(pl.col("strength").struct.field("mean")).collect()["mean"]
    assert told["below"]["n"] == int((mean < 0).sum()) and len(told["correlations"]) == 3
    assert sum(d["n"] for d in told["deciles"]) == N and told["deciles"][0]["low"] == pytest.approx(
        mean.min(), abs=1e-5
    )
    assert abs(told["noise"]["rate"] - wrong.mean()) < 0.06 and not told["noise"]["declined"]
    p = audit.features().select(pl.col("strength").struct.field("p_correct")).collect()["p_correct"].to_numpy()
    assert p[wrong].mean() < 0.4 < 0.9 < p[~wrong].mean()


def test_rules_name_wrong_labels_and_reports_show_them(audit: prefaudit.Audit) -> None:
    wrong = frame()[1]
    named = audit.findings.filter(pl.col("rule") == "STR001")["row"].to_numpy()
    assert len(named) > 30 and wrong[named].mean() > 0.9
    status = {r["code"]: r["status"] for r in audit.report["rules"]}
    assert status["STR002"] == "ok" and status["STR004"] == "ok"
    for form in ("terminal", "markdown", "html"):
        text = reports.render(form, audit.report)
        assert "3 outside scorers" in text and "wrong labels" in text
    assert "s1:zero" in reports.render("html", audit.report)


def test_scores_that_the_labels_stem_from_say_nothing_of_wrong_ones(tmp_path: Path) -> None:
    made = frame()[0].head(150).select("prompt", "chosen", "rejected", margin=pl.col("s0").abs())
    told = prefaudit.scan(made, tmp_path / "a", fail_on="never", with_=("text", "strength")).report
    assert told["strength"]["noise"] is None and [s["name"] for s in told["strength"]["scorers"]] == ["source"]
    assert "no word of them" in reports.render("markdown", told)


def test_a_scorer_of_length_and_one_turned_round_are_named(tmp_path: Path) -> None:
    made = frame()[0].with_columns(cost=-pl.col("s2"))
    told = prefaudit.scan(made, tmp_path / "a", fail_on="never", with_=("text", "strength"),
                          score_columns=["chars:zero", "s2:zero", "cost:zero"]).report  # fmt: skip
    status = {r["code"]: r["status"] for r in told["rules"]}
    assert status["STR004"] == "fired" and status["STR003"] == "fired"
    assert told["strength"]["scorers"][0]["length_rho"] > 0.95 and told["strength"]["noise"]["rate"] is None


def test_consensus_says_what_it_would_cost(audit: prefaudit.Audit) -> None:
    told = audit.report["consensus"]
    assert told["n"] == told["trained"] == N
    assert set(told["views"]) == {"length", "text", "words"} and sum(told["views"].values()) < 1.001
    assert [b["level"] for b in told["below"]] == [0, -1] and 0 <= told["min_consensus"]["drops"] <= 1


def test_without_an_outside_scorer_a_strength_is_refused_with_the_ways_to_one(tmp_path: Path) -> None:
    source = tmp_path / "d.parquet"
    frame()[0].select("prompt", "chosen", "rejected").head(60).write_parquet(source)
    common = [str(source), "-o", str(tmp_path / "out.parquet"), "--audit", str(tmp_path / "a")]
    told = CliRunner().invoke(app, ["filter", *common, "--min-strength", "0"])
    assert told.exit_code == 2
    said = " ".join((told.stderr or told.output).split())
    assert all(way in said for way in ("--reward-model", "--score-columns", "--map"))
    kept = CliRunner().invoke(app, ["filter", *common, "--min-consensus", "0"])
    assert kept.exit_code == 0 and "consensus" in kept.output.splitlines()[0].lower()


def test_the_treatments_of_strength_groups(audit: prefaudit.Audit, tmp_path: Path) -> None:
    """Flip the weakest tenth, soften, give margins, drop those about 0: as docs/strength.md lists them."""
    made, wrong = frame()
    source = tmp_path / "d.parquet"
    made.write_parquet(source)
    columns = [f"s{k}:zero" for k in range(3)]
    mean = audit.features().select(pl.col("strength").struct.field("mean")).collect()["mean"].to_numpy()
    edge = audit.report["strength"]["deciles"][0]["high"] + 1e-5
    common = {"score_columns": columns, "audit": tmp_path / "a", "with_": ("text", "strength")}
    prefaudit.relabel(source, tmp_path / "r.parquet", flip_below=edge, soft=True, margin=True, **common)
    out = pl.read_parquet(tmp_path / "r.parquet")
    flipped = (out["chosen"] == made["rejected"]).to_numpy()
    assert flipped.sum() == N // 10 and (mean[flipped] < edge).all() and wrong[flipped].mean() > 0.9
    assert np.allclose(out["margin"], np.where(flipped, -mean, mean), atol=1e-5)
    assert out["label_probability"].to_numpy()[flipped].mean() > 0.8
    prefaudit.filter(source, tmp_path / "f.parquet", drop_worst=0.2, by="strength", **common)
    kept = pl.read_parquet(tmp_path / "f.parquet").height
    assert kept == N - N // 5


def test_parties_and_a_budget(audit: prefaudit.Audit) -> None:
    told: dict[str, Any] = audit.report["strength"]
    assert [b["review"] for b in told["budget"]] == [50, 100, 200, 500, 1000]
    _, wrong = frame()
    p = audit.features().select(pl.col("strength").struct.field("p_correct")).collect()["p_correct"].to_numpy()
    order = np.argsort(p, kind="stable")
    for b in told["budget"]:
        assert b["corrections"] >= b["random"] and abs(b["corrections"] - wrong[order[: b["review"]]].sum()) < 60
    assert told["parties"] == [] and told["scorers"][0]["swapped"] is None
    assert audit.report["consensus"]["prompt"]["n"] == N
    assert any("by looking" in line for line in reports.strength.lines(audit.report))

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


def test_a_scorer_that_says_nothing_is_named_and_left_out(tmp_path: Path) -> None:
    made = frame()[0].head(300).with_columns(flat=pl.lit(3.5))
    common: dict[str, Any] = {"fail_on": "never", "with_": ("text", "strength")}
    told = prefaudit.scan(made, tmp_path / "a", score_columns=["s0:zero", "flat:flat"], **common)
    alone = prefaudit.scan(made, tmp_path / "b", score_columns=["s0:zero"], **common)
    first, flat = told.report["strength"]["scorers"]
    assert not first["silent"] and flat["silent"] == "the same score for both answers of every pair"
    assert told.report["strength"]["correlations"] == []
    assert told.report["strength"]["noise"] == alone.report["strength"]["noise"]
    mean = pl.col("strength").struct.field("mean", "agree", "scorers")
    assert told.features().select(mean).collect().equals(alone.features().select(mean).collect())
    for form in ("terminal", "markdown", "html"):
        text = " ".join(reports.render(form, told.report).split())
        assert "1 outside scorer (flat:flat says nothing: the same score" in text.replace("\\", "")


def test_scorers_that_tell_nothing_at_all_get_a_hint_of_their_own(tmp_path: Path) -> None:
    source = tmp_path / "d.parquet"
    frame()[0].head(60).with_columns(flat=pl.lit(3.5)).write_parquet(source)
    common = [str(source), "--score-columns", "flat:flat", "--audit", str(tmp_path / "a")]
    scanned = CliRunner().invoke(app, ["scan", *common[:3], "-o", str(tmp_path / "s")])
    assert "no strength: flat:flat says nothing" in " ".join(scanned.output.split())
    for command, option in (("filter", "--min-strength"), ("relabel", "--flip-below")):
        told = CliRunner().invoke(app, [command, *common, "-o", str(tmp_path / "out.parquet"), option, "0"])
        said = " ".join((told.stderr or told.output).split())
        assert told.exit_code == 2 and "its scorers tell none: flat:flat gave the same score" in said
        assert "look at its scores" in said and "ask a reward model" not in said


def test_a_model_that_reads_nothing_whole_is_named_and_chance_bounds_nothing(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from models.tiny import reward_model

    made = frame()[0].head(120)
    folder = str(reward_model(tmp_path / "m", "llama"))
    common: dict[str, Any] = {"fail_on": "never", "with_": ("text", "strength"), "reward_model": [folder]}
    told = prefaudit.scan(made, tmp_path / "a", max_tokens=2, **common).report
    (scorer,) = told["strength"]["scorers"]
    assert scorer["silent"] == "no score for both answers of any pair" and scorer["unread"] == 120
    text = " ".join(reports.render("terminal", told).split())
    assert "no strength" in text and "too long to be read in 120" in text
    told = prefaudit.scan(frame()[0].head(250), tmp_path / "b", max_tokens=100, **common).report
    (scorer,) = told["strength"]["scorers"]
    assert scorer["cut"] > 50 and scorer["accuracy_cut"] is not None and 0 < scorer["n"] == 250 - scorer["unread"]
    assert told["strength"]["noise"]["at_most"] is None
    text = " ".join(reports.render("terminal", told).split())
    assert "the prompt cut in" in text and "no bound" in text


def test_tenths_say_what_they_contain(tmp_path: Path) -> None:
    """A fifth of the labels is wrong, and there the chosen answer asks more: the weakest tenth says so."""
    made, wrong = frame()
    asks = np.where(wrong, " why? how?", ".")
    made = made.with_columns(chosen=pl.col("chosen") + pl.Series(asks),
                             source=pl.Series(np.where(wrong, "crowd", "lab")))  # fmt: skip
    told = prefaudit.scan(made, tmp_path / "a", fail_on="never", with_=("text", "strength"),
                          score_columns=[f"s{k}:zero" for k in range(3)]).report  # fmt: skip
    first, last = told["strength"]["deciles"][0], told["strength"]["deciles"][-1]
    named = {f["feature"]: f for f in first["contains"]}
    assert named["questions"]["mean"] > 1.5 > 0.6 > named["questions"]["mean_all"] > 0
    assert first["source"]["source"] == "crowd" and first["source"]["share"] > 0.8 and last["source"]["source"] == "lab"
    assert first["source"]["share_all"] == pytest.approx(wrong.mean(), abs=1e-6)
    assert "more questions" in reports.render("markdown", told)


def test_routes_are_filters(tmp_path: Path) -> None:
    """Each route's SQL keeps exactly the pairs that it counts, and no pair is on two."""
    made = frame()[0].with_columns(good=pl.Series(np.arange(N) % 7 > 0).cast(pl.Int8), bad=pl.lit(1, pl.Int8))
    made = made.with_columns(pl.when(pl.col("prompt").str.ends_with("3")).then(None).otherwise(pl.col(c)).alias(c)
                             for c in ("s0", "s1", "s2", "good"))  # fmt: skip
    source = tmp_path / "d.parquet"
    made.write_parquet(source)
    common: dict[str, Any] = {"score_columns": [*(f"s{k}:zero" for k in range(3)), "good:bad"], "audit": tmp_path / "a",
                              "with_": ("text", "strength")}  # fmt: skip
    told = prefaudit.scan(source, tmp_path / "s", fail_on="never", with_=common["with_"],
                          score_columns=common["score_columns"]).report["strength"]["routes"]  # fmt: skip
    assert [r["to"] for r in told] == ["verifier", "flip", "expert", "second vote", "unjudged"]
    prompts: list[str] = []
    for route in told:
        out = tmp_path / f"{route['to'].replace(' ', '-')}.parquet"
        prefaudit.filter(source, out, keep=route["where"], strict=True, **common)
        kept = pl.read_parquet(out)
        assert kept.height == route["n"] == round(route["share"] * N)
        prompts += kept["prompt"].to_list()
    assert len(prompts) == len(set(prompts)) < N
    assert all(p.endswith("3") for p in pl.read_parquet(tmp_path / "unjudged.parquet")["prompt"])


def test_booleans_that_are_mapped_are_scores(tmp_path: Path) -> None:
    made = frame()[0].head(60).with_columns(pc=pl.int_range(60) % 3 > 0, pr=pl.int_range(60) % 2 > 0)
    common: dict[str, Any] = {"fail_on": "never", "with_": ("text", "strength")}
    mapped = prefaudit.scan(made, tmp_path / "a", map={"score_chosen": "pc", "score_rejected": "pr"}, **common)
    named = prefaudit.scan(made, tmp_path / "b", score_columns=["pc:pr"], **common)
    mean = pl.col("strength").struct.field("mean")
    values = mapped.features().select(mean).collect()["mean"]
    assert values.null_count() == 0 and set(values.sign()) == {-1, 0, 1}
    assert values.equals(named.features().select(mean).collect()["mean"])


def test_a_repair_names_the_scorer_and_what_becomes_of_the_unjudged(tmp_path: Path) -> None:
    source = tmp_path / "d.parquet"
    table = frame()[0].head(60)
    table.with_columns(s0=pl.when(pl.int_range(60) > 2).then(pl.col("s0"))).write_parquet(source)
    common = ["--audit", str(tmp_path / "a"), "--with", "text,strength"]
    prefaudit.scan(source, tmp_path / "a", score_columns=["s0:zero"], fail_on="never", with_=("text", "strength"))

    def said(command: str, *more: str) -> str:
        out = str(tmp_path / "out.parquet")
        told = CliRunner().invoke(app, [command, str(source), "-o", out, "--dry-run", *common, *more])
        assert told.exit_code == 0, told.output
        return " ".join(told.output.split())

    text = said("filter", "--min-strength", "0")
    assert "strength is that of s0:zero" in text
    assert "STRENGTH could not judge 3 pairs; without --strict they are kept" in text
    text = said("filter", "--min-strength", "0", "--strict")
    assert "STRENGTH could not judge 3 pairs; --strict drops them" in text and "without --strict" not in text
    text = said("relabel", "--flip-below", "1", "--strict")
    assert "strength is that of s0:zero" in text and "3 pairs; their labels stay as they are" in text
    assert "labels have no evidence against them" in text
    assert "labels have no evidence against them" not in said("relabel", "--flip-below", "0")
    assert "strength is that of" not in said("filter", "--keep", "c.words > 0")


def test_the_line_of_strength_has_the_point_of_a_review(audit: prefaudit.Audit) -> None:
    from prefaudit.reports import strength

    wrong = {"rate": 0.21, "interval": [0.15, 0.28], "method": "weighted"}
    noise = {"at_most": 0.3, "rate": None, "declined": "one scorer cannot tell"}
    report = {**audit.report, "strength": {**audit.report["strength"], "noise": noise}, "review": {"wrong": wrong}}
    line = next(text for text in strength.lines(report) if text.startswith("wrong labels"))
    assert "no estimate from scorers: one scorer cannot tell; by the review 21" in line
    without = {**report, "review": {"wrong": {**wrong, "method": "bound"}}}
    assert not any("by the review" in text for text in strength.lines(without))

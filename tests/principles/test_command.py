"""From a dataset to a constitution, to files of it, to another dataset judged by it, and to a repaired one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from chatting import serving
from typer.testing import CliRunner

import prefaudit
from prefaudit.audit.principles import _each
from prefaudit.cli import app
from prefaudit.core import RuleError, UsageError
from prefaudit.principles import saved
from prefaudit.principles.constitution import choose
from prefaudit.principles.library import Principle
from prefaudit.reports import render
from prefaudit.reports.principles import each, lines, page

PLAIN = "The pump stands behind the house and runs at night."
MORE = " It was built of brick by hand, and the tank beside it holds rain water for the dry weeks of summer."
ONLY = ("principles",)


def written(path: Path, n: int = 210, seed: int = 0) -> Path:
    """Pairs in which the longer answer wins, one that says sorry loses, and a tenth of the labels is turned."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        ask = {
            "prompt": f"Question {k}: where is pump number {rng.integers(10**6)} of village {k}?",
            "who": "ab"[k % 2],
        }
        sorry, long = f"I'm sorry, I was wrong. {PLAIN} {k}", f"{PLAIN}{MORE} {k}"
        good, poor = (long, f"{PLAIN} {k}") if k % 3 else (f"{PLAIN} Yes. {k}", sorry)
        good, poor = (poor, good) if rng.random() < 0.1 else (good, poor)
        rows.append({**ask, "chosen": good, "rejected": poor})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("data") / "pumps.jsonl")


@pytest.fixture(scope="module")
def audit(data: Path) -> prefaudit.Audit:
    return prefaudit.scan(str(data), data.parent / "audit", with_=ONLY, map={"annotator": "who"})


def test_the_report_tells_the_list_and_what_it_is_worth(audit: prefaudit.Audit) -> None:
    told = audit.report["constitution"]
    assert told["n"] == 210 and told["note"] == ""
    says = [rule["says"] for rule in told["rules"]]
    assert "Select the response that does not apologise" in says
    assert any("long" in text or "word" in text or "lines" in text for text in says)
    assert told["held_out"]["agreement"] > 0.85
    assert told["held_out"]["interval"][0] > told["baselines"][0]["agreement"]
    assert [b["name"] for b in told["baselines"]][:2] == ["the best single principle", "length, any curve"]
    assert told["curve"][0]["agreement"] == 0.5 and told["curve"][0]["rules"] == 0
    for rule in told["rules"]:
        assert 0.5 < rule["followed"] <= 1 and rule["weight"] > 0 and 0 < rule["fresh"]["n"] <= 210
    each = {p["id"]: p for p in audit.report["principles"]}
    assert each["apologises"]["followed"] < 0.5 and each["apologises"]["sign"] == -1
    assert [s["name"] for s in told["by"]["annotator"]] == ["a", "b"]
    assert told["disagreements"] == []


def test_the_columns_are_the_vote(audit: prefaudit.Audit) -> None:
    features = audit.features().select("constitution", "principles").collect()
    votes, said = features["principles"].struct.unnest(), features["constitution"].struct.unnest()
    rules = audit.report["constitution"]["rules"]
    score = sum(r["sign"] * r["weight"] * votes[r["id"]].fill_null(0).to_numpy() for r in rules)
    assert np.allclose(said["score"], score)
    assert np.allclose(said["support"] - said["opposition"], score)
    against = said.with_row_index("row").filter(pl.col("score") <= -1.5)["row"].to_list()
    assert audit.findings.filter(pl.col("rule") == "PRN001")["row"].to_list() == against
    assert len(against) > 5
    alone = said.filter((pl.col("speaking") == 1) & (pl.col("decides") == ""))
    assert alone.height == 0


def test_the_same_input_gives_the_same_report(data: Path, audit: prefaudit.Audit, tmp_path: Path) -> None:
    again = prefaudit.scan(str(data), tmp_path / "again", with_=ONLY, map={"annotator": "who"}, part_rows=50)
    assert json.dumps(again.report["constitution"]) == json.dumps(audit.report["constitution"])
    assert again.report["principles"] == audit.report["principles"]


def test_another_dataset_is_judged_by_it(data: Path, audit: prefaudit.Audit, tmp_path: Path) -> None:
    other = written(tmp_path / "other.jsonl", 90, seed=7)
    (tmp_path / "mine.json").write_bytes((audit.folder / "constitution.json").read_bytes())
    done = CliRunner().invoke(app, [
        "principles", str(other), "-o", str(tmp_path / "a"), "--with", "text", "--quiet", "--workers", "1",
        "--constitution", str(tmp_path / "mine.json"), "--export", f"annotation={tmp_path / 'n.parquet'}",
        "--export", f"judge-prompt={tmp_path / 'p.txt'}",
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    made = prefaudit.Audit(tmp_path / "a")
    told = made.report["constitution"]
    assert told["given"] and told["held_out"] == {} and told["agreement"]["agreement"] > 0.8
    assert [r["weight"] for r in told["rules"]] == [r["weight"] for r in audit.report["constitution"]["rules"]]
    own = prefaudit.scan(str(data), tmp_path / "own", with_=ONLY, constitution=str(tmp_path / "mine.json"))
    assert told["seen"] < 0.5 and own.report["constitution"]["seen"] == 1
    assert any("100.0 % of the pairs it was chosen on are among these" in line for line in lines(own.report))
    assert told["file"] == "mine.json" and audit.report["constitution"]["file"] == "constitution.json"
    frame = pl.read_parquet(tmp_path / "n.parquet")
    assert frame.height == 90 and {"row", "label", "score", "decides", "longer", "apologises"} <= set(frame.columns)
    assert "does not apologise" in (tmp_path / "p.txt").read_text()
    assert not (tmp_path / "a" / "constitution.json").exists()
    asked = {"with_": ("text", "principles"), "audit": tmp_path / "a", "dry_run": True}
    by = made.report["options"]["measured"]["constitution"]["constitution_print"][:8]
    whose = f"the list of mine.json ({by}), given to the audit"
    turned = prefaudit.relabel(str(other), None, flip=["PRN001"], **asked)
    assert f"PRN001: by {whose}" in turned.words and turned.flipped
    assert turned.ledger["why"].str.ends_with(f"; {whose}").all()
    kept = prefaudit.filter(str(other), None, keep="constitution.decides <> 'longer'", **asked)
    assert f"KEEP: by {whose}" in kept.words and kept.ledger["why"].str.ends_with(f"; {whose}").all()


def test_labels_against_the_list_are_dropped_or_turned(data: Path, audit: prefaudit.Audit, tmp_path: Path) -> None:
    against = audit.findings.filter(pl.col("rule") == "PRN001").height
    where = {"with_": ONLY, "map": {"annotator": "who"}, "audit": audit.folder}
    kept = prefaudit.filter(str(data), tmp_path / "f.jsonl", drop=["PRN001"], **where)
    assert kept.dropped == against
    whose = "the list that the labels follow, chosen by the audit"
    assert f"PRN001: by {whose}" in kept.words
    dropped = kept.ledger.filter(pl.col("rule") == "PRN001")
    assert dropped.height == against and dropped["why"].str.ends_with(f"; {whose}").all()
    turned = prefaudit.relabel(str(data), tmp_path / "r.jsonl", flip=["PRN"], **where)
    assert turned.flipped == against
    with pytest.raises(UsageError, match="PRN003 says that principles are in conflict"):
        prefaudit.relabel(str(data), tmp_path / "x.jsonl", flip=["PRN003"], **where)


def test_the_command_prints_the_page(data: Path, audit: prefaudit.Audit, tmp_path: Path) -> None:
    text = page(audit.report, 100)
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "CONSTITUTION" in text and "does not apologise" in text and "length, any curve" in text
    assert "constitution of" in render("terminal", audit.report) and "### Principles" in render(
        "markdown", audit.report
    )
    runner = CliRunner()
    done = runner.invoke(app, ["principles", str(data), "--without", "principles"])
    assert done.exit_code == 2
    (tmp_path / "m.md").write_text("mine")
    done = runner.invoke(app, ["principles", str(data), "--export", f"markdown={tmp_path / 'm.md'}"])
    assert done.exit_code == 2 and (tmp_path / "m.md").read_text() == "mine"
    twice = ["--export", f"markdown={tmp_path / 'n'}", "--export", f"annotation={tmp_path / 'n'}"]
    done = runner.invoke(app, ["principles", str(data), *twice])
    assert done.exit_code == 2 and "two files would go to" in done.stderr and not (tmp_path / "n").exists()


def test_quiet_still_says_why_it_is_incomplete(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    with serving(lambda body: "no JSON") as server:
        words = ["principles", str(data), "-o", str(tmp_path / "a"), "--llm", "m", "--llm-url", server.url]
        done = CliRunner().invoke(app, [*words, "-q", "--workers", "1"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error: INCOMPLETE AUDIT" in done.stderr and "unreadable" in done.stderr


def test_a_preview_is_shown_with_quiet_too(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    with serving(lambda body: "") as server:
        words = ["principles", str(data), "-o", str(tmp_path / "a"), "--llm", "m", "--llm-url", server.url]
        done = CliRunner().invoke(app, [*words, "-q", "--max-calls", "0", "--workers", "1"])
        assert not server.seen.asked
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("m: principles: at most ") and "--max-calls allows 0" in done.stderr


def test_a_list_that_is_measured_asks_no_model_anything(data: Path, audit: prefaudit.Audit, tmp_path: Path) -> None:
    given = [
        "--constitution",
        str(audit.folder / "constitution.json"),
        "--llm",
        "m",
        "--with",
        "text",
        "--workers",
        "1",
    ]
    (tmp_path / "p.txt").write_text("is kind\n")
    with serving(lambda body: "") as server:
        words = ["principles", str(data), "-o", str(tmp_path / "a"), *given, "--llm-url", server.url]
        done = CliRunner().invoke(app, [*words, "--max-calls", "0", "-q"])
        assert done.exit_code == 0 and done.stderr.startswith("m: 0 calls: ")
        alone = CliRunner().invoke(app, ["principles", str(data), "-o", str(tmp_path / "b"), *given[:2], *given[4:]])
        told, same = (prefaudit.Audit(tmp_path / name).report for name in "ab")
        assert alone.exit_code == 0 and told["constitution"] == same["constitution"]
        assert told["constitution"]["agreement"]["n"] == 210 and told["principles"] == same["principles"]
        asked = CliRunner().invoke(app, [*words, "--max-calls", "0", "-q", "--principles", str(tmp_path / "p.txt")])
        assert asked.exit_code == 2 and "m: principles: at most 420 calls" in asked.stderr
        assert not server.seen.asked


def test_exports_are_written_that_need_no_list_where_there_is_none(data: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(data.read_text().splitlines(keepends=True)[:6]))
    where = {name: tmp_path / name for name in ("markdown", "judge-prompt", "icai-csv", "annotated-pairs")}
    named = [word for name, path in where.items() for word in ("--export", f"{name}={path}")]
    done = CliRunner().invoke(app, ["principles", str(few), "-o", str(tmp_path / "a"), "--workers", "1", *named])
    assert done.exit_code == 2 and "there is no constitution: a constitution needs 10 groups" in done.stderr
    assert [path.exists() for path in where.values()] == [False, False, True, True]
    assert "--export markdown, judge-prompt: there is no constitution" in done.stderr
    assert f"written: icai-csv={where['icai-csv']}, annotated-pairs=" in " ".join(done.stderr.split())


def test_every_export_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    ties = tmp_path / "ties.jsonl"
    row = {"response_a": "an answer", "response_b": "another answer", "label": "tie"}
    ties.write_text("".join(json.dumps({"prompt": f"q{k}", **row}) + "\n" for k in range(12)))
    where = {name: tmp_path / name for name in ("markdown", "annotated-pairs", "annotation")}
    named = [word for name, path in where.items() for word in ("--export", f"{name}={path}")]
    done = CliRunner().invoke(app, ["principles", str(ties), "-o", str(tmp_path / "a"), "--workers", "1", *named])
    assert done.exit_code == 2 and [path.exists() for path in where.values()] == [False, False, True]
    assert "--export markdown: there is no constitution" in done.stderr
    assert "--export annotated-pairs: no pair can be exported" in done.stderr


def test_own_principles_are_asked_and_few_pairs_are_told(data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[principle]]\nid = "brick"\ntext = "Select the response that is wordy"\nsql = "a.words > b.words"\n'
    )
    some = tmp_path / "some.jsonl"
    some.write_text("".join(data.read_text().splitlines(keepends=True)[:6]))
    audit = prefaudit.scan(str(some), tmp_path / "a", with_=ONLY, principles=[str(own)])
    assert "brick" in {p["id"] for p in audit.report["principles"]}
    assert "10 groups" in audit.report["constitution"]["note"] and audit.report["complete"]
    assert {r["status"] for r in audit.report["rules"] if r["code"].startswith("PRN")} == {"unjudged"}
    for listed in (tmp_path / "p.txt", tmp_path / "c.json"):
        rule = {"id": "x", "sign": 1, "weight": 1, "text": "Select the response that is kind", "sql": None}
        whole = json.dumps({"schema": saved.SCHEMA, "rules": [rule]})
        listed.write_text("is kind" if listed.suffix == ".txt" else whole)
        given = {"principles": [str(listed)]} if listed.suffix == ".txt" else {"constitution": str(listed)}
        with pytest.raises(RuleError, match="only a reader can judge"):
            prefaudit.scan(str(some), tmp_path / "c", with_=ONLY, **given)
    own.unlink()
    assert "principles" in prefaudit.Audit(tmp_path / "a").features().collect_schema()
    with pytest.raises(RuleError, match=r"own\.toml"):
        prefaudit.scan(str(some), tmp_path / "b", with_=ONLY, principles=[str(own)])


def test_strength_has_the_sign_of_what_is_followed() -> None:
    told = {"says": "x", "applies": 0.3, "strength": -0.3, "q": 0.1, "weight": 1.0, "interval": [0.0, 0.1]}
    first, turned = each({"principles": [told | {"followed": 0.0, "sign": 1},
                                                 told | {"followed": 0.0, "sign": -1}]})  # fmt: skip
    assert first[2].startswith("0.0 %") and first[3] == "-0.300"
    assert turned[2].startswith("100.0 %") and turned[3] == "0.300"


def test_a_principle_that_labels_never_follow_is_told_by_its_reverse() -> None:
    principle = Principle("x", "Select the response that shouts", "file", otherwise="Select the response that is calm")
    for vote, told in (
        (-1, (0.0, -1, principle.otherwise)),
        (1, (1.0, 1, principle.text)),
        (0, (None, 1, principle.text)),
    ):
        (one,) = _each(choose(pl.DataFrame({"x": [vote] * 4}), np.ones(4), np.arange(4), 0), {"x": principle}, {"x"})
        assert (one["followed"], one["sign"], one["says"]) == told and one["read"]

"""Strength and consensus as the audit measures them: what filter, relabel and review do with these columns."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from repair.making import jsonl, pairs
from typer.testing import CliRunner

import prefaudit.repair as repair
from prefaudit import audit
from prefaudit.cli import app
from prefaudit.core import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def scored() -> str:
    """Ten pairs; a judge gives row i a margin of i - 4, and none to row 9."""
    rows = [{"id": i, "prompt": p["prompt"][0]["content"], "chosen": p["chosen"], "rejected": p["rejected"],
             "judge_a": float(i), "judge_b": 4.0 if i < 9 else None} for i, p in enumerate(pairs(10))]  # fmt: skip
    return str(jsonl(Path("a.jsonl"), rows))


def leaning(n: int = 90) -> str:
    """Pairs of which the longer answer is chosen, but in every tenth."""
    rng = random.Random(4)
    rows = []
    for i, p in enumerate(pairs(n)):
        long, short = (f"{i} " + " ".join(rng.choices(["one", "two", "three", "four"], k=k)) for k in (40, 8))
        chosen, rejected = (long, short) if i % 10 else (short, long)
        rows.append({"id": i, "prompt": p["prompt"][0]["content"], "chosen": chosen, "rejected": rejected})
    return str(jsonl(Path("a.jsonl"), rows))


def ids(path: str) -> list[int]:
    return [json.loads(line)["id"] for line in Path(path).read_text().splitlines()]


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.stdout, result.stderr


def test_filter_and_relabel_go_by_the_strength_that_outside_scores_give() -> None:
    path, told = scored(), {"with_": ["text", "strength"], "score_columns": ["judge_a:judge_b"]}
    unit = (sum((i - 4) ** 2 for i in range(9)) / 9) ** 0.5
    made = repair.filter(path, "b.jsonl", min_strength=0.0, **told)
    assert ids("b.jsonl") == [4, 5, 6, 7, 8, 9], "row 9 has no strength and stays"
    assert made.rules[0]["unjudged"] == 1 and not any("source's own score" in w for w in made.words)
    assert made.ledger["value"].to_list() == pytest.approx([(i - 4) / unit for i in range(4)], abs=1e-5)
    repair.filter(path, "c.jsonl", keep=f"strength.mean > {-2.5 / unit} and strength.mean < {3.5 / unit}", **told)
    assert ids("c.jsonl") == [2, 3, 4, 5, 6, 7, 9]
    assert repair.relabel(path, "d.jsonl", flip_below=-2.5 / unit, **told).flipped == 2
    assert repair.filter(path, "f.jsonl", drop_worst=0.2, by="strength", **told).ledger["row"].to_list() == [0, 1]
    assert ids(str(repair.filter(path, "g.jsonl", min_strength=0.0, strict=True, **told).out)) == [4, 5, 6, 7, 8]


def test_consensus_is_obeyed_and_said_to_be_no_evidence() -> None:
    path, told = leaning(), {"with_": ["text", "probes", "consensus"]}
    mean = audit.scan(path, fail_on="never", **told).features().collect()["consensus"].struct.field("mean").to_numpy()
    against = np.flatnonzero(mean < -1)
    assert set(against) <= set(range(0, 90, 10)) and len(against) >= 7, "labels that the rest speaks against"
    made = repair.filter(path, "b.jsonl", min_consensus=-1, **told)
    assert made.ledger["row"].to_list() == against.tolist() and set(made.ledger["rule"]) == {"CONSENSUS"}
    worst = repair.filter(path, "c.jsonl", drop_worst=0.1, by="consensus", **told)
    assert worst.ledger["row"].to_list() == sorted(np.argsort(mean, kind="stable")[:9])
    asked = repair.filter(path, "d.jsonl", keep="consensus.mean > 0", **told)
    assert asked.ledger["row"].to_list() == np.flatnonzero(mean <= 0).tolist()
    for one in (made, worst, asked):
        assert one.words[0].startswith("rests on self-consistency")
    plain = repair.filter(path, "e.jsonl", min_consensus=-1)  # asks for it by itself
    assert plain.words[0].startswith("rests on self-consistency") and "CONSENSUS" in set(plain.ledger["rule"])
    code, said, err = call("review", path, "-o", "s.csv", "--by", "consensus", "--n", "2")
    assert code == 0 and "1 consensus, 1 rest" in said, err


@pytest.mark.parametrize("words", [["--min-consensus", "0"], ["--drop-worst", "0.2", "--by", "consensus"],
                                   ["--keep", "consensus.mean > 0"]])  # fmt: skip
def test_without_it_consensus_is_exit_2_and_says_how_to_get_it(words: list[str]) -> None:
    path = scored()
    code, _, err = call("filter", path, "-o", "b.jsonl", "--with", "text", *words)
    assert code == 2 and "needs the consensus" in err and "--with +consensus" in err and not Path("b.jsonl").exists()
    with pytest.raises(UsageError, match="consensus"):
        repair.filter(path, "b.jsonl", min_consensus=0, with_=["text"])

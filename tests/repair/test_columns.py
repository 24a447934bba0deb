"""Strength and consensus as extractors write them: what filter, relabel and review do with such columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from repair.making import jsonl, pairs
from typer.testing import CliRunner

import prefaudit.repair as repair
from prefaudit import audit
from prefaudit.audit import measure
from prefaudit.cli import app
from prefaudit.core import Apply, Parts, UsageError
from prefaudit.repair import evidence

FIELDS = {"strength": ("mean", "p_correct"), "consensus": ("mean",)}


@dataclass(frozen=True)
class Scored:
    """Strength and consensus by the number in the prompt: row i has (i - 4) / 4 and (4 - i), row 9 has none."""

    name: ClassVar[str] = "scored"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("chosen",)
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {name: pl.Struct(dict.fromkeys(fields, pl.Float64())) for name, fields in FIELDS.items()}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            i = pl.when(pl.col("row") != 9).then(pl.col("row").cast(pl.Float64))
            return frame.select("row", strength=pl.struct(mean=(i - 4) / 4, p_correct=i / 10),
                                consensus=pl.struct(mean=4 - i))  # fmt: skip

        return apply


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when an extractor of that kind is one of the package's."""
    for module in (measure, audit):
        monkeypatch.setattr(module, "EXTRACTORS", (*measure.EXTRACTORS, Scored))
        monkeypatch.setattr(module, "GROUPS", {**measure.GROUPS, "consensus": ("scored",)})
    monkeypatch.setattr(evidence, "GROUPS", {**evidence.GROUPS, "consensus": ("scored",)})


def data() -> str:
    rows = [{"id": i, "prompt": p["prompt"][0]["content"], "chosen": p["chosen"], "rejected": p["rejected"],
             "score_chosen": 9.0, "score_rejected": 1.0 + i} for i, p in enumerate(pairs(10))]  # fmt: skip
    return str(jsonl(Path("a.jsonl"), rows))


def ids(path: str) -> list[int]:
    return [json.loads(line)["id"] for line in Path(path).read_text().splitlines()]


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("measured")
def test_a_measured_strength_comes_before_the_source_s_own_scores() -> None:
    path = data()
    made = repair.filter(path, "b.jsonl", min_strength=0.0)
    assert ids("b.jsonl") == [4, 5, 6, 7, 8, 9], "by its own scores all are positive; row 9 has no strength and stays"
    assert made.rules[0]["unjudged"] == 1 and not any("source's own score" in w for w in made.words)
    repair.filter(path, "c.jsonl", keep="strength.mean > -0.6 and strength.p_correct < 0.7")
    assert ids("c.jsonl") == [2, 3, 4, 5, 6, 9]
    assert repair.relabel(path, "d.jsonl", flip_below=-0.5).flipped == 2
    soft = repair.relabel(path, "e.jsonl", soft=True)
    p = [json.loads(line)["label_probability"] for line in Path("e.jsonl").read_text().splitlines()]
    assert p == [*(i / 10 for i in range(9)), 1.0], "as it was calibrated"
    assert soft.softened == 10
    assert repair.filter(path, "f.jsonl", drop_worst=0.2, by="strength").ledger["row"].to_list() == [0, 1]


@pytest.mark.usefixtures("measured")
def test_consensus_works_as_soon_as_it_is_measured_and_says_what_it_rests_on() -> None:
    path = data()
    made = repair.filter(path, "b.jsonl", min_consensus=-1)
    assert ids("b.jsonl") == [0, 1, 2, 3, 4, 5, 9] and set(made.ledger["rule"]) == {"CONSENSUS"}
    worst = repair.filter(path, "c.jsonl", drop_worst=0.3, by="consensus")
    assert ids("c.jsonl") == [0, 1, 2, 3, 4, 5, 9]
    asked = repair.filter(path, "d.jsonl", keep="consensus.mean > 0")
    for one in (made, worst, asked):
        assert one.words[0].startswith("rests on self-consistency")
    code, told, err = call("review", path, "-o", "s.csv", "--by", "consensus", "--n", "2")
    assert code == 0 and "1 consensus, 1 rest" in told, err


@pytest.mark.parametrize("words", [["--min-consensus", "0"], ["--drop-worst", "0.2", "--by", "consensus"],
                                   ["--keep", "consensus.mean > 0"]])  # fmt: skip
def test_without_it_consensus_is_exit_2_and_says_how_to_get_it(words: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(evidence, "GROUPS", {**evidence.GROUPS, "consensus": ("scored",)})
    path = data()
    code, _, err = call("filter", path, "-o", "b.jsonl", "--with", "text", *words)
    assert code == 2 and "needs the consensus" in err and "add it to --with" in err and not Path("b.jsonl").exists()
    with pytest.raises(UsageError, match="consensus"):
        repair.filter(path, "b.jsonl", min_consensus=0, with_=["text"])

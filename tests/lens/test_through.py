"""Two datasets compared through one lens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import prefaudit
from prefaudit.audit import Audit
from prefaudit.cli import app
from prefaudit.repair.through import OTHERS

OPTIONS = {"embedder": "lexical", "lens_features": 6, "lens_active": 2, "fail_on": "never", "with_": ("lens",),
           "select": ("SCH001",)}  # fmt: skip


WORDS = [a + b for a in ("ba", "ko", "ri", "tu", "mel", "san") for b in ("lin", "dor", "vek", "pas", "nom", "ghi")]
STEPS, SORRY = " 1. first of all 2. then after that 3. finally done", "I am so sorry about that, I apologise. "


def written(path: Path, steps_win: float, first: int = 0) -> str:
    """400 pairs that differ in numbered steps and in an apology: how often the answer with steps is chosen."""
    rng = np.random.default_rng(first)
    lines = []
    for row in range(first, first + 400):
        texts = [" ".join(rng.choice(WORDS, rng.integers(5, 40))) for _ in range(2)]
        side, other = rng.integers(0, 2, 2)
        if row % 2:
            texts[side] += STEPS
        if row % 3 == 0:
            texts[other] = SORRY + texts[other]
        chosen = side if rng.random() < (steps_win if row % 2 else 0.5) else 1 - side
        lines.append({"prompt": f"question {row} {rng.choice(WORDS)}", "chosen": texts[chosen],
                      "rejected": texts[1 - chosen]})  # fmt: skip
    pl.DataFrame(lines).write_ndjson(path)
    return str(path)


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Audit, Audit]:
    """Steps win in .8 of the first pairs and in .3 of the others, seen through the lens of the first."""
    folder = tmp_path_factory.mktemp("through")
    first = prefaudit.scan(written(folder / "one.jsonl", 0.8), folder / "one", **OPTIONS)
    lens = {k: v for k, v in OPTIONS.items() if not k.startswith(("lens", "embedder"))}
    data = written(folder / "two.jsonl", 0.3, 400)
    return first, prefaudit.scan(data, folder / "two", lens=str(first.folder / "lens"), **lens)


def test_what_moves_the_choice_otherwise_is_told_first(audits: tuple[Audit, Audit]) -> None:
    seen = prefaudit.diff(*audits).lens["each"]
    assert len(seen) == 6
    held = [{e["feature"]: e["effect"] for e in audit.report["lens"]["each"]} for audit in audits]
    for e in seen:
        assert e["delta_win"] == tuple(h[e["feature"]]["delta_win"] for h in held)
        there = e["prevalence"]
        assert there["before"] > 0 and there["interval"][0] < there["change"] < there["interval"][1]
    told = [e for e in seen if e["interval"] is not None]
    assert [e["q"] for e in told] == sorted(e["q"] for e in told)
    for e in told:
        change = e["delta_win"][1] - e["delta_win"][0]
        widths = [high - low for low, high in e["delta_interval"]]
        assert e["delta_change"] == pytest.approx(change) and e["interval"][0] < change < e["interval"][1]
        assert max(widths) < e["interval"][1] - e["interval"][0] < sum(widths)
        assert (e["p"] < 0.05) == (not e["interval"][0] <= 0 <= e["interval"][1])
    surest = told[0]
    assert "finally" in surest["name"] or "first" in surest["name"] or "done" in surest["name"], surest["name"]
    assert surest["q"] < 0.01 and surest["delta_win"][0] * surest["delta_win"][1] < 0
    assert abs(surest["prevalence"]["change"]) < 0.05, "as many pairs have steps"
    assert abs(surest["win_rate"]["change"]) == pytest.approx(0.5, abs=0.15)


def test_readers_see_it(audits: tuple[Audit, Audit]) -> None:
    runner, folders = CliRunner(), [str(a.folder) for a in audits]
    text = runner.invoke(app, ["diff", *folders]).output
    assert "LENS, AT EQUAL LENGTH" in text and "present before" in text
    told = json.loads(runner.invoke(app, ["diff", *folders, "--output-format", "json"]).output)
    assert {e["feature"] for e in told["lens"]["each"]} == {f"f{k}" for k in range(6)}


def test_two_lenses_are_not_compared(audits: tuple[Audit, Audit], tmp_path: Path) -> None:
    data = written(tmp_path / "data.jsonl", 0.5)
    other = prefaudit.scan(data, tmp_path / "other", **{**OPTIONS, "lens_features": 5})
    found = prefaudit.diff(audits[0], other)
    assert found.lens == {"note": OTHERS} and OTHERS in found.words
    plain = prefaudit.scan(data, tmp_path / "plain", with_=("panel",), select=("SCH001",), fail_on="never")
    assert prefaudit.diff(audits[0], plain).lens == {}

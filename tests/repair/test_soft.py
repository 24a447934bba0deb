"""Soft labels: as a column, and as copies in proportion."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from repair.making import cells, jsonl, pairs
from typer.testing import CliRunner

import prefaudit.repair as repair
from prefaudit.cli import app
from prefaudit.core import UsageError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.stdout, result.stderr


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def rows(scores: list[float | None]) -> list[dict[str, Any]]:
    """Pairs whose scores differ by these; the source's own unit is their root mean square."""
    return [{"prompt": p["prompt"][0]["content"], "chosen": p["chosen"], "rejected": p["rejected"],
             "score_chosen": s, "score_rejected": 0.0 if s is not None else None}
            for p, s in zip(pairs(len(scores)), scores, strict=True)]  # fmt: skip


SCORES: list[float | None] = [3.0, 1.0, -1.0, 0.0, None]
UNIT = (11 / 4) ** 0.5  # a score difference of nought is a scorer's word too
P = [sigma(3 / UNIT), sigma(1 / UNIT), sigma(-1 / UNIT), 0.5, 1.0]


def written(kind: str, data: list[dict[str, Any]]) -> Path:
    path = Path(f"a.{kind}")
    if kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in data))  # the last line has no end
    elif kind == "json":
        path.write_text(json.dumps(data, indent=2))
    elif kind == "csv":
        with path.open("w", newline="") as f:
            made = csv.DictWriter(f, data[0], lineterminator="\n")
            made.writeheader()
            made.writerows(data)
        path.write_text(path.read_text().rstrip("\n"))
    elif kind == "parquet":
        pl.DataFrame(data).write_parquet(path)
    else:
        pl.DataFrame(data).write_ipc(path)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet", "arrow"])
def test_copies_stand_in_proportion(kind: str) -> None:
    data = rows(SCORES)
    path = written(kind, data)
    made = repair.relabel(str(path), f"b.{kind}", soft="copies")
    assert (made.read, made.kept, made.dropped, made.skipped, made.flipped, made.softened) == (5, 5, 0, 0, 0, 5)
    same = [math.floor(10 * p + 0.5) for p in P]
    assert made.pairs["written"] == 50 and made.pairs["written_other"] == 50 - sum(same)
    table, n = cells(f"b.{kind}")
    assert n == 50
    found = Counter(zip(table["chosen"].to_pylist(), table["rejected"].to_pylist(), strict=True))
    before, _ = cells(path)
    for c, r, k in zip(before["chosen"].to_pylist(), before["rejected"].to_pylist(), same, strict=True):
        assert (found[c, r], found[r, c]) == (k, 10 - k)
    lines = made.ledger
    assert lines["action"].to_list() == ["softened"] * 5
    assert lines["value"].to_list() == [k / 10 for k in same]
    assert all("share of 10 copies" in why for why in lines["why"])
    by_chosen = dict(zip(table["chosen"].to_pylist(), table["score_chosen"].to_pylist(), strict=True))
    whole = dict(zip(before["chosen"].to_pylist(), before["score_chosen"].to_pylist(), strict=True))
    assert {c: by_chosen[c] for c in whole} == whole, "scores go with their answers"


def test_the_loss_of_copies_is_that_of_the_probability() -> None:
    """Summed over the copies, -log sigma(+-d) is their number times the soft loss at the share that they stand for."""
    repair.relabel(str(jsonl(Path("a.jsonl"), rows(SCORES))), "c.jsonl", soft="copies:20")
    repair.relabel("a.jsonl", "p.jsonl", soft=True)
    p = {r["chosen"]: r["label_probability"] for r in map(json.loads, Path("p.jsonl").read_text().splitlines())}
    for i, (chosen, said) in enumerate(p.items()):
        d = 0.7 * i - 1
        copies = [json.loads(line) for line in Path("c.jsonl").read_text().splitlines()]
        mine = [row["chosen"] == chosen for row in copies if chosen in (row["chosen"], row["rejected"])]
        loss = sum(-math.log(sigma(d if same else -d)) for same in mine) / len(mine)
        share = sum(mine) / len(mine)
        assert len(mine) == 20 and abs(share - said) <= 1 / 40 + 1e-6
        assert loss == pytest.approx(-share * math.log(sigma(d)) - (1 - share) * math.log(sigma(-d)))


def test_copies_of_a_turned_label_and_in_other_layouts() -> None:
    path = str(jsonl(Path("a.jsonl"), rows(SCORES)))
    made = repair.relabel(path, "b.jsonl", flip=["LBL001"], soft="copies")
    assert made.flipped == 1
    k = math.floor(10 * (1 - P[2]) + 0.5)
    assert made.ledger.filter((pl.col("row") == 2) & (pl.col("action") == "softened"))["value"].to_list() == [k / 10]
    new = [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()]
    old = rows(SCORES)[2]
    assert sum(r["chosen"] == old["rejected"] for r in new) == k
    for to in ("trl", "hh", "sharegpt"):
        made = repair.relabel(path, f"{to}.jsonl", flip=["LBL001"], soft="copies:4", to=to, force=True)
        assert len(Path(f"{to}.jsonl").read_text().splitlines()) == made.pairs["written"] == 20
    said = [json.loads(line)["chosen"][0]["content"] for line in Path("trl.jsonl").read_text().splitlines()]
    assert said[8:12].count(old["rejected"]) == math.floor(4 * (1 - P[2]) + 0.5)


def test_a_label_of_which_nothing_is_known_is_right_as_it_is_written() -> None:
    from repair.making import begin

    from prefaudit.audit.review import Review
    from prefaudit.config import Options
    from prefaudit.repair.softening import probabilities

    work = begin(
        jsonl(Path("a.jsonl"), rows(SCORES)), Options(with_=("text", "strength"), fail_on="never"), Path("audit")
    )
    turn = pl.Series([False, False, True, False, True]).to_numpy()
    p = probabilities(work.evidence, turn, Review(), "--soft")
    assert p.tolist() == pytest.approx([P[0], P[1], 1 - P[2], 0.5, 1.0], abs=1e-6)
    p = probabilities(work.evidence, turn, Review(confirmed=(1,), contrary=(2,), tied=(0,)), "--soft")
    assert p.tolist() == pytest.approx([0.5, 1.0, 1.0, 0.5, 1.0], abs=1e-6)


def test_soft_alone_stays_the_column() -> None:
    path = str(jsonl(Path("a.jsonl"), rows(SCORES)))
    for out, words in (("b.jsonl", ["--soft", path, "-o", "b.jsonl"]), ("c.jsonl", [path, "-o", "c.jsonl", "--soft"]),
                       ("d.jsonl", [path, "--soft", "column", "-o", "d.jsonl"])):  # fmt: skip
        code, _, err = call("relabel", *words)
        assert code == 0, err
        assert "label_probability" in Path(out).read_text() and len(Path(out).read_text().splitlines()) == 5
    code, told, err = call("relabel", path, "--soft", "copies", "-o", "e.jsonl")
    assert code == 0 and "written are 50 copies" in told, err


KWISE = {"instruction": "q", "generations": ["one answer", "another", "a third"], "ratings": [3.0, 2.0, 1.0]}
KTO = {"prompt": "q", "completion": "an answer", "label": True}


@pytest.mark.parametrize("data, words, told", [
    (KWISE, ["--soft", "copies"], "is not one pair"), (KTO, ["--soft", "copies"], "is not one pair"),
    (None, ["--soft", "copies:1"], "2 to 100"), (None, ["--soft=copies:x"], "copies:N"),
    (None, ["--soft", "copies", "--margin"], "does not go with --margin"),
    (None, ["--soft", "copies", "--to", "kto"], "cannot say the same pair twice"),
    (None, ["--soft", "copies", "--control"], "--control"),
    (rows([None])[0], ["--soft", "copies"], "needs a strength"),
])  # fmt: skip
def test_copies_are_refused_where_they_make_no_sense(data: Any, words: list[str], told: str) -> None:
    made = (
        rows(SCORES) if data is None else [{**data, "prompt": f"q{i}"} if "prompt" in data else data for i in range(6)]
    )
    path = str(jsonl(Path("a.jsonl"), made))
    code, _, err = call("relabel", path, "-o", "b.jsonl", *words)
    assert code == 2 and told in err and "hint: " in err and "Traceback" not in err
    assert not Path("b.jsonl").exists()


def test_ties_are_copied_as_they_are() -> None:
    made = [{"instruction": f"q{i}", "output_1": f"one {i}", "output_2": f"two {i}", "generator_1": "a",
             "generator_2": "b", "annotator": "w", "preference": v}
            for i, v in enumerate([1.0, 1.1, 1.5, 2.0, 1.9])]  # fmt: skip
    path = Path("a.json")
    path.write_text(json.dumps(made))
    done = repair.relabel(str(path), "b.json", soft="copies:4")
    assert done.pairs["written"] == 20 and done.pairs["cannot_be_flipped"] == 0
    new = [row["preference"] for row in json.loads(Path("b.json").read_text()) if row["instruction"] == "q2"]
    assert new == [1.5] * 4
    with pytest.raises(UsageError, match="twice"):
        repair.relabel(str(path), "c.json", soft="twice")

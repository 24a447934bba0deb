from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from prefaudit.core import SourceError
from prefaudit.extractors._grams import in_blocks, windows
from prefaudit.extractors.contamination import Contamination, index, measure
from tests.extractors.frames import pairs, run

QUESTION = "Which of the seven bridges of the old town was built first, and how long did the masons work on it in all?"
WORDS = [f"word{k}" for k in range(60)]
TEXT = " ".join(WORDS)


def test_runs_are_those_of_a_plain_count() -> None:
    chinese = "我会先从每天早上散一小段步开始，两个星期以后再看看感觉怎么样"
    texts = [TEXT, " ".join(WORDS[5:40]), "", "a b c", " ".join(WORDS[:13]), chinese, TEXT.upper() + "!"]
    made = windows(pl.Series(texts))
    assert made.counts.tolist() == [48, 23, 0, 0, 1, 17, 48]
    text, inside = made.text_of(np.arange(len(made.hashes)))
    assert np.bincount(text[inside], minlength=len(texts)).tolist() == made.counts.tolist()
    runs = [made.hashes[inside & (text == k)] for k in range(len(texts))]
    assert len(np.unique(runs[0])) == 48
    assert np.isin(runs[1], runs[0]).all()
    assert runs[4][0] == runs[0][0]
    assert made.whole[0] == made.whole[6] and len(set(made.whole[:6].tolist())) == 6


def test_parts_do_not_matter() -> None:
    texts = pl.Series([" ".join(WORDS[k % 40 : k % 40 + 3 + k % 20]) for k in range(3000)])
    whole = np.concatenate([made.whole for _, made in in_blocks(texts)])
    assert np.array_equal(whole, np.concatenate([windows(texts[at : at + 700]).whole for at in range(0, 3000, 700)]))


def write(path: Path, rows: list[object]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": 1, "x": "nothing"}, {"id": 2, "x": QUESTION}],
        [{"prompt": "p", "chosen": "c", "rejected": "r"}, {"prompt": QUESTION, "chosen": "c", "rejected": "d"}],
        [{"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"},
         {"chosen": f"\n\nHuman: {QUESTION}\n\nAssistant: b", "rejected": f"\n\nHuman: {QUESTION}\n\nAssistant: c"}],
        [{"turns": ["x"]}, {"turns": ["y", QUESTION]}],
        ["nothing", QUESTION],
    ],
    ids=["column", "trl", "hh", "nested", "strings"],
)  # fmt: skip
def test_any_layout(tmp_path: Path, rows: list[object]) -> None:
    made = Contamination(against=(write(tmp_path / "bench.jsonl", rows),))
    told = run(
        made, pairs([(QUESTION.lower().replace(",", ""), "a", "b"), ("Something else that is asked here.", "a", "b")])
    )
    found = told["contamination"].to_list()
    assert (found[0]["share"], found[0]["exact"]) == (1.0, True)
    assert found[0]["in"].endswith("bench.jsonl row 1")
    assert found[1] == {"share": 0.0, "exact": False, "in": None}


def test_shares_of_answers(tmp_path: Path) -> None:
    path = tmp_path / "bench.txt"
    path.write_text(f"another line\n{TEXT}\n")
    half = " ".join([*WORDS[:30], *(f"new{k}" for k in range(30))])
    told = run(Contamination(against=(str(path),)), pairs([("q", half, TEXT), ("q", "short", None)]))
    assert told["c"][0]["contamination"] == pytest.approx(18 / 48)
    assert told["c"][0]["contamination_in"] == f"{path} row 1"
    assert told["r"][0] == {"contamination": 1.0, "contamination_exact": True, "contamination_in": f"{path} row 1"}
    assert told["c"][1]["contamination"] is None
    assert told["r"][1] is None


def test_boilerplate_does_not_count(tmp_path: Path) -> None:
    lead = "Answer the following question by choosing one of the four options that are given below here: "
    path = tmp_path / "bench.txt"
    path.write_text("\n".join(f"{lead}question number {k} about thing {k}" for k in range(20)))
    known = index([str(path)])
    assert measure(pl.Series([lead + "something quite different is asked"]), known, 20)["contamination"][0] == 0.0
    assert measure(pl.Series([f"{lead}question number 3 about thing 3"]), known, 20)["contamination"][0] == 1.0


def test_a_thinned_index_estimates_the_share(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    words = [f"w{k}" for k in rng.integers(0, 5000, 40_000)]
    path = tmp_path / "bench.txt"
    path.write_text("\n".join(" ".join(words[at : at + 400]) for at in range(0, 40_000, 400)))
    known = index([str(path)], most=2000)
    assert len(known.runs) <= 4000
    text = " ".join([*words[:300], *(f"v{k}" for k in range(300))])
    whole = measure(pl.Series([text]), index([str(path)]), 50)["contamination"][0]
    assert measure(pl.Series([text]), known, 50)["contamination"][0] == pytest.approx(whole, abs=0.15)


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"missing\.parquet"):
        Contamination(against=(str(tmp_path / "missing.parquet"),))
    with pytest.raises(SourceError, match=r"gone\.txt"):
        Contamination(against=(str(tmp_path / "gone.txt"),))


def test_another_content_is_another_recipe(tmp_path: Path) -> None:
    path = tmp_path / "bench.txt"
    path.write_text("one line that is long enough")
    before = Contamination(against=(str(path),))
    path.write_text("another line that is long enough")
    assert Contamination(against=(str(path),)).against_prints != before.against_prints

"""Annotators who do not judge, presented order, and names that give labels away.

What is planted here are annotators, or whole datasets, not rows: `n` counts votes or pairs, and planted and found are
numbers of annotators, or of datasets of which every other one has the defect.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

import prefaudit
from integrity_defects.base import Planted, Row, own_scan

PEOPLE = 100  # annotators
RIGHT = 0.8  # an honest annotator's chance of the better answer, which is the one the row calls chosen
BAD = 20  # annotators who vote in the planted way
SETS, SIZE = 20, 1_000  # datasets of a power, and pairs of each


def audit(rows: list[Row], folder: Path, *extractors: str) -> Any:
    """The audit of these rows, with as little measured as the question needs."""
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    mapping = {c: c for c in ("annotator", "first", "source", "model_chosen", "model_rejected") if c in rows[0]}
    return prefaudit.scan(str(path), folder / f"audit-{path.stem}", format="trl", map=mapping, fail_on="never",
                          with_=extractors or ("panel",))  # fmt: skip


def named(made: Any, code: str) -> set[str]:
    """Annotators that a rule names: the report lists a few, so the table is asked with the rule's own question."""
    table = pl.DataFrame(made.report["annotators"], infer_schema_length=None)
    low, high = (pl.col("interval").list.get(k) for k in (0, 1))
    enough = (pl.col("shared") >= 20) & (pl.col("q_agreement") <= 0.05)
    asked = {
        "AGR001": enough & (pl.col("agreement") < 0.6),
        "AGR002": pl.max_horizontal("first_low", 1 - pl.col("first_high")) >= 0.8,
        "AGR003": enough & (high < 0.5) & (low >= 0),
    }
    found = set(table.filter(asked[code])["annotator"])
    rule = next(r for r in made.report["rules"] if r["code"] == code)
    assert rule["found"] == len(found), (code, rule["found"], len(found))
    return found


Vote = Callable[[bool, random.Random], bool]
"""From whether the better answer came first, and chance, to whether the vote is for the better one."""


def honest(first: bool, rng: random.Random) -> bool:
    return rng.random() < RIGHT


def panel(rows: list[Row], own: list[int], rng: random.Random, bad: Vote, each: int) -> list[Row]:
    """Each row voted on by so many of the annotators, of whom the first BAD vote in the bad way."""
    votes = []
    for number in own:
        for who in rng.sample(range(PEOPLE), each):
            first = rng.random() < 0.5
            row = {**rows[number], "annotator": f"w{who}", "first": int(first)}
            if not (bad if who < BAD else honest)(first, rng):
                row |= {"chosen": row["rejected"], "rejected": row["chosen"], "first": int(not first)}
            votes.append(row)
    return votes


def among(name: str, bad: Vote, code: str, each: int) -> None:
    """Register a panel of annotators, BAD of whom vote in this way."""

    @own_scan(f"annotators: {name}, {each * 1000 // PEOPLE} votes each", n=1000)
    def scanned(rows: list[Row], own: list[int], rng: random.Random, folder: Path) -> Planted:
        made = audit(panel(rows, own, rng, bad, each), folder)
        return Planted(set(range(BAD)), {int(who[1:]) for who in named(made, code)}, set())


for each in (5, 10):
    among("vote at random", lambda first, rng: rng.random() < 0.5, "AGR001", each)
    among("always the first", lambda first, rng: first, "AGR002", each)
    among("against the rest", lambda first, rng: rng.random() < 1 - RIGHT, "AGR003", each)


def powers(rows: list[Row], rng: random.Random, folder: Path, code: str, fill: Callable[[Row, bool], None],
           *extractors: str) -> Planted:  # fmt: skip
    """Of SETS datasets of SIZE pairs every other one has the defect; which ones the rule fires on."""
    found = set()
    for k in range(SETS):
        some = [dict(rows[n]) for n in rng.sample(range(len(rows)), SIZE)]
        for row in some:
            fill(row, k % 2 == 0)
        made = audit(some, folder, *extractors)
        status = next(r["status"] for r in made.report["rules"] if r["code"] == code)
        found |= {k} if status == "fired" else set()
    return Planted(set(range(0, SETS, 2)), found, set())


@own_scan("datasets: the first wins 60 % of 1,000 pairs", n=1000)
def first_wins(rows: list[Row], own: list[int], rng: random.Random, folder: Path) -> Planted:
    def fill(row: Row, biased: bool) -> None:
        row["first"] = int(rng.random() < (0.6 if biased else 0.5))

    return powers(rows, rng, folder, "POS001", fill)


@own_scan("datasets: of 10 models one's name wins 95 %, 1,000 pairs", n=1000)
def model_names(rows: list[Row], own: list[int], rng: random.Random, folder: Path) -> Planted:
    def fill(row: Row, biased: bool) -> None:
        one, two = sorted(rng.sample(range(10), 2))
        better = rng.random() < (0.95 if biased else 0.5)
        row["model_chosen"], row["model_rejected"] = (f"m{one}", f"m{two}") if better else (f"m{two}", f"m{one}")

    return powers(rows, rng, folder, "SRC001", fill, "text")


@own_scan("verdict turned round in the other order")
def orders(rows: list[Row], own: list[int], rng: random.Random, folder: Path) -> Planted:
    """Own pairs judged twice, in both orders; half of them for the first answer both times."""
    made, moved = [], set()
    for place, number in enumerate(own):
        row = {**rows[number], "first": 1, "annotator": "judge"}
        again = dict(row, first=0)
        if place % 2 == 0:
            again["chosen"], again["rejected"], again["first"] = row["rejected"], row["chosen"], 1
            moved |= {2 * place, 2 * place + 1}
        made += [row, again]
    told = audit(made, folder)
    found = told.findings.filter(pl.col("rule") == "POS002")["row"].drop_nulls().to_list()
    return Planted(moved, set(found), set())

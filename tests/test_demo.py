"""The example dataset: an audit finds what is planted in it, row for row, and nothing on the clean rows."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import prefaudit
from prefaudit.core import UsageError
from prefaudit.demo import copy_to, demo_path, planted
from prefaudit.rules import builtin

DEFECTS = planted()
DATASET_RULES = {"AGR001", "AGR002", "LEN002", "POS001", "SCH006"}
"""Rules that ask one question of the whole dataset: their findings name no row."""

PREVIEW = {code for code, rule in builtin().items() if rule.preview}
LEARNED = {code for code, rule in builtin().items() if code.startswith("PRN") and rule.severity == "info"}
"""Notes on what goes against the list that the labels themselves were foreseen by: no defect of a row."""

ALSO = {"STR001": "LBL001"}
"""Rules that name the same planted rows from another side: scores are a scorer."""


def planted_rows() -> dict[str, set[int]]:
    """Code of every pair rule that something is planted for, to its rows."""
    rows: dict[str, set[int]] = {}
    for entry in DEFECTS.values():
        if entry["rule"] and entry["rule"] not in DATASET_RULES:
            rows.setdefault(entry["rule"], set()).update(entry["rows"])
    return rows


def expected() -> dict[str, set[int]]:
    """Code of every settled pair rule that must fire, to the exact set of its rows."""
    rows = {code: rows for code, rows in planted_rows().items() if code not in PREVIEW}
    return rows | {code: rows[of] for code, of in ALSO.items()}


@pytest.fixture(scope="module")
def audit(demo_audit: prefaudit.Audit) -> prefaudit.Audit:
    return demo_audit


@pytest.fixture(scope="module")
def found(audit: prefaudit.Audit) -> dict[str, set[int]]:
    rows = audit.findings.drop_nulls("row").group_by("rule").agg("row")
    return {code: set(numbers) for code, numbers in rows.iter_rows()}


def lines() -> list[str]:
    return demo_path().read_text("utf-8").splitlines()


def test_the_generator_writes_these_very_files() -> None:
    text, listed = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "demo" / "make.py"))["build"]()
    assert text == demo_path().read_text("utf-8")
    assert listed == DEFECTS


def test_every_source_row_is_a_pair_or_skipped(audit: prefaudit.Audit) -> None:
    data = audit.report["dataset"]
    assert data["pairs"] == len(lines()) - 3
    assert data["skipped"] == 3
    assert data["rows"] == data["pairs"] + data["skipped"]
    assert set(audit.skipped["line"]) == {n for e in DEFECTS.values() for n in e.get("lines", [])}


def test_row_numbers_mean_the_same_row(audit: prefaudit.Audit) -> None:
    skipped = {n for entry in DEFECTS.values() for n in entry.get("lines", [])}
    kept: list[dict[str, Any]] = [json.loads(line) for n, line in enumerate(lines(), 1) if n not in skipped]
    assert [row["id"] for row in kept] == [f"demo-{n:04d}" for n in range(len(kept))]
    pairs = audit.pairs().select("row", "rejected", "annotator").sort("row").collect()
    assert pairs["rejected"].to_list() == [row["rejected"] for row in kept]
    assert pairs["annotator"].to_list() == [row["annotator"] for row in kept]


@pytest.mark.parametrize("code", sorted(expected()))
def test_a_pair_rule_names_exactly_the_planted_rows(code: str, found: dict[str, set[int]]) -> None:
    assert found.get(code, set()) == expected()[code]


def test_rules_in_preview_find_planted_rows_with_a_stated_error(found: dict[str, set[int]]) -> None:
    """What docs/demo.md says of them: at least half of the planted rows, and at most three others."""
    rows = {code: rows for code, rows in planted_rows().items() if code in PREVIEW}
    assert set(rows) == {"REF001", "REF002", "REF003", "SYC001"}
    hits = sum(len(found.get(code, set()) & planted) for code, planted in rows.items())
    others = sum(len(found.get(code, set()) - planted) for code, planted in rows.items())
    assert hits >= sum(map(len, rows.values())) / 2 and others <= 3


def test_no_other_settled_pair_rule_fires(found: dict[str, set[int]]) -> None:
    assert set(found) - PREVIEW - LEARNED == set(expected())


def test_clean_rows_raise_no_alarm(audit: prefaudit.Audit, found: dict[str, set[int]]) -> None:
    dirty = {row for entry in DEFECTS.values() if entry["rule"] for row in entry.get("rows", [])}
    clean = set(range(audit.report["dataset"]["pairs"])) - dirty
    assert len(clean) > 50
    assert clean & set().union(*(rows for code, rows in found.items() if code not in PREVIEW | LEARNED)) == set()


@pytest.mark.parametrize("code", sorted(DATASET_RULES))
def test_a_dataset_rule_fires(code: str, audit: prefaudit.Audit) -> None:
    assert {r["code"]: r["status"] for r in audit.report["rules"]}[code] == "fired"


def test_only_the_bad_annotator_disagrees_and_only_one_is_one_sided(audit: prefaudit.Audit) -> None:
    table = pl.DataFrame(audit.report["annotators"])
    assert table.sort("agreement")["annotator"][0] == "ann-5"
    assert table.sort("first_rate")["annotator"][-1] == "ann-6"
    counts = audit.findings.group_by("rule").len().filter(pl.col("rule").is_in(["AGR001", "AGR002"]))
    assert dict(counts.iter_rows()) == {"AGR001": 1, "AGR002": 1}


def test_most_of_the_longer_answers_win(audit: prefaudit.Audit) -> None:
    assert audit.report["baselines"]["longer_wins"] > 0.7


def test_the_docs_list_what_is_planted() -> None:
    page = (Path(__file__).parents[1] / "docs" / "demo.md").read_text("utf-8")
    table = {kind: (count, rule) for kind, count, rule in re.findall(r"^\| (\w+) \| (\d+|-) \| (\w+) \|", page, re.M)}
    counts = {kind: len(entry.get("rows", entry.get("lines"))) for kind, entry in DEFECTS.items()}
    assert table == {kind: (str(n or "-"), DEFECTS[kind]["rule"] or "none") for kind, n in counts.items()}


def test_the_dataset_can_be_had(tmp_path: Path) -> None:
    copy_to(tmp_path / "pairs.jsonl")
    assert (tmp_path / "pairs.jsonl").read_bytes() == demo_path().read_bytes()
    with pytest.raises(UsageError, match="exists"):
        copy_to(tmp_path / "pairs.jsonl")

"""The example dataset: filter takes out exactly what a settled rule decides; probes and flips with a stated error."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import prefaudit
from prefaudit.demo import demo_path, planted
from prefaudit.repair import filter, relabel
from prefaudit.rules import builtin

PLANTED = planted()
NO_DEFECT = {"contested", "flipped_vote", "bad_annotator", "one_sided_annotator", "refusal_on_harmful", "conflict"}
DEFECTS = {k: v for k, v in PLANTED.items() if v["rule"] and v.get("rows") and k not in NO_DEFECT}
DECIDED = {k: v for k, v in DEFECTS.items() if not builtin()[v["rule"]].preview}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_audit: prefaudit.Audit) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(demo_audit.folder, "audit")


def test_filter_removes_exactly_what_a_rule_decides() -> None:
    codes = sorted({entry["rule"] for entry in DECIDED.values()} - {"SCH006"})
    wanted = sorted({row for entry in DECIDED.values() if entry["rule"] in codes for row in entry["rows"]})
    made = filter(str(demo_path()), "clean.jsonl", audit="audit", drop=codes)
    assert made.ledger.filter(pl.col("action") == "dropped")["row"].to_list() == wanted
    assert made.dropped == len(wanted)
    assert made.skipped == sum(len(e.get("lines", [])) for e in PLANTED.values())
    again = filter("clean.jsonl", "twice.jsonl", drop=codes)
    assert again.dropped == 0 and again.skipped == 0, "the output has no finding of these rules"


def test_rules_in_preview_take_out_planted_defects_with_a_stated_error() -> None:
    """Named whole; at least half of what is planted, and at most three rows besides."""
    rest = {k: v for k, v in DEFECTS.items() if k not in DECIDED}
    wanted = {row for entry in rest.values() for row in entry["rows"]}
    made = filter(
        str(demo_path()), "clean.jsonl", audit="audit", drop=sorted({entry["rule"] for entry in rest.values()})
    )
    gone = set(made.ledger.filter(pl.col("action") == "dropped")["row"])
    assert len(rest) == 3 and len(gone & wanted) >= len(wanted) / 2 and len(gone - wanted) <= 3


def test_conflicts_stay_until_strict() -> None:
    made = filter(str(demo_path()), "clean.jsonl", audit="audit", drop=["CNF001"])
    assert made.dropped == 0 and made.rules[0]["spared"] == len(PLANTED["conflict"]["rows"])
    made = filter(str(demo_path()), "strict.jsonl", audit="audit", drop=["CNF001"], strict=True)
    assert set(made.ledger.filter(pl.col("action") == "dropped")["row"]) >= set(PLANTED["conflict"]["rows"])


def test_flips_are_found_with_this_error() -> None:
    """Rows that contradict their own scores are found, all five; turned votes leave no trace for a rule."""
    made = relabel(str(demo_path()), "flipped.jsonl", audit="audit", flip=["LBL"])
    found = set(made.ledger.filter(pl.col("action") == "flipped")["row"])
    truly = set(PLANTED["against_scores"]["rows"]) | set(PLANTED["flipped_vote"]["rows"])
    precision, recall = len(found & truly) / len(found), len(found & truly) / len(truly)
    assert made.flipped == len(found)
    assert (precision, round(recall, 2)) == (1.0, 0.29)

"""Floors under what the rules find of defects planted in real pairs; docs/planted.md has the figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted import CONTRARY, ONE_SIDED, RULES, Score, base, build, evaluate

import prefaudit

SEED = 20261121
Scored = tuple[dict[str, Score], prefaudit.Audit, prefaudit.Audit]

EXACT = (
    "empty chosen", "empty rejected", "identical answers", "same but for form", "prompts differ",
    "answer is the prompt", "leaked template", "exact duplicate", "annotators split", "rejected a fragment",
    "reasoning on one side", "label against scores", "equal scores",
)  # fmt: skip
"""Kinds that are facts of the row: all of them must be found."""

RECALL = {"labelled both ways": 0.95, "chosen truncated": 0.2, "refusal on a harmless prompt": 0.85}
"""Kinds that have to be recognised in prose; docs/planted.md says which others are hardly found."""

PRECISION = {
    "empty chosen": 0.8, "empty rejected": 0.9, "identical answers": 0.95, "same but for form": 0.7,
    "prompts differ": 0.8, "answer is the prompt": 0.9, "leaked template": 0.55, "exact duplicate": 0.9,
    "labelled both ways": 0.95, "annotators split": 0.95, "reasoning on one side": 0.95, "label against scores": 0.95,
    "equal scores": 0.95, "refusal on a harmless prompt": 0.4,
}  # fmt: skip
"""Natural instances count as false here, so these are floors under floors."""


@pytest.fixture(scope="module")
def scored(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    scores, audit, bare = evaluate(data, tmp_path_factory.mktemp("planted"), SEED)
    return {s.kind: s for s in scores}, audit, bare


def test_the_same_seed_plants_the_same_set(data: Path) -> None:
    one, two, other = build(data, 1), build(data, 1), build(data, 2)
    assert one.rows == two.rows and one.planted == two.planted
    assert one.planted != other.planted
    assert set(one.planted) == set(RULES)
    assert len(base(data, 1)) > 3_000


@pytest.mark.parametrize("kind", EXACT)
def test_what_the_row_shows_is_found(kind: str, scored: Scored) -> None:
    assert scored[0][kind].recall == 1.0


@pytest.mark.parametrize("kind", RECALL)
def test_recall_stays_above_its_floor(kind: str, scored: Scored) -> None:
    assert scored[0][kind].recall >= RECALL[kind]


@pytest.mark.parametrize("kind", PRECISION)
def test_precision_stays_above_its_floor(kind: str, scored: Scored) -> None:
    assert scored[0][kind].precision >= PRECISION[kind]


def test_a_flip_without_votes_or_scores_leaves_no_trace(scored: Scored) -> None:
    flips = scored[0]["silent flip"]
    assert (flips.planted, flips.found) == (100, 0)


@pytest.mark.parametrize("rule", ["DUP001", "CNF001", "CNF002", "FMT001", "LBL001", "LBL002", "SCH003"])
def test_nothing_is_found_where_nothing_was_planted(rule: str, scored: Scored) -> None:
    assert rule not in set(scored[2].findings["rule"])


def test_the_planted_annotators_stand_out_and_no_other(scored: Scored) -> None:
    table = {a["annotator"]: a for a in scored[1].report["annotators"]}
    assert min(table, key=lambda name: table[name]["agreement"]) == CONTRARY
    assert max(table, key=lambda name: table[name]["first_rate"]) == ONE_SIDED
    counts = dict(scored[1].findings.group_by("rule").len().iter_rows())
    assert (counts.get("AGR001"), counts.get("AGR002")) == (1, 1)


def test_position_decides_only_where_it_was_planted(scored: Scored) -> None:
    status = [{r["code"]: r["status"] for r in audit.report["rules"]}["POS001"] for audit in scored[1:]]
    assert status == ["fired", "ok"]

"""Pairs that a feature of the lens decides, dropped and turned round; `lens.f<k>` in --keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.audit import Audit
from prefaudit.core import AuditError
from prefaudit.demo import demo_path

OPTIONS = {"embedder": "lexical", "lens_features": 6, "lens_active": 2, "with_": ("lens", "text")}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return prefaudit.scan(str(demo_path()), tmp_path_factory.mktemp("acting") / "audit", fail_on="never", **OPTIONS)


def largest(audit: Audit, k: int, way: int) -> list[int]:
    """Rows of labelled pairs in which f<k> is present with this sign, the largest first."""
    frame = audit.features().select("row", "lens_present").collect()
    z = np.nan_to_num(frame["lens_present"].struct.field(f"f{k}").to_numpy()) * way
    z = np.where(audit.pairs().select("label").collect()["label"] == "chosen", z, 0)
    order = np.argsort(-z, kind="stable")
    return [int(r) for r in order if z[r] >= audit.report["lens"]["each"][k]["least_cosine"]]


def test_flipped_largest_first_the_way_the_feature_moves_the_choice(audit: Audit, tmp_path: Path) -> None:
    each = audit.report["lens"]["each"]
    there = [min(len(largest(audit, n, way)) for way in (1, -1)) for n in range(len(each))]
    k = next(n for n, e in enumerate(each) if e["effect"]["delta_win"] and there[n] > 3)
    way = 1 if each[k]["effect"]["delta_win"] > 0 else -1
    made = prefaudit.relabel(
        str(demo_path()), tmp_path / "out.jsonl", flip=(f"lens.f{k}:3",), audit=audit.folder, **OPTIONS
    )
    turned = made.ledger.filter(pl.col("action") == "flipped")["row"].to_list()
    assert sorted(turned) == sorted(largest(audit, k, way)[:3])
    other = prefaudit.relabel(str(demo_path()), None, dry_run=True, flip=(f"{'-' if way > 0 else '+'}lens.f{k}:2",),
                              audit=audit.folder, **OPTIONS)  # fmt: skip
    assert other.flipped == 2
    assert sorted(other.ledger.filter(pl.col("action") == "flipped")["row"]) == sorted(largest(audit, k, -way)[:2])


def test_dropped_as_a_share_and_kept_by_its_value(audit: Audit) -> None:
    way = largest(audit, 1, 1)
    made = prefaudit.filter(str(demo_path()), None, dry_run=True, drop=("+lens.f1",), audit=audit.folder, **OPTIONS)
    assert sorted(made.ledger.filter(pl.col("action") == "dropped")["row"]) == sorted(way)
    few = prefaudit.filter(
        str(demo_path()), None, dry_run=True, drop=("+lens.f1:0.005",), audit=audit.folder, **OPTIONS
    )
    pairs = audit.report["dataset"]["pairs"] + audit.report["dataset"]["unpaired"]
    assert len(few.ledger.filter(pl.col("action") == "dropped")) == min(len(way), int(0.005 * pairs))
    kept = prefaudit.filter(
        str(demo_path()), None, dry_run=True, keep="lens_present.f1 <= 0", audit=audit.folder, **OPTIONS
    )
    z = audit.features().select("lens_present").collect()["lens_present"].struct.field("f1")
    assert kept.pairs["dropped"] == int((z > 0).sum())


def test_a_feature_that_is_not_there(audit: Audit) -> None:
    with pytest.raises(AuditError, match="f99"):
        prefaudit.filter(str(demo_path()), None, dry_run=True, drop=("lens.f99",), audit=audit.folder, **OPTIONS)


@pytest.mark.parametrize(("named", "said"), [("lens.f1:1.5", "neither a number"), ("lens.f1:0", "neither a number"),
                                             ("lens.f1:x", "names no feature of the lens")])  # fmt: skip
def test_a_number_of_pairs_that_is_none(audit: Audit, named: str, said: str) -> None:
    with pytest.raises(AuditError, match=said):
        prefaudit.filter(str(demo_path()), None, dry_run=True, drop=(named,), audit=audit.folder, **OPTIONS)


def test_fewer_pairs_than_were_asked_for_are_said_and_what_it_rests_on(audit: Audit) -> None:
    made = prefaudit.filter(
        str(demo_path()), None, dry_run=True, drop=("+lens.f1:5000",), audit=audit.folder, **OPTIONS
    )
    assert any(f"{len(largest(audit, 1, 1))} pairs, 5,000 were asked for" in words for words in made.words)
    assert made.words[0].startswith("rests on self-consistency: what a feature of the lens")
    assert not any("consensus" in words for words in made.words)

"""What the report says of parts of the data: slices, effects within a source, histograms, groups of linked pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit import stats
from prefaudit.stats.counted import UNKNOWN, answered, counted_rate, group_sizes

ROWS = 240
WITH = ["text", "duplicates"]


def frame() -> pl.DataFrame:
    """Two large sources that differ in what is chosen, and a small one; 20 pairs repeat others."""
    rng = np.random.default_rng(0)
    words = [f"word{k}" for k in range(400)]

    def text(n: int) -> str:
        return " ".join(rng.choice(words, n))

    rows: list[dict[str, Any]] = []
    for k in range(ROWS):
        source = "small" if k < 8 else "long" if k % 2 else "short"
        sizes = (30, 12) if (source == "long") == bool(rng.random() < 0.9) else (12, 30)
        ends = ["!" if rng.random() < p else "." for p in (0.7, 0.3)]
        sides = [text(size + int(rng.integers(8))) + end for size, end in zip(sizes, ends, strict=True)]
        chosen = "" if k in (9, 11, 13, 20) else sides[0]
        rows.append({"prompt": text(12), "chosen": chosen, "rejected": sides[1], "source": source,
                     "annotator": f"a{k % 3}"})  # fmt: skip
    return pl.DataFrame(rows + rows[30:50])


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> prefaudit.Audit:
    return scan(frame(), tmp_path_factory.mktemp("slices") / "a")


def scan(data: pl.DataFrame, out: Path, **options: Any) -> prefaudit.Audit:
    return prefaudit.scan(data, out, with_=WITH, map={"source": "source", "annotator": "annotator"}, **options)


def test_slices_are_those_counted_row_by_row(audit: prefaudit.Audit) -> None:
    pairs = audit.pairs().select("row", "source", "annotator", "label").collect()
    chars = audit.features().select("row", c=pl.col("c").struct.field("chars"), r=pl.col("r").struct.field("chars"))
    rows = pairs.join(chars.collect(), on="row")
    found = audit.findings.filter(pl.col("row").is_not_null()).join(rows, on="row")
    told = audit.report["slices"]
    assert [s["slice"] for s in told if s["by"] == "source"] == ["long", "short", "small"]
    assert {s["by"] for s in told} == {"source", "annotator"}
    for one in told:
        here = rows.filter(pl.col(one["by"]) == one["slice"])
        assert one["pairs"] == here.height and one["share"] == pytest.approx(here.height / rows.height, abs=1e-6)
        clear = here.filter(pl.col("c") != pl.col("r"))
        assert one["longer_wins"] == pytest.approx((clear["c"] > clear["r"]).mean(), abs=1e-6)
        assert one["longer_wins_interval"][0] <= one["longer_wins"] < one["longer_wins_interval"][1]
        for rule in one["rules"]:
            hits = found.filter((pl.col("rule") == rule["code"]) & (pl.col(one["by"]) == one["slice"]))
            assert rule["found"] == hits.height <= rule["judged"] <= here.height
    by_source = {s["slice"]: {r["code"]: r["found"] for r in s["rules"]} for s in told if s["by"] == "source"}
    assert (by_source["long"]["SCH001"], by_source["short"]["SCH001"], by_source["small"]["SCH001"]) == (3, 1, 0)


def test_effects_within_a_source_are_those_of_the_source_alone(audit: prefaudit.Audit, tmp_path: Path) -> None:
    told = {one["source"]: one for one in audit.report["effects_by_source"]}
    assert set(told) == {"long", "short"}, "eight pairs are too few for an interval"
    alone = scan(frame().filter(pl.col("source") == "long"), tmp_path / "long").report
    assert not alone["effects_by_source"] and {s["by"] for s in alone["slices"]} == {"annotator"}, "of one source"
    effects = {e["feature"]: e for e in alone["effects"]}
    assert told["long"]["n"] == alone["dataset"]["pairs"]
    marks = {name: next(e for e in one["effects"] if e["feature"] == "exclamations") for name, one in told.items()}
    assert marks["long"]["interval"][0] > 0
    for e in told["long"]["effects"]:
        same = effects[e["feature"]]
        assert {k: v for k, v in e.items() if k != "q"} == {k: same[k] for k in e if k != "q"}
    win = {name: next(e for e in one["effects"] if e["feature"] == "words")["win_rate"] for name, one in told.items()}
    assert win["long"] > 0.8 and win["short"] < 0.3


def test_histograms_hold_every_answer_once(audit: prefaudit.Audit) -> None:
    chars = audit.features().select(pl.col(s).struct.field("chars").alias(s) for s in "cr").collect()
    told = audit.report["distributions"]
    for name in ("chosen", "rejected"):
        assert sum(told["length"][name]) == chars.height
    assert told["length"]["median"] == [chars["c"].median(), chars["r"].median()]
    difference = told["length_difference"]
    assert sum(difference["pairs"]) == difference["n"] == chars.height
    assert difference["below"] == (chars["c"] < chars["r"]).sum()
    middle = len(difference["pairs"]) // 2
    assert sum(difference["pairs"][:middle]) == difference["below"]
    assert difference["edges"][middle] == 0 and difference["edges"][0] == -difference["edges"][-1]
    assert "strength" not in told


def test_linked_pairs_stand_together_with_their_texts(audit: prefaudit.Audit) -> None:
    told = [one for one in audit.report["together"] if one["code"] == "DUP001"]
    assert told and all(one["size"] == 2 and len(one["rows"]) == 2 for one in told)
    for one in told:
        first, second = (audit.report["examples"][str(row)] for row in one["rows"])
        assert (first["chosen"], first["rejected"]) == (second["chosen"], second["rejected"])
        assert one["rows"][1] == ROWS + one["rows"][0] - 30


def test_nothing_depends_on_the_parts(audit: prefaudit.Audit, tmp_path: Path) -> None:
    other = scan(frame(), tmp_path / "b", part_rows=37)
    for key in ("slices", "effects_by_source", "distributions", "together"):
        assert other.report[key] == audit.report[key]


@pytest.mark.parametrize(("nulls", "rate"), [(0.0, 0.1), (0.3, 0.1), (0.3, 0.0), (0.0, 1.0), (0.0, 0.01), (0.3, 0.01)])
def test_the_interval_of_a_rule_is_that_of_its_answers(nulls: float, rate: float) -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 300, 1000) * 3
    fired = pl.Series([None if rng.random() < nulls else bool(rng.random() < rate) for _ in group], dtype=pl.Boolean)
    values = fired.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    told = counted_rate(answered(fired), group.astype(np.int32), group_sizes(group))[1:]
    assert told == pytest.approx(stats.cluster_rate(values, group)[1:], rel=1e-12)


def test_a_mean_of_differences_is_that_of_cluster_rate() -> None:
    rng = np.random.default_rng(1)
    group = rng.integers(0, 300, 1000)
    x = rng.choice(np.array([-1, 0, 1, UNKNOWN], np.int8), 1000)
    values = np.where(x == UNKNOWN, np.nan, x)
    assert counted_rate(x, group) == pytest.approx(stats.cluster_rate(values, group), rel=1e-12)
    assert np.isnan(counted_rate(np.full(1000, UNKNOWN, np.int8), group)).all()


@pytest.mark.parametrize("rate", [0.0001, 0.01, 0.5])
def test_a_mean_does_not_depend_on_what_is_looked_at_together(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    group = rng.integers(0, 20_000, 50_000).astype(np.int32)
    x = np.where(rng.random(50_000) < rate, rng.choice(np.array([-1, 1], np.int8), 50_000), np.int8(0))
    whole = counted_rate(x, group)
    assert whole == pytest.approx(stats.cluster_rate(x.astype(float), group), rel=1e-12)
    monkeypatch.setattr(stats.counted, "_BLOCK", 777)
    assert counted_rate(x, group) == whole

"""Statistics of more pairs than are gathered: counts and rules are of all pairs, the rest says how many it is of."""

import json

import polars as pl
import pytest

import prefaudit
from prefaudit.audit import columns, measure

COUNTED = ("pairs", "unpaired", "ties", "both_bad", "groups", "largest_group", "rows")


def rows(n: int) -> list[dict[str, str]]:
    """Prompts that stand twice, every third answer longer, some of them lists."""
    return [{"prompt": f"What is the number {k // 2} in words, and where is it used?",
             "chosen": f"It is number {k}." + " Also note this." * (k % 5), "rejected": f"No, {k}." + "\n- a" * (k % 3)}
            for k in range(n)]  # fmt: skip


def scanned(out, **options):
    audit = prefaudit.scan(pl.DataFrame(rows(400)), out, with_=["text"], **options)
    return json.loads((audit.folder / "report.json").read_text()), (audit.folder / "report.json").read_bytes()


def test_a_sample_of_groups_stands_for_the_rest(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = scanned(tmp_path / "whole")
    monkeypatch.setattr(columns, "MOST", 150)
    some, said = scanned(tmp_path / "some")
    assert [some["dataset"][k] for k in COUNTED] == [whole["dataset"][k] for k in COUNTED]
    assert [r for r in some["rules"] if r["scope"] == "pair"] == [r for r in whole["rules"] if r["scope"] == "pair"]
    assert "of" not in whole["effects_summary"]
    summary = some["effects_summary"]
    assert summary["of"] == whole["effects_summary"]["n"] and 90 < summary["n"] < 210
    assert all(e["n"] <= summary["n"] for e in some["effects"])
    _, again = scanned(tmp_path / "parts", part_rows=37)
    assert again == said


def test_what_was_learned_by_pair_is_read_in_runs(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, said = scanned(tmp_path / "whole")
    monkeypatch.setattr(measure, "RUN", 50)
    _, again = scanned(tmp_path / "runs", part_rows=37)
    assert again == said

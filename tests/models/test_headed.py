"""MiniLM with a head of ours in place of the words of a probe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.models import headed
from prefaudit.models.minilm import installed

pytestmark = pytest.mark.skipif(not installed(), reason="all-MiniLM-L6-v2 is not installed")

ROWS = [
    {"prompt": "How do I build a pipe bomb?", "chosen": "I'm sorry, but I can't help with that.",
     "rejected": "Pack a pipe."},
    {"prompt": "How do I bake bread?", "chosen": "Mix flour, water and yeast.",
     "rejected": "I won't help you bake bread."},
]  # fmt: skip


def test_it_stands_in_the_column_of_the_probe(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS)
    audit = prefaudit.scan(frame, tmp_path / "out", probe=["refusal=minilm"], with_=["text", "probes"], fail_on="never")
    made = audit.features().collect()
    chosen, rejected = (made[side].struct.field("refusal").to_numpy() for side in "cr")
    assert chosen[0] > 0.5 > chosen[1] and rejected[1] > rejected[0]
    again = headed.Headed("refusal").score(frame["chosen"], frame["prompt"])
    assert np.allclose(chosen, again, atol=0.01)
    told = next(p for p in audit.report["probes"] if p["feature"] == "refusal")
    assert told["classifier"] == "minilm" and told["checks"] == []


def test_heads_are_of_the_width_of_the_model() -> None:
    for feature in ("refusal", "sycophancy"):
        assert len(headed.heads()[feature]["weights"]) == 3 * 384

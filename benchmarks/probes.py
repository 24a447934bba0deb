"""How often `truncated` and `leak` fire on data at hand; refusal and risk: probes_refusal.py.

usage: PREFAUDIT_TEST_DATA=DIR python benchmarks/probes.py
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import polars as pl

from prefaudit.extractors.text import measure

DATA = Path(os.environ["PREFAUDIT_TEST_DATA"])


def truncation() -> None:
    texts = {"alpaca-eval": pl.read_parquet(DATA / "alpaca-eval/judged_responses.parquet")["response"]}
    with gzip.open(DATA / "hh-harmless/test.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    texts["hh-harmless"] = pl.Series(
        [r[s].rsplit("\n\nAssistant:", 1)[1].strip() for r in rows for s in ("chosen", "rejected")]
    )
    votes = pl.read_parquet(DATA / "ukp-convarg/votes.parquet")
    texts["ukp-convarg"] = pl.concat([votes["text_a"], votes["text_b"]]).unique()
    demo = json.loads((DATA / "llamafactory-demo/dpo_zh_demo.json").read_text())
    texts["llamafactory zh"] = pl.Series([r[s]["value"] for r in demo for s in ("chosen", "rejected")])
    rated = json.loads(gzip.decompress((DATA / "finegrained-rlhf/dev_feedback.json.gz").read_bytes()))
    texts["finegrained-rlhf"] = pl.Series([r[f"prediction {i}"] for r in rated for i in range(1, 5)])
    print("\ntruncated: share flagged")
    for name, column in texts.items():
        made = measure(column.drop_nulls())
        print(f"  {name}: {made['truncated'].mean():.4f} of {made.height}; leak {made['leak'].mean():.4f}")


if __name__ == "__main__":
    truncation()

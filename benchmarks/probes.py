"""How often `truncated` and `leak` fire on data at hand, and what all probes cost; refusal and risk: probes_refusal.py.

usage: PREFAUDIT_TEST_DATA=DIR POLARS_MAX_THREADS=1 python benchmarks/probes.py [PAIRS.parquet]

PAIRS.parquet (columns prompt, chosen, rejected as text) is what the speed is measured on: 40,000 pairs of it,
without its shortest, so that responses have 900 characters in the mean.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
from pathlib import Path

import numpy as np
import polars as pl

from prefaudit.extractors.refusal import Refusal
from prefaudit.extractors.style import Style
from prefaudit.extractors.sycophancy import Sycophancy
from prefaudit.extractors.text import Text, measure

DATA = Path(os.environ["PREFAUDIT_TEST_DATA"])
LENGTH = 900  # characters


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


def cpu() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def speed(path: str) -> None:
    """CPU seconds a million responses, of `text` and of each probe beyond it.

    The shortest pairs are left out, so that responses have `LENGTH` characters in the mean.
    """
    frame = pl.read_parquet(path, columns=["prompt", "chosen", "rejected"])
    long = (frame["chosen"].str.len_chars() + frame["rejected"].str.len_chars()).to_numpy() / 2
    order = np.argsort(-long, kind="stable")
    kept = int((np.cumsum(long[order]) / np.arange(1, len(long) + 1) >= LENGTH).sum())
    frame = frame[np.sort(order[:kept])].head(40_000)
    size = pl.concat([frame["chosen"], frame["rejected"]]).str.len_chars().mean()
    none = pl.lit(None, pl.String)
    frame = frame.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        *(pl.col(name).hash().alias(f"hash_{name}") for name in ("prompt", "chosen", "rejected")),
        pl.concat_list(pl.struct(role=pl.lit("user"), content="prompt")).alias("prompt"),
        chosen_reasoning=none, rejected_reasoning=none,
    )  # fmt: skip
    total = 0.0
    for probe in (Text(), Refusal(), Style(), Sycophancy()):
        apply = probe.load(None)
        made = apply(frame.head(50))  # patterns and weights are read on the first call
        before = cpu()
        made = apply(frame)
        taken = (cpu() - before) / (2 * frame.height) * 1e6
        total += taken * (probe.name != "text")
        frame = frame.join(made, on="row", how="left", maintain_order="left") if probe.name == "text" else frame
        print(f"{probe.name}: {taken:.1f} CPU s a million responses of {size:.0f} characters")
    print(f"all probes beyond text: {total:.1f}")


if __name__ == "__main__":
    truncation()
    for path in sys.argv[1:]:
        speed(path)

"""Hold the hand-set probes to human and judge labels: refusal, risk, truncation.

usage: PREFAUDIT_TEST_DATA=DIR python benchmarks/probes.py

The labels are used to measure only; nothing in the package is fitted on them.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import polars as pl
from scipy.stats import rankdata

from prefaudit.extractors._refusals import refusals
from prefaudit.extractors._risks import risks
from prefaudit.extractors.text import measure

DATA = Path(os.environ["PREFAUDIT_TEST_DATA"])
ACTIONS = ("refuses", "refutes", "dual view", "disclaimer", "incapable", "follows")
NAIVE = r"(?i)^.{0,40}(?:sorry|apologi[sz]e|i can(?:'|’)?(?:t|not)|i am unable|i'm unable|as an ai)"


def auc(scores: pl.Series, labels: pl.Series) -> float:
    """Area under the ROC curve, ties counted one half."""
    y = labels.to_numpy().astype(bool)
    ranks = rankdata(scores.to_numpy())
    n = y.sum()
    return float((ranks[y].sum() - n * (n + 1) / 2) / (n * (~y).sum()))


def refusal() -> None:
    wide = pl.read_csv(DATA / "do-not-answer/data_en.csv.gz")
    models = [name.removesuffix("_response") for name in wide.columns if name.endswith("_response")]
    gold = pl.concat(
        [wide.select(pl.col(f"{m}_response").alias("text"), pl.col(f"{m}_action").alias("action")) for m in models]
    ).drop_nulls()
    gold = gold.with_columns(score=refusals(gold["text"]))
    refused = gold["action"] == 0
    print(
        f"\nrefusal: {gold.height} replies, {refused.sum()} of them action 0; AUROC {auc(gold['score'], refused):.3f}"
    )
    rows = {"opening regex": gold["text"].str.contains(NAIVE)}
    rows |= {f"score >= {cut}": gold["score"] >= cut for cut in (0.3, 0.5, 0.75, 0.9)}
    for name, fires in rows.items():
        hits = (fires & refused).sum()
        precision, recall = hits / fires.sum(), hits / refused.sum()
        f1 = 2 * hits / (fires.sum() + refused.sum())
        shares = ", ".join(f"{a} {fires.filter(gold['action'] == k).mean():.3f}" for k, a in enumerate(ACTIONS))
        print(f"  {name:14s} precision {precision:.3f} recall {recall:.3f} F1 {f1:.3f} | fires on: {shares}")
    print("  share of action 0 by score:")
    bands = gold.with_columns(pl.col("score").round(2).alias("band"))
    for band, n, share in bands.group_by("band").agg(pl.len(), (pl.col("action") == 0).mean()).sort("band").iter_rows():
        print(f"    {band}: n {n}, {share:.3f}")


def risk() -> None:
    asked = pl.read_csv(DATA / "do-not-answer/data_en.csv.gz").select("risk_area", "question")
    harmless = {"alpaca-eval": pl.read_parquet(DATA / "alpaca-eval/judged_responses.parquet")["prompt"].unique()}
    with gzip.open(DATA / "ultrafeedback-flips/clean.jsonl.gz", "rt") as lines:
        prompts = [json.loads(line)["prompt"] for line in lines]
    harmless["ultrafeedback"] = pl.Series([p if isinstance(p, str) else p[-1]["content"] for p in prompts])
    print("\nrisk: share of prompts at or above .5")
    print(f"  do-not-answer {(risks(asked['question']) >= 0.5).mean():.3f} of {asked.height}")
    for area, frame in asked.partition_by("risk_area", as_dict=True).items():
        print(f"    {area[0]}: {(risks(frame['question']) >= 0.5).mean():.3f} of {frame.height}")
    for name, texts in harmless.items():
        print(f"  {name} {(risks(texts) >= 0.5).mean():.3f} of {len(texts)}")


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
    refusal()
    risk()
    truncation()

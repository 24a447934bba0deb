"""The datasets of benchmarks/strength.py: pairs whose labels are taken as right, so that flips can be planted."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.sparse import csr_array, hstack

import prefaudit
from prefaudit.extractors._vectors import axes, differences
from prefaudit.extractors._words import fitted
from prefaudit.extractors.consensus import _dense, _differences, _fields

NEAR = ("FuseChat-Gemma-2-9B-Instruct", "FuseChat-Qwen-2.5-7B-Instruct", "FuseChat-Llama-3.1-8B-Instruct",
        "FuseChat-Llama-3.2-3B-Instruct")  # fmt: skip
REFERENCE = "gpt4_1106_preview"
NAMES = ("gsm8k", "ultrafeedback", "hh-harmless", "alpaca", "parity")


class Set(NamedTuple):
    views: dict[str, Any]  # name to n rows of differences, chosen minus rejected
    single: csr_array  # all of them side by side
    group: np.ndarray
    pairs: pl.DataFrame


def folder() -> Path:
    return Path(os.environ["PREFAUDIT_TEST_DATA"])


def gsm8k() -> pl.DataFrame:
    """Every correct solution against every wrong one of the same question."""
    rows = []
    with gzip.open(folder() / "gsm8k-solutions/example_model_solutions.jsonl.gz") as file:
        for line in file:
            row = json.loads(line)
            said = [v for v in row.values() if isinstance(v, dict)]
            right = [v["solution"] for v in said if v["is_correct"]]
            wrong = [v["solution"] for v in said if not v["is_correct"]]
            rows += [(row["question"], c, r) for c in right for r in wrong]
    return pl.DataFrame(rows, schema=["prompt", "chosen", "rejected"], orient="row")


def alpaca(near: bool) -> pl.DataFrame:
    """Two answers to a prompt whose scores (win rate against the reference answer) differ by over .5; four pairs a
    prompt of any two models, or, near parity, each of four models against the reference by any margin."""
    said = pl.read_parquet(folder() / "alpaca-eval/judged_responses.parquet")
    other = said.rename({"model": "m", "response": "b", "score": "s"})
    if near:
        said = said.filter(pl.col("model").is_in(NEAR))
        other = other.filter(pl.col("m") == REFERENCE)
    both = said.join(other, on="prompt").filter(pl.col("response") != pl.col("b"))
    gap = pl.col("score") - pl.col("s")
    both = both.filter(gap != 0 if near else gap > 0.5).sort("prompt", "model", "m")
    if not near:
        drawn = pl.Series(np.random.default_rng(0).random(both.height))
        both = both.with_columns(u=drawn).filter(pl.col("u").rank("ordinal").over("prompt") <= 4)
    won = pl.col("score") > pl.col("s")
    return both.select("prompt", chosen=pl.when(won).then("response").otherwise("b"),
                       rejected=pl.when(won).then("b").otherwise("response"))  # fmt: skip


def load(name: str, embedder: str | None = None) -> Set:
    """One of NAMES, scanned: the views of `consensus` and the groups of its pairs with two answers that differ."""
    source: object = folder() / "hh-harmless/test.jsonl.gz"
    if name == "gsm8k":
        source = gsm8k()
    elif name == "ultrafeedback":  # without its metadata: the scores in it tell the flips
        with gzip.open(folder() / "ultrafeedback-flips/clean.jsonl.gz") as file:
            rows = [json.loads(line) for line in file]
        source = pl.DataFrame([{k: r[k] for k in ("prompt", "chosen", "rejected")} for r in rows])
    elif name in ("alpaca", "parity"):
        source = alpaca(name == "parity")
    with tempfile.TemporaryDirectory() as out:
        more = {"embedder": embedder, "with_": ("text", "probes", "consensus")} if embedder else {}
        audit = prefaudit.scan(source, out + "/audit", **{"with_": ("text", "probes"), "fail_on": "never"} | more)
        pairs = audit.pairs().collect()
        features = audit.features().collect()
        if embedder:
            features = features.hstack([_vectors(audit.measures())])
    keep = (pairs["label"] == "chosen") & (pairs["chosen"] != pairs["rejected"]).fill_null(False)
    own = ["row", "group", "c", "r", *(["embedding"] if embedder else [])]
    frame = features.select(own).hstack(pairs.select("chosen", "rejected", "prompt")).filter(keep)
    fields = _fields(frame)
    scale = np.sqrt((_differences(frame, fields) ** 2).mean(0))
    views = {**_dense(frame, fields, scale), "words": fitted(frame["chosen"], frame["rejected"])[1]}
    single = _side_by_side(views)
    if embedder:
        moved = differences(frame["embedding"])
        views["vectors"] = (moved @ axes(moved)).astype(np.float32)
    group = np.unique(frame["group"].to_numpy(), return_inverse=True)[1]
    return Set(views, single, group, frame.select("prompt", "chosen", "rejected"))


def _vectors(measures: Any) -> pl.Series:
    kind = next(measures.kind(e) for e in measures.extractors if e.name == "embed")
    return pl.concat([measures.store.read(kind, k)["embedding"] for k in range(measures.store.parts())])


def _side_by_side(views: Any) -> csr_array:
    """Each view at rows of unit length on average; the length is within `text` already."""
    dense = views["text"] / np.sqrt((views["text"] ** 2).sum(1).mean())
    return hstack([csr_array(dense), views["words"]]).tocsr().astype(np.float32)

"""Real replies that have a label of ours: the texts come from PREFAUDIT_TEST_DATA, the labels from labels.jsonl.

Only sets whose licence allows weights fitted on them to be shipped: hh-rlhf and UltraFeedback (MIT), PandaLM,
LLaMA-Factory's demo data and the Tulu human evaluation (Apache-2.0).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl

LABELS = Path(__file__).with_name("labels.jsonl")
Said = tuple[str, str, str]


def folder() -> Path:
    """Where the sets lie."""
    if "PREFAUDIT_TEST_DATA" not in os.environ:
        raise SystemExit("PREFAUDIT_TEST_DATA is not set: the weights are fitted on labelled replies that lie there")
    return Path(os.environ["PREFAUDIT_TEST_DATA"])


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _dialogues(data: Path) -> Iterator[Said]:
    for row in _lines(data / "hh-harmless/test.jsonl.gz"):
        for side in ("chosen", "rejected"):
            before, _, reply = row[side].rpartition("\n\nAssistant:")
            yield "hh-harmless", before.rpartition("\n\nHuman:")[2], reply
    for row in _lines(data / "ultrafeedback-flips/clean.jsonl.gz"):
        yield from (("ultrafeedback", row["prompt"], row[side]) for side in ("chosen", "rejected"))


def _apache(data: Path) -> Iterator[Said]:
    for row in json.loads((data / "pandalm/testset-v1.json").read_text()):
        asked = row["instruction"] + "\n" + (row.get("input") or "")
        yield from (("pandalm", asked, row[k]) for k in ("response1", "response2") if isinstance(row[k], str))
    for row in json.loads((data / "llamafactory-demo/dpo_en_demo.json").read_text()):
        for side in ("chosen", "rejected"):
            yield "llamafactory", row["conversations"][-1]["value"], row[side]["value"]
    for row in json.loads((data / "llamafactory-demo/kto_en_demo.json").read_text()):
        yield "llamafactory", row["messages"][-2]["content"], row["messages"][-1]["content"]
    for line in _lines(data / "tulu-human-eval/eval_instances_tulu_1.jsonl.gz"):
        for made in line["completions"]:
            yield "tulu", line["prompt"], made["completion"]  # type: ignore[index]


def key(prompt: str, reply: str) -> str:
    """What labels.jsonl calls a reply."""
    return hashlib.sha256(f"{prompt.strip()}\n{reply.strip()}".encode()).hexdigest()[:16]


def labelled() -> pl.DataFrame:
    """family (the set), label, prompt, reply of every labelled reply."""
    data = folder()
    texts = {key(p, r): (p.strip(), r.strip()) for said in (_dialogues, _apache) for _, p, r in said(data)}
    rows = [(row["set"], row["label"], *texts[row["key"]]) for row in pl.read_ndjson(LABELS).iter_rows(named=True)]
    return pl.DataFrame(rows, schema=["family", "label", "prompt", "reply"], orient="row")

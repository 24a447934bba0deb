"""The style probes against sentences and replies with labels, relevance against swapped replies, and CPU seconds.

usage: PREFAUDIT_TEST_DATA=DIR python benchmarks/probes_style.py [PAIRS.parquet]

PAIRS has the columns prompt, chosen and rejected as text; without it, no timing.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import polars as pl
from scipy.stats import rankdata

from prefaudit.core import MESSAGES
from prefaudit.extractors import EXTRACTORS
from prefaudit.extractors._language import english
from prefaudit.extractors._relevance import relevance, subjects
from prefaudit.extractors.style import PROBES, measure
from prefaudit.stats.intervals import wilson

DATA = Path(os.environ["PREFAUDIT_TEST_DATA"])
OWN = Path(__file__).parents[1] / "training" / "style"
PART = 20_000  # pairs measured at once

# Firing replies that were read, drawn evenly from hh-harmless, alpaca-eval and ultrafeedback: right, read.
READ = {"hedging": (39, 42), "certainty": (44, 48), "apology": (39, 42), "empathy": (42, 63), "moralising": (30, 45),
        "enthusiasm": (39, 42), "ai_self": (41, 42), "worn": (36, 36)}  # fmt: skip


def table(name: str) -> pl.DataFrame:
    with (OWN / name).open(encoding="utf8", newline="") as lines:
        return pl.DataFrame(list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)))


def lines(path: str) -> list[dict[str, str]]:
    with gzip.open(DATA / path, "rt") as held:
        return [json.loads(line) for line in held]


def prompted() -> dict[str, tuple[pl.Series, pl.Series]]:
    """Prompt and reply of three public sets, both answers of a pair after each other."""

    def text(value: str | list[dict[str, str]]) -> str:
        return value if isinstance(value, str) else value[-1]["content"]

    sides = ("chosen", "rejected")
    hh = [row[side].rsplit("\n\nAssistant:", 1) for row in lines("hh-harmless/test.jsonl.gz") for side in sides]
    judged = pl.read_parquet(DATA / "alpaca-eval/judged_responses.parquet").drop_nulls(["prompt", "response"])
    rated = lines("ultrafeedback-flips/clean.jsonl.gz")
    return {
        "hh-harmless": (
            pl.Series([before.rsplit("\n\nHuman:", 1)[1].strip() for before, _ in hh]),
            pl.Series([reply.strip() for _, reply in hh]),
        ),
        "alpaca-eval": (judged["prompt"], judged["response"]),
        "ultrafeedback": (
            pl.Series([text(row["prompt"]) for row in rated for _ in sides]),
            pl.Series([text(row[side]) for row in rated for side in sides]),
        ),
    }


def drawn(sets: dict[str, tuple[pl.Series, pl.Series]]) -> pl.Series:
    """The replies of replies.tsv: short ones of two sets, by a seeded draw."""
    rng, found = np.random.default_rng(7), []
    for name, low, high, many in (("hh-harmless", 40, 420, 80), ("alpaca-eval", 60, 600, 40)):
        texts = sets[name][1].unique(maintain_order=True)
        texts = texts.filter((texts.str.len_chars() > low) & (texts.str.len_chars() < high))
        found.append(texts.gather(rng.permutation(len(texts))[:many]))
    return pl.concat(found)


def rates(fires: pl.Series, yes: pl.Series) -> str:
    a, b = int((fires & yes).sum()), int((fires & ~yes).sum())
    return f"{a} of {yes.sum()} found, {b} of {(~yes).sum()} wrongly"


def labelled(sets: dict[str, tuple[pl.Series, pl.Series]]) -> None:
    gold, replies = table("sentences.tsv"), table("replies.tsv")
    said, known = measure(gold["sentence"]), measure(drawn(sets))
    print("| probe | dev sentences | held-out sentences | 120 replies | firing replies read: right |")
    print("|---|---|---|---|---|")
    for name in PROBES:
        cells = []
        for part in ("dev", "held"):
            mask = (gold["probe"] == name) & (gold["part"] == part)
            cells.append(rates(said[name].filter(mask) > 0, gold["label"].filter(mask) == "1"))
        yes = replies["probes"].str.split(" ").list.contains(name)
        right, read = READ[name]
        low, high = wilson(right, read)
        cells.append(rates(known[name] > 0, yes) if name != "worn" else "")
        print(f"| `{name}` | {' | '.join(cells)} | {right} of {read}: {right / read:.2f} ({low:.2f} to {high:.2f}) |")


def shares(sets: dict[str, tuple[pl.Series, pl.Series]]) -> None:
    print(f"\n| share of replies | {' | '.join(PROBES)} |\n|---|{'---|' * len(PROBES)}")
    for name, (_, replies) in sets.items():
        texts = replies.unique(maintain_order=True)
        found = measure(texts.filter(english(texts).fill_null(True)))
        print(f"| {name} | " + " | ".join(f"{(found[probe] > 0).mean():.3f}" for probe in PROBES) + " |")


def auc(yes: pl.Series, no: pl.Series) -> float:
    ranks = rankdata(np.concatenate([yes.to_numpy(), no.to_numpy()]))
    n = len(yes)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(no)))


def swapped(sets: dict[str, tuple[pl.Series, pl.Series]]) -> None:
    """Own replies against replies to another prompt of the same set."""
    print("\n| relevance | n | known | own: mean, share at most .25 | another's | AUROC |\n|---|---|---|---|---|---|")
    for name, (prompts, replies) in sets.items():
        words, other = subjects(prompts), np.random.default_rng(0).permutation(len(prompts))
        own = relevance(replies, words)
        foreign = relevance(replies, words[other]).filter(prompts != prompts.gather(other)).drop_nulls()
        known = own.drop_nulls()
        print(
            f"| {name} | {len(own)} | {len(known) / len(own):.2f} | {known.mean():.2f}, {(known <= 0.25).mean():.3f} | "
            f"{foreign.mean():.2f}, {(foreign <= 0.25).mean():.3f} | {auc(known, foreign):.3f} |"
        )


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def parts(path: str) -> Iterator[pl.DataFrame]:
    frame = pl.read_parquet(path, columns=["prompt", "chosen", "rejected"])
    for at in range(0, frame.height, PART):
        some = frame[at : at + PART]
        turn = pl.struct(role=pl.lit("user"), content=pl.col("prompt"))
        yield some.select(
            pl.int_range(at, at + some.height, dtype=pl.Int64).alias("row"),
            *(pl.col(name).hash().alias(f"hash_{name}") for name in some.columns),
            pl.concat_list(turn).cast(MESSAGES).alias("prompt"),
            pl.lit(None, MESSAGES).alias("rejected_prompt"),
            "chosen", "rejected",
            *(pl.lit(None, pl.String).alias(f"{side}_reasoning") for side in ("chosen", "rejected")),
        )  # fmt: skip


def speed(path: str) -> None:
    """CPU seconds a million responses, each extractor alone, in parts, on one thread."""
    made = {cls.name: cls() for cls in EXTRACTORS}
    names = ("text", "pair", "refusal", "sycophancy", "style")
    applied = {name: made[name].load(None) for name in names}
    seconds, responses, size = dict.fromkeys(names, 0.0), 0, 0.0
    for part in parts(path):
        both = pl.concat([part["chosen"], part["rejected"]])
        responses, size = responses + len(both), size + float(both.str.len_chars().sum())
        told = part
        for name in names:
            began = used()
            found = applied[name](told.select(c for c in told.columns if c in {"row", "c", "r", *made[name].reads}))
            seconds[name] += used() - began
            told = told.with_columns(found["c"], found["r"]) if name == "text" else told
    print(f"\n{responses} responses of {size / responses:.0f} characters\n\n| extractor | CPU s a million |\n|---|---|")
    for name, taken in seconds.items():
        print(f"| `{name}` | {taken / responses * 1e6:.1f} |")
    probes = sum(seconds[name] for name in ("refusal", "sycophancy", "style")) / responses * 1e6
    print(f"| the probes together | {probes:.1f} |")


if __name__ == "__main__":
    sets = prompted()
    labelled(sets)
    shares(sets)
    swapped(sets)
    if len(sys.argv) > 1:
        speed(sys.argv[1])

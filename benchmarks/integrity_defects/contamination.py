"""Texts of a benchmark."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from integrity_defects.base import Planted, Row, own_scan, plain
from integrity_defects.pairs import SIDES, found, where


def benchmark(texts: list[str], path: Path) -> str:
    """A file of questions that carry the texts, under a name of its own."""
    (path / "eval.jsonl").write_text("\n".join(json.dumps({"id": k, "question": t}) for k, t in enumerate(texts)))
    return str(path / "eval.jsonl")


@own_scan("prompt of a benchmark")
def asked(rows: list[Row], own: list[int], rng: random.Random, path: Path) -> Planted:
    words = [w for row in rows[:2000] for w in row["prompt"].split()]
    for number in own:  # a new prompt of real words, in the data with other case and punctuation
        rows[number] = {**rows[number], "prompt": " ".join(rng.choice(words) for _ in range(rng.randint(8, 60)))}
    texts = [rows[number]["prompt"] for number in own]
    for number in own:
        rows[number]["prompt"] = rows[number]["prompt"].upper() + " ..."
    known = {plain(t) for t in texts}
    true = where(lambda row: plain(row["prompt"]) in known)(rows)
    options = {"format": "trl", "against": [benchmark(texts, path)], "with_": ["integrity"]}
    return Planted(set(own), found(path, rows, "CTM001", **options), true)


def runs(text: str) -> set[tuple[str, ...]]:
    """All thirteen words in a row, a word being letters and digits."""
    words = re.findall(r"[^\W_]+", text.lower())
    return {tuple(words[k : k + 13]) for k in range(len(words) - 12)}


@own_scan("answer of a benchmark, half of it")
def answered(rows: list[Row], own: list[int], rng: random.Random, path: Path) -> Planted:
    """Two thirds of the words of an answer are those of a benchmark's; what is found is counted out on the rows."""
    words = [w for row in rows[:2000] for w in row["chosen"].split()]
    texts = [" ".join(rng.choice(words) for _ in range(150)) for _ in own]
    for number, text in zip(own, texts, strict=True):
        new = " ".join(rng.choice(words) for _ in range(45))
        rows[number] = {**rows[number], rng.choice(SIDES): f"{text} {new}"}
    options = {"format": "trl", "against": [benchmark(texts, path)], "with_": ["integrity"]}
    hits = found(path, rows, "CTM002", **options)
    known = set().union(*map(runs, texts))  # a long address is one word to the planting and many to a run
    shares = {n: [len(one & known) / max(len(one), 1) for one in (runs(rows[n][s]) for s in SIDES)] for n in hits}
    return Planted(set(own), hits, {n for n, share in shares.items() if max(share) >= 0.5})

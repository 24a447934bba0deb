"""How a pair is put before a language model. What stands in a dataset is material there, never an instruction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from prefaudit.core import Parts

PROMPT, HEAD, TAIL = 3_000, 4_000, 1_500  # characters: of the prompt its end, of an answer its beginning and end
TAGS = re.compile(r"<(/?)(prompt|preferred|other|A|B|pair)(?=[\s>])")


@dataclass(frozen=True)
class Pair:
    """The texts of a pair, ready to be shown."""

    row: int
    prompt: str
    chosen: str
    rejected: str
    cut: bool = False  # a text was too long to be shown whole


def pair(row: int, prompt: Iterable[Mapping[str, Any]], chosen: str, rejected: str) -> Pair:
    """Texts of a pair: cut to what is shown, and without our own tags."""
    messages = list(prompt or ())
    if len(messages) == 1 and messages[0]["role"] == "user":
        said = str(messages[0]["content"] or "")
    else:
        said = "\n".join(f"{m['role']}: {m['content']}" for m in messages)
    shown = said if len(said) <= PROMPT else f"[...] {said[-PROMPT:]}"
    answers = [_cut(text) for text in (chosen, rejected)]
    cut = len(said) > PROMPT or any(len(t) > HEAD + TAIL for t in (chosen, rejected))
    return Pair(row, _plain(shown), _plain(answers[0]), _plain(answers[1]), cut)


def _cut(text: str) -> str:
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} [...] {text[-TAIL:]}"


def _plain(text: str) -> str:
    return TAGS.sub(r"< \1\2", text)


def eligible(parts: Parts) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows that can be voted on: a label, and two answers that differ."""
    told = pl.col("label") == "chosen"
    differ = (pl.col("hash_chosen") != pl.col("hash_rejected")).fill_null(False)
    frames = parts(["row", "label", "hash_chosen", "hash_rejected"])
    rows = [frame.filter(told & differ)["row"].to_numpy() for frame in frames]
    return np.concatenate(rows) if rows else np.empty(0, np.int64)


def drawn(parts: Parts, rows: Iterable[int]) -> dict[int, Pair]:
    """The pairs of these rows."""
    wanted = pl.Series(sorted(rows), dtype=pl.Int64)

    def found() -> Iterator[Pair]:
        for frame in parts(["row", "prompt", "chosen", "rejected"]):
            for line in frame.filter(pl.col("row").is_in(wanted.implode())).iter_rows(named=True):
                yield pair(line["row"], line["prompt"], line["chosen"], line["rejected"])

    return {p.row: p for p in found()}

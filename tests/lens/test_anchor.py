"""The pairs that are the same for every dataset."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import polars as pl

from prefaudit.lens.anchor import FILE, anchored
from prefaudit.models.base import INSTRUCTED, RESPONSE, Vectors


@dataclass(frozen=True)
class Hashed:
    """An embedder: eight numbers out of the digest of what its template reads."""

    template: str = RESPONSE
    name: str = "hashed"
    revision: str = "1"
    limit: int | None = None

    def embed(self, responses: pl.Series, prompts: pl.Series | None = None) -> Vectors:
        asked = [""] * len(responses) if prompts is None else prompts.to_list()
        said = [f"{p}\0{r}" for p, r in zip(asked, responses, strict=True)]
        rows = [np.frombuffer(hashlib.blake2b(t.encode(), digest_size=8).digest(), np.uint8) for t in said]
        return Vectors(np.array(rows, np.float32), np.zeros(len(said), bool))


def test_differences_are_those_of_the_pairs_with_the_prompt_where_it_is_read() -> None:
    held = json.loads(FILE.read_text(encoding="utf8"))
    for template in (RESPONSE, INSTRUCTED):
        found = anchored(Hashed(template))
        assert found.shape == (len(held["pairs"]), 8) and found.dtype == np.float32
        prompt, *sides = held["pairs"][7]
        texts = pl.Series([held["answers"][s] for s in sides])
        asked = pl.Series([held["prompts"][prompt]] * 2) if template == INSTRUCTED else None
        one, other = Hashed(template).embed(texts, asked).values
        np.testing.assert_array_equal(found[7], one - other)


def test_every_pair_has_two_different_answers_and_every_text_is_used() -> None:
    held = json.loads(FILE.read_text(encoding="utf8"))
    prompt, chosen, rejected = np.array(held["pairs"]).T
    assert (chosen != rejected).all()
    assert set(prompt) == set(range(len(held["prompts"])))
    assert set(chosen) | set(rejected) == set(range(len(held["answers"])))
    assert len(set(held["answers"])) == len(held["answers"]) and all(t.strip() for t in held["answers"])

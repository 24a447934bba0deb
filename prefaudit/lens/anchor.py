"""Pairs that are the same for every dataset: what answers differ in anywhere, as an embedder sees it.

`anchor.json` holds pairs of the example dataset, written for this project, some of them more than once, as they stand
there. A lens takes part of its directions and the way it is turned from them (`train`), so that halves of a dataset
come to the same features.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from prefaudit.lens.sae import Floats
from prefaudit.models.base import Embedder, both

FILE = Path(__file__).with_name("anchor.json")


def anchored(model: Embedder) -> Floats:
    """(302, d) differences of the pairs as this embedder sees them, as float16 can tell them.

    Raises:
        ModelError: the model failed.
    """
    held = json.loads(FILE.read_text(encoding="utf8"))
    prompts, answers = (pl.Series(held[name], dtype=pl.String) for name in ("prompts", "answers"))
    prompt, chosen, rejected = np.array(held["pairs"]).T
    twice, sides = np.tile(prompt, 2), np.concatenate([chosen, rejected])
    asked = prompts.gather(twice) if both(model.template) else None
    found = model.embed(answers.gather(sides), asked).values.astype(np.float16).astype(np.float32)
    return np.asarray(found[: len(chosen)] - found[len(chosen) :])

"""Examples written after the weights were fixed and never fitted on: `held()` for benchmarks/probes_sycophancy.py."""

from __future__ import annotations

import random

import polars as pl
from compose import SEED, lines


def held() -> pl.DataFrame:
    """Stance pairs (one reply takes the user's view, one does not), and praise or none inside long replies.

    Returns:
        `set`, `prompt` (last user turn), `reply`, `positive` (0 or 1).
    """
    rng = random.Random(SEED)
    rows: list[tuple[str, str, str, int]] = []
    for line in lines("held_stances"):
        prompt, agrees, differs = line.split(" ~ ")
        rows += [("stances", prompt, agrees, 1), ("stances", prompt, differs, 0)]
    for name, positive in (("held_praise", 1), ("held_warm", 0)):
        for line in lines(name):
            for _ in range(3):
                body = rng.sample(lines("filler"), rng.choice((0, 1, 3, 5)))
                body.insert(rng.randint(0, len(body)), line)
                rows.append(("praise", rng.choice(lines("users")), " ".join(body), positive))
    return pl.DataFrame(rows, schema=["set", "prompt", "reply", "positive"], orient="row")

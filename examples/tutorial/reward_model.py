"""Train a reward model on each file and say how often it is right: `python reward_model.py TEST TRAIN [TRAIN ...]`.

Bradley and Terry's model: a linear head on a frozen encoder, MiniLM, of the answer and of the prompt with it. Settings
are the same for every file, so that only the data differ. Needs prefaudit's extra `models`; exit
code 2 where it is missing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import minimize

from prefaudit import AuditError
from prefaudit.models import embedder

PENALTY = 3.0  # of the squared weights


def differences(rows: list[dict[str, Any]]) -> np.ndarray:
    """What the encoder says of chosen less what it says of rejected, shape (pairs, width)."""
    sides = []
    for side in ("chosen", "rejected"):
        alone = pl.Series([row[side] for row in rows])
        asked = pl.Series([f"{row['prompt']}\n\n{row[side]}" for row in rows])
        sides.append(np.hstack([embedder("minilm").embed(texts).values for texts in (alone, asked)]).astype(float))
    return np.asarray(sides[0] - sides[1])


def fitted(x: np.ndarray) -> np.ndarray:
    """Weights that make the chosen answers likeliest to win, shape (width,)."""

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = x @ w
        slope = -x.T @ (1 / (1 + np.exp(margin))) + PENALTY * w
        return float(np.logaddexp(0, -margin).sum() + PENALTY / 2 * w @ w), slope

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def main() -> None:
    """Read, train, tell."""
    files = {path: [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()] for path in sys.argv[1:]}
    test, *trains = files
    x = differences(files[test])
    for path in trains:
        usable = [row for row in files[path] if row["chosen"] and row["rejected"]]
        hits = x @ fitted(differences(usable)) > 0
        around = 1.96 * np.sqrt(hits.mean() * (1 - hits.mean()) / len(hits))
        sys.stdout.write(
            f"{path:<20} {len(usable):>4} pairs  right in {hits.mean():.3f} of {len(hits)}, +/- {around:.3f}\n"
        )


if __name__ == "__main__":
    try:
        main()
    except AuditError as error:  # the extra `models` is missing
        sys.stderr.write(f"not trained: {error.message}\nhint: {error.hint}\n")
        sys.exit(2)

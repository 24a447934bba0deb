"""Train a reward model on each file and say what it is worth: `python reward_model.py TEST TRAIN [TRAIN ...]`.

Bradley and Terry's model: a linear head on a frozen encoder, MiniLM, of the answer and of the prompt with it. Settings
are the same for every file, so that only the data differ. Right is how often the chosen answer of TEST gets the higher
reward; the log loss, lower is better, also says whether the margins are as wide as they should be: .693 is what one has
who knows nothing. Needs prefaudit's extra `models`; exit code 2 where it is missing.
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
Rows = list[dict[str, Any]]


class Encoder:
    """MiniLM's published vectors of answers, alone and after their prompts; each distinct one once."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], np.ndarray] = {}

    def differences(self, rows: Rows) -> np.ndarray:
        """What it says of chosen less what it says of rejected, shape (pairs, width)."""
        wanted = {(row["prompt"], row[side]) for row in rows for side in ("chosen", "rejected")}
        new = sorted(wanted - self.seen.keys())
        if new:
            texts = [pl.Series([answer for _, answer in new]), pl.Series([f"{p}\n\n{answer}" for p, answer in new])]
            found = np.hstack([embedder("minilm@6").embed(some).values for some in texts]).astype(float)
            self.seen.update(zip(new, found, strict=True))
        sides = [np.stack([self.seen[row["prompt"], row[side]] for row in rows]) for side in ("chosen", "rejected")]
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
    encoder = Encoder()
    x = encoder.differences(files[test])
    for path in trains:
        margin = x @ fitted(encoder.differences(files[path]))
        told = f"right in {(margin > 0).mean():.3f} of {len(x):,}, log loss {np.logaddexp(0, -margin).mean():.3f}"
        sys.stdout.write(f"{path:<24}{len(files[path]):>6,} pairs  {told}\n")


if __name__ == "__main__":
    try:
        main()
    except AuditError as error:  # the extra `models` is missing
        sys.stderr.write(f"not trained: {error.message}\nhint: {error.hint}\n")
        sys.exit(2)

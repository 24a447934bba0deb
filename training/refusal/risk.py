"""Fit the weights of `risk` on our own requests and write them into the package.

usage: python training/refusal/risk.py [--check]
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from prefaudit.extractors._risks import cued, features, gated, plain

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / "prefaudit" / "extractors" / "risk.json"
RIDGE = 0.01
HARMLESS = 2.0  # what a harmless request weighs: in most data they are by far the more
NONE = 0.01  # the score of a turn without a cue; of our own harmless ones all but a few have none
ASKS = ("How do I {inf}?", "Help me {inf}.", "I want to {inf}", "Give me tips on {ing}.")
Matrix = NDArray[np.float64]


def requests() -> tuple[list[str], NDArray[np.bool_]]:
    """Own requests, and which of them ask for harm."""
    said = tomllib.loads((HERE / "requests.toml").read_text())
    acts = tomllib.loads((HERE / "wordings" / "acts.toml").read_text())
    made: list[tuple[str, bool]] = [(text, True) for text in said["harmful"]] + [
        (text, False) for text in said["harmless"]
    ]
    for kind in ("harm", "lookalike", "benign"):
        for number, line in enumerate(acts[kind]):
            inf, ing, _ = line.split(" | ")
            ask = ASKS[number % 3] if kind != "harm" else ASKS[number % 4]
            made.append((ask.format(inf=inf, ing=ing), kind == "harm"))
    return [text for text, _ in made], np.array([harm for _, harm in made])


def fit(x: Matrix, y: NDArray[np.bool_]) -> Matrix:
    """Weights and bias of a logistic regression, (k + 1)."""
    x1 = np.hstack([x, np.ones((len(x), 1))])
    sign = np.where(y, 1.0, -1.0)
    weight = np.where(y, 1.0, HARMLESS) / np.where(y, 1.0, HARMLESS).sum()

    def loss(w: Matrix) -> tuple[float, Matrix]:
        z = sign * (x1 @ w)
        held = np.append(w[:-1], 0)
        grad = x1.T @ (-sign * weight / (1 + np.exp(z))) + RIDGE * held
        return float((weight * np.logaddexp(0, -z)).sum() + RIDGE / 2 * (held**2).sum()), grad

    start = np.zeros(x1.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "gtol": 1e-8}).x)


def build() -> dict[str, Any]:
    """What risk.json holds."""
    texts, harm = requests()
    heads = plain(pl.Series(texts))
    index = cued(heads)
    names, x = features(heads.gather(index))
    kept = gated(names, x)
    w = fit(x[kept].astype(float), harm[index][kept])
    return {"features": names, "weights": np.round(w[:-1], 3).tolist(), "bias": round(float(w[-1]), 3), "none": NONE}


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--check", action="store_true", help="compare with the file in the package, write nothing")
    text = json.dumps(build(), separators=(",", ":")) + "\n"
    if args.parse_args().check:
        raise SystemExit(0 if TARGET.read_text() == text else f"{TARGET} differs from what is fitted")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()

"""Fit the weights of `refusal` on our own examples and write them into the package.

usage: python training/refusal/fit.py [--check]

Multinomial logistic regression with a ridge, by L-BFGS; weights are rounded, so that the file is the same every time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from prefaudit.extractors._refusals import CLASSES, cued, features, tasks

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / "prefaudit" / "extractors" / "refusal.json"
LABELS = {"full": 0, "partial": 1, "incapable": 2, "disclaimer": 3, "rebuts": 4, "answer": 5}
RIDGE = 0.002
Matrix = NDArray[np.float64]


def examples() -> pl.DataFrame:
    """Own examples: family, label, prompt, reply."""
    return pl.read_ndjson(HERE / "examples.jsonl")


def design(rows: pl.DataFrame) -> tuple[list[str], list[str], Matrix, NDArray[np.bool_]]:
    """Names of the reply's and of the prompt's features, the n by k matrix of both, and which replies have a cue."""
    names, matrix = features(rows["reply"])
    asked = tasks(rows["prompt"])
    has_cue = np.zeros(rows.height, bool)
    has_cue[cued(rows["reply"])] = True
    return names, asked.columns, np.hstack([matrix, asked.to_numpy()]).astype(float), has_cue


def weigh(rows: pl.DataFrame) -> Matrix:
    """Every family weighs as the root of its size: many fillings of one template say little more than a few."""
    size = rows.select(pl.len().over("family")).to_series().to_numpy()
    return 1 / np.sqrt(size)


def fit(x: Matrix, y: NDArray[np.int64], weight: Matrix, ridge: float = RIDGE) -> Matrix:
    """Weights, (k + 1) by classes; the last row is the bias, which the ridge leaves alone."""
    x1 = np.hstack([x, np.ones((len(x), 1))])
    k, c = x1.shape[1], len(CLASSES)
    onehot, weight = np.eye(c)[y], (weight / weight.sum())[:, None]

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        w = flat.reshape(k, c)
        z = x1 @ w
        z -= z.max(1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(1, keepdims=True))
        held = w.copy()
        held[-1] = 0
        grad = x1.T @ (weight * (np.exp(logp) - onehot)) + ridge * held
        return float(-(weight * onehot * logp).sum() + ridge / 2 * (held**2).sum()), grad.ravel()

    return np.asarray(
        minimize(
            loss, np.zeros(k * c), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-8}
        ).x
    ).reshape(k, c)


def labels(rows: pl.DataFrame) -> NDArray[np.int64]:
    return rows["label"].replace_strict(LABELS, return_dtype=pl.Int64).to_numpy()


def build() -> dict[str, Any]:
    """What refusal.json holds."""
    rows = examples()
    names, asked, x, has_cue = design(rows)
    y = labels(rows)
    cued_rows = rows.filter(pl.Series(has_cue))
    x, given, weight = x[has_cue], y[has_cue], weigh(cued_rows)
    w = fit(x, given, weight)
    share = np.bincount(y[~has_cue], minlength=len(CLASSES)) + np.array([0.2, 0.2, 0.5, 0.5, 1, 100])

    def rounded(m: Matrix) -> Any:
        return np.round(m, 3).tolist()

    return {
        "features": names,
        "weights": rounded(w[: len(names)]),
        "bias": rounded(w[-1]),
        "none": rounded(np.log(share / share.sum())),
        "tasks": dict(zip(asked, rounded(w[len(names) : -1]), strict=True)),
    }


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--check", action="store_true", help="compare with the file in the package, write nothing")
    text = json.dumps(build(), indent=None, separators=(",", ":")).replace("],[", "],\n[") + "\n"
    if args.parse_args().check:
        raise SystemExit(0 if TARGET.read_text() == text else f"{TARGET} differs from what is fitted")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()

"""Fit the heads of `--probe FEATURE=minilm`, and hold them and the built-in probes to the same labels.

usage: PREFAUDIT_TEST_DATA=DIR python training/headed.py [--write]

Examples, weights and folds are those of the built-in probes (training/refusal/fit.py, training/sycophancy/fit.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from runpy import run_path

import numpy as np
import polars as pl
from scipy.stats import rankdata

from prefaudit.models import headed

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "sycophancy"))
import fit as sycophancy  # noqa: E402

RIDGES = (0.3, 1.0, 3.0, 10.0)  # of a weighted sum of log-losses; chosen by held-out log-loss
FOLDS = 5


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    ranks, n = rankdata(scores), labels.sum()
    return float((ranks[labels].sum() - n * (n + 1) / 2) / (n * (~labels).sum()))


def f1(scores: np.ndarray, labels: np.ndarray) -> float:
    fires = scores >= 0.5
    return float(2 * (fires & labels).sum() / (fires.sum() + labels.sum()))


def sigmoid(x: np.ndarray) -> np.ndarray:
    made: np.ndarray = 1 / (1 + np.exp(-x))
    return made


def fitted(x: np.ndarray, y: np.ndarray, weight: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights with the bias last, and every example's probability by weights fitted without its fold."""
    best: tuple[float, float, np.ndarray] | None = None
    for ridge in RIDGES:
        p = np.empty(len(x))
        for held in (fold == number for number in range(FOLDS)):
            b = sycophancy.logistic(x[~held], y[~held], ridge, weight[~held])
            p[held] = sigmoid(x[held] @ b[:-1] + b[-1])
        loss = -float((weight * np.log(np.where(y > 0, p, 1 - p).clip(1e-9))).sum() / weight.sum())
        if best is None or loss < best[0]:
            best = loss, ridge, p
    assert best is not None
    print(f"  ridge {best[1]}, held-out log-loss {best[0]:.3f}")
    return sycophancy.logistic(x, y, best[1], weight), best[2]


def folds(names: list[str]) -> np.ndarray:
    every = sorted(set(names))
    turn = dict(zip(every, (np.random.default_rng(0).permutation(len(every)) % FOLDS).tolist(), strict=True))
    return np.array([turn[name] for name in names])


def refusal() -> np.ndarray:
    tools, bench = (run_path(str(HERE / "refusal/fit.py")), run_path(str(HERE.parent / "benchmarks/probes_refusal.py")))
    rows = tools["examples"]()
    # A real set is a fold of its own; own families are in turns.
    names = [family if source == "own" else source for source, family in rows.select("source", "family").iter_rows()]
    y = (rows["label"] == "full").to_numpy()
    x = headed.joined(rows["reply"], rows["prompt"].fill_null(""))
    w, p = fitted(x, y.astype(float), tools["weigh"](rows), folds(names))
    for name, held in tools["sets"](rows).items():
        told = f"F1 {f1(p[held], y[held]):.3f}, AUROC {auc(p[held], y[held]):.3f}"
        print(f"refusal, {name}: n {held.sum()}; held out {told}")
    whole = pl.col("label") == "full"
    sets = {name: pl.read_ndjson(HERE / f"refusal/{name}.jsonl").select("prompt", "reply", full=whole)
            for name in ("unseen", "unseen-hard")}  # fmt: skip
    wide = pl.read_csv(bench["DATA"] / "do-not-answer/data_en.csv.gz")
    models = [name.removesuffix("_response") for name in wide.columns if name.endswith("_response")]
    sets["do-not-answer"] = pl.concat(
        wide.select(prompt="question", reply=f"{m}_response", full=pl.col(f"{m}_action") == 0).drop_nulls()
        for m in models
    )
    for name, frame in sets.items():
        q, full = sigmoid(headed.joined(frame["reply"], frame["prompt"]) @ w[:-1] + w[-1]), frame["full"].to_numpy()
        words = bench["refusal"](frame)
        print(f"refusal, {name}: n {len(q)}; F1 {f1(q, full):.3f}, AUROC {auc(q, full):.3f}; "
              f"built in: F1 {f1(words, full):.3f}, AUROC {auc(words, full):.3f}")  # fmt: skip
    return w


def pandering() -> np.ndarray:
    frame = sycophancy.written()
    y = frame["panders"].to_numpy().astype(float)
    w, p = fitted(headed.joined(frame["reply"], frame["prompt"]), y, np.ones(len(y)), folds(frame["topic"].to_list()))
    print(f"sycophancy, held out: n {len(p)}, AUROC {auc(p, y > 0):.3f}")
    return w


def main() -> None:
    made = {}
    for name, w in {"refusal": refusal(), "sycophancy": pandering()}.items():
        made[name] = {"weights": [round(float(x), 3) for x in w[:-1]], "bias": round(float(w[-1]), 3)}
    if "--write" in sys.argv:
        Path(headed.__file__).with_name("headed.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

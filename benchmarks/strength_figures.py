"""The single figures of docs/strength.md: what consensus does to two datasets, and what RE-PO makes of raw scores.

    PREFAUDIT_TEST_DATA=... python benchmarks/strength_figures.py

**RE-PO** (arXiv 2509.24159): w = p eta / (p eta + (1 - p)(1 - eta)), p = sigma(margin), eta the mean of w, until it
stands. 50,000 pairs, a fifth of the labels turned round, the first scorer of strength_scorers.py (true margin |N(0, 1)|
+ .1, noise .6) on scales 1, 3 and 8. Told is 1 - eta: the true rate is .2.

**Pairs**: three scorers that err apart (margins of mean .7, .9, 1.2 and noise 1 for the right answer, on scales 1, 3
and 8), a fifth of the labels turned round: in what share of 200 redraws of n pairs their independence is shown.

**Consensus**: a scan of hh-harmless and of ultrafeedback-flips (200 of 1,000 labels turned, metadata removed).
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import prefaudit
from prefaudit.stats.noise import noise


def rate(margin: np.ndarray) -> float:
    """1 - eta where the fixed point stands."""
    p, eta = 1 / (1 + np.exp(-margin)), 0.9
    for _ in range(2000):
        eta = float((p * eta / (p * eta + (1 - p) * (1 - eta))).mean())
    return 1 - eta


def repo() -> dict[str, float]:
    rng = np.random.default_rng(0)
    turned = rng.random(50_000) < 0.2
    truth = np.where(turned, -1, 1) * (np.abs(rng.normal(size=50_000)) + 0.1)
    seen = truth + 0.6 * rng.normal(size=50_000)
    return {f"scale {scale}": round(rate(scale * seen), 3) for scale in (1, 3, 8)}


def shown(n: int, redraws: int = 200) -> float:
    """The share of redraws in which the share of wrong labels is told."""
    found = 0
    for seed in range(redraws):
        rng = np.random.default_rng(seed)
        label = np.where(rng.random(n) < 0.2, -1, 1)
        margins = [s * (m + rng.normal(size=n)) * label for s, m in ((1, 0.7), (3, 0.9), (8, 1.2))]
        found += noise(np.array(margins), np.arange(n))["rate"] is not None
    return found / redraws


def consensus(path: Path) -> tuple[dict[str, object], np.ndarray, list[dict[str, object]]]:
    with gzip.open(path, "rt", encoding="utf8") as lines:
        rows = [json.loads(line) for line in lines]
    plain = [{k: row[k] for k in ("prompt", "chosen", "rejected") if k in row} for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "d.jsonl").write_text("\n".join(map(json.dumps, plain)), encoding="utf8")
        audit = prefaudit.scan(Path(folder) / "d.jsonl", Path(folder) / "a", fail_on="never",
                               with_=("+consensus",))  # fmt: skip
        field = pl.col("consensus").struct.field("mean")
        mean = audit.features().select("row", field).collect()["mean"].fill_null(float("nan")).to_numpy()
        return audit.report["consensus"], mean, rows


def main() -> None:
    print(json.dumps({"RE-PO": repo()}), flush=True)
    counts = (400, 800, 1000, 1200, 1500, 2000, 3000)
    print(json.dumps({"independence shown": {n: shown(n) for n in counts}}), flush=True)
    if not os.environ.get("PREFAUDIT_TEST_DATA"):
        raise SystemExit("PREFAUDIT_TEST_DATA is not set")
    data = Path(os.environ["PREFAUDIT_TEST_DATA"])
    print(json.dumps({"hh-harmless": consensus(data / "hh-harmless/test.jsonl.gz")[0]["min_consensus"]}), flush=True)
    _, mean, rows = consensus(data / "ultrafeedback-flips/label_flip_20.jsonl.gz")
    turned = np.array([bool(row["metadata"]["noise"]["selected"]) for row in rows])[: len(mean)]
    lowest = np.argsort(mean, kind="stable")[:100]
    low = mean < -2  # what CON001 names
    told = {"turned of the lowest 100": int(turned[lowest].sum()), "below -2": int(low.sum()),
            "turned of these": int(turned[low].sum())}  # fmt: skip
    print(json.dumps({"ultrafeedback-flips": told}), flush=True)


if __name__ == "__main__":
    main()

"""CPU seconds of `consensus`: its fit, and its measuring of 100,000 pairs, beside nothing else.

    python benchmarks/consensus_cost.py PAIRS.parquet [--pairs 100000] [--repeats 3]

PAIRS has prompt, chosen and rejected as text. The numbers that the text extractors measure are drawn at random (40 a
side): what they cost is theirs.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import polars as pl

from prefaudit.extractors.consensus import Consensus

PART = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    frame = pl.read_parquet(asked.path, columns=["prompt", "chosen", "rejected"]).head(asked.pairs)
    rng, n = np.random.default_rng(0), frame.height
    sides = {side: pl.DataFrame({f"f{k}": rng.integers(0, 5, n) for k in range(40)}).to_struct(side) for side in "cr"}
    frame = frame.with_columns(
        row=pl.int_range(n), group=pl.int_range(n), label=pl.lit("chosen"),
        prompt=pl.concat_list(pl.struct(role=pl.lit("user"), content="prompt")),
        hash_chosen=pl.col("chosen").hash(), hash_rejected=pl.col("rejected").hash(), **sides,
    )  # fmt: skip
    made = Consensus()
    for _ in range(asked.repeats):
        start = time.process_time()
        state = made.fit(lambda names: [frame[k : k + PART].select(names) for k in range(0, n, PART)], 0)
        fitted = time.process_time()
        apply = made.load(state)
        for k in range(0, n, PART):
            apply(frame[k : k + PART])
        print(
            json.dumps({"pairs": n, "fit": round(fitted - start, 2), "measure": round(time.process_time() - fitted, 2)})
        )


if __name__ == "__main__":
    main()

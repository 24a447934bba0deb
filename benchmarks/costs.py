"""What the small steps cost of which near-duplicates and features have many: sorts, and reads of one field of a struct.

usage: python benchmarks/costs.py

One thread; the least CPU time of nine turns. A part is as a scan writes it: 32,768 pairs, the fields of `text` on
either side.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"

import numpy as np
import polars as pl

from prefaudit.extractors.text import Text
from prefaudit.store import Store, write_frame

N, ROW, PAIRS, TURNS = 1 << 19, 30, 32_768, 9


def least(work: Callable[[], object]) -> float:
    """CPU seconds."""
    found = []
    for _ in range(TURNS):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    """Print a row a step."""
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 1 << 63, N).astype(np.uint64)
    series, rows = pl.Series(keys), keys[: N // ROW * ROW].astype(np.uint32).reshape(-1, ROW)
    print("| step | CPU |\n|---|---|")
    for name, work in (
        (f"numpy sorts {N:,} numbers of 64 bits", lambda: np.sort(keys)),
        ("polars sorts them", lambda: series.sort()),
        (f"numpy sorts as many of 32 bits in rows of {ROW}, each by itself", lambda: np.sort(rows, axis=1)),
    ):
        print(f"| {name} | {least(work) / N * 1e9:.1f} ns a number |")
    sides = {}
    for side, kind in Text().columns.items():
        fields = {f.name: pl.Series(rng.integers(0, 2 if f.dtype == pl.Boolean else 300, PAIRS)).cast(f.dtype)
                  for f in kind.fields}  # type: ignore[attr-defined]  # fmt: skip
        sides[side] = pl.DataFrame(fields).to_struct(side)
    with tempfile.TemporaryDirectory() as folder:
        write_frame(Path(folder) / "part.parquet", pl.DataFrame(list(sides.values())))
        store = Store(folder)
        for name, columns in (("both structs", ["c", "r"]), ("a field of each", ["c.words", "r.words"])):
            spent = least(lambda asked=columns: store.frame("part.parquet", asked))  # type: ignore[misc]
            print(f"| {name} of a part is read | {spent * 1e3:.1f} ms |")
    print(f"\nnumpy {np.__version__}, polars {pl.__version__}")


if __name__ == "__main__":
    main()

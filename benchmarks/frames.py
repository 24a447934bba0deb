"""Memory that handing over a frame takes beside the frame itself: `python benchmarks/frames.py [ROWS]`.

RssAnon before and after, in a process for each library. Pages mapped from files are not in it, so what a library reads
where it lies costs nothing here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

KINDS = ("polars", "pandas", "datasets", "datasets, shuffled")


def anonymous() -> float:
    """MB of memory that is no file's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def given(kind: str, path: str, cache: str) -> Any:
    if kind == "polars":
        return pl.read_parquet(path)
    if kind == "pandas":
        import pandas

        return pandas.read_parquet(path)
    import datasets

    datasets.disable_progress_bars()
    data = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=cache)
    return data.shuffle(seed=0) if kind.endswith("shuffled") else data


def main() -> None:
    if len(sys.argv) == 4:
        from prefaudit.sources import frames

        data = given(*sys.argv[1:])
        before = anonymous()
        rows = frames.rows(data)
        assert rows is not None
        print(f"{sys.argv[1]:<20} {rows.nbytes / 1e6:6.0f} MB {rows.num_rows:>9,} rows {anonymous() - before:+6.0f} MB")
        return
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path, body = f"{folder}/pairs.parquet", " ".join(f"word{i}" for i in range(150))
        row = pl.int_range(0, n, eager=True).cast(pl.String)
        texts = {"prompt": "Question " + row, "chosen": row + " " + body, "rejected": body + " " + row}
        pl.DataFrame(texts).write_parquet(path)
        for kind in KINDS:
            subprocess.run([sys.executable, __file__, kind, path, f"{folder}/cache"], check=True)


if __name__ == "__main__":
    main()

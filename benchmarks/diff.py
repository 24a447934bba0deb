"""Matching two versions of N pairs: CPU seconds and peak memory.

usage: python benchmarks/diff.py [N]

Writes two audit folders with hashes alone (what `matching.match` reads): of the second version 5 % of the pairs are
gone, 1 % relabelled, 1 % have another chosen text, and the order is another one.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from prefaudit.core import PAIRS, SKIPPED
from prefaudit.repair.matching import match
from prefaudit.store import Store

PART = 100_000


def pairs(n: int) -> pl.DataFrame:
    """n pairs of n / 4 prompts, all hashes drawn from one seed."""
    rng = np.random.default_rng(0)
    prompts = rng.integers(1, 2**63, n // 4, dtype=np.uint64)
    given = {
        "hash_prompt": prompts[np.arange(n) % len(prompts)],
        "hash_chosen": rng.integers(1, 2**63, n, dtype=np.uint64),
        "hash_rejected": rng.integers(1, 2**63, n, dtype=np.uint64),
        "label": ["chosen"] * n,
        "source": [f"source {k % 7}" for k in range(n)],
        "extra": [f'{{"pair_id":"{k:x}"}}' for k in range(n)],
    }
    frame = pl.DataFrame(given)
    return frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in PAIRS.items() if name not in given)


def write(folder: Path, frame: pl.DataFrame) -> Store:
    """An audit folder that holds these pairs."""
    store = Store(folder)
    frame = frame.with_columns(row=pl.int_range(len(frame), dtype=pl.Int64))
    frame = frame.with_columns(source_row=pl.col("row")).select(list(PAIRS)).cast(PAIRS)  # type: ignore[arg-type]
    for k, start in enumerate(range(0, len(frame), PART)):
        part = frame.slice(start, PART)
        store.write_pairs(k, part, pl.DataFrame(schema=SKIPPED), len(part))
    store.save("pairs/complete.json", {"parts": k + 1})
    return store


def main() -> None:
    """Write, match, print."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        frame = pairs(n)
        fate = np.random.default_rng(1).permutation(n)
        gone, turned, edited = fate[: n // 20], fate[n // 20 : n // 20 + n // 100], fate[-(n // 100) :]
        before = write(Path(name) / "a", frame)
        c, r = frame["hash_chosen"].to_numpy().copy(), frame["hash_rejected"].to_numpy().copy()
        c[turned], r[turned] = r[turned], c[turned]
        c[edited] += np.uint64(1)
        after = frame.with_columns(hash_chosen=pl.Series(c), hash_rejected=pl.Series(r))
        keep = np.random.default_rng(2).permutation(np.setdiff1d(np.arange(n), gone))
        other = write(Path(name) / "b", after[keep])
        del frame, after
        start, memory = cpu(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = match(before, other)
        spent = cpu() - start
    counts = dict(found.changes["change"].value_counts().rows())
    told = ", ".join(f"{kind} {counts.get(kind, 0):,}" for kind in ("removed", "added", "changed", "relabelled"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{n:,} pairs: {found.same:,} the same, {told}")
    print(f"{spent:.1f} CPU s; peak {peak / 2**20:.2f} GiB, before matching {memory / 2**20:.2f} GiB")


def cpu() -> float:
    """CPU seconds of this process."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


if __name__ == "__main__":
    main()

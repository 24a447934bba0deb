"""CPU seconds and peak memory of exact duplicates, conflicts and near-duplicates, and the same by datasketch.

usage: OPENBLAS_NUM_THREADS=1 python benchmarks/near.py PAIRS.parquet [--datasketch PYTHON --sample 100000]

PAIRS.parquet has prompt, chosen and rejected. They are read into an audit folder first, which is not counted (that is
the scan's); then each extractor is fitted and applied to all parts, in a process of its own. With --datasketch, PYTHON
(an environment with datasketch and polars) does the job on the first 100,000 pairs: MinHash (24 permutations) of the
pairs of words of every distinct prompt and answer, an LSH index of 8 bands of 3, every candidate verified by the
Jaccard of its sets. The ratio is of CPU seconds a pair, both on that sample.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from prefaudit.audit import measure, read, selection
from prefaudit.config import Options
from prefaudit.core import Progress
from prefaudit.extractors import EXTRACTORS
from prefaudit.store import Store

STAGES = (("exact duplicates, conflicts, cycles", ("duplicates",)), ("MinHash of prompts, and groups", ("groups",)),
          ("MinHash of both answers", ("near",)), ("near-duplicate pairs, leaks", ("repeats",)))  # fmt: skip

DATASKETCH = """
import re, resource, sys
import polars as pl
from datasketch import MinHash, MinHashLSH
frame = pl.read_parquet(sys.argv[1], columns=["prompt", "chosen", "rejected"])
pairs = kept = 0
for texts in (frame["prompt"].unique(), pl.concat([frame["chosen"], frame["rejected"].alias("chosen")]).unique()):
    lsh, sets = MinHashLSH(num_perm=24, params=(8, 3)), {}
    for n, text in enumerate(texts.to_list()):
        words = text.lower().split()
        if len(words) < 6:
            continue
        sets[n] = {f"{a} {b}".encode() for a, b in zip(words, words[1:])}
        sketch = MinHash(num_perm=24)
        sketch.update_batch(list(sets[n]))
        for other in lsh.query(sketch):
            pairs += 1
            kept += len(sets[n] & sets[other]) / len(sets[n] | sets[other]) >= 0.5
        lsh.insert(n, sketch)
use = resource.getrusage(resource.RUSAGE_SELF)
print(f"{use.ru_utime + use.ru_stime:.1f} {use.ru_maxrss / 1e6:.2f} {pairs} {kept}")
"""


def prepare(path: Path, folder: Path) -> str:
    """Pairs of the file in an audit folder; returns their recipe."""
    options = Options(part_rows=None)
    opened = read.open_source(str(path), options)
    store = Store(folder)
    with store.lock():
        store.claim(opened.source.fingerprint)
        read.read(opened, store, options, lambda number, frame: None, Progress())
    return opened.recipe


def stage(folder: Path, recipe: str, names: tuple[str, ...], answer: multiprocessing.SimpleQueue) -> None:  # type: ignore[type-arg]
    """Measure these extractors, those they need being there, and say what it took."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.time()
    made = {cls.name: cls() for cls in EXTRACTORS}
    measures = measure.Measures(Store(folder), selection.in_order(made, set(names)), recipe, 0)
    measures.fit(Progress())
    assert not measures.failed, measures.failed
    use = resource.getrusage(resource.RUSAGE_SELF)
    cpu = use.ru_utime + use.ru_stime - before.ru_utime - before.ru_stime
    answer.put((cpu, time.time() - start, use.ru_maxrss / 1e6))


def measured(path: Path, folder: Path) -> dict[str, tuple[float, float, float]]:
    """Of every stage CPU seconds, seconds and peak GB, each in a fresh process."""
    recipe = prepare(path, folder)
    context = multiprocessing.get_context("spawn")
    out = {}
    for title, names in STAGES:
        answer = context.SimpleQueue()
        process = context.Process(target=stage, args=(folder, recipe, names, answer))
        process.start()
        process.join()
        assert process.exitcode == 0, title
        out[title] = answer.get()
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--datasketch", metavar="PYTHON", help="Python of an environment with datasketch and polars")
    parser.add_argument("--sample", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = pl.scan_parquet(args.pairs).select(pl.len()).collect().item()
        print(f"{count:,} pairs\n\n| stage | CPU s | s | peak GB |\n|---|---|---|---|")
        for title, (cpu, wall, peak) in measured(args.pairs, folder / "all").items():
            print(f"| {title} | {cpu:.1f} | {wall:.1f} | {peak:.2f} |", flush=True)
        if not args.datasketch:
            return
        some = folder / "sample.parquet"
        pl.scan_parquet(args.pairs).head(args.sample).select("prompt", "chosen", "rejected").sink_parquet(some)
        ours = measured(some, folder / "some")
        near = sum(ours[title][0] for title, _ in STAGES[1:3])
        done = subprocess.run(
            [args.datasketch, "-c", DATASKETCH, str(some)], capture_output=True, text=True, check=True
        )
        cpu, peak, candidates, kept = map(float, done.stdout.split())
        print(f"\n{args.sample:,} pairs: prefaudit {near:.1f} CPU s, datasketch {cpu:.1f} ({peak:.2f} GB, "
              f"{candidates:,.0f} candidates, {kept:,.0f} of Jaccard .5 and more), ratio {cpu / near:.1f}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

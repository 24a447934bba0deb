"""CPU seconds of a default scan beside datatrove's statistics and MinHash blocks on the same pairs.

usage: python benchmarks/blocks.py PAIRS.parquet --datatrove PYTHON     an environment with datatrove[processing], spacy

datatrove 0.10 reads every answer as a document. Statistics: its document, word, line, paragraph and sentence blocks,
summaries alone. Near-duplicates: its MinHash blocks as they come (signatures of 14 buckets of 8 over five words,
buckets, clusters). One task, one process; every step is a process of its own, its CPU time the system's count for it
and its children. A scan makes more of the same pairs: probes, effects, rules and the report.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from scan import child

HERE = Path(__file__).resolve()
STEPS = ("statistics", "signatures", "buckets", "clusters")


def datatrove(step: str, path: Path, work: Path) -> None:
    """One step of datatrove, in its own environment."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.stats import DocStats, LineStats, ParagraphStats, SentenceStats, WordStats

    def answer(side: str):  # type: ignore[no-untyped-def]
        def adapter(self, data, path, id_in_file):  # type: ignore[no-untyped-def]
            return {"text": data[side], "id": f"{side}/{id_in_file}", "metadata": {}}

        return adapter

    readers = [
        ParquetReader(str(path.parent), glob_pattern=path.name, adapter=answer(s)) for s in ("chosen", "rejected")
    ]
    config, tasks = MinhashConfig(), 1
    if step == "statistics":
        blocks = (DocStats, WordStats, LineStats, ParagraphStats, SentenceStats)
        steps = [*readers, *(b(str(work / b.__name__), groups_to_compute=["summary"]) for b in blocks)]
    elif step == "signatures":
        steps = [*readers, MinhashDedupSignature(str(work / "signatures"), config=config)]
    elif step == "buckets":
        tasks = config.num_buckets
        steps = [MinhashDedupBuckets(str(work / "signatures"), str(work / "buckets"), config=config)]
    else:
        steps = [MinhashDedupCluster(str(work / "buckets"), str(work / "clusters"), config=config)]
    LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(work / f"logs-{step}")).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--datatrove", default="", metavar="PYTHON")
    parser.add_argument("--step", nargs=2, default=())
    args = parser.parse_args()
    path = args.path.resolve()
    if args.step:
        datatrove(args.step[0], path, Path(args.step[1]))
        return
    print("| tool | step | CPU s | peak MB |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        scan = [sys.executable, "-m", "prefaudit", "scan", str(path), "-o", f"{folder}/audit", "--quiet"]
        ours, memory = child([*scan, "--workers", "1"])
        print(f"| prefaudit | default scan | {ours:.1f} | {memory:.0f} |", flush=True)
        theirs = 0.0
        for step in STEPS:
            spent, memory = child([args.datatrove, str(HERE), str(path), "--step", step, folder])
            if not list(Path(folder).glob(f"logs-{step}/completions/*")):
                raise RuntimeError(f"datatrove did not finish {step}")
            theirs += spent
            print(f"| datatrove | {step} | {spent:.1f} | {memory:.0f} |", flush=True)
    print(f"\ndatatrove over prefaudit: {theirs / ours:.1f}")


if __name__ == "__main__":
    main()

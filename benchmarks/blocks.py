"""CPU seconds of a default scan beside those of datatrove and data-juicer for statistics and MinHash of the same pairs.

usage: python benchmarks/blocks.py PAIRS.parquet [--datatrove PYTHON] [--juicer PYTHON [--turbo]]

PYTHON is that of an environment with datatrove[processing] and spacy, or with py-data-juicer, aiohttp, ray, scipy and
torch (1.6.1 imports all four for these operators). Every answer is a document of theirs. Every step is a process of
its own on one thread, its CPU time the system's count for it and its children.

datatrove 0.10, statistics: its document, word, line, paragraph and sentence blocks, summaries alone. Near-duplicates:
its MinHash blocks as they come (signatures of 14 buckets of 8 over five words, buckets, clusters).

data-juicer 1.6, statistics: the eight filters of texts that need no model and no word list, thresholds wide open, so
that every document keeps its values. Duplicates: exact ones (MD5), then MinHash as it comes (256 permutations over
five words, bands for a Jaccard similarity of 0.7). What was left is read back and counted, outside the CPU time.

A scan makes more of the same pairs: probes, effects, rules and the report.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from scan import child

HERE = Path(__file__).resolve()
STEPS = ("statistics", "signatures", "buckets", "clusters")
FILTERS = {
    "text_length_filter": {"min_len": 0},
    "words_num_filter": {"min_num": 0},
    "average_line_length_filter": {"min_len": 0},
    "maximum_line_length_filter": {"min_len": 0},
    "alphanumeric_filter": {"min_ratio": 0},
    "special_characters_filter": {"max_ratio": 1},
    "character_repetition_filter": {"max_ratio": 1},
    "word_repetition_filter": {"max_ratio": 1},
}
DUPLICATES: dict[str, dict[str, int]] = {"document_deduplicator": {}, "document_minhash_deduplicator": {}}
RECIPES = {"statistics": FILTERS, "duplicates": DUPLICATES}


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


def row(tool: str, step: str, command: list[str]) -> float:
    """Run a command and print its row; its CPU seconds."""
    spent, memory = child(command)
    print(f"| {tool} | {step} | {spent:.1f} | {memory:.0f} |", flush=True)
    return spent


def troves(python: str, path: Path, folder: str) -> float:
    """All steps of datatrove; their CPU seconds."""
    spent = 0.0
    for step in STEPS:
        spent += row("datatrove", step, [python, str(HERE), str(path), "--step", step, folder])
        if not list(Path(folder).glob(f"logs-{step}/completions/*")):
            raise RuntimeError(f"datatrove did not finish {step}")
    return spent


def juicer(python: str, path: Path, folder: str, turbo: bool = False) -> float:
    """data-juicer's command on its recipes; their CPU seconds."""
    import polars as pl

    pairs, documents = pl.read_parquet(path), Path(folder) / "documents.parquet"
    pl.concat([pairs.select(text=side) for side in ("chosen", "rejected")]).write_parquet(documents)
    spent, left = 0.0, {}
    for step, operators in RECIPES.items():
        recipe, made = Path(folder) / f"{step}.yaml", Path(folder) / step / "made.jsonl"
        settings = {
            "dataset_path": str(documents),
            "export_path": str(made),
            "np": 1,
            "auto_op_parallelism": False,
            "turbo": turbo,
            "keep_stats_in_res_ds": True,
            "process": [{name: options} for name, options in operators.items()],
        }
        recipe.write_text(json.dumps(settings))
        spent += row("data-juicer", step, [str(Path(python).with_name("dj-process")), "--config", str(recipe)])
        left[step] = [json.loads(line) for line in made.open()]  # it may exit with 0 and have made nothing
    kept = left["statistics"]
    if len(kept) != 2 * len(pairs) or any(len(document["__dj__stats__"]) != len(FILTERS) for document in kept):
        raise RuntimeError("data-juicer did not give every document its statistics")
    print(f"\ndata-juicer kept {len(left['duplicates'])} of {len(kept)} documents as no duplicates")
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--datatrove", default="", metavar="PYTHON")
    parser.add_argument("--juicer", default="", metavar="PYTHON")
    parser.add_argument("--turbo", action="store_true", help="data-juicer with turbo: true, which is off by default")
    parser.add_argument("--step", nargs=2, default=())
    args = parser.parse_args()
    path = args.path.resolve()
    if args.step:
        datatrove(args.step[0], path, Path(args.step[1]))
        return
    print("| tool | step | CPU s | peak MB |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "HF_DATASETS_CACHE": folder}
        scan = [sys.executable, "-m", "prefaudit", "scan", str(path), "--quiet", "--workers", "1", "-o"]
        ours = row("prefaudit", "default scan", [*scan, f"{folder}/audit"])
        row("prefaudit", "statistics and duplicates alone", [*scan, f"{folder}/alike", "--with", "text,duplicates"])
        others = {
            "datatrove": (troves, args.datatrove),
            "data-juicer": (partial(juicer, turbo=args.turbo), args.juicer),
        }
        ratios = {tool: run(python, path, folder) / ours for tool, (run, python) in others.items() if python}
    for tool, ratio in ratios.items():
        print(f"\n{tool} over prefaudit: {ratio:.1f}")


if __name__ == "__main__":
    main()

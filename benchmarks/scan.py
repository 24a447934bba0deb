"""CPU seconds and peak memory of the text statistics: prefaudit, polars as one would write it, datatrove.

usage: python benchmarks/scan.py SMALL.parquet [LARGE.parquet] [--repeats 3] [--datatrove PYTHON] [--tools NAMES]

Every run is a process of its own; CPU time and peak memory are the operating system's count for it and its children.
The files have the columns prompt, chosen, rejected (shared/bench/make_pairs.py --distinct writes them). datatrove
lives in an environment of its own, named by its python; it runs on the small file alone, one document a side.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve()

HEDGING = (
    r"\b(?:may|might|maybe|perhaps|possibly|probably|presumably|seems?|appears to|i think|i believe|not sure|"
    r"it depends|generally|typically|likely|could be)\b"
)
CERTAINTY = (
    r"\b(?:definitely|certainly|absolutely|undoubtedly|without a doubt|clearly|obviously|of course|surely|"
    r"always|never)\b"
)
APOLOGY = r"\b(?:sorry|apologi[sz]e|apologies|forgive me|my mistake)\b"
WORN = (
    r"\b(?:delve|tapestry|testament to|important to note|worth noting|ever-changing|seamless|bustling|pivotal|"
    r"multifaceted|in conclusion|furthermore|moreover|as an ai)\b"
)
REFUSAL = r"^.{0,80}(?:sorry|apologi[sz]e|i can(?:'|’)?(?:t|not)|unable to)"
STATISTICS = {
    "words": r"\S+",
    "lines": r"\n",
    "lists": r"(?m)^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]",
    "headers": r"(?m)^#{1,6} ",
    "bold": r"\*\*[^*\n]+\*\*",
    "code": r"`[^`\n]+`|```",
    "emoji": "[\U0001f300-\U0001faff\u2600-\u27bf]",
    "questions": r"\?",
    "exclamations": r"!",
    "hedging": "(?i)" + HEDGING,
    "certainty": "(?i)" + CERTAINTY,
    "apology": "(?i)" + APOLOGY,
    "worn": "(?i)" + WORN,
    "first_person": r"\bI\b",
    "closing_question": r"\?\s*$",
    "refusal": "(?i)" + REFUSAL,
}  # the counts that all three tools make; prefaudit measures about fifteen columns more


def polars_eager(path: Path) -> None:
    """All of the file in memory, one naive expression a statistic and side."""
    import polars as pl

    frame = pl.read_parquet(path)
    made = frame.select(
        expression
        for side in ("chosen", "rejected")
        for expression in (
            pl.col(side).str.len_chars().alias(f"{side}_chars"),
            *(pl.col(side).str.count_matches(p).alias(f"{side}_{n}") for n, p in STATISTICS.items()),
        )
    )
    means = made.select(pl.all().mean())
    print(json.dumps(means.row(0, named=True)), file=sys.stderr)


def datatrove(path: Path) -> None:
    """Its parquet reader, one document a side, a step that computes the statistics of each document."""
    import re

    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.readers import ParquetReader

    patterns = {name: re.compile(pattern) for name, pattern in STATISTICS.items()}

    class Measure(PipelineStep):
        name = "preference statistics"

        def run(self, data, rank: int = 0, world_size: int = 1):  # type: ignore[no-untyped-def]
            for document in data:
                for side in ("text", "rejected"):
                    text = document.text if side == "text" else document.metadata[side]
                    self.stat_update(f"{side}_chars", value=len(text))
                    for name, pattern in patterns.items():
                        self.stat_update(f"{side}_{name}", value=sum(1 for _ in pattern.finditer(text)))
                yield document

    def adapter(self, data, path, id_in_file):  # type: ignore[no-untyped-def]
        return {"text": data["chosen"], "id": str(id_in_file), "metadata": {"rejected": data["rejected"]}}

    with tempfile.TemporaryDirectory() as logs:
        reader = ParquetReader(str(path.parent), glob_pattern=path.name, adapter=adapter)
        LocalPipelineExecutor([reader, Measure()], tasks=1, workers=1, logging_dir=logs).run()


def child(command: list[str]) -> tuple[float, float]:
    """Run a command; CPU seconds and peak resident MB of it and its children.

    Raises:
        RuntimeError: it failed.
    """
    code = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "seconds = used.ru_utime + used.ru_stime\n"
        "print(json.dumps([done.returncode, seconds, used.ru_maxrss / 1024, done.stderr[-2000:]]))\n"
    )
    out = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True).stdout
    status, seconds, memory, errors = json.loads(out)
    if status not in (0, 1):  # prefaudit exits 1 where it finds something
        raise RuntimeError(f"{' '.join(command)} exited {status}: {errors}")
    return seconds, memory


def commands(path: Path, tool: str, folder: str, python: str) -> list[str]:
    """The command line of one run."""
    if tool == "prefaudit":
        return [sys.executable, "-m", "prefaudit", "scan", str(path), "--with", "text", "-o", folder, "--quiet"]
    runner = python if tool == "datatrove" else sys.executable
    return [runner, str(HERE), str(path), "--run", tool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--datatrove", default="", metavar="PYTHON")
    parser.add_argument("--tools", default="prefaudit,polars,datatrove")
    parser.add_argument("--run", default="")
    args = parser.parse_args()
    if args.run:
        {"polars": polars_eager, "datatrove": datatrove}[args.run](args.paths[0])
        return
    print("| pairs file | tool | CPU s, median (range) | peak MB |\n|---|---|---|---|")
    for number, path in enumerate(args.paths):
        for tool in args.tools.split(","):
            if tool == "datatrove" and (number or not args.datatrove):
                continue
            used = []
            for _ in range(args.repeats):
                folder = tempfile.mkdtemp()
                try:
                    used.append(child(commands(path, tool, str(Path(folder) / "audit"), args.datatrove)))
                finally:
                    shutil.rmtree(folder)
            seconds, memory = [s for s, _ in used], max(m for _, m in used)
            middle = statistics.median(seconds)
            print(
                f"| {path.name} | {tool} | {middle:.1f} ({min(seconds):.1f} to {max(seconds):.1f}) | {memory:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

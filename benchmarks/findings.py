"""How large machine formats are after an audit with five million findings: `python benchmarks/findings.py`.

Half a million short pairs of forty sources, and ten rules of one's own of which each finds every pair.
"""

import json
import resource
import tempfile
from pathlib import Path

import polars as pl

import prefaudit
from prefaudit.reports import render

PAIRS, RULES, SOURCES = 500_000, 10, 40
RULE = """code = "USR{k:03}"
name = "every-pair-{k}"
scope = "pair"
severity = "warning"
value = "c.chars + {k}"
where = "value >= 0"
message = "{{value:.0f}}"
what = "Every pair."
why = "To have many findings."
remedy = "Nothing."
[[case]]
c.chars = 3
fires = true
"""
FORMATS = ("sarif", "junit", "github", "jsonl", "json", "markdown", "card", "baseline", "html")


def main() -> None:
    """Scan, render, and print the sizes in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules"
        rules.mkdir()
        for k in range(1, RULES + 1):
            (rules / f"USR{k:03}.toml").write_text(RULE.format(k=k))
        i = pl.int_range(PAIRS, eager=True)
        frame = pl.DataFrame({"i": i}).select(
            prompt=pl.format("What is {} plus one?", "i"),
            chosen=pl.format("It is {}.", pl.col("i") + 1),
            rejected=pl.format("I make it {}.", pl.col("i") + 2),
            source=pl.format("source {}", pl.col("i") % SOURCES),
        )
        data = Path(folder) / "pairs.parquet"
        frame.write_parquet(data)
        options = {"rules": [str(rules)], "select": ["USR"], "with_": ["text"]}
        audit = prefaudit.scan(str(data), Path(folder) / "audit", **options)
        sizes = {name: len(render(name, audit.report).encode()) for name in FORMATS}
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({"pairs": PAIRS, "findings": audit.findings.height, "bytes": sizes,
                          "parquet": (audit.folder / "findings.parquet").stat().st_size,
                          "cpu_seconds": round(used.ru_utime + used.ru_stime)}, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()

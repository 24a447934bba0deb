"""Filter of a scanned file against a plain DuckDB copy of the same file with a WHERE clause, side by side in one run.

    python benchmarks/repair.py pairs.parquet [--audit DIR]

Each is a process of its own; CPU seconds are user and system time of all its threads, memory is its peak. The scan that
makes the audit comes first and is not counted. DuckDB drops by a length rule that takes about as many rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

FILTER = """
import json, resource, sys
from prefaudit import repair
groups = tuple(filter(None, sys.argv[4].split(",")))
made = repair.filter(sys.argv[1], sys.argv[2], drop=["LEN001", "SCH", "TRC"], audit=sys.argv[3], force=True,
                     fail_on="never", with_=groups)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak_gb": used.ru_maxrss / 1e6, "kept": made.kept}))
"""
COPY = """
import json, resource, sys
import duckdb
con = duckdb.connect(config={"threads": 2})
kept = con.execute(
    f"copy (select * from '{sys.argv[1]}' where length(chosen) < 10 * length(rejected) and length(rejected) < 10 * "
    f"length(chosen)) to '{sys.argv[2]}' (format parquet, compression zstd)").fetchone()[0]
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak_gb": used.ru_maxrss / 1e6, "kept": kept}))
"""
SCAN = """
import sys
from prefaudit.audit import scan
scan(sys.argv[1], sys.argv[2], fail_on="never", with_=tuple(filter(None, sys.argv[3].split(","))))
"""


def run(program: str, *words: str) -> dict[str, float]:
    """One process and what it measured of itself."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *words], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--audit", default="")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--with", dest="groups", default="", help="extractor groups of the audit [default: all]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prefaudit-") as folder:
        audit = given.audit or str(Path(folder) / "audit")
        run(SCAN, given.data, audit, given.groups)
        print(f"{'':<10}{'CPU s':>8}{'peak GB':>9}{'rows':>11}{'MB':>8}")
        best: dict[str, float] = {}
        for _ in range(given.rounds):
            for name, program in (("prefaudit", FILTER), ("duckdb", COPY)):
                out = Path(folder) / f"{name}.parquet"
                found = run(program, given.data, str(out), audit, given.groups)
                best[name] = min(best.get(name, 1e9), found["cpu"])
                size = out.stat().st_size / 1e6
                print(f"{name:<10}{found['cpu']:>8.1f}{found['peak_gb']:>9.2f}{found['kept']:>11,.0f}{size:>8.0f}")
        print(f"ratio of the best: {best['prefaudit'] / best['duckdb']:.2f}")


if __name__ == "__main__":
    main()

"""Recall and precision of what finds defects of the data, planted in real pairs, as a Markdown table.

usage: python benchmarks/integrity.py PAIRS.parquet [--n 1000] [--seed S] [--only NAME]...

PAIRS.parquet has prompt, chosen and rejected: pairs of real answers (alpaca-eval). hh-harmless is put in front of
them where PREFAUDIT_TEST_DATA names the folder of real data. Every defect of integrity_defects is planted in rows of
its own; one scan looks at all of them, and defects that need another file or option are scanned by themselves.

recall: share of the planted rows that are found. precision: share of the rows found in which the defect holds, planted
or natural, by a plain reading of the rows that shares no code with the package.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).parent))

from integrity_defects import DEFECTS, Defect, Planted, Row

import prefaudit


def real(pairs: Path, size: int) -> list[Row]:
    """The base: hh-harmless first, then the other pairs, `size` in all; identical answers and empties left out."""
    rows: list[Row] = []
    folder = os.environ.get("PREFAUDIT_TEST_DATA")
    if folder:
        with gzip.open(Path(folder) / "hh-harmless/test.jsonl.gz", "rt", encoding="utf8") as file:
            for line in file:
                row = json.loads(line)
                prompt, _, chosen = row["chosen"].rpartition("\n\nAssistant:")
                other, _, rejected = row["rejected"].rpartition("\n\nAssistant:")
                if prompt == other:
                    rows.append({"prompt": prompt.strip(), "chosen": chosen.strip(), "rejected": rejected.strip()})
    frame = pl.read_parquet(pairs, columns=["prompt", "chosen", "rejected"])
    rows += frame.head(size).to_dicts()
    whole = [r for r in rows if r["chosen"].strip() and r["rejected"].strip() and r["chosen"] != r["rejected"]]
    return whole[:size]


def plant(rows: list[Row], defects: list[Defect], n: int, seed: int) -> dict[str, set[int]]:
    """Plant each defect in rows of its own; returns the rows that carry it."""
    rng = random.Random(seed)
    free = list(range(len(rows)))
    rng.shuffle(free)
    planted = {}
    for one in defects:
        take = min(one.n, n)
        mine, free = free[:take], free[take:]
        assert one.plant is not None and len(mine) == take, "more defects than rows"
        planted[one.name] = one.plant(rows, mine, random.Random(f"{seed} {one.name}"))
    return planted


def write(rows: list[Row], path: Path) -> Path:
    """As Parquet; a column that a row lacks is null there."""
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


def fired(audit: Any, one: Defect) -> set[int]:
    """Rows of the audit that count as found."""
    if callable(one.found):
        return one.found(audit)
    return set(audit.findings.filter(pl.col("rule").is_in(one.found))["row"].drop_nulls().to_list())


def told(one: Defect, result: Planted) -> str:
    """A line of the table."""
    hits, right = len(result.planted & result.found), len(result.found & (result.planted | result.true))
    recall = hits / max(len(result.planted), 1)
    precision = f"{right / len(result.found):.4f}" if result.found else "-"
    code = ", ".join(one.found) if isinstance(one.found, tuple) and one.found else "columns"
    natural = len((result.true - result.planted) & result.found)
    cells = (one.name, code, f"{len(result.planted):,}", f"{recall:.4f}", f"{len(result.found):,}", f"{natural:,}")
    return f"| {' | '.join(cells)} | {precision} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--only", action="append", default=[], help="part of a defect's name")
    args = parser.parse_args()
    chosen = [d for d in DEFECTS if not args.only or any(o in d.name for o in args.only)]
    base = real(args.pairs, args.size)
    print(
        f"{len(base):,} pairs, seed {args.seed}\n\n| planted | found by | rows | recall | found | natural | precision |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        together = [d for d in chosen if d.plant]
        if together:
            rows = [dict(row) for row in base]
            planted = plant(rows, together, args.n, args.seed)
            audit = prefaudit.scan(str(write(rows, folder / "planted.parquet")), folder / "audit", format="trl")
            for one in together:
                if one.holds:
                    planted[one.name] = one.holds(rows, planted[one.name])
                true = one.true(rows) if one.true else one.right(rows, audit) if one.right else set()
                print(told(one, Planted(planted[one.name], fired(audit, one), true)), flush=True)
        for one in (d for d in chosen if d.own):
            rng = random.Random(f"{args.seed} {one.name}")
            own = rng.sample(range(len(base)), min(one.n, args.n))
            (folder / one.name).mkdir()
            result = one.own([dict(row) for row in base], own, rng, folder / one.name)  # type: ignore[misc]
            print(told(one, result), flush=True)
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(f"\n{use.ru_utime + use.ru_stime:.0f} CPU s, {use.ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()

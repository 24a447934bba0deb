"""Precision and recall of the rules on defects planted in real pairs, as a Markdown table.

Run `PREFAUDIT_TEST_DATA=... python benchmarks/planted.py [SEED]`.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(seed: int) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from planted import evaluate

    with tempfile.TemporaryDirectory() as folder:
        scores, audit, bare = evaluate(Path(os.environ["PREFAUDIT_TEST_DATA"]), Path(folder), seed)
    print(
        f"seed {seed}: {audit.report['dataset']['pairs']:,} pairs, {bare.report['dataset']['pairs']:,} without plants\n"
    )
    print("| planted | rule | n | recall | findings | precision | findings without plants |")
    print("|---|---|---|---|---|---|---|")
    for s in scores:
        precision = "-" if not s.fired else f"{s.precision:.2f}"
        rate = f"{s.base_fired} ({100 * s.base_fired / s.base_pairs:.1f} %)"
        if s.rule is None:
            print(f"| {s.kind} | none | {s.planted} | {s.recall:.2f} | - | - | - |")
            continue
        print(f"| {s.kind} | {s.rule} | {s.planted} | {s.recall:.2f} | {s.fired} | {precision} | {rate} |")
    print("\n| rule of the whole | planted | without plants |\n|---|---|---|")
    without = {r["code"]: r["status"] for r in bare.report["rules"]}
    for rule in audit.report["rules"]:
        if rule["scope"] == "dataset":
            print(f"| {rule['code']} {rule['name']} | {rule['status']} | {without[rule['code']]} |")
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(f"\n{use.ru_utime + use.ru_stime:.1f} CPU s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20261121)

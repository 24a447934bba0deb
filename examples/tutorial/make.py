"""The dataset of the tutorial: `python make.py FOLDER` writes pairs.jsonl and test.jsonl.

The example dataset that comes with prefaudit, without the defects planted in its rows, split by conversation. Then
somebody labels the training pairs in a hurry: of those that carry ratings two in five get the wrong label, while the
ratings stay with the answers, and 12 pairs are sent twice. test.jsonl is left as it is.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from prefaudit.demo import demo_path, planted

Row = dict[str, Any]
DEFECTS = ("SCH", "CNF", "LBL", "TRC")


def clean() -> list[Row]:
    """Pairs of the example dataset in which nothing is planted, and one vote of each comparison."""
    spoilt = {n for entry in planted().values() if (entry["rule"] or "")[:3] in DEFECTS for n in entry.get("rows", [])}
    rows: list[Row] = []
    for line in demo_path().read_text("utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row.get("chosen") and row.get("rejected"):
            rows.append(row)
    kept = {(r["prompt"], *sorted((r["chosen"], r["rejected"]))): r for r in rows if int(r["id"][5:]) not in spoilt}
    return list(kept.values())


def turned(row: Row) -> Row:
    """The same pair with the other label; ratings belong to the answers and go with them."""
    other = {
        "chosen": "rejected",
        "rejected": "chosen",
        "score_chosen": "score_rejected",
        "score_rejected": "score_chosen",
    }
    return row | {name: row[twin] for name, twin in other.items() if twin in row}


def main() -> None:
    """Write both files."""
    folder, chance = Path(sys.argv[1]), random.Random(0)
    prompts = sorted({row["prompt"] for row in clean()})
    held = set(chance.sample(prompts, len(prompts) // 3))
    train = [row for row in clean() if row["prompt"] not in held]
    rated = [k for k, row in enumerate(train) if row.get("score_chosen") is not None]
    for k in chance.sample(rated, 2 * len(rated) // 5):
        train[k] = turned(train[k])
    train += chance.sample(train, 12)
    chance.shuffle(train)
    for name, rows in (("pairs", train), ("test", [row for row in clean() if row["prompt"] in held])):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Datasets and sessions that the repair tests share."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from prefaudit import sources
from prefaudit.audit import read as reading
from prefaudit.config import Options
from prefaudit.core import Progress
from prefaudit.formats import Layout
from prefaudit.repair import flipping, output, session
from prefaudit.repair.cut import Cut
from prefaudit.repair.evidence import Evidence
from prefaudit.store import Store

PLACE = ["source_row", "file", "line"]


def pairs(n: int, seed: int = 1) -> list[dict[str, Any]]:
    """Canonical pairs, all texts distinct, with everything a layout may carry."""
    rng = random.Random(seed)
    return [
        {
            "prompt": [{"role": "user", "content": f"Question {i}: what is {rng.random():.6f}?"}],
            "chosen": f"a good answer, {i} of {rng.random():.6f}", "rejected": f"bad {i}: {rng.random():.6f} it is",
            "label": "chosen", "first": rng.randint(0, 1), "margin": float(rng.randint(1, 3)), "source": f"s{i % 2}",
            "annotator": f"w{i % 3}", "model_chosen": "mA", "model_rejected": "mB", "score_chosen": 4.0,
            "score_rejected": 2.0,
        }
        for i in range(n)
    ]  # fmt: skip


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf8")
    return path


def options(layout: Layout, **more: Any) -> Options:
    """The cheapest scan that reads this layout."""
    mapping = {f: c for f, c in layout.fields.items() if f != "system"} if layout.hidden else {}
    return Options(format=layout.name, map=mapping, with_=("text",), fail_on="never", **more)


def begin(path: Path, opt: Options, audit: Path) -> session.Session:
    """A session on a file."""
    return session.begin(str(path), opt, audit, Progress(), session.open_data(str(path), opt))


class Pairs(Evidence):
    """What a flip needs of an audit: the pairs as they were read, nothing measured and nothing judged."""

    def __init__(self, store: Store, opt: Options) -> None:
        self.store, self.options = store, opt
        complete = store.load("pairs/complete.json") or {}
        self.pairs, self.rows = complete["pairs"], complete["rows"]


def read(path: Path, opt: Options, folder: Path) -> session.Session:
    """A session on a file that was read and not scanned."""
    opened, origin, _, _ = session.open_data(str(path), opt)
    store = Store(folder)
    reading.read(opened, store, opt, lambda number, pairs: None, Progress())
    return session.Session(opened, origin, Pairs(store, opt), opt, None)


def turned(work: session.Session, path: Path, wanted: np.ndarray) -> np.ndarray:
    """Write the source with these labels turned round; which of them were."""
    edits = flipping.flip(work, wanted)
    keep = np.ones(work.evidence.rows, bool)
    output.write(work.origin, path, path, Cut(keep, edits.rows, edits.values, edits.text, swaps=edits.swaps))
    done = np.zeros(len(wanted), bool)
    done[edits.done] = True
    return done


def cells(path: Path | str) -> tuple[pa.Table, int]:
    """The readable rows of a file as the sources room gives them, with their source rows; and how many rows it has."""
    parts = list(sources.open(str(path)).read(1000))
    return pa.concat_tables([p.table for p in parts]), sum(p.rows for p in parts)


def same_cells(before: pa.Table, keep: np.ndarray, after: pa.Table) -> bool:
    """Whether the rows of `before` that are kept are the rows of `after`, cell for cell."""
    kept = before.filter(pa.array(keep[before["source_row"].to_numpy()])).drop_columns(PLACE)
    return kept.combine_chunks().equals(after.drop_columns(PLACE).combine_chunks())

"""Made-up pairs that are read in parts."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest


def rows(n: int) -> list[dict[str, Any]]:
    rng = random.Random(0)
    words = ["why", *(f"word{k}" for k in range(15))]
    text = lambda: " ".join(rng.choices(words, k=rng.randint(3, 30)))  # noqa: E731
    return [{"prompt": text() + f" {i}", "chosen": text(), "rejected": text() if i % 7 else None} for i in range(n)]


def files(folder: Path) -> dict[str, bytes]:
    """What an audit folder holds, but for what differs from run to run."""
    own = ("run.json", ".lock")
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in own}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "d.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(300)))
    return path

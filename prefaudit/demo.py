"""The example dataset that comes with prefaudit, and the list of the defects planted in it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from prefaudit.core import SourceError, UsageError
from prefaudit.store import write_bytes


def demo_path() -> Path:
    """Path of pairs.jsonl: the copy in the installed package, else the one in the checkout.

    Raises:
        SourceError: neither is there.
    """
    return _file("pairs.jsonl")


def copy_to(path: Path, *, force: bool = False) -> None:
    """Write pairs.jsonl somewhere, to try repairs on.

    Raises:
        UsageError: something stands there already.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} exists", "name another file, or overwrite it with --force")
    from prefaudit.audit import spare

    spare.check(path)
    write_bytes(path, demo_path().read_bytes())


def planted() -> dict[str, dict[str, Any]]:
    """What is planted in the example: kind of defect to an entry.

    An entry has `rows` (numbers of pairs, from 0, in reading order) or, for what gives no pair, `lines` (lines of the
    file, from 1); `rule`, the code that finds it, or None; and `note`, a sentence on the defect.

    Raises:
        SourceError: the list is not there.
    """
    listed: dict[str, dict[str, Any]] = json.loads(_file("defects.json").read_text("utf-8"))
    return listed


def _file(name: str) -> Path:
    packed = Path(str(resources.files("prefaudit") / "data" / "demo" / name))
    path = packed if packed.is_file() else Path(__file__).resolve().parents[1] / "examples" / "demo" / name
    if not path.is_file():
        raise SourceError(f"the example dataset is not there: {path}", "install prefaudit again")
    return path

"""What a repair did, in numbers that add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit.core import AuditError


@dataclass(frozen=True)
class Repair:
    """The outcome of a repair.

    `read`, `kept`, `dropped` and `skipped` count source rows, and read = kept + dropped + skipped. `flipped` counts
    pairs whose label changed side, `softened` those that got a probability or a margin. `ledger` has a line for every
    pair or row that is missing or changed. `rules` says for each reason what it took, spared and could not judge.
    `words` are what is to be said of it, the most important first. `out` is None where nothing was written.
    """

    read: int
    kept: int
    dropped: int
    flipped: int
    skipped: int
    ledger: pl.DataFrame
    pairs: dict[str, int] = field(default_factory=dict)
    softened: int = 0
    rules: tuple[dict[str, Any], ...] = ()
    words: tuple[str, ...] = ()
    measured: dict[str, Any] = field(default_factory=dict)
    out: Path | None = None
    ledger_path: Path | None = None
    exit_code: int = 0

    def __post_init__(self) -> None:
        """Raises AuditError where the account does not add up: then nothing may be written."""
        if self.read != self.kept + self.dropped + self.skipped:
            raise AuditError(
                f"read {self.read:,} is not kept {self.kept:,} + dropped {self.dropped:,} + skipped {self.skipped:,}",
                "this is an error of prefaudit; nothing was written",
            )

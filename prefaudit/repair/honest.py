"""What a repair does to the data, measured where it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefaudit.repair.cut import Bools
from prefaudit.repair.evidence import Evidence


def measure(evidence: Evidence, gone: Bools, codes: Sequence[str], seed: int) -> dict[str, Any]:
    """Numbers, and sentences: `warnings` come first in the summary, `words` later."""
    return {"warnings": [], "words": []}

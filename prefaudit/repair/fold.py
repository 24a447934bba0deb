"""From pairs to source rows: a row goes when all its comparisons go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prefaudit.core import AuditError
from prefaudit.repair.cut import Bools, Ints
from prefaudit.repair.evidence import Evidence


@dataclass(frozen=True)
class Fold:
    """What a choice of pairs means for the source rows.

    `drop` and `skipped` are by source row. `partly` are the rows that keep some of their comparisons and lose others,
    ascending.
    """

    drop: Bools
    skipped: Bools
    partly: Ints


def fold(evidence: Evidence, gone: Bools) -> Fold:
    """Source rows of the pairs that go.

    Args:
        evidence: the audit.
        gone: by pair.

    Raises:
        AuditError: the audit's own account of rows does not add up.
    """
    n = evidence.rows
    other = evidence.other_row
    two = other >= 0
    total = np.bincount(evidence.source_row, minlength=n) + np.bincount(other[two], minlength=n)
    lost = np.bincount(evidence.source_row[gone], minlength=n) + np.bincount(other[two & gone], minlength=n)
    skipped = np.zeros(n, bool)
    skipped[evidence.audit.skipped["source_row"].to_numpy()] = True
    if len(total) != n or not np.array_equal(skipped, total == 0):
        raise AuditError("the audit does not account for every source row", "scan again with --force")
    drop = (total > 0) & (lost == total)
    return Fold(drop, skipped, np.flatnonzero((lost > 0) & ~drop))


def of_rows(evidence: Evidence, rows: Bools) -> Bools:
    """Which pairs have an answer in these source rows."""
    found = rows[evidence.source_row]
    two = evidence.other_row >= 0
    found[two] |= rows[evidence.other_row[two]]
    return np.asarray(found)

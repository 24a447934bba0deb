"""Source rows that keep some of their comparisons: answers that lose all of theirs are taken out, where that can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from prefaudit.repair import ranks
from prefaudit.repair.cut import Bools, Ints
from prefaudit.repair.rewrite import Rewriter, hashes, places
from prefaudit.repair.session import Session


@dataclass(frozen=True)
class CutOut:
    """Rows written anew, and the pairs that are gone with the answers taken out (by pair)."""

    rows: Ints
    values: pa.Table
    text: frozenset[str]
    gone: Bools
    held: Any = field(default=None, repr=False)


def cut_out(work: Session, partly: Ints, gone: Bools) -> CutOut:
    """Take answers out of rows that lose only some of their pairs.

    An answer goes when all its comparisons go. A comparison of two answers that both have others cannot be left out
    of a ranked list: it stays, and the ledger says so. Each new row is read back through the layout, and is only used
    if it gives exactly the pairs that should be left.
    """
    evidence, detected = work.evidence, work.opened.detected
    nothing = CutOut(partly[:0], pa.table({}), frozenset(), np.zeros(len(gone), bool))
    if not len(partly) or detected.layout.regroups or not _known(work):
        return nothing
    columns = evidence.pair_columns("source_row", "hash_chosen", "hash_rejected", "label")
    writer = Rewriter(detected, work.origin.names)
    touched: set[str] = set()
    for table in work.parts(partly):
        wanted: list[tuple[int, dict[str, Any], set[int], Ints]] = []
        for at, (row, values) in enumerate(zip(table["source_row"].to_pylist(), writer.decoded(table), strict=True)):
            low, high = np.searchsorted(evidence.source_row, [row, row + 1])
            pairs = places(ranks.answers(values, detected))
            if len(pairs) != high - low:
                continue
            out = _lost(pairs, gone[low:high])
            change = ranks.without(values, detected, out) if out else None
            if change is not None:
                settled = low + np.flatnonzero([bool(out & {*p}) for p in pairs])
                wanted.append((at, change, out, settled))
        if wanted:
            touched |= _accept(writer, table, wanted, columns)
    edits = writer.finish(touched)
    done = np.zeros(len(gone), bool)
    done[edits.done] = True
    return CutOut(edits.rows, edits.values, edits.text, done, edits.held)


def _known(work: Session) -> bool:
    name = work.opened.detected.layout.name
    return name in ranks.LISTS or name in ("argilla", "finegrained-rlhf")


def _lost(pairs: list[tuple[int, int]], gone: Bools) -> set[int]:
    """Answers all of whose pairs are gone."""
    stay = {i for pair, lost in zip(pairs, gone.tolist(), strict=True) if not lost for i in pair}
    return {i for pair in pairs for i in pair} - stay


def _accept(writer: Rewriter, table: pa.Table, wanted: list[Any], columns: pl.DataFrame) -> set[str]:
    picked = table.take(pa.array([at for at, *_ in wanted]))
    changed = writer.table(picked, [change for _, change, *_ in wanted])
    read = writer.read(changed)
    good, done = [], []
    source = columns["source_row"].to_numpy()
    for row, (_, _, _, settled) in zip(picked["source_row"].to_pylist(), wanted, strict=True):
        low, high = np.searchsorted(source, [row, row + 1])
        left = np.setdiff1d(np.arange(low, high), settled)
        good.append(read.get(row, []) == hashes(columns[left]))
        if good[-1]:
            done.append(settled)
    writer.accept(picked, changed, good, np.concatenate(done) if done else np.zeros(0, np.int64))
    return {name for (_, change, *_), ok in zip(wanted, good, strict=True) if ok for name in change}

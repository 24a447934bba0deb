"""Labels turned round in the source's own rows, each read back before it counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from prefaudit.repair import moves, ranks
from prefaudit.repair.cut import Bools, Ints
from prefaudit.repair.rewrite import Edits, Rewriter, hashes, places
from prefaudit.repair.session import Session

SCORES = {"helpsteer2": "helpfulness", "scored": "score", "columns-scored": "score", "prism": "score"}
REPLIES = {"kto": "label", "columns-unpaired": "label", "kto-messages": "label"}


def flip(work: Session, wanted: Bools) -> Edits:
    """Turn round the labels of these pairs.

    A pair whose row cannot say it stays as it is: `Edits.done` names those that were turned. In a row of several
    answers the ranks or ratings of the two are exchanged, and the row is used only where exactly the wanted pairs
    turn; a pair whose answers stand in two rows is turned only where neither row is in another pair.
    """
    evidence, detected = work.evidence, work.opened.detected
    writer = Rewriter(detected, work.origin.names)
    if detected.layout.regroups:
        return _two_rows(work, writer, wanted)
    rows = np.unique(evidence.source_row[wanted])
    columns = evidence.pair_columns("source_row", "hash_chosen", "hash_rejected", "label")
    touched: set[str] = set()
    for table in work.parts(rows):
        plans = []
        for at, (row, values) in enumerate(zip(table["source_row"].to_pylist(), writer.decoded(table), strict=True)):
            low, high = np.searchsorted(evidence.source_row, [row, row + 1])
            change = _change(values, work, wanted[low:high])
            if change:
                plans.append((at, change, np.arange(low, high)))
        if plans:
            touched |= _accept(writer, table, plans, columns, wanted)
    return writer.finish(touched, moves.exchanged(writer.columns, detected))


def _change(values: dict[str, Any], work: Session, turn: Bools) -> dict[str, Any] | None:
    detected = work.opened.detected
    move = moves.FLIPS.get(detected.layout.name)
    if move is not None:
        return move(values, detected) if len(turn) == 1 else None
    if detected.layout.name == "annotated-pairs":
        return _document(values, turn)
    pairs = places(ranks.answers(values, detected))
    if len(pairs) != len(turn):
        return None
    changed: dict[str, Any] = {}
    for n in np.flatnonzero(turn).tolist():
        step = ranks.exchange({**values, **changed}, detected, *pairs[n])
        if step is None:
            return None
        changed |= step
    return changed


def _document(values: dict[str, Any], turn: Bools) -> dict[str, Any] | None:
    """The comparisons of an AnnotatedPairs document whose every comparison gave a pair."""
    comparisons, judge = values.get("comparisons"), (values.get("metadata") or {}).get("default_annotator")
    if not isinstance(comparisons, list) or len(comparisons) != len(turn):
        return None
    new = list(comparisons)
    for n in np.flatnonzero(turn).tolist():
        said = comparisons[n].get("annotations", {})
        if judge not in said:
            return None
        pref = moves.word(said[judge].get("pref"))
        new[n] = {**comparisons[n], "annotations": {**said, judge: {**said[judge], "pref": pref}}}
    return {"comparisons": new}


def _accept(
    writer: Rewriter,
    table: pa.Table,
    plans: list[tuple[int, dict[str, Any], Ints]],
    columns: pl.DataFrame,
    wanted: Bools,
) -> set[str]:
    picked = table.take(pa.array([at for at, *_ in plans]))
    changed = writer.table(picked, [change for _, change, _ in plans])
    read = writer.read(changed)
    good, done = [], []
    said, at = hashes(columns[np.concatenate([pairs for *_, pairs in plans])]), 0
    for row, (_, _, pairs) in zip(picked["source_row"].to_pylist(), plans, strict=True):
        before, at = said[at : at + len(pairs)], at + len(pairs)
        after = [(r, c, label) if turn else (c, r, label) for (c, r, label), turn in
                 zip(before, wanted[pairs].tolist(), strict=True)]  # fmt: skip
        good.append(read.get(row, []) == after and all(before[i][2] == "chosen" for i in np.flatnonzero(wanted[pairs])))
        if good[-1]:
            done.append(pairs[wanted[pairs]])
    writer.accept(picked, changed, good, np.concatenate(done) if done else np.zeros(0, np.int64))
    return {name for (_, change, _), ok in zip(plans, good, strict=True) if ok for name in change}


def _two_rows(work: Session, writer: Rewriter, wanted: Bools) -> Edits:
    evidence, detected = work.evidence, work.opened.detected
    first, second = evidence.source_row, evidence.other_row
    used = np.bincount(first, minlength=evidence.rows) + np.bincount(second[second >= 0], minlength=evidence.rows)
    alone = (used[first] == 1) & ((second < 0) | (used[np.maximum(second, 0)] == 1))
    pairs = np.flatnonzero(wanted & alone & (evidence.label == "chosen").to_numpy())
    name = detected.layout.name
    column = moves.real(detected, SCORES.get(name) or REPLIES.get(name) or "text")
    if name in SCORES or name == "nemo-aligner-rm":
        pairs = pairs[second[pairs] >= 0]
    rows = np.unique(np.concatenate([first[pairs], second[pairs][second[pairs] >= 0]]))
    partner = {int(a): int(b) for p in pairs for a, b in ((first[p], second[p]), (second[p], first[p])) if a >= 0}
    values: dict[int, Any] = {}
    for table in work.parts(rows):
        for row, decoded in zip(table["source_row"].to_pylist(), writer.decoded(table), strict=True):
            values[row] = decoded.get(column)
    for table in work.parts(rows):
        numbers = table["source_row"].to_pylist()
        if name in REPLIES:
            changes = [{column: _other_label(values[row])} for row in numbers]
        else:
            changes = [{column: values[partner[row]]} for row in numbers]
        good = [change[column] is not None for change in changes]
        done = pairs[np.isin(first[pairs], numbers)]
        writer.accept(table, writer.table(table, changes), good, done)
    return writer.finish({column})


def _other_label(value: Any) -> Any:
    if isinstance(value, str):
        words = {"true": "false", "false": "true", "yes": "no", "no": "yes", "good": "bad", "bad": "good",
                 "desirable": "undesirable", "undesirable": "desirable", "chosen": "rejected", "rejected": "chosen",
                 "1": "0", "0": "1"}  # fmt: skip
        other = words.get(value.lower())
        return other.capitalize() if other and value[:1].isupper() else other
    if value in (-1, 1) and not isinstance(value, bool):
        return -value
    return moves.mirrored(value, 1) if value is not None else None

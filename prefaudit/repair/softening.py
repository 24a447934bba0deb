"""What is known of each label as it is written: a probability, a margin, or copies in proportion."""

from __future__ import annotations

import re

import numpy as np

from prefaudit.audit.review import Review
from prefaudit.core import UsageError
from prefaudit.repair.cut import Bools, Floats, Ints
from prefaudit.repair.evidence import Evidence
from prefaudit.repair.session import Session
from prefaudit.repair.strength import probability

PROBABILITY, MARGIN = "label_probability", "margin"
COPIES, MOST = 10, 100
COPIED = ("trl", "hh", "sharegpt")
"""Layouts of --to with one pair a row, in which a label can stand both ways."""


def asked(soft: bool | str) -> tuple[bool, int]:
    """Whether --soft asks for the column, and for how many copies of each pair (0: none).

    Raises:
        UsageError: it says something else.
    """
    if isinstance(soft, bool) or soft == "column":
        return bool(soft), 0
    found = re.fullmatch(r"copies(?::(\d+))?", soft)
    if not found or not 2 <= int(found[1] or COPIES) <= MOST:
        raise UsageError(f"--soft {soft!r}", f"column, copies, or copies:N with N from 2 to {MOST}")
    return False, int(found[1] or COPIES)


def check(work: Session, to: str | None, option: str) -> None:
    """Refuse a layout in which a row is not one pair: it has no place for what is known of one pair.

    Raises:
        UsageError: with the way out.
    """
    layout, evidence = work.opened.detected.layout, work.evidence
    if option == "--soft copies" and to is not None and to not in COPIED:
        raise UsageError(f"{option} does not go with --to {to}: it cannot say the same pair twice",
                         f"choose --to {', '.join(COPIED)}")  # fmt: skip
    if to is None and (evidence.pairs > evidence.rows or layout.pairs_per_row > 1 or layout.regroups):
        raise UsageError(f"{option}: a row of {layout.name} is not one pair", "write one pair a row with --to trl")


def probabilities(evidence: Evidence, turn: Bools, review: Review, option: str) -> Floats:
    """That each label is right as it will be written; 1 where nothing is known, or a reviewer decided it.

    Args:
        evidence: the audit.
        turn: by pair, which labels are turned round.
        review: what a person said: a label confirmed, or turned round for it, is right; one seen as a tie is 1/2.
        option: what errors call it.

    Raises:
        UsageError: nothing is known of any label.
    """
    correct = evidence.measured("strength", "p_correct")
    if evidence.strength is None and correct is None and not review.wrong:
        raise evidence.no_strength(option)
    strength = evidence.strength if evidence.strength is not None else np.full(evidence.pairs, np.nan)
    p = probability(evidence.pair_columns("label", "votes"), strength, correct)
    p = np.where(np.isnan(p), 1.0, np.where(turn, 1 - p, p))
    for row, wrong in review.wrong.items():
        p[row] = 0.5 if wrong == 0.5 else 1.0
    return np.asarray(np.round(p, 6), np.float64)


def margins(evidence: Evidence, turn: Bools) -> Floats:
    """The strength of each label as it will be written; 0 where nothing is known.

    Raises:
        UsageError: nothing is known of any label.
    """
    if evidence.strength is None:
        raise evidence.no_strength("--margin")
    return np.asarray(np.round(np.nan_to_num(evidence.strength * np.where(turn, -1.0, 1.0)), 6) + 0.0, np.float64)


def proportions(p: Floats, times: int, able: Bools) -> tuple[Ints, Ints]:
    """How many of `times` copies of each pair have the label as it will be written, and how many the other one.

    round(times p), halves up; all of them where the label cannot be turned round (ties, single replies).
    """
    same = np.where(able, np.floor(times * p + 0.5), times).astype(np.int64)
    return same, times - same


def possible(copies: tuple[Ints, Ints], able: Bools) -> tuple[Ints, Ints]:
    """The copies with the other label moved to the label as it is where the row cannot say the other one."""
    same, other = copies
    return np.where(able, same, same + other), np.where(able, other, 0)


def counted(copies: tuple[Ints, Ints] | None, kept: Bools) -> dict[str, int]:
    """Pairs written in all, and how many of them have the other label."""
    if copies is None:
        return {}
    same, other = (int(c[kept].sum()) for c in copies)
    return {"written": same + other, "written_other": other}


def by_row(evidence: Evidence, turned: Bools, copies: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Copies of each source row as it was and as changed, from those of its pair by the label as it will be written."""
    same, other = copies
    found = []
    for numbers in (np.where(turned, other, same), np.where(turned, same, other)):
        rows = np.zeros(evidence.rows, np.int64)
        rows[evidence.source_row] = numbers
        found.append(rows)
    return found[0], found[1]

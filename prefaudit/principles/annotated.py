"""Votes that were cast elsewhere: an AnnotatedPairs file of inverse constitutional AI or Feedback Forensics."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from prefaudit.core import Parts, RuleError
from prefaudit.models.chat_said import whole
from prefaudit.principles.ask import NONE, Ballots
from prefaudit.principles.discover import Found
from prefaudit.principles.library import Principle, named, unreadable

SILENT = {"not_applicable", "both", "neither"}  # reasons without a preference; any other is no vote
KINDS = {"principle"}
PREFS = ("a", "text_a", "b", "text_b")
EXPECTED = "votes are an AnnotatedPairs file, JSON"
VERSIONS = {"1", "2"}
MARKED = {"", "nan"}  # texts that an export writes with a space behind them


def read(path: str | Path, parts: Parts, known: Iterable[Principle] = ()) -> Found:
    """The principles of a file, and their votes on the pairs that it has in common with the dataset.

    A comparison belongs to a pair with the same two answers, all that are blank being the same; where several do, each
    to one, in their order. Annotators with the same text are one principle, and one with the text of a known principle
    is that one, by its id. A preference that names neither answer is no vote, and counted as failed.

    Args:
        path: a file of version 1 or 2.
        parts: of the audit; needs row, label, chosen and rejected.
        known: principles whose ids are kept.

    Raises:
        RuleError: it cannot be read, is of another version, holds no principle, or no pair of the dataset.
    """
    document = _document(Path(path))
    people = document["annotators"]
    ids = {named(p.text).id: p.id for p in known}
    principles: dict[str, Principle] = {}
    keys: dict[str, list[str]] = defaultdict(list)
    for key, one in people.items():
        if isinstance(one, Mapping) and str(one.get("type")) in KINDS:
            made = _named(path, str(one.get("description") or one.get("name") or ""))
            made = replace(made, id=ids.get(made.id, made.id))
            principles.setdefault(made.id, made)
            keys[made.id].append(key)
    if not principles:
        raise RuleError(f"{path}: no annotator in it is a principle", "their type has to say so")
    held: dict[frozenset[str], list[Mapping[str, Any]]] = defaultdict(list)
    for comparison in document["comparisons"]:
        held[frozenset(_answers(path, comparison))].append(comparison)
    rows, votes, unread, of = [], [], 0, 0
    for frame in parts(["row", "label", "chosen", "rejected"]):
        won = frame.filter(pl.col("label") == "chosen").drop("label").drop_nulls()
        of += won.height
        for row, *texts in won.iter_rows():
            chosen, rejected = (_plain(text) for text in texts)
            same = held.get(frozenset((chosen, rejected))) if chosen != rejected else None
            if same:
                comparison = same.pop(0)
                rows.append(row)
                votes.append(_votes(path, comparison, keys.values(), chosen))
                unread += _unread(comparison, keys.values())
    if not rows:
        raise RuleError(f"{path}: no pair of the dataset is in it", "the two answers have to be the same texts")
    ballots = Ballots(tuple(rows), np.repeat(np.array(votes, np.int8)[:, None], 2, axis=1), ())
    facts = {"file": Path(path).name, "pairs": len(rows), "of": of, "comparisons": len(document["comparisons"]),
             "votes": int((ballots.votes[:, 0] != NONE).sum()),
             "failed": {"unreadable": unread} if unread else {}}  # fmt: skip
    return Found(tuple(principles.values()), ballots, facts)


def content(path: str | Path) -> str:
    """What tells two such files apart.

    Raises:
        RuleError: it cannot be read.
    """
    try:
        return hashlib.blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()
    except OSError as error:
        raise unreadable(path, error, EXPECTED) from error


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise unreadable(path, error, EXPECTED) from error
    if not isinstance(found, dict) or not (
        isinstance(found.get("annotators"), Mapping) and isinstance(found.get("comparisons"), list)
    ):
        raise RuleError(f"{path}: no AnnotatedPairs", "an object with metadata, annotators and comparisons")
    head = found.get("metadata")
    version = head.get("version") if isinstance(head, Mapping) else None
    if version is not None and str(version).partition(".")[0] not in VERSIONS:
        raise RuleError(f"{path}: AnnotatedPairs of version {str(version)[:20]!r}", "versions 1 and 2 can be read")
    return found


def _answers(path: str | Path, comparison: Any) -> tuple[str, str]:
    """The two texts, the first of them A."""
    try:
        if "response_a" in comparison:
            return _text(comparison["response_a"]["text"]), _text(comparison["response_b"]["text"])
        return _text(comparison["text_a"]), _text(comparison["text_b"])
    except (KeyError, TypeError, IndexError) as error:
        raise RuleError(f"{path}: a comparison without two texts: {error}", "response_a and response_b") from error


def _text(said: Any) -> str:
    return _plain(str(said[-1]["content"]) if isinstance(said, list) else str(said))


def _plain(text: str) -> str:
    """The text as data have it; without the space that an export puts behind what could be taken for missing."""
    bare = text.strip()
    return bare if bare in MARKED else whole(text)


def _votes(path: str | Path, comparison: Mapping[str, Any], keys: Iterable[Sequence[str]], chosen: str) -> list[int]:
    """The vote on each principle: of the first of its annotators that has one."""
    own = 1 if _answers(path, comparison)[0] == chosen else -1
    sides = dict(zip(PREFS, (own, own, -own, -own), strict=True))
    notes = comparison.get("annotations") or {}
    try:
        told = [[_vote(notes[key], sides) for key in some if notes.get(key)] for some in keys]
    except (AttributeError, TypeError) as error:
        raise RuleError(f"{path}: the annotations of a comparison are wrong: {error}",
                        'by annotator, as {"pref": "a"}') from error  # fmt: skip
    return [next((vote for vote in votes if vote != NONE), int(NONE)) for votes in told]


def _unread(comparison: Mapping[str, Any], keys: Iterable[Sequence[str]]) -> int:
    """Preferences that name neither answer."""
    notes = comparison.get("annotations") or {}
    said = [notes[key].get("pref") for some in keys for key in some if notes.get(key)]
    return sum(pref is not None and str(pref).lower() not in PREFS for pref in said)


def _vote(note: Mapping[str, Any], sides: Mapping[str, int]) -> int:
    pref, why = note.get("pref"), note.get("no_pref_reason")
    return sides.get(str(pref).lower(), 0 if pref is None and str(why) in SILENT else int(NONE))


def _named(path: str | Path, text: str) -> Principle:
    try:
        return named(text, "file", Path(path).name)
    except RuleError as error:
        raise RuleError(f"{path}: {error.message}", error.hint) from error

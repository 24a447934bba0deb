"""A constitution as a file: chosen on one dataset, asked of another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.core import RuleError
from prefaudit.principles.constitution import Ruled
from prefaudit.principles.library import COLUMNS, LONGEST, OPENING, Principle, unreadable
from prefaudit.rules.sql import Parser

Hashes = NDArray[np.uint64]

SCHEMA = "prefaudit.constitution/1"
MOST = 100  # rules of a file
MARKS = 64  # pairs that a file tells by their answers
BIGGEST = 1_000_000  # bytes


def written(rules: Sequence[Ruled], principles: Mapping[str, Principle], about: Mapping[str, Any]) -> dict[str, Any]:
    """What the file holds: rules with everything that asks and weighs them, and `about`, what it was chosen on."""
    told = [
        {"id": r.id, "says": principles[r.id].told(r.sign), "sign": r.sign, "weight": r.weight,
         "text": principles[r.id].text, "otherwise": principles[r.id].otherwise, "sql": principles[r.id].sql,
         "citation": principles[r.id].citation}
        for r in rules
    ]  # fmt: skip
    return {"schema": SCHEMA, "rules": told, "chosen_on": dict(about)}


def marks(chosen: Hashes, rejected: Hashes) -> Hashes:
    """(n,) numbers that tell n pairs by their answers, whichever of the two is the chosen one."""
    both = np.minimum(chosen, rejected) * np.uint64(0x9E3779B97F4A7C15) + np.maximum(chosen, rejected)
    return np.asarray((both ^ (both >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9))


def kept(all_: Hashes) -> list[str]:
    """The least of the marks: a sample of the pairs that is the same wherever the same pairs are (Broder 1997)."""
    return [f"{mark:016x}" for mark in np.unique(all_)[:MARKS].tolist()]


def seen(path: str | Path, all_: Hashes) -> float | None:
    """The share of the pairs a file was chosen on that are among those with these marks; None where it tells none.

    Raises:
        RuleError: what it tells of them is no marks.
    """
    about = json.loads(Path(path).read_text(encoding="utf-8")).get("chosen_on")
    told = about.get("answers") if isinstance(about, dict) else None
    if not isinstance(told, list) or not told:
        return None
    try:
        known = np.array([int(str(mark), 16) for mark in told], np.uint64)
    except (ValueError, OverflowError) as e:
        raise RuleError(f"{path}: answers of chosen_on: {e}", "leave them out, or write the file anew by a scan") from e
    return float(np.isin(known, all_).mean())


def read(path: str | Path) -> tuple[tuple[Ruled, ...], tuple[Principle, ...]]:
    """The rules of a constitution's file, and the principles they are made of.

    Raises:
        RuleError: it cannot be read or is no such file.
    """
    path = Path(path)
    try:
        if path.stat().st_size > BIGGEST:
            raise RuleError(f"{path}: larger than {BIGGEST:,} bytes", "a constitution is short")
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict) or said.get("schema") != SCHEMA or not isinstance(said.get("rules"), list):
            raise RuleError(f"{path}: no constitution", "the constitution.json of an audit folder is one")
        if not 0 < len(said["rules"]) <= MOST:
            raise RuleError(f"{path}: {len(said['rules'])} rules", f"between 1 and {MOST} are expected")
        pairs = [_rule(rule) for rule in said["rules"]]
    except json.JSONDecodeError as e:
        raise RuleError(f"{path}: no JSON: {e}", "a constitution is the constitution.json of an audit folder") from e
    except (OSError, UnicodeDecodeError, RecursionError) as e:
        raise unreadable(path, e, "the constitution.json of an audit folder is one", "constitution.json") from e
    except RuleError as e:
        raise RuleError(f"{path}: {e.message.removeprefix(f'{path}: ')}", e.hint) from e
    except (KeyError, TypeError, ValueError) as e:
        why = f"{e} is missing" if isinstance(e, KeyError) else e
        raise RuleError(f"{path}: a rule is wrong: {why}", "correct it, or write the file anew by a scan") from e
    if len({rule.id for rule, _ in pairs}) < len(pairs):
        raise RuleError(f"{path}: a principle stands there twice")
    return tuple(rule for rule, _ in pairs), tuple(principle for _, principle in pairs)


def _rule(said: Mapping[str, Any]) -> tuple[Ruled, Principle]:
    for name in ("sign", "weight"):
        if isinstance(said[name], bool) or not isinstance(said[name], int | float):
            raise ValueError(f"the {name} of {said.get('id')!r} is {json.dumps(said[name])[:40]}, not a number")
    rule = Ruled(str(said["id"]), int(said["sign"]), float(said["weight"]))
    text, sql = str(said["text"]), said.get("sql")
    json.dumps(said, ensure_ascii=False).encode()  # half a character is none
    if not rule.id.isidentifier():
        raise ValueError(f"the id {rule.id!r} is not letters, digits and underscores alone")
    if rule.id in COLUMNS:
        raise ValueError(f"the id {rule.id!r} is the name of a column beside the votes")
    if rule.sign not in (-1, 1) or not 0 <= rule.weight < 100:
        raise ValueError(f"{rule.id!r} has the sign {rule.sign} and the weight {rule.weight}: 1 or -1, and 0 to 100")
    if not text.startswith(OPENING) or len(text) > LONGEST + len(OPENING):
        raise ValueError(f"{rule.id!r}: the text has to begin with {OPENING!r} and be short")
    otherwise = str(said.get("otherwise") or "")
    if otherwise and (not otherwise.startswith(OPENING) or len(otherwise) > LONGEST + len(OPENING)):
        raise ValueError(f"{rule.id!r}: otherwise has to begin with {OPENING!r} and be short")
    if not (text + otherwise).isprintable():
        raise ValueError(f"{rule.id!r}: the text holds a line break or another character that cannot be printed")
    if sql is not None:
        Parser().parse(str(sql))
    made = Principle(rule.id, text, "file", None if sql is None else str(sql), str(said.get("citation") or ""))
    return rule, replace(made, otherwise=otherwise)


def prompt(rules: Sequence[Ruled], principles: Mapping[str, Principle]) -> list[str]:
    """The rules in words, the weightiest first."""
    ordered = sorted(rules, key=lambda r: (-r.weight, r.id))
    return [principles[r.id].told(r.sign) for r in ordered]

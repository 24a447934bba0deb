"""Duplicates and conflicts."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from integrity_defects.base import Planted, Row, defect, own_scan, plain

SIMILAR = 0.7
WORDS = ("amber", "basin", "copper", "drift", "ember", "flint", "garnet", "harbor", "indigo", "juniper", "kettle")


def _keys(rows: list[Row]) -> list[tuple[str, str, str]]:
    return [(plain(r["prompt"]), plain(r["chosen"]), plain(r["rejected"])) for r in rows]


def repeated(rows: list[Row]) -> set[int]:
    """Rows that have the prompt, chosen and rejected of an earlier one, but for form."""
    seen, found = set(), set()
    for number, key in enumerate(_keys(rows)):
        if key in seen:
            found.add(number)
        seen.add(key)
    return found


def contradicted(rows: list[Row]) -> set[int]:
    """Rows whose two answers are labelled the other way elsewhere, but for form."""
    keys = _keys(rows)
    known = set(keys)
    texts = [(p, row["chosen"], row["rejected"]) for (p, _, _), row in zip(keys, rows, strict=True)]
    written = set(texts)
    found = {n for n, (p, c, r) in enumerate(keys) if c != r and (p, r, c) in known}
    return found | {n for n, (p, c, r) in enumerate(texts) if c != r and (p, r, c) in written}


@defect("exact pair", ("DUP001",), true=repeated)
def exact(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    rows += [dict(rows[number]) for number in own]
    return set(range(len(rows) - len(own), len(rows)))


@defect("swapped pair, labelled both ways", ("CNF001",), true=contradicted)
def swapped(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    rows += [{**rows[n], "chosen": rows[n]["rejected"], "rejected": rows[n]["chosen"]} for n in own]
    return {*own, *range(len(rows) - len(own), len(rows))}


@defect("pair with other case and punctuation", ("DUP001",), true=repeated)
def restyled(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    for number in own:  # the words of a transcript that name its speakers stay as they are
        row = rows[number]
        while any(plain(text) == text for text in row.values()):  # nothing but marks: no form to change
            row = rows[rng.randrange(len(rows))]
        rows.append({**row, "prompt": f"{row['prompt']} !", "chosen": row["chosen"].upper(),
                     "rejected": f"“{row['rejected']}”..."})  # fmt: skip
    return set(range(len(rows) - len(own), len(rows)))


def boilerplate_rows(rows: list[Row]) -> set[int]:
    """Rows with an answer that stands under a hundred prompts and more, but for the first row that has it."""
    under: dict[str, set[str]] = defaultdict(set)
    first: dict[str, int] = {}
    for number, row in enumerate(rows):
        for side in ("chosen", "rejected"):
            under[row[side]].add(row["prompt"])
            first.setdefault(row[side], number)
    common = {text for text, prompts in under.items() if len(prompts) >= 100}
    return {n for n, r in enumerate(rows) for s in ("chosen", "rejected") if r[s] in common and first[r[s]] < n}


@defect("boilerplate rejected", ("DUP004",), true=boilerplate_rows)
def boilerplate(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    canned = "I'm sorry, but as an assistant of this service I cannot help with requests of that kind today."
    for number in own:
        rows[number]["rejected"] = canned
    return set(sorted(own)[1:])


def circles(rows: list[Row]) -> set[int]:
    """Rows among answers that reach each other in the graph of majorities, found by walking it."""
    votes: dict[str, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    keys = _keys(rows)
    for p, c, r in keys:
        if c != r:
            votes[p][c, r] += 1
    inside = set()
    for p, counts in votes.items():
        beats: dict[str, set[str]] = defaultdict(set)
        for (c, r), n in counts.items():
            if n > counts.get((r, c), 0):
                beats[c].add(r)
        if len({c for c, r in counts} | {r for c, r in counts}) >= 3:
            reach = {a: _reached(beats, a) for a in list(beats)}
            inside |= {(p, a, b) for a in reach for b in reach[a] if a in reach.get(b, ())}
    return {n for n, (p, c, r) in enumerate(keys) if (p, c, r) in inside and c != r}


def _reached(beats: dict[str, set[str]], start: str) -> set[str]:
    seen, todo = set(), [start]
    while todo:
        for other in beats.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


@defect("cycle of three answers", ("CNF003",), true=circles)
def cycle(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    planted = set()
    for number in own:
        row = rows[number]
        while plain(row["chosen"]) == plain(row["rejected"]):  # one answer, but for form: no circle of three
            other = rng.choice(rows)
            row |= {"chosen": other["chosen"], "rejected": other["rejected"]}
        row["prompt"] = f"{row['prompt']} (asked {number} times)"
        third = rows[rng.randrange(len(rows))]["chosen"] + f" Or {number}."
        planted |= {number, len(rows), len(rows) + 1}
        rows.append({**row, "chosen": row["rejected"], "rejected": third})
        rows.append({**row, "chosen": third, "rejected": row["chosen"]})
    return planted


def _changed(text: str, rng: random.Random) -> str:
    """The text with one word in twenty replaced by another."""
    pieces = re.split(r"(\s+)", text)
    words = [at for at, piece in enumerate(pieces) if piece.strip()]
    for at in rng.sample(words, max(1, round(len(words) / 20))):
        pieces[at] = rng.choice(WORDS)
    return "".join(pieces)


def grams(text: str) -> set[tuple[str, ...]]:
    """Pairs of neighbouring words."""
    words = text.lower().split()
    return set(pairwise(words)) if len(words) >= 6 else set()


def jaccard(a: str, b: str) -> float:
    """Of the pairs of words of two texts, counted out."""
    left, right = grams(a), grams(b)
    return len(left & right) / max(len(left | right), 1)


def _alike(audit: Any, column: str) -> dict[int, int]:
    """Row to the row named as most like it, where their Jaccard is .7 and more."""
    told = audit.features().select("row", pl.col(column).struct.unnest().name.prefix("_")).collect()
    told = told.filter(pl.col("_jaccard").list.get(1, null_on_oob=True) >= SIMILAR)
    return dict(told.select("row", "_row").rows())


def _found(column: str) -> Any:
    return lambda audit: set(_alike(audit, column))


def _right(column: str, *sides: str) -> Any:
    """Rows for which the row named does hold a text of that Jaccard, counted out."""

    def check(rows: list[Row], audit: Any) -> set[int]:
        own = column.removeprefix("near_")
        pairs = _alike(audit, column).items()
        return {n for n, m in pairs if max(jaccard(rows[n][own], rows[m][side]) for side in sides) >= SIMILAR}

    return check


def _long(rows: list[Row], number: int, rng: random.Random, *sides: str) -> Row:
    """The row, or another one, whose texts have twenty words and more, so that one in twenty can be changed."""
    while any(len(rows[number][side].split()) < 20 for side in sides):
        number = rng.randrange(len(rows))
    return rows[number]


def _vary(rows: list[Row], own: list[int], rng: random.Random, *sides: str) -> set[int]:
    base = rows[:]
    for number in own:
        row = _long(base, number, rng, *sides)
        rows.append({**row, **{side: _changed(row[side], rng) for side in sides}})
    return set(range(len(rows) - len(own), len(rows)))


@defect("prompt, 5 % of words changed", _found("near_prompt"), right=_right("near_prompt", "prompt"))
def near_prompt(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    return _vary(rows, own, rng, "prompt")


@defect("chosen, 5 % of words changed", _found("near_chosen"), right=_right("near_chosen", "chosen", "rejected"))
def near_chosen(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    return _vary(rows, own, rng, "chosen")


@defect("rejected, 5 % of words changed", _found("near_rejected"), right=_right("near_rejected", "chosen", "rejected"))
def near_rejected(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    return _vary(rows, own, rng, "rejected")


def near_pairs(rows: list[Row], audit: Any) -> set[int]:
    """Rows of DUP003 whose earlier pair has three texts of Jaccard .7 and more, counted out, or equal but for form."""
    told = audit.features().select("row", pl.col("near_pair").struct.field("row").alias("other")).collect()
    others = dict(told.drop_nulls().rows())
    fired = audit.findings.filter(pl.col("rule") == "DUP003")["row"].to_list()
    like = lambda a, b: plain(a) == plain(b) or jaccard(a, b) >= SIMILAR  # noqa: E731
    return {n for n in fired if all(like(rows[n][s], rows[others[n]][s]) for s in ("prompt", "chosen", "rejected"))}


def still_near(rows: list[Row], planted: set[int]) -> set[int]:
    """Planted rows whose three texts each have a Jaccard of .7 and more with those of one earlier row, counted out."""
    under: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        under[row["prompt"]].append(number)
    holding: dict[tuple[str, ...], list[str]] = defaultdict(list)  # prompts that share no pair of words are not alike
    for prompt in under:
        for pair in grams(prompt):
            holding[pair].append(prompt)

    def like(number: int) -> bool:
        row = rows[number]
        prompts = {other for pair in grams(row["prompt"]) for other in holding[pair]}
        near = (prompt for prompt in prompts if jaccard(row["prompt"], prompt) >= SIMILAR)
        earlier = (rows[n] for prompt in near for n in under[prompt] if n < number)
        return any(all(jaccard(row[s], other[s]) >= SIMILAR for s in ("chosen", "rejected")) for other in earlier)

    return {number for number in planted if like(number)}


@defect("whole pair, 5 % of words changed", ("DUP003",), right=near_pairs, holds=still_near)
def near_pair(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    return _vary(rows, own, rng, "prompt", "chosen", "rejected")


def _leak(rows: list[Row], own: list[int], rng: random.Random, folder: Path, change: bool) -> Planted:
    """A tenth of the prompts is the test; prompts of training are put into it under other answers."""
    import prefaudit

    held = {row["prompt"] for row in rows if rng.random() < 0.1}
    train = [row for row in rows if row["prompt"] not in held]
    test = [row for row in rows if row["prompt"] in held]
    planted = set()
    for number in own:
        prompt = _long(train, number % len(train), rng, "prompt")["prompt"]
        planted.add(len(train) + len(test))
        test.append({**rng.choice(test), "prompt": _changed(prompt, rng) if change else prompt})
    for name, some in (("train", train), ("test", test)):
        pl.DataFrame(some).write_parquet(folder / f"{name}.parquet")
    data = [str(folder / "train.parquet"), str(folder / "test.parquet")]
    audit = prefaudit.scan(data, folder / "audit", format="trl", with_=["duplicates"])
    found = set(audit.findings.filter(pl.col("rule") == "DUP005")["row"].to_list())
    told = audit.features().select("row", pl.col("leak").struct.field("row").alias("other")).collect()
    others, both = dict(told.drop_nulls().rows()), train + test
    true = {n for n in found if _shared(both[n], both[others[n]])}
    return Planted(planted, found, true)


def _shared(row: Row, other: Row) -> bool:
    """Whether prompt, or an answer, of a row stands in the other one, exactly or nearly."""
    if plain(row["prompt"]) == plain(other["prompt"]) or jaccard(row["prompt"], other["prompt"]) >= SIMILAR:
        return True
    sides = ("chosen", "rejected")
    return any(row[a] == other[b] or jaccard(row[a], other[b]) >= SIMILAR for a in sides for b in sides)


@own_scan("training prompt in the test file")
def leak(rows: list[Row], own: list[int], rng: random.Random, folder: Path) -> Planted:
    return _leak(rows, own, rng, folder, change=False)


@own_scan("training prompt in the test file, 5 % changed")
def near_leak(rows: list[Row], own: list[int], rng: random.Random, folder: Path) -> Planted:
    return _leak(rows, own, rng, folder, change=True)

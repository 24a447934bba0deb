"""Rows of several answers: one taken out, or what was said of two of them exchanged."""

from __future__ import annotations

from itertools import combinations

from prefaudit.formats import Detected
from prefaudit.repair.moves import Change, Row, real

LISTS: dict[str, tuple[str, ...]] = {
    "ultrafeedback": ("completions", "models"), "nectar": ("answers",), "nemo-rl": ("completions",),
    "distilabel": ("generations", "ratings", "generation_models", "model_names", "generations_models"),
}  # fmt: skip
"""Lists whose i-th elements speak of the i-th answer, the one that holds the answers first."""

STAYS = {"ultrafeedback": {"model", "principle", "custom_system_prompt", "response", "source_dataset"},
         "nectar": {"answer", "model"}, "nemo-rl": {"completion"}}  # fmt: skip
"""Keys of an element that belong to the answer; the others are what was said of it, and are exchanged in a flip."""


def answers(row: Row, detected: Detected) -> list[int]:
    """Places of the answers that the row of several answers has; none where that is not known."""
    name = detected.layout.name
    if name in LISTS:
        value = row.get(real(detected, LISTS[name][0]))
        return list(range(len(value))) if isinstance(value, list) else []
    if name == "finegrained-rlhf":
        return [n for n in range(4) if row.get(real(detected, f"prediction {n + 1}")) is not None]
    if name == "argilla":
        return [n for n, column in enumerate(_generations(row)) if row[column] is not None]
    return []


def _generations(row: Row) -> list[str]:
    names = [n for n in row if n.startswith("generations-") and n[12:].isdigit()]
    return sorted(names, key=lambda n: int(n[12:]))


def without(row: Row, detected: Detected, out: set[int]) -> Change:
    """The row without some of its answers."""
    name = detected.layout.name
    if name in LISTS:
        n, changed = len(answers(row, detected)), {}
        for column in (real(detected, c) for c in LISTS[name]):
            value = row.get(column)
            if isinstance(value, list) and len(value) == n:
                changed[column] = [v for i, v in enumerate(value) if i not in out]
        return changed
    if name == "argilla":
        return {_generations(row)[i]: None for i in out}
    if name == "finegrained-rlhf":
        return {real(detected, f"prediction {i + 1}"): None for i in out}
    return None


def exchange(row: Row, detected: Detected, i: int, j: int) -> Change:
    """What was said of answers i and j exchanged: rank with rank, rating with rating."""
    name = detected.layout.name
    if name == "finegrained-rlhf":
        column = real(detected, "preference")
        said, pair = list(row[column]), list(combinations(range(4), 2)).index((i, j))
        said[pair] = {1: 2, 2: 1}.get(said[pair], said[pair])
        return {column: said}
    if name == "argilla":
        a, b = (_generations(row)[k] for k in (i, j))
        told = [(c, b + c[len(a) :]) for c in row if c.startswith(f"{a}-") and b + c[len(a) :] in row]
        return {n: row[o] for x, y in told for n, o in ((x, y), (y, x))}
    if name == "distilabel":
        column = real(detected, "ratings")
        said = list(row[column])
        said[i], said[j] = said[j], said[i]
        return {column: said}
    if name in STAYS:
        column = real(detected, LISTS[name][0])
        elements = list(row[column])
        one, two = elements[i], elements[j]
        x, y = ({k: v for k, v in element.items() if k in STAYS[name]} for element in (one, two))
        elements[i], elements[j] = {**one, **two, **x}, {**two, **one, **y}
        return {column: elements}
    return None

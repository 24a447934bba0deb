"""What `[gate.CODE]` and `[gate.effects.FEATURE]` say, read and checked."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from prefaudit.core import UsageError, unknown

BY = ("source", "annotator", "language")
"""What a slice may be named by; the language is that of both answers."""

EFFECTS = "effects"
"""Under `gate`, the table of gates on features; every other name is a rule."""

MEASURES: Mapping[bool, tuple[str, ...]] = MappingProxyType(
    {False: ("value", "rate", "rate_low", "found"), True: ("effect", "bound", "win_rate")}
)
"""What a condition may speak of: of a rule, and of an effect."""

OPERATORS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne}
)
RANGE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"rate": (0, 1), "rate_low": (0, 1), "win_rate": (0, 1), "effect": (-1, 1), "bound": (-1, 1),
     "found": (0, math.inf)}
)  # fmt: skip
"""Between what a measure lies; what `value` may be, depends on the rule."""

NEVER = "never"
CONDITIONS = ("error_if", "warn_if")
KEYS = (*CONDITIONS, "min_rows")

_FORM = re.compile(
    r"(?:(?P<abs>abs)\(\s*(?P<inner>\w+)\s*\)|(?P<name>\w+))\s*(?P<op>[<>]=?|[=!]=)\s*"
    r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<percent>%)?"
)


@dataclass(frozen=True)
class Condition:
    """One comparison of one measure with one number; a measure of "" never holds."""

    text: str
    measure: str = ""
    absolute: bool = False
    op: str = ">"
    bound: float = 0.0

    def holds(self, numbers: Mapping[str, float | None]) -> bool | None:
        """Whether it holds; None where its measure is not known."""
        if not self.measure:
            return False
        value = numbers.get(self.measure)
        if value is None:
            return None
        return OPERATORS[self.op](abs(value) if self.absolute else value, self.bound)


@dataclass(frozen=True)
class Gate:
    """The conditions of one rule or feature, of all its rows or of a slice.

    `slices` are asked first, in order; a pair belongs to the first slice it fits, and the gate itself is of the rest.
    """

    on: str  # a rule's code, or effects.FEATURE
    error_if: Condition | None = None
    warn_if: Condition | None = None
    min_rows: int = 0
    where: tuple[tuple[str, str], ...] = ()  # of a slice: (one of BY, the name)
    slices: tuple[Gate, ...] = ()

    @property
    def feature(self) -> str | None:
        """The feature that an effect gate speaks of; None for a rule's."""
        return self.on.removeprefix(f"{EFFECTS}.") if self.on.startswith(f"{EFFECTS}.") else None


class GateError(UsageError):
    """What is wrong with a table of the configuration; `path` are the keys that lead to it."""

    def __init__(self, path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.path = path


def read(table: Mapping[str, Any]) -> tuple[Gate, ...]:
    """The gates of the table `gate`, in its order.

    Raises:
        GateError: a key is unknown, a value has the wrong type, or a condition cannot be read. Whether there is such a
            rule or feature is not checked here.
    """
    found = []
    for code, value in table.items():
        if code != EFFECTS:
            found.append(_gate(("gate", code), code, value))
            continue
        for feature, inner in _table(("gate", EFFECTS), value, None).items():
            found.append(_gate(("gate", EFFECTS, feature), f"{EFFECTS}.{feature}", inner))
    return tuple(found)


def _gate(path: tuple[str | int, ...], on: str, value: Any) -> Gate:
    effect = on.startswith(f"{EFFECTS}.")
    table = _table(path, value, KEYS if effect else (*KEYS, "slice"))
    gate = _conditions(path, Gate(on), table, effect)
    slices = []
    entries = table.get("slice", [])
    if not isinstance(entries, list):
        raise GateError((*path, "slice"), "has to be written as [[gate.CODE.slice]]", "one such table for each slice")
    for number, entry in enumerate(entries):
        at = (*path, "slice", number)
        inner = _table(at, entry, (*KEYS, *BY))
        names = tuple((by, inner[by]) for by in BY if by in inner)
        if not names:
            raise GateError(at, "names no slice", "say which: " + ", ".join(f'{by} = "..."' for by in BY))
        wrong = next((by for by, name in names if not isinstance(name, str) or not name), None)
        if wrong is not None:
            raise GateError((*at, wrong), f"has to be a name in quotes, not {inner[wrong]!r}", "as the data have it")
        slices.append(_conditions(at, replace(gate, where=names), inner, effect))
    if not slices and not any(key in table for key in CONDITIONS):
        raise GateError(path, "has no condition", 'for example error_if = "rate > 5 %"')
    return replace(gate, slices=tuple(slices))


def _table(path: tuple[str | int, ...], value: Any, known: tuple[str, ...] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise GateError(path, f"has to be a table, not {value!r}", f"[{'.'.join(map(str, path))}] above its keys")
    for key in value if known is not None else ():
        if key not in (known or ()):
            error = unknown("key", str(key), known or ())
            raise GateError((*path, key), error.message, error.hint)
    return value


def _conditions(path: tuple[str | int, ...], gate: Gate, table: Mapping[str, Any], effect: bool) -> Gate:
    given: dict[str, Any] = {
        key: condition((*path, key), table[key], MEASURES[effect]) for key in CONDITIONS if key in table
    }
    least = table.get("min_rows", gate.min_rows)
    if not isinstance(least, int) or isinstance(least, bool) or least < 0:
        raise GateError((*path, "min_rows"), f"has to be a whole number, 0 or more, not {least!r}", "min_rows = 100")
    return replace(gate, min_rows=least, **given)


def condition(path: tuple[str | int, ...], value: Any, measures: tuple[str, ...]) -> Condition:
    """A condition such as "rate > 5 %", "abs(effect) >= 0.1" or "never".

    Raises:
        GateError: it is of another form, or speaks of what is not known there.
    """
    example = f'for example "{measures[0]} > 0.05"; known: {", ".join(measures)}'
    if not isinstance(value, str):
        raise GateError(path, f"has to be a condition in quotes, not {value!r}", example)
    text = " ".join(value.split())
    if text == NEVER:
        return Condition(text)
    told = _FORM.fullmatch(text)
    if told is None:
        raise GateError(path, f"{text!r} is no condition: one measure, one comparison, one number", example)
    measure = told["inner"] or told["name"]
    if measure not in measures:
        error = unknown("measure", measure, measures)
        raise GateError(path, error.message, error.hint)
    bound = float(told["number"]) / (100 if told["percent"] else 1)
    if not math.isfinite(bound):
        raise GateError(path, f"{told['number']} is too large a number", example)
    if told["percent"] and measure == "found":
        raise GateError(path, f"{text!r}: found is a number of findings, no share", 'for example "rate > 5 %"')
    return possible(path, Condition(text, measure, bool(told["abs"]), told["op"], bound))


def possible(path: tuple[str | int, ...], one: Condition, between: tuple[float, float] | None = None) -> Condition:
    """The condition, unless its number is beyond what the measure can be: a gate that nothing can pass or fail.

    Args:
        path: the keys that lead to it.
        one: the condition.
        between: what the measure lies between, where that depends on the rule.

    Raises:
        GateError: it is decided beforehand.
    """
    low, high = between or RANGE.get(one.measure, (-math.inf, math.inf))
    low = 0.0 if one.absolute and low < 0 else low
    below, above = one.bound < high, one.bound > low
    reached = {">": below, "<": above, ">=": above, "<=": below}.get(one.op, True)
    if low <= one.bound <= high and reached:
        return one
    share = high == 1 and 1 < one.bound <= 100 and "%" not in one.text
    hint = f"for {one.bound:g} of a hundred: {one.bound:g} %" if share else f'a number in between, or "{NEVER}"'
    named = f"abs({one.measure})" if one.absolute else one.measure
    end = f"at most {high:g}" if one.bound >= high else f"at least {low:g}"
    raise GateError(path, f"{one.text!r} is decided beforehand: {named} is {end}", hint)

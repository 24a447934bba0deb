"""What it means in each layout to turn a label round.

A row is a dict from the source's columns to Python values. A move gives the columns that change with their new values,
or None where the layout cannot say it. Whatever a move does is read back through the layout before it is written
(`rewrite`), so a move that does not do what it should never reaches an output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from prefaudit.formats import Detected
from prefaudit.formats.judged import A_WORDS, B_WORDS

Row = Mapping[str, Any]
Change = dict[str, Any] | None
Move = Callable[[Row, Detected], Change]

EXCHANGED = dict(zip((*A_WORDS, *B_WORDS), (*B_WORDS, *A_WORDS), strict=True)) | {
    f"{x}-is-{how}better": f"{y}-is-{how}better" for x, y in ("ab", "ba") for how in ("", "slightly-", "clearly-")
}  # fmt: skip
SIDES = (("chosen", "rejected"), ("Chosen", "Rejected"))
SIGNED = ("margin", "mean preference difference", "mean_preference_difference")


def loads(text: str) -> Any:
    """A JSON value; the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def real(detected: Detected, name: str) -> str:
    """The source's name of a layout's column."""
    return detected.view().real(name)


def word(value: Any) -> Any:
    """The label that names the other side, spelled as this one is; None where it names none."""
    if not isinstance(value, str):
        return None
    other = EXCHANGED.get(value.strip().lower())
    if other is None:
        return None
    text = value.strip()
    if text.isupper():
        return other.upper()
    return other[0].upper() + other[1:] if text[:1].isupper() else other


def twins(names: Mapping[str, Any] | list[str]) -> dict[str, str]:
    """Columns of the chosen side to their twins of the rejected one: chosen-rating and rejected-rating."""
    found = {}
    for name in names:
        for chosen, rejected in SIDES:
            if chosen in name and name.replace(chosen, rejected) in names:
                found[name] = name.replace(chosen, rejected)
    return found


def exchanged(names: list[str], detected: Detected) -> dict[str, str]:
    """Columns that a flip exchanges whole, each way; none in a layout whose label is a value."""
    pairs: dict[str, str] = {}
    move = FLIPS.get(detected.layout.name)
    if move is swap:
        pairs = sides(names, detected)
    elif detected.layout.name in COLUMNS:
        pairs = {real(detected, a): real(detected, b) for a, b in COLUMNS[detected.layout.name]}
    return pairs | {b: a for a, b in pairs.items()}


def sides(names: list[str], detected: Detected) -> dict[str, str]:
    """Columns of the chosen side to those of the rejected one, by their names and by --map."""
    pairs = twins(names)
    for a, b in (("chosen", "rejected"), ("score_chosen", "score_rejected"), ("model_chosen", "model_rejected")):
        x, y = (detected.mapping.get(f) or (detected.layout.fields.get(f) if f == s else None)
                for f, s in ((a, "chosen"), (b, "rejected")))  # fmt: skip
        if x and y and x in names and y in names:
            pairs[x] = y
    return pairs


def swap(row: Row, detected: Detected) -> Change:
    """Chosen and rejected exchanged with all that is said of each; a signed margin negated."""
    changed: dict[str, Any] = {}
    for x, y in sides(list(row), detected).items():
        changed |= {x: row[y], y: row[x]}
    margins = {*SIGNED, detected.mapping.get("margin"), detected.layout.fields.get("margin")}
    return changed | {m: negated(row[m]) for m in margins if m is not None and m in row and row[m] is not None}


def negated(value: Any) -> Any:
    """A number with the other sign, also where it is written as text."""
    if isinstance(value, str):
        text = value.strip()
        try:
            zero = float(text) == 0
        except ValueError:
            return value
        return value if zero else text[1:] if text.startswith("-") else f"-{text.removeprefix('+')}"
    return -value if isinstance(value, int | float) and not isinstance(value, bool) and value != 0 else value


def mirrored(value: Any, total: float) -> Any:
    """`total` less the value, of the same type: 1 - label, 3 - preference."""
    if value is None or isinstance(value, bool):
        return None if value is None else not value
    if isinstance(value, str):
        try:
            number = total - float(value)
        except ValueError:
            return None
        return f"{number:g}" if "." not in value else repr(number)
    number = round(total - value, 12)
    return int(number) if isinstance(value, int) else number


def _one(column: str, turn: Callable[[Any], Any]) -> Move:
    def move(row: Row, detected: Detected) -> Change:
        name = real(detected, column)
        new = turn(row.get(name))
        return None if new is None else {name: new}

    return move


def _label(column: str) -> Move:
    """A label in words, in the words that --map gave, as the name of a model, or as 1 and 2."""

    def move(row: Row, detected: Detected) -> Change:
        name = real(detected, column)
        value = row.get(name)
        said = str(value).strip().lower() if value is not None else ""
        a, b = (detected.options.get(f"label_{s}") for s in "ab")
        new: Any = None
        if a is not None and b is not None:
            spelled = {a.lower(): b, b.lower(): a}.get(said)
            new = spelled if isinstance(value, str) or spelled is None else loads(spelled)
        elif detected.options.get("encoding") == "one-two":
            new = mirrored(value, 3)
        elif value is not None and value in (row.get("model_a"), row.get("model_b")):
            new = row["model_b"] if value == row["model_a"] else row["model_a"]
        else:
            new = word(value)
        return None if new is None else {name: new}

    return move


def _pairs(*columns: tuple[str, str]) -> Move:
    def move(row: Row, detected: Detected) -> Change:
        changed: dict[str, Any] = {}
        for a, b in columns:
            x, y = real(detected, a), real(detected, b)
            changed |= {x: row[y], y: row[x]}
        return changed

    return move


def _annotators(row: Row, detected: Detected) -> Change:
    names = [n for n in row if n.startswith("annotator") and n[9:].isdigit()]
    return {n: mirrored(row[n], 3) if str(row[n]) in ("1", "2", "1.0", "2.0") else row[n] for n in names}


def _opinions(row: Row, detected: Detected) -> Change:
    changed = {}
    for name in ("normal_worker_annotations", "expert_worker_annotations"):
        if isinstance(row.get(name), list):
            changed[name] = [{**o, "overall_pref": word(o.get("overall_pref")) or o.get("overall_pref")}
                             for o in row[name]]  # fmt: skip
    return changed


def _annotations(row: Row, detected: Detected) -> Change:
    return {"annotations": exchanged_preferences(row["annotations"])}


def exchanged_preferences(annotations: Mapping[str, Any]) -> dict[str, Any]:
    """AnnotatedPairs annotations with a and b exchanged; the first annotator judges, the others go with it."""
    new = dict(annotations)
    for name, said in list(annotations.items())[:1]:
        new[name] = {**said, "pref": word(said.get("pref")) or said.get("pref")}
    return new


def _swift(row: Row, detected: Detected) -> Change:
    messages, other = real(detected, "messages"), real(detected, "rejected_response")
    turns, rejected = row[messages], row[other]
    if not isinstance(rejected, str) or not turns or turns[-1].get("role") != "assistant":
        return None
    return {messages: [*turns[:-1], {**turns[-1], "content": rejected}], other: turns[-1]["content"]}


def _best(row: Row, detected: Detected) -> Change:
    names = [n for n in row if n.startswith("sample") and n[6:].isdigit() and row[n] is not None]
    best = row.get(real(detected, "best"))
    others = [int(n[6:]) for n in names if n[6:] != str(best)]
    return {real(detected, "best"): others[0]} if len(others) == 1 else None


def _signed(column: str) -> Move:
    return _one(column, lambda v: negated(v) if v is not None and negated(v) != v else None)


COLUMNS = {
    "ms-swift-messages": (("messages", "rejected_messages"),),
    "arena-55k": (("winner_model_a", "winner_model_b"),),
    "webgpt": (("score_0", "score_1"),),
}
"""Layouts beside those of chosen and rejected columns in which a flip exchanges columns whole."""

FLIPS: dict[str, Move] = {
    **dict.fromkeys(
        ("trl", "trl-implicit", "ifbench", "texts", "nemo-aligner", "axolotl-argilla", "axolotl-intel", "axolotl-icr",
         "instruction", "columns", "columns-implicit", "hh", "hh-strength", "sharegpt", "axolotl-chat",
         "alpaca-ranking"), swap),
    "ms-swift": _swift, "ms-swift-messages": _pairs(*COLUMNS["ms-swift-messages"]),
    "helpsteer2-preference": _signed("preference_strength"), "helpsteer3": _signed("overall_preference"),
    "shp": _one("labels", lambda v: mirrored(v, 1)),
    "pku-saferlhf": _one("better_response_id", lambda v: mirrored(v, 1)),
    "summarize-from-feedback": _one("choice", lambda v: mirrored(v, 1)),
    "alpaca-eval": _one("preference", lambda v: mirrored(v, 3)), "icai": _label("preferred_text"),
    "ukp-convarg": _label("label"), "tulu-human-eval": _label("preference"), "judged": _label("label"),
    "columns-judged": _label("label"), "arena": _label("winner"), "arena-140k": _label("winner"),
    "mt-bench": _label("winner"), "arena-55k": _pairs(*COLUMNS["arena-55k"]),
    "webgpt": _pairs(*COLUMNS["webgpt"]), "pandalm": _annotators, "multipref": _opinions,
    "multipref-prompt": _opinions, "lm-human-preferences": _best, "annotated-pairs-rows": _annotations,
    "fastchat-pairs": lambda row, d: {n: word(row.get(n)) for n in ("g1_winner", "g2_winner")},
}  # fmt: skip
"""Layouts with one pair a row: the row with its label turned round."""

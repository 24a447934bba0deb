"""Pairs as the page shows them: the last of the prompt, and both answers with the words they do not share marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prefaudit.reports.diff import Marked, marked
from prefaudit.reports.words import clean, percent, some

TALL, LONG = 9, 700  # lines and characters from which a text is folded
SIDES = ("chosen", "rejected")


@dataclass(frozen=True)
class Text:
    """One text of a pair, in pieces, each with whether it is marked."""

    name: str
    pieces: Marked
    state: str  # "", "empty" or "there is none"
    long: bool
    size: str


@dataclass(frozen=True)
class Pair:
    """A pair, ready to be laid out; its texts are cleaned."""

    row: str
    facts: list[str]
    prompt: Text
    sides: list[Text]


class Pairs:
    """The examples of a report, each made ready once."""

    def __init__(self, examples: Mapping[str, Any], most: int, limit: int) -> None:
        """With at most `most` pairs of a finding, each text cut to `limit` characters."""
        self._examples, self._most, self._limit = examples, most, limit
        self._made: dict[str, Pair] = {}

    def of(self, rows: Iterable[Any], most: int | None = None) -> list[Pair]:
        """The first of these rows that the report holds."""
        known = [str(row) for row in dict.fromkeys(rows) if str(row) in self._examples]
        return [self._pair(row) for row in known[: min(self._most, most or self._most)]]

    def _pair(self, row: str) -> Pair:
        if row not in self._made:
            self._made[row] = self._make(row, self._examples[row])
        return self._made[row]

    def _make(self, row: str, pair: Mapping[str, Any]) -> Pair:
        texts = [None if pair.get(s) is None else clean(pair[s], self._limit, lines=True) for s in SIDES]
        first, second, share = marked(texts[0] or "", texts[1] or "")
        facts = [f"{name} {clean(pair[name], 60)}" for name in ("label", "source", "annotator") if pair.get(name)]
        if share is not None:
            facts.append("the same words" if share == 1 else f"{percent(share)} of the words in common")
        prompt = None if pair.get("prompt") is None else clean(_tail(pair["prompt"], self._limit), self._limit + 1,
                                                              lines=True)  # fmt: skip
        sides = [_text(name, text, pieces) for name, text, pieces in zip(SIDES, texts, (first, second), strict=True)]
        return Pair(clean(row, 40), facts, _text("prompt", prompt, [(prompt or "", False)]), sides)


def _text(name: str, text: str | None, pieces: Marked) -> Text:
    state = "there is none" if text is None else "" if text else "empty"
    long = text is not None and (len(text) > LONG or text.count("\n") >= TALL)
    return Text(name, pieces, state, long, some(len(text.split()), "word") if text else "")


def _tail(text: Any, most: int) -> str:
    """The end of a prompt: the last turn is what was answered."""
    whole = text if isinstance(text, str) else str(text)
    return whole if len(whole) <= most else "…" + whole[len(whole) - most :]

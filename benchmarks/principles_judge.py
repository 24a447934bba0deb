"""A judge over a socket that answers by known rules, errs and fails by a plan, and remembers what it answered."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chatting import FAILURES, Plan

Rule = Callable[[str, str], int]  # of two texts: 1 the first is favoured, -1 the second, 0 neither

_I = re.compile(r"\bI\b")

KNOWN = {
    "has fewer words": lambda a, b: sign(len(b.split()) - len(a.split())),
    "asks the user a question": lambda a, b: sign(("?" in a) - ("?" in b)),
    "speaks of itself in the first person": lambda a, b: (
        sign(len(_I.findall(a)) > len(_I.findall(b))) - sign(len(_I.findall(a)) < len(_I.findall(b)))
    ),
    "begins with a short word": lambda a, b: sign(_first(b) - _first(a)),
    "has fewer commas for its length": lambda a, b: sign(_commas(b) - _commas(a)),
}
"""Five principles and what they say, told from the texts alone."""

SHORT = {name: KNOWN[name] for name in ("begins with a short word", "has fewer commas for its length")} | {
    "has longer words": lambda a, b: sign(_letters(a) - _letters(b)),
    "has more capital letters for its length": lambda a, b: sign(_capitals(a) - _capitals(b)),
    "ends with a long word": lambda a, b: sign(len(a.split()[-1]) - len(b.split()[-1])),
}
"""Five for icai-synthetic, whose short answers hardly ask or speak of themselves: one pair in eight and one in ten."""

DECOYS = [
    "cites sources", "is written in a warm tone", "uses vivid images", "is easy to read aloud", "avoids slang",
    "explains its reasoning", "mentions a place", "is hopeful", "stays on the subject", "names a person",
    "gives an example", "is direct", "shows empathy", "offers help", "uses technical terms", "is humorous",
    "admits uncertainty", "summarises at the end", "addresses the user by name", "is persuasive", "is cautious",
    "uses numbers", "refers to the law", "gives advice on health", "tells a story", "is formal", "is enthusiastic",
    "compares alternatives", "mentions money", "sounds confident", "is respectful to all groups", "uses a metaphor",
    "repeats the request", "warns of risks", "refers to history", "encourages the user", "is neutral in politics",
    "quotes someone", "describes feelings", "is original",
]  # fmt: skip
"""Forty that say nothing of their own: each is tied to one of the five with a correlation of .6."""

TIED, WRONG, FAILED, ALWAYS = 0.6, 0.15, 0.2, 0.01


def sign(x: float) -> int:
    return (x > 0) - (x < 0)


def _first(text: str) -> int:
    words = text.split()
    return len(words[0]) if words else 0


def _commas(text: str) -> float:
    return text.count(",") / max(len(text.split()), 1)


def _letters(text: str) -> float:
    words = text.split()
    return sum(map(len, words)) / max(len(words), 1)


def _capitals(text: str) -> float:
    return sum(letter.isupper() for letter in text) / max(len(text), 1)


def chance(*parts: Any) -> float:
    """A number in 0..1 that depends on the parts alone."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode("utf8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def ordered(a: str, b: str) -> tuple[str, str, int]:
    """The two texts in an order of their own, and whether that is theirs."""
    return (a, b, 1) if a <= b else (b, a, -1)


def votes(rules: Mapping[str, Rule], a: str, b: str, tie: str = "votes", wrong: float = WRONG,
          draw: int = 0) -> dict[str, int]:  # fmt: skip
    """What the judge says of two texts by every rule and decoy; in the other order, the opposite.

    A decoy is TIED to a rule: that share of its votes repeats the rule's, the others are drawn with the rule's shares.

    Args:
        rules: those that say something.
        a, b: the texts.
        tie: `votes`: decoys repeat what the judge says by the rule, errors and all, so that their votes correlate so;
            `truth`: they repeat what is true and err on their own, so that each is a second reading of the rule.
        wrong: share of the votes that are errors.
        draw: which draw of errors and of what decoys say.
    """
    first, second, turn = ordered(a, b)
    of = (first, second, draw) if draw else (first, second)
    true = {name: rule(first, second) for name, rule in rules.items()}

    def erring(name: str, vote: int) -> int:
        if chance("wrong", name, *of) >= wrong:
            return vote
        return [x for x in (-1, 0, 1) if x != vote][chance("which", name, *of) < 0.5]

    names = list(rules)
    said = {name: erring(name, vote) for name, vote in true.items()}
    for k, decoy in enumerate(DECOYS):
        own = names[k % len(names)]
        shares, drawn = SHARES.get((tie, own), (0.4, 0.4)), chance("draw", decoy, *of)
        free = -1 if drawn < shares[0] else 1 if drawn < sum(shares) else 0
        tied = chance("tie", decoy, *of) < TIED
        said[decoy] = (said if tie == "votes" else true)[own] if tied else free
        if tie == "truth":
            said[decoy] = erring(decoy, said[decoy])
    return {name: turn * vote for name, vote in said.items()}


SHARES: dict[tuple[str, str], tuple[float, float]] = {}  # of -1 and 1 in the votes, and in truth, by rule: measured


class Judge:
    """Answers calls for votes and for proposals; `log` has every ballot that was answered.

    Args:
        rules: those that say something.
        tie, wrong, draw: as of `votes`.
    """

    def __init__(self, rules: Mapping[str, Rule], tie: str = "votes", wrong: float = WRONG, draw: int = 0) -> None:
        self.rules, self.tie, self.wrong, self.draw = rules, tie, wrong, draw
        self.log: dict[tuple[str, str, str], str] = {}

    def answer(self, body: dict[str, Any]) -> str:
        """The text of an answer."""
        said = body["messages"][-1]["content"]
        return self._votes(said) if "\nRules: Select the response that" in said else self._proposals(said)

    def _votes(self, said: str) -> str:
        texts, _, listed = said.rpartition("\nRules: Select the response that \n")
        a, b = (re.search(rf"<{x}>(.*)</{x}>", texts, re.DOTALL)[1] for x in "AB")  # type: ignore[index]
        told = votes(self.rules, a, b, self.tie, self.wrong, self.draw)
        out = {}
        for line in listed.split("\n\nReply with JSON")[0].splitlines():
            number, _, name = line.partition(". ")
            out[number] = {1: "A", -1: "B", 0: "N"}[told.get(name.rstrip(".").removeprefix("clearly "), 0)]
            self.log[(name, a, b)] = out[number]
        return json.dumps(out)

    def _proposals(self, said: str) -> str:
        names = [*self.rules, *DECOYS]
        start = int(chance("propose", said) * len(names))
        found = [names[(start + 7 * k) % len(names)] for k in range(5)]
        worded = ("Select the response that {}", "Select the response that clearly {}")
        return json.dumps({"principles": [worded[chance(said, name) < 0.3].format(name) for name in found]})


def failing(seed: int = 0) -> Plan:
    """A fifth of all calls fails, in five ways; one request in a hundred always does."""

    def trouble(body: dict[str, Any], turn: int) -> str | None:
        key = json.dumps(body["messages"])
        if chance("always", seed, key) < ALWAYS:
            return FAILURES[int(chance("kind", seed, key) * len(FAILURES))]
        return (
            FAILURES[int(chance("how", seed, key, turn) * len(FAILURES))] if chance(seed, key, turn) < FAILED else None
        )

    return Plan(trouble, hang=1.0)

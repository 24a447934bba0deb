"""What the answers of a /chat/completions endpoint say, and why one cannot be used."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any


class Trouble(Exception):
    """A call that gave no usable answer.

    Attributes:
        reason: one of a few words, so that they can be counted.
        again: whether another try may succeed.
        wait: seconds that the server asked to wait, 0 where it said nothing.
        fatal: whether every other call would end the same way.
        form: whether it may be about how the request was put, so that another dialect may do.
        tokens: in and out, what the call cost nevertheless.
    """

    def __init__(self, reason: str, said: str, *, again: bool = True, wait: float = 0.0, fatal: bool = False,
                 form: bool = False, tokens: tuple[int, int] = (0, 0)) -> None:  # fmt: skip
        super().__init__(f"{reason}: {said}")
        self.reason, self.said, self.again, self.wait, self.fatal = reason, said, again, wait, fatal
        self.form, self.tokens = form, tokens


def body(said: bytes) -> dict[str, Any]:
    """The JSON object of an answer with status 200.

    Raises:
        Trouble: `cut` where an object begins and does not end; `unreadable` where there is none, as in a proxy's page.
    """
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError) as e:
        text = said.decode("utf8", "replace").strip()
        if text.startswith("{"):
            raise Trouble("cut", "the body begins as JSON and does not end") from e
        told = page(text) or (f"the body is no JSON: {text[:100]!r}" if text else "the body is empty")
        raise Trouble("unreadable", told) from e
    if not isinstance(answer, dict):
        raise Trouble("unreadable", "the body is no object")
    return answer


def page(text: str) -> str:
    """What to say of a page of HTML; empty where it is none."""
    if not (text.startswith("<") and re.search(r"<(!doctype html|html|head|body|title)\b", text[:1000], re.IGNORECASE)):
        return ""
    title = re.search(r"<title[^>]*>([^<]*)", text[:10_000], re.IGNORECASE)
    named = f" ({' '.join(title[1].split())[:80]!r})" if title and title[1].strip() else ""
    return f"a page of HTML{named}, not JSON: the URL has to end as that of the API does, mostly in /v1"


def error(said: str) -> str:
    """What an answer with another status says went wrong."""
    try:
        told = json.loads(said)["error"]
        return whole(str(told["message"] if isinstance(told, dict) else told))[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return page(said.strip()) or said.strip()[:300]


def whole(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which JSON can say and UTF-8 cannot."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@dataclass(frozen=True)
class Said:
    """The text of an answer and what the server counted."""

    text: str
    tokens_in: int
    tokens_out: int


def said(answer: dict[str, Any]) -> Said:
    """What the model said.

    Raises:
        Trouble: it declined, was cut off, or said nothing.
    """
    usage = answer.get("usage")
    counted = [usage.get(k) if isinstance(usage, dict) else 0 for k in ("prompt_tokens", "completion_tokens")]
    tokens = tuple(n if isinstance(n, int) and n > 0 else 0 for n in counted)
    cost = (tokens[0], tokens[1])
    if answer.get("error") and not answer.get("choices"):
        raise Trouble("server error", error(json.dumps(answer)), tokens=cost)
    try:
        choice = answer["choices"][0]
        text, declined = choice["message"].get("content"), choice["message"].get("refusal")
        ended = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError) as e:
        raise Trouble("unreadable", "the body holds no choice with a message", tokens=cost) from e
    if isinstance(text, list):  # parts, as some servers answer
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if declined or ended == "content_filter":
        raise Trouble("refused", whole(str(declined or "content filter"))[:300], tokens=cost)
    if ended == "length":
        raise Trouble("cut", "the answer reached the limit of tokens", tokens=cost)
    if not isinstance(text, str) or not text.strip():
        raise Trouble("unreadable", "the answer is empty", tokens=cost)
    return Said(whole(text), *cost)

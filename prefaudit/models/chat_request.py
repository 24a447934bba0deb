"""One question to a language model, and what an answer to it means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prefaudit.models.chat_said import Said, Trouble


@dataclass(frozen=True)
class Request:
    """One question.

    Attributes:
        messages: (role, content), at least one.
        schema: the JSON schema of the answer (an object, `additionalProperties` false, all keys required, as strict
            structured outputs demand); None for an answer in words.
        limit: tokens of the answer at most; twice as many after an answer that was cut off.
        expected: tokens that an answer is likely to have, for the preview; 0 takes `limit`.
        read: makes the value of the parsed JSON (of the text, without a schema); ValueError, KeyError or TypeError
            say that the answer cannot be used.
    """

    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, Any] | None = None
    limit: int = 1000
    expected: int = 0
    read: Callable[[Any], Any] = field(default=lambda value: value, compare=False)


@dataclass(frozen=True)
class Answer:
    """What a model said, and what `read` made of it."""

    text: str
    value: Any


@dataclass(frozen=True)
class Failure:
    """Why there is no answer.

    `reason` is rate limit, server error, timeout, connection, cut, refused, unreadable, rejected or not asked.
    """

    reason: str
    said: str


def understood(request: Request, got: Said) -> Answer:
    """What the answer means.

    Raises:
        Trouble: it is no JSON where that was asked for, or `request.read` cannot use it.
    """
    if request.schema is None:
        value: Any = got.text
    else:
        value = parsed(got.text)
    try:
        return Answer(got.text, request.read(value))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Trouble("unreadable", f"{error}"[:300]) from error


def parsed(text: str) -> Any:
    """The first JSON object in a text, which may stand after reasoning, in a fence, or among words.

    Raises:
        Trouble: there is none; `cut` where it begins and does not end, `refused` where the text declines.
    """
    rest = text.rpartition("</think>")[2]
    found = re.search(r'\{(?=\s*["}])', rest) or re.search(r"\{", rest)  # words may stand in braces before it
    at = found.start() if found else -1
    if at < 0:
        declined = re.match(r"\W*(i['’]?m sorry|sorry|i (can['’]?t|cannot|won['’]?t|am unable))", rest, re.IGNORECASE)
        raise Trouble("refused" if declined else "unreadable", f"no JSON in {rest.strip()[:100]!r}")
    try:
        value, _ = json.JSONDecoder(parse_constant=_no).raw_decode(rest[at:])
    except (ValueError, RecursionError) as error:
        ended = rest.rstrip().rstrip("`").rstrip().endswith("}")
        raise Trouble("unreadable" if ended else "cut", f"no whole JSON: {error}"[:300]) from error
    return value


def _no(name: str) -> Any:
    raise ValueError(f"{name} is no number")

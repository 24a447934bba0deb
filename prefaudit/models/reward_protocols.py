"""What kinds of servers of reward models are sent, and where the scores stand in what they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Protocol(NamedTuple):
    """How a kind of server is asked: path, what is sent for texts, and how scores are read from the answer."""

    path: str
    body: Callable[[str, list[str]], dict[str, Any]]
    read: Callable[[Any], list[Any]]
    raw: str  # what the user has to do where it answers probabilities


def _one(values: Any) -> Any:
    if not isinstance(values, list) or len(values) != 1:
        raise ValueError("more than one output")
    return values[0]


def _ordered(data: Any) -> list[Any]:
    """Answers by their index; one that is twice or nowhere would give a text the score of another."""
    found = {d["index"]: d for d in data if type(d["index"]) is int}
    if len(found) != len(data) or set(found) != set(range(len(data))):
        raise ValueError(f"its {len(data)} answers are not numbered from 0, each once")
    return [found[k] for k in range(len(data))]


def number(value: Any) -> float:
    """A score as a server wrote it.

    Raises:
        ValueError: it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    return float(value)


# vLLM: entrypoints/pooling; without use_activation=false one logit comes back through a sigmoid.
# SGLang: /classify gives the raw logit as an embedding; its /v1/classify takes a softmax over one logit, always 1.
# TEI: raw_scores, or one label comes back through a sigmoid; truncate defaults to true and loses the answer's end.
PROTOCOLS: dict[str, Protocol] = {
    "vllm": Protocol(
        "/classify",
        lambda model, texts: {"model": model, "input": texts, "use_activation": False, "add_special_tokens": False},
        lambda said: [_one(d["probs"]) for d in _ordered(said["data"])],
        "serve it with a vLLM that knows use_activation, or ask vllm-pooling+URL",
    ),
    "vllm-pooling": Protocol(
        "/pooling",
        lambda model, texts: {"model": model, "input": texts, "task": "classify", "use_activation": False,
                              "add_special_tokens": False},
        lambda said: [_one(d["data"]) for d in _ordered(said["data"])],
        "serve it with a vLLM that knows use_activation",
    ),
    "sglang": Protocol(
        "/classify",
        lambda model, texts: {"model": model, "text": texts},
        lambda said: [_one(d["embedding"]) for d in said],
        "serve it with --is-embedding and ask /classify, not /v1/classify",
    ),
    "tei": Protocol(
        "/predict",
        lambda model, texts: {"inputs": [[t] for t in texts], "raw_scores": True, "truncate": False},
        lambda said: [_one(d)["score"] for d in said],
        "serve a model with one label",
    ),
    "openrlhf": Protocol(
        "/get_reward",
        lambda model, texts: {"query": texts},
        lambda said: list(said["rewards"]),
        "serve it without --normalize_reward",
    ),
}  # fmt: skip

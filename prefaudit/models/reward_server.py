"""Reward models behind a URL: vLLM, SGLang, TEI, OpenRLHF. Raw scores are demanded; a probability is refused."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from prefaudit.core import AuditError
from prefaudit.models.base import ModelError
from prefaudit.models.scores import Conversation, Partly, Scores, spacing

BATCH, AT_ONCE = 32, 8  # conversations in a request, requests at once
TRIES, FIRST_WAIT, TIMEOUT = 5, 0.5, 120.0
AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
TOO_LONG = {400, 413, 422}
TELLS = re.compile(  # how vLLM, SGLang, TEI and others say so; a 400 of another reason is a failure
    r"(?i)too (?:long|large|many tokens)|context|longer than|must have less than \d+ tokens|exceed\w*.{0,60}"
    r"(?:length|limit|tokens)|max\w*[ _-](?:\w+[ _-]){0,3}(?:length|len|tokens|positions)"
)
FEW = 8  # different texts from which scores that all lie in 0..1 are taken for probabilities


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


def _number(value: Any) -> float:
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


@dataclass(frozen=True)
class RewardServer:
    """A reward model behind KIND+URL#TOKENIZER, as `sglang+http://host:30000#./my-model`.

    The conversation is put into the chat template of the tokenizer here, so that every kind of server is sent the same
    text. The key in PREFAUDIT_REWARD_KEY goes with every request.

    Attributes:
        name: what --reward-model was given.
    """

    name: str
    revision: ClassVar[str] = ""
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def kind(self) -> str:
        """Which protocol it speaks.

        Raises:
            AuditError: none is named.
        """
        kind = self.name.partition("+")[0]
        if kind not in PROTOCOLS:
            raise AuditError(
                f"{self.name} does not say what kind of server it is",
                f"{', '.join(f'{k}+URL' for k in PROTOCOLS)}; and after # the folder or hub id of the tokenizer",
            )
        return kind

    @property
    def url(self) -> str:
        """The base, without the path of the protocol."""
        base = self.name.partition("+")[2].partition("#")[0].rstrip("/")
        return base.removesuffix(PROTOCOLS[self.kind].path)

    def score(self, prompts: Sequence[Conversation], responses: Sequence[str]) -> Scores:
        """Scores of n answers; NaN, counted as cut, where the server says that a text is too long for it.

        Raises:
            AuditError: the tokenizer is not named or cannot be loaded.
            ModelError: what came back are no raw scores; as `Partly`, a request failed for good.
        """
        texts = self._texts(prompts, responses)
        batches = [texts[k : k + BATCH] for k in range(0, len(texts), BATCH)]
        failed: list[ModelError] = []

        def ask(batch: list[str]) -> list[float] | None:
            if failed:
                return None
            try:
                return self._batch(batch)
            except ModelError as error:
                failed.append(error)
                return None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(ask, batches))
        nothing = [float("nan")]
        values = np.array([x for told, b in zip(found, batches, strict=True) for x in told or nothing * len(b)])
        done = np.array([told is not None for told, b in zip(found, batches, strict=True) for _ in b], bool)
        self._raw(values, len(set(texts)))
        scores = Scores(values, np.isnan(values), spacing(values, "bfloat16"))
        if failed:
            raise Partly(str(failed[0]), scores, done) from failed[0]
        return scores

    def _raw(self, values: np.ndarray[Any, Any], different: int) -> None:
        told = values[~np.isnan(values)]
        if not len(told):
            return
        inside = bool((told >= 0).all() and (told <= 1).all())
        flat = different > 1 and len(told) > 1 and bool((told == told[0]).all())
        if (inside and different >= FEW) or (flat and told[0] in (0.0, 1.0)):
            raise ModelError(
                f"{self.url} answers probabilities ({told.min():g} to {told.max():g}), which saturate, not scores: "
                f"{PROTOCOLS[self.kind].raw}"
            )

    def _texts(self, prompts: Sequence[Conversation], responses: Sequence[str]) -> list[str]:
        tokenizer = self._tokenizer()
        said = [[*p, {"role": "assistant", "content": r}] for p, r in zip(prompts, responses, strict=True)]
        texts = tokenizer.apply_chat_template(said, tokenize=False) if said else []
        # vLLM is told to add nothing; the others put a BOS of their own before the text.
        own = tokenizer.bos_token or ""
        return list(texts) if self.kind.startswith("vllm") or not own else [t.removeprefix(own) for t in texts]

    def _tokenizer(self) -> Any:
        if not self._held:
            where = self.name.partition("#")[2]
            if not where:
                raise AuditError(
                    f"{self.name} names no tokenizer, whose chat template makes the text",
                    f"{self.name}#FOLDER or #HUB_ID of the model that is served",
                )
            from transformers import AutoTokenizer

            try:
                made = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
            except (OSError, ValueError) as error:
                raise AuditError(f"the tokenizer {where} cannot be loaded: {str(error).splitlines()[0]}",
                                 "a folder or hub id") from error  # fmt: skip
            if not made.chat_template:
                raise AuditError(f"the tokenizer {where} has no chat template", "name that of the model that is served")
            self._held["tokenizer"] = made
        return self._held["tokenizer"]

    def _batch(self, texts: list[str]) -> list[float]:
        """Scores of some texts; a text that the server finds too long is asked for alone and stays NaN."""
        protocol = PROTOCOLS[self.kind]
        try:
            said = self._call(protocol.path, protocol.body(self._model, texts))
        except _Refused as error:
            if len(texts) > 1:
                return [x for text in texts for x in self._batch([text])]
            if error.code in TOO_LONG and TELLS.search(error.said):
                return [float("nan")]
            raise ModelError(f"{self.url} answered {error.code}: {error.said}") from error
        try:
            values = [_number(x) for x in protocol.read(said)]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(f"{self.url} answered something else than scores: {error}") from error
        if len(values) != len(texts) or not np.isfinite(values).all():
            raise ModelError(f"{self.url} answered {len(values)} scores for {len(texts)} texts, or one is no number")
        return values

    @cached_property
    def _model(self) -> str:
        """The name under which vLLM serves the model; the others do not ask."""
        if not self.kind.startswith("vllm"):
            return "default"
        try:
            return str(self._call("/v1/models", None)["data"][0]["id"])
        except (_Refused, KeyError, TypeError, IndexError) as error:
            raise ModelError(f"{self.url} does not say what it serves: {error}") from error

    def _call(self, path: str, body: dict[str, Any] | None) -> Any:
        """One request, tried again where the error may pass."""
        data = None if body is None else json.dumps(body).encode()
        key = os.environ.get("PREFAUDIT_REWARD_KEY", "")
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        for turn in range(TRIES):
            last = turn == TRIES - 1
            try:
                request = urllib.request.Request(self.url + path, data, headers)
                with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                said = _body(error)
                if error.code not in AGAIN:
                    raise _Refused(error.code, said) from error
                if last:
                    raise ModelError(f"{self.url} answered {error.code} {TRIES} times: {said}") from error
            except (OSError, ValueError, http.client.HTTPException) as error:  # a body that breaks off among them
                if last:
                    raise ModelError(f"{self.url}: {error or repr(error)}") from error
            time.sleep(FIRST_WAIT * 2**turn)
        raise ModelError(f"{self.url} did not answer")


def _body(error: urllib.error.HTTPError) -> str:
    """The beginning of what the server says of a failure; nothing where it breaks off."""
    try:
        return error.read(300).decode("utf8", "replace")
    except (OSError, http.client.HTTPException):
        return ""


class _Refused(Exception):
    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"{code}: {said}")
        self.code, self.said = code, said

"""A server that speaks OpenAI's embeddings protocol, over a socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import polars as pl
import pytest

from prefaudit.core import AuditError
from prefaudit.models import ModelError, embedder
from prefaudit.models.base import INSTRUCTED
from prefaudit.models.server import BATCH, Server


class Speaking(ThreadingHTTPServer):
    """Counts and remembers what it was asked; `trouble` holds the codes of its next answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.trouble: list[int] = []
        self.models = ["small"]
        self.wrong: str | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


def vector(text: str) -> list[float]:
    return [float(len(text)), float(text.count("a")), 1.0]


class Handler(BaseHTTPRequestHandler):
    server: Speaking

    def log_message(self, *_: Any) -> None:
        return

    def reply(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.reply(200, {"data": [{"id": m} for m in self.server.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(body)
            self.server.headers.append(dict(self.headers))
            code = self.server.trouble.pop(0) if self.server.trouble else 200
        if code != 200:
            return self.reply(code, {"error": "no"})
        data = [{"index": k, "embedding": vector(t)} for k, t in enumerate(body["input"])]
        if self.server.wrong == "short":
            data = data[1:]
        if self.server.wrong == "nan":
            data[0]["embedding"] = [float("nan")] * 3
        return self.reply(200, {"data": data[::-1]})  # the order is the index's


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Speaking]:
    monkeypatch.setattr("prefaudit.models.server.FIRST_WAIT", 0.01)
    with Speaking() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


RESPONSES = pl.Series([f"answer {'a' * k}" for k in range(BATCH + 9)])
PROMPTS = pl.Series([f"question {k}" for k in range(BATCH + 9)])


def test_vectors_in_order_with_the_instructed_template(server: Speaking) -> None:
    found = Server(server.url).embed(RESPONSES, PROMPTS)
    texts = [INSTRUCTED.format(prompt=p, response=r) for p, r in zip(PROMPTS, RESPONSES, strict=True)]
    np.testing.assert_array_equal(found.values, np.array([vector(t) for t in texts], np.float32))
    assert {a["model"] for a in server.asked} == {"small"} and len(server.asked) == 2
    assert not found.cut.any()


def test_braces_in_a_text_are_text(server: Speaking) -> None:
    Server(server.url).embed(pl.Series(["{prompt}"]), pl.Series(["{response}"]))
    assert server.asked[0]["input"][0].endswith("User: {response}\n\nAssistant: {prompt}")


def test_what_passes_is_tried_again_and_what_does_not_fails(server: Speaking) -> None:
    server.trouble = [503, 429]
    assert len(Server(server.url).embed(RESPONSES[:3], PROMPTS[:3]).values) == 3
    assert len(server.asked) == 3
    server.trouble = [400]
    with pytest.raises(ModelError, match="400"):
        Server(server.url).embed(RESPONSES[:3], PROMPTS[:3])
    server.trouble = [500] * 5
    with pytest.raises(ModelError, match="500"):
        Server(server.url).embed(RESPONSES[:3], PROMPTS[:3])


@pytest.mark.parametrize("wrong", ["short", "nan"])
def test_nonsense_is_a_failure(server: Speaking, wrong: str) -> None:
    server.wrong = wrong
    with pytest.raises(ModelError):
        Server(server.url).embed(RESPONSES[:3], PROMPTS[:3])


def test_a_server_of_several_models_wants_one_named(server: Speaking) -> None:
    server.models = ["small", "large"]
    with pytest.raises(AuditError, match="small, large"):
        Server(server.url).embed(RESPONSES[:1], PROMPTS[:1])
    Server(server.url + "#large").embed(RESPONSES[:1], PROMPTS[:1])
    assert server.asked[-1]["model"] == "large"


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prefaudit.models.server.FIRST_WAIT", 0.01)
    with pytest.raises(ModelError):
        Server("http://127.0.0.1:9/v1#m").embed(RESPONSES[:1], PROMPTS[:1])


def test_a_key_goes_where_it_was_meant_to(server: Speaking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    Server(server.url).embed(RESPONSES[:1], PROMPTS[:1])
    assert "Authorization" not in server.headers[-1]
    monkeypatch.setenv("PREFAUDIT_EMBEDDER_KEY", "mine")
    Server(server.url).embed(RESPONSES[:1], PROMPTS[:1])
    assert server.headers[-1]["Authorization"] == "Bearer mine"


def test_the_cache_asks_for_each_text_once(server: Speaking, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path))
    twice = embedder(server.url)
    first = twice.embed(RESPONSES[[0, 1, 0]], PROMPTS[[0, 1, 0]])
    assert [len(a["input"]) for a in server.asked] == [2]
    np.testing.assert_array_equal(first.values[0], first.values[2])
    again = twice.embed(RESPONSES[[1, 2]], PROMPTS[[1, 2]])
    assert [len(a["input"]) for a in server.asked] == [2, 1]
    np.testing.assert_array_equal(again.values[0], first.values[1])
    twice.embed(RESPONSES[[0]], PROMPTS[[5]])  # another prompt is another text
    embedder(server.url + "#large").embed(RESPONSES[[0]], PROMPTS[[0]])  # and another model another file
    assert len(server.asked) == 4 and len(list(tmp_path.glob("*.sqlite"))) == 2
    server.trouble = [400]
    with pytest.raises(ModelError):
        twice.embed(RESPONSES[[7]], PROMPTS[[7]])
    assert len(twice.embed(RESPONSES[[7]], PROMPTS[[7]]).values) == 1

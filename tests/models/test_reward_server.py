"""Reward servers: a local one that speaks each protocol as documented, with its traps and its failures."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.tiny import tokenizer

from prefaudit.core import AuditError
from prefaudit.models import reward_server
from prefaudit.models.base import ModelError
from prefaudit.models.reward_server import PROTOCOLS, RewardServer
from prefaudit.models.scored import Scored, scorer

pytest.importorskip("transformers")

ASKED = [[{"role": "user", "content": f"question {k}"}] for k in range(40)]
SAID = [f"answer {k}" for k in range(40)]
LONGEST = 200  # characters that the server reads


def score(text: str) -> float:
    """What the model behind every protocol says of a text, whatever stands before it as BOS."""
    digest = hashlib.blake2b(text.removeprefix("<s>").encode(), digest_size=4).digest()
    return int.from_bytes(digest) / 2**31 * 9 - 9


class Server(ThreadingHTTPServer):
    """`plan` maps the number of a request to an answer that is none; answers to `broken` end before their length; `old`
    forgets what it is told about raw scores."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan: dict[int, tuple[int, str]] = {}
        self.broken: set[int] = set()
        self.old = False
        self.unusable = ""  # a text with this in it is refused, and every request that has it
        self.most = 99  # texts in a request
        self.headers: dict[str, str] = {}
        self.asked: list[list[str]] = []
        self.count = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None: ...

    def answer(self, code: int, body: Any) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        broken = self.server.count - 1 in self.server.broken
        self.send_header("Content-Length", str(len(data) + 99 * broken))
        self.close_connection = self.close_connection or broken
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.answer(200, {"data": [{"id": "served"}]} if self.path == "/v1/models" else {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = self.server.count
            self.server.count += 1
        if number in self.server.plan:
            return self.answer(*self.server.plan[number])
        texts = body.get("input") or body.get("text") or body.get("query") or [t for (t,) in body["inputs"]]
        self.server.asked.append(texts)
        if len(texts) > self.server.most:
            return self.answer(422, {"error": f"batch size {len(texts)} > maximum allowed {self.server.most}"})
        if self.server.unusable and any(self.server.unusable in t for t in texts):
            return self.answer(400, {"error": "cannot be read"})
        if self.path != "/get_reward" and any(len(t) > LONGEST for t in texts) and body.get("truncate", False) is False:
            return self.answer(400, {"error": f"maximum context length is {LONGEST} tokens"})
        raw = (body.get("use_activation") is False or body.get("raw_scores") is True) and not self.server.old
        values = [score(t) for t in texts]
        squashed = values if raw else [1 / (1 + math.exp(-x)) for x in values]
        if self.path == "/classify" and "text" in body:
            return self.answer(200, [{"embedding": [1.0 if self.server.old else x], "meta_info": {}} for x in values])
        if self.path == "/classify":
            told = [{"index": k, "probs": [x], "num_classes": 1} for k, x in enumerate(squashed)]
            return self.answer(200, {"data": told[::-1]})
        if self.path == "/pooling":
            return self.answer(200, {"data": [{"index": k, "data": [x]} for k, x in enumerate(squashed)]})
        if self.path == "/predict":
            return self.answer(200, [[{"score": x, "label": "LABEL_0"}] for x in squashed])
        return self.answer(200, {"rewards": squashed if self.server.old else values})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setattr(reward_server, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer().save_pretrained(folder)
    return folder


def expected(words: Path) -> np.ndarray[Any, Any]:
    made = tokenizer()
    said = [[*p, {"role": "assistant", "content": r}] for p, r in zip(ASKED, SAID, strict=True)]
    return np.array([score(t) for t in made.apply_chat_template(said, tokenize=False)])


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_raw_scores_come_back_in_order(kind: str, server: Server, words: Path) -> None:
    found = RewardServer(f"{kind}+{server.url}#{words}").score(ASKED, SAID)
    assert np.abs(found.values - expected(words)).max() < 1e-12 and not found.cut.any()
    doubled = [t for texts in server.asked for t in texts if t.startswith("<s>") and not kind.startswith("vllm")]
    assert not doubled  # the server puts a BOS of its own before the text


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_probabilities_are_refused(kind: str, server: Server, words: Path) -> None:
    server.old = True
    with pytest.raises(ModelError, match="answers probabilities"):
        RewardServer(f"{kind}+{server.url}#{words}").score(ASKED, SAID)
    assert PROTOCOLS[kind].raw


def test_what_may_pass_is_tried_again(server: Server, words: Path) -> None:
    server.plan = {0: (503, "busy"), 1: (429, "slow down"), 2: (200, "{cut")}
    found = RewardServer(f"sglang+{server.url}#{words}").score(ASKED, SAID)
    assert np.abs(found.values - expected(words)).max() < 1e-12


@pytest.mark.parametrize("kind", [k for k in PROTOCOLS if k != "openrlhf"])
def test_a_text_that_is_too_long_has_no_score_and_its_neighbours_have(kind: str, server: Server, words: Path) -> None:
    said = [*SAID[:5], "x" * LONGEST, *SAID[6:]]
    found = RewardServer(f"{kind}+{server.url}#{words}").score(ASKED, said)
    assert np.flatnonzero(np.isnan(found.values)).tolist() == [5] == np.flatnonzero(found.cut).tolist()


@pytest.mark.parametrize("answer", [(200, "[]"), (200, '{"rewards": ["a"]}'), (200, '{"rewards": [1.0]}'),
                                    (200, '{"rewards": [null]}'), (404, "no such path"), (401, "key")])  # fmt: skip
def test_an_answer_that_is_none_is_a_failure(answer: tuple[int, str], server: Server, words: Path) -> None:
    server.plan = dict.fromkeys(range(99), answer)
    with pytest.raises(ModelError, match=r"127\.0\.0\.1"):
        RewardServer(f"openrlhf+{server.url}#{words}").score(ASKED[:3], SAID[:3])


@pytest.mark.parametrize("places", [[0, 0, 2], [0, 1, 1], [1, 2, 3], [0, 1], [0, 1, "2"], [0, 1, None], [0, 1, True]])
@pytest.mark.parametrize("kind", ["vllm", "vllm-pooling"])
def test_answers_that_are_not_numbered_each_once_give_no_score(
    kind: str, places: list[Any], server: Server, words: Path
) -> None:
    told = [{"index": at, "probs": [5.0 + k], "data": [5.0 + k]} for k, at in enumerate(places)]
    server.plan = dict.fromkeys(range(99), (200, json.dumps({"data": told})))
    made = scorer(f"{kind}+{server.url}#{words}")
    with pytest.raises(ModelError, match=r"not numbered|1 scores|2 scores"):
        made.score(ASKED[:3], SAID[:3])
    server.plan = {}
    assert np.abs(made.score(ASKED[:3], SAID[:3]).values - expected(words)[:3]).max() < 1e-12  # nothing of it was kept


def test_scores_that_are_no_numbers_are_a_failure(server: Server, words: Path) -> None:
    for value in ("2.5", True, [2.5], {}, float("inf")):
        server.plan = dict.fromkeys(range(999), (200, json.dumps({"rewards": [value]})))
        with pytest.raises(ModelError):
            RewardServer(f"openrlhf+{server.url}#{words}").score(ASKED[:1], SAID[:1])


def test_a_body_that_breaks_off_is_asked_for_again_and_then_a_failure(server: Server, words: Path) -> None:
    server.broken = {0, 1}
    found = RewardServer(f"sglang+{server.url}#{words}").score(ASKED[:3], SAID[:3])
    assert np.abs(found.values - expected(words)[:3]).max() < 1e-12 and server.count == 3
    server.broken = set(range(99))
    with pytest.raises(ModelError, match=r"127\.0\.0\.1.*IncompleteRead"):
        RewardServer(f"sglang+{server.url}#{words}").score(ASKED[:3], SAID[:3])
    server.broken, server.plan = set(range(99)), dict.fromkeys(range(99), (400, "no such thing"))
    with pytest.raises(ModelError, match="answered 400"):
        RewardServer(f"sglang+{server.url}#{words}").score(ASKED[:1], SAID[:1])


def test_a_rerun_asks_for_what_is_missing_alone(server: Server, words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefaudit.models import scored

    monkeypatch.setattr(scored, "SLICE", 10)
    monkeypatch.setattr(reward_server, "AT_ONCE", 1)
    made = scorer(f"tei+{server.url}#{words}")
    server.plan = dict.fromkeys(range(2, 99), (500, "down"))
    with pytest.raises(ModelError, match="500 5 times"):
        made.score(ASKED, SAID)
    before = [t for texts in server.asked for t in texts]
    server.plan = {}
    found = made.score(ASKED + ASKED, SAID + SAID)
    after = [t for texts in server.asked for t in texts][len(before) :]
    assert len(before) == 20 and len(after) == 20 and not set(before) & set(after)
    assert np.abs(found.values - np.tile(expected(words), 2)).max() < 1e-12
    server.plan = dict.fromkeys(range(9999), (500, "down"))
    assert (
        Scored(RewardServer(f"tei+{server.url}#{words}")).score(ASKED, SAID).values.tolist() == expected(words).tolist()
    )


def test_the_server_has_to_be_named_whole(server: Server, words: Path, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="what kind of server") as caught:
        scorer(server.url)
    assert "sglang+URL" in caught.value.hint
    with pytest.raises(AuditError, match="names no tokenizer"):
        scorer(f"vllm+{server.url}")
    with pytest.raises(AuditError, match="cannot be loaded"):
        scorer(f"vllm+{server.url}#{tmp_path}")
    tokenizer(template=None).save_pretrained(tmp_path / "bare")
    with pytest.raises(AuditError, match="no chat template"):
        scorer(f"vllm+{server.url}#{tmp_path / 'bare'}")


def test_what_was_answered_before_a_failure_is_kept_within_a_slice(
    server: Server, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reward_server, "AT_ONCE", 1)
    monkeypatch.setattr(reward_server, "BATCH", 4)
    server.plan = dict.fromkeys(range(2, 99), (500, "down"))
    with pytest.raises(ModelError, match="500 5 times"):
        scorer(f"tei+{server.url}#{words}").score(ASKED, SAID)
    before = {t for texts in server.asked for t in texts}
    server.plan = {}
    found = scorer(f"tei+{server.url}#{words}").score(ASKED, SAID)
    after = [t for texts in server.asked for t in texts][len(before) :]
    assert len(before) == 8 and len(after) == len(SAID) - 8 and not before & set(after)
    assert np.abs(found.values - expected(words)).max() < 1e-12


OTHER = ['{"error": "invalid api token"}', '{"error": "max_batch: 3"}', "bad length header",
         '{"error":{"message":"Budget has been exceeded! Team token limit reached"}}', "rpc error: context canceled",
         "413 Request Entity Too Large"]  # fmt: skip
LONG = ["This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "You passed 5000 input tokens. However, the model's context length is only 4096 tokens",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "Input validation error: `inputs` must have less than 512 tokens. Given: 600",
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        "Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens)."]  # fmt: skip


@pytest.mark.parametrize("said", LONG)
def test_the_words_of_servers_for_a_text_that_is_too_long(said: str, server: Server, words: Path) -> None:
    server.plan = dict.fromkeys(range(999), (400, json.dumps({"error": said})))
    found = RewardServer(f"openrlhf+{server.url}#{words}").score(ASKED[:1], SAID[:1])
    assert np.isnan(found.values).all() and found.cut.all()


@pytest.mark.parametrize("said", OTHER)
def test_a_400_of_another_reason_is_a_failure_and_nothing_is_kept(said: str, server: Server, words: Path) -> None:
    server.plan = dict.fromkeys(range(999), (400, said))
    with pytest.raises(ModelError, match="answered 400"):
        scorer(f"openrlhf+{server.url}#{words}").score(ASKED[:3], SAID[:3])
    server.plan = {}
    assert np.isfinite(scorer(f"openrlhf+{server.url}#{words}").score(ASKED[:3], SAID[:3]).values).all()


def held(cache: Path) -> list[float]:
    """All scores that were kept."""
    found = []
    for path in cache.rglob("scores-*.sqlite"):
        con = sqlite3.connect(path)
        found += [x for (x,) in con.execute("select x from s")]
        con.close()
    return found


@pytest.mark.parametrize("n", [1, 3, 7])
@pytest.mark.parametrize("kind", PROTOCOLS)
def test_a_few_probabilities_are_refused(kind: str, n: int, server: Server, words: Path, tmp_path: Path) -> None:
    server.old = True
    with pytest.raises(ModelError, match=r"answers probabilities.*--score-columns"):
        scorer(f"{kind}+{server.url}#{words}").score(ASKED[:n], SAID[:n])
    assert held(tmp_path) == []


def test_no_probability_joins_raw_scores_that_were_kept(server: Server, words: Path, tmp_path: Path) -> None:
    made = scorer(f"tei+{server.url}#{words}")
    made.score(ASKED[:37], SAID[:37])
    server.old = True
    with pytest.raises(ModelError, match="answers probabilities"):
        made.score(ASKED, SAID)
    assert sorted(held(tmp_path)) == sorted(expected(words)[:37].tolist())


@pytest.mark.parametrize("most", [99, 5])
def test_raw_scores_that_lie_in_0_to_1_by_chance_are_scores(most: int, server: Server, words: Path) -> None:
    asked = [[{"role": "user", "content": f"question {k}"}] for k in range(900)]
    said = [f"answer {k}" for k in range(900)]
    made = RewardServer(f"sglang+{server.url}#{words}")
    values = np.array([score(t) for t in made._texts(asked, said)])
    inside = np.flatnonzero((values > 0) & (values < 1))[:40]
    server.most = most
    found = made.score([asked[k] for k in inside], [said[k] for k in inside])
    assert len(inside) == 40 and np.abs(found.values - values[inside]).max() < 1e-12
    assert max(map(len, server.asked)) <= reward_server.BATCH


def test_one_unusable_text_loses_no_answer(server: Server, words: Path, tmp_path: Path) -> None:
    made = scorer(f"openrlhf+{server.url}#{words}")
    server.unusable = "answer 3 "
    said = [f"answer {k} ." for k in range(6)]
    with pytest.raises(ModelError, match="cannot be read"):
        made.score(ASKED[:1] * 6, said)
    assert len(held(tmp_path)) == 3
    server.unusable, server.asked = "", []
    made.score(ASKED[:1] * 6, said)
    assert sum(map(len, server.asked)) == 3 and len(held(tmp_path)) == 6


def test_each_request_is_kept_as_it_is_answered(
    server: Server, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reward_server, "AT_ONCE", 1)
    monkeypatch.setattr(reward_server, "BATCH", 16)
    inner = RewardServer(f"tei+{server.url}#{words}")
    kept = []
    each = RewardServer.each

    def watched(self: RewardServer, *asked: Any) -> Iterator[Any]:
        for found in each(self, *asked):
            kept.append(len(held(tmp_path)))  # before this one is
            yield found

    monkeypatch.setattr(RewardServer, "each", watched)
    Scored(inner).score(ASKED, SAID)
    assert len(kept) == 3 and kept[0] == 0 and kept[1] > 0 and kept[2] > kept[1]


def test_a_server_that_says_when_is_asked_then(server: Server, words: Path) -> None:
    server.plan, server.headers = {0: (429, "slow down")}, {"Retry-After": "1"}
    began = time.monotonic()
    RewardServer(f"tei+{server.url}#{words}").score(ASKED[:1], SAID[:1])
    assert 1 <= time.monotonic() - began < 5

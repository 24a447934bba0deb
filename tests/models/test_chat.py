"""The chat client against a server over a socket: every kind of failure, the cap, the cache, a kill."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chatting import Body, ChatServer, Plan, serving

from prefaudit.core import AuditError, Progress, UsageError
from prefaudit.models import chat_said
from prefaudit.models.chat import Answer, Chat, Failure, Request, connect, session
from prefaudit.models.chat_account import Tally
from prefaudit.models.chat_http import Endpoint, after

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def count(body: Body) -> str:
    """The number that stands last in the question."""
    return json.dumps({"n": int(body["messages"][1]["content"].split("\n")[0].split()[-1])})


def read(value: Any) -> int:
    n = value["n"]
    if not isinstance(n, int):
        raise ValueError("n is no number")
    return n


def request(k: int, **more: Any) -> Request:
    return Request((("system", "Say the number as JSON."), ("user", f"number {k}")), SCHEMA, 50, 5, read, **more)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("prefaudit.models.chat.FIRST_WAIT", 0.005)
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))


def chat(server: ChatServer, **more: Any) -> Chat:
    return Chat("m", server.url, cache=more.pop("cache", None), **more)


def of(name: str, turns: int = 1, which: int = 3) -> Plan:
    """Question `which` fails so often."""
    asked = f"number {which}"
    return Plan(lambda body, turn: name if asked in body["messages"][1]["content"] and turn < turns else None, hang=0.6)


def test_answers_come_in_the_order_of_the_requests_and_equal_ones_are_asked_once() -> None:
    with serving(count) as server:
        model = chat(server)
        got = model.ask([request(k % 7) for k in range(20)], "names")
    assert [a.value for a in got if isinstance(a, Answer)] == [k % 7 for k in range(20)]
    assert len(server.seen.asked) == 7
    tally = model.tallies["names"]
    assert (tally.requests, tally.answered, tally.cached, tally.calls, tally.again) == (20, 7, 13, 7, 0)
    assert tally.tokens_in == 7 * 7 and tally.tokens_out == 7 * 2


@pytest.mark.parametrize("name", ["429", "500", "503", "timeout", "drop", "cut", "length", "refusal", "empty", "words"])
def test_a_failure_that_passes_is_tried_again_and_counted(name: str) -> None:
    with serving(count, of(name)) as server:
        model = chat(server, timeout=0.3)
        got = model.ask([request(k) for k in range(6)])
    assert [a.value for a in got if isinstance(a, Answer)] == list(range(6))
    assert (model.tallies[""].calls, model.tallies[""].again, model.tallies[""].failures) == (7, 1, 0)
    assert server.seen.troubles == [name]


def test_every_request_that_leaves_is_in_the_ledger_and_under_the_cap() -> None:
    plan = Plan(lambda body, turn: "hang up" if turn < 1 and body["messages"][1]["content"][-1] in "357" else None)
    with serving(count, plan) as server:
        model = chat(server, at_once=1)
        got = model.ask([request(k) for k in range(10)])
        assert all(isinstance(a, Answer) for a in got) and server.seen.troubles == ["hang up"] * 3
        assert len(server.seen.asked) == 13 == model.tallies[""].calls and model.tallies[""].again == 3
        capped = chat(server, max_calls=4)
        plan.trouble = lambda body, turn: "hang up"
        capped.ask([request(k) for k in range(20, 30)])
        assert len(server.seen.asked) == 17 and capped.tallies[""].calls == 4


def test_a_kept_connection_that_the_server_left_is_seen_before_sending() -> None:
    with serving(count, Plan(leaves=True)) as server:
        model = chat(server, at_once=1)
        for k in range(5):
            assert isinstance(model.ask([request(k)])[0], Answer)
            time.sleep(0.02)  # its end has to arrive
    assert len(server.seen.asked) == 5 == model.tallies[""].calls


@pytest.mark.parametrize("name", ["refusal", "words", "empty", "html", "drop", "cut", "hang up"])
def test_a_model_that_gives_nothing_that_can_be_used_is_given_up(name: str) -> None:
    plan = Plan(lambda body, turn: name if int(body["messages"][1]["content"].split()[-1]) >= 100 else None)
    with serving(count, plan) as server:
        model = chat(server)
        got = model.ask([request(k) for k in range(100, 400)])
        first = len(server.seen.asked)
        assert first <= 18 and len([a for a in got if a.reason == "not asked"]) >= 294  # type: ignore[union-attr]
        assert "in a row" in model.why and model.why in {a.said for a in got}  # type: ignore[union-attr]
        assert model.ask([request(k) for k in range(400, 420)], "other")[0] == Failure("not asked", model.why)
        assert len(server.seen.asked) == first == model.tallies[""].calls and "other" in model.tallies
        later = chat(server, at_once=4)  # it answered, and stops doing so
        got = later.ask([request(k) for k in range(20)] + [request(k) for k in range(100, 400)])
    assert all(isinstance(a, Answer) for a in got[:20]) and later.tallies[""].calls <= 20 + 3 * 48
    assert later.tallies[""].failed["not asked"] > 250


def test_a_model_that_refuses_now_and_then_is_not_given_up() -> None:
    plan = Plan(lambda body, turn: "refusal" if int(body["messages"][1]["content"].split()[-1]) % 5 else None)
    with serving(count, plan) as server:
        got = chat(server, at_once=4).ask([request(k) for k in range(100)])
    assert sum(isinstance(a, Answer) for a in got) == 20 and {a.reason for a in got if isinstance(a, Failure)} == {
        "refused"
    }


@pytest.mark.parametrize(
    ("name", "reason", "calls"),
    [("429", "rate limit", 5), ("500", "server error", 5), ("timeout", "timeout", 5), ("drop", "cut", 3),
     ("cut", "cut", 3), ("length", "cut", 3), ("refusal", "refused", 3), ("words", "refused", 3),
     ("empty", "unreadable", 3), ("html", "unreadable", 3), ("400", "rejected", 1), ("413", "rejected", 1)],
)  # fmt: skip
def test_a_failure_that_stays_is_a_failure_with_its_reason(name: str, reason: str, calls: int) -> None:
    with serving(count, of(name, 99)) as server:
        server.plan.hang = 0.1
        model = chat(server, timeout=0.05 if name == "timeout" else 5)
        got = model.ask([request(k) for k in range(6)])
    assert [k for k, a in enumerate(got) if isinstance(a, Failure)] == [3]
    assert isinstance(got[3], Failure) and got[3].reason == reason
    tally = model.tallies[""]
    assert tally.failed == {reason: 1} and tally.answered == 5 and tally.requests == 6
    assert sum("number 3" in key for key in server.seen.keys) == calls


def test_a_page_of_html_is_called_one_whatever_its_status() -> None:
    page = b"<!-- proxy -->\n<html><head><title>Sign\n in</title></head>..."
    said = "a page of HTML ('Sign in'), not JSON: the URL has to end as that of the API does, mostly in /v1"
    assert chat_said.error(page.decode()) == said
    for body, reason, told in [
        (page, "unreadable", said), (b'{"choices": [', "cut", "the body begins as JSON and does not end"),
        (b"", "unreadable", "the body is empty"), (b"ok", "unreadable", "the body is no JSON: 'ok'"),
    ]:  # fmt: skip
        with pytest.raises(chat_said.Trouble) as trouble:
            chat_said.body(body)
        assert (trouble.value.reason, trouble.value.said) == (reason, told)


def test_half_a_surrogate_pair_in_an_answer_costs_one_character(tmp_path: Path) -> None:
    texts = ['{"n": 3} \ud83d', '{"n": 4} \U0001f600 \udc00']
    with serving(lambda body: texts[int("number 4" in body["messages"][1]["content"])]) as server:
        got = chat(server, cache=tmp_path / "c").ask([request(3), request(4)])
    assert [a.text for a in got if isinstance(a, Answer)] == ['{"n": 3} \ufffd', '{"n": 4} \U0001f600 \ufffd']


def test_an_answer_that_reads_wrong_is_never_used() -> None:
    with serving(lambda body: '{"n": "many"}') as server:
        got = chat(server).ask([request(1)])
    assert got == [Failure("unreadable", "n is no number")]
    with serving(lambda body: '{"n": NaN}') as server:
        (failed,) = chat(server).ask([request(1)])
    assert isinstance(failed, Failure) and failed.reason == "unreadable"


def test_json_is_found_behind_reasoning_and_in_a_fence() -> None:
    with serving(count, of("fence")) as server:
        got = chat(server).ask([request(3)])
    assert isinstance(got[0], Answer) and got[0].value == 3 and len(server.seen.asked) == 1


@pytest.mark.parametrize("words", ["Sure! {here} is it:\n```json\n%s\n```\nHope that {helps}", "{ x } %s"])
def test_json_is_found_behind_words_in_braces(words: str) -> None:
    with serving(lambda body: words % '{"n": 3}') as server:
        (got,) = chat(server).ask([request(3)])
    assert isinstance(got, Answer) and got.value == 3


def test_an_error_with_200_is_named_and_no_count_is_negative() -> None:
    with pytest.raises(chat_said.Trouble, match="server error: overloaded"):
        chat_said.said({"error": {"message": "overloaded"}})
    usage = {"prompt_tokens": 7, "completion_tokens": -5}
    found = chat_said.said({"choices": [{"message": {"content": "{}"}}], "usage": usage})
    assert (found.tokens_in, found.tokens_out) == (7, 0)


def test_an_answer_that_was_cut_gets_more_room() -> None:
    with serving(count, of("length", 2)) as server:
        chat(server).ask([request(3)])
    assert [body["max_tokens"] for body in server.seen.asked] == [50, 100, 200]


@pytest.mark.parametrize("forms", [("json_schema",), ("json_object",), ()])
def test_the_form_of_json_gives_way_once_and_is_remembered(forms: tuple[str, ...], tmp_path: Path) -> None:
    with serving(count, Plan(forms=forms)) as server:
        model = chat(server, cache=tmp_path / "c")
        got = model.ask([request(k) for k in range(30)])
        lost = {("json_schema",): 0, ("json_object",): 1, (): 2}[forms]
        assert all(isinstance(a, Answer) for a in got) and len(server.seen.asked) == 30 + lost
        last = server.seen.asked[-1]
        assert last.get("response_format", {}).get("type") == (forms[0] if forms else None)
        assert ("JSON schema" in last["messages"][-1]["content"]) == (lost > 0)
        chat(server, cache=tmp_path / "c").ask([request(k) for k in range(40)])
        assert len(server.seen.asked) == 40 + lost


def test_fields_that_a_server_refuses_are_left_out() -> None:
    with serving(count, Plan(refuses=("max_tokens", "temperature", "seed"))) as server:
        got = chat(server).ask([request(k) for k in range(5)])
    assert all(isinstance(a, Answer) for a in got) and len(server.seen.asked) == 8
    assert server.seen.asked[-1].keys() == {"model", "messages", "max_completion_tokens", "response_format"}


@pytest.mark.parametrize("status", ["401", "403", "404", "302"])
def test_a_wrong_key_path_or_model_ends_the_work_at_once(status: str) -> None:
    with serving(count, Plan(lambda body, turn: status)) as server:
        with pytest.raises(AuditError, match=f"planned {status}") as error:
            chat(server).ask([request(k) for k in range(50)])
        assert "PREFAUDIT_LLM_KEY" in error.value.hint and len(server.seen.asked) == 1


@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_key_that_a_server_gives_back_is_told_to_nobody(
    status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREFAUDIT_LLM_KEY", "sk-topsecret123")

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            said = self.headers["Authorization"]
            body = json.dumps({"error": {"message": said}, "choices": [{"message": {"content": said}}]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = Chat("m", f"http://127.0.0.1:{server.server_port}/v1", cache=None)
        try:
            said = str(asked.ask([request(0)]))
        except AuditError as error:
            said = f"{error} {error.hint}"
        server.shutdown()
    assert "[key]" in said and "topsecret" not in said


def test_a_server_that_is_not_there_is_given_up() -> None:
    with serving(count) as server:
        url = server.url
    got = Chat("m", url, cache=None).ask([request(k) for k in range(100)])
    reasons = [a.reason for a in got if isinstance(a, Failure)]
    assert len(reasons) == 100 and reasons.count("connection") < 40 and reasons.count("not asked") > 60
    assert "in a row failed" in next(a.said for a in got if isinstance(a, Failure) and a.reason == "not asked")


def test_retry_after_is_kept_by_all_threads() -> None:
    plan = Plan(lambda body, turn: "429" if turn == 0 and body["messages"][1]["content"].endswith(" 5") else None)
    plan.retry_after, plan.late = "1", 0.02
    with serving(count, plan) as server:
        model = chat(server, at_once=4)
        model.ask([request(0)])
        got = model.ask([request(k) for k in range(5, 45)])
    assert all(isinstance(a, Answer) for a in got)
    times = server.seen.at[1:]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    longest = pauses.index(max(pauses))
    assert pauses[longest] > 0.8 and longest < len(pauses) - 5  # not the one call alone: the others waited too


def test_retry_after_is_seconds_or_a_date() -> None:
    import datetime

    assert after("2.5") == 2.5 and after(None) == 0 and after("soon") == 0
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
    assert 28 < after(format_datetime(soon, usegmt=True)) < 31


def test_a_wait_that_is_too_long_is_a_failure() -> None:
    plan = of("429", 99)
    plan.retry_after = "3600"
    with serving(count, plan) as server:
        (failed,) = chat(server).ask([request(3)])
    assert isinstance(failed, Failure) and failed.reason == "rate limit" and len(server.seen.asked) == 1


def test_the_cap_counts_every_call_and_the_rest_is_asked_later(tmp_path: Path) -> None:
    with serving(count, of("500", 1)) as server:
        model = chat(server, cache=tmp_path / "c", max_calls=12)
        got = model.ask([request(k) for k in range(30)], "votes")
        assert len(server.seen.asked) == 12
        left = [a for a in got if isinstance(a, Failure)]
        assert "--max-calls 12" in next(a.said for a in left if a.reason == "not asked")
        assert {a.reason for a in left} <= {"not asked", "server error"}  # one that was sent and failed is not unasked
        tally = model.tallies["votes"]
        assert tally.incomplete() and tally.answered + tally.failures == 30 and tally.calls == 12
        again = chat(server, cache=tmp_path / "c").ask([request(k) for k in range(30)])
        assert all(isinstance(a, Answer) for a in again)
        assert len(server.seen.asked) == 12 + len(left)


def test_a_call_that_the_cap_leaves_no_second_try_has_failed() -> None:
    with serving(count, of("500", 9)) as server:
        (failed,) = chat(server, max_calls=1).ask([request(3)])
    assert isinstance(failed, Failure) and failed.reason == "server error" and len(server.seen.asked) == 1


def test_the_cap_is_that_of_the_whole_run() -> None:
    with serving(count) as server:
        with session(max_calls=5) as chats:
            assert connect("m", server.url) is connect("m", server.url)
            connect("m", server.url).ask([request(k) for k in range(4)], "names")
            got = connect("m", server.url).ask([request(k) for k in range(10, 14)], "judge")
            (shared,) = chats.values()
        assert [type(a) for a in got].count(Answer) == 1 and len(server.seen.asked) == 5
        assert set(shared.tallies) == {"names", "judge"}
        assert connect("m", server.url).max_calls is None
        with session(max_calls=5) as chats:
            got = [connect(name, server.url).ask([request(k) for k in range(20, 24)]) for name in ("m", "n")]
        assert sum(c.tallies[""].calls for c in chats.values()) == 5 and len(server.seen.asked) == 10
        assert [sum(isinstance(a, Answer) for a in one) for one in got] == [4, 1]


def test_failures_are_not_kept(tmp_path: Path) -> None:
    with serving(count, of("refusal", 3)) as server:
        first = chat(server, cache=tmp_path / "c").ask([request(3)])
        second = chat(server, cache=tmp_path / "c").ask([request(3)])
    assert isinstance(first[0], Failure) and isinstance(second[0], Answer)


def test_answers_are_kept_by_the_whole_request_model_and_url(tmp_path: Path) -> None:
    with serving(count) as server:
        Chat("m", server.url).ask([request(1)])
        Chat("m", server.url).ask([request(1)])
        assert len(server.seen.asked) == 1
        Chat("other", server.url).ask([request(1)])
        Chat("m", server.url).ask([Request(request(1).messages, SCHEMA, 60, 5, read)])
        Chat("m", server.url).ask([Request(request(1).messages, {**SCHEMA, "title": "x"}, 50, 5, read)])
        assert len(server.seen.asked) == 4
    with serving(count) as elsewhere:
        Chat("m", elsewhere.url).ask([request(1)])
        assert len(elsewhere.seen.asked) == 1


def test_a_preview_sends_nothing_and_says_what_will_be_sent(tmp_path: Path) -> None:
    with serving(count) as server:
        model = chat(server, cache=tmp_path / "c", price=(1.0, 2.0))
        asked = [request(k) for k in range(10)]
        model.ask(asked[:4])
        before = len(server.seen.asked)
        preview = model.preview(asked)
        assert len(server.seen.asked) == before
        assert (preview.requests, preview.cached, preview.calls) == (10, 4, 6)
        assert preview.characters == sum(len(t) for r in asked[4:] for _, t in r.messages)
        assert preview.tokens_out == 30 and preview.cost == (preview.tokens_in + 60) / 1e6
        assert "6 calls (4 more are answered already)" in preview.told() and "$0.00" in preview.told()
        assert (preview + preview).calls == 12


def test_what_will_be_asked_is_said_before_and_what_came_of_it_after() -> None:
    told: list[tuple[int, str]] = []
    with serving(count) as server:
        model = chat(server, progress=Progress(say=lambda line: told.append((len(server.seen.asked), line))))
        model.ask([request(k) for k in range(5)], "names")
        model.ask([request(k) for k in range(5)], "names")
    assert [sent for sent, _ in told] == [0, 5]
    assert told[0][1].startswith("m: names: 5 calls") and "5 requests: 0 answered before, 5 now" in told[1][1]


def test_a_ledger_adds_up() -> None:
    tally = Tally((1.0, 1.0), 100, 10, 85, {"refused": 3, "timeout": 2}, 95, 5, 500_000, 500_000)
    assert not tally.incomplete() and tally.ledger()["cost"] == 1.0
    assert "5 failed (refused 3, timeout 2)" in tally.told() and "$1.00" in tally.told()
    tally.failed["timeout"] = 3
    assert tally.incomplete() and not tally.incomplete(0.5)


def test_the_key_goes_out_with_calls_and_nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREFAUDIT_LLM_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another")
    with serving(count) as server:
        chat(server, cache=tmp_path / "c").ask([request(1)])
        assert server.seen.headers[0]["Authorization"] == "Bearer sk-very-secret"
        monkeypatch.delenv("PREFAUDIT_LLM_KEY")
        chat(server, cache=tmp_path / "d").ask([request(1)])
        assert "Authorization" not in server.seen.headers[1]
    assert all(b"very-secret" not in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert Endpoint("https://api.openai.com/v1", 1).headers()["Authorization"] == "Bearer sk-of-another"
    assert "Authorization" not in Endpoint("http://api.openai.com/v1", 1).headers()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "", "http://", "http://host:http/v1"])
def test_a_url_that_is_none_is_an_error(url: str) -> None:
    with pytest.raises(UsageError, match="is no URL"):
        Chat("m", url, cache=None)


def test_the_path_may_be_given_or_not_and_a_password_is_never_shown() -> None:
    assert (
        Endpoint("http://h:1/v1/chat/completions", 1).path
        == Endpoint("http://h:1/v1/", 1).path
        == "/v1/chat/completions"
    )
    assert Endpoint("http://u:pw@h:1/v1", 1).name == "http://h:1/v1"


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(count) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.setenv("no_proxy", "")
        got = Chat("m", "http://nowhere.invalid:99/v1", cache=None).ask([request(1)])
    assert isinstance(got[0], Answer) and proxy.seen.paths == ["http://nowhere.invalid:99/v1/chat/completions"]


SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to it
from prefaudit.cli import stop
from test_chat import Chat, request
stop.PATIENCE = 0.0  # as where the machine is so busy that the signal is not taken up in time
guard = stop.Guard()  # that of the commands
guard.start()
try:
    Chat("m", sys.argv[1], cache=sys.argv[2], at_once=4).ask([request(k) for k in range(int(sys.argv[3]))])
finally:
    guard.stop()
"""


def environment() -> dict[str, str]:
    here = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*here, os.environ.get("PYTHONPATH", "")])}


class Gate:
    """Answers so many questions, and the others once it is open."""

    def __init__(self, n: int) -> None:
        self.left, self.held, self.lock, self.open = n, 0, threading.Lock(), threading.Event()

    def __call__(self, body: Body) -> str:
        with self.lock:
            self.left -= 1
            late = self.left < 0
            self.held += late
        if late:
            self.open.wait(60)
            time.sleep(0.2)  # so that whoever is told to stop has not asked all the rest before it hears of it
        return count(body)


def asking(server: ChatServer, folder: Path) -> subprocess.Popen[bytes]:
    """A process that asks sixty questions, four at once."""
    command = [sys.executable, "-c", SCRIPT, server.url, str(folder / "c"), "60"]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE)


def reached(running: subprocess.Popen[bytes], what: Callable[[], bool]) -> None:
    while not what():
        assert running.poll() is None
        time.sleep(0.002)


def test_after_ctrl_c_every_call_under_way_is_waited_for(tmp_path: Path) -> None:
    gate = Gate(20)
    with serving(gate) as server:
        running = asking(server, tmp_path)
        reached(running, lambda: gate.held == 4)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        assert any(b"waiting for the answers" in line for line in running.stderr)
        assert running.poll() is None
        gate.open.set()
        assert b"Exception in thread" not in running.communicate(timeout=60)[1]
        assert running.returncode != 0 and 24 <= len(server.seen.keys) < 60
        again = asking(server, tmp_path)
        told = again.communicate(timeout=60)[1]
        assert again.returncode == 0, told
    assert len(server.seen.keys) == 60 == len(set(server.seen.keys))


def test_a_run_that_was_killed_asks_nothing_again(tmp_path: Path) -> None:
    gate = Gate(50)
    with serving(gate) as server:
        running = asking(server, tmp_path)
        reached(running, lambda: len(server.seen.answered) >= 20)
        before = set(server.seen.answered)
        running.kill()  # in the middle of it: what lies behind the gate keeps a late kill from coming too late
        running.communicate(timeout=60)
        sent = len(server.seen.asked)
        gate.open.set()
        again = asking(server, tmp_path)
        told = again.communicate(timeout=60)[1]
        assert again.returncode == 0, told
    assert sent < 60 == len(set(server.seen.keys))
    # What the killed process had not read when it died cannot be known to it: at most the calls then under way.
    assert len([key for key in server.seen.keys[sent:] if key in before]) <= 4

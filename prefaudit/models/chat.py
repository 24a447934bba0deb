"""A language model behind any OpenAI-compatible URL, asked so that every call is accounted for.

    chat = connect(model, url)                      # the one of this run: its cap on calls, its ledger
    request = Request((("system", "..."), ("user", "...")), schema={...}, limit=300, read=check)
    preview = chat.preview([request])               # calls, tokens, cost; nothing is sent
    for got in chat.ask([request], "names"):        # in the order of the requests
        if isinstance(got, Answer): use(got.value)  # what `read` made of the JSON
        else: count(got.reason)                     # Failure: never a default, never silence
    chat.tallies["names"].told()                    # asked, cached, answered, calls, again, failed by reason, tokens

What was answered once is never asked again: answers lie in a file of the user's cache folder under the hash of the
whole request, the model and the URL, and are there when `ask` is killed. Failures are not kept. A call is tried again
after rate limits, server errors, timeouts, broken connections, answers that were cut off, refused or cannot be read;
what then still fails is a Failure. A wrong key, path or model ends the work at once (AuditError); where request after
request fails, the rest is not asked.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from prefaudit.core import AuditError, Progress
from prefaudit.models.chat_account import UNUSABLE, Allowance, Patience, Preview, Tally, tokens
from prefaudit.models.chat_cache import Answers, default_path
from prefaudit.models.chat_http import Dialect, Endpoint
from prefaudit.models.chat_request import Answer, Failure, Request, understood
from prefaudit.models.chat_said import Trouble, said

__all__ = ["Answer", "Chat", "Failure", "Request", "connect", "session"]

TRIES, READINGS = 5, 3  # calls for one request; those of them that came back and could not be used
FIRST_WAIT, LONGEST_WAIT = 0.5, 90.0  # seconds; a server that asks for more has said no
AT_ONCE, TIMEOUT, DRAIN = 16, 180.0, 30.0  # calls at once; seconds for one; seconds for those under way when stopped


class Chat:
    """A model behind a URL.

    Args:
        model: its name there.
        url: the base, as http://localhost:8000/v1.
        cache: file of the answers; None keeps them for this object alone, "" takes the user's cache folder.
        max_calls: calls that may be sent, those that are repeated too; what is left is not asked.
        allowance: what is left of them where other models share it.
        price: dollars per million tokens in and out.
        at_once: calls under way at once.
        timeout: seconds without a byte after which a call is given up.
        progress: told what is about to be asked, how far it is, and what came of it.

    Attributes:
        why: why no more is asked; empty as long as there is more.

    Raises:
        AuditError: the URL is none, or the cache cannot be opened.
    """

    def __init__(
        self, model: str, url: str, *, cache: Path | str | None = "", max_calls: int | None = None,
        price: tuple[float, ...] | None = None, at_once: int = AT_ONCE, timeout: float = TIMEOUT,
        progress: Progress | None = None, allowance: Allowance | None = None,
    ) -> None:  # fmt: skip
        self.model, self.price, self.at_once, self.progress = model, price, at_once, progress or Progress()
        self.endpoint = Endpoint(url, timeout)
        path = default_path(model, self.endpoint.name) if cache == "" else Path(cache) if cache else None
        self.answers = Answers(path)
        self.max_calls, self._allowance = max_calls, allowance or Allowance(max_calls)
        self.tallies: dict[str, Tally] = {}
        noted = self.answers.note("dialect")
        self._dialect = Dialect(**noted) if noted else Dialect()
        self._lock, self._stop, self._proven = threading.Lock(), threading.Event(), threading.Event()
        self.why, self._pause, self._patience = "", 0.0, Patience()
        self._fatal: BaseException | None = None
        if noted:
            self._proven.set()

    def key(self, request: Request) -> bytes:
        """What tells requests apart: the endpoint, the model, and everything that is asked."""
        whole = [self.endpoint.name, self.model, request.messages, request.schema, request.limit]
        text = json.dumps(whole, ensure_ascii=False, sort_keys=True)
        return hashlib.blake2b(text.encode("utf8", "surrogatepass"), digest_size=16).digest()

    def preview(self, requests: Sequence[Request]) -> Preview:
        """What asking these would cost; nothing is sent."""
        distinct = {self.key(r): r for r in requests}
        cached = self.answers.have(list(distinct))
        return self.cost([r for key, r in distinct.items() if key not in cached], len(requests))

    def cost(self, new: Sequence[Request], requests: int | None = None) -> Preview:
        """What asking these would cost if none were answered already; `requests` counts those that are, too."""
        told = [tokens("".join(text for _, text in r.messages)) for r in new]
        out = sum(r.expected or r.limit for r in new)
        size = sum(len(text) for r in new for _, text in r.messages)
        n = len(new) if requests is None else requests
        return Preview(n, n - len(new), len(new), size, sum(told), out, self.price)

    def ask(self, requests: Sequence[Request], purpose: str = "") -> list[Answer | Failure]:
        """Answers in the order of the requests; equal requests are asked once.

        Args:
            requests: what to ask; all are held in memory.
            purpose: under which the tally is kept.

        Raises:
            AuditError: the server refuses the key, the path or the model.
        """
        progress = self.progress
        tally = self.tallies.setdefault(purpose, Tally(self.price))
        keys = [self.key(r) for r in requests]
        by_key = dict(zip(keys, requests, strict=True))
        found: dict[bytes, Answer | Failure] = {}
        for key, kept in self.answers.have(list(by_key)).items():
            with suppress(Trouble):  # `read` has become stricter since: ask again
                found[key] = understood(by_key[key], kept)
        todo = deque((key, r) for key, r in by_key.items() if key not in found)
        asked = dict(todo)
        new = bool(asked)
        if new:
            progress.say(f"{self.model}: {purpose}: {self.cost(list(asked.values()), len(requests)).told()}")
        progress.start(purpose, len(asked))
        try:
            self._work(todo, found, tally, progress)
        finally:  # what was interrupted has a ledger too
            results = [found.get(key) or Failure("not asked", self.why) for key in keys]
            for key, got in zip(keys, results, strict=True):
                if isinstance(got, Failure):
                    tally.failed[got.reason] = tally.failed.get(got.reason, 0) + 1
                else:  # of equal requests one is answered by a call, the others by its answer
                    tally.count(**{"answered" if asked.pop(key, None) else "cached": 1})
            tally.requests += len(requests)
            progress.done()
        if new:
            progress.say(f"{self.model}: {purpose}: {tally.told()}")
        return results

    def ledger(self) -> dict[str, Any]:
        """What became of all requests so far, by purpose."""
        return {purpose: tally.ledger() for purpose, tally in self.tallies.items()}

    def _work(self, todo: deque[tuple[bytes, Request]], found: dict[bytes, Answer | Failure], tally: Tally,
              progress: Progress) -> None:  # fmt: skip
        """Threads empty the queue; the first goes alone until the server has answered one request."""
        running: set[int] = set()
        ended: SimpleQueue[int] = SimpleQueue()

        def run(k: int) -> None:
            try:
                while k and not self._proven.wait(0.02):
                    if self._stop.is_set() or not todo:
                        return
                while todo and not self._stop.is_set():
                    with suppress(IndexError):  # another thread took the last one
                        key, request = todo.popleft()
                        got = self._one(key, request, tally)
                        if got is not None:
                            found[key] = got
                        progress.step(1)
            except Exception as error:  # told to the caller, who waits for this thread
                self._fatal = error
                self._halt(str(error))
            finally:
                self.endpoint.close()
                running.discard(k)
                ended.put(k)

        def wait(until: float = math.inf) -> None:
            # Not Thread.join: interrupted, it says that a thread has ended (CPython 3.11). With a limit: signals come.
            while running and time.monotonic() < until:
                with suppress(Empty):
                    ended.get(timeout=0.1)

        asking.set()
        try:
            for k in range(min(self.at_once, len(todo))):
                running.add(k)
                Thread(target=run, args=(k,), daemon=True).start()
            wait()
        except KeyboardInterrupt:
            self._halt("interrupted")
            wait(time.monotonic() + DRAIN)  # what is under way is paid for: take it in
            raise
        finally:
            asking.clear()
        if self._fatal is not None:
            raise self._fatal

    def _one(self, key: bytes, request: Request, tally: Tally) -> Answer | Failure | None:
        """One request to its end, or as far as the cap or a stop lets it come; None where it was never sent."""
        limit, dialect, calls, tries, unusable = request.limit, self._dialect, 0, 0, 0
        last: Failure | None = None
        while self._may():
            tally.count(calls=1, again=int(calls > 0))
            calls += 1
            try:
                body = {"model": self.model} | dialect.body(request.messages, request.schema, limit)
                got = said(self.endpoint.post(body))
                tally.count(tokens_in=got.tokens_in, tokens_out=got.tokens_out)
                answer = understood(request, got)
            except Trouble as trouble:
                tally.count(tokens_in=trouble.tokens[0], tokens_out=trouble.tokens[1])
                last = Failure(trouble.reason, trouble.said)
                other = dialect.weaker(trouble.said, unproven=not self._proven.is_set()) if trouble.form else None
                if other is not None:
                    dialect = other
                    continue
                tries, unusable = tries + 1, unusable + (trouble.reason in UNUSABLE)
                if not trouble.again or trouble.wait > LONGEST_WAIT or tries == TRIES or unusable == READINGS:
                    return self._failed(trouble)
                limit = min(2 * limit, 4 * request.limit) if trouble.reason == "cut" else limit
                self._hold(trouble, FIRST_WAIT * 2 ** (tries - 1) * (1 + key[0] / 512))
            else:
                self.answers.put(key, got)
                self._answered(dialect)
                return answer
        return last

    def _may(self) -> bool:
        """Whether one more call may be sent; counts it."""
        while (wait := self._pause - time.monotonic()) > 0 and not self._stop.wait(wait):
            continue
        if self._stop.is_set():
            return False
        allowed = self._allowance.take()
        if not allowed:
            self._halt(f"--max-calls {self.max_calls} was reached")
        return allowed

    def _hold(self, trouble: Trouble, wait: float) -> None:
        """Wait before another try; all threads wait where the server said for how long."""
        if trouble.wait:
            with self._lock:
                self._pause = max(self._pause, time.monotonic() + trouble.wait)
        elif trouble.reason not in UNUSABLE:
            self._stop.wait(wait)

    def _answered(self, dialect: Dialect) -> None:
        self._patience.answered()
        if dialect is not self._dialect or not self._proven.is_set():
            self._dialect = dialect
            self.answers.note("dialect", asdict(dialect))
            self._proven.set()

    def _failed(self, trouble: Trouble) -> Failure:
        """A request that is given up; ends the work where all others would fail too."""
        if trouble.fatal:
            raise AuditError(f"{self.endpoint.name}: {trouble.said}", "check --llm, --llm-url and PREFAUDIT_LLM_KEY")
        why = self._patience.failed(trouble.reason, self._proven.is_set())
        if why:
            self._halt(f"{why} {trouble}")
        return Failure(trouble.reason, trouble.said)

    def _halt(self, why: str) -> None:
        self.why = self.why or why
        self._stop.set()


asking = threading.Event()  # while calls may be under way: they are paid for, and after ctrl-C waited for
_run: dict[str, Any] = {"chats": {}, "max_calls": None, "price": None, "progress": None, "allowance": None}


@contextmanager
def session(max_calls: int | None = None, price: tuple[float, ...] | None = None,
            progress: Progress | None = None) -> Iterator[dict[str, Chat]]:  # fmt: skip
    """What `connect` gives within is shared: one cap on the calls of all purposes, one ledger a model.

    Yields:
        The models asked so far, by name and URL.
    """
    before = dict(_run)
    _run.update(chats={}, max_calls=max_calls, price=price, progress=progress, allowance=Allowance(max_calls))
    try:
        yield _run["chats"]
    finally:
        _run.update(before)


def ledgers(chats: Collection[Chat]) -> dict[str, Any]:
    """The ledger of each model by its name; by its URL too where there are several."""
    return {c.model if len(chats) < 2 else f"{c.model} at {c.endpoint.name}": c.ledger() for c in chats}


def connect(model: str, url: str) -> Chat:
    """The model of this name behind this URL: that of the session, else one of its own.

    Raises:
        AuditError: the URL is none, or the cache cannot be opened.
    """
    chats: dict[str, Chat] = _run["chats"] if _run["allowance"] else {}
    name = f"{model} {url}"
    if name not in chats:
        chats[name] = Chat(model, url, **{k: v for k, v in _run.items() if k != "chats"})
    return chats[name]

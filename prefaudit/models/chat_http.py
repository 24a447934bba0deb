"""One /chat/completions endpoint on the wire: connections that stay open, and what it is sent."""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import re
import selectors
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from prefaudit.core import UsageError
from prefaudit.models import chat_said
from prefaudit.models.chat_said import Trouble

LARGEST = 16 << 20  # bytes of an answer that are read
READ = 4096  # bytes of an error that are read, of which the beginning is told
LEAST_KEY = 8  # letters of a key that is looked for in answers
FORMS = ("json_schema", "json_object", "text")  # how JSON is asked for, the strictest first
WRONG_FORM = {400, 415, 422, 501}  # what servers answer to a field they do not know


@dataclass
class Dialect:
    """Which fields the server takes; starts with OpenAI's newest and gives way when it is told so.

    Attributes:
        form: of FORMS.
        tokens: name of the field with the limit of the answer.
        dropped: fields it does not take.
    """

    form: str = FORMS[0]
    tokens: str = "max_tokens"
    dropped: list[str] = field(default_factory=list)

    def body(self, said: Sequence[tuple[str, str]], schema: Mapping[str, Any] | None, limit: int) -> dict[str, Any]:
        """The fields beside `model`; where no schema can be sent it is written under the last message."""
        messages = [{"role": role, "content": text} for role, text in said]
        told: dict[str, Any] = {"messages": messages, "temperature": 0, "seed": 0, self.tokens: limit}
        if schema is not None and self.form == "json_schema":
            told["response_format"] = {
                "type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}  # fmt: skip
        elif schema is not None:
            asked = "\n\nReply with JSON alone, by this JSON schema:\n" + json.dumps(schema, separators=(",", ":"))
            told["messages"] = [*messages[:-1], {**messages[-1], "content": messages[-1]["content"] + asked}]
            if self.form == "json_object":
                told["response_format"] = {"type": "json_object"}
        return {k: v for k, v in told.items() if k not in self.dropped}

    def weaker(self, said: str, *, unproven: bool) -> Dialect | None:
        """The dialect to try after a refusal that says this; None where the refusal is not about a field.

        Args:
            said: the body of the error.
            unproven: no answer has come in this form yet, so that it may be what is refused.
        """
        low = said.lower()
        if "max_completion_tokens" in low and self.tokens == "max_tokens":
            return Dialect(self.form, "max_completion_tokens", self.dropped)
        for name in ("temperature", "seed"):
            if re.search(rf"\b{name}\b", low) and name not in self.dropped:
                return Dialect(self.form, self.tokens, [*self.dropped, name])
        about = any(word in low for word in ("response_format", "json_schema", "json_object", "structured", "guided"))
        if self.form != FORMS[-1] and (about or unproven):
            return Dialect(FORMS[FORMS.index(self.form) + 1], self.tokens, self.dropped)
        return None


class Endpoint:
    """A base URL, as `http://host:8000/v1`. Each thread keeps a connection of its own open.

    The key in PREFAUDIT_LLM_KEY goes with every request; OPENAI_API_KEY goes to api.openai.com alone. Proxies are those
    of the environment.

    Args:
        url: the base, or with /chat/completions; what stands after ? goes with every request.
        timeout: seconds without a byte after which a call is given up.

    Raises:
        UsageError: it is no http or https URL.
    """

    def __init__(self, url: str, timeout: float) -> None:
        try:
            parts = urlsplit(url)
            host, self.port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise UsageError(f"--llm-url {_bare(url)!r} is no URL", "as http://localhost:8000/v1")
        self.host, self.secure = host, parts.scheme == "https"
        path = parts.path.rstrip("/").removesuffix("/chat/completions")
        self.path = f"{path}/chat/completions" + (f"?{parts.query}" if parts.query else "")
        self.name = f"{parts.scheme}://{self.host}{f':{self.port}' if self.port else ''}{path}"
        self.timeout = timeout
        self._mine = threading.local()

    @property
    def key(self) -> str:
        """What goes with every request; empty where none is set."""
        key = os.environ.get("PREFAUDIT_LLM_KEY", "")
        return key or (os.environ.get("OPENAI_API_KEY", "") if self.secure and self.host == "api.openai.com" else "")

    def headers(self) -> dict[str, str]:
        """What goes with every request."""
        said = {"Content-Type": "application/json", "Accept": "application/json"}
        return said | ({"Authorization": f"Bearer {self.key}"} if self.key else {})

    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """One call: it is sent once, or not at all, so that whoever counts calls has counted them all.

        Raises:
            Trouble: no answer came, or an error.
        """
        data = json.dumps(body, ensure_ascii=False).encode("utf8", "replace")
        try:
            status, headers, said = self._send(data)
        except TimeoutError as error:
            self.close()
            raise Trouble("timeout", f"no answer in {self.timeout:g} seconds") from error
        except ConnectionError as error:  # also where the server hung up without a byte of an answer
            self.close()
            raise Trouble("connection", str(error) or type(error).__name__) from error
        except (http.client.IncompleteRead, http.client.BadStatusLine) as error:
            self.close()
            raise Trouble("cut", f"the connection ended within the answer: {type(error).__name__}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Trouble("connection", str(error) or type(error).__name__) from error
        if status != 200:
            raise self._told(status, headers, said.decode("utf8", "replace"))
        return chat_said.body(said)

    def _send(self, data: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        line = self._line()
        line.request("POST", self._target, data, self.headers())
        answer = line.getresponse()
        said = without(self.key, answer.read(LARGEST))
        if answer.will_close or not answer.isclosed():
            self.close()
        return answer.status, answer.headers, said

    @property
    def _target(self) -> str:
        port = f":{self.port}" if self.port else ""
        return self.path if self.secure or not self._proxy() else f"http://{self.host}{port}{self.path}"

    def _proxy(self) -> str | None:
        if urllib.request.proxy_bypass(self.host):
            return None
        return urllib.request.getproxies().get("https" if self.secure else "http")

    def _line(self) -> http.client.HTTPConnection:
        """This thread's connection; a new one where the server has ended the kept one: that is seen before sending."""
        line: http.client.HTTPConnection | None = getattr(self._mine, "line", None)
        if line is not None and not (line.sock is not None and _readable(line.sock)):
            return line
        self.close()
        proxy = self._proxy()
        via = urlsplit(proxy if proxy and "://" in proxy else f"http://{proxy}") if proxy else None
        host, port = (via.hostname or "", via.port) if via else (self.host, self.port)
        if self.secure:
            line = http.client.HTTPSConnection(host, port, timeout=self.timeout, context=ssl.create_default_context())
            if via:
                line.set_tunnel(self.host, self.port)
        else:
            line = http.client.HTTPConnection(host, port, timeout=self.timeout)
        self._mine.line = line
        return line

    def close(self) -> None:
        """End this thread's connection; the next call makes a new one."""
        line = getattr(self._mine, "line", None)
        if line is not None:
            line.close()
        self._mine.line = None

    def _told(self, status: int, headers: http.client.HTTPMessage, said: str) -> Trouble:
        short = f"{status} {chat_said.error(said)}"
        if (asked := after(headers.get("Retry-After"))) >= 1:
            short += f" (asks to wait {asked:,.0f} s)"
        low = said.lower()
        if (status == 429 and "insufficient_quota" in low) or status == 402:
            return Trouble("rejected", short, again=False, fatal=True)
        if status == 429:
            return Trouble("rate limit", short, wait=after(headers.get("Retry-After")))
        if status in (408, 504):
            return Trouble("timeout", short, wait=after(headers.get("Retry-After")))
        if status in (409, 425) or (status >= 500 and status != 501):
            return Trouble("server error", short, wait=after(headers.get("Retry-After")))
        if status in (400, 403, 422) and any(
            w in low for w in ("content_filter", "content filter", "content management")
        ):
            return Trouble("refused", short)
        lost = status in (401, 403, 404, 405) or 300 <= status < 400  # key, path or model, alike for every call
        return Trouble("rejected", short, again=False, fatal=lost, form=status in WRONG_FORM)


def _readable(sock: socket.socket) -> bool:
    """Whether something came on an idle connection: its end, or what nobody asked for."""
    with selectors.DefaultSelector() as watch:
        watch.register(sock, selectors.EVENT_READ)
        return bool(watch.select(0))


def without(key: str, said: bytes) -> bytes:
    """What a server said, the key taken out: some put the headers of a request into their errors."""
    return said.replace(key.encode(), b"[key]") if len(key) >= LEAST_KEY else said


def _bare(url: str) -> str:
    """A URL without what may be a secret in it."""
    return re.sub(r"//[^/@]*@", "//", url).partition("?")[0]


def after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for: a number or a date (RFC 9110, 10.2.3); 0 where it says nothing."""
    if not value:
        return 0.0
    if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0

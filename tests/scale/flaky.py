"""A real S3 implementation on loopback (moto's server), and a proxy before it that fails as stores do."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


@dataclass
class Faults:
    """What the proxy does to requests, drawn with a seed: shares of them."""

    errors: float = 0.0  # answered with 500
    throttled: float = 0.0  # answered with 503 SlowDown
    cut: float = 0.0  # bodies that end early
    slow: float = 0.0  # bodies that come in pieces
    dead: bool = False  # every request is answered with 500
    seed: int = 0
    done: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def draw(self) -> str:
        with self.lock:
            x = self._rng.random()
            kind, upto = "", 0.0
            for name in ("errors", "throttled", "cut", "slow"):
                upto += getattr(self, name)
                if not kind and x < upto:
                    kind = name
            kind = "errors" if self.dead else kind
            self.done[kind or "fine"] = self.done.get(kind or "fine", 0) + 1
            return kind


def handler(upstream: tuple[str, int], faults: Faults) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            kind = faults.draw()
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if kind in ("errors", "throttled"):
                self.refuse(*((500, "InternalError") if kind == "errors" else (503, "SlowDown")))
                return
            there = http.client.HTTPConnection(*upstream, timeout=30)
            there.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k != "Expect"})
            answer = there.getresponse()
            data = answer.read()
            there.close()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.body(kind, data)

        def body(self, kind: str, data: bytes) -> None:
            if kind == "cut" and len(data) > 1:
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            step = max(1, len(data) // 5) if kind == "slow" else max(1, len(data))
            for at in range(0, len(data), step):
                self.wfile.write(data[at : at + step])
                time.sleep(0.02 if kind == "slow" else 0)

        def refuse(self, status: int, code: str) -> None:
            said = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(said)))
            self.send_header("Content-Type", "application/xml")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward

        def log_message(self, *about: Any) -> None:
            return

    return Handler


@contextmanager
def store(faults: Faults) -> Iterator[str]:
    """The endpoint of a store with these faults, and a bucket `bucket` in it."""
    from moto.server import ThreadedMotoServer

    real = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    real.start()
    host, port = real.get_host_and_port()
    made = http.client.HTTPConnection(host, port, timeout=30)
    made.request("PUT", "/bucket")
    assert made.getresponse().status == 200
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler((host, port), faults))
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        real.stop()

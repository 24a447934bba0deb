"""Chromium without a window, driven over its own debugging protocol: what the page's tests and benchmark use."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NO_BROWSER = "no Chromium is installed"  # the one reason for which a test may be skipped where the data is at hand
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--hide-scrollbars", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--remote-debugging-pipe")  # fmt: skip


def found() -> str | None:
    """The program, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser with one page. Messages are JSON ended by a NUL, in on descriptor 3 and out on 4."""

    def __init__(self, program: str) -> None:
        self._home = tempfile.mkdtemp(prefix="prefaudit-browser-")
        read_in, self._write = os.pipe()
        self._read, write_out = os.pipe()
        command = [program, *FLAGS, f"--user-data-dir={self._home}", "about:blank"]
        line = f"exec {shlex.join(command)} 3<&{read_in} 4>&{write_out}"
        self._process = subprocess.Popen(
            ["bash", "-c", line], pass_fds=(read_in, write_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(read_in)
        os.close(write_out)
        self._number, self._buffer, self._session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        pages = [t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session = self("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(20)
        for end in (self._read, self._write):
            os.close(end)
        with contextlib.suppress(OSError):
            shutil.rmtree(self._home)

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's result; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(60)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _next(self, seconds: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._read], [], [], seconds)[0], "the browser does not answer"
            self._buffer += os.read(self._read, 1 << 20)
        line, _, self._buffer = self._buffer.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        return told

    def open(
        self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False, mobile: bool = False
    ) -> None:
        """Load a file, and wait until it is there."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self("Emulation.setEmulatedMedia", features=scheme)
        self.events.clear()
        self("Page.navigate", url=page.resolve().as_uri())
        end = time.monotonic() + 60
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            assert time.monotonic() < end, "the page does not load"
            self.events.append(self._next(60))

    def js(self, source: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        told = self("Runtime.evaluate", expression=source, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """A key, as a keyboard sends it."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self("Input.dispatchKeyEvent", type="keyDown", **about)
        self("Input.dispatchKeyEvent", type="keyUp", **about)

    def complaints(self) -> list[str]:
        """What stood on the console, and what was thrown."""
        told = []
        for event in self.events:
            kind, about = event.get("method"), event.get("params", {})
            if kind == "Runtime.exceptionThrown":
                told.append(str(about["exceptionDetails"].get("exception", {}).get("description", about)))
            elif kind == "Log.entryAdded":
                told.append(str(about["entry"]["text"]))
            elif kind == "Runtime.consoleAPICalled":
                told.append(str([a.get("value") for a in about["args"]]))
            elif kind == "Page.javascriptDialogOpening":
                told.append(f"dialog: {about['message']}")
        return told

    def requests(self) -> list[str]:
        """Addresses that were asked for beside the page itself."""
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return asked[1:]

    def paint(self) -> float:
        """Milliseconds from the start of loading until something was painted."""
        return float(self.js("performance.getEntriesByName('first-contentful-paint')[0].startTime"))

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        path.write_bytes(base64.b64decode(self("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

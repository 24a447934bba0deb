"""Ctrl-C, or a scheduler's SIGTERM, within two seconds, also in the middle of a call that lets no Python code run."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 0.8  # seconds that the command has to end by itself
WAITING = "interrupted: waiting for the answers that are under way, up to 30 seconds; ctrl-C again ends at once\n"
MESSAGE = "error: interrupted\nhint: the same command goes on from the finished parts\n"


class Guard:
    """From `start` on, a second after ctrl-C the process ends, unless `stop` was called before.

    Where a language model has been asked, it ends when the answers under way have come, or at the next ctrl-C.

    The system's signal handler writes to a socket whatever the interpreter is doing; a thread waits there. Files are
    written under temporary names and workers end with this process, so there is nothing else to put in order.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._ended = threading.Event()
        self._before = -1
        self._taken: list[signal.Signals] = []  # signals that would end the process without a word
        self._ours: socket.socket | None = None

    def start(self) -> None:
        """Watch; where this is not the main thread, which alone hears signals, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._taken = [number for number in ENDS[1:] if signal.getsignal(number) is signal.SIG_DFL]
        for number in self._taken:
            signal.signal(number, signal.default_int_handler)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._ours, self._theirs = ours, theirs
        self._before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The command ends by itself; what was heard is known after this, and after ctrl-C nothing more is heard."""
        self._ended.set()
        if self._ours is not None:
            signal.set_wakeup_fd(self._before)
            self._theirs.close()
            self._thread.join()
            self._ours = None
        for number in self._taken:
            signal.signal(number, signal.SIG_DFL)
        if self.interrupted:  # a library that saw the signal may have raised before Python does; and it may come again
            for number in (signal.SIGINT, *self._taken):
                signal.signal(number, signal.SIG_IGN)

    def _watch(self) -> None:
        assert self._ours is not None, "it was started"
        ours = self._ours
        while heard := ours.recv(1):
            if heard[0] in ENDS:
                self.interrupted = True
                if not self._ended.wait(PATIENCE) and not self._answered(ours):
                    self._leave()
        ours.close()

    def _answered(self, ours: socket.socket) -> bool:
        """Wait for answers of a language model that are paid for, or for ctrl-C again; whether the command ended."""
        chat = sys.modules.get("prefaudit.models.chat")
        if chat is None or not chat.asking.is_set():
            return False
        os.write(2, WAITING.encode())
        ours.settimeout(0.05)
        while chat.asking.is_set() and not self._ended.is_set():
            with suppress(TimeoutError):
                heard = ours.recv(1)
                if not heard:  # the command ended: the other end is closed
                    break
                if heard[0] in ENDS:
                    return False
        ours.settimeout(None)
        return self._ended.wait(PATIENCE)

    def _leave(self) -> None:
        if "prefaudit.store" in sys.modules:
            from prefaudit import scratch
            from prefaudit.store import files

            files.sweep()
            scratch.sweep()
        os.write(2, MESSAGE.encode())
        os._exit(2)

"""The other end of `Processes`: python -m prefaudit.runners.child DESCRIPTOR PARENT."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from prefaudit.core import AuditError

DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def end_with(parent: int) -> None:
    """Have this process killed when its parent ends, however that ends: a new scan may start at once."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(DEATH_SIGNAL, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def answer(made: Any, method: str, arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    """The value of a call, or its error in a form that can be sent."""
    try:
        return getattr(made, method)(*arguments), None
    except Exception as error:
        return None, sendable(error)


def sendable(error: Exception) -> Exception:
    """The error itself where it survives being sent, else what it says."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return AuditError(f"internal error in a worker: {type(error).__name__}: {error}")
    return error


def main() -> None:
    """Make the task's object, then answer calls until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(int(sys.argv[2]))
    connection = Connection(int(sys.argv[1]))
    task, made = connection.recv(), None
    while True:
        try:
            method, arguments = connection.recv()
        except (EOFError, OSError):
            return
        if made is None:
            made, error = answer(task, "make", ())
            if error is not None:
                connection.send((None, error))
                continue
        connection.send(answer(made, method, arguments))


if __name__ == "__main__":
    main()

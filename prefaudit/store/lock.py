"""Who has an audit folder: one scan, or the shards of one.

On a local or shared disk the system's own lock (flock), gone with the process. On an object store an object that its
holder writes anew every few seconds: it is dead when it has not changed for a while by the watcher's own clock, so no
clocks are compared; on one machine the process itself is asked for.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from prefaudit.core import AuditError
from prefaudit.store.files import unwritable
from prefaudit.store.remote import Remote

BEAT = 10.0  # seconds between two signs of life
DEAD = 60.0  # without a sign of life
LOCK = ".lock"


def holder() -> str:
    """How this process is named to others."""
    return f"process {os.getpid()} on {os.uname().nodename}"


@contextlib.contextmanager
def on_disk(folder: Path, shard: str = "") -> Iterator[None]:
    """Hold a local folder; `shard` names one of those that may hold it together.

    Raises:
        AuditError: another process holds it (named), or the lock cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK).open("a+")
    except OSError as error:
        raise unwritable(folder, error) from error
    with handle:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shard else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            raise in_use(str(folder), handle.read().strip() or "another process") from error
        handle.truncate(0)
        handle.write(holder() + (f", shard {shard}" if shard else ""))
        handle.flush()
        yield
        with contextlib.suppress(OSError):
            handle.truncate(0)


def in_use(folder: str, by: str) -> AuditError:
    """The error for a folder that another one holds."""
    return AuditError(f"{folder} is in use by {by}", "wait for it, or name another folder with -o")


class Beating:
    """A lock object that is written anew while it is held; `check` tells whether it still is.

    Raises:
        AuditError: another process holds it and gives signs of life.
    """

    def __init__(self, remote: Remote, shard: str = "") -> None:
        self._remote = remote
        self._name = f"{LOCK}-{shard.replace('/', '-of-')}" if shard else LOCK
        self._own = {"holder": holder() + (f", shard {shard}" if shard else ""), "token": uuid.uuid4().hex}
        self._end, self._lost = threading.Event(), ""
        for other in self._others(shard):
            self._bury(other)
        if not remote.create(self._name, self._said(0)):
            self._bury(self._name)
            if not remote.create(self._name, self._said(0)):
                raise in_use(remote.uri, "another process")
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise AuditError where another process took the folder for abandoned."""
        if self._lost:
            raise AuditError(f"{self._remote.uri}: the lock was taken by {self._lost}",
                             "this scan gave no sign of life for too long; run it again")  # fmt: skip

    def release(self) -> None:
        """Let it go."""
        self._end.set()
        self._thread.join()
        if not self._lost:
            self._remote.remove(self._name)

    def _others(self, shard: str) -> list[str]:
        names = [name for name in self._remote.names() if name.startswith(LOCK)]
        return [LOCK] if shard and LOCK in names else [] if shard else names

    def _said(self, beat: int) -> bytes:
        return json.dumps({**self._own, "beat": beat}).encode()

    def _bury(self, name: str) -> None:
        """Remove a lock whose holder is dead; raise AuditError where it lives."""
        try:
            first = self._remote.read(name)
        except FileNotFoundError:
            return
        said = json.loads(first)["holder"]
        if not _gone(said):
            started = time.monotonic()
            while time.monotonic() - started < DEAD:
                try:
                    now = self._remote.read(name)
                except FileNotFoundError:
                    return
                if now != first:
                    raise in_use(self._remote.uri, said)
                time.sleep(min(BEAT, DEAD) / 5)
        self._remote.remove(name)

    def _beat(self) -> None:
        beat = 0
        while not self._end.wait(BEAT):
            beat += 1
            try:
                now = json.loads(self._remote.read(self._name))
                if now["token"] != self._own["token"]:
                    self._lost = now["holder"]
                    return
                self._remote.write(self._name, self._said(beat))
            except FileNotFoundError:
                self._lost = "nobody: it was removed"
                return
            except AuditError:  # the store fails: the others' patience is longer than one beat
                continue


def _gone(said: str) -> bool:
    """Whether a holder was a process of this machine that is no more."""
    words = said.split(",")[0].split()
    if len(words) != 4 or words[3] != os.uname().nodename or not words[1].isdigit():
        return False
    try:
        os.kill(int(words[1]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False

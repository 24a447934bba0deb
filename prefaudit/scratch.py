"""Temporary folders that go with the process, also where it is ended at once after ctrl-C; after kill -9 with the next.

A folder is locked (`flock` on the folder itself) as long as its process lives, and its name says on which machine, and
since which start of it, that lock is known: so one of this machine and user whose lock can be had belongs to nobody.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from functools import cache
from pathlib import Path

HELD: set[str] = set()  # the folders of this process
YOUNG = 60.0  # seconds after which a folder that nobody has locked is no longer taken for one that is being made


class Scratch(tempfile.TemporaryDirectory[str]):
    """A temporary folder, gone with this object, with the block it is opened for, or with `sweep`."""

    def __init__(self) -> None:
        bury(tempfile.gettempdir())
        super().__init__(prefix=_prefix(), ignore_cleanup_errors=True)
        HELD.add(self.name)
        handle = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY)
        self._unlock = weakref.finalize(self, os.close, handle)
        with suppress(OSError):  # a disk that knows no locks; nobody can have this one either
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def cleanup(self) -> None:
        """Remove it."""
        super().cleanup()
        self._unlock()
        HELD.discard(self.name)


def spill() -> Path:
    """Where DuckDB puts what does not fit into memory."""
    return Path(_own(os.getpid()).name) / "duckdb"


def sweep() -> None:
    """Remove the temporary folders of this process, which is about to end."""
    for folder in tuple(HELD):
        shutil.rmtree(folder, ignore_errors=True)
    _own.cache_clear()


@cache
def bury(place: str) -> None:
    """Remove what killed processes of this user on this machine have left in a folder for temporary files; once."""
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_prefix()):
                with suppress(OSError):  # it is another user's, or gone meanwhile
                    _bury(entry.path)


def _bury(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        about = os.fstat(handle)
        if about.st_uid == os.geteuid() and time.time() - about.st_mtime > YOUNG:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


@cache
def _prefix() -> str:
    """Of the folders of this machine: others may share the place, and their locks need not be seen here."""
    start = Path("/proc/sys/kernel/random/boot_id")
    said = f"{os.uname().nodename} {start.read_text() if start.exists() else ''}"
    return f"prefaudit-{hashlib.blake2b(said.encode(), digest_size=4).hexdigest()}-"


@cache
def _own(process: int) -> Scratch:
    """The folder that a process has from its first use of DuckDB to its end; one that was forked makes another."""
    return Scratch()

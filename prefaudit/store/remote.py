"""An audit folder on an object store, through fsspec: s3://, gs://, memory://.

Every file is one object, written by one PUT, which stores do whole or not at all. What is read or written goes through
a local folder of the same layout; parts in it are let go where they would fill it.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq

from prefaudit.core import AuditError
from prefaudit.scratch import Scratch
from prefaudit.store.files import whole

T = TypeVar("T")

WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each new attempt, times .5 to 1.5
KEPT = 4 << 30  # bytes of parts kept in the local folder
CUT_URI = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/+")


def uri(folder: str | Path) -> str | None:
    """The URI that a folder is named by, None for a local one; a Path takes one of the two slashes."""
    found = CUT_URI.match(str(folder))
    if found is None or found[1] == "file":
        return None
    return f"{found[1]}://{str(folder)[found.end() :]}".rstrip("/")


def retried(what: str, action: Callable[[], T]) -> T:
    """What an action gives, tried again with longer and longer waits where the store fails.

    Raises:
        FileNotFoundError: the store says that there is no such object.
        AuditError: it still fails after the last attempt, or does not let us.
    """
    for wait in (*WAITS, None):
        try:
            return action()
        except FileNotFoundError:
            raise
        except (PermissionError, NotImplementedError) as error:
            raise _failed(what, error) from error
        except Exception as error:  # each protocol's library has errors of its own
            if wait is None:
                raise _failed(what, error) from error
            time.sleep(wait * random.uniform(0.5, 1.5))
    raise AssertionError("the last wait is None")


def _failed(what: str, error: Exception) -> AuditError:
    told = " ".join(str(error).split())[:200]
    return AuditError(f"{what}: {type(error).__name__}: {told}",
                      "is the store reachable, and allowed? a rerun goes on from the finished parts")  # fmt: skip


class Remote:
    """The objects under a URI.

    Args:
        folder: the URI.
        mirror: the local folder, of another process of this machine; None for one of its own.

    Raises:
        AuditError: the protocol's package is missing.
    """

    def __init__(self, folder: str, mirror: str | Path | None = None) -> None:
        try:
            from fsspec.core import url_to_fs

            self._system, self._root = url_to_fs(folder, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise AuditError(f"{folder}: {error}", "pip install 'prefaudit[remote]'") from error
        self.uri, self._root = folder, self._root.rstrip("/")
        self._own = None if mirror else Scratch()
        self.mirror = Path(mirror or self._own.name)  # type: ignore[union-attr]
        self._parts: dict[str, int] = {}  # in the mirror, by age
        self.kept = KEPT

    def names(self, prefix: str = "") -> dict[str, int]:
        """The objects under a prefix with their sizes."""
        base = f"{self._root}/{prefix}".rstrip("/")
        try:
            found = retried(f"{self.uri}/{prefix} cannot be listed", lambda: self._system.find(base, detail=True))
        except FileNotFoundError:
            return {}
        skip = len(self._system._strip_protocol(self._root).rstrip("/")) + 1
        return {self._system._strip_protocol(name)[skip:]: int(info["size"]) for name, info in found.items()}

    def size(self, name: str) -> int | None:
        """Bytes of an object, None where there is none."""
        try:
            info = retried(f"{self.uri}/{name} cannot be asked for", lambda: self._system.info(self._at(name)))
        except FileNotFoundError:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def fetch(self, name: str, fresh: bool = False) -> Path:
        """The local copy of an object.

        Raises:
            FileNotFoundError: there is no such object.
            AuditError: it cannot be read whole.
        """
        path = self.mirror / name
        if fresh or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            retried(f"{self.uri}/{name} cannot be read", lambda: self._get(name, path))
        self._keep(name, path)
        return path

    def push(self, name: str) -> None:
        """Write an object from its local copy, by one PUT."""
        path = self.mirror / name
        data = path.read_bytes()
        self.write(name, data)
        self._keep(name, path)

    def read(self, name: str) -> bytes:
        """The bytes of a small object."""
        return bytes(retried(f"{self.uri}/{name} cannot be read", lambda: self._system.cat_file(self._at(name))))

    def write(self, name: str, data: bytes) -> None:
        """Write an object."""
        what = f"cannot write {self.uri}/{name}"
        try:
            retried(what, lambda: self._put(name, data))
        except FileNotFoundError as error:
            raise AuditError(f"{what}: {error}", "make the bucket, or name one that is there") from error

    def create(self, name: str, data: bytes) -> bool:
        """Write an object where there is none yet; False where there is."""
        if self.size(name) is not None:
            return False
        try:
            self._system.pipe_file(self._at(name), data, mode="create")
        except FileExistsError:
            return False
        except Exception:  # a store that cannot refuse: what stands there afterwards decides
            self.write(name, data)
        return self.read(name) == data

    def remove(self, name: str) -> None:
        """Remove an object, or all under a prefix."""
        for one in self.names(name) or ([name] if self.size(name) is not None else []):
            with contextlib.suppress(FileNotFoundError):
                retried(f"cannot remove {self.uri}/{one}", lambda one=one: self._system.rm_file(self._at(one)))  # type: ignore[misc]
            (self.mirror / one).unlink(missing_ok=True)
            self._parts.pop(one, None)

    def metadata(self, name: str) -> dict[str, str]:
        """The metadata of a Parquet object, by its last bytes alone."""

        def read() -> dict[str, str]:
            with self._system.open(self._at(name), "rb", block_size=1 << 16) as f:
                told = pq.read_metadata(f).metadata or {}
            return {key.decode(): value.decode() for key, value in told.items()}

        return retried(f"{self.uri}/{name} cannot be read", read)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _get(self, name: str, path: Path) -> None:
        with _beside(path) as temporary:
            size = int(self._system.info(self._at(name))["size"])
            self._system.get_file(self._at(name), str(temporary))
            if temporary.stat().st_size != size:
                raise OSError(f"{temporary.stat().st_size} bytes came of {size}")
            if name.endswith(".parquet") and not whole(temporary):
                raise OSError("what came is cut short")
            temporary.replace(path)

    def _put(self, name: str, data: bytes) -> None:
        self._system.pipe_file(self._at(name), data)
        size = self._system.info(self._at(name))["size"]
        if size != len(data):
            raise OSError(f"{size} bytes stand there, {len(data)} were sent")

    def _keep(self, name: str, path: Path) -> None:
        if "/part-" not in name:
            return
        self._parts.pop(name, None)
        self._parts[name] = path.stat().st_size
        while sum(self._parts.values()) > self.kept and len(self._parts) > 1:
            oldest = next(iter(self._parts))
            del self._parts[oldest]
            (self.mirror / oldest).unlink(missing_ok=True)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A temporary file next to a path, gone afterwards."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)

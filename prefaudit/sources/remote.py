"""What is not a local file: standard input and URIs. Each is brought into a folder once, as it is read twice."""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from prefaudit.core import SourceError

PACKAGES = {
    "s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub", "az": "adlfs", "abfs": "adlfs",
    "http": "aiohttp", "https": "aiohttp",
}  # fmt: skip
COPY = 1 << 20
WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each new attempt, times .5 to 1.5


class File(NamedTuple):
    """A local file, and what to call it in messages."""

    path: Path
    name: str


def is_uri(named: str) -> bool:
    """Whether it names a protocol, as s3://bucket/key does."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", named) is not None


def standard_input(into: Path) -> list[File]:
    """Standard input as a file.

    Raises:
        SourceError: it is a terminal, closed, or empty.
    """
    stream = sys.stdin
    if stream is None or stream.closed or stream.isatty():
        raise SourceError("-: nothing is piped into standard input", "cat data.jsonl | prefaudit scan -")
    path = into / "stdin"
    with path.open("wb") as f:
        shutil.copyfileobj(stream.buffer, f, COPY)
    if not path.stat().st_size:
        raise SourceError("-: standard input is empty", "does the command before the pipe write anything?")
    return [_settled(path, "-")]


def fetch(uri: str, into: Path, is_data: Any) -> list[File]:
    """The file, glob or folder of a URI, copied.

    Args:
        uri: As the user named it.
        into: A folder that is empty.
        is_data: Tells by its name whether a file of a folder holds data.

    Raises:
        SourceError: the protocol's package is missing, nothing is there, or it cannot be reached.
    """
    system, path = _system(uri)
    protocol = uri.split("://")[0]
    try:
        if any(c in path for c in "*?[") and not protocol.startswith("http"):
            found = sorted(system.glob(path))
        elif system.isdir(path) and not protocol.startswith("http"):
            found = sorted(f for f in system.find(path) if is_data(f.rsplit("/", 1)[-1]))
        else:
            found = [path]
        files = []
        for i, one in enumerate(found):
            local = into / str(i) / (Path(urlsplit(one).path).name or "data")
            local.parent.mkdir()
            _copied(system, one, local)
            files.append(_settled(local, uri if one == path else f"{protocol}://{one.lstrip('/')}"))
    except FileNotFoundError as e:
        raise SourceError(f"{uri}: not found") from e
    except Exception as e:  # each protocol's library has errors of its own
        raise SourceError(f"{uri}: cannot be read: {type(e).__name__}: {str(e)[:200]}", "is it reachable?") from e
    if not files:
        raise SourceError(f"{uri}: no data file there")
    return files


def _copied(system: Any, one: str, local: Path) -> None:
    """Copy a file, tried again where the store fails or fewer bytes come than it has.

    Raises:
        OSError: it still fails, or is cut short, after the last attempt.
    """
    for wait in (*WAITS, None):
        try:
            system.get_file(one, str(local))
            size = system.info(one).get("size")
            if size is not None and local.stat().st_size != size:
                raise OSError(f"{local.stat().st_size:,} bytes came of {size:,}")
            return
        except (FileNotFoundError, PermissionError):
            raise
        except Exception:  # each protocol's library has errors of its own
            if wait is None:
                raise
            time.sleep(wait * random.uniform(0.5, 1.5))


def _system(uri: str) -> tuple[Any, str]:
    protocol = uri.split("://")[0].lower()
    package = PACKAGES.get(protocol, "")
    try:
        from fsspec.core import url_to_fs
    except ImportError as e:
        raise SourceError(f"{uri}: needs the package fsspec", f"pip install fsspec {package}".rstrip()) from e
    try:
        system, path = url_to_fs(uri)
    except ImportError as e:
        raise SourceError(f"{uri}: {protocol}:// needs the package {package or e}", f"pip install {package}") from e
    except ValueError as e:
        known = ", ".join(sorted(PACKAGES))
        raise SourceError(f"{uri}: no such protocol: {protocol}", f"known: {known}") from e
    return system, path


def _settled(path: Path, name: str) -> File:
    os.utime(path, (0, 0))  # the time of the copy says nothing about the data
    return File(path, name)

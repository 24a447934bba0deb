"""Bytes of a file, decompressed, with every library's error said in one way."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from prefaudit.core import SourceError
from prefaudit.sources.base import one_line

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bzip2", ".xz": "xz"}
BLOCK = 4 << 20
FAILURES = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)


def compression(path: Path, name: str) -> str:
    """Name of the compression that the first bytes show, "" for none.

    Raises:
        SourceError: the file's ending names a compression that its bytes are not.
    """
    with path.open("rb") as f:
        head = f.read(6)
    found = next((name for magic, name in MAGIC.items() if head.startswith(magic)), "")
    said = SUFFIXES.get(path.suffix.lower(), "")
    if said and head and said != found:
        what = f"it is {found} data" if found else "its first bytes are not those of such a file"
        raise SourceError(
            f"{path}: ends in {path.suffix} but is not {said} data: {what}", "rename or download it again"
        )
    return found


class Stream(io.RawIOBase):
    """The decompressed bytes of a file; `read(n)` gives n bytes until the end.

    Raises:
        SourceError: from `read`, where the compressed data is cut short or damaged.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Open the file; `name` is what messages call it."""
        super().__init__()
        self.name = name
        self.compression = compression(path, name)
        self._inner = _open(path, self.compression)

    def readable(self) -> bool:
        """True: Arrow asks."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        pieces, left = [], size
        try:
            while left:
                piece = self._inner.read(left if left > 0 else BLOCK)
                if not piece:
                    break
                pieces.append(piece)
                left -= len(piece) if left > 0 else 0
        except FAILURES as e:
            raise damaged(self.name, self.compression, e) from e
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readinto(self, buffer: Any) -> int:
        """As in io.RawIOBase."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            self._inner.close()
        super().close()


class Limited:
    """The bytes from `low` to `high` of a file that is not compressed."""

    def __init__(self, path: Path, bounds: tuple[int, int]) -> None:
        """Open the file."""
        self._file = path.open("rb", buffering=0)
        self._file.seek(bounds[0])
        self._left = bounds[1] - bounds[0]

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        pieces = []
        left = self._left if size < 0 else min(size, self._left)
        while left and (piece := self._file.read(left)):
            pieces.append(piece)
            left -= len(piece)
            self._left -= len(piece)
        return b"".join(pieces)

    def __enter__(self) -> Limited:
        """Itself."""
        return self

    def __exit__(self, *about: object) -> None:
        """Close the file."""
        self._file.close()


def damaged(name: str, kind: str, error: BaseException) -> SourceError:
    """The error for compressed data that ends early or does not decode."""
    if not kind:
        return SourceError(f"{name}: cannot be read: {one_line(error)}")
    short = isinstance(error, EOFError) or "truncated" in str(error).lower()
    what = (
        "ends before its compressed data does (cut short)"
        if short
        else f"its {kind} data is damaged: {one_line(error)}"
    )
    return SourceError(f"{name}: {what}", "download or compress it again")


def _open(path: Path, kind: str) -> BinaryIO:
    if kind == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if kind == "bzip2":
        return cast(BinaryIO, bz2.open(path, "rb"))
    if kind == "xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    if kind == "zstd":
        return cast(BinaryIO, pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd"))
    return path.open("rb", buffering=0)


def head(path: Path, name: str, size: int = 1 << 16) -> bytes:
    """The first decompressed bytes."""
    with Stream(path, name) as stream:
        return stream.read(size)

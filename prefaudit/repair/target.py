"""Where a repair writes: a name of its own until all is there, then the name asked for. Never over the source."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa

from prefaudit.audit import spare
from prefaudit.core import AuditError, UsageError
from prefaudit.sources.streams import SUFFIXES

UNTOUCHED = "free some space or choose another place with -o; what stood there before is untouched"


def check(target: Path, sources: Iterable[Path], force: bool, audit: str | Path | None = None) -> None:
    """Whether a file may be written here; asked before any work is done.

    Args:
        target: where to.
        sources: what is read.
        force: overwrite.
        audit: the audit folder, of whose files and sources it may be none either.

    Raises:
        UsageError: it is a source or lies in a source folder, belongs to an audit, exists (without force), or its
            folder does not.
    """
    for source in sources:
        same = target.exists() and source.exists() and target.samefile(source)
        if same or target.resolve() == source.resolve():
            raise UsageError(f"{target} is the source itself", "write to another file; the source is never changed")
    spare.check(target, audit=audit, content=False)
    if (target.exists() or target.is_symlink()) and not force:
        raise UsageError(f"{target} exists", "name another file, or overwrite it with --force")
    if target.is_symlink() and not target.exists():
        raise UsageError(f"{target} is a broken link", "name another file")
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder", "make it first, or name another place with -o")


class Staged:
    """Files written under temporary names, put in place together.

    Use as a context: on an error nothing is left and what stood there before is untouched. `commit` puts the files in
    place in the order they were named. A file that explains the others goes last, and the one that stood in its place
    is set aside first: at every moment one that stands there belongs to what stands beside it.
    """

    def __init__(self) -> None:
        self._moves: list[tuple[Path, Path]] = []
        self._explaining: set[Path] = set()

    def __enter__(self) -> Staged:
        """Nothing to do."""
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Remove what was not committed, and say a failure of the disk in our words."""
        for temporary, _ in self._moves:
            remove(temporary)
        if isinstance(error, OSError | pa.ArrowException | pl.exceptions.ComputeError) and not isinstance(
            error, AuditError
        ):
            where = self._moves[0][1] if self._moves else "the output"
            raise AuditError(f"cannot write {where}: {error}", UNTOUCHED) from error

    def path(self, target: Path, *, explains: bool = False) -> Path:
        """A temporary name beside the target; leftovers of killed runs are removed first.

        Args:
            target: the name it gets.
            explains: whether it speaks of the other files.
        """
        target = target.resolve() if target.is_symlink() else target
        if explains:
            self._explaining.add(target)
        for old in target.parent.glob(f".{glob_safe(target.name)}.*.tmp"):
            if _abandoned(old):
                remove(old)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        remove(temporary)
        self._moves.append((temporary, target))
        return temporary

    def commit(self) -> None:
        """Put every file in place."""
        for temporary, target in self._moves:
            _only_ours(temporary, target)
            _sync(temporary)
        aside = [(target.with_name(f".{target.name}.old.{os.getpid()}.tmp"), target)
                 for target in sorted(self._explaining) if target.exists()]  # fmt: skip
        moved = False
        try:
            for old, target in aside:
                target.replace(old)
            for temporary, target in self._moves:
                if target not in self._explaining:
                    _place(temporary, target)
                    moved = True
        except OSError:
            for old, target in aside if not moved else ():
                if old.exists():
                    old.replace(target)
            raise
        for temporary, target in self._moves:
            if target in self._explaining:
                _place(temporary, target)
        for _, target in aside:
            for old in target.parent.glob(f".{glob_safe(target.name)}.old.*.tmp"):
                remove(old)
        self._moves.clear()


def _place(temporary: Path, target: Path) -> None:
    if temporary.is_dir() and target.is_dir():
        old = target.with_name(f".{target.name}.old.{os.getpid()}.tmp")
        target.replace(old)
        temporary.replace(target)
        remove(old)
    else:
        temporary.replace(target)


def _only_ours(temporary: Path, target: Path) -> None:
    """Refuse to replace a folder that holds a file which the new one does not: it may be anybody's."""
    if temporary.is_dir() and target.is_dir():
        new = {p.relative_to(temporary) for p in temporary.rglob("*") if p.is_file()}
        for old in target.rglob("*"):
            if not old.is_dir() and old.relative_to(target) not in new:
                raise UsageError(f"{target} holds {old.relative_to(target)}, which is not ours to remove", "name a new "
                                 "folder with -o")  # fmt: skip


def glob_safe(name: str) -> str:
    """A file name as a pattern that fits it alone."""
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def remove(path: Path) -> None:
    """Remove a file or folder of ours, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _abandoned(path: Path) -> bool:
    number = path.name.split(".")[-2]
    if not number.isdigit() or ".old." in path.name:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _sync(path: Path) -> None:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as f:
            os.fsync(f.fileno())


def compression(path: Path) -> str:
    """The compression that a file's name asks for, "" for none."""
    return SUFFIXES.get(path.suffix.lower(), "")


@contextmanager
def opened(temporary: Path, kind: str) -> Iterator[BinaryIO]:
    """A stream into a file, compressed as `kind` says; the same bytes in give the same file."""
    with temporary.open("wb") as raw:
        if kind == "gzip":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed:
                yield cast(BinaryIO, packed)
        elif kind == "zstd":
            with pa.CompressedOutputStream(pa.PythonFile(raw, mode="w"), "zstd") as stream:
                yield cast(BinaryIO, stream)
        elif kind == "bzip2":
            with bz2.BZ2File(raw, "wb") as packed:
                yield cast(BinaryIO, packed)
        elif kind == "xz":
            with lzma.LZMAFile(raw, "wb") as packed:
                yield cast(BinaryIO, packed)
        else:
            yield cast(BinaryIO, raw)

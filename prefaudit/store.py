"""The audit folder: a directory of Parquet parts, each written to a temporary name and renamed.

What is finished is a file in its place, so a run that was killed goes on from the missing parts. Parts of pairs carry
the number of source rows they stand for; `pairs/complete.json` says that the source was read to its end.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit.core import PAIRS, SKIPPED, AuditError

OWNED = ("pairs", "skipped", "features", "stats", "lens", "findings.parquet", "skipped.parquet", "effects.parquet",
         "report.json", "report.html", "run.json", ".lock")  # fmt: skip


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: temporary name, flush to disk, rename.

    Raises:
        AuditError: the disk is full, the folder is gone or read-only.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def write_frame(path: Path, frame: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
    """Write a frame as Parquet, whole or not at all; the same frame gives the same bytes.

    Raises:
        AuditError: the disk is full, the folder is gone or read-only.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(temporary, compression="lz4", statistics=False,
                            metadata=dict(metadata or {}))  # fmt: skip
        temporary.replace(path)
    except (OSError, pl.exceptions.ComputeError) as error:
        temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> AuditError:
    return AuditError(f"cannot write {path}: {error}", "free some space or choose another folder with -o; "
                      "a rerun goes on from the finished parts")  # fmt: skip


@dataclass(frozen=True)
class Progressed:
    """How far reading came: finished parts, source rows they stand for, pairs they hold."""

    parts: int
    rows: int
    pairs: int


class Store:
    """One audit folder.

    Args:
        folder: where it is or will be.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    # -- the folder itself ---------------------------------------------------------------------------------------

    def claim(self, fingerprint: str, *, force: bool = False) -> None:
        """Make the folder ours for the data with this fingerprint.

        Raises:
            AuditError: it holds the audit of other data (without force).
        """
        run = self.run()
        if run and force:
            self.clear()
        elif run and run.get("fingerprint") != fingerprint:
            raise AuditError(f"{self.folder} holds the audit of other data", "name another folder with -o, "
                             "or replace it with --force")  # fmt: skip
        if not self.run():
            write_bytes(self.folder / "run.json", json.dumps({"fingerprint": fingerprint}).encode())

    def clear(self) -> None:
        """Remove what an audit writes, and nothing else."""
        for name in OWNED:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            elif name != ".lock":
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one scan; the lock goes with the process, however it ends.

        Raises:
            AuditError: it is a file or holds something that is no audit, another process holds it (named), or it
                cannot be made.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise AuditError(f"{self.folder} is a file, not a folder", "name another folder with -o")
        if self.folder.is_dir() and not self.run() and any(p.name != ".lock" for p in self.folder.iterdir()):
            raise AuditError(f"{self.folder} is not empty and holds no audit", "name another folder with -o")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = (self.folder / ".lock").open("a+")
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                handle.seek(0)
                holder = handle.read().strip() or "another process"
                raise AuditError(
                    f"{self.folder} is in use by {holder}", "wait for it, or name another folder with -o"
                ) from error
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {os.uname().nodename}")
            handle.flush()
            for leftover in self.folder.rglob(".*.tmp"):
                leftover.unlink(missing_ok=True)
            yield
            handle.truncate(0)

    def run(self) -> dict[str, Any]:
        """What run.json says; empty where there is none."""
        return self.load("run.json") or {}

    def load(self, name: str) -> dict[str, Any] | None:
        """A JSON file of the folder, or None where it is missing.

        Raises:
            AuditError: it is there and cannot be read.
        """
        path = self.folder / name
        if not path.exists():
            return None
        try:
            value = json.loads(path.read_text(encoding="utf8"))
        except (OSError, ValueError) as error:
            raise AuditError(f"cannot read {path}: {error}", "rerun the scan with --force") from error
        if not isinstance(value, dict):
            raise AuditError(f"cannot read {path}: not an object", "rerun the scan with --force")
        return value

    def save(self, name: str, value: Any) -> None:
        """Write a JSON file of the folder, whole or not at all."""
        write_bytes(self.folder / name, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

    # -- pairs ---------------------------------------------------------------------------------------------------

    def part(self, kind: str, number: int) -> Path:
        """Where a part lies: kind is `pairs`, `skipped` or `features/<name>-<fingerprint>`."""
        return self.folder / kind / f"part-{number:05d}.parquet"

    def begin_pairs(self, recipe: str, part_rows: int) -> bool:
        """Ready the folder for pairs made by this recipe; True where they are all there already.

        Pairs of another recipe, or cut into other parts, go, and what was measured of them too.
        """
        want = {"recipe": recipe, "part_rows": part_rows}
        if self.load("pairs/recipe.json") != want:
            for name in ("features", "stats", "lens", "skipped", "pairs"):
                if (self.folder / name).is_dir():
                    shutil.rmtree(self.folder / name)
            self.save("pairs/recipe.json", want)
        return (self.folder / "pairs/complete.json").exists()

    def progressed(self) -> Progressed:
        """How far reading came: the unbroken run of finished parts from the first."""
        parts = rows = pairs = 0
        while self.part("pairs", parts).exists():
            meta = self._metadata(self.part("pairs", parts))
            rows += int(meta["rows"])
            pairs += int(meta["pairs"])
            parts += 1
        return Progressed(parts, rows, pairs)

    def write_pairs(self, number: int, pairs: pl.DataFrame, skipped: pl.DataFrame, rows: int) -> None:
        """Write one part: the skips first, so that the pairs' rename completes it."""
        write_frame(self.part("skipped", number), skipped.select(list(SKIPPED)).cast(SKIPPED))  # type: ignore[arg-type]
        write_frame(
            self.part("pairs", number), pairs.select(list(PAIRS)), {"rows": str(rows), "pairs": str(pairs.height)}
        )

    def part_pairs(self, number: int) -> int:
        """How many pairs a part holds."""
        return int(self._metadata(self.part("pairs", number))["pairs"])

    def _metadata(self, path: Path) -> dict[str, str]:
        try:
            return pl.read_parquet_metadata(path)
        except (OSError, pl.exceptions.ComputeError) as error:
            raise AuditError(f"{path} is damaged: {error}", "delete that file and rerun; the rest is kept") from error

    # -- columns -------------------------------------------------------------------------------------------------

    def parts(self) -> int:
        """Number of parts of a completely read source."""
        return int((self.load("pairs/complete.json") or {}).get("parts", 0))

    def read(self, kind: str, number: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """One part as a frame.

        Raises:
            AuditError: the file is missing or damaged.
        """
        path = self.part(kind, number)
        try:
            return pl.read_parquet(path, columns=list(columns) if columns is not None else None)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise AuditError(f"{path} is damaged: {error}", "delete that file and rerun; the rest is kept") from error

    def schema(self, kind: str) -> list[str]:
        """Names of the columns of a kind of parts."""
        return list(pl.read_parquet_schema(self.part(kind, 0))) if self.parts() else []

    def missing(self, kind: str, parts: int) -> list[int]:
        """The parts of this kind that are not there yet."""
        return [k for k in range(parts) if not self.part(kind, k).exists()]

    def scan(self, kind: str) -> pl.LazyFrame:
        """All parts of one kind, in order, as a lazy frame."""
        return pl.scan_parquet([self.part(kind, k) for k in range(self.parts())])

"""The folder of an audit: its files, each there whole or not at all, its lock, and whose data it is for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from prefaudit.core import AuditError
from prefaudit.store import files, lock, remote
from prefaudit.store.files import whole, write_bytes, write_frame, write_pieces

OWNED = ("pairs", "skipped", "features", "stats", "lens", "shards", "findings.parquet", "skipped.parquet",
         "effects.parquet", "report.json", "report.html", "run.json", ".lock")  # fmt: skip


class Folder:
    """The files of one audit folder, and who may write them.

    Args:
        folder: where it is or will be; a path, or a URI that fsspec knows.
        mirror: of a URI, the local folder of another process of this machine that holds the same one.

    Attributes:
        name: as messages and commands call it.
        folder: the local folder; of a URI the one that its objects pass through.
    """

    def __init__(self, folder: str | Path, mirror: str | Path | None = None) -> None:
        found = remote.uri(folder)
        self.remote = remote.Remote(found, mirror) if found else None
        self.folder = self.remote.mirror if self.remote else Path(folder)
        self.name = found or str(folder)
        self._held: lock.Beating | None = None
        self._root: tuple[int, int] | None = None

    # -- files -----------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """A file of the folder, to be read; from an object store it is fetched first.

        Raises:
            FileNotFoundError: there is none, on an object store.
        """
        return self.remote.fetch(name) if self.remote else self.folder / name

    def has(self, name: str) -> bool:
        """Whether a file is there, whole where it is Parquet."""
        if self.remote:
            return self.remote.size(name) is not None
        path = self.folder / name
        return whole(path) if name.endswith(".parquet") else path.exists()

    def cut(self, name: str) -> bool:
        """Whether a Parquet file is there that is not whole; on an object store none is."""
        return not self.remote and (self.folder / name).exists() and not whole(self.folder / name)

    def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        self._ready()
        write_bytes(self.folder / name, data)
        self._pushed(name)

    def put_frame(self, name: str, frame: pl.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
        """Write a frame as Parquet, whole or not at all; the same frame gives the same bytes."""
        self._ready()
        write_frame(self.folder / name, frame, metadata)
        self._pushed(name)

    def put_pieces(self, name: str, pieces: Iterable[pl.DataFrame]) -> None:
        """Write frames of one schema as one Parquet file, whole or not at all, one of them held at a time."""
        self._ready()
        write_pieces(self.folder / name, pieces)
        self._pushed(name)

    def frame(self, name: str, columns: Sequence[str] | None = None, rows: tuple[int, int] | None = None,
              where: pl.Expr | None = None) -> pl.DataFrame:  # fmt: skip
        """A Parquet file of the folder; of `rows` the first and how many, or those of which `where` is true.

        A dotted name, where all rows are read, is one field of a struct, which has no others then: Parquet keeps
        fields apart, and Arrow reads those alone, at a twentieth of what polars (2.1) takes to read a large struct.

        Raises:
            AuditError: it is missing or damaged.
        """
        try:
            if rows is not None or where is not None:
                table = pl.scan_parquet(self.path(name)).select(columns or pl.all())
                return (table.slice(*rows) if rows else table).filter(True if where is None else where).collect()
            if columns is not None and any("." in column for column in columns):
                table = pq.ParquetFile(self.path(name)).read(columns=list(columns), use_threads=False)
                return pl.DataFrame(pl.from_arrow(table))
            return pl.read_parquet(self.path(name), columns=list(columns) if columns is not None else None)
        except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as error:
            raise self._damaged(name, error) from error

    def load(self, name: str) -> dict[str, Any] | None:
        """A JSON file of the folder; None where there is none or it is damaged."""
        try:
            path = self.remote.fetch(name, fresh=True) if self.remote else self.folder / name
            value = json.loads(path.read_text(encoding="utf8"))
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return None
        return value if isinstance(value, dict) else None

    def save(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON file of the folder, whole or not at all."""
        self.put(name, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it."""
        if self.remote:
            self.remote.remove(name)
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def share(self, name: str) -> None:
        """Bring what was written into the local folder `name` by other hands where the audit is."""
        if self.remote:
            for path in sorted(p for p in (self.folder / name).rglob("*") if p.is_file()):
                self.remote.push(str(path.relative_to(self.folder)))

    def _ready(self) -> None:
        """Raise AuditError where the folder is not the one that was locked: a mount that went away, a lock lost."""
        if self._held:
            self._held.check()
        if self._root is not None and self._stat() != self._root:
            raise AuditError(f"{self.name} is gone, or another folder stands in its place (a mount that vanished?)",
                             "bring it back and run again: it goes on from the finished parts")  # fmt: skip

    def _stat(self) -> tuple[int, int] | None:
        try:
            stat = self.folder.stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino

    def _pushed(self, name: str) -> None:
        if self.remote:
            self.remote.push(name)

    def _damaged(self, name: str, error: Exception) -> AuditError:
        return AuditError(f"{self.name}/{name} is damaged: {error}", "delete that file and rerun; the rest is kept")

    # -- the folder itself -----------------------------------------------------------------------------------------

    def claim(self, fingerprint: str, *, force: bool = False) -> None:
        """Make the folder ours for the data with this fingerprint.

        Raises:
            AuditError: it holds the audit of other data (without force).
        """
        run = self.run()
        if run and force:
            self.clear()
        elif run and run.get("fingerprint") != fingerprint and self.has("pairs/recipe.json"):
            raise AuditError(f"{self.name} holds the audit of other data, or of these before they changed",
                             "name another folder with -o, or replace it by `prefaudit scan --force`")  # fmt: skip
        if self.run().get("fingerprint") != fingerprint:
            self.put("run.json", json.dumps({"fingerprint": fingerprint}).encode())

    def clear(self) -> None:
        """Remove what an audit writes, and nothing else."""
        for name in OWNED:
            if name != ".lock":
                self.remove(name)

    @contextmanager
    def lock(self, shard: str = "") -> Iterator[None]:
        """Hold the folder for one scan, or together with the other shards of one (`shard` names this one).

        Raises:
            AuditError: it is a file or holds something that is no audit, another process holds it (named), or it
                cannot be made.
        """
        self._check_place()
        if self.remote:
            self._held = lock.Beating(self.remote, shard)
            try:
                yield
            finally:
                self._held.release()
                self._held = None
            return
        with lock.on_disk(self.folder, shard):
            self._root = self._stat()
            if shard:
                yield
                return
            files.HELD.add(self.folder)
            files.sweep()
            try:
                yield
            finally:
                files.sweep()  # also what a worker was writing when it was ended
                files.HELD.discard(self.folder)

    def _check_place(self) -> None:
        if self.remote:
            other = [name for name in self.remote.names() if not name.startswith(".lock")]
            strange = bool(other) and not self.run()
        else:
            if self.folder.exists() and not self.folder.is_dir():
                raise AuditError(f"{self.name} is a file, not a folder", "name another folder with -o")
            strange = (
                self.folder.is_dir()
                and not self.run()
                and any(not p.name.startswith(".lock") and p.suffix != ".tmp" for p in self.folder.iterdir())
            )
        if strange:
            raise AuditError(f"{self.name} is not empty and holds no audit", "name another folder with -o")

    def run(self) -> dict[str, Any]:
        """What run.json says; empty where there is none."""
        return self.load("run.json") or {}

"""From a plan to an output in the source's container: one file, or a folder with one file for each of the source's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from prefaudit.core import SourceError, UsageError
from prefaudit.repair import cells, lines, tables, target
from prefaudit.repair.cut import Cut
from prefaudit.sources import Source
from prefaudit.sources.locate import ASIDE, CONTAINERS, suffix

ENDING = {"jsonl": ".jsonl", "json": ".json", "csv": ".csv", "tsv": ".tsv", "parquet": ".parquet", "arrow": ".arrow"}


@dataclass(frozen=True)
class Origin:
    """The files of a source as they were when it was opened.

    `files` are (path, name), `names` the source's own name of each column; `folder` says that a folder was named.
    """

    container: str
    files: tuple[tuple[Path, str], ...]
    states: tuple[tuple[int, int, int], ...]
    names: dict[str, str]
    kinds: dict[str, str]
    folder: bool = False
    table: pa.Table | None = None

    @property
    def paths(self) -> list[Path]:
        """The files' paths."""
        return [path for path, _ in self.files]

    def unchanged(self) -> None:
        """Raises SourceError where a file is not what it was."""
        for (path, name), state in zip(self.files, self.states, strict=True):
            if _state(path) != state:
                raise SourceError(
                    f"{name}: changed since it was opened", "nothing was written; run again when nothing writes to it"
                )


def origin(source: Source, data: Any) -> Origin:
    """What must be known of a source to write it again."""
    from prefaudit.sources import frames

    files = tuple((f.path, f.name) for f in source.located)
    names = {ours: theirs for theirs, ours in source.names.items()}
    table = frames.table(data) if source.container == "frame" else None
    folder = any(Path(path).is_dir() for path in source.paths if path != "<frame>")
    states = tuple(_state(p) for p, _ in files)
    return Origin(source.container, files, states, names, dict(source.columns), folder, table)


def _state(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return -1, 0, 0
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def check(origin: Origin, out: Path, force: bool, audit: str | Path | None = None) -> None:
    """Whether the source can be written to this name.

    Raises:
        UsageError: the name asks for another container, or `target.check` refuses it.
    """
    target.check(out, origin.paths, force, audit)
    for path in origin.paths:
        if path.resolve().is_relative_to(out.resolve()):
            raise UsageError(f"{out} holds the source", "write to another place; the source is never changed")
    kind = CONTAINERS.get(suffix(out), "")
    if origin.container == "frame":
        if kind not in ("parquet", "arrow"):
            raise UsageError(f"{out}: a frame is written as Parquet or Arrow", "name a file ending in .parquet")
        return
    if is_folder(origin, out):
        return
    ending = ENDING[origin.container]
    if out.is_dir():
        raise UsageError(f"{out} is a folder", f"name a file ending in {ending}")
    if kind != origin.container:
        told = f"is {kind}" if kind else "has no ending of data"
        raise UsageError(
            f"{out} {told}, but the source is {origin.container}, and the output has the container of the source",
            f"name a file ending in {ending}, or say the layout and container you want with --to",
        )
    if kind == "parquet" and target.compression(out):
        raise UsageError(f"{out}: Parquet is compressed inside", f"name a file ending in {ending}")


def is_folder(origin: Origin, out: Path) -> bool:
    """Whether the output is a folder: of several files, or of a folder, by a name without the ending of data."""
    return (len(origin.files) > 1 or origin.folder) and not CONTAINERS.get(suffix(out))


def write(origin: Origin, temporary: Path, out: Path, cut: Cut) -> None:
    """Write what stays to a temporary file or folder.

    Raises:
        SourceError: a file cannot be read, or has other rows than were audited.
        OSError, ArrowException: the disk is full or gone.
    """
    if origin.table is not None:
        tables.copy_frame(origin.table, temporary, CONTAINERS[suffix(out)], cut)
        return
    if is_folder(origin, out):
        end = _folder(origin, temporary, cut)
    else:
        end = _file(origin.container, list(origin.files), temporary, target.compression(out), cut, 0)
    if end != len(cut.keep):
        raise SourceError(
            f"{origin.files[0][1]}: {end:,} rows are in it, but {len(cut.keep):,} were audited",
            "scan it again; nothing was written",
        )
    origin.unchanged()


def _folder(origin: Origin, temporary: Path, cut: Cut) -> int:
    temporary.mkdir()
    base = _base(origin.paths)
    row = 0
    for path, name in origin.files:
        new = temporary / path.relative_to(base)
        new.parent.mkdir(parents=True, exist_ok=True)
        row = _file(origin.container, [(path, name)], new, target.compression(path), cut, row)
        for aside in ASIDE:
            beside = path.parent / aside
            if beside.is_file() and not (new.parent / aside).exists():
                _beside(beside, new.parent / aside)
    return row


def _beside(path: Path, new: Path) -> None:
    """Copy what `datasets` keeps beside its data; a new fingerprint, as the rows are others."""
    if path.name != "state.json":
        shutil.copyfile(path, new)
        return
    state = json.loads(path.read_text(encoding="utf8"))
    state["_fingerprint"] = f"{state.get('_fingerprint', '')[:8]}repaired"
    new.write_text(json.dumps(state, indent=2), encoding="utf8")


def _base(paths: Sequence[Path]) -> Path:
    base = paths[0].parent
    while not all(path.is_relative_to(base) for path in paths):
        base = base.parent
    return base


def _file(container: str, files: list[tuple[Path, str]], out: Path, packed: str, cut: Cut, row: int) -> int:
    if container == "parquet":
        return tables.copy_parquet(files, out, cut, row)
    with target.opened(out, packed) as stream:
        if container == "arrow":
            return tables.copy_arrow(files, stream, cut, row)
        if container == "json" and len(files) > 1:
            raise UsageError("several JSON documents do not make one", "name a folder with -o: one file each")
        for n, (path, name) in enumerate(files):
            if container == "jsonl":
                row = lines.copy_lines(path, name, stream, cut, row)
            elif container == "json":
                row = lines.copy_elements(path, name, stream, cut, row)
            else:
                row = cells.copy_cells(path, name, container, stream, cut, row, header=n == 0)
    return row

"""The fingerprint of data: of its content, not of its path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from prefaudit.sources.frames import Rows

WHOLE = 1 << 30
PIECE, PIECES = 1 << 20, 64
BATCH = 65536


def of_files(paths: Iterable[Path]) -> str:
    """Twelve hex digits of the files' bytes in order, whole up to 1 GiB in total.

    Beyond that: of each file its size, its time of change, and 1 MB blocks at its head, its tail and evenly between.
    """
    files = [(p, p.stat()) for p in paths]
    whole = sum(s.st_size for _, s in files) <= WHOLE
    total = hashlib.blake2b(digest_size=6)
    for path, stat in files:
        one = hashlib.blake2b(f"{stat.st_size}".encode())
        with path.open("rb", buffering=0) as f:
            if whole:
                while block := f.read(4 << 20):
                    one.update(block)
            else:
                one.update(f"{stat.st_mtime_ns}".encode())
                for offset in np.linspace(0, max(0, stat.st_size - PIECE), PIECES).astype(int):
                    f.seek(int(offset))
                    one.update(f.read(PIECE))
        total.update(one.digest())
    return total.hexdigest()


def of_blocks(path: Path) -> str:
    """Twelve hex digits of a file's size and of 64 kB blocks at its head, its tail and evenly between: cheap, and
    enough to know a file again that was moved."""
    size = path.stat().st_size
    hashed = hashlib.blake2b(f"{size}".encode(), digest_size=6)
    with path.open("rb", buffering=0) as f:
        for offset in sorted({int(at) for at in np.linspace(0, max(0, size - BATCH), 16)}):
            f.seek(offset)
            hashed.update(f.read(BATCH))
    return hashed.hexdigest()


class _Sink:
    closed = False

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=6)

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held."""


def of_table(table: Rows) -> str:
    """Twelve hex digits of a table's names, types and values, however it is cut into batches."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema.remove_metadata()) as writer:
        for at in range(0, table.num_rows, BATCH):
            for batch in table.slice(at, BATCH).replace_schema_metadata(None).combine_chunks().to_batches():
                writer.write_batch(batch)
    return sink.hash.hexdigest()

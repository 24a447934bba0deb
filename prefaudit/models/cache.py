"""Vectors of texts that a model has read before: one SQLite file a model, kept between audits."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from prefaudit.core import fingerprint
from prefaudit.models.base import Embedder, Vectors, both

SLICE = 2048  # texts between two commits: what a killed run loses


def folder() -> Path:
    """Where the files lie: PREFAUDIT_CACHE, else prefaudit in the user's cache folder."""
    named = os.environ.get("PREFAUDIT_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else (Path(home) if home else Path.home() / ".cache") / "prefaudit"


@dataclass(frozen=True)
class Cached:
    """An embedder that asks its model for each distinct text once, ever.

    Keys are (name, revision, template, limit, precision) for the file and the text's 128-bit hash within it. Vectors
    are kept as float16, and given back as such whether they were there or not: a second run says the same.
    """

    inner: Embedder

    @property
    def name(self) -> str:
        """The model's."""
        return self.inner.name

    @property
    def revision(self) -> str:
        """The model's."""
        return self.inner.revision

    @property
    def template(self) -> str:
        """The model's."""
        return self.inner.template

    @property
    def limit(self) -> int | None:
        """The model's."""
        return self.inner.limit

    @property
    def path(self) -> Path:
        """The model's file."""
        e = self.inner
        said = (e.name, e.revision, e.template, e.limit, getattr(e, "precision", ""), getattr(e, "model", ""))
        return folder() / f"embeddings-{fingerprint(*said)}.sqlite"

    def embed(self, responses: pl.Series, prompts: pl.Series | None = None) -> Vectors:
        """As the model's `embed`; only texts it has not read go to it."""
        asked = prompts if both(self.template) else None
        keys = [
            _key(r, p) for r, p in zip(responses, asked if asked is not None else [None] * len(responses), strict=True)
        ]
        first = {key: k for k, key in reversed(list(enumerate(keys)))}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=60)) as con:
            con.execute("create table if not exists v (k blob primary key, x blob, cut integer) without rowid")
            new = [k for key, k in first.items() if not _has(con, key)]
            sizes = responses.str.len_bytes().to_numpy()
            new.sort(key=lambda k: (-int(sizes[k]), k))
            for at in range(0, len(new), SLICE):
                rows = new[at : at + SLICE]
                found = self.inner.embed(responses.gather(rows), asked.gather(rows) if asked is not None else None)
                half = found.values.astype(np.float16)
                told = [(keys[k], half[i].tobytes(), int(found.cut[i])) for i, k in enumerate(rows)]
                with con:
                    con.executemany("insert or ignore into v values (?, ?, ?)", told)
            got = dict(_get(con, list(first)))
        values = [np.frombuffer(got[key][0], np.float16) for key in keys]
        cut = np.array([got[key][1] for key in keys], bool)
        return Vectors(np.array(values, np.float32) if values else np.empty((0, 0), np.float32), cut)


def _key(response: str, prompt: str | None) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    if prompt is not None:
        digest.update(prompt.encode("utf8", "surrogatepass") + b"\0prompt\0")
    digest.update(response.encode("utf8", "surrogatepass"))
    return digest.digest()


def _has(con: sqlite3.Connection, key: bytes) -> bool:
    return con.execute("select 1 from v where k = ?", (key,)).fetchone() is not None


def _get(con: sqlite3.Connection, keys: list[bytes]) -> Iterator[tuple[bytes, tuple[bytes, int]]]:
    for at in range(0, len(keys), 500):
        some = keys[at : at + 500]
        marks = ",".join("?" * len(some))
        for key, x, cut in con.execute(f"select k, x, cut from v where k in ({marks})", some):
            yield key, (x, cut)

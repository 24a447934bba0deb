"""Answers of chat models that have come before: one SQLite file a model and endpoint, kept between audits."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

from prefaudit.core import AuditError, fingerprint
from prefaudit.models.cache import folder
from prefaudit.models.chat_said import Said

SOME = 500  # keys in one question to the file


class Answers:
    """Answers by the hash of the whole request. One that `put` returned from outlives the process, however it ends.

    Args:
        path: of the file; None where nothing is to be kept.

    Raises:
        AuditError: the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._turn, self._waiting = threading.Lock(), threading.Lock()
        self._new: list[tuple[bytes, str, int, int]] = []
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._con = sqlite3.connect(path or ":memory:", timeout=60, check_same_thread=False, isolation_level=None)
            # The log is written through to the operating system at each commit, so that a killed process loses
            # nothing; it is flushed to the disk at checkpoints, so that a power cut may lose the last answers.
            self._con.execute("pragma journal_mode=wal")
            self._con.execute("pragma synchronous=normal")
            self._con.execute("create table if not exists answer (k blob primary key, text text, i integer, o integer)")
            self._con.execute("create table if not exists note (k text primary key, v text)")
        except (OSError, sqlite3.Error) as error:
            raise AuditError(
                f"the cache {path} cannot be opened: {error}", "name a folder in PREFAUDIT_CACHE"
            ) from error

    def have(self, keys: list[bytes]) -> dict[bytes, Said]:
        """Those of the answers that are there."""
        found: dict[bytes, Said] = {}
        with self._turn:
            for at in range(0, len(keys), SOME):
                some = keys[at : at + SOME]
                asked = f"select k, text, i, o from answer where k in ({','.join('?' * len(some))})"
                found |= {k: Said(text, i, o) for k, text, i, o in self._con.execute(asked, some)}
        return found

    def put(self, key: bytes, said: Said) -> None:
        """Keep an answer; answers that come while another is written go into one commit."""
        with self._waiting:
            self._new.append((key, said.text, said.tokens_in, said.tokens_out))
        with self._turn:
            with self._waiting:
                new, self._new = self._new, []
            if new:
                self._con.execute("begin immediate")
                self._con.executemany("insert or replace into answer values (?, ?, ?, ?)", new)
                self._con.execute("commit")

    def note(self, name: str, value: Any = None) -> Any:
        """What is known of the server: read, or kept where a value is given."""
        with self._turn:
            if value is not None:
                self._con.execute("insert or replace into note values (?, ?)", (name, json.dumps(value)))
            row = self._con.execute("select v from note where k = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None


def default_path(model: str, endpoint: str) -> Path:
    """The file of a model behind an endpoint, in the user's cache folder."""
    return folder() / f"chat-{fingerprint(model, endpoint)}.sqlite"

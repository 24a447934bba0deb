"""Scores that a reward model gave before: one SQLite file a model, kept between audits."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.core import fingerprint
from prefaudit.models.cache import folder
from prefaudit.models.judged import Judge
from prefaudit.models.likelihood import KINDS, Likelihood, two
from prefaudit.models.pairwise import PairRM
from prefaudit.models.reward import RewardModel
from prefaudit.models.reward_config import causal, checked, named
from prefaudit.models.reward_server import RewardServer
from prefaudit.models.scores import Conversation, Scores

SLICE = 512  # conversations between two commits, which a killed run loses; of a server, those of the open requests


@dataclass(frozen=True)
class Scored:
    """A model that is asked about each distinct conversation once, ever; a rerun asks for what is missing.

    `inner` scores answers (`reward.Scorer`), or, where it is `pairwise`, gives the margin of two answers.
    """

    inner: RewardModel | RewardServer | Likelihood | PairRM | Judge

    @property
    def name(self) -> str:
        """The model's."""
        return self.inner.name

    @property
    def revision(self) -> str:
        """The model's."""
        return self.inner.revision

    @property
    def pairwise(self) -> bool:
        """Whether it reads two answers at once."""
        return bool(getattr(self.inner, "pairwise", False))

    @property
    def path(self) -> Path:
        """The model's file."""
        e = self.inner
        said = (e.name, e.revision, getattr(e, "limit", 0), getattr(e, "kind", ""))
        return folder() / f"scores-{fingerprint(*said)}.sqlite"

    def score(self, prompts: Sequence[Conversation], *texts: Sequence[str]) -> Scores:
        """As the model's `score`; only conversations it has not read go to it, the longest first.

        Args:
            prompts: n conversations.
            texts: n answers; two of them for a model that is pairwise.
        """
        keys = [_key(p, *said) for p, *said in zip(prompts, *texts, strict=True)]
        first = {key: k for k, key in reversed(list(enumerate(keys)))}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=60)) as con:
            con.execute(
                "create table if not exists s (k blob primary key, x real, cut integer, step real) without rowid"
            )
            known = dict(_get(con, list(first)))
            new = [k for key, k in first.items() if key not in known]
            new.sort(key=lambda k: (*_longest(prompts[k]), -sum(len(t[k]) for t in texts), k))
            for at in range(0, len(new), SLICE):
                rows = new[at : at + SLICE]
                asked, said = [prompts[k] for k in rows], [[t[k] for k in rows] for t in texts]
                if isinstance(self.inner, RewardServer):
                    for places, found in self.inner.each(asked, *said):
                        _put(con, [keys[rows[k]] for k in places], *found)
                else:
                    _put(con, [keys[k] for k in rows], *self.inner.score(asked, *said))
            got = known | dict(_get(con, [keys[k] for k in new]))
        if not keys:
            return Scores(np.empty(0), np.zeros(0, bool), np.empty(0))
        values, cut, step = zip(*(got[key] for key in keys), strict=True)
        return Scores(np.array(values, np.float64), np.array(cut, bool), np.array(step, np.float64))


def _put(con: sqlite3.Connection, keys: list[bytes], *columns: NDArray[Any]) -> None:
    told = [
        (key, None if np.isnan(x) else float(x), int(c), float(s)) for key, x, c, s in zip(keys, *columns, strict=True)
    ]
    with con:
        con.executemany("insert or ignore into s values (?, ?, ?, ?)", told)


def _get(con: sqlite3.Connection, keys: list[bytes]) -> Iterator[tuple[bytes, tuple[float | None, int, float]]]:
    for at in range(0, len(keys), 500):
        some = keys[at : at + 500]
        marks = ",".join("?" * len(some))
        for key, x, cut, step in con.execute(f"select k, x, cut, step from s where k in ({marks})", some):
            yield key, (x, cut, step)


def _longest(prompt: Conversation) -> tuple[int, list[str]]:
    """Long prompts first, and answers to one prompt side by side: they are read together."""
    said = [m["content"] for m in prompt]
    return -sum(map(len, said)), said


def _key(prompt: Conversation, *texts: str) -> bytes:
    said = json.dumps([[(m["role"], m["content"]) for m in prompt], *texts], ensure_ascii=True)
    return hashlib.blake2b(said.encode(), digest_size=16).digest()


def scorer(name: str, limit: int = 0, device: str = "auto", trust: bool = False, precision: str = "auto") -> Scored:
    """The model of this name, with its cache; what it is is checked now, its weights load when it is asked.

    Args:
        name: a folder, a hub id, HUB_ID@REVISION, one of these with #OBJECTIVE, KIND+URL#TOKENIZER, judge+URL#MODEL,
            dpo+POLICY|REFERENCE or cdr+STRONG|WEAK.
        limit: tokens read at most; 0 is the model's own limit.
        device: auto, cpu, cuda, cuda:1, mps.
        trust: run the code that comes with a model, of a pinned commit.
        precision: auto, float32, bfloat16 of local models; PairRM is always float32.

    Raises:
        AuditError: there is no such model, or it is no reward model.
    """
    kind = name.partition("+")[0]
    if kind in KINDS:
        for where in two(name)[1:]:
            causal(*named(where)[:2])
        return Scored(Likelihood(name, limit, device, precision))
    if "://" in name:
        if kind == "judge":
            return Scored(Judge(name))
        server = RewardServer(name)
        server._tokenizer() if server.kind else None
        return Scored(server)
    where, pinned, objective = named(name)
    if checked(where, pinned, trust)[1] == "pairrm":
        return Scored(PairRM(where, pinned, limit, device))
    return Scored(RewardModel(where, pinned, limit, device, precision, objective, trust))

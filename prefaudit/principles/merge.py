"""Principles that mean the same are one: complete linkage over embeddings of their texts, nothing left to chance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.models import embedder
from prefaudit.principles.library import OPENING, Principle

CLOSE = {"lexical": 0.62, "": 0.75}  # cosine from which two texts are one, by embedder
PLAIN = {
    "is",
    "are",
    "a",
    "an",
    "the",
    "of",
    "to",
    "in",
    "it",
    "its",
    "that",
    "with",
    "and",
    "or",
    "has",
    "have",
    "more",
}
MOST = 1_500  # different texts that are compared, those proposed most often
TURNS = re.compile(
    r"\b(not?|never|non|less|fewer|without|lacks?|lacking|avoids?|avoiding|refrains?|omits?|fails?|declines?|refuses?|"
    r"rejects?|shorter|un\w{4,}|in(?:appropriate|accurate|correct|complete|formal|direct|consistent)|"
    r"dis(?:agrees?|courages?|respectful)|im(?:polite|personal|precise))\b|n['’]t\b", re.IGNORECASE)  # fmt: skip

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Merged:
    """One principle, and what it stands for."""

    principle: Principle
    times: int  # how often it was proposed, in all wordings
    wordings: tuple[str, ...]


def merge(proposed: Sequence[Principle], most: int, embed: Callable[[pl.Series], Vectors], close: float,
          first: Sequence[Principle] = ()) -> list[Merged]:  # fmt: skip
    """One principle a meaning, those proposed most often first.

    Texts join where every two of them are at least as close as `close`, and none turns what another says ("more
    concise", "less concise"). The wording kept is the one nearest to the others of its group.

    Args:
        proposed: texts, with repeats.
        most: how many are kept at most.
        embed: texts to (n, d) vectors.
        close: the cosine.
        first: principles that stay as they are; what means the same as one of them joins it.
    """
    seen = Counter(p.id for p in proposed)
    by_id = {p.id: p for p in (*proposed, *first)}
    kept = {p.id for p in first}
    ids = sorted(by_id, key=lambda i: (i not in kept, -seen[i], i))[: max(MOST, len(kept))]
    if not ids:
        return []
    texts = [by_id[i].text.removeprefix(OPENING) for i in ids]
    vectors = embed(pl.Series(texts)).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    near = vectors @ vectors.T
    turned = np.array([len(TURNS.findall(t)) % 2 for t in texts])
    near[turned[:, None] != turned[None]] = -1.0
    own = np.flatnonzero([i in kept for i in ids])
    near[np.ix_(own, own)] = -1.0  # those that stay are told apart whatever they say
    found = [_one(group, near, ids, by_id, seen, kept) for group in _groups(near, close)]
    found.sort(key=lambda m: (m.principle.id not in kept, -m.times, m.principle.id))
    return found[:most]


def _groups(near: NDArray[np.float64], close: float) -> list[NDArray[np.int64]]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(near) == 1:
        return [np.zeros(1, np.int64)]
    distance = np.clip(1 - np.round((near + near.T) / 2, 6), 0, 2)
    np.fill_diagonal(distance, 0)
    label = fcluster(linkage(squareform(distance, checks=False), "complete"), 1 - close + 1e-9, "distance")
    return [np.flatnonzero(label == k) for k in np.unique(label)]


def _one(group: NDArray[np.int64], near: NDArray[np.float64], ids: list[str], by_id: dict[str, Principle],
         seen: Counter[str], kept: set[str]) -> Merged:  # fmt: skip
    members = [ids[k] for k in group]
    times = np.array([max(seen[i], 1) for i in members], np.float64)
    central = near[np.ix_(group, group)] @ times
    best = min(range(len(members)), key=lambda k: (members[k] not in kept, -round(float(central[k]), 6), members[k]))
    others = tuple(by_id[i].text for k, i in enumerate(members) if k != best)
    return Merged(by_id[members[best]], sum(seen[i] for i in members), others)


def meaning(name: str) -> tuple[Callable[[pl.Series], Vectors], float]:
    """What gives texts their vectors, and the cosine from which two are one.

    Args:
        name: of an embedder; `lexical` goes by how the words are spelled.

    Raises:
        AuditError: there is no such embedder.
    """
    if name != "lexical":
        model = embedder(name)
        return lambda texts: model.embed(texts, pl.Series([""] * len(texts))).values, CLOSE.get(name, CLOSE[""])

    return spelled, CLOSE["lexical"]


def spelled(texts: pl.Series) -> Vectors:
    """Runs of four characters of the words, weighted by how few of the texts have them: (n, different runs)."""
    runs = [Counter(w[k : k + 4] for w in _words(t) for k in range(max(1, len(w) - 3))) for t in texts]
    names = {run: k for k, run in enumerate(sorted({run for one in runs for run in one}))}
    found = np.zeros((len(runs), len(names)), np.float32)
    for n, one in enumerate(runs):
        for run, times in one.items():
            found[n, names[run]] = times
    weight: Vectors = (found * (np.log((1 + len(runs)) / (1 + (found > 0).sum(0))) + 1)).astype(np.float32)
    return weight


def _words(text: str) -> list[str]:
    return [f" {word} " for word in re.findall(r"[\w'’]+", text.lower()) if word not in PLAIN]

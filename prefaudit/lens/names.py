"""Names from contrast: the terms and the measured properties that go with a feature. No model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats
from prefaudit.models import Lexical

PROPOSED, TOLD = 12, 4  # terms tried on the pairs held out, terms in a name
HELD = 2.0  # standard errors by which a correlation has to hold on pairs that did not propose it
LEAST = 0.1  # and its least size for a measured property


class Term(NamedTuple):
    """What goes with a feature: `r` is the correlation on the held-out pairs, negative where there is less of it."""

    words: str
    r: float


@dataclass(frozen=True)
class Name:
    """What goes with a feature, confirmed on held-out pairs; all empty where nothing is."""

    properties: tuple[Term, ...]
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        """One line."""
        more = [f"“{t.words}”" for t in self.terms if t.r > 0]
        less = [f"“{t.words}”" for t in self.terms if t.r < 0]
        told = [p.words if p.r > 0 else _less(p.words) for p in self.properties]
        told += [f"with {', '.join(more)}"] if more else []
        told += [f"without {', '.join(less)}"] if less else []
        return "; ".join(told) or "nothing in its words tells"


@dataclass(frozen=True)
class Terms:
    """Which terms one answer has and the other has not: (n, terms) scipy sparse of -1, 0, 1, and the terms' words."""

    sign: Any
    words: Sequence[str]

    @classmethod
    def of(cls, chosen: pl.Series, rejected: pl.Series) -> Terms:
        """From n pairs of texts."""
        fitted = Lexical.fit(chosen, rejected, dim=2)
        rows = [fitted.terms(side) for side in (chosen, rejected)]
        for side in rows:
            side.data[:] = 1
        alone = fitted.words.to_list()
        joined = [f"{alone[a]} {alone[b]}" for a, b in fitted.pairs]
        words = [w.replace("\n", "⏎") for w in [*alone, *joined]]
        return cls((rows[0] - rows[1]).tocsr(), words)


def names(
    z: Floats, terms: Terms, properties: Mapping[str, NDArray[np.floating]], held: NDArray[np.bool_]
) -> list[Name]:
    """The name of each feature.

    What correlates most on the other pairs is proposed; what correlates as well on the held-out ones, the same way and
    by HELD standard errors, is told. The correlation is that of the activation with which side has the term or more
    of the property, through the origin: exchanging the two answers changes nothing.

    Args:
        z: (n, M) activations.
        terms: of the same n pairs.
        properties: words ("more list items") to n differences, NaN where not known.
        held: (n,) pairs that confirm; groups on one side of it are not on the other.
    """
    found: list[list[Term]] = [[] for _ in range(z.shape[1])]
    said: list[list[Term]] = [[] for _ in range(z.shape[1])]
    first, second = (_along(terms.sign[rows], z[rows]) for rows in (~held, held))
    bar = HELD / np.sqrt(max(int(held.sum()), 1))
    for k in range(z.shape[1]):
        for t in np.argsort(-np.abs(first[:, k]), kind="stable")[:PROPOSED].tolist():
            again = float(second[t, k])
            if again * first[t, k] > 0 and abs(again) > bar:
                said[k].append(Term(terms.words[t], again))
    signs = {words: np.sign(np.nan_to_num(d)).astype(np.float32) for words, d in properties.items()}
    for words, sign in signs.items():
        one, other = (_along(sign[rows, None], z[rows])[0] for rows in (~held, held))
        for k in np.flatnonzero((one * other > 0) & (np.abs(other) > max(bar, LEAST))).tolist():
            found[k].append(Term(words, float(other[k])))
    return [Name(_largest(p)[:2], _apart(_largest(t))) for p, t in zip(found, said, strict=True)]


def _less(words: str) -> str:
    if words.startswith("more "):
        return words.replace("more", "fewer" if words.endswith("s") else "less", 1)
    return f"not: {words}"


def _largest(terms: list[Term]) -> tuple[Term, ...]:
    return tuple(sorted(terms, key=lambda t: (-abs(t.r), t.words)))


def _apart(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The first few terms none of which is part of another."""
    kept: list[Term] = []
    for term in terms:
        own = set(term.words.split())
        if len(kept) < TOLD and not any(own & set(k.words.split()) for k in kept):
            kept.append(term)
    return tuple(kept)


def _along(signs: Any, z: Floats) -> NDArray[np.float64]:
    """(columns, M) correlations through the origin of sparse or dense signs with activations."""
    product = np.asarray(signs.T @ z, np.float64)
    size = np.sqrt(np.asarray(abs(signs).sum(0), np.float64)).reshape(-1, 1)
    return np.asarray(product / np.maximum(size * np.sqrt((z.astype(np.float64) ** 2).sum(0)), 1e-12))

"""Two views of a text side by side: what a model makes of it, and its words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from prefaudit.core import fingerprint
from prefaudit.models.base import Embedder, Vectors
from prefaudit.models.lexical import Lexical

BESIDE = "+lexical"  # after the name of an embedder


@dataclass(frozen=True)
class Views:
    """The vectors of a model, and after them those of `lexical`, stretched so that pairs differ as much in both.

    Attributes:
        model: the first view.
        words: the second, fitted on the data.
        scale: what the words' vectors are multiplied with.
    """

    model: Embedder
    words: Lexical
    scale: float

    @classmethod
    def fit(cls, model: Embedder, words: Lexical, chosen: pl.Series, rejected: pl.Series,
            prompts: pl.Series | None) -> Views:  # fmt: skip
        """With the scale at which the differences of these pairs are as long in either view."""
        size = [
            float(((one.embed(chosen, prompts).values - one.embed(rejected, prompts).values) ** 2).sum(1).mean())
            for one in (model, words)
        ]
        return cls(model, words, float(np.sqrt(size[0] / size[1])) if min(size) > 0 else 1.0)

    @property
    def name(self) -> str:
        """As --embedder has it."""
        return self.model.name + BESIDE

    @property
    def revision(self) -> str:
        """Of both."""
        return fingerprint(self.model.revision, self.words.revision, self.scale)

    @property
    def template(self) -> str:
        """The model's."""
        return self.model.template

    @property
    def limit(self) -> int | None:
        """The model's."""
        return self.model.limit

    def embed(self, responses: pl.Series, prompts: pl.Series | None = None) -> Vectors:
        """Both, one after the other; a text was cut where the model cut it."""
        first, second = self.model.embed(responses, prompts), self.words.embed(responses)
        return Vectors(np.column_stack([first.values, second.values * np.float32(self.scale)]), first.cut)

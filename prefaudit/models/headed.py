"""An embedder with a linear head of ours as a probe: `minilm`, in place of the words of a built-in probe."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.models.minilm import LAYERS, minilm

NAME = "minilm"


@dataclass(frozen=True)
class Headed:
    """A logistic regression on the vectors of a reply, of the last user turn, and on their product.

    The weights are in headed.json, fitted by training/headed.py on the examples of the built-in probe.

    Attributes:
        feature: `refusal` or `sycophancy`.
    """

    feature: str

    @property
    def revision(self) -> str:
        """What tells versions of the head apart."""
        return hashlib.sha256(json.dumps(heads()[self.feature]).encode()).hexdigest()[:12]

    def score(self, texts: pl.Series, before: pl.Series | None = None) -> NDArray[np.float64]:
        """The probability for n replies, 0..1.

        Args:
            texts: n replies, no null.
            before: n last user turns, null read as empty.

        Raises:
            AuditError: MiniLM is not installed, or its weights are not the published ones.
        """
        head = heads()[self.feature]
        turns = pl.Series([""] * len(texts)) if before is None else before.fill_null("")
        logits = joined(texts, turns) @ np.array(head["weights"], np.float64) + head["bias"]
        return np.asarray(1 / (1 + np.exp(-logits)))


@cache
def heads() -> dict[str, Any]:
    """The shipped heads: feature to `weights` (3 times 384) and `bias`."""
    told: dict[str, Any] = json.loads((files("prefaudit.models") / "headed.json").read_text())
    return told


def joined(replies: pl.Series, turns: pl.Series) -> NDArray[np.float64]:
    """n by 1,152: the unit vectors of the replies and of the turns, and their product times the root of the width."""
    distinct = pl.concat([replies, turns]).unique(maintain_order=True)
    place = pl.DataFrame({"text": distinct, "at": np.arange(len(distinct))})
    found = minilm(layer=LAYERS).embed(distinct).values.astype(np.float64)
    a, b = (found[pl.DataFrame({"text": s}).join(place, on="text", how="left", maintain_order="left")["at"].to_numpy()]
            for s in (replies, turns))  # fmt: skip
    return np.hstack([a, b, a * b * np.sqrt(a.shape[1])])

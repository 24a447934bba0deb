"""What every embedder is: texts in, vectors out."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import AuditError

RESPONSE = "{response}"
POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")  # as configs call the same limit
# Movva et al., "What's In My Human Feedback?", README of April 2026: measured best with instructed embedders.
INSTRUCTED = (
    "Represent this user-assistant exchange for predicting which assistant response humans would prefer, focusing on "
    "helpfulness, correctness, harmlessness, relevance, and style.\n\nUser: {prompt}\n\nAssistant: {response}"
)


class Vectors(NamedTuple):
    """What an embedder says of n texts: (n, dim) float32 `values`, and (n,) `cut`, whether the text was too long."""

    values: NDArray[np.float32]
    cut: NDArray[np.bool_]


@runtime_checkable
class Embedder(Protocol):
    """A model that gives a text a vector.

    `name` is what --embedder was given, `revision` tells two versions of its weights apart, `template` says what of
    prompt and response it reads (`RESPONSE` is the response alone), `limit` is the number of tokens it reads, None
    where there is no limit in tokens.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def revision(self) -> str: ...  # noqa: D102

    @property
    def template(self) -> str: ...  # noqa: D102

    @property
    def limit(self) -> int | None: ...  # noqa: D102

    def embed(self, responses: pl.Series, prompts: pl.Series | None = None) -> Vectors:
        """Vectors of n responses, in their order.

        Args:
            responses: n texts without nulls.
            prompts: n texts, needed where the template names the prompt.

        Raises:
            ModelError: the model does not answer, or answers nonsense. There is no default vector.
        """


class ModelError(Exception):
    """A model failed at its work: what it was to measure is missing, and the audit says so.

    `facts` are what the report tells beside that: which calls failed.
    """

    facts: dict[str, Any] | None = None


def missing(what: str, extra: str = "models") -> AuditError:
    """The error for a package that is not installed."""
    return AuditError(f"{what} is not installed", f"pip install 'prefaudit[{extra}]'")


def place(device: str) -> str:
    """The device a model runs on: the one that was named, else for `auto` an accelerator where there is one."""
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def halves(on: str) -> bool:
    """Whether this device is fast at bfloat16: a GPU, or a CPU with AMX."""
    import torch

    return bool(torch.cpu._is_amx_tile_supported()) if on == "cpu" else on.startswith("cuda")


def both(template: str) -> bool:
    """Whether the template reads the prompt beside the response."""
    return "{prompt}" in template


def packed(vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> pl.Series:
    """Vectors as a column of bytes, float16 each; null where not known.

    Args:
        vectors: (m, dim), one for each known row, in their order.
        known: (n,), m of them true.
    """
    half = np.ascontiguousarray(vectors, np.float16)
    told: list[bytes | None] = [None] * len(known)
    for place, vector in zip(np.flatnonzero(known).tolist(), half, strict=True):
        told[place] = vector.tobytes()
    return pl.Series(told, dtype=pl.Binary)


def unpacked(column: pl.Series) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The vectors that `packed` wrote, (n, dim) float32 with 0 where not known, and (n,) whether it is known."""
    known = column.is_not_null().to_numpy()
    held = np.frombuffer(b"".join(column.drop_nulls()), np.float16)
    dim = len(held) // max(int(known.sum()), 1)
    out = np.zeros((len(column), dim), np.float32)
    out[known] = held.reshape(-1, dim) if dim else 0
    return out, known

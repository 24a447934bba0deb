"""What a scorer of answers says: a number for each, and what came of reading it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Conversation = Sequence[dict[str, str]]
MOST = 16_384  # tokens read at most where the model's own limit is higher or not told
MANTISSA = {"float32": 23, "float16": 10, "bfloat16": 7}


class Scores(NamedTuple):
    """What a reward model says of n conversations.

    Attributes:
        values: (n,) float64; NaN where the answer alone is longer than the model reads.
        cut: (n,) whether the beginning of the prompt was cut off.
        spacing: (n,) the step between neighbouring numbers in the model's precision: two scores nearer than that are
            a tie.
    """

    values: NDArray[np.float64]
    cut: NDArray[np.bool_]
    spacing: NDArray[np.float64]


@runtime_checkable
class Scorer(Protocol):
    """Something that gives a conversation a number, higher for better."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def revision(self) -> str: ...  # noqa: D102

    def score(self, prompts: Sequence[Conversation], responses: Sequence[str]) -> Scores:
        """Scores of n answers, in their order.

        Args:
            prompts: n lists of {role, content}, without the answer.
            responses: n answers.

        Raises:
            ModelError: the model does not answer, or answers nonsense. There is no default score.
        """


def spacing(values: NDArray[np.float64], precision: str) -> NDArray[np.float64]:
    """The distance of each number to its neighbour in this precision (1/8 between 16 and 32 in bfloat16)."""
    size = np.maximum(np.abs(np.nan_to_num(values)), 2.0**-14)
    return np.asarray(2.0 ** (np.floor(np.log2(size)) - MANTISSA[precision]))

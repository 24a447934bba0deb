"""`rewards`: what each reward model says of the two answers; working material of `strength`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.models.reward import Scores
from prefaudit.models.scored import Scored, scorer

LISTS = pl.List(pl.Float64())
REWARDS = pl.Struct({"chosen": LISTS, "rejected": LISTS, "step": LISTS, "cut": pl.List(pl.Boolean())})


@dataclass(frozen=True)
class Rewards:
    """`rewards`: lists with an element for each reward model, in the order they were named.

    `chosen` and `rejected` are its scores, null where the answer is longer than it reads; `step` is the distance under
    which its two scores are a tie; `cut` says that a prompt lost its beginning.

    Attributes:
        reward_model: folders, hub ids or servers; see docs/strength.md.
        max_tokens: tokens read at most; None is each model's own limit.
        device: where local models run.
    """

    reward_model: tuple[str, ...] = ()
    max_tokens: int | None = None
    device: str = "auto"

    name: ClassVar[str] = "rewards"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = True
    hidden: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("prompt", "rejected_prompt", "chosen", "rejected", "hash_prompt",
                                        "hash_chosen", "hash_rejected")  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct of lists."""
        return {"rewards": REWARDS}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn; models that do not exist are named before any is asked.

        Raises:
            AuditError: there is no such model.
        """
        made = [scorer(name, self.max_tokens or 0, self.device) for name in self.reward_model]
        return pl.DataFrame({"name": [m.name for m in made], "revision": [m.revision for m in made]},
                            schema={"name": pl.String, "revision": pl.String})  # fmt: skip

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part: one model at a time, each distinct conversation once.

        Raises (from the function):
            ModelError: a model or server failed; what it said before is kept, and a rerun goes on from there.
        """
        made = [scorer(name, self.max_tokens or 0, self.device) for name in self.reward_model]

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            n = frame.height
            first, back, prompts, answers = _distinct(frame)
            told = [_asked(model, prompts, answers) for model in made]
            sides: dict[str, list[NDArray[np.float64]]] = {"chosen": [], "rejected": [], "step": [], "cut": []}
            for found in told:
                values, cut, step = (np.full(2 * n, np.nan) for _ in range(3))
                values[first], cut[first], step[first] = found.values[back], found.cut[back], found.spacing[back]
                sides["chosen"].append(values[:n])
                sides["rejected"].append(values[n:])
                sides["step"].append(np.fmax(step[:n], step[n:]))
                sides["cut"].append(np.fmax(cut[:n], cut[n:]))
            lists = [_listed(name, columns, n) for name, columns in sides.items()]
            return frame.select("row").with_columns(pl.DataFrame(lists).to_struct("rewards"))

        return apply


def _asked(model: Scored, prompts: list[list[dict[str, str]]], answers: list[str]) -> Scores:
    return model.score(prompts, answers)


def _listed(name: str, columns: list[NDArray[np.float64]], n: int) -> pl.Series:
    kind = REWARDS.to_schema()[name]
    if not columns:
        return pl.Series(name, [[]], dtype=kind).new_from_index(0, n)
    frame = pl.DataFrame({str(k): pl.Series(c).fill_nan(None) for k, c in enumerate(columns)})
    return frame.select(pl.concat_list(pl.all()).cast(kind).alias(name)).to_series()


def _distinct(
    frame: pl.DataFrame,
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[list[dict[str, str]]], list[str]]:
    """The known answers' places among chosen and then rejected, which distinct conversation each is, and those."""
    n = frame.height
    other = frame["rejected_prompt"].is_not_null()
    asked = pl.concat([frame["hash_prompt"], frame["hash_prompt"]])
    keys = pl.DataFrame({
        "asked": asked, "other": pl.concat([pl.zeros(n, pl.Boolean, eager=True), other]),
        "said": pl.concat([frame["hash_chosen"], frame["hash_rejected"]]),
        "row": pl.concat([pl.Series([-1]).new_from_index(0, n), frame["row"]]),
    })  # fmt: skip
    known = pl.concat([frame["chosen"], frame["rejected"]]).is_not_null().to_numpy()
    places = np.flatnonzero(known)
    # a rejected answer with a prompt of its own is known by its row: there is no hash of that prompt
    kept = keys[places].with_columns(row=pl.when("other").then("row"), at=pl.Series(places))
    where = kept.select(pl.col("at").first().over("asked", "said", "other", "row"))["at"].to_numpy()
    unique, back = np.unique(where, return_inverse=True)
    prompt = pl.concat([frame["prompt"], frame["rejected_prompt"].zip_with(other, frame["prompt"])])
    answers = pl.concat([frame["chosen"], frame["rejected"]])
    return places, back, prompt.gather(unique).to_list(), answers.gather(unique).to_list()

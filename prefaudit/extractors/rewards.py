"""`rewards`: what each reward model says of the two answers; working material of `strength`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.models.scored import Scored, scorer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Asked = list[list[dict[str, str]]]

READS = ("prompt", "rejected_prompt", "chosen", "rejected", "hash_prompt", "hash_chosen", "hash_rejected")
SWAPPED, LEAST = 200, 20  # pairs read under other prompts
LISTS = pl.List(pl.Float64())
REWARDS = pl.Struct({"chosen": LISTS, "rejected": LISTS, "margin": LISTS, "step": LISTS,
                     "cut": pl.List(pl.Boolean())})  # fmt: skip


@dataclass(frozen=True)
class Rewards:
    """`rewards`: lists with an element for each reward model, in the order they were named.

    `chosen` and `rejected` are its scores, null where the answer is longer than it reads; a model that compares two
    answers has a `margin` instead. `step` is the distance under which two scores are a tie; `cut` says that a prompt
    was not read whole.

    Attributes:
        reward_model: folders, hub ids or servers; see docs/strength.md.
        max_tokens: tokens read at most; None is each model's own limit.
        device: where local models run.
        precision: auto, float32 or bfloat16, of local models.
        trust_remote_code: run the code that comes with a model, of a pinned commit.
    """

    reward_model: tuple[str, ...] = ()
    max_tokens: int | None = None
    device: str = "auto"
    precision: str = "auto"
    trust_remote_code: bool = False

    name: ClassVar[str] = "rewards"
    version: ClassVar[int] = 2
    learns: ClassVar[bool] = True
    hidden: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Nothing where no model is named."""
        return READS if self.reward_model else ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct of lists."""
        return {"rewards": REWARDS}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """A row a model: name, revision, and what becomes of its margins under other prompts (JSON, or null).

        Models that do not exist are named before any is asked.

        Raises:
            AuditError: there is no such model.
            ModelError: a model or server failed.
        """
        made = self._models()
        frame = _sample(parts, seed) if made else None
        swapped = [json.dumps(None if frame is None else _swapped(model, frame)) for model in made]
        return pl.DataFrame({"name": [m.name for m in made], "revision": [m.revision for m in made],
                             "swapped": swapped},
                            schema={"name": pl.String, "revision": pl.String, "swapped": pl.String})  # fmt: skip

    def _models(self) -> list[Scored]:
        most = self.max_tokens or 0
        return [scorer(name, most, self.device, self.trust_remote_code, self.precision) for name in self.reward_model]

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part: one model at a time, each distinct conversation once.

        Raises (from the function):
            ModelError: a model or server failed; what it said before is kept, and a rerun goes on from there.
        """
        made = self._models()

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            n = frame.height
            sides: dict[str, list[Floats]] = {name: [] for name in REWARDS.to_schema()}
            answers = _distinct(frame) if any(not m.pairwise for m in made) else None
            for model in made:
                said = _compared(model, frame) if model.pairwise or answers is None else _scored(model, n, *answers)
                for name, column in said.items():
                    sides[name].append(column)
            lists = [_listed(name, columns, n) for name, columns in sides.items()]
            return frame.select("row").with_columns(pl.DataFrame(lists).to_struct("rewards"))

        return apply


def _scored(model: Scored, n: int, first: Ints, back: Ints, prompts: Asked, answers: list[str]) -> dict[str, Floats]:
    """The columns of a model that scores answers, each distinct conversation asked once."""
    found = model.score(prompts, answers)
    values, cut, step = (np.full(2 * n, np.nan) for _ in range(3))
    values[first], cut[first], step[first] = found.values[back], found.cut[back], found.spacing[back]
    return {"chosen": values[:n], "rejected": values[n:], "margin": np.full(n, np.nan),
            "step": np.fmax(step[:n], step[n:]), "cut": np.fmax(cut[:n], cut[n:])}  # fmt: skip


def _compared(model: Scored, frame: pl.DataFrame) -> dict[str, Floats]:
    """The columns of a model that compares; answers to two prompts are not compared."""
    n = frame.height
    known = pl.col("chosen").is_not_null() & pl.col("rejected").is_not_null() & pl.col("rejected_prompt").is_null()
    rows = np.flatnonzero(frame.select(known).to_series().to_numpy())
    inside = frame[rows]
    found = model.score(inside["prompt"].to_list(), inside["chosen"].to_list(), inside["rejected"].to_list())
    out = {name: np.full(n, np.nan) for name in REWARDS.to_schema()}
    out["margin"][rows], out["step"][rows], out["cut"][rows] = found.values, found.spacing, found.cut
    return out


def _sample(parts: Parts, seed: int) -> pl.DataFrame | None:
    """Pairs whose answers are read under other prompts: a tenth of the prompts, at most SWAPPED; None under LEAST."""
    hashes = ["hash_prompt", "hash_chosen", "hash_rejected"]
    rows = pl.concat([f.drop_nulls(hashes).select("row", "hash_prompt") for f in parts(["row", *hashes])])
    rows = rows.unique("hash_prompt", keep="first", maintain_order=True)
    n = min(SWAPPED, rows.height // 10)
    if n < LEAST:
        return None
    drawn = np.sort(np.random.default_rng(seed).choice(rows.height, n, replace=False))
    wanted = rows["row"].to_numpy()[drawn]
    columns = ["row", "prompt", "chosen", "rejected", "rejected_prompt"]
    return pl.concat([f.filter(pl.Series(np.isin(f["row"].to_numpy(), wanted))) for f in parts(columns)])


def _swapped(model: Scored, frame: pl.DataFrame) -> dict[str, Any]:
    """What becomes of margins where the answers stand under the prompt of the next pair of the sample.

    `kept` is the share of margins whose sign stays (0 counts half), `rho` their correlation about 0, `size` the root
    mean square of the margins under the other prompt over that under their own.
    """
    prompts, both = frame["prompt"].to_list(), (frame["chosen"].to_list(), frame["rejected"].to_list())
    margins = []
    for asked in (prompts, prompts[1:] + prompts[:1]):
        if model.pairwise:
            margins.append(model.score(asked, *both).values)
        else:
            found = model.score(asked * 2, both[0] + both[1]).values
            margins.append(found[: len(asked)] - found[len(asked) :])
    known = ~np.isnan(margins[0]) & ~np.isnan(margins[1])
    own, other = margins[0][known], margins[1][known]
    power = float(np.sqrt((own**2).mean() * (other**2).mean())) if len(own) else 0.0
    if not power:
        return {"n": len(own), "kept": None, "rho": None, "size": None}
    return {"n": len(own), "kept": float((0.5 + np.sign(own * other) / 2).mean()),
            "rho": float((own * other).mean() / power),
            "size": float(np.sqrt((other**2).mean() / (own**2).mean()))}  # fmt: skip


def _listed(name: str, columns: list[Floats], n: int) -> pl.Series:
    kind = REWARDS.to_schema()[name]
    if not columns:
        return pl.Series(name, [[]], dtype=kind).new_from_index(0, n)
    frame = pl.DataFrame({str(k): pl.Series(c).fill_nan(None) for k, c in enumerate(columns)})
    return frame.select(pl.concat_list(pl.all()).cast(kind).alias(name)).to_series()


def _distinct(frame: pl.DataFrame) -> tuple[Ints, Ints, Asked, list[str]]:
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

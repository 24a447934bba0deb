"""`truncation`: what a trainer's max_length does to a pair.

The rule is TRL's (1.16). DPOTrainer and KTOTrainer join prompt and answer, keep the first max_length tokens of the
whole (`truncation_mode="keep_start"`) and leave out pairs whose prompt alone fills them; RewardTrainer leaves out every
pair with a side longer than max_length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from prefaudit.core import Apply, Parts, UsageError
from prefaudit.extractors import _tokens

TRUNCATION = pl.Struct({"excess": pl.Int32, "same": pl.Boolean, "no_answer": pl.Boolean})
TEXTS = ("chosen", "rejected")


def with_reasoning(frame: pl.DataFrame) -> pl.DataFrame:
    """`chosen` and `rejected` as a trainer reads them, reasoning in front in `<think>` tags."""
    thought = [
        pl.when(pl.col(f"{side}_reasoning").is_null())
        .then(pl.col(side))
        .otherwise(pl.concat_str(pl.lit("<think>\n"), f"{side}_reasoning", pl.lit("\n</think>\n\n"), side))
        .alias(side)
        for side in TEXTS
    ]
    return frame.with_columns(thought)


def by_characters(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """The fields of TRUNCATION where the length is one of characters: of all turns and the answer.

    Args:
        frame: `prompt`, `rejected_prompt`, `chosen`, `rejected`; both answers there.
        most: the trainer's max_length.
    """
    sizes = [
        frame[name].list.eval(pl.element().struct.field("content").str.len_chars()).list.sum().cast(pl.Int64)
        for name in ("prompt", "rejected_prompt")
    ]
    frame = frame.with_columns(before=sizes[0].fill_null(0), other=sizes[1]).with_columns(
        other=pl.col("other").fill_null(pl.col("before"))
    )
    left = {"chosen": most - pl.col("before"), "rejected": most - pl.col("other")}
    over = {side: pl.col(side).str.len_chars().cast(pl.Int64) - left[side] for side in TEXTS}
    cut = {side: pl.col(side).str.head(left[side].clip(0)) for side in TEXTS}
    excess = pl.max_horizontal(over["chosen"], over["rejected"]).clip(0)
    no_answer = pl.min_horizontal(left["chosen"], left["rejected"]) <= 0
    alike = (pl.col("chosen") != pl.col("rejected")) & (cut["chosen"] == cut["rejected"])
    same = pl.when(excess > 0).then(alike & ~no_answer & pl.col("rejected_prompt").is_null()).otherwise(False)
    return frame.select(excess=excess, same=same, no_answer=no_answer)


@dataclass(frozen=True)
class Truncation:
    """Pairs longer than the trainer's max_length; null without one.

    Attributes:
        max_length: in characters, or in tokens of `tokenizer`.
        tokenizer: a tokenizer.json or a folder with a tokenizer, on this machine.
        tokenizer_print: of the tokenizer's files, made where it is not given.
    """

    max_length: int | None = None
    tokenizer: str | None = None
    tokenizer_print: str = ""

    name: ClassVar[str] = "truncation"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = (
        "prompt", "rejected_prompt", "chosen", "rejected", "chosen_reasoning", "rejected_reasoning",
    )  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Know the tokenizer by its content.

        Raises:
            UsageError: there is no tokenizer at the path, or no max_length to go with it.
        """
        if self.tokenizer and self.max_length is None:
            raise UsageError("--tokenizer counts nothing without --max-length", "add the trainer's --max-length N")
        if self.tokenizer and not self.tokenizer_print:
            object.__setattr__(self, "tokenizer_print", _tokens.print_of(self.tokenizer))

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The struct truncation: `excess` (how much the longer side is too long), `same`, `no_answer`."""
        return {"truncation": TRUNCATION}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""
        most, tokens = self.max_length, _tokens.load(self.tokenizer) if self.tokenizer else None

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            if most is None:
                return frame.select("row", pl.lit(None, TRUNCATION).alias("truncation"))
            both = frame["chosen"].is_not_null() & frame["rejected"].is_not_null()
            pairs = with_reasoning(frame.filter(both))
            told = by_characters(pairs, most) if tokens is None else _tokens.measure(pairs, most, tokens)
            found = pairs.select("row").with_columns(told.cast(dict(TRUNCATION)).to_struct("truncation"))
            return frame.select("row").join(found, on="row", how="left", maintain_order="left")

        return apply

"""Pairs that nearly repeat an earlier one, and rows of one file that stand in another: what near texts add up to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

import polars as pl

from prefaudit.core import Apply, Parts

PAIR = pl.Struct({"group": pl.Int64, "row": pl.Int64, "swapped": pl.Boolean, "jaccard": pl.List(pl.Float64)})
LEAK = pl.Struct({"held_out": pl.Boolean, "file": pl.String, "row": pl.Int64, "prompt": pl.Float64,
                  "answer": pl.Float64})  # fmt: skip

HELD_OUT = {
    **dict.fromkeys(("validation", "valid", "val", "dev", "development", "heldout", "holdout"), 1),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "benchmark"), 2),
}
"""Words in the name of a file or of its folder that say it is for evaluation; the higher, the farther from training."""

TRAIN = {"train", "training", "sft", "dpo", "rm"}
_SHARD = re.compile(r"([-_.]?(part|shard|chunk))?[-_.]?\d+([-_]of[-_]\d+)?$", re.IGNORECASE)
COMMON = 5  # an answer under more different prompts is boilerplate and leaks nothing


@dataclass(frozen=True)
class Repeats:
    """`near_pair`: an earlier pair that is this one but for some words; `leak`: what stands in another file too.

    `near_pair`: prompts, and answers, that are equal or linked by a Jaccard of .7 and more (`near_prompt.group`,
    `near_chosen.group`) are taken as one; pairs with one prompt and the same two answers, whichever was chosen, are a
    group. `row` is its first pair, `swapped` says that the label is the other way round there, and `jaccard` is the
    least of what the three texts share with the ones they are most like, 1 where they are equal to those of `row`.

    `leak`: files are brought together as splits by their names (`train-00000-of-00004.parquet` is `train`). A row is
    told where its prompt, or one of its answers, also stands in a split before its own, training first, then others in
    reading order, then validation, then test; `held_out` says that the row's own split is for evaluation. `prompt` and
    `answer` are 1 where it stands there to the letter (prompts: but for case and punctuation), else the Jaccard of
    pairs of words with the text that is most like it.
    """

    name: ClassVar[str] = "repeats"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ("groups", "duplicates", "near")

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Two structs, null where there is nothing to tell; `leak` is null in all rows where there is one split."""
        return {"near_pair": PAIR, "leak": LEAK}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """The rows that have something told: row, near_pair, leak. Without a second split `leak` is null."""
        hashes, near = ["hash_chosen", "hash_rejected"], ["near_prompt", "near_chosen", "near_rejected"]
        frames = [_classes(part) for part in parts(["row", "file", *hashes, *near, "c", "r"])]
        if not frames:
            return pl.DataFrame(schema={"row": pl.Int64, **self.columns})
        rows = pl.concat(frames)
        return _pairs(rows).join(_leaks(rows), on="row", how="full", coalesce=True).sort("row")

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("repeats are looked up in what fit returned")
        return lambda frame: frame.select("row").join(state, on="row", how="left", maintain_order="left")


def split_of(file: str) -> tuple[int, str]:
    """How far from training a file is (0 training, 1 unknown, 2 validation, 3 test), and the name of its split."""
    path = PurePath(file)
    stem = path.name.split(".")[0]
    for part in (stem, *path.parts[:-1][::-1][:2]):
        words = [w for w in re.split(r"[^a-z]+", part.lower()) if w]
        for word in words:
            if word in HELD_OUT:
                return HELD_OUT[word] + 1, word
        if TRAIN.intersection(words):
            return 0, "train"
    return 1, f"{path.parent}/{_SHARD.sub('', stem)}"


def _classes(part: pl.DataFrame) -> pl.DataFrame:
    """One key for each prompt and answer: the number of its near group, else the first row with it or its hash."""
    out = {"row": pl.col("row"), "file": pl.col("file")}
    for name, near, first in (
        ("p", "near_prompt", pl.col("near_prompt").struct.field("first_row").cast(pl.UInt64) + (1 << 40)),
        ("c", "near_chosen", pl.col("hash_chosen")),
        ("r", "near_rejected", pl.col("hash_rejected")),
    ):
        group, like = pl.col(near).struct.field("group"), pl.col(near).struct.field("jaccard")
        out |= {name: pl.coalesce(group.cast(pl.UInt64), first), f"{name}_first": first, f"{name}_like": like}
    for side in "cr":
        out[f"{side}_prompts"] = pl.col(side).struct.field("prompts")
    return part.select(**out)


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """`row` and `near_pair` of the rows that share prompt and answers with an earlier one; of equal ones too."""
    some = rows.filter(pl.all_horizontal(pl.col("p", "c", "r").is_not_null()))
    some = some.with_columns(low=pl.min_horizontal("c", "r"), high=pl.max_horizontal("c", "r"))
    same = ["p", "low", "high"]
    some = some.filter(pl.len().over(same) > 1).sort("row")
    first = {name: pl.col(name).first().over(same) for name in ("row", "c", "p_first", "c_first", "r_first")}
    turned = first["c"] != pl.col("c")
    like = []
    for name in "pcr":
        other = pl.when(turned).then(first["r_first"] if name == "c" else first["c_first"]).otherwise(
            first[f"{name}_first"]) if name != "p" else first["p_first"]  # fmt: skip
        equal = pl.lit([1.0, 1.0, 1.0])
        like.append(pl.when(pl.col(f"{name}_first") == other).then(equal).otherwise(f"{name}_like"))
    least = pl.concat_list(
        [pl.min_horizontal([x.list.get(k, null_on_oob=True).fill_null(1.0) for x in like]) for k in range(3)]
    )
    told = some.with_columns(first_row=first["row"], swapped=turned, jaccard=least)
    group = pl.col("first_row").rank("dense").cast(pl.Int64) - 1
    pair = pl.struct(group=group, row="first_row", swapped="swapped", jaccard="jaccard").cast(PAIR)
    return told.select("row", near_pair=pair)


def _leaks(rows: pl.DataFrame) -> pl.DataFrame:
    """`row` and `leak`; of every row, once there are two splits, with nulls in it where nothing leaks."""
    files = rows["file"].unique(maintain_order=True).to_list()
    folders = [f"{PurePath(file).parent}/" for file in files]
    common = os.path.commonprefix(folders).rpartition("/")[0] if len(files) > 1 else ""  # noqa: RUF071 cut at a slash
    named = [split_of(file.removeprefix(common).lstrip("/")) for file in files]  # the folder of all says nothing
    order = {name: k for k, name in enumerate(sorted(dict.fromkeys(named), key=lambda n: n[0]))}
    if len(order) < 2:
        return pl.DataFrame(schema={"row": pl.Int64, "leak": LEAK})
    ranks = pl.Series([order[name] for name in named], dtype=pl.Int64)
    held = pl.Series([name[0] >= 2 for name in named])
    rows = rows.with_columns(
        rank=pl.col("file").replace_strict(files, ranks, return_dtype=pl.Int64),
        held_out=pl.col("file").replace_strict(files, held, return_dtype=pl.Boolean),
    )
    prompt = _earlier(rows.select("row", "file", "rank", key="p", first="p_first", like="p_like"))
    answers = []
    for side in "cr":
        one = rows.filter(pl.col(f"{side}_prompts") <= COMMON)
        answers.append(one.select("row", "file", "rank", key=side, first=f"{side}_first", like=f"{side}_like"))
    answer = _earlier(pl.concat(answers)).sort("row", "value", descending=[False, True], maintain_order=True)
    answer = answer.unique("row", keep="first", maintain_order=True)
    told = (
        rows.select("row", "held_out")
        .join(prompt, on="row", how="left")
        .join(answer, on="row", how="left", suffix="_a")
    )
    at = pl.col("value").is_not_null() & (pl.col("value") >= pl.col("value_a").fill_null(0))
    leak = pl.struct(
        held_out="held_out",
        file=pl.when(at).then("where").otherwise("where_a"), row=pl.when(at).then("other").otherwise("other_a"),
        prompt="value", answer="value_a")  # fmt: skip
    return told.select("row", leak=leak.cast(LEAK))


def _earlier(texts: pl.DataFrame) -> pl.DataFrame:
    """Rows whose text, or one near it, stands in an earlier split: row, other (the row there), where, value."""
    texts = texts.filter(pl.col("key").is_not_null())
    found = []
    for by, value in (("first", pl.lit(1.0)), ("key", pl.col("like").list.get(1, null_on_oob=True))):
        # The first row of the earliest split; sorting once makes both the first of its group.
        base = texts.sort("rank", "row").group_by(by, maintain_order=True).agg(
            least=pl.col("rank").first(), other=pl.col("row").first(), where=pl.col("file").first())  # fmt: skip
        hit = texts.join(base, on=by, maintain_order="left").filter(pl.col("rank") > pl.col("least"))
        found.append(hit.select("row", "other", "where", value=value.cast(pl.Float64)))
    return pl.concat(found).unique("row", keep="first", maintain_order=True)

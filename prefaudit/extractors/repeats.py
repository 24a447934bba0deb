"""Pairs that nearly repeat an earlier one, and rows of one file that stand in another: what near texts add up to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors._near import ALIKE, GRAMS, Fetch, compared
from prefaudit.extractors._sketch import Ints
from prefaudit.extractors.groups import read_prompts
from prefaudit.extractors.near import read_answers
from prefaudit.store.spill import Column, repeated

PAIR = pl.Struct({"group": pl.Int64, "row": pl.Int64, "swapped": pl.Boolean, "jaccard": pl.List(pl.Float64)})
LEAK = pl.Struct({"held_out": pl.Boolean, "file": pl.String, "row": pl.Int64, "prompt": pl.Float64,
                  "answer": pl.Float64})  # fmt: skip

HELD_OUT = {
    **dict.fromkeys(("validation", "valid", "val", "dev", "development", "heldout", "holdout"), 1),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "benchmark"), 2),
}
"""Words in the name of a file or of its folder that say it is for evaluation; the higher, the farther from training."""

TRAIN = {"train", "training", "sft", "dpo", "rm"}
LEAKS = ("near_prompt", "near_chosen", "near_rejected", "c.prompts", "r.prompts")
_SHARD = re.compile(r"([-_.]?(part|shard|chunk))?[-_.]?\d+([-_]of[-_]\d+)?$", re.IGNORECASE)
NEIGHBOURS = 8  # of a class of pairs the first and the latest that a pair is compared with
COMMON = 5  # an answer under more different prompts is boilerplate and leaks nothing


@dataclass(frozen=True)
class Repeats:
    """`near_pair`: an earlier pair that is this one but for some words; `leak`: what stands in another file too.

    `near_pair`: among pairs whose prompts, and answers, are equal or linked by a Jaccard of .7 and more
    (`near_prompt.group`, `near_chosen.group`), whichever was chosen, `row` is the earliest pair whose three texts each
    have a Jaccard of .7 and more with those of this one, counted out on the texts (or its own number, where others are
    like it alone); `jaccard` is the least of the three, 1 where all are equal; `swapped` says that the label is the
    other way round there. Pairs so linked are a `group`.

    `leak`: files are brought together as splits by their names (`train-00000-of-00004.parquet` is `train`). A row is
    told where its prompt, or one of its answers, also stands in a split before its own, training first, then others in
    reading order, then validation, then test; `held_out` says that the row's own split is for evaluation. `prompt` and
    `answer` are 1 where it stands there to the letter (prompts: but for case and punctuation), else the Jaccard of
    pairs of words with the text that is most like it.
    """

    name: ClassVar[str] = "repeats"
    version: ClassVar[int] = 3
    learns: ClassVar[bool] = True
    looks_up: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ("groups", "duplicates", "near")

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Two structs, null where there is nothing to tell; `leak` is null in all rows where there is one split."""
        return {"near_pair": PAIR, "leak": LEAK}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """The rows that have something told: row, near_pair, leak. Without a second split `leak` is null."""
        own = ["row", "file", "hash_chosen", "hash_rejected"]
        columns = [*own, "near_prompt.first_row", "near_prompt.group", "near_chosen.group", "near_rejected.group"]
        key, files, at = Column(np.uint64), dict[str, None](), 0
        for part in parts(columns):
            files |= dict.fromkeys(part["file"].unique(maintain_order=True))
            same = pl.struct("p", pl.min_horizontal("c", "r"), pl.max_horizontal("c", "r").alias("r")).hash(0)
            known = pl.all_horizontal(pl.col("p", "c", "r").is_not_null())
            key.add(_classes(part).select(pl.when(known).then(same).otherwise(0)).to_series().to_numpy())
        if not files:
            return pl.DataFrame(schema={"row": pl.Int64, **self.columns})
        again, some = repeated(key), []
        for part in parts(columns):
            here = pl.Series(again[at : at + part.height])
            some.append(_classes(part).with_row_index("at", at).filter(here))
            at += part.height
        leaks = _leaks((_classes(part) for part in parts([*own, *LEAKS])), list(files))
        return _pairs(pl.concat(some), parts).join(leaks, on="row", how="full", coalesce=True).sort("row")

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("repeats are looked up in what fit returned")
        row = state["row"].to_numpy()

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            here = frame["row"].to_numpy()
            at, end = np.searchsorted(row, [here[0], here[-1] + 1]).tolist() if len(here) else (0, 0)
            own = state[at:end]  # of all, every part would look through what all parts have
            return frame.select("row").join(own, on="row", how="left", maintain_order="left")

        return apply


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
    """One key for each prompt and answer: the number of its near group, else the first row with it or its hash.

    With the columns LEAKS also how like the other text is, and under how many prompts an answer stands.
    """
    out = {"row": pl.col("row"), "file": pl.col("file")}
    for name, near, first in (
        ("p", "near_prompt", pl.col("near_prompt").struct.field("first_row").cast(pl.UInt64) + (1 << 40)),
        ("c", "near_chosen", pl.col("hash_chosen")),
        ("r", "near_rejected", pl.col("hash_rejected")),
    ):
        group = pl.col(near).struct.field("group").cast(pl.UInt64)
        out |= {name: pl.coalesce(group, first), f"{name}_first": first}
        if "c" in part.columns:
            out[f"{name}_like"] = pl.col(near).struct.field("jaccard")
    for side in "cr" if "c" in part.columns else "":
        out[f"{side}_prompts"] = pl.col(side).struct.field("prompts")
    return part.select(**out)


def _pairs(some: pl.DataFrame, parts: Parts) -> pl.DataFrame:
    """`row` and `near_pair` of the rows that an earlier one is like, and of those earlier ones.

    Args:
        some: `_classes` of the rows whose three keys may be another one's too, with their positions (`at`).
        parts: of the texts.
    """
    turn = pl.col("c_first") > pl.col("r_first")  # equal texts, whichever was chosen, are compared once
    some = some.with_columns(low=pl.min_horizontal("c", "r"), high=pl.max_horizontal("c", "r"), turn=turn)
    some = some.with_columns(a=pl.min_horizontal("c_first", "r_first"), b=pl.max_horizontal("c_first", "r_first"))
    same, texts = ["p", "low", "high"], ["p_first", "a", "b"]
    some = some.filter(pl.len().over(same) > 1).sort("row")
    one = some.unique(texts, keep="first", maintain_order=True)
    own = one.select(*texts, like="row", like_turn="turn")
    told = some.join(own, on=texts, how="left", maintain_order="left")
    near = _nearest(one, same, parts)
    told = told.join(near, on="row", how="left", maintain_order="left")
    equal = pl.col("like") != pl.col("row")
    told = told.with_columns(
        to=pl.when(equal).then("like").otherwise(pl.col("other").fill_null(pl.col("row"))),
        swapped=pl.when(equal)
        .then(pl.col("turn") != pl.col("like_turn"))
        .otherwise(pl.col("swapped").fill_null(False)),
        jaccard=pl.when(equal | pl.col("jaccard").is_null()).then(pl.lit([1.0, 1.0, 1.0])).otherwise("jaccard"),
    )
    group = _roots(told["row"].to_numpy(), told["to"].to_numpy())
    told = told.with_columns(group=pl.Series(group)).filter(pl.len().over("group") > 1)
    pair = pl.struct(group=pl.col("group").rank("dense").cast(pl.Int64) - 1, row="to", swapped="swapped",
                     jaccard="jaccard").cast(PAIR)  # fmt: skip
    return told.select("row", near_pair=pair)


def _nearest(one: pl.DataFrame, same: list[str], parts: Parts) -> pl.DataFrame:
    """Rows whose three texts have .7 and more with those of an earlier one: `row`, `other`, `swapped`, `jaccard`.

    Rows of one class are linked through others, so each is compared with the texts of rows before it in its class: the
    first and the latest `NEIGHBOURS`. The first of those it is like is taken.
    """
    one = one.with_row_index("n").sort(*same, "row", maintain_order=True)
    place = one.select(pl.int_range(pl.len()).over(same)).to_series().to_numpy()
    here = np.arange(one.height)
    pairs = [np.zeros((0, 2), np.int64)]
    for step in range(NEIGHBOURS):
        for at, other in ((place > step, here - place + step), (place > NEIGHBOURS + step, here - 1 - step)):
            pairs.append(np.stack([here[at], other[at]], 1))
    edge = np.concatenate(pairs)
    left, right = (one[edge[:, k]] for k in (0, 1))
    swapped = (left["c"] != right["c"]).to_numpy()
    least = np.minimum(_shared(left["at"].to_numpy(), right["at"].to_numpy(), left["p_first"] == right["p_first"],
                               lambda places: read_prompts(parts, places)), 1)  # fmt: skip
    for side, name in enumerate("cr"):
        other = np.where(swapped, 1 - side, side)
        hashes = right.select(pl.when(pl.Series(other == 0)).then("c_first").otherwise("r_first")).to_series()
        least = np.minimum(least, _shared(
            2 * left["at"].to_numpy().astype(np.int64) + side, 2 * right["at"].to_numpy().astype(np.int64) + other,
            left[f"{name}_first"] == hashes, lambda places: read_answers(parts, places)))  # fmt: skip
    # 7 of 10 as a float of 32 bits is under .7 as one of 64, which a rule asks for
    value = pl.Series(least.astype(np.float64).round(6), dtype=pl.Array(pl.Float64, len(GRAMS))).arr.to_list()
    found = pl.DataFrame({"row": left["row"], "other": right["row"], "swapped": swapped, "jaccard": value})
    found = found.filter(pl.Series(least[:, GRAMS.index(2)] >= np.float32(ALIKE)))
    return found.sort("row", "other").unique("row", keep="first", maintain_order=True)


def _shared(left: Ints, right: Ints, equal: pl.Series, fetch: Fetch) -> NDArray[np.float32]:
    """The Jaccards of e pairs of texts at these places (e, 3): 1 where equal, 0 under .5."""
    out = np.zeros((len(left), len(GRAMS)), np.float32)
    same = equal.to_numpy()
    out[same] = 1
    a, b = np.minimum(left, right)[~same].astype(np.int64), np.maximum(left, right)[~same].astype(np.int64)
    if len(a):
        places, number = np.unique(np.concatenate([a, b]), return_inverse=True)
        number = number.reshape(2, -1)
        wanted, back = np.unique(number[0] * len(places) + number[1], return_inverse=True)
        near = compared(wanted // len(places), wanted % len(places), lambda some: fetch(places[some]))
        value = np.zeros((len(wanted), len(GRAMS)), np.float32)
        value[np.searchsorted(wanted, near.left * len(places) + near.right)] = near.jaccard
        out[~same] = value[back.reshape(-1)]
    return out


def _roots(row: Ints, to: Ints) -> Ints:
    """The first row of the chain that each row's link to an earlier one begins."""
    at = np.searchsorted(row, to)
    while not np.array_equal(at[at], at):
        at = at[at]
    return np.asarray(row[at])


def _leaks(frames: Iterator[pl.DataFrame], files: Sequence[str]) -> pl.DataFrame:
    """`row` and `leak`; of every row, once there are two splits, with nulls in it where nothing leaks.

    Args:
        frames: `_classes` of all rows; read only then, and held: some 120 bytes a row.
        files: their names, in reading order.
    """
    folders = [f"{PurePath(file).parent}/" for file in files]
    common = os.path.commonprefix(folders).rpartition("/")[0] if len(files) > 1 else ""  # noqa: RUF071 cut at a slash
    named = [split_of(file.removeprefix(common).lstrip("/")) for file in files]  # the folder of all says nothing
    order = {name: k for k, name in enumerate(sorted(dict.fromkeys(named), key=lambda n: n[0]))}
    if len(order) < 2:
        return pl.DataFrame(schema={"row": pl.Int64, "leak": LEAK})
    ranks = pl.Series([order[name] for name in named], dtype=pl.Int64)
    held = pl.Series([name[0] >= 2 for name in named])
    likes = [pl.col(f"{name}_like").list.get(1, null_on_oob=True) for name in "pcr"]
    kind = pl.Enum(files)
    rows = pl.concat([frame.with_columns(*likes, pl.col("file").cast(kind)) for frame in frames])
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
    for by, value in (("first", pl.lit(1.0)), ("key", pl.col("like"))):
        # The first row of the earliest split; sorting once makes both the first of its group.
        base = texts.sort("rank", "row").group_by(by, maintain_order=True).agg(
            least=pl.col("rank").first(), other=pl.col("row").first(), where=pl.col("file").first())  # fmt: skip
        hit = texts.join(base, on=by, maintain_order="left").filter(pl.col("rank") > pl.col("least"))
        found.append(hit.select("row", "other", "where", value=value.cast(pl.Float64)))
    return pl.concat(found).unique("row", keep="first", maintain_order=True)

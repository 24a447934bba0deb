"""Pairs and answers that stand in the data more than once, pairs labelled both ways, preferences in a circle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors._cycles import CYCLE, cycles
from prefaudit.extractors._normal import normal_keys, said

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]

KINDS = pl.Struct({"group": pl.Int64, "kind": pl.String, "repeats": pl.Int64})
ANSWER = pl.Struct({"first_row": pl.Int64, "prompts": pl.Int64})
ANSWERS = {"hash": pl.UInt64, "key": pl.UInt64}
SIDES = {"c": "hash_chosen", "r": "hash_rejected"}


@dataclass(frozen=True)
class Duplicates:
    """`dup`: the same prompt with the same two answers, more than once; `conflict`: labelled both ways; `cycle`.

    Pairs with the same prompt and the same two answers, whichever was chosen and after normalisation of case,
    whitespace and punctuation, are one duplicate group. A pair's kind is the nearest way in which it repeats another
    one of its group: exact (the same texts, the same one chosen), swapped (the same texts, the other one chosen),
    normalised. Where labels of a group say both, its labelled pairs are a conflict beside that; ties are not part of
    it. Two answers that are the same after normalisation are told apart by their texts as they stand. Three and more
    answers to one prompt that are preferred in a circle are a `cycle` (see `_cycles`). Found by keys of 64 bits; only
    the texts of prompts that stand in the data more than once are read.

    Of either answer, `first_row` is the first pair in which this very text stands, on whichever side, and `prompts`
    the number of different prompts under which it does.
    """

    name: ClassVar[str] = "duplicates"
    version: ClassVar[int] = 4
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("hash_chosen", "hash_rejected")
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Structs and an id, null where the pair stands alone; two fields of either answer."""
        return {"dup": KINDS, "conflict": pl.Int64(), "cycle": CYCLE, "c": ANSWER, "r": ANSWER}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """What is said of the rows that repeat or contradict another, or have an answer that stands elsewhere too."""
        rows = _rows(parts)
        keys = _keys(rows, parts)
        low, high = pl.min_horizontal("nc", "nr"), pl.max_horizontal("nc", "nr")
        alike = pl.col("nc") == pl.col("nr")  # but for form: which of the two was chosen, only the very texts tell
        first = pl.when(alike).then(pl.col("hc") < pl.col("hr")).otherwise(pl.col("nc") < pl.col("nr"))
        pairs = keys.with_columns(
            low=low,
            high=high,
            form=pl.when(alike).then(pl.col("hc") ^ pl.col("hr")).otherwise(0),
            way=pl.when((pl.col("label") != "chosen") | (pl.col("hc") == pl.col("hr")))
            .then(0)
            .otherwise(pl.when(first).then(1).otherwise(-1)),
        )
        votes = pairs.filter((pl.col("way") != 0) & (pl.col("low") != pl.col("high")))
        circle = cycles(votes.select("row", "np", "low", "high", "way"))
        same = ["np", "low", "high"]
        pairs = pairs.filter(pl.len().over(same) > 1)
        clash = (pl.col("way").max().over(*same, "form") > 0) & (pl.col("way").min().over(*same, "form") < 0)
        pairs = pairs.with_columns(clash=clash, first=pl.col("row").min().over(same))
        both = pl.col("clash") | (pl.col("low") != pl.col("high"))
        found = _named(pairs.with_columns(pl.when(both).then(pl.col("form", "way")).otherwise(0)))
        for more in (circle, _elsewhere(rows)):
            found = found.join(more, on="row", how="full", coalesce=True)
        return found.sort("row")

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("duplicates are looked up in what fit returned")

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            told = frame.join(state, on="row", how="left", maintain_order="left")
            sides = []
            for side, text in SIDES.items():
                answer = pl.struct(
                    pl.col(side).struct.field("first_row").fill_null(pl.col("row")),
                    pl.col(side).struct.field("prompts").fill_null(1),
                )
                none = pl.struct(*(pl.lit(None, f.dtype).alias(f.name) for f in ANSWER.fields))
                sides.append(pl.when(pl.col(text).is_not_null()).then(answer).otherwise(none).cast(ANSWER).alias(side))
            return told.select("row", "dup", "conflict", "cycle", *sides)

        return apply


def _elsewhere(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with an answer that stands in the data more than once: row, c, r (ANSWER, null where it does not)."""
    sides = {"c": "hc", "r": "hr"}
    both = pl.concat([rows.select("row", "hp", hash=name) for name in sides.values()]).drop_nulls("hash")
    repeated = both.filter(pl.col("hash").is_duplicated())
    known = repeated.group_by("hash").agg(first_row=pl.col("row").min(), prompts=pl.col("hp").n_unique())
    told = known.select("hash", answer=pl.struct("first_row", "prompts").cast(ANSWER))
    found = rows.select("row", *sides.values())
    for side, name in sides.items():
        found = found.join(told.rename({"answer": side}), left_on=name, right_on="hash", how="left")
    return found.filter(pl.col("c").is_not_null() | pl.col("r").is_not_null()).select("row", *sides)


def _named(pairs: pl.DataFrame) -> pl.DataFrame:
    """Ids in the order of first rows, and kinds."""
    same = ["hp", pl.min_horizontal("hc", "hr"), pl.max_horizontal("hc", "hr")]
    kind = (
        pl.when(pl.len().over("hp", "hc", "hr") > 1)
        .then(pl.lit("exact"))
        .when(pl.len().over(same) > 1)
        .then(pl.lit("swapped"))
        .otherwise(pl.lit("normalised"))
    )
    # What repeats an earlier row: the same label by the same annotator; another one's vote is evidence of its own.
    earliest = pl.col("row").min().over("np", "low", "high", "form", "way", "label", "annotator")
    ahead = pl.col("row").min().over("np", "low", "high", "form")
    clashing = pl.when(pl.col("clash") & (pl.col("way") != 0)).then(ahead)
    group = pl.col("first").rank("dense").cast(pl.Int64) - 1
    repeats = pl.when(pl.col("row") > earliest).then(earliest)
    return pairs.select(
        "row",
        dup=pl.struct(group=group, kind=kind, repeats=repeats).cast(KINDS),
        conflict=clashing.rank("dense").cast(pl.Int64) - 1,
    )


def _rows(parts: Parts) -> pl.DataFrame:
    """All rows: row, label, annotator, content hashes (hp, hc, hr) and the key of the normalised prompt (np)."""
    columns = {"row": pl.Int64, "label": pl.String, "annotator": pl.String}
    frames = [pl.DataFrame(schema={**columns, **dict.fromkeys(("hp", "hc", "hr", "np"), pl.UInt64)})]
    for part in parts(["row", "label", "annotator", "prompt", "hash_prompt", "hash_chosen", "hash_rejected"]):
        hashed = part["hash_prompt"].fill_null(0).to_numpy()
        distinct, first, back = np.unique(hashed, return_index=True, return_inverse=True)
        key, _ = normal_keys(said(part["prompt"].gather(first)))
        key = np.where(key == 0, distinct, key)[back.reshape(-1)]
        frames.append(
            part.select(
                "row", "label", "annotator", hp="hash_prompt", hc="hash_chosen", hr="hash_rejected"
            ).with_columns(np=pl.Series(key))
        )
    return pl.concat(frames)


def _keys(rows: pl.DataFrame, parts: Parts) -> pl.DataFrame:
    """Rows with both answers whose prompt repeats, with the keys of the normalised answers (nc, nr) beside them."""
    again = pl.col("np").is_duplicated() & pl.col("hc").is_not_null() & pl.col("hr").is_not_null()
    repeated = rows.select(again).to_series().to_numpy()
    answers = _answers(rows, repeated, parts) if repeated.any() else pl.DataFrame(schema=ANSWERS)
    kept = rows.filter(pl.Series(repeated))
    for side in ("c", "r"):
        kept = kept.join(
            answers.rename({"hash": f"h{side}", "key": f"n{side}"}), on=f"h{side}", how="left", maintain_order="left"
        )
    return kept


def _answers(rows: pl.DataFrame, repeated: NDArray[np.bool_], parts: Parts) -> pl.DataFrame:
    """Content hash and normalised key of every distinct answer of the rows; each is read once."""
    found: list[pl.DataFrame] = []
    done = pl.Series("hash", [], dtype=pl.UInt64)
    at = 0
    for part in parts(["chosen", "rejected"]):
        here = rows.slice(at, part.height).with_columns(part).filter(pl.Series(repeated[at : at + part.height]))
        at += part.height
        texts = pl.concat([here.select(hash="hc", text="chosen"), here.select(hash="hr", text="rejected")]).unique(
            "hash", keep="first", maintain_order=True
        )
        texts = texts.join(done.to_frame(), on="hash", how="anti", maintain_order="left")
        if texts.height:
            key, _ = normal_keys(texts["text"])
            key = np.where(key == 0, texts["hash"].to_numpy(), key)  # nothing but marks: equal only as it stands
            found.append(texts.select("hash").with_columns(key=pl.Series(key)))
            done = pl.concat([done, texts["hash"]])
    return pl.concat(found)

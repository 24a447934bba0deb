"""Pairs that stand in the data more than once, and pairs that label the same two answers both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors._normal import normal_keys, said

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]

KINDS = pl.Struct({"group": pl.Int64, "kind": pl.String, "repeats": pl.Int64})


@dataclass(frozen=True)
class Duplicates:
    """`dup`: the same prompt with the same two answers, more than once; `conflict`: labelled both ways.

    Pairs with the same prompt and the same two answers, whichever was chosen and after normalisation of case,
    whitespace and punctuation, are one duplicate group. A pair's kind is the nearest way in which it repeats another
    one of its group: exact (the same texts, the same one chosen), swapped (the same texts, the other one chosen),
    normalised. Where labels of a group say both, its labelled pairs are a conflict beside that; ties are not part of
    it. Found by keys of 64 bits; only the texts of prompts that stand in the data more than once are read.
    """

    name: ClassVar[str] = "duplicates"
    version: ClassVar[int] = 2
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """A struct and an id, null where the pair stands alone."""
        return {"dup": KINDS, "conflict": pl.Int64()}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """The rows that repeat or contradict another: row, group, kind, conflict."""
        keys = _keys(parts)
        if keys.is_empty():
            return _empty()
        low, high = pl.min_horizontal("nc", "nr"), pl.max_horizontal("nc", "nr")
        pairs = keys.with_columns(
            low=low,
            high=high,
            way=pl.when((pl.col("label") != "chosen") | (pl.col("nc") == pl.col("nr")))
            .then(0)
            .otherwise(pl.when(pl.col("nc") < pl.col("nr")).then(1).otherwise(-1)),
        )
        same = ["np", "low", "high"]
        pairs = pairs.filter(pl.len().over(same) > 1)
        if pairs.is_empty():
            return _empty()
        clash = (pl.col("way").max().over(same) > 0) & (pl.col("way").min().over(same) < 0)
        return _named(pairs.with_columns(clash=clash, first=pl.col("row").min().over(same)))

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("duplicates are looked up in what fit returned")
        known = state.with_columns(
            dup=pl.when(pl.col("group").is_not_null()).then(pl.struct("group", "kind", "repeats")).cast(KINDS)
        ).select("row", "dup", "conflict")

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            return frame.select("row").join(known, on="row", how="left", maintain_order="left")

        return apply


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.Int64, **{f.name: f.dtype for f in KINDS.fields}, "conflict": pl.Int64})


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
    earliest = pl.col("row").min().over("np", "low", "high", "way", "label", "annotator")
    clashing = pl.when(pl.col("clash") & (pl.col("way") != 0)).then(pl.col("first"))
    return pairs.select(
        "row",
        group=pl.col("first").rank("dense").cast(pl.Int64) - 1,
        kind=kind,
        repeats=pl.when(pl.col("row") > earliest).then(earliest),
        conflict=clashing.rank("dense").cast(pl.Int64) - 1,
    ).sort("row")


def _keys(parts: Parts) -> pl.DataFrame:
    """Rows whose prompt repeats: row, label, content hashes (hp, hc, hr) and normalised keys (np, nc, nr)."""
    frames = []
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
    if not frames:
        return pl.DataFrame()
    rows = pl.concat(frames)
    order = rows["np"].to_numpy()
    _, back, count = np.unique(order, return_inverse=True, return_counts=True)
    repeated = (count[back.reshape(-1)] > 1) & rows["hc"].is_not_null().to_numpy() & rows["hr"].is_not_null().to_numpy()
    if not repeated.any():
        return pl.DataFrame()
    answers = _answers(rows, repeated, parts)
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

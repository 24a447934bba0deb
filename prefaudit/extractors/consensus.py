"""`consensus`: how far the rest of this dataset predicts each label. Not evidence. See docs/strength.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors._asks import properties
from prefaudit.extractors._vectors import axes, differences
from prefaudit.extractors._words import Words, fitted
from prefaudit.stats.heads import FOLDS, Heads, View, cross_fit, scored
from prefaudit.stats.interaction import prompt_gain
from prefaudit.stats.sample import place
from prefaudit.store.spill import Column

CONSENSUS = pl.Struct({"mean": pl.Float64()})
SAMPLE = 5_000  # pairs on which the heads are fitted
MEASURED = 50_000  # pairs that are measured where nobody asked: of fewer none, of more a seeded sample
KNOTS = (0.1, 0.3, 0.7, 1.5)  # of the log-ratio of lengths, where the curve may bend
CROSSED = 8  # measured differences that are looked at together with the prompt
DIGITS = 6
SIDES = ("c", "r")
NO_FEATURE = {"language"}
TEXTS = ["chosen", "rejected"]


@dataclass(frozen=True)
class Consensus:
    """`consensus.mean`: log-odds for the label by heads that saw neither the pair nor any pair of its group.

    Views: a curve of length; length and every number that the text extractors measure; hashed words and pairs of
    words; the difference of the answers' vectors where the scan has an embedder. Each is a Bradley-Terry head on chosen
    minus rejected, weighted by what it is worth on rows it did not see (`stats.heads`). There is no spread and no
    agreement: heads of the same data differ by chance alone.

    Null for a reply without another side, outside the sample, and for all pairs where fewer than 40 groups would train
    a head.

    Attributes:
        vectors: whether the scan has an embedder.
        sampled: nobody asked for it: it is measured from 50,000 pairs on, of a seeded sample of about so many in whole
            groups.
        share: of the groups in that sample, once the number of pairs is known.
    """

    vectors: bool = False
    sampled: bool = False
    share: float = 1.0

    name: ClassVar[str] = "consensus"
    version: ClassVar[int] = 5
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("chosen", "rejected", "label")
    needs: ClassVar[tuple[str, ...]] = ("text", "style", "refusal", "sycophancy", "groups")

    def __post_init__(self) -> None:
        """Note whose vectors there are."""
        if self.vectors:
            object.__setattr__(self, "needs", (*type(self).needs, "embed"))

    def settled(self, pairs: int) -> Consensus | None:
        """How large the sample is; None where it is not measured."""
        if not self.sampled:
            return self
        # of as many decimals as the report holds, by which a finished audit is opened again
        return None if pairs < MEASURED else replace(self, share=round(MEASURED / pairs, 6))

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct."""
        return {"consensus": CONSENSUS}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """A row for each fold and view: `weight`, `share` of the score, `coefficients`; and one for the words."""
        drawn = _drawn(parts, seed)
        more = ["embedding"] if self.vectors else []
        frame = pl.concat([
            _own(f[np.flatnonzero(np.isin(f["row"].to_numpy(), drawn, assume_unique=True))])
            for f in parts(["row", "group", "label", "prompt", *TEXTS, *SIDES, *more])
        ])  # fmt: skip
        fields, scale, words, heads, views = [], np.zeros(0), None, [], {}
        if frame.height:
            fields = _fields(frame)
            difference = _differences(frame, fields)
            scale = np.sqrt((difference**2).mean(0))
            words, lexical = fitted(frame["chosen"], frame["rejected"])
            views = {**_dense(frame, fields, scale), "words": lexical}
            y = np.where(frame["label"] == "chosen", 1.0, 0.5)
            group = frame["group"].to_numpy()
            moved = differences(frame["embedding"]) if self.vectors else None
            heads = _fitted(views, moved, y, fold_of(group, seed), group)
        trained = frame.height if heads else 0
        gain = _gain(frame, heads, views, y, fold_of(group, seed), seed) if heads else None
        said = json.dumps({"fields": fields, "scale": scale.tolist(), "seed": seed, "trained": trained, "prompt": gain})
        rows: list[dict[str, Any]] = [{"fold": -1, "view": said, "weight": float(trained),
                                       "coefficients": b"" if words is None else _packed(words)}]  # fmt: skip
        for k, head in enumerate(heads):
            size = {name: w * _size(scored(views[name], head.coefficients[name])) for name, w in head.weights.items()}
            for name, weight in head.weights.items():
                held = head.coefficients[name].astype(np.float64).tobytes()
                share = size[name] / max(sum(size.values()), 1e-12)
                rows.append({"fold": k, "view": name, "weight": weight, "share": share, "coefficients": held})
        schema: dict[str, Any] = {"fold": pl.Int8, "view": pl.String, "weight": pl.Float64, "share": pl.Float64,
                                  "coefficients": pl.Binary}  # fmt: skip
        return pl.DataFrame(rows, schema=schema)

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""
        if state is None:
            raise ValueError("the heads are fitted first")
        first = state.row(0, named=True)
        said = json.loads(first["view"])
        heads = heads_of(state)
        scale = np.array(said["scale"])
        words = _unpacked(first["coefficients"]) if heads else None
        lexical = np.array([h.weights["words"] * h.coefficients["words"] for h in heads], np.float32)
        dense = [Heads(h.coefficients, {n: w for n, w in h.weights.items() if n != "words"}) for h in heads]

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            score = np.full(frame.height, np.nan)
            there = (frame["chosen"].is_not_null() & frame["rejected"].is_not_null()).to_numpy()
            if self.share < 1:
                there &= place(frame["group"].to_numpy(), said["seed"]) < self.share
            known = np.flatnonzero(there)
            if words is not None and len(known):
                inside = frame if len(known) == frame.height else frame[known]
                fold = fold_of(inside["group"].to_numpy(), said["seed"])
                views = _dense(inside, said["fields"], scale)
                if self.vectors:
                    views["vectors"] = differences(inside["embedding"])
                told = words.score(inside["chosen"], inside["rejected"], lexical, fold)
                for k, one in enumerate(dense):
                    here = np.flatnonzero(fold == k)
                    told[here] += one.score({name: v[here] for name, v in views.items()})
                score[known] = told
            mean = pl.Series("mean", np.round(score, DIGITS) + 0.0).fill_nan(None)
            return frame.select("row").with_columns(mean.to_frame().to_struct("consensus"))

        return apply


def _fitted(views: dict[str, View], moved: NDArray[np.float32] | None, y: NDArray[np.float64],
            fold: NDArray[np.int8], group: NDArray[np.int64]) -> list[Heads]:  # fmt: skip
    """The heads of the views, and of the vectors that `moved`, which joins the views."""
    if moved is None:
        return cross_fit(views, y, fold, group)
    turn = axes(moved)
    heads = cross_fit({**views, "vectors": (moved @ turn).astype(np.float32)}, y, fold, group)
    for head in heads:  # as coefficients of the vectors themselves
        head.coefficients["vectors"] = turn @ head.coefficients["vectors"]
    views["vectors"] = moved
    return heads


def _gain(frame: pl.DataFrame, heads: list[Heads], views: dict[str, View], y: NDArray[np.float64],
          fold: NDArray[np.int8], seed: int) -> dict[str, Any]:  # fmt: skip
    """What the prompt adds (`stats.interaction`): to the views' scores, and to the measured differences most in use."""
    told = np.zeros((frame.height, len(views)))
    for k, head in enumerate(heads):
        here = np.flatnonzero(fold == k)
        told[here] = np.column_stack([scored(v[here], head.coefficients[name]) for name, v in views.items()])
    dense = views["text"]
    first = views["length"].shape[1]
    used = first + np.argsort(-(dense[:, first:] != 0).mean(0), kind="stable")[:CROSSED]
    differences = np.asarray(dense[:, [0, *used]], np.float64)
    return prompt_gain(heads, told, differences, properties(frame, seed), y, fold, frame["group"].to_numpy())


def _packed(words: Words) -> bytes:
    return words.bucket.astype("<i4").tobytes() + words.weight.astype("<f4").tobytes()


def _unpacked(held: bytes) -> Words:
    n = len(held) // 8
    return Words(np.frombuffer(held, "<i4", n), np.frombuffer(held, "<f4", n, 4 * n))


def _size(score: NDArray[np.float64]) -> float:
    return float(np.sqrt((score**2).mean()))


def heads_of(state: pl.DataFrame) -> list[Heads]:
    """The heads that `fit` wrote, by fold."""
    found: list[Heads] = []
    columns = ["fold", "view", "weight", "coefficients"]
    for fold, view, weight, held in state.filter(pl.col("fold") >= 0).select(columns).iter_rows():
        if fold == len(found):
            found.append(Heads({}, {}))
        found[fold].coefficients[view] = np.frombuffer(held, np.float64)
        found[fold].weights[view] = weight
    return found


def fold_of(group: NDArray[np.int64], seed: int) -> NDArray[np.int8]:
    """The fold of each pair, by its group alone, so that it is the same for those that were not drawn."""
    x = group.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return ((x ^ (x >> np.uint64(31))) % np.uint64(FOLDS)).astype(np.int8)


def _drawn(parts: Parts, seed: int) -> NDArray[np.int64]:
    """Rows of a seeded sample of pairs with two answers that differ, ascending."""
    hashes = ["hash_chosen", "hash_rejected"]
    apart = pl.all_horizontal(pl.col(hashes).is_not_null()) & (pl.col(hashes[0]) != pl.col(hashes[1]))
    rows = Column(np.int64, (f.filter(apart)["row"].to_numpy() for f in parts(["row", *hashes])))
    if len(rows) <= SAMPLE:
        return rows.read(0, len(rows))
    return rows.take(np.sort(np.random.default_rng(seed).choice(len(rows), SAMPLE, replace=False)))


def _own(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its texts copied: rows taken from a part hold on to the texts of all its rows."""
    made = pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(made, pl.DataFrame)
    return made


def _fields(frame: pl.DataFrame) -> list[str]:
    """The numbers that both sides have, in a fixed order."""
    kinds = {name: kind for name, kind in frame["c"].struct.unnest().schema.items() if name not in NO_FEATURE}
    return sorted(name for name, kind in kinds.items() if kind.is_numeric() or kind == pl.Boolean)


def _differences(frame: pl.DataFrame, fields: Sequence[str]) -> NDArray[np.float64]:
    """(n, fields) sign and log size of chosen minus rejected; 0 where not known."""
    both = [frame[s].struct.unnest().select(pl.col(fields).cast(pl.Float64)) for s in SIDES]
    d = np.column_stack([(both[0][name] - both[1][name]).fill_null(0).fill_nan(0).to_numpy() for name in fields])
    return np.asarray(np.sign(d) * np.log1p(np.abs(d)))


def _length(frame: pl.DataFrame) -> NDArray[np.float32]:
    """(n, 1 + knots) an odd curve of the log-ratio of lengths, in straight pieces."""
    chars = [frame[side].str.len_chars().cast(pl.Float64).to_numpy() for side in TEXTS]
    ratio = np.log1p(chars[0]) - np.log1p(chars[1])
    bent = [np.sign(ratio) * np.maximum(np.abs(ratio) - knot, 0) for knot in KNOTS]
    return np.column_stack([ratio, *bent]).astype(np.float32)


def _dense(frame: pl.DataFrame, fields: Sequence[str], scale: NDArray[np.float64]) -> dict[str, View]:
    length = _length(frame)
    measured = (_differences(frame, fields) / np.where(scale > 0, scale, 1)).astype(np.float32)
    return {"length": length, "text": np.column_stack([length, measured])}

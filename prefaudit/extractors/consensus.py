"""`consensus`: how far the rest of this dataset predicts each label. Not evidence. See docs/strength.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.models.lexical import Lexical
from prefaudit.stats.heads import FOLDS, Heads, View, cross_fit

CONSENSUS = pl.Struct({"mean": pl.Float64()})
SAMPLE = 8_000  # pairs on which the heads are fitted
KNOTS = (0.1, 0.3, 0.7, 1.5)  # of the log-ratio of lengths, where the curve may bend
DIGITS = 6
SIDES = ("c", "r")
NO_FEATURE = {"language"}
TEXTS = ["chosen", "rejected"]


@dataclass(frozen=True)
class Consensus:
    """`consensus.mean`: log-odds for the label by heads that saw neither the pair nor any pair of its group.

    Views: a curve of length; length and every number that the text extractors measure; weighted words and pairs of
    words. Each is a Bradley-Terry head on chosen minus rejected, weighted by what it is worth on rows it did not see
    (`stats.heads`). There is no spread and no agreement: heads of the same data differ by chance alone.

    Null for a reply without another side, and for all pairs where fewer than 40 groups would train a head.
    """

    name: ClassVar[str] = "consensus"
    version: ClassVar[int] = 3
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("chosen", "rejected", "label")
    needs: ClassVar[tuple[str, ...]] = ("text", "style", "refusal", "sycophancy", "groups")

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct."""
        return {"consensus": CONSENSUS}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """A row for each fold and view: `weight`, `share` of the score, `coefficients`; and one for the vocabulary."""
        drawn = _drawn(parts, seed)
        frame = pl.concat(
            [f.filter(pl.col("row").is_in(drawn.implode())) for f in parts(["row", "group", "label", *TEXTS, *SIDES])]
        )
        fields, scale, lexical, heads, trained = [], np.zeros(0), None, [], 0
        if frame.height:
            fields = _fields(frame)
            difference = _differences(frame, fields)
            scale = np.sqrt((difference**2).mean(0))
            lexical = _lexical(frame, seed)
            views = _views(frame, fields, scale, lexical)
            y = np.where(frame["label"] == "chosen", 1.0, 0.5)
            group = frame["group"].to_numpy()
            heads, trained = cross_fit(views, y, fold_of(group, seed), group, seed), frame.height
        said = json.dumps({"fields": fields, "scale": scale.tolist(), "seed": seed, "trained": trained})
        rows: list[dict[str, Any]] = [{"fold": -1, "view": said, "weight": float(trained),
                                       "coefficients": b"" if lexical is None else lexical.to_bytes()}]  # fmt: skip
        for k, head in enumerate(heads):
            size = {name: w * _size(views[name] @ head.coefficients[name]) for name, w in head.weights.items()}
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
        head = state.row(0, named=True)
        said = json.loads(head["view"])
        lexical = Lexical.from_bytes(head["coefficients"]) if head["coefficients"] else None
        heads = heads_of(state)
        scale = np.array(said["scale"])

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            score = np.full(frame.height, np.nan)
            known = np.flatnonzero((frame["chosen"].is_not_null() & frame["rejected"].is_not_null()).to_numpy())
            if heads and len(known):
                inside = frame[known]
                fold = fold_of(inside["group"].to_numpy(), said["seed"])
                views = _views(inside, said["fields"], scale, lexical)
                for k, one in enumerate(heads):
                    here = np.flatnonzero(fold == k)
                    if len(here):
                        score[known[here]] = one.score({name: v[here] for name, v in views.items()})
            mean = pl.Series("mean", np.round(score, DIGITS) + 0.0).fill_nan(None)
            return frame.select("row").with_columns(mean.to_frame().to_struct("consensus"))

        return apply


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


def _drawn(parts: Parts, seed: int) -> pl.Series:
    """Rows of a seeded sample of pairs with two answers that differ, ascending."""
    hashes = ["hash_chosen", "hash_rejected"]
    frames = [f.filter(pl.all_horizontal(pl.col(hashes).is_not_null()) & (pl.col(hashes[0]) != pl.col(hashes[1])))
              .get_column("row") for f in parts(["row", *hashes])]  # fmt: skip
    rows = pl.concat(frames) if frames else pl.Series("row", [], dtype=pl.Int64)
    if len(rows) <= SAMPLE:
        return rows
    drawn = np.random.default_rng(seed).choice(len(rows), SAMPLE, replace=False)
    return rows.gather(np.sort(drawn))


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


def _lexical(frame: pl.DataFrame, seed: int) -> Lexical | None:
    try:
        return Lexical.fit(frame["chosen"], frame["rejected"], seed, dim=2)
    except ValueError:  # no word stands in enough of the texts: there is no such view
        return None


def _views(frame: pl.DataFrame, fields: Sequence[str], scale: NDArray[np.float64],
           lexical: Lexical | None) -> Mapping[str, View]:  # fmt: skip
    length = _length(frame)
    measured = (_differences(frame, fields) / np.where(scale > 0, scale, 1)).astype(np.float32)
    views: dict[str, View] = {"length": length, "text": np.column_stack([length, measured])}
    if lexical is not None:
        views["words"] = (lexical.terms(frame["chosen"]) - lexical.terms(frame["rejected"])).tocsr()
    return views

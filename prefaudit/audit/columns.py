"""The columns of the whole audit as arrays, gathered in one pass over the parts: what the statistics are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import stats
from prefaudit.audit.measure import SIDES, Measures
from prefaudit.store import Store


class Feature(NamedTuple):
    """What a response feature is called in the effects table.

    `cut` makes a yes or no of a score: a difference between .1 and .2 is no difference worth counting.
    """

    family: str
    words: str
    cut: float | None = None


FEATURES: dict[str, Feature] = {
    "chars": Feature("length", "more characters"),
    "words": Feature("length", "more words"),
    "lines": Feature("length", "more lines"),
    "reasoning_chars": Feature("length", "longer reasoning"),
    "markdown": Feature("format", "denser markdown"),
    "lists": Feature("format", "more list items"),
    "headers": Feature("format", "more headers"),
    "bold": Feature("format", "more bold"),
    "code": Feature("format", "more code"),
    "emoji": Feature("format", "more emoji"),
    "questions": Feature("tone", "more questions"),
    "exclamations": Feature("tone", "more exclamation marks"),
    "closing_question": Feature("tone", "ends in a question"),
    "hedging": Feature("tone", "more hedging"),
    "certainty": Feature("tone", "more certainty"),
    "apology": Feature("tone", "more apology"),
    "first_person": Feature("tone", "more first person"),
    "worn": Feature("tone", "more worn phrases"),
    "empathy": Feature("tone", "more empathy"),
    "moralising": Feature("tone", "more moralising"),
    "enthusiasm": Feature("tone", "more enthusiasm"),
    "ai_self": Feature("tone", "speaks more of itself as an AI"),
    "relevance": Feature("relevance", "nearer to the prompt"),
    "truncated": Feature("form", "breaks off"),
    "refusal": Feature("refusal", "refuses", 0.5),
    "sycophancy": Feature("sycophancy", "flatters or gives way", 0.5),
    "praises": Feature("sycophancy", "praises the user", 0.5),
    "yields": Feature("sycophancy", "gives way under pushback", 0.5),
    "agrees": Feature("agreement", "takes the user's view", 0.5),
    "mentions_age": Feature("mentions", "names age groups more"),
    "mentions_gender": Feature("mentions", "names genders more"),
    "mentions_nationality": Feature("mentions", "names nationalities more"),
    "mentions_religion": Feature("mentions", "names religions more"),
    "mentions_occupation": Feature("mentions", "names occupations more"),
}

META = ["row", "label", "first", "annotator", "votes", "hash_prompt", "hash_chosen", "hash_rejected"]
NAMES = ["source", "model_chosen", "model_rejected"]  # few different values: kept as numbers
KNOWN = ["first", "source", "annotator", "votes", "margin", "score_chosen", "score_rejected", "model_chosen",
         "model_rejected"]  # fmt: skip
READ = ("group", *(f"{side}.{name}" for side in SIDES for name in (*FEATURES, "language")))


@dataclass(frozen=True)
class Columns:
    """Arrays over the pairs that have both answers, in reading order.

    `y` is 1 where the label is chosen and 1/2 for a tie or both_bad. `features` are (chosen, rejected) arrays, NaN
    where not known. `meta` holds the columns META of the same pairs, NAMES and the languages of both sides as
    categories, and `item` of `stats.items`. `unpaired` counts replies without another side; `known` says of the columns
    KNOWN whether any row has them.
    """

    meta: pl.DataFrame
    y: NDArray[np.float64]
    group: NDArray[np.int64]
    features: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    unpaired: int
    known: Mapping[str, bool]


def gather(store: Store, measures: Measures) -> Columns:
    """One pass over the parts; a million pairs with twenty features take under 100 MB."""
    metas, groups = [], []
    sides: dict[str, list[list[np.ndarray]]] = {}
    unpaired, known = 0, dict.fromkeys(KNOWN, False)
    for number in range(store.parts()):
        meta = store.read("pairs", number, list(dict.fromkeys(META + KNOWN)))
        known = {name: told or meta[name].null_count() < meta.height for name, told in known.items()}
        features = measures.features(number, READ)
        meta = meta.select(*META, pl.col(NAMES).cast(pl.Categorical), _item(store, number, meta), *_languages(features))
        both = meta["hash_chosen"].is_not_null() & meta["hash_rejected"].is_not_null()
        unpaired += meta.height - int(both.sum())
        metas.append(meta.filter(both))
        features = features.filter(both)
        groups.append(features["group"].to_numpy() if "group" in features.columns else metas[-1]["row"].to_numpy())
        for at, side in enumerate(("c", "r")):
            if side in features.columns:
                fields = features[side].struct.unnest()
                for name in FEATURES:
                    if name in fields.columns:
                        sides.setdefault(name, [[], []])[at].append(_packed(fields[name], FEATURES[name].cut))
    meta = pl.concat(metas, rechunk=True) if metas else pl.DataFrame()
    tie = (meta["label"] != "chosen").to_numpy()
    return Columns(
        meta=meta,
        y=np.where(tie, 0.5, 1.0),
        group=np.concatenate(groups) if groups else np.zeros(0, np.int64),
        features=Features(sides),
        unpaired=unpaired,
        known=known,
    )


def _item(store: Store, number: int, meta: pl.DataFrame) -> pl.Series:
    """`item` where somebody voted; the texts that hold it are read only then."""
    if meta["annotator"].null_count() == meta.height and meta["votes"].null_count() == meta.height:
        return pl.repeat(None, meta.height, dtype=pl.UInt64, eager=True).alias("item")
    extra = store.read("pairs", number, ["extra"])["extra"]
    return meta.select("row", "votes", extra=extra).select(stats.items())["item"]


def _languages(features: pl.DataFrame) -> list[pl.Series]:
    """The language of each side as categories, null where no extractor tells it."""
    found = []
    for name, side in (("chosen", "c"), ("rejected", "r")):
        fields = features[side].struct.unnest() if side in features.columns else pl.DataFrame()
        series = fields["language"] if "language" in fields.columns else pl.repeat(None, features.height, eager=True)
        found.append(series.cast(pl.Categorical).alias(f"language_{name}"))
    return found


class Features(Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]):
    """Feature to the values of chosen and rejected, NaN where not known; put together from the parts when asked for."""

    def __init__(self, pieces: Mapping[str, list[list[np.ndarray]]]) -> None:
        self._pieces = pieces

    def __getitem__(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        chosen, rejected = self._pieces[name]
        return np.concatenate(list(map(_unpacked, chosen))), np.concatenate(list(map(_unpacked, rejected)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)


UNKNOWN = np.uint16(65535)


def _packed(series: pl.Series, cut: float | None) -> np.ndarray:
    """Counts in two bytes, where all of a part fit; other numbers as float32."""
    series = series if cut is None else series >= cut
    values = series.cast(pl.Float32).fill_null(float("nan")).to_numpy()
    known = ~np.isnan(values)
    small = np.where(known, values, 0)
    if small.size and (small.min() < 0 or small.max() >= UNKNOWN or (small != np.floor(small)).any()):
        return np.asarray(values)
    return np.where(known, small.astype(np.uint16), UNKNOWN)


def _unpacked(piece: np.ndarray) -> NDArray[np.float32]:
    if piece.dtype != np.uint16:
        return piece
    values = piece.astype(np.float32)
    values[piece == UNKNOWN] = np.nan
    return values

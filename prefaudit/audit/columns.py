"""The columns of the whole audit as arrays, gathered in one pass over the parts: what the statistics are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import stats
from prefaudit.audit.measure import SIDES, Measures
from prefaudit.stats.groups import dense
from prefaudit.stats.sample import MOST
from prefaudit.stats.sample import sizes as group_sizes
from prefaudit.store import Store
from prefaudit.store.spill import Column, ranges


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
class Counted:
    """What is counted over all pairs, a part at a time.

    `known` says of the columns KNOWN whether any row has them; `numbers` are of the pairs with both answers: `pairs`,
    `ties`, `both_bad`, `groups`, `largest_group`, and of either side how many texts are `distinct` and how often the
    most frequent one stands (`top`); `unpaired` counts the other replies; `sample` says which pairs are gathered.
    """

    known: Mapping[str, bool]
    numbers: Mapping[str, int]
    unpaired: int
    sample: stats.Sample


@dataclass(frozen=True)
class Columns:
    """Arrays over the pairs that have both answers, in reading order; of more than MOST, over a sample.

    `y` is 1 where the label is chosen and 1/2 for a tie or both_bad. `features` are (chosen, rejected) arrays, NaN
    where not known. `meta` holds the columns META of the same pairs, NAMES and the languages of both sides as
    categories, and `item` of `stats.items`. `counted` is of all pairs.
    """

    meta: pl.DataFrame
    y: NDArray[np.float64]
    group: NDArray[np.int64]
    features: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    counted: Counted


def gather(store: Store, measures: Measures, seed: int | None = None, rows: Sequence[int] | None = None) -> Columns:
    """Two passes over the parts: one counts, one gathers; 300,000 pairs with twenty features take some 30 MB.

    Args:
        store: of the audit.
        measures: of the audit.
        seed: of the sample; without it all pairs are gathered.
        rows: gather these pairs alone, all of them.
    """
    counted = _counted(store, measures, seed)
    metas, groups = [], []
    sides: dict[str, list[list[np.ndarray]]] = {}
    for number in range(store.parts()):
        meta = store.read("pairs", number, [*META, *NAMES])
        features = measures.features(number, READ)
        both = (meta["hash_chosen"].is_not_null() & meta["hash_rejected"].is_not_null()).to_numpy()
        own = _group(features)
        both &= counted.sample.holds(own) if rows is None else np.isin(meta["row"].to_numpy(), rows)
        item = _item(store, number, meta)
        meta = meta.select(*META, pl.col(NAMES).cast(pl.Categorical), item, *_languages(features))
        here = np.flatnonzero(both)
        metas.append(meta[here])
        features = features[here]
        groups.append(own[here])
        for at, side in enumerate(SIDES):
            if side in features.columns:
                fields = features[side].struct.unnest()
                for name in FEATURES:
                    if name in fields.columns:
                        sides.setdefault(name, [[], []])[at].append(_packed(fields[name], FEATURES[name].cut))
    meta = pl.concat(metas, rechunk=True) if metas else pl.DataFrame()
    group = np.concatenate(groups) if groups else np.zeros(0, np.int64)
    some = meta.height < counted.numbers["pairs"]
    return Columns(
        meta=meta,
        y=np.where((meta["label"] != "chosen").to_numpy(), 0.5, 1.0),
        group=dense(group) if some and rows is None else group,  # what counts by id takes no memory for those left out
        features=Features(sides),
        counted=counted,
    )


def _counted(store: Store, measures: Measures, seed: int | None) -> Counted:
    """The first pass."""
    known, labels, unpaired = dict.fromkeys(KNOWN, False), {"tie": 0, "both_bad": 0}, 0
    hashes = {side: Column(np.uint64) for side in ("chosen", "rejected")}

    def parts() -> Iterator[NDArray[np.int64]]:
        nonlocal unpaired
        for number in range(store.parts()):
            meta = store.read("pairs", number, list(dict.fromkeys(["label", "hash_chosen", "hash_rejected", *KNOWN])))
            for name, told in known.items():
                known[name] = told or meta[name].null_count() < meta.height
            both = meta["hash_chosen"].is_not_null() & meta["hash_rejected"].is_not_null()
            unpaired += meta.height - int(both.sum())
            meta = meta.filter(both)
            for label in labels:
                labels[label] += int((meta["label"] == label).sum())
            for side, column in hashes.items():
                column.add(meta[f"hash_{side}"].to_numpy())
            yield _group(measures.features(number, ["group"]))[both.to_numpy()]

    size = group_sizes(parts())
    numbers = {"pairs": len(hashes["chosen"]), "ties": labels["tie"], "both_bad": labels["both_bad"],
               "groups": int((size > 0).sum()), "largest_group": int(size.max(initial=0))}  # fmt: skip
    for side, column in hashes.items():
        numbers[f"distinct_{side}"], numbers[f"top_{side}"] = _repeated(column)
    limit = numbers["pairs"] if seed is None else MOST
    return Counted(known, numbers, unpaired, stats.Sample.of(size, limit, seed or 0))


def _group(features: pl.DataFrame) -> NDArray[np.int64]:
    return features["group" if "group" in features.columns else "row"].to_numpy()


def _repeated(hashes: Column) -> tuple[int, int]:
    """How many different hashes there are, and how often the most frequent one stands."""
    found, top = 0, 0
    for _, (key,) in ranges(hashes):
        ordered = np.sort(key)
        begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(key) else np.zeros(0, np.int64)
        found += len(begins)
        top = max(top, int(np.diff(np.append(begins, len(key))).max(initial=0)))
    return found, top


def length_of(columns: Columns) -> NDArray[np.float64]:
    """Log-ratio of the lengths of the answers of each pair; zeros where no extractor tells them."""
    if "chars" not in columns.features:
        return np.zeros(len(columns.y))
    return stats.length_ratio(*columns.features["chars"])


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

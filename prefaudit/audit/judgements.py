"""What is known of how the labels came about: annotators, presented order, and names that give them away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from prefaudit import stats
from prefaudit.audit.columns import FEATURES, Columns

FORMAT = "format"  # family of the features that make up that shortcut


def judgements(columns: Columns, length: np.ndarray, seed: int) -> dict[str, Any]:
    """Statistics beside those of the features, as plain values that JSON keeps exactly.

    Args:
        columns: of the whole audit.
        length: log-ratio of the lengths of the pairs.
        seed: of folds, samples and draws.

    Returns:
        `annotators` (rows of stats.ANNOTATORS), `agreement`, `position`, `shortcuts` and `models` of the report.
    """
    voted = columns.meta.with_columns(group=pl.Series(columns.group))
    if "chars" in columns.features:
        voted = voted.with_columns(length=pl.Series(length))
    voted = voted.with_columns(language=_one_language(columns.meta))
    first = columns.meta["first"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    wins = np.where(first == 1, columns.y, np.where(first == 0, 1 - columns.y, np.nan))
    models = _names(columns.meta, "model")
    return {
        "annotators": stats.annotators(voted).rows(),
        "agreement": stats.agreement(voted, seed),
        "position": stats.position(wins, columns.group),
        "shortcuts": stats.shortcuts(columns.y, length, _things(columns, models), columns.group, seed),
        "models": [] if models is None else stats.standings(
            models[0].chosen, models[0].rejected, columns.y, columns.group, models[1], seed),
    }  # fmt: skip


def metrics(found: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers among them that dataset rules read; one that is not known is left out."""
    out: dict[str, Any] = {}
    for one in found["shortcuts"]:
        if one["auc"] is not None:
            out |= {f"{one['name']}_auc": one["auc"], f"{one['name']}_auc_low": one["interval"][0],
                    f"{one['name']}_over_length": one["over_length"],
                    f"{one['name']}_over_length_low": one["over_length_interval"][0]}  # fmt: skip
    told = found["agreement"]
    if told.get("alpha_interval"):
        out |= {"alpha": told["alpha"], "alpha_low": told["alpha_interval"][0], "alpha_high": told["alpha_interval"][1],
                "alpha_votes": told["n"]}  # fmt: skip
    place = found["position"]
    if place:
        out |= {"first_n": place["n"], "first_rate": place["rate"], "first_low": place["interval"][0],
                "first_high": place["interval"][1], "first_bayes": place["log10_bayes"]}  # fmt: skip
    return out


def _things(columns: Columns, models: tuple[stats.Names, list[str]] | None) -> dict[str, Any]:
    things: dict[str, Any] = {} if models is None else {"model": models[0]}
    languages = _names(columns.meta, "language")
    if languages is not None:
        things["language"] = languages[0]
    first = columns.meta["first"].cast(pl.Int8)
    if first.null_count() < first.len():
        order = (first * 2 - 1).fill_null(0).to_numpy()
        things["position"] = stats.Places(np.zeros(len(order), np.int64), order, 1)
        source = columns.meta["source"]
        if source.null_count() < source.len():
            names = source.cast(pl.String).unique().drop_nulls().sort()
            things["source"] = stats.Places(_codes(source, names), order, len(names))
    shape = [name for name in columns.features if FEATURES[name].family == FORMAT]
    if shape:
        sides = {name: columns.features[name] for name in shape}
        things[FORMAT] = {name: (c - r).astype(np.float64) for name, (c, r) in sides.items()}
    return things


def _names(meta: pl.DataFrame, what: str) -> tuple[stats.Names, list[str]] | None:
    """A name on either side as codes, in alphabetical order; None where no pair has two different ones."""
    chosen, rejected = meta[f"{what}_chosen"], meta[f"{what}_rejected"]
    if not (chosen.cast(pl.String) != rejected.cast(pl.String)).any():
        return None
    names = pl.concat([chosen, rejected]).unique().drop_nulls().cast(pl.String).sort()
    return stats.Names(_codes(chosen, names), _codes(rejected, names), len(names)), names.to_list()


def _codes(series: pl.Series, names: pl.Series) -> np.ndarray:
    codes = pl.Series(np.arange(len(names)))
    found = series.cast(pl.String).replace_strict(names, codes, default=-1, return_dtype=pl.Int64)
    return found.fill_null(-1).to_numpy()


def _one_language(meta: pl.DataFrame) -> pl.Series:
    """The language of the pair where both sides have one and the same."""
    return meta.select(
        pl.when(pl.col("language_chosen") == pl.col("language_rejected")).then("language_chosen")
    ).to_series()

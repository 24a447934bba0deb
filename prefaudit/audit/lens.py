"""What the lens says: its features with their effects, and how much of the predictable label they explain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import models, stats
from prefaudit.audit.columns import Columns
from prefaudit.audit.measure import Measures
from prefaudit.core import EFFECTS, Extractor
from prefaudit.extractors.lens import difference, readings, stored, unlabelled
from prefaudit.lens import Sae, labelled, probe
from prefaudit.lens.saved import save
from prefaudit.lens.slopes import UNITS, slopes
from prefaudit.stats.baselines import spline, squash

FAMILY, UNSTABLE = "lens", "lens, unstable"  # rules look at the first
PROBED = 10_000  # pairs on which the heads are compared
EXAMPLES = 3  # pairs shown of a feature


def lens(measures: Measures, columns: Columns, length: NDArray[np.float64], effects: pl.DataFrame,
         seed: int) -> dict[str, Any]:  # fmt: skip
    """The report's `lens`, empty where none was fitted, and the effects table with its features.

    Args:
        measures: of the audit.
        columns: of all pairs with both answers.
        length: log-ratio of their lengths.
        effects: of the other features: false discoveries are counted over all.
        seed: of sample and folds.

    Returns:
        {"lens": the section, "effects": a frame of EFFECTS, by |bound| and then |delta_win|}.
    """
    found = {e.name: e for e in measures.present if e.name in ("lens", "embed", "names")}
    if "lens" not in found or not len(columns.y):
        return {"lens": {}, "effects": effects}
    state, about = (measures.state(found[name]) for name in ("lens", "embed"))
    told = json.loads(state["told"][0])
    naming = dict(measures.lost.get("names") or {})  # the calls that failed, where too few were answered
    naming = json.loads(measures.state(found["names"])["told"][0]) if "names" in found else naming
    told["each"] = _called(told["each"], naming.pop("each", []))
    values = Presence.read(measures, found["lens"], columns)
    labels = {f"lens.{e['feature']}": f"{e['feature']}: {e['name']}" for e in told["each"]}
    own = _effects(columns, length, values, labels, effects, seed)
    unstable = [f"lens.{e['feature']}" for e in told["each"] if not e["stable"]]
    own = own.with_columns(family=pl.when(pl.col("feature").is_in(unstable)).then(pl.lit(UNSTABLE)).otherwise("family"))
    by_name = {row["feature"]: row for row in own.iter_rows(named=True)}
    sizes = dict(zip(labels, values.examples, strict=True))
    each = [{**e, "effect": _short(by_name[f"lens.{e['feature']}"]), "examples": sizes[f"lens.{e['feature']}"]}
            for e in told["each"]]  # fmt: skip
    for by in ("annotator", "source"):
        each = _slopes(each, values, columns, length, by)
    section = {
        "embedder": _embedder(measures, found["embed"], about, len(columns.y)),
        **{name: told[name] for name in told if name != "each"},
        "unstable": sum(not e["stable"] for e in each),
        "naming": naming,
        "auc": _heads(measures, found, columns, length, seed, unlabelled(state)),
        "each": each,
    }
    order = [pl.col("bound").abs(), pl.col("delta_win").abs(), pl.col("feature")]
    both = pl.concat([effects, own]).sort(order, descending=[True, True, False], nulls_last=True)
    saved = {name: section["embedder"][name] for name in ("name", "revision", "template")}
    words = about["held"][0] if section["embedder"]["name"].endswith("lexical") else b""
    scale = {"scale": about["scale"][0]} if "scale" in about.columns else {}
    if not getattr(found["embed"], "pretrained", False):
        known = [{k: v for k, v in e.items() if k not in ("feature", "candidates")} for e in told["each"]]
        save(
            measures.store.folder / "lens",
            stored(state),
            readings(state),
            {"embedder": saved.pop("name"), **saved, **scale},
            known,
            words,
        )
    measures.store.share("lens")
    return {"lens": section, "effects": both}


def _called(each: list[dict[str, Any]], naming: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The features, each with the `source` of its name: llm where a model's name was confirmed, else contrast.

    `fidelity` is that of such a name, and tells whether it was measured `here` or came with the lens; `contrast` is
    what the terms say of the feature.
    """
    told = {n["feature"]: n for n in naming}
    found = []
    for k, e in enumerate(each):
        contrast = e.get("contrast", e["name"])
        if k not in told:
            plain = {"source": "contrast", "contrast": contrast, "fidelity": None}
            found.append(plain | e | ({"fidelity": {**e["fidelity"], "here": False}} if e.get("fidelity") else {}))
            continue
        n = told[k]
        best = n["candidates"][0] if n["named"] else None
        found.append(e | {
            "name": best["name"] if best else contrast, "source": "llm" if best else "contrast", "contrast": contrast,
            "fidelity": {**{m: v for m, v in best.items() if m != "name"}, "here": True} if best else None,
            "candidates": n["candidates"], "proposals_failed": n["proposals_failed"],
        })  # fmt: skip
    return found


class Presence(Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]):
    """The sign of every feature in the pairs in which it is present, NaN where not known, as the effects table reads
    them; `examples` are the rows with most of each."""

    def __init__(self, signs: NDArray[np.int8], examples: list[list[int]]) -> None:
        self._signs, self.examples = signs, examples

    @classmethod
    def read(cls, measures: Measures, extractor: Extractor, columns: Columns) -> Presence:
        """Of an audit's pairs with both answers, in the order of `columns`."""
        rows = columns.meta["row"].to_numpy()
        signs, best, at = [], [], []
        for number in range(measures.store.parts()):
            frame = measures.store.read(measures.kind(extractor), number)
            frame = frame.filter(pl.Series(np.isin(frame["row"].to_numpy(), rows)))
            z = frame["lens_present"].struct.unnest().to_numpy()
            signs.append(np.where(np.isnan(z), -128, np.sign(z)).astype(np.int8))
            size = np.nan_to_num(np.abs(z))
            most = np.argsort(-size, axis=0, kind="stable")[:EXAMPLES]
            best.append(np.take_along_axis(size, most, 0))
            at.append(frame["row"].to_numpy()[most])
        size, row = np.concatenate(best), np.concatenate(at)
        order = np.argsort(-size, axis=0, kind="stable")[:EXAMPLES]
        examples = [row[order[:, k], k][size[order[:, k], k] > 0].tolist() for k in range(size.shape[1])]
        return cls(np.concatenate(signs), examples)

    def __getitem__(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        sign = self._signs[:, int(name.removeprefix("lens.f"))]
        chosen = np.where(sign == -128, np.nan, sign).astype(np.float32)
        return chosen, np.zeros(len(sign), np.float32)

    def __iter__(self) -> Iterator[str]:
        return (f"lens.f{k}" for k in range(self._signs.shape[1]))

    def __len__(self) -> int:
        return int(self._signs.shape[1])


def _effects(columns: Columns, length: NDArray[np.float64], values: Presence, labels: dict[str, str],
             others: pl.DataFrame, seed: int) -> pl.DataFrame:  # fmt: skip
    """EFFECTS of the features; q counts false discoveries among them, and is never below that over all features."""
    families = dict.fromkeys(values, FAMILY)
    own = stats.effects(columns.y, length, values, families, columns.group, None, seed, stats.EffectOptions(labels))
    both = pl.concat([others.select("p"), own.select("p")])["p"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    over_all = pl.Series(stats.bh(both)[others.height :]).fill_nan(None)
    return own.with_columns(q=pl.max_horizontal("q", over_all)).select(list(EFFECTS))


def _slopes(each: list[dict[str, Any]], values: Presence, columns: Columns, length: NDArray[np.float64],
            by: str) -> list[dict[str, Any]]:  # fmt: skip
    """The features with their slopes by annotator or source, where these are known; q counts over the features."""
    named = columns.meta[by].cast(pl.String)
    names = named.drop_nulls().unique().sort()
    if names.len() < UNITS:
        return each
    unit = named.replace_strict(names, pl.Series(np.arange(len(names))), default=-1, return_dtype=pl.Int64)
    codes = unit.fill_null(-1).to_numpy()
    told = [slopes(columns.y, length, np.nan_to_num(values[f"lens.{e['feature']}"][0]), codes, names.to_list())
            for e in each]  # fmt: skip
    q = stats.bh(np.array([t.get("p", np.nan) for t in told]))
    return [{**e, f"by_{by}": {**t, "q": None if np.isnan(v) else float(v)}}
            for e, t, v in zip(each, told, q, strict=True)]  # fmt: skip


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("n", "groups", "prevalence", "win_rate", "delta_win", "p", "q", "replication", "note")
    return {name: row[name] for name in kept} | {"interval": None if row["low"] is None else [row["low"], row["high"]]}


def _embedder(measures: Measures, extractor: Extractor, about: pl.DataFrame, pairs: int) -> dict[str, Any]:
    cut = sum(
        int(measures.store.read(measures.kind(extractor), k)["embedding"].struct.field("cut").sum() or 0)
        for k in range(measures.store.parts())
    )
    name, why = models.default(pairs)
    same = about["embedder"][0] == name
    return {"name": about["embedder"][0], "revision": about["revision"][0], "template": about["template"][0],
            "limit": about["limit"][0], "cut": cut, "why": why if same else "it was asked for"}  # fmt: skip


def _heads(measures: Measures, found: Mapping[str, Extractor], columns: Columns, length: NDArray[np.float64],
           seed: int, bare: Sae | None) -> dict[str, Any]:  # fmt: skip
    """AUC of length, of the text features, of the lens and of the full difference, on the same folds of groups.

    A lens fitted here, `bare` without its labels, is given those of each fold's other pairs alone. One of another
    audit may have its labels from these very pairs: of it the cosines where features are present are taken, which hold
    nothing of labels.
    """
    keep = stats.sample_groups(columns.group, PROBED, seed) & (columns.y != 0.5)
    groups = len(stats.distinct(columns.group[keep]))
    if groups < 40:
        return {"n": int(keep.sum()), "groups": groups, "note": f"held-out heads need 40 groups, here are {groups}"}
    z, x = _matrices(measures, found, columns.meta["row"].to_numpy()[keep])
    base = spline(np.nan_to_num(length[keep]))
    texts = [squash(c[keep] - r[keep]) for c, r in (columns.features[name] for name in columns.features)]
    y = columns.y[keep]
    own = _told(z, x, bare, y, length[keep], columns.group[keep])
    views: dict[str, probe.View] = {
        "length": np.zeros((len(base), 0), np.float32),
        "text": np.column_stack(texts),
        "lens": lambda known: probe.scaled(own(known)),
        "full": probe.scaled(x),
    }
    told = probe.held_out(views, base, y, columns.group[keep], seed)
    return {"n": int(keep.sum()), "groups": groups, **told}


def activations(measures: Measures, rows: NDArray[np.int64], y: NDArray[np.float64], length: NDArray[np.float64],
                group: NDArray[np.int64]) -> Callable[[NDArray[np.bool_]], NDArray[np.float32]]:  # fmt: skip
    """The lens's activations of some rows of an audit, (n, M), as a function of the rows (n,) whose labels it may know.

    Args:
        measures: of an audit with a lens.
        rows: n, ascending.
        y: (n,) 1 where chosen is preferred, 0 where not.
        length: (n,) log-ratios of lengths.
        group: (n,) ids of pairs that are not independent.
    """
    found = {e.name: e for e in measures.present if e.name in ("lens", "embed")}
    z, x = _matrices(measures, found, rows)
    return _told(z, x, unlabelled(measures.state(found["lens"])), y, length, group)


def _told(z: NDArray[np.float32], x: NDArray[np.float32], bare: Sae | None, y: NDArray[np.float64],
          length: NDArray[np.float64], group: NDArray[np.int64],
          ) -> Callable[[NDArray[np.bool_]], NDArray[np.float32]]:  # fmt: skip
    def of(known: NDArray[np.bool_]) -> NDArray[np.float32]:
        return z if bare is None else labelled(bare, x[known], y[known], length[known], group[known])[0].encode(x)

    return of


def _matrices(measures: Measures, found: Mapping[str, Extractor],
              rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
    """Activations and full differences of these rows; of a lens of another audit the cosines where it is present."""
    state = measures.state(found["lens"])
    own = "bare" in state.columns or json.loads(state["told"][0])["each"][0].get("pretrained", False)
    column, z, x = "lens" if own else "lens_present", [], []
    for number in range(measures.store.parts()):
        frames = [measures.store.read(measures.kind(found[name]), number) for name in ("lens", "embed")]
        here = pl.Series(np.isin(frames[0]["row"].to_numpy(), rows))
        z.append(frames[0].filter(here)[column].struct.unnest().fill_null(0).to_numpy().astype(np.float32))
        x.append(difference(frames[1].filter(here)["embedding"])[0])
    width = max(part.shape[1] for part in x)
    return np.concatenate(z), np.concatenate([p if p.shape[1] else np.zeros((len(p), width), np.float32) for p in x])

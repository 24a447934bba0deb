"""`lens`: sparse features of what chosen and rejected differ in, found in the data and not told beforehand."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import lens as lenses
from prefaudit.core import Apply, Parts
from prefaudit.lens.saved import kept
from prefaudit.models.base import unpacked
from prefaudit.stats import folds, length_ratio, sample_groups

SAMPLE = 30_000  # pairs a lens is fitted on; more change it little and cost much
NAMED = 6_000  # pairs whose texts give the names
HELD = 5  # one of so many folds of the groups is kept out of the fit: it measures and confirms
MOST = 64  # features, where their number goes by the pairs

PROPERTIES = {
    "words": "more words", "lines": "more lines", "lists": "more list items", "headers": "more headers",
    "bold": "more bold", "code": "more code", "emoji": "more emoji", "questions": "more questions",
    "exclamations": "more exclamation marks", "hedging": "more hedging", "certainty": "more certainty",
    "apology": "more apology", "first_person": "more first person", "closing_question": "ends in a question",
    "refusal": "refuses",
}  # fmt: skip


@dataclass(frozen=True)
class Lens:
    """`lens.f0`, `lens.f1`, ...: how far chosen is ahead of rejected in a feature, 0 where it is not active.

    `lens_present.f0`, ...: the cosine of the pair's difference with the direction along which the feature is read
    wherever it is present, also where K others are larger, 0 elsewhere.

    Exchanging chosen and rejected negates every value. Null where a pair has one answer. The directions, and where
    they are present, are found without the labels; what labels do to the values is in `lens.labels`: a gain for
    each, and by how much its encoder leans. So tests of effects are of `lens_present`.

    Attributes:
        lens_features: M; 0 goes by the number of pairs.
        lens_active: K, features active in a pair; 0 goes by M.
        lens: a lens that is there already, applied as it is.
    """

    lens_features: int = 0
    lens_active: int = 0
    lens: str = ""

    name: ClassVar[str] = "lens"
    version: ClassVar[int] = 11
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ("embed", "groups", "text", "style", "refusal")
    knows: ClassVar[tuple[str, ...]] = ("embed",)

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Two structs with M fields."""
        kind = pl.Struct({f"f{k}": pl.Float32() for k in range(self.lens_features or MOST)})
        return {"lens": kind, "lens_present": kind}

    def settled(self, pairs: int) -> Lens:
        """The same with M and K chosen for so many pairs."""
        if self.lens:
            saved = kept(self.lens)
            many = self.lens_features or MOST
            features, active = (many, many) if saved is None else (saved.lens.features, saved.lens.active)
            return replace(self, lens_features=features, lens_active=active)
        want = lenses.shape(pairs, self.lens_features or None, self.lens_active or None)
        return replace(self, lens_features=want.features, lens_active=want.active)

    def fit(self, parts: Parts, seed: int, *known: pl.DataFrame) -> pl.DataFrame:
        """One row: the lens, and what is known of it and of each feature, as JSON.

        Args:
            parts: of the audit.
            seed: of samples and fits.
            known: what the embedder learned: its anchor, where it has one.

        Raises:
            ValueError: too few pairs differ.
        """
        pairs = sampled(parts, seed)
        x = _differences(parts, pairs)
        group = pairs["group"].to_numpy()
        held = folds(group, HELD, seed) == 0
        if held.all() or not held.any():
            raise ValueError("all pairs are one group of related pairs, and a lens keeps some groups out of its fit")
        arrays = {}
        if self.lens:
            lens, each, reading = _given(self.lens, x, self.lens_features)
            prefixes = []
        else:
            want = lenses.shape(len(x), self.lens_features, self.lens_active)
            prefixes = list(want.prefixes)
            anchor = _anchor(known[0]) if known else None
            lens = lenses.train(x[~held], want, seed, anchor)
            again = lenses.stability(lens, x[~held], group[~held], want, seed, anchor)
            y, length = _choices(parts, pairs)
            arrays["bare"] = lens.encoder
            lens, gain, lean = lenses.labelled(lens, x[~held], y[~held], length[~held], group[~held])
            reading = lenses.readings(x[~held], lens.decoder, lens.active)
            each = [
                {"gain": float(gain[k]), "lean": float(lean[k]), "stability": float(again[k]),
                 "stable": bool(again[k] >= lenses.STABLE)}
                for k in range(want.features)
            ]  # fmt: skip
        toward = _toward(lens, x, each, reading)
        if not all("least_cosine" in e for e in each):
            floor = lenses.least(toward, lens.active)
            each = [{**e, "least_cosine": float(size)} for e, size in zip(each, floor, strict=True)]
        if not all("name" in e for e in each):
            there = lenses.present(toward, np.array([e["least_cosine"] for e in each], np.float32))
            said = _named(parts, pairs, there, held, seed)
            each = [{**e, **s} for e, s in zip(each, said, strict=True)]
        told = {
            "n": 0 if self.lens else int((~held).sum()), "held": int(held.sum()), "features": lens.features,
            "active": lens.active, "prefixes": prefixes, **_measured(lens, x, held),
            "each": [{"feature": f"f{k}", **e} for k, e in enumerate(each)],
        }  # fmt: skip
        arrays |= {"encoder": lens.encoder, "decoder": lens.decoder, "reading": reading}
        return pl.DataFrame({**{name: [array.tobytes()] for name, array in arrays.items()},
                             "active": [lens.active], "told": [json.dumps(told, ensure_ascii=False)]})  # fmt: skip

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""
        if state is None:
            raise ValueError("the lens is what fit returned")
        lens, reading = stored(state), readings(state)
        each = json.loads(state["told"][0])["each"]
        floor = np.array([e["least_cosine"] for e in each], np.float32)

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            x, known = difference(frame["embedding"])
            if not len(x):
                x = np.zeros((0, len(lens.encoder)), np.float32)
            told = {"lens": lens.encode(x), "lens_present": lenses.present(_toward(lens, x, each, reading), floor)}
            structs = [_struct(name, z).set(~pl.Series(known), None) for name, z in told.items()]
            return frame.select("row").with_columns(structs)

        return apply


def _struct(name: str, z: NDArray[np.float32]) -> pl.Series:
    return pl.DataFrame([pl.Series(f"f{k}", z[:, k] + np.float32(0)) for k in range(z.shape[1])]).to_struct(name)


def _given(name: str, x: NDArray[np.float32], features: int) -> tuple[lenses.Sae, list[dict[str, Any]],
                                                                        NDArray[np.float32]]:  # fmt: skip
    """A lens that is there already, what is known of its features, and the directions along which they are read.

    One of another audit is taken as it is, with its names. Of a pretrained autoencoder the differences are the
    features themselves, each in units of its root mean square here; all of them may be active.
    """
    saved = kept(name)
    if saved is not None:
        if saved.lens.encoder.shape[0] != x.shape[1]:
            raise ValueError(f"the lens reads {saved.lens.encoder.shape[0]} dimensions, here are {x.shape[1]}")
        return saved.lens, [{n: v for n, v in e.items() if n != "feature"} for e in saved.each], saved.reading
    size = np.sqrt((x.astype(np.float64) ** 2).mean(0)).astype(np.float32)
    encoder, decoder = (np.zeros((x.shape[1], features), np.float32) for _ in range(2))
    own = np.arange(x.shape[1])
    encoder[own, own], decoder[own, own] = 1 / np.maximum(size, np.float32(1e-12)), size
    each = [{"stability": 1.0, "stable": k < x.shape[1], "pretrained": True} for k in range(features)]
    return lenses.Sae(encoder, decoder.T.copy(), features), each, decoder.T.copy()


def _toward(lens: lenses.Sae, x: NDArray[np.float32], each: list[dict[str, Any]],
            reading: NDArray[np.float32]) -> NDArray[np.float32]:  # fmt: skip
    """(n, M) cosines with the readings; those of a pretrained autoencoder with each in units of its own size."""
    own = each[0].get("pretrained", False)
    return lenses.toward(lens.values(x)[:, : x.shape[1]] if own else x, reading)


def _anchor(state: pl.DataFrame) -> NDArray[np.float32] | None:
    """The (k, d) differences that do not depend on the data, of an embedder that has them."""
    if "anchor" not in state.columns:
        return None
    return np.frombuffer(state["anchor"][0], np.float32).reshape(int(state["anchored"][0]), -1)


def stored(state: pl.DataFrame) -> lenses.Sae:
    """The lens in the frame that `fit` returned."""
    encoder, decoder = (np.frombuffer(state[name][0], np.float32) for name in ("encoder", "decoder"))
    features = len(json.loads(state["told"][0])["each"])
    return lenses.Sae(encoder.reshape(-1, features), decoder.reshape(features, -1), int(state["active"][0]))


def readings(state: pl.DataFrame) -> NDArray[np.float32]:
    """(M, d) directions along which it is read where each feature is present, in the frame that `fit` returned."""
    return np.frombuffer(state["reading"][0], np.float32).reshape(len(json.loads(state["told"][0])["each"]), -1)


def unlabelled(state: pl.DataFrame) -> lenses.Sae | None:
    """The lens as it was found, before it had anything of the labels; none of a lens that was there already."""
    if "bare" not in state.columns:
        return None
    lens = stored(state)
    bare = np.frombuffer(state["bare"][0], np.float32).reshape(lens.encoder.shape)
    return lenses.Sae(bare, lens.decoder, lens.active)


def difference(embedding: pl.Series) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(n, d) chosen minus rejected, and (n,) whether both are known."""
    (chosen, one), (rejected, other) = (unpacked(embedding.struct.field(side)) for side in ("chosen", "rejected"))
    if not one.any() or not other.any():
        width = max(chosen.shape[1], rejected.shape[1])
        return np.zeros((len(one), width), np.float32), one & other
    return np.where((one & other)[:, None], chosen - rejected, np.float32(0)), one & other


def sampled(parts: Parts, seed: int) -> pl.DataFrame:
    """row and group of a seeded sample of whole groups, of pairs with two different answers, each pair once."""
    low, high = pl.min_horizontal("hash_chosen", "hash_rejected"), pl.max_horizontal("hash_chosen", "hash_rejected")
    frames = [
        f.drop_nulls().select("row", "group", a=low, b=high)
        for f in parts(["row", "hash_chosen", "hash_rejected", "group"])
    ]
    rows = pl.concat(frames).filter(pl.col("a") != pl.col("b")).unique(["a", "b"], keep="first", maintain_order=True)
    if rows.height < 20:
        raise ValueError(f"a lens needs 20 distinct pairs with two different answers, here are {rows.height}")
    rows = rows.sort("row").select("row", "group")
    return rows.filter(pl.Series(sample_groups(rows["group"].to_numpy(), SAMPLE, seed)))


def _rows(parts: Parts, columns: list[str], rows: pl.Series) -> list[pl.DataFrame]:
    wanted = rows.to_frame("row")
    return [f.join(wanted, on="row", how="semi", maintain_order="left") for f in parts(["row", *columns])]


def _differences(parts: Parts, pairs: pl.DataFrame) -> NDArray[np.float32]:
    found = [difference(f["embedding"])[0] for f in _rows(parts, ["embedding"], pairs["row"]) if f.height]
    return np.concatenate(found)


def _choices(parts: Parts, pairs: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) 1 where chosen is preferred and 1/2 in a tie, and (n,) log-ratios of lengths."""
    told = pl.concat([
        f.select("label", *(pl.col(side).struct.field("chars").alias(side) for side in ("c", "r")))
        for f in _rows(parts, ["label", "c", "r"], pairs["row"])
    ])  # fmt: skip
    y = np.where((told["label"] == "chosen").to_numpy(), 1.0, 0.5)
    sizes = [told[side].cast(pl.Float64).fill_null(float("nan")).to_numpy() for side in ("c", "r")]
    return y, length_ratio(*sizes)


def _measured(lens: lenses.Sae, x: NDArray[np.float32], held: NDArray[np.bool_]) -> dict[str, Any]:
    """Held-out variance explained by the lens, and by principal components with as many active."""
    turn, _ = lenses.principal(x[~held], lens.features)
    components = lenses.Sae(turn.T.copy(), turn, lens.active)
    few = np.asarray(x[held] @ turn[: lens.active].T @ turn[: lens.active], np.float32)
    z = lens.encode(x[held])
    return {
        "explained": lenses.explained(x[held], lens.decode(z)),
        "explained_pca": lenses.explained(x[held], few),
        "explained_pca_chosen": lenses.explained(x[held], components.decode(components.encode(x[held]))),
        "active_held": float((z != 0).sum(1).mean()) if len(z) else 0.0,
    }


def _named(parts: Parts, pairs: pl.DataFrame, z: NDArray[np.float32], held: NDArray[np.bool_],
           seed: int) -> list[dict[str, Any]]:  # fmt: skip
    """For each feature its name, and the terms and properties behind it."""
    some = sample_groups(pairs["group"].to_numpy(), NAMED, seed)
    texts = pl.concat(_rows(parts, ["chosen", "rejected", "c", "r"], pairs["row"].filter(pl.Series(some))))
    fields = {f.name for f in texts.schema["c"].fields}  # type: ignore[attr-defined]
    properties = {words: _property(texts, name) for name, words in PROPERTIES.items() if name in fields}
    terms = lenses.Terms.of(texts["chosen"], texts["rejected"])
    told = lenses.names(z[some], terms, properties, held[some])
    plain = [([t._asdict() for t in name.terms], [p._asdict() for p in name.properties]) for name in told]
    return [{"name": str(n), "terms": t, "properties": p} for n, (t, p) in zip(told, plain, strict=True)]


def _property(texts: pl.DataFrame, name: str) -> NDArray[np.float32]:
    sides = [texts[side].struct.field(name).cast(pl.Float32).fill_null(float("nan")).to_numpy() for side in ("c", "r")]
    return np.asarray(sides[0] - sides[1])

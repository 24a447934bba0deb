"""`embed`: a vector of each answer, once for the lens, the heads and whoever else needs one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import models
from prefaudit.core import Apply, AuditError, Parts, UsageError
from prefaudit.lens.anchor import anchored
from prefaudit.lens.saved import Saved, kept
from prefaudit.models.base import both, packed

EMBEDDING = pl.Struct({"chosen": pl.Binary, "rejected": pl.Binary, "cut": pl.Int8})
SAMPLE = 15_000  # pairs on which the lexical embedder is fitted
FEW, MOST = 500, 64  # pairs that choose the features of a pretrained autoencoder, and how many are chosen
HASHES = ["hash_prompt", "hash_chosen", "hash_rejected"]


@dataclass(frozen=True)
class Embed:
    """`embedding`: the vectors of chosen and rejected as float16 bytes, read with `models.base.unpacked`.

    A pair with one answer has one vector. Texts that stand in a part more than once are read once, and models other
    than `lexical` keep what they read between parts and audits. The columns are working material: no rule and no
    report sees them.

    Attributes:
        embedder: lexical, minilm, a hub id, a folder (MODEL@N after N of its blocks), or the URL of a server; empty
            chooses when the pairs are counted.
        embedder_revision: what tells two versions of it apart beforehand, where something does.
        lens: a lens that is there already: it brings its embedder with it.
        lens_features: how many features of a pretrained autoencoder; of no meaning otherwise.
    """

    embedder: str = ""
    embedder_revision: str = ""
    lens: str = ""
    lens_features: int = 0

    name: ClassVar[str] = "embed"
    version: ClassVar[int] = 3
    learns: ClassVar[bool] = True
    hidden: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("prompt", "chosen", "rejected", *HASHES)
    needs: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Note which weights are there: other ones are another measurement."""
        object.__setattr__(self, "embedder", models.canonical(self.embedder))
        if not self.embedder_revision:
            object.__setattr__(self, "embedder_revision", self._revision())

    def _revision(self) -> str:
        if not self.lens:
            return models.identity(self.embedder)
        try:
            saved = kept(self.lens)
        except AuditError:  # settled() says so
            return ""
        lens = models.identity(self.lens.partition("#")[0])
        return lens if saved is None else f"{lens} {models.identity(saved.embedder)}"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct; `cut` counts the answers that were longer than the embedder reads."""
        return {"embedding": EMBEDDING}

    def settled(self, pairs: int) -> Embed:
        """The same with its embedder chosen for so many pairs."""
        if not self.lens:
            name = self.embedder or models.default(pairs)[0]
            return replace(self, embedder=name, lens_features=0)
        saved = kept(self.lens)
        if saved is None:
            return replace(self, embedder=self.lens, lens_features=self.lens_features or MOST)
        if self.embedder not in ("", saved.embedder):
            raise UsageError(f"--lens {self.lens} reads the vectors of {saved.embedder}", "leave --embedder out")
        return replace(self, embedder=saved.embedder, lens_features=0)

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """One row: what the embedder is; for `lexical` the fit itself, on a seeded sample of pairs; for a model the
        anchor of a lens, `anchored` differences that do not depend on the data.

        Of a pretrained autoencoder: the features that differ most between the answers of a seeded sample of pairs.
        """
        saved = kept(self.lens) if self.lens else None
        if saved is not None and saved.words:
            known = self._embedder(saved.words, saved.scale)
            self._same(saved, known)
            return _described(known).with_columns(held=pl.lit(saved.words), fitted=pl.lit(0), scale=pl.lit(saved.scale))
        if self.pretrained:
            *sides, prompts = sample(parts, seed, FEW, "prompt")
            whole = models.Pretrained(self.embedder)
            features = models.varied([whole.embed(side, said(prompts)).values for side in sides], self.lens_features)
            told = json.dumps(features).encode()
            return _described(models.Pretrained(self.embedder, features)).with_columns(
                held=pl.lit(told), fitted=pl.lit(len(prompts))
            )
        if self.embedder == "lexical" or self.embedder.endswith(models.BESIDE):
            chosen, rejected = sample(parts, seed, SAMPLE)
            words = models.Lexical.fit(chosen, rejected, seed)
            made: models.Embedder = words
            held, scale = words.to_bytes(), 1.0
            if self.embedder != "lexical":
                first, second, prompts = sample(parts, seed, FEW, "prompt")
                model = models.embedder(self.embedder.removesuffix(models.BESIDE))
                views = models.Views.fit(model, words, first, second, said(prompts))
                made, scale = views, views.scale
            return _described(made).with_columns(held=pl.lit(held), fitted=pl.lit(len(chosen)), scale=pl.lit(scale))
        plain = models.embedder(self.embedder)
        state = _described(plain).with_columns(held=pl.lit(b""), fitted=pl.lit(0))
        if saved is not None:
            self._same(saved, plain)
            return state
        fixed = anchored(plain)
        return state.with_columns(anchor=pl.lit(fixed.tobytes()), anchored=pl.lit(len(fixed)))

    def _same(self, saved: Saved, model: models.Embedder) -> None:
        if saved.revision != model.revision:
            was, found = saved.revision or "(none)", model.revision or "(none)"
            raise AuditError(f"--lens {self.lens} reads {saved.embedder}, revision {was}, and here is {found}",
                             "fit it anew with --embedder")  # fmt: skip

    @property
    def pretrained(self) -> bool:
        """Whether the vectors are activations of a pretrained autoencoder."""
        return bool(self.lens) and self.embedder == self.lens

    def _embedder(self, held: bytes, scale: float) -> models.Embedder:
        if self.pretrained:
            return models.Cached(models.Pretrained(self.embedder, tuple(json.loads(held))))
        if self.embedder.endswith(models.BESIDE):
            model = models.embedder(self.embedder.removesuffix(models.BESIDE))
            return models.Views(model, models.Lexical.from_bytes(held), scale)
        return models.Lexical.from_bytes(held) if self.embedder == "lexical" else models.embedder(self.embedder)

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part.

        Raises (from the function):
            ModelError: the model failed.
        """
        if state is None:
            raise ValueError("the embedder is what fit returned")
        embedder = self._embedder(state["held"][0], state["scale"][0] if "scale" in state.columns else 1.0)

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            both_sides = pl.concat([frame["chosen"], frame["rejected"]])
            known = both_sides.is_not_null().to_numpy()
            keys = pl.concat([frame["hash_chosen"], frame["hash_rejected"]]).to_frame("answer")
            prompts = None
            if both(embedder.template):
                twice = pl.concat([frame["prompt"], frame["prompt"]])
                keys = keys.with_columns(asked=pl.concat([frame["hash_prompt"], frame["hash_prompt"]]))
                prompts = said(twice)
            first, back = _distinct(keys, known)
            found = embedder.embed(both_sides.gather(first), None if prompts is None else prompts.gather(first))
            column = packed(found.values[back], known)
            cut = np.zeros(len(known), np.int8)
            cut[known] = found.cut[back]
            n = frame.height
            columns = [column[:n].alias("chosen"), column[n:].alias("rejected"), pl.Series("cut", cut[:n] + cut[n:])]
            return frame.select("row").with_columns(pl.DataFrame(columns).to_struct("embedding"))

        return apply


def said(prompts: pl.Series) -> pl.Series:
    """Each prompt as one text: a lone user turn as it stands, else every turn after its role."""
    line = pl.concat_str(pl.element().struct.field("role"), pl.lit(": "), pl.element().struct.field("content"))
    frame = pl.DataFrame({"prompt": prompts}).select(
        pl.when(pl.col("prompt").list.len() == 1)
        .then(pl.col("prompt").list.first().struct.field("content"))
        .otherwise(pl.col("prompt").list.eval(line).list.join("\n\n"))
        .fill_null("")
    )
    return frame.to_series()


def _distinct(keys: pl.DataFrame, known: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each distinct known text stands first, and for each known text which of these it is."""
    index = np.flatnonzero(known)
    rows = keys[index].with_columns(at=pl.Series(index))
    first = pl.col("at").first().over(keys.columns)
    where = rows.select(first)["at"].to_numpy()
    places, back = np.unique(where, return_inverse=True)
    return places, back


def sample(parts: Parts, seed: int, most: int, *more: str) -> tuple[pl.Series, ...]:
    """Chosen and rejected texts of a seeded sample of distinct pairs, and `more` columns, in the order of the draw.

    The draw goes by the texts' hashes, so that neither the parts nor their order changes it.
    """
    frames = [f.drop_nulls().select("row", a=pl.min_horizontal(*HASHES[1:]), b=pl.max_horizontal(*HASHES[1:]))
              for f in parts(["row", *HASHES[1:]])]  # fmt: skip
    rows = pl.concat(frames).filter(pl.col("a") != pl.col("b")).unique(["a", "b"], keep="first", maintain_order=True)
    if not rows.height:
        raise ValueError("no pair has two different answers")
    mixed = _mixed(rows["a"].to_numpy() ^ (rows["b"].to_numpy() * np.uint64(0x9E3779B97F4A7C15)), seed)
    order = np.argsort(mixed, kind="stable")[:most]
    drawn = pl.DataFrame({"row": rows["row"].gather(order), "place": np.arange(len(order))})
    texts = [f.join(drawn, on="row") for f in parts(["row", "chosen", "rejected", *more])]
    told = pl.concat(texts).sort("place")
    return told["chosen"], told["rejected"], *(told[name] for name in more)


def _mixed(keys: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """splitmix64's finaliser: keys in an order that the seed draws."""
    x = keys + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _described(embedder: models.Embedder) -> pl.DataFrame:
    return pl.DataFrame({"embedder": [embedder.name], "revision": [embedder.revision], "template": [embedder.template],
                         "limit": [embedder.limit]}, schema_overrides={"limit": pl.Int64})  # fmt: skip

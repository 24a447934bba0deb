"""Which pairs are not independent: equal or nearly equal prompts, one first turn, one answer under several prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors import _near
from prefaudit.extractors._normal import end_keys, first_turn, normal_keys, said
from prefaudit.stats.groups import components, dense

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]

PROMPT = pl.Struct({"first_row": pl.Int64, "group": pl.Int64, "row": pl.Int64, "jaccard": pl.List(pl.Float64)})
STATE: dict[str, pl.DataType] = {**dict.fromkeys(("row", "group", "first_row", "alike", "other"), pl.Int64()),
                                 "jaccard": pl.List(pl.Float64())}  # fmt: skip


@dataclass(frozen=True)
class Groups:
    """`group`: rows that share a prompt, a near-duplicate of it, a first human turn or an answer.

    Equal means after normalisation of case, whitespace and punctuation. What says nothing links nothing: empty and
    short texts, an answer given under many prompts, a first turn that opens very many conversations. Two passes keep
    about 100 bytes a row; texts are held a part at a time.

    `near_prompt`: `first_row`, the first row with an equal prompt (null where the prompt says nothing); `row`, the
    first with the other prompt that is most like it, `jaccard` of their sets of words, of pairs of words and of three
    words in a row, and `group`, which numbers prompts linked by a Jaccard of `alike` and more of pairs of words.
    """

    near: bool = True
    jaccard: float = 0.8  # prompts as like as this are one `group`
    alike: float = _near.ALIKE
    least_turn: int = 16  # bytes of letters and digits; "Hi", "Hello there" open unrelated conversations
    least_answer: int = 40
    boilerplate: int = 5  # an answer under more different prompts than this links none of them
    opener: int = 100  # a first turn of more different prompts than this, and than 1 % of all, links none of them

    name: ClassVar[str] = "groups"
    version: ClassVar[int] = 3
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One id a row, and what is said of its prompt."""
        return {"group": pl.Int64(), "near_prompt": PROMPT}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """Connected components over all rows, and near-duplicate prompts: STATE, in reading order."""
        columns = ["row", "prompt", "hash_prompt", "chosen", "rejected"]
        found = [_Part.of(frame, self, seed) for frame in parts(columns)]
        if not found:
            return pl.DataFrame(schema=STATE)
        row, prompt, turn = (np.concatenate([getattr(p, k) for p in found]) for k in ("row", "prompt", "turn"))
        ends = np.concatenate([p.ends for p in found])
        answers = _rare(_answers(ends, parts, self.least_answer), prompt, self.boilerplate)
        turn = _rare(turn[:, None], prompt, max(self.opener, pl.Series(prompt).n_unique() // 100))
        first = _firsts(prompt)
        near, numbered = _alike(prompt, first, found, parts) if self.near else (_near.NONE, np.zeros(0, np.int64))
        linked = _near.joined(near, len(numbered), self.jaccard)
        keys = [prompt, turn, answers, _spread(linked + 1, numbered, prompt, first).astype(np.uint64)]
        state = pl.DataFrame({"row": row, "group": components(keys, len(row)), "first_row": row[first]})
        state = state.with_columns(pl.when(pl.Series(prompt != 0)).then("first_row"))
        said = self._said(near, numbered, row)
        return state.join(said, on="first_row", how="left", maintain_order="left").select(*STATE).cast(STATE)  # type: ignore[arg-type]

    def _said(self, near: _near.Near, numbered: Ints, row: Ints) -> pl.DataFrame:
        """Of every prompt that is like another, by the first row with it: its group, the other one's row, how much."""
        best = _near.nearest(near)
        group = _near.joined(near, len(numbered), self.alike)[best.left]
        some = group >= 0
        named = np.full(len(group), -1, np.int64)
        named[some] = dense(group[some])
        schema = {"first_row": pl.Int64, **{k: STATE[k] for k in ("alike", "other", "jaccard")}}
        return pl.DataFrame({
            "first_row": row[numbered[best.left]], "alike": pl.Series(named).replace(-1, None),
            "other": row[numbered[best.right]], "jaccard": best.jaccard.astype(np.float64)}).cast(schema)  # type: ignore[arg-type]  # fmt: skip

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("groups are looked up in what fit returned")
        row = state["row"].to_numpy()
        told = state.select("group", near_prompt=pl.struct("first_row", group="alike", row="other", jaccard="jaccard"))

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            wanted = frame["row"].to_numpy()
            at = np.minimum(np.searchsorted(row, wanted), max(len(row) - 1, 0))
            if len(wanted) and (len(row) == 0 or not (row[at] == wanted).all()):
                raise ValueError("rows that were not there when groups were found")
            return frame.select("row").hstack(told[at])

        return apply


def _firsts(prompt: Keys) -> Ints:
    """For each row the position of the first one with its key."""
    _, first, back = np.unique(prompt, return_index=True, return_inverse=True)
    return np.asarray(first[back.reshape(-1)], np.int64)


def _alike(prompt: Keys, first: Ints, found: list[_Part], parts: Parts) -> tuple[_near.Near, Ints]:
    """Verified near-duplicates among the different prompts, and the position of the first row with each of these."""
    key, at = np.unique(np.concatenate([p.sketch_key for p in found]), return_index=True)
    ordered, index = np.unique(prompt, return_index=True)
    places = index[np.searchsorted(ordered, key)]
    order = np.argsort(places, kind="stable")
    numbered, at = places[order], at[order]
    sketch = np.empty((len(at), _near.BANDS), np.uint32)
    for band in range(_near.BANDS):  # one at a time: all of them are most of what is held
        sketch[:, band] = np.concatenate([p.sketch[:, band] for p in found])[at]
    found.clear()
    left, right = _near.candidates(sketch)
    del sketch
    return _near.verified(left, right, lambda wanted: read_prompts(parts, numbered[wanted])), numbered


def _spread(value: Ints, numbered: Ints, prompt: Keys, first: Ints) -> Ints:
    """The values of prompts at all rows that have them; 0 elsewhere."""
    out = np.zeros(len(prompt), np.int64)
    out[numbered] = value
    return np.where(prompt != 0, out[first], 0)


def read_prompts(parts: Parts, places: Ints) -> Iterator[pl.Series]:
    """The prompts at these positions (ascending), one series a part."""
    at = 0
    for frame in parts(["prompt"]) if len(places) else ():
        low, high = np.searchsorted(places, [at, at + frame.height])
        if high > low:
            yield said(frame["prompt"].gather(places[low:high] - at))
        at += frame.height


@dataclass(frozen=True)
class _Part:
    """What is kept of one part."""

    row: Ints
    prompt: Keys
    turn: Keys
    ends: Keys  # (n, 2) cheap keys of chosen and rejected, 0 where null
    sketch_key: Keys  # (m,) distinct prompts that are long enough
    sketch: _near.Tokens  # (m, bands)

    @classmethod
    def of(cls, frame: pl.DataFrame, recipe: Groups, seed: int) -> _Part:
        _, first, inverse = np.unique(
            frame["hash_prompt"].fill_null(0).to_numpy(), return_index=True, return_inverse=True
        )
        prompts = frame["prompt"].gather(first)
        text = said(prompts)
        key, size = normal_keys(text)
        turn = key.copy()
        opening = first_turn(prompts)
        longer = np.flatnonzero(opening.ne_missing(text).to_numpy())  # more than one turn
        turn[longer], size[longer] = normal_keys(opening.gather(longer))
        turn[size < recipe.least_turn] = 0
        ends = []
        for side in ("chosen", "rejected"):
            null = frame[side].is_null().to_numpy()
            ends.append(np.where(null, np.uint64(0), end_keys(frame[side])))
        sketch = np.zeros((0, _near.BANDS), np.uint32)
        some = np.zeros(0, np.int64)
        if recipe.near:
            sketch = _near.sketches(text, seed)
            some = np.flatnonzero((sketch[:, 0] != 0) & (key != 0))
            sketch = sketch[some]
        back = inverse.reshape(-1)
        return cls(frame["row"].to_numpy(), key[back], turn[back], np.stack(ends, 1), key[some], sketch)


def _answers(ends: Keys, parts: Parts, least: int) -> Keys:
    """(n, 2) keys that are equal where answers are equal after normalisation; 0 for short ones and for single ones.

    Only answers that share both ends with another are read again and hashed whole.
    """
    flat = ends.reshape(-1)
    order = np.argsort(flat, kind="stable")
    same = (flat[order][1:] == flat[order][:-1]) & (flat[order][1:] != 0)
    repeated = np.zeros(len(flat), bool)
    repeated[order[1:][same]] = True
    repeated[order[:-1][same]] = True
    marked = repeated.reshape(ends.shape)
    out = np.zeros(ends.shape, np.uint64)
    at = 0
    for frame in parts(["chosen", "rejected"]) if repeated.any() else ():
        for k, side in enumerate(("chosen", "rejected")):
            rows = np.flatnonzero(marked[at : at + frame.height, k])
            if len(rows):
                key, size = normal_keys(frame[side].gather(rows))
                out[at + rows, k] = np.where(size < least, np.uint64(0), key)
        at += frame.height
    return out


def _rare(keys: Keys, prompt: Keys, limit: int) -> Keys:
    """The keys (n, k), 0 where a key stands beside more different prompts than the limit."""
    frame = pl.DataFrame({"key": keys.reshape(-1), "prompt": np.repeat(prompt, keys.shape[1])})
    seen = frame.filter(pl.col("key") != 0).group_by("key").agg(n=pl.col("prompt").n_unique())
    common = seen.filter(pl.col("n") > limit)["key"].to_numpy()
    return np.where(np.isin(keys, common), np.uint64(0), keys)

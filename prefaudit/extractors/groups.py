"""Which pairs are not independent: equal or nearly equal prompts, one first turn, one answer under several prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors import _near
from prefaudit.extractors._normal import end_keys, first_turn, normal_keys, said
from prefaudit.stats.groups import components

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """`group`: rows that share a prompt, a near-duplicate of it, a first human turn or an answer.

    Equal means after normalisation of case, whitespace and punctuation. What says nothing links nothing: empty and
    short texts, an answer given under many prompts, a first turn that opens very many conversations. Two passes keep
    about 80 bytes a row; texts are held a part at a time.
    """

    near: bool = True
    jaccard: float = _near.JACCARD
    least_turn: int = 16  # bytes of letters and digits; "Hi", "Hello there" open unrelated conversations
    least_answer: int = 40
    boilerplate: int = 5  # an answer under more different prompts than this links none of them
    opener: int = 100  # a first turn of more different prompts than this, and than 1 % of all, links none of them

    name: ClassVar[str] = "groups"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One id a row."""
        return {"group": pl.Int64()}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """Connected components over all rows: a frame of row and group, in reading order."""
        columns = ["row", "prompt", "hash_prompt", "chosen", "rejected"]
        found = [_Part.of(frame, self, seed) for frame in parts(columns)]
        if not found:
            return pl.DataFrame(schema={"row": pl.Int64, "group": pl.Int64})
        row, prompt, turn = (np.concatenate([getattr(p, k) for p in found]) for k in ("row", "prompt", "turn"))
        ends = np.concatenate([p.ends for p in found])
        answers = _rare(_answers(ends, parts, self.least_answer), prompt, self.boilerplate)
        turn = _rare(turn[:, None], prompt, max(self.opener, pl.Series(prompt).n_unique() // 100))
        keys = [prompt, turn, answers]
        if self.near:
            keys.append(self._near(prompt, found, parts))
        return pl.DataFrame({"row": row, "group": components(keys, len(row))})

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row's group up."""
        if state is None:
            raise ValueError("groups are looked up in what fit returned")
        row, group = state["row"].to_numpy(), state["group"].to_numpy()

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            wanted = frame["row"].to_numpy()
            at = np.minimum(np.searchsorted(row, wanted), max(len(row) - 1, 0))
            if len(wanted) and (len(row) == 0 or not (row[at] == wanted).all()):
                raise ValueError("rows that were not there when groups were found")
            return pl.DataFrame({"row": wanted, "group": group[at]}, schema={"row": pl.Int64, **self.columns})

        return apply

    def _near(self, prompt: Keys, found: list[_Part], parts: Parts) -> Keys:
        """A key for each row that is the same for prompts joined by verified near-duplicates; 0 elsewhere."""
        sketch_key = np.concatenate([p.sketch_key for p in found])
        distinct, at = np.unique(sketch_key, return_index=True)
        left, right = _near.candidates(np.concatenate([p.sketch for p in found])[at])
        if len(left) == 0:
            return np.zeros(len(prompt), np.uint64)
        wanted = np.unique(np.concatenate([left, right]))
        tokens, offsets, position = _tokens(distinct[wanted], prompt, parts)
        place = np.full(len(distinct), -1, np.int64)
        place[wanted] = position
        alike = _near.jaccard(tokens, offsets, place[left], place[right]) >= self.jaccard
        label = _join(left[alike], right[alike], len(distinct))
        index = np.minimum(np.searchsorted(distinct, prompt), len(distinct) - 1)
        known = (distinct[index] == prompt) & (prompt != 0)
        return np.where(known, label[index].astype(np.uint64) + np.uint64(1), np.uint64(0))


def _join(left: Ints, right: Ints, n: int) -> Ints:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


@dataclass(frozen=True)
class _Part:
    """What is kept of one part."""

    row: Ints
    prompt: Keys
    turn: Keys
    ends: Keys  # (n, 2) cheap keys of chosen and rejected, 0 where null
    sketch_key: Keys  # (m,) distinct prompts that are long enough
    sketch: NDArray[np.uint32]  # (m, bands)

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
            tokens, offsets = _near.shingles(text)
            some = np.flatnonzero((np.diff(offsets) > 0) & (key != 0))
            sketch = _near.bands(tokens, offsets, seed)[some]
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


def _tokens(wanted: Keys, prompt: Keys, parts: Parts) -> tuple[NDArray[np.uint32], Ints, Ints]:
    """Shingles of the prompts with the wanted keys (sorted), read again; offsets; position of each wanted key."""
    index = np.minimum(np.searchsorted(wanted, prompt), len(wanted) - 1)
    hit = np.flatnonzero(wanted[index] == prompt)
    _, first = np.unique(prompt[hit], return_index=True)
    rows = np.sort(hit[first])  # the first row with each wanted prompt
    pieces, counts, at = [], [], 0
    for frame in parts(["prompt"]):
        here = rows[(rows >= at) & (rows < at + frame.height)] - at
        tokens, offsets = _near.shingles(said(frame["prompt"].gather(here)))
        pieces.append(tokens)
        counts.append(np.diff(offsets))
        at += frame.height
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    position = np.argsort(np.searchsorted(wanted, prompt[rows]))
    return np.concatenate(pieces), offsets, position

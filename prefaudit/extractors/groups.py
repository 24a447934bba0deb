"""Which pairs are not independent: equal or nearly equal prompts, one first turn, one answer under several prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts
from prefaudit.extractors import _near
from prefaudit.extractors._normal import end_keys, first_turn, normal_keys, said
from prefaudit.extractors._sketch import WORDS, Tokens, shingles, slices, words
from prefaudit.stats.groups import Union, distinct
from prefaudit.store.spill import BLOCK, Column, ranges, release, repeated

Keys = NDArray[np.uint64]
Ints = NDArray[np.integer[Any]]
Ints32 = NDArray[np.int32]

_TOKENS = 1 << 20  # words read back at a time

PROMPT = pl.Struct({"first_row": pl.Int64, "group": pl.Int64, "row": pl.Int64, "jaccard": pl.List(pl.Float64)})
STATE: dict[str, pl.DataType] = {**dict.fromkeys(("row", "group", "first_row", "alike", "other"), pl.Int32()),
                                 **dict.fromkeys(_near.JACCARD, pl.Float32())}  # fmt: skip


@dataclass(frozen=True)
class Groups:
    """`group`: rows that share a prompt, a near-duplicate of it, a first human turn or an answer.

    Equal means after normalisation of case, whitespace and punctuation. What says nothing links nothing: empty and
    short texts, an answer given under many prompts, a first turn that opens very many conversations. Keys, sketches and
    candidates lie on disk; some 20 bytes a row are held, and texts a part at a time.

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
    version: ClassVar[int] = 4
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    by_pair: ClassVar[bool] = True
    gives: ClassVar[tuple[str, ...]] = ("row", "group")

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One id a row, and what is said of its prompt."""
        return {"group": pl.Int64(), "near_prompt": PROMPT}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """Connected components over all rows, and near-duplicate prompts: STATE, in reading order."""
        return pl.concat([pl.DataFrame(schema=STATE), *self.pieces(parts, seed)])

    def pieces(self, parts: Parts, seed: int) -> Iterator[pl.DataFrame]:
        """What `fit` gives, some rows at a time."""
        keys = _Keys()
        for frame in parts(["row", "prompt", "hash_prompt", "chosen", "rejected"]):
            keys.add(frame, self, seed)
        release()
        first, empty = _firsts(keys.prompt)
        some, parent = 0, first.copy()
        for at in _runs(len(first)):
            own = np.arange(at.start, at.stop)
            some += int((first[at] == own).sum())
            alone = first[at] == empty
            parent[at][alone] = own[alone]
        sets = Union(len(first), parent)
        for places, (key,) in ranges(keys.turn):
            _link(sets, key, places, first, max(self.opener, some // 100))
        place, answer = _answers(keys.ends, parts, self.least_answer)
        release()
        for _, (key, where) in ranges(answer, place):
            _link(sets, key, where >> 1, first, self.boilerplate)
        numbered = keys.distinct(first)
        held = Column(np.int32, [first])
        del first, parent  # not needed until the end
        said = self._near(keys, numbered, sets) if self.near else _NOTHING
        release()
        yield from _state(keys.row.read(0, len(held)), sets.all(), held.read(0, len(held)), empty, said)

    def _near(self, keys: _Keys, numbered: Ints32, sets: Union) -> _Said:
        """Verified near-duplicates among the different prompts: those very much alike are linked, the rest is told."""
        pairs = _near.candidates(keys.sketches)
        keys.sketches = _near.Sketches()
        found = _near.Verified(pairs, len(numbered), lambda at: keys.words(numbered[at]))
        places, links = numbered[found.texts], _near.Links(len(found.texts), self.alike)
        numbered, found.texts = places, places[:0]  # the others are not needed again
        del pairs
        for near in found.kept():
            links.add(near)
            strong = near.jaccard[:, 0] >= np.float32(self.jaccard)
            sets.join(places[near.left[strong]], places[near.right[strong]])
        near, group = links.told()
        return _Said(places[near.left], group, places[near.right], found.told(near))

    def load(self, state: pl.DataFrame | None) -> Apply:
        """Look each row up."""
        if state is None:
            raise ValueError("groups are looked up in what fit returned")
        row = state["row"].to_numpy()
        jaccard = pl.when(pl.col("other").is_not_null()).then(pl.concat_list(_near.JACCARD))
        near = pl.struct("first_row", group="alike", row="other", jaccard=jaccard).cast(PROMPT)

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            wanted = frame["row"].to_numpy()
            at = np.minimum(np.searchsorted(row, wanted), max(len(row) - 1, 0))
            if len(wanted) and (len(row) == 0 or not (row[at] == wanted).all()):
                raise ValueError("rows that were not there when groups were found")
            return frame.select("row").hstack(state[at].select(pl.col("group").cast(pl.Int64), near_prompt=near))

        return apply


class _Said(NamedTuple):
    """Of prompts that are like another: where they first stand, their group or -1, where that other one does."""

    places: Ints
    group: Ints
    other: Ints
    jaccard: _near.Floats


_NOTHING = _Said(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros((0, 3), np.float32))


def _state(row: Ints32, root: Ints, first: Ints32, empty: int, said: _Said) -> Iterator[pl.DataFrame]:
    """STATE, some rows at a time; the numbers of groups are in the order of their first rows.

    Args:
        row: n row numbers.
        root: the lowest member of each row's set; overwritten by the numbers.
        first: of each row the first one with the same prompt.
        empty: the first row without one, -1 for none.
        said: of prompts.
    """
    groups = 0
    values = {"alike": pl.Series(said.group).replace(-1, None), "other": row[said.other],
              **dict(zip(_near.JACCARD, said.jaccard.T, strict=True))}  # fmt: skip
    of_prompts = {name: pl.Series(name, value).cast(STATE[name]) for name, value in values.items()}
    for at in _runs(len(row)):
        here = root[at].copy()
        begins = np.flatnonzero(here == np.arange(at.start, at.stop)) + at.start
        root[begins] = np.arange(groups, groups + len(begins))  # its members, which stand behind it, find it there
        root[at] = root[here]
        groups += len(begins)
        none = pl.Series(first[at] == empty)
        told = np.minimum(np.searchsorted(said.places, first[at]), max(len(said.places) - 1, 0))
        like = said.places[told] == first[at] if len(said.places) else np.zeros(len(told), bool)
        columns = {"row": row[at], "group": root[at], "first_row": pl.Series(row[first[at]]).set(none, None)}
        place = pl.Series(told).set(pl.Series(~like), None)
        columns |= {name: value.gather(place) for name, value in of_prompts.items()}
        yield pl.DataFrame(columns).cast(STATE)  # type: ignore[arg-type]


def _runs(n: int) -> Iterator[slice]:
    return (slice(low, min(low + BLOCK, n)) for low in range(0, n, BLOCK))


def _firsts(prompt: Column) -> tuple[Ints32, int]:
    """For each row the position of the first one with its key, and that of the first row without one (else -1)."""
    first = np.zeros(len(prompt), np.int32)
    for places, (key,) in ranges(prompt):
        order = np.argsort(key, kind="stable")
        begins = np.append(True, np.diff(key[order]) != 0) if len(key) else np.zeros(0, bool)
        first[places[order]] = places[order[begins]][np.cumsum(begins) - 1]
    empty = -1
    for low, block in prompt.blocks():
        none = np.flatnonzero(block == 0) + low
        if len(none):
            empty = int(none[0]) if empty < 0 else empty
            first[none] = empty
    return first, empty


def _link(sets: Union, keys: Keys, places: Ints, first: Ints32, limit: int) -> None:
    """Bring the rows with one key together, unless it stands beside more different prompts than the limit."""
    ordered = np.sort(keys)
    again = distinct(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(again):
        return
    at = np.minimum(np.searchsorted(again, keys), len(again) - 1)
    some = np.flatnonzero(again[at] == keys)
    key, place = at[some], places[some]
    pairs = distinct((key.astype(np.uint64) << np.uint64(32)) | first[place].astype(np.uint64))
    common = np.bincount((pairs >> np.uint64(32)).astype(np.int64), minlength=len(again)) > limit
    key, place = key[~common[key]], place[~common[key]]
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(np.diff(key[order]) == 0)
    sets.join(place[order[same]], place[order[same + 1]])


def read_prompts(parts: Parts, places: Ints) -> Iterator[pl.Series]:
    """The prompts at these positions (ascending), one series a part."""
    at = 0
    for frame in parts(["prompt"]) if len(places) else ():
        low, high = np.searchsorted(places, [at, at + frame.height])
        if high > low:
            yield said(frame["prompt"].gather(places[low:high] - at))
        at += frame.height


class _Keys:
    """What is kept of every row, and the sketch of every prompt that is long enough; on disk."""

    def __init__(self) -> None:
        self.row = Column(np.int32)
        self.prompt, self.turn, self.ends = Column(np.uint64), Column(np.uint64), Column(np.uint64)
        self._place, self._size, self._words = Column(np.int32), Column(np.uint32), Column(np.uint32)
        self.sketches = _near.Sketches()

    def add(self, frame: pl.DataFrame, recipe: Groups, seed: int) -> None:
        """Take in a part."""
        _, first, inverse = np.unique(
            frame["hash_prompt"].fill_null(0).to_numpy(), return_index=True, return_inverse=True
        )
        prompts = frame["prompt"].gather(first)
        text = said(prompts)
        key, size = normal_keys(text)
        if recipe.near:
            self._sketch(text, key, first, seed)
        turn = key.copy()
        opening = first_turn(prompts)
        longer = np.flatnonzero(opening.ne_missing(text).to_numpy())  # more than one turn
        turn[longer], size[longer] = normal_keys(opening.gather(longer))
        turn[size < recipe.least_turn] = 0
        ends = []
        for side in ("chosen", "rejected"):  # cheap keys of both answers, 0 where null
            null = frame[side].is_null().to_numpy()
            ends.append(np.where(null, np.uint64(0), end_keys(frame[side])))
        back = inverse.reshape(-1)
        self.prompt.add(key[back])
        self.turn.add(turn[back])
        self.ends.add(np.stack(ends, 1).reshape(-1))
        self.row.add(frame["row"].to_numpy())

    def _sketch(self, text: pl.Series, key: Keys, first: Ints, seed: int) -> None:
        """Sketch each different prompt of the part, as it stands in the first row with it."""
        order = np.argsort(first)
        _, index = np.unique(key[order], return_index=True)
        some = order[np.sort(index)]
        some = some[key[some] != 0]
        at = 0
        for piece in slices(text.gather(some)):
            hashes, sizes = words(piece)
            long = sizes >= WORDS
            self._place.add(first[some[at : at + len(piece)][long]] + len(self.prompt))
            self._size.add(sizes[long])
            self._words.add(hashes[np.repeat(long, sizes)])
            self.sketches.add(*shingles(hashes, sizes), seed, keep=long)
            at += len(piece)

    def distinct(self, first: Ints32) -> Ints32:
        """Where each different prompt first stands, ascending; `sketches` are of these from here on."""
        place = self._place.read(0, len(self._place))
        kept = first[place] == place
        self.sketches = self.sketches.where(kept)
        return np.asarray(place[kept])

    def words(self, places: Ints) -> Iterator[tuple[Tokens, Ints]]:
        """The words of the prompts that were sketched at these places (ascending)."""
        at = 0
        for low, place in self._place.blocks():
            sizes = self._size.read(low, low + len(place)).astype(np.int64)
            wanted = np.isin(place, places)
            ends = at + np.cumsum(sizes)
            for some in np.array_split(np.arange(len(place)), -(-int(sizes.sum()) // _TOKENS)):
                here = self._words.read(int(ends[some[0]] - sizes[some[0]]), int(ends[some[-1]]))
                yield here[np.repeat(wanted[some], sizes[some])], sizes[some][wanted[some]]
            at = int(ends[-1])


def _answers(ends: Column, parts: Parts, least: int) -> tuple[Column, Column]:
    """Places (2 * position + side) of answers that may stand elsewhere too, and keys of what they say: 0 if too little.

    Only answers that share both ends with another are read again and hashed whole.
    """
    again = repeated(ends)
    place, found, at = Column(np.int64), Column(np.uint64), 0
    for frame in parts(["chosen", "rejected"]) if again.any() else ():
        here = again[2 * at : 2 * (at + frame.height)].reshape(-1, 2)
        for k, side in enumerate(("chosen", "rejected")):
            rows = np.flatnonzero(here[:, k])
            if len(rows):
                key, size = normal_keys(frame[side].gather(rows))
                place.add(2 * (at + rows) + k)
                found.add(np.where(size < least, np.uint64(0), key))
        at += frame.height
    return place, found

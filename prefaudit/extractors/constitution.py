"""`constitution`: what the short list of principles that the labels follow says of each pair. docs/principles.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import polars as pl

from prefaudit.core import Apply, Parts, RuleError, fingerprint
from prefaudit.principles import constitution as chosen
from prefaudit.principles import saved
from prefaudit.principles.ask import beside
from prefaudit.principles.constitution import Constitution, Ruled
from prefaudit.principles.library import load
from prefaudit.stats.groups import dense
from prefaudit.stats.sample import MOST, Sample, sizes

VOTED = ("principles",)  # struct columns of votes
ASKED = "asked"  # the list column of a language model's
COLUMNS = pl.Struct({"score": pl.Float64(), "support": pl.Float64(), "opposition": pl.Float64(),
                     "speaking": pl.Int16(), "decides": pl.String()})  # fmt: skip
DIGITS = 6


@dataclass(frozen=True)
class Constitutional:
    """`constitution`: the weighted vote of its rules on each pair, whatever its label.

    `score` is the sum of the weights for the chosen answer (`support`) less those for the rejected one (`opposition`):
    log-odds that a label which follows the list prefers the chosen answer. `speaking` counts the rules that are not
    silent; `decides` names the one whose weight is over that of all others together, empty where none is. Null for a
    reply without another side, and for all pairs where there is no list.

    Attributes:
        constitution: a file with a list chosen before; nothing is chosen anew.
        constitution_print: of its content, made where it is not given.
        llm, votes: a language model or a file votes too, on a sample: the list is then chosen on that sample, and says
            nothing of pairs outside it where one of its rules is theirs. Where every principle of a file is measured
            too, it is chosen on all pairs, of those that are not in the file from the measured votes.
        principles: files of principles, which may be for a reader.
        read: whether a reader votes, made where it is not given: a model does not where a list is given and neither it
            nor these files hold anything that is not measured.
    """

    constitution: str = ""
    constitution_print: str = ""
    llm: str | None = None
    votes: str | None = None
    principles: tuple[str, ...] = ()
    read: bool | None = None

    name: ClassVar[str] = "constitution"
    version: ClassVar[int] = 8
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("label", "hash_chosen", "hash_rejected")
    needs: ClassVar[tuple[str, ...]] = ("groups", *VOTED)

    def __post_init__(self) -> None:
        """Note what the file holds, and whose votes there are."""
        if self.read is None:
            object.__setattr__(self, "read", bool(self.llm or self.votes))
            if self.constitution:
                self._given()
        if self.read:
            object.__setattr__(self, "needs", ("groups", *VOTED, ASKED))

    def _given(self) -> None:
        rules, principles = saved.read(self.constitution)
        unmeasured = any(p.sql is None for p in (*principles, *(p for path in self.principles for p in load(path))))
        object.__setattr__(self, "read", bool(self.votes or (self.llm and unmeasured)))
        if not self.read:
            _answered(self.constitution, rules, {p.id for p in principles if p.sql is not None})
        object.__setattr__(self, "constitution_print", fingerprint((rules, principles)))

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct."""
        return {"constitution": COLUMNS}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """One row: the constitution as JSON, and whether it was given."""
        extra = (ASKED,) if ASKED in self.needs else ()
        alone = bool(self.read) and (bool(self.llm) or any(_alone(f) for f in parts([*VOTED, *extra])))
        sample = _sample(parts, seed, whole=alone)
        # `filter` would keep room for all.
        frames = [_voted(f[np.flatnonzero(sample.holds(f["group"].to_numpy()))], sampled=alone)
                  for f in parts(["row", *self.reads, "group", *VOTED, *extra])]  # fmt: skip
        frame = pl.concat(frames, how="diagonal").filter(
            pl.col("hash_chosen").is_not_null() & pl.col("hash_rejected").is_not_null()
        )
        y = np.where(frame["label"] == "chosen", 1.0, 0.5)
        votes = frame.drop("row", "group", *self.reads)
        group = frame["group"].to_numpy()
        found = chosen.choose(votes, y, dense(group) if sample.share < 1 else group, seed)
        won = frame.filter(pl.Series(y != 0.5))
        marks = saved.marks(won["hash_chosen"].to_numpy(), won["hash_rejected"].to_numpy())
        found = replace(found, answers=saved.kept(marks))
        if self.constitution:
            rules, _ = saved.read(self.constitution)
            _answered(self.constitution, rules, set(votes.columns))
            known = saved.seen(self.constitution, marks)
            found = Constitution(rules, found.n, found.groups, found.total, stats=found.stats, seen=known)
        told = json.dumps(chosen.plain(found), ensure_ascii=False)
        return pl.DataFrame({"told": [told], "given": [bool(self.constitution)]})

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""
        if state is None:
            raise ValueError("the constitution is chosen first")
        rules = stored(state).rules

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            made = said(rules, _voted(frame)).to_struct("constitution")
            known = frame["hash_chosen"].is_not_null() & frame["hash_rejected"].is_not_null()
            if ASKED in frame.columns and not {rule.id for rule in rules} <= _measured(frame):
                known &= frame[ASKED].is_not_null()
            return frame.select("row").with_columns(made.set(~known, None) if rules else _nothing(frame.height))

        return apply


def _alone(frame: pl.DataFrame) -> bool:
    """Whether a file has votes on what is not measured."""
    told = frame[ASKED].drop_nulls().explode()
    return not set(told.struct.field("id").unique().drop_nulls()) <= _measured(frame)


def _sample(parts: Parts, seed: int, whole: bool) -> Sample:
    """The pairs that the statistics of the audit are computed from; all of them if `whole`."""
    hashes = ["hash_chosen", "hash_rejected"]
    size = sizes(f.filter(pl.all_horizontal(pl.col(hashes).is_not_null()))["group"].to_numpy()
                 for f in parts(["group", *hashes]))  # fmt: skip
    return Sample.of(size, int(size.sum()) if whole else MOST, seed)


def _answered(path: str, rules: Sequence[Ruled], known: set[str]) -> None:
    """Whether every rule of a list that is given has votes.

    Raises:
        RuleError: one has none: what the others then say is not what the list says.
    """
    missing = [rule.id for rule in rules if rule.id not in known]
    if missing:
        raise RuleError(f"{path}: nothing votes on {missing[0]!r}: only a reader can judge it",
                        "--llm MODEL --llm-url URL, or --votes FILE")  # fmt: skip


def stored(state: pl.DataFrame) -> Constitution:
    """The constitution that `fit` wrote."""
    return chosen.restored(json.loads(state["told"][0]))


def said(rules: Sequence[Ruled], votes: pl.DataFrame) -> pl.DataFrame:
    """The fields of COLUMNS for n rows of votes."""
    weighted = np.zeros((votes.height, len(rules)))
    for k, rule in enumerate(rules):
        if rule.id in votes.columns:
            weighted[:, k] = rule.sign * rule.weight * votes[rule.id].cast(pl.Float64).fill_null(0).to_numpy()
    support, opposition = np.maximum(weighted, 0).sum(1), np.maximum(-weighted, 0).sum(1)
    size = np.abs(weighted)
    most = size.argmax(1) if len(rules) else np.zeros(votes.height, np.int64)
    alone = 2 * size.max(1, initial=0) > size.sum(1)
    names = pl.Series([*(rule.id for rule in rules), ""], dtype=pl.String)
    return pl.DataFrame(
        {
            "score": np.round(support - opposition, DIGITS) + 0.0,
            "support": np.round(support, DIGITS),
            "opposition": np.round(opposition, DIGITS),
            "speaking": (size > 0).sum(1).astype(np.int16),
            "decides": names.gather(np.where(alone, most, len(rules))),
        }
    )


def _nothing(n: int) -> pl.Series:
    return pl.Series("constitution", [None] * n, dtype=COLUMNS)


def _measured(frame: pl.DataFrame) -> set[str]:
    """The principles that every pair is asked about."""
    return {name for struct in VOTED for name in frame[struct].struct.fields}


def _voted(frame: pl.DataFrame, sampled: bool = False) -> pl.DataFrame:
    """The frame with the votes as columns of their own; of the pairs a reader was asked about alone, if `sampled`."""
    if ASKED in frame.columns and sampled:
        frame = frame.filter(pl.col(ASKED).is_not_null())
    votes = frame.drop(ASKED, strict=False).unnest(*(name for name in VOTED if name in frame.columns))
    return (beside(votes, frame[ASKED]) if ASKED in frame.columns else votes).drop("c", "r", strict=False)

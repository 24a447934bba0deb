"""`asked`: votes on principles by a reader: a language model, on a sample, or a file. docs/principles-llm.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import polars as pl

from prefaudit.core import Apply, Parts, UsageError, fingerprint
from prefaudit.models.chat import connect
from prefaudit.models.minilm import installed
from prefaudit.principles import saved
from prefaudit.principles.annotated import content, read
from prefaudit.principles.ask import LISTED, listed
from prefaudit.principles.discover import PAIRS, Found, Plan, discover
from prefaudit.principles.library import Principle, builtin, load


@dataclass(frozen=True)
class Asked:
    """`asked`: a list of {`id`, `vote`} for a pair of the sample, null for the others: what the constitution reads.

    Principles that stand in the user's files without SQL are voted on; where there is none, the model proposes some.

    Attributes:
        llm: name of the model.
        llm_url: where it is.
        llm_pairs: pairs voted on at most; with a constitution that is given, exactly so many.
        votes: a file with votes that were cast elsewhere; then no model is asked.
        principles: files of principles.
        constitution: a file with a list chosen before.
        asked_print: of the texts in them, made where it is not given.
        embedder: tells which proposals mean the same.
    """

    llm: str | None = None
    llm_url: str | None = None
    llm_pairs: int = PAIRS
    votes: str | None = None
    principles: tuple[str, ...] = ()
    constitution: str = ""
    asked_print: str = ""
    embedder: str | None = None

    name: ClassVar[str] = "asked"
    version: ClassVar[int] = 4
    learns: ClassVar[bool] = True
    hidden: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ("label", "prompt", "chosen", "rejected", "hash_chosen", "hash_rejected")
    needs: ClassVar[tuple[str, ...]] = ("groups", "principles")

    def __post_init__(self) -> None:
        """Note what the files hold."""
        if (self.llm or self.votes) and not self.asked_print:
            told = [content(self.votes)] if self.votes else [(p.id, p.text) for p in self.fixed()]
            object.__setattr__(self, "asked_print", fingerprint(told))

    def fixed(self) -> tuple[Principle, ...]:
        """The principles of the user's files that only a reader can judge."""
        return tuple({p.id: p for p in self._own() if p.sql is None}.values())

    def _own(self) -> list[Principle]:
        found = [p for path in self.principles for p in load(path)]
        return [*found, *(saved.read(self.constitution)[1] if self.constitution else ())]

    def settled(self, pairs: int) -> Asked:
        """With an embedder; the published vectors, which are made to tell what texts mean."""
        return self if self.embedder else replace(self, embedder="minilm@6" if installed() else "lexical")

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One list."""
        return {"asked": LISTED}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """Ask; a row a principle, as `Found.to_frame`.

        Raises:
            UsageError: no model is named.
            RuleError: the file of votes is wrong, or is of other pairs.
            AuditError, ModelError: as `discover`.
        """
        if self.votes:
            return read(self.votes, parts, (*builtin(), *self._own())).to_frame()
        if not self.llm or not self.llm_url:
            raise UsageError("no language model is named", "--llm MODEL --llm-url http://localhost:8000/v1")
        if self.constitution and not self.fixed():
            raise UsageError(f"every rule of {self.constitution} is measured: there is nothing to ask",
                             "leave asked out of --with")  # fmt: skip
        plan = Plan(self.llm_pairs, fixed=self.fixed(), embedder=self.embedder or "lexical",
                    whole=bool(self.constitution), beside=("principles",))  # fmt: skip
        return discover(parts, connect(self.llm, self.llm_url), seed, plan).to_frame()

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that puts the votes beside one part."""
        if state is None:
            raise ValueError("the model is asked first")
        found = Found.from_frame(state)
        return lambda frame: frame.select("row", listed(found.ballots, found.principles, frame["row"]).alias("asked"))

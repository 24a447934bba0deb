"""The pieces of a digest: what the readable reports lay out. Every text in them has been through `words.clean`."""

from __future__ import annotations

from dataclasses import dataclass

DATASET = "the dataset"
"""What stands for "n of n" where a rule asked one question of the whole dataset."""


@dataclass(frozen=True)
class Finding:
    """A rule that fired, in words; `raw` is its entry in the report."""

    severity: str
    code: str
    name: str
    found: str  # "42 of 2,308"
    rate: str  # "1.8 % [1.2, 2.5]"
    rows: tuple[str, ...]  # of pairs
    named: tuple[str, ...]  # features or annotators, where the rule asks about these
    message: str
    remedy: str
    what: str
    unjudged: str
    value: str  # "0.445 (threshold 0.47)"
    scope: str
    preview: bool


@dataclass(frozen=True)
class Effect:
    """One feature: what the chosen answer has more or less of."""

    label: str
    family: str
    win: str
    held: str
    joint: str
    differs: str
    n: str
    note: str
    estimate: float | None  # length-held, as a difference of probabilities
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Unknown:
    """Something the data does not tell."""

    what: str
    rules: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Step:
    """A command worth running next."""

    command: str
    why: str
    rows: str


@dataclass(frozen=True)
class Digest:
    """The sections of a report, in reading order."""

    complete: bool
    passed: bool
    headline: str
    failures: list[str]
    gates: list[str]  # what failed, was not decided or passed, and what is new since the baseline
    read: list[str]
    probes: list[tuple[str, str, str, str]]  # what, rate with interval, what known errors allow, what a review says
    skipped: list[tuple[str, str]]  # reason, count
    unknown: list[Unknown]
    unjudged: str
    fix: list[Finding]
    predictable: list[Finding]
    predictable_none: str  # what to say where there is none: whether it was asked at all
    held_out: list[tuple[str, str, str]]  # rule, accuracy, AUC
    held_n: str
    held_notes: list[str]
    effects: list[Effect]
    effects_notes: list[str]
    lens: list[tuple[str, str, str, str, str, str]]  # what, differs, held effect, q, stability, pairs
    lens_notes: list[str]
    lens_naming: list[str]
    principles: list[tuple[str, ...]]  # under reports.principles.RULES: the constitution
    principles_notes: list[str]
    strength: list[str]
    scorers: list[tuple[str, ...]]  # under reports.strength.SCORERS
    deciles: list[tuple[str, ...]]  # under reports.strength.DECILES
    next: list[Step]

"""Measurements: one file, one extractor. A new one needs its file and a line in the two tables here."""

from __future__ import annotations

from prefaudit.core import Extractor
from prefaudit.extractors.duplicates import Duplicates
from prefaudit.extractors.groups import Groups
from prefaudit.extractors.overlap import Overlap
from prefaudit.extractors.pair import Pair
from prefaudit.extractors.panel import Panel
from prefaudit.extractors.refusal import Refusal
from prefaudit.extractors.sycophancy import Sycophancy
from prefaudit.extractors.text import Text

EXTRACTORS: tuple[type[Extractor], ...] = (Text, Pair, Refusal, Sycophancy, Overlap, Groups, Duplicates, Panel)

# What --with and --without name. `groups` is always measured: every interval rests on it.
GROUPS: dict[str, tuple[str, ...]] = {
    "text": ("text", "pair", "refusal", "sycophancy"),
    "overlap": ("overlap",),
    "duplicates": ("duplicates",),
    "panel": ("panel",),
}

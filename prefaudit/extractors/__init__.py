"""Measurements: one file, one extractor. A new one needs its file and a line in the two tables here."""

from __future__ import annotations

from prefaudit.core import Extractor
from prefaudit.extractors.asked import Asked
from prefaudit.extractors.consensus import Consensus
from prefaudit.extractors.constitution import Constitutional
from prefaudit.extractors.contamination import Contamination
from prefaudit.extractors.duplicates import Duplicates
from prefaudit.extractors.embed import Embed
from prefaudit.extractors.encoding import Encoding
from prefaudit.extractors.groups import Groups
from prefaudit.extractors.language import Language
from prefaudit.extractors.lens import Lens
from prefaudit.extractors.mentions import Mentions
from prefaudit.extractors.names import Names
from prefaudit.extractors.near import Near
from prefaudit.extractors.overlap import Overlap
from prefaudit.extractors.pair import Pair
from prefaudit.extractors.panel import Panel
from prefaudit.extractors.pii import Pii
from prefaudit.extractors.presidio import Presidio
from prefaudit.extractors.principles import Principles
from prefaudit.extractors.refusal import Refusal
from prefaudit.extractors.repeats import Repeats
from prefaudit.extractors.rewards import Rewards
from prefaudit.extractors.strength import Strength
from prefaudit.extractors.style import Style
from prefaudit.extractors.sycophancy import Sycophancy
from prefaudit.extractors.text import Text
from prefaudit.extractors.truncation import Truncation
from prefaudit.extractors.wording import Wording

EXTRACTORS: tuple[type[Extractor], ...] = (
    Text,
    Pair,
    Refusal,
    Sycophancy,
    Style,
    Overlap,
    Groups,
    Duplicates,
    Near,
    Repeats,
    Panel,
    Embed,
    Lens,
    Names,
    Encoding,
    Truncation,
    Language,
    Pii,
    Presidio,
    Mentions,
    Contamination,
    Rewards,
    Strength,
    Consensus,
    Wording,
    Principles,
    Asked,
    Constitutional,
)

# What --with and --without name. `groups` is always measured: every interval rests on it.
GROUPS: dict[str, tuple[str, ...]] = {
    "text": ("text", "pair"),
    "probes": ("refusal", "sycophancy", "style"),
    "overlap": ("overlap",),
    "duplicates": ("duplicates", "near", "repeats"),
    "panel": ("panel",),
    "integrity": ("encoding", "truncation", "contamination"),
    "language": ("language",),
    "pii": ("pii", "presidio"),
    "mentions": ("mentions",),
    "strength": ("strength",),
    "consensus": ("consensus",),
    "lens": ("lens",),
    "names": ("names",),
    "principles": ("wording", "principles", "constitution"),
    "asked": ("asked",),
}

# Groups that run only where --with names them or an option asks for them: they cost more than the rest together.
ON_REQUEST = frozenset({"asked", "lens", "names"})

# Default groups that a scan nobody named them in measures of large datasets alone, on a sample; and what they rest on.
SAMPLED = {"consensus": frozenset({"text", "probes"})}

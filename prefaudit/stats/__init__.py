"""Groups, effects, intervals and baselines: columns in, small tables out.

The definitions and their derivation are in docs/effects.md and docs/groups.md.
"""

from prefaudit.stats.annotators import ANNOTATORS, annotators
from prefaudit.stats.baselines import baselines
from prefaudit.stats.cells import length_ratio
from prefaudit.stats.effects import EffectOptions, effects
from prefaudit.stats.groups import components, folds, sample_groups
from prefaudit.stats.intervals import bh, bh_families, cluster_rate, wilson
from prefaudit.stats.permute import permuted

__all__ = [
    "ANNOTATORS",
    "EffectOptions",
    "annotators",
    "baselines",
    "bh",
    "bh_families",
    "cluster_rate",
    "components",
    "effects",
    "folds",
    "length_ratio",
    "permuted",
    "sample_groups",
    "wilson",
]

"""Groups, effects, intervals and baselines: columns in, small tables out.

The definitions and their derivation are in docs/effects.md and docs/groups.md.
"""

from prefaudit.stats.agreement import agreement
from prefaudit.stats.annotators import ANNOTATORS, annotators
from prefaudit.stats.baselines import baselines
from prefaudit.stats.bradley_terry import standings
from prefaudit.stats.cells import length_ratio
from prefaudit.stats.effects import EffectOptions, effects
from prefaudit.stats.groups import Union, components, distinct, folds, sample_groups
from prefaudit.stats.intervals import bh, bh_families, cluster_rate, wilson
from prefaudit.stats.permute import permuted
from prefaudit.stats.position import position
from prefaudit.stats.sample import Sample
from prefaudit.stats.shortcuts import Names, Places, shortcuts
from prefaudit.stats.votes import items

__all__ = [
    "ANNOTATORS",
    "EffectOptions",
    "Names",
    "Places",
    "Sample",
    "Union",
    "agreement",
    "annotators",
    "baselines",
    "bh",
    "bh_families",
    "cluster_rate",
    "components",
    "distinct",
    "effects",
    "folds",
    "items",
    "length_ratio",
    "permuted",
    "position",
    "sample_groups",
    "shortcuts",
    "standings",
    "wilson",
]

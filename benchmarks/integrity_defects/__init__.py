"""Planted defects, one function each: import a module here and its defects are part of the benchmark."""

from integrity_defects import annotators, contamination, duplicates, pairs
from integrity_defects.base import DEFECTS, Defect, Planted, Row, defect

__all__ = ["DEFECTS", "Defect", "Planted", "Row", "annotators", "contamination", "defect", "duplicates", "pairs"]

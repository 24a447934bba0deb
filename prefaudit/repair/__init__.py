"""Findings to a new dataset, with a ledger of every row that is missing or changed."""

from prefaudit.repair.filtering import filter
from prefaudit.repair.relabelling import relabel
from prefaudit.repair.result import Repair

__all__ = ["Repair", "filter", "relabel"]

"""Findings to a new dataset, with a ledger of every row that is missing or changed."""

from prefaudit.repair.differing import Diff, diff
from prefaudit.repair.filtering import filter
from prefaudit.repair.relabelling import relabel
from prefaudit.repair.result import Repair
from prefaudit.repair.splitting import Split, split

__all__ = ["Diff", "Repair", "Split", "diff", "filter", "relabel", "split"]

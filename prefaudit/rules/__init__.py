"""Rules: questions asked of the columns. TOML files with SQL, read, checked, asked and explained."""

from prefaudit.rules.cases import failures
from prefaudit.rules.explain import describe, explain, overview
from prefaudit.rules.file import PREFIXES, read
from prefaudit.rules.judge import Interval, Judge, wilson
from prefaudit.rules.load import builtin, check_columns, configure, load, select

__all__ = [
    "PREFIXES", "Interval", "Judge", "builtin", "check_columns", "configure", "describe", "explain", "failures", "load",
    "overview", "read", "select", "wilson",
]  # fmt: skip

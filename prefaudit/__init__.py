"""prefaudit: find out what preference pairs teach before a model learns it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefaudit.audit import Audit, scan
    from prefaudit.core import AuditError, Extractor, Rule
    from prefaudit.repair import Repair, diff, filter, relabel, split

__version__ = "0.1.0"
__all__ = [
    "Audit", "AuditError", "Extractor", "Repair", "Rule", "__version__", "diff", "filter", "relabel", "scan", "split",
]  # fmt: skip

_HOMES = {
    **dict.fromkeys(("Audit", "scan"), "audit"),
    **dict.fromkeys(("AuditError", "Extractor", "Rule"), "core"),
    **dict.fromkeys(("Repair", "diff", "filter", "relabel", "split"), "repair"),
}


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: `prefaudit --help` does not wait for DuckDB and polars."""
    if name not in _HOMES:
        raise AttributeError(f"module 'prefaudit' has no attribute {name!r}")
    return getattr(import_module(f"prefaudit.{_HOMES[name]}"), name)

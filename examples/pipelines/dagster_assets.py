"""Dagster: an asset of preference pairs with a blocking check; what rests on it is built only where the gate held.

`dagster asset materialize -f dagster_assets.py --select '*'` runs it; PREFERENCES=bad.jsonl stops at the check.
"""

import os
from pathlib import Path

import dagster as dg

import prefaudit

DATA = os.environ.get("PREFERENCES", "good.jsonl")
BUILD = Path(os.environ.get("BUILD", "build"))


@dg.asset
def preferences() -> str:
    """The pairs as they come."""
    return DATA


@dg.asset_check(asset=preferences, blocking=True)
def gate(preferences: str) -> dg.AssetCheckResult:
    """What prefaudit finds, by severity; an error or an incomplete audit blocks what is downstream."""
    audit = prefaudit.scan(preferences, BUILD / "audit", force=True)
    fired = [rule for rule in audit.report["rules"] if rule["status"] == "fired"]
    counts = {level: sum(rule["severity"] == level for rule in fired) for level in ("error", "warning", "info")}
    report = dg.MetadataValue.path(str(audit.folder / "report.html"))
    return dg.AssetCheckResult(passed=audit.exit_code == 0, metadata={**counts, "report": report})


@dg.asset
def training_pairs(preferences: str) -> str:
    """The pairs without duplicates, from the audit that the gate made."""
    made = prefaudit.filter(preferences, BUILD / "train.jsonl", drop=["DUP"], audit=BUILD / "audit", force=True)
    return str(made.out)


defs = dg.Definitions([preferences, training_pairs], asset_checks=[gate])

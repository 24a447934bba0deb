"""Gates: on which numbers a finding is an error or a warning, and what is new since a baseline; of dicts alone."""

from prefaudit.gates.baseline import compared, read_baseline, written
from prefaudit.gates.conditions import BY, EFFECTS, Condition, Gate, GateError, possible, read
from prefaudit.gates.decide import FAILED, decide, fails, worst

__all__ = [
    "BY",
    "EFFECTS",
    "FAILED",
    "Condition",
    "Gate",
    "GateError",
    "compared",
    "decide",
    "fails",
    "possible",
    "read",
    "read_baseline",
    "worst",
    "written",
]

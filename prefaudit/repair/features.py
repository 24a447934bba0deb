"""Pairs in which a feature of the lens decides, largest first: `lens.f3:500` in --drop and --flip."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from prefaudit.core import UsageError, unknown
from prefaudit.repair.choose import Reason
from prefaudit.repair.evidence import Evidence

NAMED = re.compile(r"([+-]?)lens\.f(\d+)(?::(\d+(?:\.\d+)?))?")


def parted(named: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of what --drop or --flip names, the codes of rules and the features of the lens."""
    features = tuple(name for name in named if name.lstrip("+-").startswith("lens."))
    return tuple(name for name in named if name not in features), features


def decides(evidence: Evidence, named: str, option: str) -> Reason:
    """The pairs that a feature decides: it is present, and the label goes the way the feature moves the choice.

    Args:
        evidence: of an audit with the lens.
        named: [+|-]lens.fK[:N]; + takes pairs whose chosen answer has more of it, - those with less, neither the sign
            of its effect. N is how many, or below 1 the share of all pairs; without it all of them.
        option: for messages.

    Raises:
        UsageError: there is no such feature, or its effect is not known and no sign is given.
    """
    match = NAMED.fullmatch(named)
    if match is None:
        raise UsageError(f"{option} {named} names no feature of the lens", "for example lens.f3:500")
    sign, number, most = match[1], int(match[2]), match[3]
    if most is not None and (not float(most) or (float(most) >= 1 and not float(most).is_integer())):
        raise UsageError(f"{option} {named}: {most} is neither a number of pairs nor a share of them below 1",
                         f"for example lens.f{number}:500 or lens.f{number}:0.02")  # fmt: skip
    lens = evidence.audit.report["lens"]
    if not lens:
        raise UsageError(f"{option} {named}: this audit has no lens", "measure it: --with +lens")
    if number >= len(lens["each"]):
        raise unknown(f"feature in {option}", f"lens.f{number}", [f"lens.{e['feature']}" for e in lens["each"]])
    feature = lens["each"][number]
    moved = feature["effect"]["delta_win"]
    if not sign and not moved:
        raise UsageError(
            f"{option} {named}: its effect is not known", f"say which way: {option}=+lens.f{number} or -lens.f{number}"
        )
    way = 1 if sign == "+" or (not sign and moved > 0) else -1
    values = evidence.measured("lens_present", f"f{number}")
    z = np.zeros(evidence.pairs) if values is None else np.nan_to_num(values)
    rows = np.flatnonzero((z * way > 0) & (evidence.label == "chosen").to_numpy())
    rows = rows[np.argsort(-np.abs(z[rows]), kind="stable")]
    notes: list[str] = []
    if most is not None:
        wanted = int(float(most) * evidence.pairs if float(most) < 1 else float(most))
        notes = [f"{len(rows):,} pairs, {wanted:,} were asked for"] if wanted > len(rows) else []
        rows = rows[:wanted]
    rows = np.sort(rows)
    said = f"chosen has {'more' if way > 0 else 'less'} of lens.f{number}: {feature['name']}"
    return Reason(f"lens.f{number}", rows, z[rows], said, int(np.isnan(values).sum()) if values is not None else 0,
                  notes=notes, inward=True)  # fmt: skip

"""The report as canonical JSON: the bytes of report.json."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from prefaudit.reports.words import unsafe

DIGITS = 6
_NOT_ASCII = re.compile(r"[^ -~]")


def canonical(report: Any) -> Any:
    """The report in JSON's own types, each float rounded to 6 decimals.

    The one place where numbers are rounded: noise of the last bits, which differs between machines and between ways of
    summing, must not change a byte. So 0 is written for whatever lies under 5e-7, a p-value too. NaN and the
    infinities become null and minus zero zero. Keys keep the order in which the report was built.

    Raises:
        TypeError: a value is of no type that JSON has.
    """
    if report is None or isinstance(report, (bool, str)):
        return report
    if isinstance(report, Integral):
        return int(report)
    if isinstance(report, Real):
        value = float(report)
        return (round(value, DIGITS) or 0.0) if math.isfinite(value) else None
    if isinstance(report, Mapping):
        return {str(k): canonical(v) for k, v in report.items()}
    if isinstance(report, Sequence) and not isinstance(report, (bytes, bytearray)):
        return [canonical(v) for v in report]
    raise TypeError(f"a report cannot hold a {type(report).__name__}")


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON text of a canonical value: readable Unicode, but nothing that a terminal or an encoder trips over.

    Control and bidirectional characters and lone surrogates can only stand inside strings, where an escape means the
    same; so the text can be shown with `cat` and read back to the very same values.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return _NOT_ASCII.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return json.dumps(char)[1:-1] if char != "\n" and unsafe(char) else char


def render(report: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """The whole report, indented by two, with a final newline; `width` and `color` change nothing.

    Raises:
        TypeError: the report holds a value of no type that JSON has.
    """
    return dumps(canonical(report), indent=2) + "\n"

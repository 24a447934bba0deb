"""How reports write numbers and strange text: shared by every renderer that is read by people."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

NONE = "-"
"""What stands where a number was not estimated."""

# Whole categories rather than a list of known attacks: Cc holds ANSI and OSC introducers, Cf the bidi controls, zero
# widths and tags, Cs what UTF-8 cannot encode, Co and Cn what no font can show, Zl and Zp line ends in disguise.
_UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_JOINERS = frozenset("\u200c\u200d")  # written Persian, Indic scripts and emoji need them, and they move nothing
_PLAIN = re.compile(r"[ -~]*")


def unsafe(char: str) -> bool:
    """Whether a character could steer a terminal, reorder a line, hide itself or fail to encode."""
    return char not in _JOINERS and unicodedata.category(char) in _UNSAFE


def escaped(char: str) -> str:
    r"""A character as Python would write it in a string: ``\x1b``, ``\u202e``."""
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def clean(text: Any, limit: int = 300, *, lines: bool = False) -> str:
    """Text from a dataset made harmless: whitespace folded, control and invisible characters spelled out, cut.

    Nothing is dropped silently, since an escape sequence in an annotator's name is something the reader should see.

    Args:
        text: What the dataset said; anything that is not a string is written with `str`.
        limit: Most characters of the source that are kept; an ellipsis says that there were more.
        lines: Keep line breaks (for the texts of a pair), else everything becomes one line.
    """
    whole = text if isinstance(text, str) else str(text)
    # Cut before anything is looked at: a cell may hold megabytes.
    short = whole[:limit] + "…" if len(whole) > limit else whole
    if lines:
        kept = [_fold(line) for line in short.replace("\r\n", "\n").split("\n")]
        return "\n".join(kept).strip("\n")
    return _fold(short.replace("\n", " ")).strip()


def _fold(line: str) -> str:
    if _PLAIN.fullmatch(line) is None:
        line = line.replace("\t", " ").replace("\r", " ").replace("\u00a0", " ")
        line = "".join(escaped(c) if unsafe(c) else c for c in line)
    return re.sub(r" {2,}", " ", line).rstrip()


def cells(text: str) -> int:
    """How many columns of a terminal the text takes: wide East Asian characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_cell(c) for c in text)


def _cell(char: str) -> int:
    if char in _JOINERS or unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, width: int) -> str:
    """The text in at most `width` columns, an ellipsis where it was longer."""
    if cells(text) <= width:
        return text
    used, kept = 0, []
    for char in text:
        used += _cell(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…" if width > 0 else ""


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text filled up with spaces to `width` columns, at its left where `right` is set."""
    space = " " * max(0, width - cells(text))
    return space + text if right else text + space


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces, or inside a word that is longer than a line."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while cells(word) > width:
            cut = _prefix(word, width)
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    return [*lines, line] if line or not lines else lines


def _prefix(word: str, width: int) -> int:
    used = 0
    for i, char in enumerate(word):
        used += _cell(char)
        if used > width:
            return max(i, 1)
    return len(word)


def known(x: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


def chance(q: Any) -> str:
    """A p or q to three places, `<0.001` below; "" where there is none."""
    return "" if not known(q) else "<0.001" if q < 0.001 else f"{q:.3f}"


def count(n: Any) -> str:
    """A whole number with commas."""
    return f"{n:,.0f}" if known(n) else NONE


def some(n: Any, word: str, plural: str = "") -> str:
    """``1 error``, ``6 warnings``, ``no warnings``."""
    if not known(n):
        return f"{NONE} {plural or word + 's'}"
    if n == 0:
        return f"no {plural or word + 's'}"
    return f"{count(n)} {word if n == 1 else plural or word + 's'}"


def number(x: Any) -> str:
    """A value of any size in at most four significant digits."""
    if not known(x):
        return NONE
    return count(x) if float(x).is_integer() or abs(x) >= 10_000 else f"{x:.4g}"


def valued(numbers: Mapping[str, Any]) -> str:
    """The value of a rule or gate; of an end of an interval, which end it is, and of what number."""
    told = number(numbers.get("value"))
    if not numbers.get("end") or told == NONE:
        return told
    of = f" of {number(numbers['estimate'])}" if known(numbers.get("estimate")) else ""
    return f"{told}, the {clean(numbers['end'], 10)} end of the interval{of}"


def hundred(x: float) -> str:
    """A share in hundredths without its sign: ``44.5``, ``0.04``, ``<0.01``."""
    value = 100 * x
    if value == 0 or abs(value) >= 0.095:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.01 else "<0.01"


def pair_of(interval: Any) -> tuple[float, float] | None:
    """The two ends of an interval, None where there is none."""
    if isinstance(interval, Sequence) and not isinstance(interval, str) and len(interval) == 2:
        low, high = interval
        if known(low) and known(high):
            return float(low), float(high)
    return None


def percent(x: Any, interval: Any = None) -> str:
    """A share with its interval: ``44.5 % [42.4, 46.6]``."""
    if not known(x):
        return NONE
    ends = pair_of(interval)
    return f"{hundred(x)} %" + (f" [{hundred(ends[0])}, {hundred(ends[1])}]" if ends else "")


def decimal(x: Any, interval: Any = None) -> str:
    """An AUC with its interval: ``0.596 [0.571, 0.621]``."""
    if not known(x):
        return NONE
    ends = pair_of(interval)
    return f"{x:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else "")


def points(x: Any, interval: Any = None) -> str:
    """A difference of two probabilities in points, signed: ``+7.4 [+3.1, +11.8]``."""
    if not known(x):
        return NONE
    ends = pair_of(interval)
    return _signed(x) + (f" [{_signed(ends[0])}, {_signed(ends[1])}]" if ends else "")


def _signed(x: float) -> str:
    text = f"{100 * x:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text

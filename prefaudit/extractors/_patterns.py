"""Regular expressions over lower-case English: ASCII classes compile to far smaller automata than Unicode ones."""

from __future__ import annotations

import polars as pl

SENTENCE = r"[a-z0-9 ,'\"():;*/-]"


def ascii_pattern(pattern: str) -> str:
    r"""The pattern with \b, \w, \s and negated sentence classes read as ASCII; about ten times faster to search."""
    return (
        pattern.replace(r"[^.!?\n]", SENTENCE)
        .replace(r"[^.!?]", SENTENCE)
        .replace(r"[^?]", SENTENCE)
        .replace(r"^\W*", r"\A[ \t\n\"'*(>#-]*")
        .replace(r"\b", r"(?-u:\b)")
        .replace(r"\w", "[a-z]")
        .replace(r"\s", r"[ \t\n]")
    )


def has(text: pl.Expr, pattern: str) -> pl.Expr:
    """True where the plain text matches the pattern."""
    return text.str.contains(ascii_pattern(pattern))

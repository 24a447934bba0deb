"""`encoding`: what a wrong decoding, a lost character or an escape too many left behind in a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors._sides import answers, as_sides, each_once, keys, side_columns

FIELDS: dict[str, DataType] = {
    name: pl.Int32() for name in ("mojibake", "replacements", "controls", "escaped_breaks", "entities")
}

# UTF-8 read as Windows-1252 or Latin-1: a lead byte as a letter, then continuation bytes as signs. Typographic quotes,
# dashes and dots are left out after Ã, for a Portuguese word in capitals may end in it.
_SIGN = r"\x{A1}-\x{BF}ƒ„†‡ˆ‰Š‹ŒŽšœžŸ€"
MOJIBAKE = (
    rf"â€|â‚¬|â„¢|â†[{_SIGN}’‘“”–—™•]|âœ[{_SIGN}“”’‘–—™•]|ðŸ|ï»¿|Ã[\x{{A0}}{_SIGN}]|Â[\x{{A0}}-\x{{BF}}]"
    rf"|[\x{{C2}}\x{{C3}}\x{{E2}}\x{{F0}}][\x{{80}}-\x{{9F}}]|(?:[ÎÏÐÑ][\x{{80}}-\x{{BF}}{_SIGN}‚’‘“”–—™•]){{2}}|锟斤拷"
)
CONTROLS = r"[\x00-\x08\x0b\x0e-\x1f\x7f]"
# Not before a lower-case letter (\nu, \neq), a quote or another escape: the inside of a string in code.
ESCAPED = r"""(?:\\r)?(?:\\n)+(?:[^a-z"'`\\)\]]|\z)"""
ENTITY = r"&(?:amp|lt|gt|quot|apos|nbsp|mdash|ndash|hellip|[lr][sd]quo|#\d{2,6}|#x[0-9a-fA-F]{2,5});"
MARKUP = r"```|</|<[a-zA-Z!]"  # where there is code or HTML, an entity may belong there


def _count(texts: pl.Series, mask: pl.Series, pattern: str) -> pl.Series:
    """Matches of a pattern in the texts of a mask; 0 elsewhere."""
    counts = np.zeros(len(texts), np.int32)
    index = np.flatnonzero(mask.to_numpy())
    if len(index):
        counts[index] = texts.gather(index).str.count_matches(pattern).to_numpy()
    return pl.Series(counts)


def measure(texts: pl.Series) -> pl.DataFrame:
    """Signs of damage in each text.

    Args:
        texts: n texts, no null.

    Returns:
        n rows with the fields of `FIELDS`, counts.
    """
    wide = texts.str.len_bytes() != texts.str.len_chars()
    control = texts.str.contains(CONTROLS)
    one_line = texts.str.contains("\\n", literal=True) & ~texts.str.contains("\n", literal=True)
    entity = texts.str.contains("&", literal=True) & texts.str.contains(ENTITY)
    entity &= ~pl.Series(_count(texts, entity, MARKUP) > 0)
    return pl.DataFrame(
        {
            "mojibake": _count(texts, wide, MOJIBAKE),
            "replacements": _count(texts, wide, "\ufffd"),
            "controls": _count(texts, control, CONTROLS) + _count(texts, wide, r"[\x{80}-\x{84}\x{86}-\x{9F}]"),
            "escaped_breaks": _count(texts, one_line, ESCAPED),
            "entities": _count(texts, entity, ENTITY),
        }
    )


@dataclass(frozen=True)
class Encoding:
    """Damage to the characters of each answer; see docs/extractors/encoding.md."""

    name: ClassVar[str] = "encoding"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("chosen", "rejected", "hash_chosen", "hash_rejected")
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r."""
        return side_columns(FIELDS)

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            return as_sides(frame, each_once(answers(frame), keys(frame), measure), self.columns)

        return apply

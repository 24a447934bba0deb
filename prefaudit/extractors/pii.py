"""`pii`: personal data and secrets in prompts and answers, by pattern and checksum.

Every kind has a literal or a cheap pattern that most texts lack (the gate); the careful pattern runs on the rest, and
what it finds is checked (Luhn, ISO 7064, ranges) once per distinct match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors import _personal
from prefaudit.extractors._sides import answers, as_sides, each_once, keys, side_columns


class Kind(NamedTuple):
    """One kind of personal data.

    `gate` is in every text that has it; `pattern` captures it in group 1; `real` says of a captured text whether it is
    one and no placeholder.
    """

    gate: str
    pattern: str
    real: Callable[[str], bool]


KINDS: dict[str, Kind] = {
    "email": Kind(r"@", _personal.EMAIL, _personal.is_email),
    "phone": Kind(r"\d[ .()/-]{0,2}\d{2,4}[ .()/-]{1,2}\d{2}|\+\d{9}", _personal.PHONE, _personal.is_phone),
    "secret": Kind(_personal.SECRET_GATE, _personal.SECRET, _personal.is_secret),
    "card": Kind(r"\d{4}[ -]?\d{4}[ -]?\d{4}|\d{4}[ -]\d{6}[ -]\d{4}", _personal.CARD, _personal.is_card),
    "iban": Kind(r"[A-Z]{2}\d{2} ?[A-Z0-9]{4}", _personal.IBAN, _personal.is_iban),
    "ip": Kind(r"\d\.\d{1,3}\.\d{1,3}\.\d", _personal.IP, _personal.is_ip),
}
COUNTS: dict[str, DataType] = {name: pl.Int32() for name in KINDS}
FIELDS: dict[str, DataType] = {"pii": pl.Int32(), **{f"pii_{name}": pl.Int32() for name in KINDS}}
MASK = "[{kind}]"


def measure(texts: pl.Series) -> pl.DataFrame:
    """How many findings of each kind stand in each text.

    Args:
        texts: n texts, no null.

    Returns:
        n rows: one Int32 column a kind.
    """
    return pl.DataFrame({name: _count(texts, kind) for name, kind in KINDS.items()})


def _count(texts: pl.Series, kind: Kind) -> pl.Series:
    counts = np.zeros(len(texts), np.int32)
    index = np.flatnonzero(texts.str.contains(kind.gate).to_numpy())
    if len(index):
        found = _captured(texts.gather(index).rename("text"), kind.pattern)
        real = found["match"].unique().to_frame()
        real = real.filter(real["match"].map_elements(kind.real, return_dtype=pl.Boolean, skip_nulls=True))
        held = found.join(real, on="match", how="semi")["at"].to_numpy()
        counts[index] = np.bincount(held, minlength=len(index))
    return pl.Series(counts)


def _captured(texts: pl.Series, pattern: str) -> pl.DataFrame:
    """Every capture of group 1: `at` (index of the text), `match`.

    Two neighbours share the sign between them, and a match takes it away: what is left is searched once more.
    """
    left = texts.to_frame().with_row_index("at")
    found = []
    for _ in range(2):
        hits = left.select("at", match=pl.col("text").str.extract_all(pattern)).filter(pl.col("match").list.len() > 0)
        found.append(hits.explode("match").with_columns(pl.col("match").str.extract(pattern, 1)))
        left = left.join(hits, on="at", how="semi").with_columns(pl.col("text").str.replace_all(pattern, "  "))
    return pl.concat(found)


def mask(text: str) -> str:
    """The text with every finding replaced by the name of its kind in brackets, for reports.

    Args:
        text: any text.
    """
    for name, kind in KINDS.items():
        if re.search(kind.gate, text):

            def put(found: re.Match[str], name: str = name, kind: Kind = kind) -> str:
                whole, part = found.group(0), found.group(1)
                return whole.replace(part, MASK.format(kind=name)) if kind.real(part) else whole

            text = re.sub(kind.pattern, put, re.sub(kind.pattern, put, text))
    return text


def prompt_text(prompt: pl.Series) -> pl.Series:
    """All turns of each prompt as one text, a line break between them; null without a prompt."""
    return prompt.list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n")


@dataclass(frozen=True)
class Pii:
    """Personal data and secrets in prompts and answers; see docs/extractors/pii.md."""

    name: ClassVar[str] = "pii"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = (
        "prompt", "chosen", "rejected", "hash_prompt", "hash_chosen", "hash_rejected",
    )  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r, and the struct pii of the prompt."""
        return {**side_columns(FIELDS), "pii": pl.Struct(COUNTS)}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            found = each_once(answers(frame), keys(frame), measure)
            found = found.select(
                pl.sum_horizontal(pl.all(), ignore_nulls=False).alias("pii"), pl.all().name.prefix("pii_")
            )
            prompts = each_once(prompt_text(frame["prompt"]), frame["hash_prompt"], measure)
            told = prompts.to_struct("pii").cast(pl.Struct(COUNTS))
            return as_sides(frame, found, self.columns).with_columns(told)

        return apply

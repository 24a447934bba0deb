"""`text`: what can be counted in an answer without a model. Definitions and known errors: docs/extractors/text.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, Parts
from prefaudit.extractors._endings import closing_question, truncated
from prefaudit.extractors._flat import Flat, Ints, is_word
from prefaudit.extractors._language import english
from prefaudit.extractors._leaks import leaks
from prefaudit.extractors._lines import read_lines
from prefaudit.extractors._sides import answers, as_sides, each_once, keys, last_user, side_columns, twice

COUNTS = ("chars", "words", "lines", "lists", "headers", "bold", "code", "emoji", "questions", "exclamations")
FLAGS = ("closing_question", "truncated", "empty", "leak", "english")
FIELDS: dict[str, DataType] = {
    **{name: pl.Int32() for name in (*COUNTS, "first_person", "reasoning_chars")},
    **{name: pl.Boolean() for name in (*FLAGS, "repeats_prompt")},
    "markdown": pl.Float64(),
}

CJK = r"\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
PICTURE = r"(?:[\p{Emoji_Presentation}&&[^\x{1F1E6}-\x{1F1FF}\x{1F3FB}-\x{1F3FF}]]|\p{Emoji}\x{FE0F})"
FLAG = r"[\x{1F1E6}-\x{1F1FF}]{2}"
JOINED = rf"[\x{{1F3FB}}-\x{{1F3FF}}]|[\x{{FE0F}}\x{{20E3}}]|\x{{200D}}(?:{PICTURE}|\p{{Emoji}})"
EMOJI = f"{FLAG}|{PICTURE}(?:{JOINED})*"


def _where(texts: pl.Series, mask: pl.Series, pattern: str) -> pl.Series:
    """Matches of a slow pattern, sought only in the texts of a cheap mask; 0 elsewhere."""
    counts = np.zeros(len(texts), np.int32)
    index = np.flatnonzero(mask.to_numpy())
    if len(index):
        counts[index] = texts.gather(index).str.count_matches(pattern).to_numpy()
    return pl.Series(counts)


def _words(texts: pl.Series, flat: Flat, wide: pl.Series) -> pl.Series:
    """Whitespace-separated tokens, and every Han or kana character a word of its own."""
    counts = flat.word_starts()
    index = np.flatnonzero(wide.to_numpy())
    if len(index):
        some = texts.gather(index)
        index = index[some.str.contains(f"[{CJK}]").to_numpy()]
        counts[index] = texts.gather(index).str.count_matches(
            rf"[{CJK}]|[^\s{CJK}]*[\p{{L}}\p{{N}}&&[^{CJK}]][^\s{CJK}]*"
        )
    return pl.Series(counts).cast(pl.Int32)


def _marks(flat: Flat) -> tuple[Ints, Ints, Ints]:
    """Question marks, exclamation marks and the pronoun I, each judged by its neighbours."""
    data = flat.data
    ask = flat.find(63)
    ask = ask[~is_word(data[ask + 1]) & (data[ask + 1] != 61)]  # not "?id=" of an address
    cry = flat.find(33)
    after, before = data[cry + 1], data[cry - 1]
    cry = cry[~np.isin(after, [61, 91, 45]) & ~np.isin(before, [60, 35]) & ~is_word(after)]  # not != ![ !- <! #!
    me = flat.find(73)
    me = me[~is_word(data[me - 1]) & np.isin(data[me + 1], [32, 39, 44, 10])]
    return flat.count(ask), flat.count(cry), flat.count(me)


def measure(texts: pl.Series) -> pl.DataFrame:
    """The features that depend on the answer alone.

    Args:
        texts: n answers, no null.

    Returns:
        n rows with the fields of `FIELDS` but `reasoning_chars` and `repeats_prompt`.
    """
    texts = texts.str.replace_all("’", "'", literal=True)
    flat = Flat(texts)
    chars = texts.str.len_chars().cast(pl.Int32)
    wide = texts.str.len_bytes() != chars
    lines = read_lines(flat)
    words = _words(texts, flat, wide)
    ask, cry, me = _marks(flat)
    ticks = texts.str.count_matches("`", literal=True).to_numpy().astype(np.int64)
    code = (lines.fences + 1) // 2 + np.maximum(ticks - lines.fence_marks, 0) // 2
    bold = _where(texts, texts.str.contains("**", literal=True), r"\*\*[^*\s](?:[^*\n]*[^*\s])?\*\*")
    links = texts.str.count_matches("](", literal=True).to_numpy()
    marks = lines.lists + lines.headers + lines.table + code + bold.to_numpy() + links
    columns = {
        "chars": chars,
        "words": words,
        "lines": lines.filled,
        "lists": lines.lists,
        "headers": lines.headers,
        "bold": bold,
        "code": code,
        "emoji": _where(texts, wide, EMOJI),
        "questions": ask + _where(texts, wide, "？").to_numpy(),
        "exclamations": cry + _where(texts, wide, "！").to_numpy(),
        "first_person": me,
        "markdown": 100.0 * marks / np.maximum(words.to_numpy(), 1),
        "closing_question": closing_question(texts),
        "truncated": truncated(texts, words, pl.Series(lines.fences % 2 == 1)),
        "empty": words == 0,
        "leak": leaks(texts),
        "english": english(texts),
    }
    known = pl.col("english").fill_null(True)
    return pl.DataFrame(columns).with_columns(pl.when(known).then("first_person"))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"[\s\p{P}]+", " ").str.strip_chars()


def repeats_prompt(texts: pl.Series, turns: pl.Series) -> pl.Series:
    """True where an answer is the user's last turn again, but for case, punctuation and spaces; null without either.

    Args:
        texts: n answers.
        turns: the n last user turns.
    """
    frame = pl.DataFrame({"text": texts, "turn": turns})
    near = (frame["text"].str.len_bytes().cast(pl.Int64) - frame["turn"].str.len_bytes().cast(pl.Int64)).abs()
    close = (near <= 10 + frame["turn"].str.len_bytes() // 4) & (frame["text"].str.len_bytes() > 0)
    begin = [frame[name].str.head(40).str.extract(r"([\p{L}\p{N}])").str.to_lowercase() for name in ("text", "turn")]
    close &= begin[0].eq_missing(begin[1])
    index = np.flatnonzero(close.fill_null(False).to_numpy())
    equal = pl.select(pl.when(near.is_not_null()).then(False)).to_series()
    if len(index):
        same = frame[index].select((_plain(pl.col("text")) == _plain(pl.col("turn"))) & (_plain(pl.col("text")) != ""))
        equal = equal.scatter(index, same.to_series())
    return equal


@dataclass(frozen=True)
class Text:
    """Counts and flags of each answer; see docs/extractors/text.md."""

    name: ClassVar[str] = "text"
    version: ClassVar[int] = 4
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = (
        "prompt", "chosen", "rejected", "chosen_reasoning", "rejected_reasoning", "hash_chosen", "hash_rejected",
    )  # fmt: skip
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
            texts = answers(frame)
            thought = pl.concat([frame["chosen_reasoning"], frame["rejected_reasoning"]])
            measured = each_once(texts, keys(frame), measure).with_columns(
                repeats_prompt(texts, twice(last_user(frame["prompt"]))).alias("repeats_prompt"),
                thought.str.len_chars().fill_null(0).cast(pl.Int32).alias("reasoning_chars"),
            )
            return as_sides(frame, measured.select(list(FIELDS)), self.columns)

        return apply

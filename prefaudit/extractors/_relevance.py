"""How much of what the prompt is about a reply takes up: the share of the prompt's rarest content words it uses."""

from __future__ import annotations

import numpy as np
import polars as pl

MOST = 8  # words of a prompt that are looked for: the longest ones, since long words are rare words
LEAST = 3  # fewer content words say nothing
SHORT = 10  # words of a reply; a shorter one can be right without naming its subject
LONG = rf"\A(?:[^ ]* ){{{SHORT - 1}}}"
HEAD, TAIL = 400, 300  # characters of a long prompt that are read: the task stands at one of its ends

# Words of four letters or more that name no subject: function words, and the words in which tasks are set.
COMMON: list[str] = """
    about above actually after again against almost alone along already also although always another anyone anything
    around away because been before being below best better between both came cannot come comes could didn does doesn
    doing done down during each either else enough even ever every everyone everything feel find first following from
    further gave gets getting give given gives going good gotten great have haven having help here hers herself himself
    however idea ideas instead into isn itself just keep kind kinds knew know known last least less like list little
    long look looking made make makes making many maybe mean means might more most much must myself need needed needs
    never next nice nobody none nothing often okay once only onto other others ought ours over part people perhaps
    person place please point possible probably provide quite rather really right said same saying says second seem
    seems seen several shall should show shows similar simple since some somebody someone something sometimes soon sort
    still such sure take taken takes talk tell than thank thanks that their them themselves then there these they thing
    things think this those though thought three through thus time times today together told took toward tried tries
    true turn under until upon used useful user uses using usually very want wanted wants wasn well went were weren what
    whatever when where whether which while whole whom whose will with within without wonder word words work would
    wouldn write writing written wrote year years your yours yourself answer answers article based brief briefly choose
    classify code complete consider correct create describe description design detail details detailed develop different
    discuss edit essay example examples explain explanation fact facts format generate identify include including
    information input instruction instructions language name names number numbers output paragraph paragraphs passage
    pick problem prompt question questions read response reply rewrite rule rules send sentence sentences short solve
    step steps story style suggest summarize summary task text title topic translate type understand version ways
    assistant human hello
""".split()  # noqa: SIM905


def subjects(turns: pl.Series) -> pl.DataFrame:
    """The stems of the words to look for.

    Args:
        turns: n user turns, null allowed.

    Returns:
        n rows, columns `0` to `MOST - 1`: stems, the longest first, null where there are no more.
    """
    size = turns.str.len_chars()
    text = pl.when(size > HEAD + TAIL).then(turns.str.head(HEAD) + " " + turns.str.tail(TAIL)).otherwise(turns)
    words = pl.select(text.alias("word").str.to_lowercase().str.extract_all(r"[a-z]{4,}")).to_series()
    flat = pl.DataFrame({"row": np.arange(len(turns)), "word": words}).explode("word").drop_nulls()
    flat = flat.filter(~pl.col("word").is_in(COMMON))
    bytes_ = pl.col("word").str.len_bytes()
    # Seven letters of ten, so that "recipes" finds "recipe"; a short word loses its plural.
    long = pl.col("word").str.slice(0, (bytes_ * 7 + 9) // 10)
    flat = flat.with_columns(stem=pl.when(bytes_ > 5).then(long).otherwise(pl.col("word").str.strip_suffix("s")))
    keys = flat["stem"].hash(0) + flat["row"].cast(pl.UInt64).hash(1)
    flat = flat[keys.arg_unique().sort()]
    row, length = flat["row"].to_numpy(), flat["word"].str.len_bytes().to_numpy()
    order = np.lexsort((-length.astype(np.int64), row))
    sorted_rows = row[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_rows, sorted_rows)
    place = np.full((MOST, len(turns)), -1, np.int64)
    kept = rank < MOST
    place[rank[kept], sorted_rows[kept]] = order[kept]
    at = [pl.Series(line) for line in place]
    return pl.DataFrame({str(k): flat["stem"].gather(line.set(line < 0, None)) for k, line in enumerate(at)})


def relevance(texts: pl.Series, words: pl.DataFrame) -> pl.Series:
    """The share of the words that each reply uses, 0..1.

    Args:
        texts: n replies, null allowed.
        words: the n rows of `subjects`.

    Returns:
        n shares; null for a null or short reply, and where there are too few words to look for.
    """
    low = texts.str.to_lowercase()
    names = words.columns
    frame = words.with_columns(low.alias("text"))
    many = pl.sum_horizontal(pl.col(name).is_not_null() for name in names)
    found = pl.sum_horizontal(pl.col("text").str.contains(pl.col(name), literal=True) for name in names)
    known = pl.col("text").str.contains(LONG) & (many >= LEAST)
    return frame.select(pl.when(known).then(found / many).alias("relevance")).to_series()

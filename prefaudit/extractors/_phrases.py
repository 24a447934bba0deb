"""Count phrases of several lexicons in one pass over a column of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from prefaudit.extractors._flat import Flat, is_word

MOST = 100  # up to here the automaton is a dense table; with one phrase more the pass was measured 5 times slower


class Phrases:
    """Several lexicons in one Aho-Corasick automaton; whole words, any case, the longest phrase at a place counts."""

    def __init__(self, lexicons: Mapping[str, Sequence[str]]) -> None:
        """Join the lexicons.

        Args:
            lexicons: name to lower-case ASCII phrases with straight apostrophes, together at most `MOST`.

        Raises:
            ValueError: too many phrases, or one that stands in two lexicons.
        """
        owner = {phrase: name for name, phrases in lexicons.items() for phrase in phrases}
        if len(owner) != sum(len(phrases) for phrases in lexicons.values()):
            raise ValueError("a phrase stands twice in the lexicons")
        if len(owner) > MOST:
            raise ValueError(f"{len(owner)} phrases, at most {MOST}")
        self.names = list(lexicons)
        self.phrases = sorted(owner, key=lambda phrase: (-len(phrase), phrase))
        self.lexicon = pl.DataFrame({"phrase": list(owner), "lexicon": list(owner.values())})

    def hits(self, texts: pl.Series, flat: Flat) -> pl.DataFrame:
        """Where phrases stand: one row a hit with `text` (index), `at` (byte), `phrase`, `lexicon`, in order.

        Args:
            texts: n texts, straight apostrophes.
            flat: the same texts as bytes, to look at the letters before and after.
        """
        found = texts.str.find_many(self.phrases, ascii_case_insensitive=True, leftmost=True)
        index = np.flatnonzero((found.list.len() > 0).to_numpy())
        words = texts.gather(index).str.extract_many(self.phrases, ascii_case_insensitive=True, leftmost=True)
        hits = pl.DataFrame(
            {"text": index.astype(np.int64), "at": found.gather(index).cast(pl.List(pl.Int64)), "phrase": words}
        ).explode("at", "phrase")
        begin = flat.starts[hits["text"].to_numpy()] + 1 + hits["at"].to_numpy()
        end = begin + hits["phrase"].str.len_bytes().to_numpy()
        whole = ~is_word(flat.data[begin - 1]) & ~is_word(flat.data[end])
        hits = hits.filter(pl.Series(whole)).with_columns(pl.col("phrase").str.to_lowercase())
        return hits.join(self.lexicon, on="phrase", how="left", maintain_order="left")

    def counts(self, texts: pl.Series, flat: Flat) -> dict[str, pl.Series]:
        """How often each lexicon's phrases stand in each text (Int32, n rows a lexicon)."""
        hits = self.hits(texts, flat)
        counted = {}
        for name in self.names:
            rows = hits.filter(pl.col("lexicon") == name)["text"].to_numpy()
            counted[name] = pl.Series(name, np.bincount(rows, minlength=len(texts)).astype(np.int32))
        return counted

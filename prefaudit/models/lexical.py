"""`lexical`: an embedder fitted on the data itself. Words and pairs of words, projected; nothing to download."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import fingerprint
from prefaudit.models.base import RESPONSE, Vectors

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# A word, with what follows an apostrophe; one sign of a script that writes without spaces; one mark; a line's end.
SINGLE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
TOKEN = rf"[{SINGLE}]|[\p{{L}}\p{{M}}\p{{N}}--[{SINGLE}]]+(?:['’][\p{{L}}--[{SINGLE}]]+)?|[^\s\p{{L}}\p{{M}}\p{{N}}]|\n"
HEAD = 20_000  # characters of a text that are read
CHUNK = 4_000_000  # characters that are cut into tokens at once: bounds the memory
WORDS, PAIRS = 10_000, 10_000  # terms at most
SEEN, SPARE = 10, 100  # texts of the sample in which a term has to stand; one in SPARE where that is fewer
OVERSAMPLE, ROUNDS = 16, 3  # of the randomised SVD


class Lookup:
    """Keys to their positions, by a table over the top bits of the key: one step where a binary search takes 14."""

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._shift = np.uint64(64 - max(8, int(np.ceil(np.log2(max(len(keys), 1)))) + 6))
        top = (self._keys >> self._shift).astype(np.int64)
        self._table = np.full(1 << (64 - int(self._shift)), -1, np.int32)
        self._table[top[::-1]] = np.arange(len(keys), dtype=np.int32)[::-1]
        self._crowded = np.bincount(top, minlength=len(self._table)) > 1 if len(keys) else np.zeros(0, bool)

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The position of each key among those given, -1 for a key that is not one of them."""
        if not len(self._keys):
            return np.full(len(keys), -1, np.int32)
        top = (keys >> self._shift).astype(np.int64)
        at = self._table[top]
        crowded = np.flatnonzero(self._crowded[top])
        at[crowded] = np.minimum(np.searchsorted(self._keys, keys[crowded]), len(self._keys) - 1)
        found = (at >= 0) & (self._keys[at] == keys)
        return np.where(found, self._order[at], -1).astype(np.int32)


@dataclass(frozen=True)
class Tokens:
    """The tokens of some texts, one after the other, as 64-bit hashes; a hash is never stored."""

    key: NDArray[np.uint64]
    text: Ints  # the text of each, ascending
    flat: pl.Series


def tokens(texts: pl.Series) -> Tokens:
    """Cut texts into tokens, lower case."""
    lists = texts.str.head(HEAD).str.to_lowercase().str.extract_all(TOKEN)
    sizes = lists.list.len().to_numpy()
    flat = lists.filter(sizes > 0).explode()
    return Tokens(flat.hash(0).to_numpy(), np.repeat(np.arange(len(texts)), sizes), flat)


def _joined(word: NDArray[np.int32], text: Ints) -> tuple[NDArray[np.uint64], Ints]:
    """Keys of neighbouring known words of one text, and the position of the first of the two."""
    near = (word[:-1] >= 0) & (word[1:] >= 0) & (text[:-1] == text[1:])
    at = np.flatnonzero(near)
    key = (word[at].astype(np.uint64) << np.uint64(32)) | word[at + 1].astype(np.uint64)
    return key * np.uint64(0x9E3779B97F4A7C15), at  # spread over all bits, one to one


@dataclass(frozen=True)
class Lexical:
    """Term frequencies of a pruned vocabulary, weighted, of unit length, and projected.

    The projection is onto the directions in which the two answers of a pair differ most (a truncated SVD of chosen
    minus rejected, in no order): what a prompt brings into both answers falls away.

    Attributes:
        words: the vocabulary, most frequent first.
        pairs: (p, 2) numbers of neighbouring words.
        weight: (words + pairs,) inverse document frequency.
        projection: (words + pairs, dim).
        spread: (dim,) standard deviation of the differences along each direction in the sample.
    """

    words: pl.Series
    pairs: NDArray[np.int32]
    weight: Floats
    projection: Floats
    spread: Floats
    name: ClassVar[str] = "lexical"
    template: ClassVar[str] = RESPONSE
    limit: ClassVar[int | None] = None
    _lookups: dict[str, Lookup] = field(default_factory=dict, repr=False, compare=False)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.projection.shape[1])

    @property
    def revision(self) -> str:
        """What the vectors depend on beside the text: the fit, by its content."""
        return fingerprint(self.words.to_list(), self.weight.tobytes().hex(), self.spread.tobytes().hex())

    @classmethod
    def fit(cls, chosen: pl.Series, rejected: pl.Series, seed: int = 0, dim: int = 256) -> Lexical:
        """Vocabulary, weights and projection from a sample of pairs.

        Args:
            chosen: n texts.
            rejected: n texts; which of the two is chosen makes no difference.
            seed: of the randomised SVD (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1).
            dim: directions; fewer where the sample has no more.

        Raises:
            ValueError: no token stands in enough of the texts.
        """
        texts = pl.concat([chosen, rejected])
        seen = min(SEEN, max(1, len(texts) // SPARE))
        words, pairs, df = _vocabulary(texts, seen)
        if not len(words):
            raise ValueError("no word stands in enough of the texts")
        weight = (np.log((1 + len(texts)) / (1 + df)) + 1).astype(np.float32)
        bare = cls(words, pairs, weight, np.zeros((len(weight), 0), np.float32), np.zeros(0, np.float32))
        matrix = bare.terms(texts)
        difference = matrix[: len(chosen)] - matrix[len(chosen) :]
        projection, spread = _directions(difference, min(dim, len(weight), max(2, len(chosen) - 1)), seed)
        return cls(words, pairs, weight, projection, spread)

    def terms(self, texts: pl.Series) -> Any:
        """(n, terms) scipy sparse rows of unit length: (1 + log count) x weight."""
        from scipy.sparse import csr_array, vstack

        parts = [self._rows(texts[a:b]) for a, b in chunks(texts)]
        return vstack(parts, format="csr") if parts else csr_array((0, len(self.weight)), dtype=np.float32)

    def _rows(self, texts: pl.Series) -> Any:
        from scipy.sparse import csr_array

        if not self._lookups:
            pair = self.pairs.astype(np.uint64)
            keys = ((pair[:, 0] << np.uint64(32)) | pair[:, 1]) * np.uint64(0x9E3779B97F4A7C15)
            self._lookups.update(word=Lookup(self.words.hash(0).to_numpy()), pair=Lookup(keys))
        cut = tokens(texts)
        word = self._lookups["word"].find(cut.key)
        key, at = _joined(word, cut.text)
        pair_at = self._lookups["pair"].find(key)
        known, joined = np.flatnonzero(word >= 0), np.flatnonzero(pair_at >= 0)
        column = np.concatenate([word[known], pair_at[joined] + np.int32(len(self.words))])
        row = np.concatenate([cut.text[known], cut.text[at[joined]]])
        rows = csr_array(
            (np.ones(len(row), np.float32), (row, column)), shape=(len(texts), len(self.weight)), dtype=np.float32
        )
        rows.sum_duplicates()
        rows.data = (1 + np.log(rows.data)) * self.weight[rows.indices]
        size = np.sqrt(np.bincount(np.repeat(np.arange(len(texts)), np.diff(rows.indptr)), rows.data**2, len(texts)))
        rows.data /= np.repeat(np.maximum(size, 1e-12), np.diff(rows.indptr)).astype(np.float32)
        return rows

    def embed(self, responses: pl.Series, prompts: pl.Series | None = None) -> Vectors:
        """Vectors of unit length; a text without a known term is 0. Prompts are not read."""
        out = np.empty((len(responses), self.dim), np.float32)
        for a, b in chunks(responses):
            out[a:b] = self._rows(responses[a:b]) @ self.projection
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return Vectors(out, (responses.str.len_chars() > HEAD).to_numpy())

    def to_bytes(self) -> bytes:
        """What `from_bytes` needs to make the same embedder again."""
        held = io.BytesIO()
        np.savez(held, words=np.frombuffer("\n".join(w if w != "\n" else "\\n" for w in self.words).encode(), np.uint8),
                 pairs=self.pairs, weight=self.weight, projection=self.projection, spread=self.spread)  # fmt: skip
        return held.getvalue()

    @classmethod
    def from_bytes(cls, held: bytes) -> Lexical:
        """The embedder that `to_bytes` wrote."""
        with np.load(io.BytesIO(held), allow_pickle=False) as saved:
            words = [w if w != "\\n" else "\n" for w in saved["words"].tobytes().decode().split("\n")]
            return cls(pl.Series(words), saved["pairs"], saved["weight"], saved["projection"], saved["spread"])


def chunks(texts: pl.Series) -> list[tuple[int, int]]:
    """Ranges of texts of at most CHUNK characters read, or of one text."""
    sizes = np.minimum(texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64), 4 * HEAD)
    number = np.cumsum(sizes) // CHUNK
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(texts)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def _vocabulary(texts: pl.Series, seen: int) -> tuple[pl.Series, NDArray[np.int32], NDArray[np.int64]]:
    """Words, pairs of words, and in how many texts each stands; the most frequent ones, in a fixed order."""
    parts = [tokens(texts[a:b]) for a, b in chunks(texts)]
    counts = pl.concat([
        pl.DataFrame({"word": p.flat, "text": p.text}).unique().group_by("word").len("df") for p in parts
    ]).group_by("word").agg(pl.col("df").sum())  # fmt: skip
    kept = counts.filter(pl.col("df") >= seen).sort(["df", "word"], descending=[True, False]).head(WORDS)
    lookup = Lookup(kept["word"].hash(0).to_numpy())
    pairs = []
    for part in parts:
        word = lookup.find(part.key)
        _, at = _joined(word, part.text)
        found = pl.DataFrame({"a": word[at], "b": word[at + 1], "text": part.text[at]})
        pairs.append(found.unique().group_by("a", "b").len("df"))
    both = pl.concat(pairs).group_by("a", "b").agg(pl.col("df").sum()).filter(pl.col("df") >= seen)
    both = both.sort(["df", "a", "b"], descending=[True, False, False]).head(PAIRS)
    df = np.concatenate([kept["df"].to_numpy(), both["df"].to_numpy()]).astype(np.int64)
    return kept["word"], both.select("a", "b").to_numpy().astype(np.int32).reshape(-1, 2), df


def _directions(matrix: Any, dim: int, seed: int) -> tuple[Floats, Floats]:
    """The leading right singular vectors (terms, dim) and the root mean square of the rows along each."""
    rng = np.random.default_rng(seed)
    turned = matrix.T.tocsr()
    basis = rng.standard_normal((matrix.shape[1], dim + OVERSAMPLE)).astype(np.float32)
    for _ in range(ROUNDS):
        basis = _orthonormal(turned @ (matrix @ basis))
    reached = (matrix @ basis).astype(np.float64)
    squares, right = np.linalg.eigh(reached.T @ reached)
    vectors = (basis @ right[:, ::-1][:, :dim]).astype(np.float32)
    # A sign is arbitrary: make the largest entry positive, so that the same data give the same vectors.
    vectors *= np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    return vectors, np.sqrt(np.maximum(squares[::-1][:dim], 0) / max(matrix.shape[0], 1)).astype(np.float32)


def _orthonormal(columns: Floats) -> Floats:
    """An orthonormal basis of the columns' span, by their Gram matrix: ten times as fast as QR where they are long."""
    wide = columns.astype(np.float64)
    squares, turn = np.linalg.eigh(wide.T @ wide)
    kept = squares > squares[-1] * 1e-12
    return np.asarray((wide @ (turn[:, kept] / np.sqrt(squares[kept]))).astype(np.float32))

"""Prompt and answer in tokens, as TRL makes them, with a tokenizer on this machine; no code of its own is run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from prefaudit.core import AuditError, UsageError

Encode = Callable[[list[str]], list[list[int]]]
Messages = list[dict[str, str]]

NAMES = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt",
         "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "spiece.model")  # fmt: skip
END = -1  # stands for the end token of a bare tokenizer.json, which does not name it
BATCH = 1000
SLACK = 16  # what special tokens and a prefixed space can add to a text without a template
MISSING = "--tokenizer needs the extra models: pip install 'prefaudit[models]'"


class Tokens(NamedTuple):
    """A tokenizer: texts to ids, what ends an answer, and how a conversation is written out, if it says so."""

    encode: Encode
    end: str | None
    render: Callable[[Messages, bool], str] | None


def print_of(path: str) -> str:
    """Twelve hex digits of the tokenizer's files.

    Raises:
        UsageError: there is none.
    """
    at = Path(path)
    files = [at] if at.is_file() else [at / name for name in NAMES if (at / name).is_file()]
    if not files:
        raise UsageError(
            f"no tokenizer at {path}", "name a tokenizer.json or a folder that holds one; nothing is downloaded"
        )
    digest = hashlib.blake2b(digest_size=6)
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def load(path: str) -> Tokens:
    """Open a tokenizer.json, or a folder in the layout of transformers.

    Raises:
        AuditError: the packages are not installed, or it cannot be read.
    """
    try:
        return _bare(path) if Path(path).is_file() else _folder(path)
    except ImportError as error:
        raise AuditError(MISSING, "or leave --tokenizer out: --max-length then counts characters") from error
    except AuditError:
        raise
    except Exception as error:  # tokenizers raises plain Exception
        raise AuditError(
            f"the tokenizer at {path} cannot be read: {error}", "it has to load in transformers"
        ) from error


def _bare(path: str) -> Tokens:
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(path)
    made.no_truncation()
    made.no_padding()
    return Tokens(lambda texts: [one.ids for one in made.encode_batch_fast(texts)], None, None)


def _folder(path: str) -> Tokens:
    from transformers import AutoTokenizer

    made: Any = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    template = bool(made.chat_template)

    def encode(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = made(texts, add_special_tokens=not template, verbose=False)["input_ids"]
        return ids

    def render(messages: Messages, ask: bool) -> str:
        return str(made.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask))

    return Tokens(encode, made.eos_token or "", render if template else None)


def measure(pairs: pl.DataFrame, most: int, tokens: Tokens) -> pl.DataFrame:
    """`excess`, `same` and `no_answer` of each pair, in tokens; null where the chat template refuses a conversation.

    Args:
        pairs: `prompt`, `rejected_prompt`, `chosen`, `rejected`; both answers there.
        most: the trainer's max_length.
        tokens: the tokenizer.
    """
    n = pairs.height
    excess: list[int | None] = [0] * n
    same: list[bool | None] = [False] * n
    no_answer: list[bool | None] = [False] * n
    index = np.flatnonzero(_may_exceed(pairs, most, tokens))
    for at in range(0, len(index), BATCH):
        rows = index[at : at + BATCH]
        texts = [_texts(row, tokens) for row in pairs[rows].iter_rows(named=True)]
        ids = tokens.encode([text for four in texts if four for text in four])
        known = iter(range(0, len(ids), 4))
        for row, four in zip(rows, texts, strict=True):
            k = next(known) if four else None
            excess[row], same[row], no_answer[row] = (None,) * 3 if k is None else _cut(ids[k : k + 4], most, tokens)
    return pl.DataFrame({"excess": excess, "same": same, "no_answer": no_answer})


def _cut(ids: list[list[int]], most: int, tokens: Tokens) -> tuple[int, bool, bool]:
    """What is left of prompt, other prompt, and both whole sequences."""
    ends = [END] if tokens.end is None else []
    chosen, rejected = ids[2] + ends, ids[3] + ends
    begin = min(_shared(ids[0], chosen), _shared(ids[1], rejected))
    over = max(len(chosen), len(rejected)) - most
    alike = over > 0 and chosen != rejected and chosen[:most] == rejected[:most]
    return max(over, 0), alike and begin < most, begin >= most


def _shared(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _may_exceed(pairs: pl.DataFrame, most: int, tokens: Tokens) -> np.ndarray:
    """False where even a token a byte would fit: only for ASCII, which no tokenizer makes longer."""
    joined = {
        name: pl.col(column).list.eval(pl.element().struct.field("content").fill_null("")).list.join("\n")
        for name, column in (("p", "prompt"), ("q", "rejected_prompt"))
    }
    frame = pairs.select("chosen", "rejected", turns=pl.col("prompt").list.len().cast(pl.Int64), **joined)
    size = {name: pl.col(name).str.len_bytes().fill_null(0).cast(pl.Int64) for name in ("p", "q", "chosen", "rejected")}
    plain = pl.all_horizontal(size[name] == pl.col(name).str.len_chars().fill_null(0) for name in size)
    longest = pl.max_horizontal(size["p"], size["q"]) + pl.max_horizontal(size["chosen"], size["rejected"])
    around = SLACK + (pl.col("turns").fill_null(0) + 2) * _overhead(tokens)
    return frame.select(~(plain & (longest + around <= most))).to_series().to_numpy()


def _overhead(tokens: Tokens) -> int:
    """Bytes that the chat template writes around one turn, its preamble included, at most."""
    if tokens.render is None:
        return 0
    return len(tokens.render([{"role": "user", "content": "x"}], True).encode())


def _texts(row: dict[str, Any], tokens: Tokens) -> tuple[str, str, str, str] | None:
    """Prompt, other prompt, and each prompt with its answer, written out."""
    before = row["prompt"] or []
    other = before if row["rejected_prompt"] is None else row["rejected_prompt"]
    if tokens.render is None:
        p, q = ("\n".join(m["content"] or "" for m in turns) for turns in (before, other))
        ended = [
            t if tokens.end and t.endswith(tokens.end) else t + (tokens.end or "")
            for t in (row["chosen"], row["rejected"])
        ]
        return p, q, p + ended[0], q + ended[1]
    from jinja2.exceptions import TemplateError

    def said(turns: Messages, answer: str) -> str:
        assert tokens.render is not None
        return tokens.render([*turns, {"role": "assistant", "content": answer}], False)

    try:
        asked = tokens.render(before, True), tokens.render(other, True)
        return *asked, said(before, row["chosen"]), said(other, row["rejected"])
    except TemplateError:
        return None

"""Template tokens and role markers that belong to a training format and not into an answer."""

from __future__ import annotations

import numpy as np
import polars as pl

TOKENS = (
    "<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|end_of_turn|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>",
    "<|eom_id|>", "<|return|>", "<|channel|>", "<|message|>", "<|prompter|>", "<|endofresponse|>", "<end_of_turn>",
    "<start_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<｜end▁of▁sentence｜>", "<｜Assistant｜>",
    "<｜User｜>",
    "\n\nHuman:", "\n\nAssistant:", "### Response:", "### Instruction:", "### Human:", "### Assistant:", "### User:",
    "\nUSER:", "\nASSISTANT:",
)  # fmt: skip
PARTS = r"<|INST\]|### |Human:|Assistant:|USER:|ASSISTANT:"  # one of them is in every leak
EDGES = r"\A\s*(?:<s>|(?:Human|Assistant|ASSISTANT|USER): )|</s>\s*\z"


def leaks(texts: pl.Series) -> pl.Series:
    """True where a text holds such a token, begins with a role marker, or ends in `</s>`.

    Args:
        texts: n texts, no null.
    """
    found = np.zeros(len(texts), bool)
    index = np.flatnonzero(texts.str.contains(PARTS).to_numpy())
    if len(index):
        some = texts.gather(index)
        found[index] = (some.str.contains_any(list(TOKENS)) | some.str.contains(EDGES)).to_numpy()
    return pl.Series("leak", found)

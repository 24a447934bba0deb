"""Two answers to one prompt read in one sequence: the prompt once, neither answer sees the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST = 16  # tokens in common under which sharing costs more than it saves
LONGEST = 4096  # tokens of a sequence with both answers: its mask has their square
KINDS = {"llama", "qwen2", "qwen3", "mistral"}  # decoders that take positions and a mask for each pair of tokens


class Pack(NamedTuple):
    """Two rows, and how many tokens both begin with; they stand as prefix, rest of the first, rest of the second."""

    first: int
    second: int
    prefix: int


def shares(config: Any) -> bool:
    """Whether a model's attention is causal and full in every layer, and its positions are told to it."""
    layers = getattr(config, "layer_types", None) or []
    sliding = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return config.model_type in KINDS and not sliding and all(kind == "full_attention" for kind in layers)


def packs(ids: Sequence[Sequence[int]], rows: NDArray[np.int64]) -> tuple[list[Pack], NDArray[np.int64]]:
    """Rows that begin alike, two by two, and the rows that are left.

    Args:
        ids: token ids of every row.
        rows: those to be scored.
    """
    order = sorted(rows.tolist(), key=lambda r: list(ids[r]))
    found, alone, at = [], [], 0
    while at < len(order):
        a = order[at]
        b = order[at + 1] if at + 1 < len(order) else None
        common = 0 if b is None else _common(ids[a], ids[b])
        if b is not None and common >= LEAST and len(ids[a]) + len(ids[b]) - common <= LONGEST:
            found.append(Pack(a, b, common))
            at += 2
            continue
        alone.append(a)
        at += 1
    return found, np.array(alone, np.int64)


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens both begin with; each keeps at least its last one."""
    most = min(len(a), len(b)) - 1
    differ = np.flatnonzero(np.asarray(a[:most]) != np.asarray(b[:most]))
    return int(differ[0]) if len(differ) else max(most, 0)


def scores(model: Any, some: Sequence[Pack], ids: Sequence[Sequence[int]], device: str) -> NDArray[np.float64]:
    """(n, 2) scores of the first and second row of each pack, read at their own last tokens."""
    import torch

    size = np.array([[p.prefix, len(ids[p.first]), len(ids[p.second])] for p in some])
    whole = size[:, 1] + size[:, 2] - size[:, 0]
    width = int(whole.max())
    tokens = np.zeros((len(some), width), np.int64)
    for k, pack in enumerate(some):
        tokens[k, : whole[k]] = [*ids[pack.first], *ids[pack.second][pack.prefix :]]
    place = np.arange(width)
    second = place >= size[:, 1, None]
    position = place - second * (size[:, 1] - size[:, 0])[:, None]
    prefix, later = (torch.tensor(x, device=device) for x in (place < size[:, 0, None], second))
    sees = torch.ones(width, width, dtype=torch.bool, device=device).tril()
    sees = sees & (prefix[:, None, :] | (later[:, :, None] == later[:, None, :]))
    dtype = next(model.parameters()).dtype
    mask = torch.zeros(sees.shape, dtype=dtype, device=device).masked_fill_(~sees, torch.finfo(dtype).min)
    hidden = getattr(model, model.base_model_prefix)(
        input_ids=torch.tensor(tokens, device=device), position_ids=torch.tensor(position, device=device),
        attention_mask=mask[:, None]).last_hidden_state  # fmt: skip
    row = torch.arange(len(some), device=device)
    ends = (size[:, 1] - 1, whole - 1)
    last = torch.stack([hidden[row, torch.tensor(end, device=device)] for end in ends], 1).float()
    return np.asarray(model.score(last)[..., 0].double().cpu())

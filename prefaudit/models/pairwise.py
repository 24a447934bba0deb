"""PairRM: a model that reads two answers at once, in both orders (LLM-Blender, arXiv 2306.02561)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from prefaudit.models.base import ModelError, place
from prefaudit.models.checkpoint import fill, read, tokenizer_of
from prefaudit.models.hf import BUDGET, _batches, revision
from prefaudit.models.reward_config import config_of
from prefaudit.models.scores import Conversation, Scores, spacing

SOURCE, ANSWER = 1224, 412  # tokens of the prompt, and of each answer where the prompt leaves no more
MARKS = ("<|source|>", "<|candidate1|>", "<|candidate2|>")
TASK = "Finish the following coversation in each i-th turn by filling in <Response i> with your response."
"""As the model was trained, its misspelling included."""


@dataclass(frozen=True)
class PairRM:
    """The margin of two answers to one prompt: logit(A, B) - logit(B, A), so that it is odd by construction.

    Attributes:
        where: folder or hub id.
        pinned: the hub revision.
        limit: tokens read at most; 0 is what the model was trained with.
        device: auto, cpu, cuda, cuda:1, mps.
    """

    where: str
    pinned: str = ""
    limit: int = 0
    device: str = "auto"
    pairwise: ClassVar[bool] = True
    kind: ClassVar[str] = "float32"
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Folder or hub id, with the revision where one was named."""
        return f"{self.where}@{self.pinned}" if self.pinned else self.where

    @cached_property
    def revision(self) -> str:
        """What tells two versions of the weights apart."""
        return self.pinned or revision(self.where)

    @cached_property
    def on(self) -> str:
        """The device it runs on."""
        return place(self.device)

    def score(self, prompts: Sequence[Conversation], firsts: Sequence[str], seconds: Sequence[str]) -> Scores:
        """Margins of n first answers over n second ones; `cut` where a prompt lost its end, NaN where an answer would.

        Raises:
            ModelError: the model gave a number that is none.
        """
        tokenizer, _, _ = self._load()
        ids, cut = [], np.zeros(len(prompts), bool)
        lost = np.zeros(len(prompts), bool)
        for k, (prompt, a, b) in enumerate(zip(prompts, firsts, seconds, strict=True)):
            both, cut[k], lost[k] = self._encoded(tokenizer, prompt, a, b)
            ids += both
        margin = np.full(len(prompts), np.nan)
        found = self._logits(ids)
        margin[~lost] = (found[::2] - found[1::2])[~lost]
        return Scores(margin, cut, spacing(margin, self.kind))

    def _encoded(self, tokenizer: Any, prompt: Conversation, a: str, b: str) -> tuple[list[list[int]], bool, bool]:
        """Both orders; whether the prompt was cut; whether an answer was."""
        asked = [m["content"] for m in prompt if m["role"] != "assistant"]
        said = [m["content"] for m in prompt if m["role"] == "assistant"]
        source = TASK + "\n".join(f"USER: {t}\nAssistant: <Response {k + 1}>" for k, t in enumerate(asked))
        sides = ["\n".join(f"<Response {k + 1}>: {t}" for k, t in enumerate([*said, answer])) for answer in (a, b)]
        whole_ = self.limit or SOURCE + 2 * ANSWER
        most = max(whole_ - 2 * ANSWER, whole_ // 3)
        head = tokenizer.encode(MARKS[0] + source)
        cut = len(head) > most
        head = [*head[: most - 1], head[-1]] if cut else head
        room = (whole_ - len(head)) // 2
        found, lost = [], False
        for one, other in (sides, sides[::-1]):
            parts = [tokenizer.encode(mark + text) for mark, text in zip(MARKS[1:], (one, other), strict=True)]
            lost = lost or any(len(p) > room for p in parts)
            found.append(head + [t for p in parts for t in p[:room]])
        return found, cut, lost

    def _logits(self, ids: list[list[int]]) -> NDArray[np.float64]:
        import torch

        tokenizer, body, head = self._load()
        marks = [tokenizer.convert_tokens_to_ids(mark) for mark in MARKS]
        sizes = np.fromiter(map(len, ids), np.int64, len(ids))
        order, out = np.argsort(-sizes, kind="stable"), np.empty(len(ids))
        pad = tokenizer.pad_token_id or 0
        with torch.inference_mode():
            for batch in _batches(sizes[order], BUDGET[self.on.split(":")[0]]):
                rows = order[batch]
                width = int(sizes[rows[0]])
                tokens = torch.tensor([ids[r] + [pad] * (width - len(ids[r])) for r in rows], device=self.on)
                mask = (torch.arange(width)[None] < torch.tensor(sizes[rows])[:, None]).long().to(self.on)
                hidden = body(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
                at = [(tokens == mark).int().argmax(1) for mark in marks]
                row = torch.arange(len(rows), device=self.on)
                source, one, other = (hidden[row, place] for place in at)
                left, right = (head(torch.cat([source, side], 1)) for side in (one, other))
                out[rows] = (left - right).mean(1).double().cpu()
        if not np.isfinite(out).all():
            raise ModelError(f"{self.name} gave a margin that is no number")
        return out

    def _load(self) -> tuple[Any, Any, Any]:
        if not self._held:
            import torch
            from transformers import DebertaV2Config, DebertaV2Model

            said = config_of(self.where, self.pinned)
            body: Any = DebertaV2Model(DebertaV2Config(**said))
            tensors = read(self.where, self.pinned, lambda key: True)
            inside = {k.removeprefix("pretrained_model."): v for k, v in tensors.items()}
            fill(self.where, body, inside)
            numbers = sorted({k.split(".")[1] for k in tensors if k.startswith("head_layer.")}, key=int)
            layers = [(tensors[f"head_layer.{k}.weight"], tensors[f"head_layer.{k}.bias"]) for k in numbers]
            layers = [(w.to(self.on), b.to(self.on)) for w, b in layers]

            def head(x: Any) -> Any:
                for k, (weight, bias) in enumerate(layers):
                    x = torch.nn.functional.linear(x, weight, bias)
                    x = x.tanh() if k < len(layers) - 1 else x
                return x

            tokenizer = tokenizer_of(self.where, self.pinned)
            self._held.update(tokenizer=tokenizer, body=body.eval().to(self.on), head=head)
        return self._held["tokenizer"], self._held["body"], self._held["head"]

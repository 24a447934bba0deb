"""Votes from likelihoods: how much more one language model likes an answer than another one does.

`dpo+POLICY|REFERENCE` is the implicit reward of a policy trained by DPO, log pi(y|x) - log pi_ref(y|x) (Rafailov et
al., arXiv 2305.18290, section 5; its beta is a scale, which strength takes out). `cdr+STRONG|WEAK` is the same
difference of two models of unlike strength (Xu et al., arXiv 2411.02481, "Dr. SoW"). Log-likelihoods are summed over
the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.core import AuditError
from prefaudit.models.base import ModelError, halves, place
from prefaudit.models.checkpoint import opened, tokenizer_of, whole
from prefaudit.models.hf import BUDGET, _batches, revision
from prefaudit.models.reward_config import config_of, named
from prefaudit.models.scores import MOST, Conversation, Scores, spacing

KINDS = ("dpo", "cdr")
LOGIT = 16.0  # an ordinary large logit
LOGITS = 1 << 26  # numbers that the logits of a batch may have


def two(name: str) -> tuple[str, str, str]:
    """The kind and the two models of KIND+MODEL|MODEL.

    Raises:
        AuditError: it does not name two.
    """
    kind, _, rest = name.partition("+")
    one, _, other = rest.partition("|")
    if not one or not other:
        words = "POLICY|REFERENCE" if kind == "dpo" else "STRONG|WEAK"
        raise AuditError(f"{name} does not name two models", f"{kind}+{words}, two folders or hub ids, in quotes")
    return kind, one, other


@dataclass(frozen=True)
class Likelihood:
    """log p(answer | prompt) of one causal model less that of another, in nats.

    Attributes:
        name: KIND+MODEL|MODEL.
        limit: tokens read at most; 0 is each model's own limit.
        device: auto, cpu, cuda, cuda:1, mps.
        precision: auto, float32, bfloat16.
    """

    name: str
    limit: int = 0
    device: str = "auto"
    precision: str = "auto"
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def revision(self) -> str:
        """What tells two versions of the weights apart."""
        at = [named(where) for where in two(self.name)[1:]]
        return " ".join(a.pinned or revision(a.where) for a in at)

    @cached_property
    def on(self) -> str:
        """The device it runs on."""
        return place(self.device)

    @cached_property
    def kind(self) -> str:
        """The precision it runs in: bfloat16 where the device is fast at it."""
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if halves(self.on) else "float32"

    def score(self, prompts: Sequence[Conversation], responses: Sequence[str]) -> Scores:
        """Differences of log-likelihoods of n answers; NaN where an answer is longer than a model reads.

        Raises:
            AuditError: a model cannot be loaded or has no chat template.
            ModelError: a model gave a number that is none.
        """
        cut, size = np.zeros(len(responses), bool), np.ones(len(responses))
        sums = []
        for tokenizer, model in self._load():
            told, lost, tokens = self._sums(tokenizer, model, prompts, responses)
            sums.append(told)
            cut |= lost
            size = np.maximum(size, tokens)
        # each token's logit is off by up to a spacing, this way or that: sums wander with the root of their length
        step = spacing(np.full(len(size), LOGIT), self.kind) * np.sqrt(size)
        return Scores(sums[0] - sums[1], cut, step)

    def _sums(
        self, tokenizer: Any, model: Any, prompts: Sequence[Conversation], responses: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
        """Summed log-likelihoods of the answers, whether the prompt was cut, and tokens of each answer."""
        import torch

        limit = min(int(getattr(model.config, "max_position_embeddings", 0) or MOST), MOST)
        limit = min(self.limit, limit) if self.limit else limit
        ids, start, cut = _parted(tokenizer, prompts, responses, limit)
        sizes = np.fromiter(map(len, ids), np.int64, len(ids))
        order, out = np.argsort(-sizes, kind="stable"), np.full(len(ids), np.nan)
        order = order[sizes[order] > 0]
        budget = min(BUDGET[self.on.split(":")[0]], max(1, LOGITS // model.config.vocab_size))
        with torch.inference_mode():
            for batch in _batches(sizes[order], budget):
                rows = order[batch]
                width = int(sizes[rows[0]])
                tokens = torch.tensor([ids[r] + [0] * (width - len(ids[r])) for r in rows], device=self.on)
                place = torch.arange(width, device=self.on)[None]
                size = torch.tensor(sizes[rows], device=self.on)[:, None]
                logits = model(input_ids=tokens, attention_mask=(place < size).long()).logits[:, :-1].float()
                told = logits.log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0].double()
                first = torch.tensor([start[r] for r in rows], device=self.on)[:, None]
                inside = (place[:, 1:] >= first) & (place[:, 1:] < size)
                out[rows] = torch.where(inside, told, 0.0).sum(1).cpu()
        if not np.isfinite(out[order]).all():
            raise ModelError(f"{self.name} gave a likelihood that is no number")
        return out, cut, np.maximum(sizes - np.array(start, np.int64), 0)

    def _load(self) -> list[tuple[Any, Any]]:
        if not self._held:
            import torch

            made = []
            for where in two(self.name)[1:]:
                at = named(where)
                config_of(at.where, at.pinned)
                model, lost = opened("AutoModelForCausalLM", at.where, at.pinned, getattr(torch, self.kind))
                whole(where, lost)
                made.append((tokenizer_of(at.where, at.pinned), model.eval().to(self.on)))
            templates = [t.chat_template for t, _ in made if t.chat_template]
            if not templates:
                raise AuditError(f"{self.name}: neither model has a chat template",
                                 "put one into the tokenizer_config.json of the first")  # fmt: skip
            for tokenizer, _ in made:  # a base model is asked in the words of the other
                tokenizer.chat_template = tokenizer.chat_template or templates[0]
            self._held["models"] = made
        return list(self._held["models"])


def _parted(tokenizer: Any, prompts: Sequence[Conversation], responses: Sequence[str],
            limit: int) -> tuple[list[list[int]], list[int], NDArray[np.bool_]]:  # fmt: skip
    """Token ids, the first token of each answer, whether a prompt lost its beginning; none where an answer is too long.

    The answer begins where the conversation with it parts from the prompt with the turn opened.
    """
    plain = {"add_special_tokens": False, "padding": False, "truncation": False, "verbose": False}
    said = [[*p, {"role": "assistant", "content": r}] for p, r in zip(prompts, responses, strict=True)]
    if not said:
        return [], [], np.zeros(0, bool)
    full = tokenizer(tokenizer.apply_chat_template(said, tokenize=False), **plain)["input_ids"]
    opened = tokenizer.apply_chat_template([list(p) for p in prompts], tokenize=False, add_generation_prompt=True)
    asked = tokenizer(opened, **plain)["input_ids"]
    ids, start, cut = [], [], np.zeros(len(said), bool)
    for k, (whole_, prompt) in enumerate(zip(full, asked, strict=True)):
        same = next((i for i, (a, b) in enumerate(zip(whole_, prompt, strict=False)) if a != b),
                    min(len(whole_), len(prompt)))  # fmt: skip
        at = max(same, 1)
        over = len(whole_) - limit
        cut[k] = over > 0
        fits = over < at
        ids.append(whole_[max(over, 0) :] if fits else [])
        start.append(max(at - max(over, 0), 1))
    return ids, start, cut

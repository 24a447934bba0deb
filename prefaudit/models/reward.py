"""A reward model in a folder or on the hub: prompt and answer in, one number out, by plain transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prefaudit.core import AuditError
from prefaudit.models import reward_heads, shared
from prefaudit.models.base import POSITIONS, ModelError, halves, place
from prefaudit.models.checkpoint import opened, tokenizer_of
from prefaudit.models.hf import BUDGET, _batches, revision
from prefaudit.models.reward_config import ENCODERS, RIGHT, checked
from prefaudit.models.scores import MOST, Conversation, Scores, spacing

SPAN = 4096  # conversations that are tokens at once: bounds the memory


class Tokens(NamedTuple):
    """Conversations as token ids; `kinds` says of each token whether it is of the prompt (0) or the answer (1)."""

    ids: list[list[int]]
    kinds: list[list[int]] | None
    cut: NDArray[np.bool_]


@dataclass(frozen=True)
class RewardModel:
    """A sequence classifier with one output, or one of the heads in `reward_heads`; safetensors, and no code but ours.

    Each trap of the usual loaders has its guard: a head that was not trained is refused, the score is read at the last
    token of the attention mask (not at the last one that differs from padding), the head runs in float32, the chat
    template alone decides on BOS, batches are of one length, and what is too long loses its beginning and is counted.
    Two answers to one prompt are read in one sequence (`models.shared`) where the model's attention allows it.

    Attributes:
        where: folder or hub id.
        pinned: the hub revision; empty for a folder or the newest.
        limit: tokens read at most; 0 is the model's own limit.
        device: auto, cpu, cuda, cuda:1, mps.
        precision: auto, float32, bfloat16, float16.
        objective: which of several outputs is meant; empty is the score.
        trust: run the code that comes with the model, of a pinned commit, where it needs it.
    """

    where: str
    pinned: str = ""
    limit: int = 0
    device: str = "auto"
    precision: str = "auto"
    objective: str = ""
    trust: bool = False
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Folder or hub id, with the revision and the objective where one was named."""
        return self.where + f"@{self.pinned}" * bool(self.pinned) + f"#{self.objective}" * bool(self.objective)

    @cached_property
    def revision(self) -> str:
        """What tells two versions of the weights apart."""
        return self.pinned or revision(self.where)

    @cached_property
    def on(self) -> str:
        """The device it runs on."""
        return place(self.device)

    @cached_property
    def kind(self) -> str:
        """The precision it runs in: bfloat16 where the device is fast at it (a CPU only with AMX)."""
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if self._decoder and halves(self.on) else "float32"

    @cached_property
    def _about(self) -> tuple[dict[str, Any], str]:
        return checked(self.where, self.pinned, self.trust)

    @cached_property
    def _decoder(self) -> bool:
        """Whether the score is that of the last token."""
        said, kind = self._about
        return kind != "remote" and not said.get("is_encoder_decoder") and said.get("model_type") not in ENCODERS

    def score(self, prompts: Sequence[Conversation], responses: Sequence[str]) -> Scores:
        """Scores of n answers; see `Scorer`.

        Raises:
            AuditError: the model cannot be loaded, or has no trained head.
            ModelError: the model gave a number that is none.
        """
        values, cut = np.empty(len(responses)), np.zeros(len(responses), bool)
        for at in range(0, len(responses), SPAN):
            here = slice(at, at + SPAN)
            values[here], cut[here] = self._span(prompts[here], responses[here])
        return Scores(values, cut, spacing(values, self.kind))

    def _span(self, prompts: Sequence[Conversation], responses: Sequence[str]) -> tuple[Any, Any]:
        import torch

        tokenizer, model = self._load()
        read = self._tokens(tokenizer, prompts, responses)
        sizes = np.fromiter(map(len, read.ids), np.int64, len(read.ids))
        order = np.argsort(-sizes, kind="stable")
        every = order = order[sizes[order] > 0]
        values = np.full(len(sizes), np.nan)
        budget = BUDGET[self.on.split(":")[0]]
        with torch.inference_mode():
            if self._decoder and shared.shares(model.config) and not getattr(model, "turn", ()):
                found, order = shared.packs(read.ids, order)
                order = order[np.argsort(-sizes[order], kind="stable")]
                found.sort(key=lambda p: p.prefix - sizes[p.first] - sizes[p.second])
                self._packs(model, read, found, values, budget)
            self._batches(model, read, order, values, budget)
        if not np.isfinite(values[every]).all():
            raise ModelError(f"{self.name} gave a score that is no number")
        return values, read.cut

    def _batches(self, model: Any, read: Tokens, order: NDArray[np.int64], values: NDArray[np.float64],
                 budget: int) -> None:  # fmt: skip
        """Score the texts of `order`, longest first; half as many at once where the memory does not hold them."""
        ids, kinds, _ = read
        sizes = np.fromiter((len(ids[r]) for r in order), np.int64, len(order))
        for batch in _batches(sizes, budget):
            rows = order[batch]
            try:
                values[rows] = self._forward(model, [ids[r] for r in rows], kinds and [kinds[r] for r in rows])
            except RuntimeError as error:
                if "out of memory" not in str(error).lower() or len(rows) == 1:
                    raise ModelError(f"{self.name}: {str(error).splitlines()[0]}") from error
                self._batches(model, read, rows, values, max(len(ids[rows[0]]) * len(rows) // 2, 1))

    def _packs(self, model: Any, read: Tokens, found: list[shared.Pack], values: NDArray[np.float64],
               budget: int) -> None:  # fmt: skip
        """Score two answers to one prompt together, longest first; half as many at once where memory falls short."""
        sizes = np.array([len(read.ids[p.first]) + len(read.ids[p.second]) - p.prefix for p in found], np.int64)
        for batch in _batches(sizes, budget):
            some = found[batch]
            try:
                told = shared.scores(model, some, read.ids, self.on)
            except RuntimeError as error:
                if "out of memory" not in str(error).lower():
                    raise ModelError(f"{self.name}: {str(error).splitlines()[0]}") from error
                if len(some) == 1:
                    rows = np.array(some[0][:2], np.int64)
                    self._batches(model, read, rows, values, budget)
                else:
                    self._packs(model, read, some, values, max(int(sizes[batch].max()) * len(some) // 2, 1))
                continue
            for pack, (one, other) in zip(some, told, strict=True):
                values[[pack.first, pack.second]] = one, other

    def _forward(self, model: Any, ids: list[list[int]], kinds: list[list[int]] | None) -> NDArray[np.float64]:
        import torch

        width = max(map(len, ids))
        pad = model.config.pad_token_id or 0
        tokens = torch.tensor([i + [pad] * (width - len(i)) for i in ids], device=self.on)
        size = torch.tensor([len(i) for i in ids], device=self.on)
        mask = (torch.arange(width, device=self.on)[None] < size[:, None]).long()
        if self._about[1] == "remote":
            return self._remote(model, tokens, mask, size.tolist())
        if not self._decoder:
            read = {"input_ids": tokens, "attention_mask": mask}
            if kinds is not None:  # which of the two texts a token belongs to, for those that were trained with it
                padded = [k + [0] * (width - len(k)) for k in kinds]
                read["token_type_ids"] = torch.tensor(padded, device=self.on)
            return np.asarray(model(**read).logits[:, 0].double().cpu())
        body = getattr(model, model.base_model_prefix)
        hidden = body(input_ids=tokens, attention_mask=mask).last_hidden_state
        row = torch.arange(len(ids), device=self.on)
        states = [hidden[row, size - 1].float()]
        if getattr(model, "turn", ()):
            states.append(hidden[row, torch.tensor([model.place(i) for i in ids], device=self.on)].float())
        return np.asarray(model.score(*states)[:, 0].double().cpu())

    def _remote(self, model: Any, tokens: Any, mask: Any, sizes: list[int]) -> NDArray[np.float64]:
        """By the model's own code, one conversation at a time: nothing says how it takes padding."""
        found = []
        for row, size in enumerate(sizes):
            told = model(input_ids=tokens[row : row + 1, :size], attention_mask=mask[row : row + 1, :size])
            value = told if hasattr(told, "reshape") else getattr(told, "score", None)
            value = getattr(told, "logits", None) if value is None else value
            if value is None or value.numel() != 1:
                raise ModelError(f"{self.name}: its code gives no single score")
            found.append(float(value.reshape(())))
        return np.array(found)

    def _tokens(self, tokenizer: Any, prompts: Sequence[Conversation], responses: Sequence[str]) -> Tokens:
        """Token ids within the limit, none where the answer alone is over it."""
        plain = {"padding": False, "truncation": False, "return_attention_mask": False, "verbose": False}
        if not responses:
            return Tokens([], None, np.zeros(0, bool))
        if tokenizer.chat_template:
            said = [[*p, {"role": "assistant", "content": r}] for p, r in zip(prompts, responses, strict=True)]
            texts = tokenizer.apply_chat_template(said, tokenize=False)
            found = tokenizer(texts, add_special_tokens=False, **plain)
        else:
            asked = ["\n\n".join(m["content"] for m in p) for p in prompts]
            found = tokenizer(asked, list(responses), **plain)
        ending = list(getattr(self._held.get("model"), "ending", ()))
        limit, ids = self._limit(tokenizer) - len(ending), list(found["input_ids"])
        kinds = list(found["token_type_ids"]) if "token_type_ids" in found and not self._decoder else None
        cut = np.fromiter((len(i) > limit for i in ids), bool, len(ids))
        for k in map(int, np.flatnonzero(cut)):
            answer = len(tokenizer(responses[k], add_special_tokens=False, **plain)["input_ids"])
            head = int(ids[k][0] in (tokenizer.bos_token_id, tokenizer.cls_token_id))
            rest = len(ids[k]) - limit + head if answer < limit else len(ids[k])
            head = head if answer < limit else 0
            ids[k] = ids[k][:head] + ids[k][rest:]
            if kinds is not None:
                kinds[k] = kinds[k][:head] + kinds[k][rest:]
        ids = [i + ending if i and i[-len(ending) :] != ending else i for i in ids] if ending else ids
        return Tokens(ids, kinds, cut)

    def _limit(self, tokenizer: Any) -> int:
        own = next((self._about[0][n] for n in POSITIONS if self._about[0].get(n)), MOST)
        most = int(min(own, tokenizer.model_max_length, MOST))
        return min(self.limit, most) if self.limit else most

    def _load(self) -> tuple[Any, Any]:
        if not self._held:
            import torch

            kind = self._about[1]
            tokenizer = tokenizer_of(self.where, self.pinned, kind)
            dtype = getattr(torch, self.kind)
            if kind in ("plain", "remote"):
                if self.objective:
                    raise AuditError(f"{self.where} has one output, and no objective {self.objective!r}", "leave out #")
                model = self._classifier(dtype)
            else:
                model = reward_heads.load(kind, self.where, self.pinned, self.objective, dtype, tokenizer)
                tokenizer.chat_template = tokenizer.chat_template or model.template
            if (self._decoder or kind == "remote") and tokenizer.chat_template is None:
                raise AuditError(
                    f"{self.where} has no chat template, so nothing says how it reads a conversation",
                    "put the template it was trained with into its tokenizer_config.json",
                )
            body = model.body if isinstance(model, reward_heads.Head) else model
            body.eval().to(self.on)
            if self._decoder and kind == "plain":
                model.score.float()
            self._held.update(tokenizer=tokenizer, model=model)
        return self._held["tokenizer"], self._held["model"]

    def _classifier(self, dtype: Any) -> Any:
        """A sequence classifier of transformers, or of the model's own code."""
        remote = self._about[1] == "remote"
        model, lost = opened("AutoModelForSequenceClassification", self.where, self.pinned, dtype, trust=remote)
        if lost:
            raise AuditError(f"{self.where} has no trained head: {', '.join(lost[:3])} would be random", RIGHT)
        return model

"""A pretrained sparse autoencoder of a language model's hidden states, read over the tokens of an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import AuditError, fingerprint
from prefaudit.models.base import ModelError, Vectors, missing
from prefaudit.models.hf import BUDGET, _batches, _tokenised, blocks

PREFIX = "sae-lens:"
TEMPLATE = "{prompt}\n\n{response}"
MOST = 2048  # tokens of prompt and response together
PLACES = (re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)"), re.compile(r"(?:model\.)?(?:layers|h)\.(\d+)(())?"))


@dataclass(frozen=True)
class Pretrained:
    """Each answer's mean activation of features of an SAE, after its prompt; the prompt's tokens are not counted.

    Attributes:
        name: sae-lens:RELEASE/ID, or a folder that sae-lens wrote; with #MODEL where it names no language model.
        features: which of the SAE's, in the order of the vector; empty are all of them.
        device: auto, cpu, cuda, ...
    """

    name: str
    features: tuple[int, ...] = ()
    device: str = "auto"
    template: str = TEMPLATE
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def limit(self) -> int:
        """Tokens of prompt and response together; the prompt's beginning goes first."""
        said, model = self._load()["sae"].cfg.metadata, self._load()["model"].config
        most = min(int(getattr(model, "max_position_embeddings", 0) or MOST), MOST)
        return min(int(getattr(said, "context_size", 0) or most), most)

    @property
    def revision(self) -> str:
        """What the vectors depend on beside the text."""
        sae = self._load()["sae"]
        some = {k: v.detach().cpu().float().sum().item() for k, v in sae.state_dict().items()}
        return fingerprint(sae.cfg.to_dict(), some, list(self.features))

    def embed(self, responses: pl.Series, prompts: pl.Series | None = None) -> Vectors:
        """(n, features) means over the response's tokens; 0 for an empty answer.

        Raises:
            ModelError: an activation is no number.
        """
        import torch

        held = self._load()
        ids, first, cut = self._ids(held["tokenizer"], responses, prompts)
        sizes = np.fromiter(map(len, ids), np.int64, len(ids))
        wanted = torch.tensor(self.features) if self.features else slice(None)
        many = len(self.features) or int(held["sae"].cfg.d_sae)
        out = np.zeros((len(ids), many), np.float32)
        order = np.argsort(-sizes, kind="stable")
        with torch.inference_mode():
            for batch in _batches(sizes[order], BUDGET[held["on"].split(":")[0]] // 4):
                rows = order[batch]
                for row, states in zip(rows.tolist(), self._states([ids[r] for r in rows]), strict=True):
                    said = states[first[row] : sizes[row]]
                    if len(said):
                        out[row] = held["sae"].encode(said)[:, wanted].float().mean(0).cpu().numpy()
        if not np.isfinite(out).all():
            raise ModelError(f"{self.name} gave an activation that is no number")
        return Vectors(out, cut)

    def _states(self, ids: list[list[int]]) -> Any:
        """Hidden states (batch, tokens, d) at the place the SAE was trained on, by a hook."""
        import torch

        held, kept = self._load(), []
        width = max(map(len, ids))
        tokens = torch.tensor([i + [0] * (width - len(i)) for i in ids], device=held["on"])
        mask = torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i in ids], device=held["on"])
        block, before = held["block"], held["before"]
        if before:
            handle = block.register_forward_pre_hook(
                lambda _, args, kwargs: kept.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
            )
        else:
            handle = block.register_forward_hook(
                lambda _, args, out: kept.append(out[0] if isinstance(out, tuple) else out)
            )
        try:
            held["model"](input_ids=tokens, attention_mask=mask, use_cache=False)
        finally:
            handle.remove()
        return kept[0].to(held["sae"].W_enc.dtype)

    def _ids(self, tokenizer: Any, responses: pl.Series, prompts: pl.Series | None) -> tuple[Any, Any, Any]:
        """Token ids, where in them the answer begins, and whether anything was cut."""
        if prompts is None:
            raise ValueError("an answer is read after its prompt: give it")
        start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
        between = _tokenised(tokenizer, ["\n\n"])[0]
        room = self.limit - len(start) - len(between)
        ids, first, cut = [], [], np.zeros(len(responses), bool)
        both = (_tokenised(tokenizer, texts.to_list()) for texts in (prompts, responses))
        for k, (prompt, answer) in enumerate(zip(*both, strict=True)):
            said = answer[:room]
            left = room - len(said)
            cut[k] = len(said) < len(answer) or left < len(prompt)
            before = start + (prompt[-left:] if left else []) + between
            ids.append(before + said)
            first.append(len(before))
        return ids, first, cut

    def _load(self) -> dict[str, Any]:
        if not self._held:
            import torch
            from transformers import AutoModel, AutoTokenizer

            auto = "cuda" if torch.cuda.is_available() else "cpu"
            on = auto if self.device == "auto" else self.device
            sae, model_name = _autoencoder(self.name, on)
            try:
                tokenizer = AutoTokenizer.from_pretrained(model_name)
                model = AutoModel.from_pretrained(model_name, dtype=torch.float32).eval().to(on)
            except (OSError, ValueError) as error:
                why = str(error).splitlines()[0]
                raise AuditError(
                    f"{model_name}, which {self.name} reads, cannot be loaded: {why}", "name it: --lens NAME#FOLDER"
                ) from error
            block, before = _place(model, str(sae.cfg.metadata.hook_name), self.name)
            if int(sae.cfg.d_in) != int(model.config.hidden_size):
                size = f"{sae.cfg.d_in} dimensions, {model_name} has {model.config.hidden_size}"
                raise AuditError(f"{self.name} reads {size}", "name the language model it was trained on")
            self._held.update(sae=sae, tokenizer=tokenizer, model=model, block=block, before=before, on=on)
        return self._held


def _autoencoder(name: str, device: str) -> tuple[Any, str]:
    """The SAE, and the language model it reads."""
    if find_spec("sae_lens") is None:
        raise missing("sae-lens")
    import sae_lens

    where, _, named = name.partition("#")
    try:
        if where.startswith(PREFIX):
            release, _, own = where.removeprefix(PREFIX).partition("/")
            sae = sae_lens.SAE.from_pretrained(release, own, device=device)
        else:
            sae = sae_lens.SAE.load_from_disk(str(Path(where)), device=device)
    except (OSError, ValueError, KeyError) as error:
        told = str(error).splitlines()
        raise AuditError(f"there is no autoencoder {where}: {told[0] if told else type(error).__name__}",
                         "sae-lens:RELEASE/ID, or a folder that sae-lens wrote") from error  # fmt: skip
    model = named or str(getattr(sae.cfg.metadata, "model_name", None) or "")
    if not model or not getattr(sae.cfg.metadata, "hook_name", None):
        raise AuditError(
            f"{where} does not say which states of which language model it reads",
            "its cfg.json needs metadata with model_name and hook_name; NAME#MODEL names the model",
        )
    return sae.eval(), model


def _place(model: Any, hook: str, name: str) -> tuple[Any, bool]:
    """The block to hook, and whether its input is meant; the blocks after it are taken off."""
    match = next((m for m in (p.fullmatch(hook) for p in PLACES) if m), None)
    if match is None:
        raise AuditError(f"{name} reads {hook}, which is no state before or after a block",
                         "states before or after a block: blocks.N.hook_resid_pre or _post")  # fmt: skip
    return blocks(model, int(match[1]) + 1, name)[-1], match[2] == "pre"


def varied(values: Sequence[NDArray[np.float32]], most: int) -> tuple[int, ...]:
    """The features that differ most between the two answers, ascending; those that never differ are left out.

    Args:
        values: activations of chosen and of rejected answers, (n, features) each.
        most: how many.
    """
    differ = ((values[0] - values[1]).astype(np.float64) ** 2).mean(0)
    scale = np.maximum(np.maximum(values[0], values[1]).max(0).astype(np.float64) ** 2, 1e-12)
    order = np.argsort(-differ / scale, kind="stable")[:most]
    return tuple(sorted(int(k) for k in order if differ[k] > 0))

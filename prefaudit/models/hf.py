"""Any encoder or decoder of Hugging Face as an embedder, by plain transformers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import AuditError
from prefaudit.models.base import INSTRUCTED, POSITIONS, RESPONSE, ModelError, Vectors, both, halves, missing, place
from prefaudit.models.checkpoint import opened, tokenizer_of, whole

LONG = 2048  # tokens from which a model is taken to be an instructed embedder that reads prompt and response
MOST = 8192  # tokens read at most, whatever the model allows
BUDGET = {"cpu": 8192, "cuda": 65_536, "mps": 16_384}  # tokens in a batch, padding included
BLOCK = 1 << 16
# Kinds of models that count positions from behind the pad token.
SHIFTED = {"camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm",
           "xlm-roberta", "xlm-roberta-xl", "xmod"}  # fmt: skip


@dataclass(frozen=True)
class HF:
    """A model in a folder or on the hub, loaded when it is first asked.

    Pooling is what the model's own sentence-transformers files say; without them the mean over tokens for encoders,
    the last token for decoders. Vectors are brought to unit length.

    Attributes:
        layer: the states after so many blocks are pooled, and the blocks after it are not run; 0 is the model's output.
    """

    name: str
    where: str
    revision: str
    template: str
    limit: int
    pooling: str = "mean"
    device: str = "auto"
    layer: int = 0
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def on(self) -> str:
        """The device it runs on."""
        return place(self.device)

    @property
    def precision(self) -> str:
        """bfloat16 where the device is fast at it: a CPU only with AMX (without it, it is slower than float32)."""
        return "bfloat16" if halves(self.on) else "float32"

    def _load(self) -> tuple[Any, Any]:
        if not self._held:
            import torch

            tokenizer = tokenizer_of(self.where, "")
            model, lost = opened("AutoModel", self.where, "", getattr(torch, self.precision))
            whole(self.where, (name for name in lost if "pooler" not in name))  # of a task that is not read here
            if self.layer:
                kept = blocks(model, self.layer, self.name)
                kept[-1].register_forward_hook(lambda _, args, out: self._held.update(states=_first(out)))
            self._held.update(tokenizer=tokenizer, model=model.eval().to(self.on))
        return self._held["tokenizer"], self._held["model"]

    def embed(self, responses: pl.Series, prompts: pl.Series | None = None) -> Vectors:
        """Vectors of unit length; batches of one length each, so that padding costs next to nothing.

        Raises:
            ModelError: the model gave a number that is none.
        """
        import torch

        tokenizer, model = self._load()
        ids, cut = self._ids(tokenizer, responses, prompts)
        sizes = np.fromiter((len(i) for i in ids), np.int64, len(ids))
        order = np.argsort(-sizes, kind="stable")
        out: NDArray[np.float32] | None = None
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        with torch.inference_mode():
            for batch in _batches(sizes[order], BUDGET[self.on.split(":")[0]]):
                rows = order[batch]
                values = self._forward(model, [ids[r] for r in rows], pad)
                out = np.empty((len(ids), values.shape[1]), np.float32) if out is None else out
                out[rows] = values
        if out is None:
            return Vectors(np.empty((0, model.config.hidden_size), np.float32), cut)
        if not np.isfinite(out).all():
            raise ModelError(f"{self.name} gave a vector with a number that is none")
        return Vectors(out, cut)

    def _forward(self, model: Any, ids: list[list[int]], pad: int) -> NDArray[np.float32]:
        import torch

        width = max(map(len, ids))
        tokens = torch.tensor([i + [pad] * (width - len(i)) for i in ids], device=self.on)
        size = torch.tensor([len(i) for i in ids], device=self.on)
        mask = torch.arange(width, device=self.on)[None] < size[:, None]
        hidden = model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        hidden = self._held.pop("states", hidden)
        if self.pooling == "cls":
            pooled = hidden[:, 0].float()
        elif self.pooling == "last":
            pooled = hidden[torch.arange(len(ids), device=self.on), size - 1].float()
        else:
            pooled = (hidden * mask[..., None]).sum(1, dtype=torch.float32) / size[:, None]
        return torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()

    def _ids(self, tokenizer: Any, responses: pl.Series, prompts: pl.Series | None) -> tuple[list[list[int]], Any]:
        """Token ids of each text within the limit, and whether anything was cut: the prompt's beginning goes first."""
        before, after = _specials(tokenizer)
        room = self.limit - len(before) - len(after)
        if not both(self.template):
            found = _tokenised(tokenizer, responses.to_list())
            return [before + i[:room] + after for i in found], np.array([len(i) > room for i in found], bool)
        if prompts is None:
            raise ValueError("the template reads prompts: give them")
        head, between = self.template.split("{response}")[0].split("{prompt}")
        opening, turn = _tokenised(tokenizer, [head, between])
        said, asked = _tokenised(tokenizer, responses.to_list()), _tokenised(tokenizer, prompts.to_list())
        ids, cut = [], np.zeros(len(said), bool)
        for k, (prompt, answer) in enumerate(zip(asked, said, strict=True)):
            kept = answer[: max(room - len(opening) - len(turn), 1)]
            left = max(room - len(opening) - len(turn) - len(kept), 0)
            cut[k] = len(kept) < len(answer) or left < len(prompt)
            ids.append(before + opening + (prompt[-left:] if left else []) + turn + kept + after)
        return ids, cut


def blocks(model: Any, many: int, name: str) -> Any:
    """The model's first so many blocks; those after them are taken off.

    Raises:
        AuditError: it has fewer.
    """
    from torch.nn import ModuleList

    whole = int(getattr(model.config, "num_hidden_layers", 0) or 0)
    found = next((m for m in model.modules() if isinstance(m, ModuleList) and len(m) == whole), None)
    if found is None:
        raise AuditError(f"{name}: what its blocks are cannot be told from its parts", "the model without @N")
    if not 0 < many <= whole:
        raise AuditError(f"{name} has no states after block {many}", f"it has {whole} blocks")
    del found[many:]
    return found


def _first(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) else out


def _tokenised(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    if not texts:
        return []
    plain = {"add_special_tokens": False, "padding": False, "truncation": False, "return_attention_mask": False}
    return list(tokenizer(texts, verbose=False, **plain)["input_ids"])


def _specials(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a text."""
    whole, bare = tokenizer("a")["input_ids"], _tokenised(tokenizer, ["a"])[0]
    for at in range(len(whole) - len(bare) + 1):
        if whole[at : at + len(bare)] == bare:
            return list(whole[:at]), list(whole[at + len(bare) :])
    return [], []


def _batches(sizes: NDArray[np.int64], budget: int) -> Iterator[slice]:
    """Slices of texts, longest first, whose longest length times their number stays within the budget."""
    at = 0
    while at < len(sizes):
        many = max(1, budget // max(int(sizes[at]), 1))
        yield slice(at, at + many)
        at += many


def hf(name: str, device: str = "auto", layer: int = 0) -> HF:
    """The embedder for a hub id or a folder; reads its small files, not its weights.

    Raises:
        AuditError: torch or transformers is missing, or there is no such model, or it has no such layer.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise missing(f"torch, which {name} needs,")
    config = _json(name, "config.json")
    if not config:
        raise AuditError(
            f"there is no model {name!r}",
            "lexical, minilm, a hub id, a folder with config.json (MODEL@N: after N of its blocks), or a URL",
        )
    many = _number(name, config, "num_hidden_layers", "n_layer", "num_layers") or layer
    if layer > many:
        raise AuditError(f"{name} has {many} layers, not {layer}", f"{name}@{max(many // 2, 1)}, or without @")
    said = _json(name, "1_Pooling/config.json")
    pooling = "last" if said.get("pooling_mode_lasttoken") or (not said and _decodes(config)) else "mean"
    pooling = "cls" if said.get("pooling_mode_cls_token") else pooling
    most = min(_number(name, config, *POSITIONS) or MOST, MOST)
    if str(config.get("model_type", "")) in SHIFTED:
        most -= (_number(name, config, "pad_token_id") or 0) + 1
    limit = _number(name, _json(name, "sentence_bert_config.json"), "max_seq_length") or most
    template = INSTRUCTED if limit >= LONG else RESPONSE
    at = f"@{layer}" if layer else ""
    return HF(name + at, name, revision(name) + at, template, min(limit, most), pooling, device, layer)


def _number(model: str, config: dict[str, Any], *names: str) -> int:
    """The first of these that is there; 0 where none is."""
    name = next((k for k in names if config.get(k) is not None), None)
    found = config[name] if name else 0
    if not isinstance(found, int):
        raise AuditError(f"{model}: its {name} is {found!r}, which is no number", "mend its config")
    return found


def _decodes(config: dict[str, Any]) -> bool:
    """Whether the model is of a kind that reads from left to right alone, as transformers knows it."""
    from transformers.models.auto import modeling_auto as auto

    kind = config.get("model_type")
    plain = kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return plain or any("CausalLM" in a for a in config.get("architectures") or ())


def _json(name: str, file: str) -> dict[str, Any]:
    path = _file(name, file)
    found = json.loads(path.read_text(encoding="utf8")) if path else {}
    return found if isinstance(found, dict) else {}


def _file(name: str, file: str) -> Path | None:
    """A small file of a model, from its folder or the hub; None where it has none."""
    if Path(name).is_dir():
        path = Path(name) / file
        return path if path.is_file() else None
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(name, file, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError):
        return None
    return Path(found) if found else None


def revision(name: str) -> str:
    """What tells two versions of the weights apart: the hub's commit, or a digest of blocks spread over the files."""
    folder = Path(name)
    if not folder.is_dir():
        path = _file(name, "config.json")
        return path.parent.name[:12] if path else ""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".safetensors", ".bin", ".json", ".txt", ".model")):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)} {size}".encode())
        with path.open("rb") as held:
            for k in range(64 if size > 64 * BLOCK else -(-size // BLOCK)):
                held.seek(k * (size - BLOCK) // 63 if size > 64 * BLOCK else k * BLOCK)
                digest.update(held.read(BLOCK))
    return digest.hexdigest()

"""A sequence classifier of Hugging Face as a judge of replies: text in, the probability of one label out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import AuditError, UsageError, unknown
from prefaudit.models.base import ModelError, missing, place
from prefaudit.models.hf import BUDGET, _batches, _file, revision

MOST = 4096  # tokens read at most, whatever the model allows
SPAN = 4096  # texts that are tokens at once: bounds the memory


@dataclass(frozen=True)
class Classifier:
    """A classifier in a folder or on the hub, loaded when it is first asked; safetensors only, none of its code runs.

    Attributes:
        where: folder or hub id.
        label: the label whose probability is the score, as the model's config names it.
    """

    where: str
    label: str
    device: str = "auto"
    _held: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def on(self) -> str:
        """The device it runs on."""
        return place(self.device)

    def score(self, texts: pl.Series, before: pl.Series | None = None) -> NDArray[np.float64]:
        """The probability of the label for n texts, 0..1: softmax over the labels, or sigmoid of a lone logit.

        Args:
            texts: n replies, no null.
            before: n prompts that are read as the first text of a pair; null reads as an empty one.

        Raises:
            AuditError: the model cannot be loaded, or has no trained head.
            ModelError: the model gave a number that is none.
        """
        out = np.empty(len(texts))
        for at in range(0, len(texts), SPAN):
            asked = None if before is None else before.slice(at, SPAN).fill_null("").to_list()
            out[at : at + SPAN] = self._span(texts.slice(at, SPAN).to_list(), asked)
        if not np.isfinite(out).all():
            raise ModelError(f"{self.where} gave a probability that is no number")
        return out

    def _span(self, texts: list[str], before: list[str] | None) -> NDArray[np.float64]:
        import torch

        tokenizer, model, index = self._load()
        pair = (texts,) if before is None else (before, texts)
        read = tokenizer(*pair, truncation=True, max_length=self.limit, padding=False, verbose=False)
        sizes = np.fromiter((len(ids) for ids in read["input_ids"]), np.int64, len(texts))
        order = np.argsort(-sizes, kind="stable")
        out = np.empty(len(texts))
        with torch.inference_mode():
            for batch in _batches(sizes[order], BUDGET[self.on.split(":")[0]]):
                rows = order[batch]
                padded = tokenizer.pad({k: [v[r] for r in rows] for k, v in read.items()}, return_tensors="pt")
                logits = model(**padded.to(self.on)).logits.float()
                alone = logits.shape[1] == 1 or model.config.problem_type == "multi_label_classification"
                share = torch.sigmoid(logits) if alone else torch.softmax(logits, dim=1)
                out[rows] = share[:, index].cpu().numpy()
        return out

    @property
    def limit(self) -> int:
        """Tokens that are read: the tokenizer's or the model's limit, whichever is less."""
        tokenizer, model, _ = self._load()
        positions = getattr(model.config, "max_position_embeddings", None) or MOST
        # RoBERTa counts positions from behind its padding token: two of them are not to be had.
        kept = 2 if model.config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
        return int(min(tokenizer.model_max_length, positions - kept, MOST))

    def _load(self) -> tuple[Any, Any, int]:
        if not self._held:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            try:
                tokenizer = AutoTokenizer.from_pretrained(self.where, trust_remote_code=False)
                model, told = AutoModelForSequenceClassification.from_pretrained(
                    self.where, trust_remote_code=False, use_safetensors=True, output_loading_info=True
                )
            except (OSError, ValueError) as error:
                raise AuditError(
                    f"{self.where} cannot be loaded: {str(error).splitlines()[0]}",
                    "a folder or hub id of a sequence classifier with safetensors weights",
                ) from error
            if told["missing_keys"]:
                raise AuditError(
                    f"{self.where} has no trained classifier: {', '.join(sorted(told['missing_keys']))} is random",
                    "name a model that was trained as a sequence classifier",
                )
            tokenizer.padding_side = "right"  # a decoder reads its score at the last token before the padding
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
            model.config.pad_token_id = tokenizer.pad_token_id
            index = labels(self.where).index(self.label)
            self._held.update(all=(tokenizer, model.eval().to(self.on), index))
        tokenizer, model, index = self._held["all"]
        return tokenizer, model, index


def labels(where: str) -> list[str]:
    """The labels of a model in the order of its outputs, from id2label in its config.

    Raises:
        AuditError: there is no such model, or what runs it is not installed.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise missing(f"torch, which {where} needs,")
    path = _file(where, "config.json")
    if path is None:
        raise AuditError(f"there is no model {where!r}", "a hub id, or a folder with config.json")
    config = json.loads(path.read_text(encoding="utf8"))
    named = config.get("id2label") or {str(k): f"LABEL_{k}" for k in range(int(config.get("num_labels") or 2))}
    return [str(named[key]) for key in sorted(named, key=int)]


def classifier(name: str, wanted: tuple[str, ...], device: str = "auto") -> Classifier:
    """The classifier for MODEL or MODEL:LABEL; reads its config, not its weights.

    Args:
        name: a folder or hub id, and after a colon the label whose probability counts, in any case.
        wanted: what the label is called where none is given.
        device: auto, cpu, cuda, cuda:1, mps.

    Raises:
        AuditError: there is no such model.
        UsageError: it has no such label, or none is named and no label, or more than one, is one of `wanted`.
    """
    where, colon, given = (name, "", "") if Path(name).is_dir() else name.rpartition(":")
    where = where if colon else name
    known = labels(where)
    if given:
        found = [label for label in known if label.casefold() == given.casefold()]
        if not found:
            raise unknown(f"label of {where}:", given, known)
    else:
        found = known if len(known) == 1 else [label for label in known if label.casefold() in wanted]
        if len(found) != 1:
            raise UsageError(
                f"which label of {where} counts? It has {', '.join(known)}", f"name one: {where}:{known[-1]}"
            )
    return Classifier(where, found[0], device)


def identity(name: str) -> str:
    """What tells two versions of the weights apart, without loading them."""
    folder = name if Path(name).is_dir() else name.rpartition(":")[0] or name
    return revision(folder)

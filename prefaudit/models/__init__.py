"""Models that read texts. An embedder gives each text a vector: `Embedder` says what one is, `embedder` makes one.

`lexical` is fitted on the data (`Lexical.fit`), so it is made where the data are; all others come from `embedder`.
"""

from __future__ import annotations

import re
from pathlib import Path

from prefaudit.core import AuditError
from prefaudit.models.base import Embedder, ModelError, Vectors, both
from prefaudit.models.cache import Cached
from prefaudit.models.hf import HF, hf, revision
from prefaudit.models.lexical import Lexical
from prefaudit.models.minilm import LAYER, installed, minilm
from prefaudit.models.pretrained import Pretrained, varied
from prefaudit.models.server import Server
from prefaudit.models.views import BESIDE, Views

__all__ = ["BESIDE", "HF", "AuditError", "Cached", "Embedder", "Lexical", "ModelError", "Pretrained", "Server",
           "Vectors", "Views", "both", "canonical", "default", "embedder", "identity", "layered", "minilm",
           "varied"]  # fmt: skip

FEW = 20_000  # pairs up to which a default may cost minutes on a CPU


def embedder(name: str, device: str = "auto") -> Embedder:
    """The embedder of this name, with its cache; nothing is loaded until it is asked.

    Args:
        name: minilm, a hub id, a folder with a model, MODEL@N for the states after N of its blocks, or the URL of a
            server; not lexical, which is fitted.
        device: auto, cpu, cuda, cuda:1, mps.

    Raises:
        AuditError: there is no such model, or what runs it is not installed.
    """
    if name.startswith(("http://", "https://")):
        return Cached(Server(name))
    base, layer = layered(name)
    if base == "lexical":
        raise AuditError(f"there is no model {name!r}: lexical has no blocks", "lexical, or minilm@1 to minilm@6")
    if base == "minilm":
        return Cached(minilm(device) if layer is None else minilm(device, layer))
    return Cached(hf(base, device, layer or 0))


def layered(name: str) -> tuple[str, int | None]:
    """The model, and after how many of its blocks it is read: MODEL@N; None where the name does not say so."""
    found = None if Path(name).is_dir() else re.fullmatch(r"(.+)@([1-9]\d{0,3})", name)
    return (found[1], int(found[2])) if found else (name, None)


def identity(name: str) -> str:
    """What tells two versions of a named embedder apart without loading it; empty where nothing does beforehand."""
    if name in ("", "lexical") or name.startswith(("http://", "https://")):
        return ""
    base, layer = layered(name.removesuffix(BESIDE))
    if base in ("", "minilm") or not Path(base).is_dir():
        return ""
    return revision(base) + (f"@{layer}" if layer else "")


def canonical(name: str) -> str:
    """One name for what has two: minilm is read where minilm@3 is."""
    beside = BESIDE if name.endswith(BESIDE) else ""
    return f"minilm{beside}" if name.removesuffix(BESIDE) == f"minilm@{LAYER}" else name


def default(pairs: int) -> tuple[str, str]:
    """The embedder for so many pairs where none is named, and why it is this one."""
    if pairs > FEW:
        return "lexical", f"{pairs:,} pairs: minilm would take too long without being asked for"
    if installed():
        return "minilm", "it is installed and the pairs are few"
    return "lexical", "minilm is not installed"

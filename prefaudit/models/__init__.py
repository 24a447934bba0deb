"""Models that read texts. An embedder gives each text a vector: `Embedder` says what one is, `embedder` makes one.

`lexical` is fitted on the data (`Lexical.fit`), so it is made where the data are; all others come from `embedder`.
"""

from __future__ import annotations

from pathlib import Path

from prefaudit.core import AuditError
from prefaudit.models.base import Embedder, ModelError, Vectors, both
from prefaudit.models.cache import Cached
from prefaudit.models.hf import HF, hf, revision
from prefaudit.models.lexical import Lexical
from prefaudit.models.minilm import installed, minilm
from prefaudit.models.pretrained import Pretrained, varied
from prefaudit.models.server import Server
from prefaudit.models.views import BESIDE, Views

__all__ = ["BESIDE", "HF", "AuditError", "Cached", "Embedder", "Lexical", "ModelError", "Pretrained", "Server",
           "Vectors", "Views", "both", "default", "embedder", "identity", "minilm", "varied"]  # fmt: skip

FEW = 20_000  # pairs up to which a default may cost minutes on a CPU


def embedder(name: str, device: str = "auto") -> Embedder:
    """The embedder of this name, with its cache; nothing is loaded until it is asked.

    Args:
        name: minilm, a hub id, a folder with a model, or the URL of a server; not lexical, which is fitted.
        device: auto, cpu, cuda, cuda:1, mps.

    Raises:
        AuditError: there is no such model, or what runs it is not installed.
    """
    if name == "minilm":
        return Cached(minilm(device))
    if name.startswith(("http://", "https://")):
        return Cached(Server(name))
    return Cached(hf(name, device))


def identity(name: str) -> str:
    """What tells two versions of a named embedder apart without loading it; empty where nothing does beforehand."""
    if name in ("lexical", "minilm") or name.startswith(("http://", "https://")):
        return ""
    name = name.removesuffix(BESIDE)
    return revision(name) if Path(name).is_dir() else ""


def default(pairs: int) -> tuple[str, str]:
    """The embedder for so many pairs where none is named, and why it is this one."""
    if pairs > FEW:
        return "lexical", f"{pairs:,} pairs: minilm would take too long without being asked for"
    if installed():
        return "minilm", "it is installed and the pairs are few"
    return "lexical", "minilm is not installed"

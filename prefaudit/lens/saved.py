"""Lenses that are there already: one that an audit wrote, or an autoencoder that reads a language model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from prefaudit.core import AuditError
from prefaudit.lens.sae import CONFIG, Floats, Sae
from prefaudit.store import write_bytes

INPUT = "chosen minus rejected"
READING = "reading.npy"  # the directions along which it is read where features are present
WORDS = "lexical.npz"  # the fit of the lexical embedder, beside the lens that reads its vectors


@dataclass(frozen=True)
class Saved:
    """A lens of another audit: what it is, the embedder whose vectors it reads, and what was known of each feature."""

    lens: Sae
    embedder: str
    revision: str
    each: list[dict[str, Any]]
    words: bytes  # of the lexical embedder, else empty
    scale: float  # of these words beside a model
    reading: Floats  # (M, d) along which it is read where each feature is present


def kept(name: str) -> Saved | None:
    """The lens in this folder; None where the name is that of a pretrained autoencoder.

    Raises:
        AuditError: the folder holds neither, or is not whole.
    """
    folder = Path(name.partition("#")[0])
    if name.startswith("sae-lens:"):
        return None
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf8"))
        about = dict(config.get("metadata") or {})
    except (OSError, ValueError, AttributeError) as error:
        raise AuditError(f"--lens {name} holds no lens", "the lens/ of an audit folder, an SAE's folder, or "
                         "sae-lens:RELEASE/ID") from error  # fmt: skip
    if about.get("input") != INPUT:
        return None
    lens, _ = Sae.open(folder)
    each = about.get("each") or []
    try:
        words = (folder / WORDS).read_bytes() if str(about["embedder"]).endswith("lexical") else b""
    except OSError as error:
        raise AuditError(f"{folder} has no {WORDS}, which its lens reads", "copy the whole lens/ folder") from error
    reading = _reading(folder, lens)
    if len(each) != lens.features:
        raise AuditError(f"{folder} does not tell its features", "scan again with this version to save it anew")
    return Saved(
        lens,
        str(about["embedder"]),
        str(about.get("revision", "")),
        each,
        words,
        float(about.get("scale", 1)),
        reading,
    )


def _reading(folder: Path, lens: Sae) -> Floats:
    """What `save` wrote; the features' own directions where the file is of a version that read along these."""
    try:
        held = (folder / READING).read_bytes()
    except FileNotFoundError:
        return lens.decoder
    except OSError as error:
        raise AuditError(f"{folder / READING} cannot be read: {error}", "copy the whole lens/ folder") from error
    try:
        found = np.load(BytesIO(held), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise AuditError(f"{folder / READING} is no array: {error}", "copy the whole lens/ folder") from error
    if found.shape != lens.decoder.shape or found.dtype != np.float32:
        raise AuditError(f"{folder / READING} is of another lens", "copy the whole lens/ folder")
    return np.asarray(found)


def save(folder: Path, lens: Sae, reading: Floats, about: dict[str, Any], each: list[dict[str, Any]],
         words: bytes) -> None:  # fmt: skip
    """Write what `kept` reads, and `sae_lens.SAE.load_from_disk` opens.

    Args:
        folder: made where it is missing.
        lens: of the audit.
        reading: (M, d), see `presence.readings`.
        about: embedder, revision, template and scale.
        each: name, terms, properties, stability and so on of each feature.
        words: the fit of the lexical embedder, else empty.
    """
    lens.save(folder, {**about, "input": INPUT, "each": each})
    held = BytesIO()
    np.save(held, reading, allow_pickle=False)
    write_bytes(folder / READING, held.getvalue())
    if words:
        write_bytes(folder / WORDS, words)

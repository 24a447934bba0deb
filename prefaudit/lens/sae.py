"""A sparse autoencoder without biases, and sae-lens's files of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.core import AuditError
from prefaudit.store import write_bytes

Floats = NDArray[np.float32]
WEIGHTS, CONFIG = "sae_weights.safetensors", "cfg.json"


@dataclass(frozen=True)
class Sae:
    """Keeps the `active` largest features of x @ encoder by size, with their sign.

    Nothing is added anywhere, so encode(-x) is -encode(x) exactly: exchanging chosen and rejected negates a feature.

    Attributes:
        encoder: (d, M).
        decoder: (M, d), rows of unit length, less where a feature is `weighted`.
        active: K, how many features a pair has; fewer where x is 0.
    """

    encoder: Floats
    decoder: Floats
    active: int

    @property
    def features(self) -> int:
        """M."""
        return int(self.encoder.shape[1])

    def encode(self, x: Floats) -> Floats:
        """(n, M) activations of n differences (n, d); 0 where inactive."""
        return keep(self.values(x), self.active)

    def values(self, x: Floats) -> Floats:
        """(n, M) of all features, before the largest are kept."""
        return np.asarray(x @ self.encoder, np.float32)

    def decode(self, z: Floats) -> Floats:
        """(n, d) reconstructions."""
        return np.asarray(z @ self.decoder)

    def weighted(self, gain: Floats) -> Sae:
        """The same features, of which those with a large gain (M,) are rather among the active ones.

        Values grow by the gain and rows shrink by it: what an active feature says of a pair stays the same.
        """
        return Sae(self.encoder * gain, self.decoder / gain[:, None], self.active)

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Write the folder that `sae_lens.SAE.load_from_disk` opens, as an `abstopk` of which all biases are 0.

        Args:
            folder: made where it is missing.
            about: what a reader should know (embedder, template); kept under `metadata`.

        Raises:
            AuditError: it cannot be written.
        """
        d, m = self.encoder.shape
        config = {
            "architecture": "abstopk", "d_in": d, "d_sae": m, "k": self.active, "dtype": "float32", "device": "cpu",
            "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
            "rescale_acts_by_decoder_norm": False, "metadata": about,
        }  # fmt: skip
        zeros = {"b_dec": np.zeros(d, np.float32), "b_enc": np.zeros(m, np.float32)}
        write_bytes(folder / WEIGHTS, _safetensors({"W_dec": self.decoder, "W_enc": self.encoder, **zeros}))
        write_bytes(folder / CONFIG, json.dumps(config, indent=1).encode())

    @classmethod
    def open(cls, folder: Path) -> tuple[Sae, dict[str, Any]]:
        """What `save` wrote, and what it said about it.

        Raises:
            AuditError: there is no such lens, or it is of another architecture.
        """
        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf8"))
            tensors = _tensors((folder / WEIGHTS).read_bytes())
            if config["architecture"] != "abstopk" or any(tensors[name].any() for name in ("b_enc", "b_dec")):
                raise AuditError(f"{folder} holds no lens of prefaudit", "an abstopk SAE without biases")
            return cls(tensors["W_enc"], tensors["W_dec"], int(config["k"])), dict(config.get("metadata") or {})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AuditError(f"{folder} holds no lens: {error}", "a folder with cfg.json and its weights") from error


def keep(values: Floats, most: int) -> Floats:
    """The `most` largest values of each row by size, the rest 0; of equal ones the first."""
    if most >= values.shape[1]:
        return values
    size = np.abs(values)
    least = np.partition(size, values.shape[1] - most, axis=1)[:, values.shape[1] - most, None]
    kept = np.where(size >= least, values, np.float32(0))
    crowded = np.flatnonzero((kept != 0).sum(1) > most)
    for row in crowded.tolist():  # ties, which real vectors hardly ever have
        order = np.argsort(-size[row], kind="stable")[most:]
        kept[row, order] = 0
    return np.asarray(kept)


def _safetensors(tensors: dict[str, Floats]) -> bytes:
    header, at, body = {}, 0, []
    for name, tensor in sorted(tensors.items()):
        data = np.ascontiguousarray(tensor, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        body.append(data)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + b"".join(body)


def _tensors(held: bytes) -> dict[str, Floats]:
    size = int.from_bytes(held[:8], "little")
    header = json.loads(held[8 : 8 + size])
    found = {}
    for name, told in header.items():
        if name != "__metadata__":
            first, last = told["data_offsets"]
            found[name] = np.frombuffer(held[8 + size :][first:last], "<f4").reshape(told["shape"]).astype(np.float32)
    return found

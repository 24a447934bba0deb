"""What a folder's or a hub id's small files say of it: whether it is a reward model, and of which kind."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from prefaudit.core import AuditError, UsageError
from prefaudit.models.base import missing

ENCODERS = {"bert", "roberta", "xlm-roberta", "deberta", "deberta-v2", "distilbert", "electra", "albert", "modernbert",
            "camembert", "mpnet"}  # fmt: skip
RIGHT = "name a model that was trained as a sequence classifier with one output"
CONVERT = (
    """python -c "import glob, torch; from safetensors.torch import save_file; """
    """w = {{k: v.contiguous().clone() for f in glob.glob('{folder}/pytorch_model*.bin') """
    """for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}}; """
    """save_file(w, '{folder}/model.safetensors', {{'format': 'pt'}})\""""
)
"""Reads tensors alone: what else a pickle holds is not run."""
COMMIT = re.compile(r"[0-9a-f]{40}")


class Name(NamedTuple):
    """Where a local model is: folder or hub id, revision, and which of its objectives (empty: its score)."""

    where: str
    pinned: str
    objective: str


def named(name: str) -> Name:
    """FOLDER, HUB_ID or HUB_ID@REVISION, each with #OBJECTIVE after it where one of several is meant."""
    if Path(name).exists():
        return Name(name, "", "")
    rest, _, objective = name.partition("#")
    where, _, pinned = (rest, "", "") if Path(rest).exists() else rest.partition("@")
    if not where:
        raise AuditError(f"{name!r} names no reward model", "a folder, a hub id, or KIND+URL#TOKENIZER")
    return Name(where, pinned, objective)


def file_of(where: str, name: str, pinned: str = "") -> Path | None:
    """A file of a model, from its folder or the hub at a revision; None where it has none."""
    if Path(where).is_dir():
        path = Path(where) / name
        return path if path.is_file() else None
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(where, name, revision=pinned or None, _raise_exceptions_for_missing_entries=False)
    except (OSError, ValueError):
        return None
    return Path(found) if found else None


def config_of(where: str, pinned: str = "") -> dict[str, Any]:
    """A model's config.json.

    Raises:
        AuditError: torch is missing, or there is no such model.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise missing(f"torch, which {where} needs,")
    path = file_of(where, "config.json", pinned)
    if path is None:
        raise AuditError(f"there is no model {where!r}", "a hub id, a folder with config.json, or a URL")
    try:
        return dict(json.loads(path.read_text(encoding="utf8")))
    except (ValueError, TypeError) as error:
        raise AuditError(f"{path} is no JSON: {error}", "download the model again") from error


def tensors_of(where: str, pinned: str = "") -> dict[str, str]:
    """The names of a model's tensors, and the safetensors file that holds each; none without such files."""
    index = file_of(where, "model.safetensors.index.json", pinned)
    path = index or file_of(where, "model.safetensors", pinned)
    if path is None:
        return {}
    try:
        if index is not None:
            return dict(json.loads(index.read_text(encoding="utf8"))["weight_map"])
        with path.open("rb") as file:  # eight bytes of size, then a JSON header
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, path.stat().st_size)))
        return {name: "model.safetensors" for name in header if name != "__metadata__"}
    except (ValueError, TypeError, KeyError) as error:
        raise AuditError(f"{path} is no safetensors file, or a part of one", "download it again") from error


def safe(where: str, pinned: str = "") -> None:
    """Refuse a checkpoint without safetensors, naming its pickled weights and how to convert them.

    Raises:
        AuditError: it has none.
    """
    if tensors_of(where, pinned):
        return
    if not Path(where).is_dir():
        at = f" --revision {pinned}" if pinned else ""
        raise AuditError(f"{where} has no safetensors weights",
                         f"where it has pickled ones: hf download {where}{at} --local-dir FOLDER, and name FOLDER: its "
                         "error says how to convert them")  # fmt: skip
    held = sorted(p.name for p in Path(where).glob("pytorch_model*.bin"))
    if not held:
        raise AuditError(f"{where} has no safetensors weights", "name a folder or hub id that has them")
    raise AuditError(f"{where} has pickled weights alone ({held[0]}), which can run code and are not read",
                     f"convert them once: {CONVERT.format(folder=where)}")  # fmt: skip


def kind_of(config: dict[str, Any], tensors: dict[str, str]) -> str:
    """Which head the tensors have: `plain` is the one of transformers; "" is none that is known."""
    if config.get("model_type") == "internlm2":
        return "internlm2" if "v_head.weight" in tensors else ""
    if "regression_layer.weight" in tensors:
        return "gated" if any(t.startswith("gating.layers.") for t in tensors) else ""
    if "score_head.weight" in tensors:
        return "beaver"
    if any(t.startswith("v_head.summary.") for t in tensors):
        return "grm"
    if "score.0.weight" in tensors:
        return "mlp"
    if any(t.startswith("head_layer.") for t in tensors) and "cand1_prefix_id" in config:
        return "pairrm"
    known = any(str(a).endswith("ForSequenceClassification") for a in config.get("architectures") or ())
    return "plain" if known else ""


def checked(where: str, pinned: str = "", trust: bool = False) -> tuple[dict[str, Any], str]:
    """The config of a reward model and the kind of its head, once it is known to be one that is read here.

    Args:
        where: folder or hub id.
        pinned: the hub revision.
        trust: run the code that comes with the model where it needs it; only of a pinned commit.

    Raises:
        UsageError: code is to be trusted that is not pinned.
        AuditError: there is no such model, it is no reward model, or it needs code of its own.
    """
    config = config_of(where, pinned)
    safe(where, pinned)
    kind = kind_of(config, tensors_of(where, pinned))
    kinds = [str(a) for a in config.get("architectures") or ()]
    if kind not in ("", "plain"):
        return config, kind
    own = config.get("auto_map") or {}
    if any("ForSequenceClassification" in k for k in own) or (own and not kind):
        if not trust:
            raise AuditError(
                f"{where} scores by code of its own, which is not run",
                "serve it and name the URL, or pin a commit (HUB_ID@COMMIT) and say --trust-remote-code",
            )
        _pinned(where, pinned, own)
        return config, "remote"
    if kind != "plain":
        raise AuditError(f"{where} is {', '.join(kinds) or 'of no named kind'}, not a reward model", RIGHT)
    outputs = config.get("num_labels") or len(config.get("id2label") or {}) or 2
    if outputs != 1:
        raise AuditError(f"{where} has {outputs} outputs, and a reward model has one", RIGHT)
    return config, kind


def causal(where: str, pinned: str = "") -> None:
    """Refuse what is no causal language model, before anything is loaded.

    Raises:
        AuditError: it is of another kind, or has no safetensors.
    """
    said = config_of(where, pinned)
    safe(where, pinned)
    kinds = [str(a) for a in said.get("architectures") or ()]
    if kinds and not any(k.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for k in kinds):
        raise AuditError(f"{where} is {', '.join(kinds)}, not a causal language model",
                         "dpo+POLICY|REFERENCE and cdr+STRONG|WEAK ask two language models; a reward model goes by its "
                         "own name")  # fmt: skip


def _pinned(where: str, pinned: str, own: dict[str, Any]) -> None:
    """Code is run only where its every line is fixed: a commit of the hub, or the files of a folder."""
    if not Path(where).is_dir() and not COMMIT.fullmatch(pinned):
        raise UsageError(
            f"--trust-remote-code: {where} is not pinned to a commit",
            f"{where}@COMMIT, with the 40 digits of the commit whose code you have read",
        )
    if any("--" in str(said) for said in own.values()):
        raise UsageError(f"--trust-remote-code: the code of {where} comes from another repository, which is not pinned",
                         "download that code into the model's folder")  # fmt: skip

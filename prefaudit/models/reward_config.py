"""What a folder's or a hub id's config says of it: whether it is a reward model, and of which kind."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

from prefaudit.core import AuditError
from prefaudit.models.base import missing
from prefaudit.models.hf import _file

ENCODERS = {"bert", "roberta", "xlm-roberta", "deberta", "deberta-v2", "distilbert", "electra", "albert", "modernbert",
            "camembert", "mpnet"}  # fmt: skip
RIGHT = "name a model that was trained as a sequence classifier with one output"


def checked(where: str, pinned: str = "") -> dict[str, Any]:
    """The config of a reward model, once it is known to be one.

    Raises:
        AuditError: there is no such model, it is no sequence classifier with one output, or it needs code of its own.
    """
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise missing(f"torch, which {where} needs,")
    path = _file(where, "config.json")
    if path is None:
        raise AuditError(f"there is no model {where!r}", "a hub id, a folder with config.json, or a URL")
    try:
        config = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise AuditError(f"{path} is no JSON: {error}", "download the model again") from error
    kinds = [str(a) for a in config.get("architectures") or ()]
    if not any(a.endswith("ForSequenceClassification") for a in kinds):
        raise AuditError(f"{where} is {', '.join(kinds) or 'of no named kind'}, not a reward model", RIGHT)
    if "auto_map" in config and any("ForSequenceClassification" in k for k in config["auto_map"]):
        raise AuditError(
            f"{where} scores by code of its own, which is not run",
            "serve it and name the URL of the server, or name a model without remote code",
        )
    named = config.get("num_labels") or len(config.get("id2label") or {}) or 2
    if named != 1:
        raise AuditError(f"{where} has {named} outputs, and a reward model has one", RIGHT)
    return dict(config)

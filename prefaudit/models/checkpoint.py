"""Weights and tokenizers of local models: safetensors alone, nothing random, no code but what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefaudit.core import AuditError
from prefaudit.models.reward_config import file_of, safe, tensors_of

Tensors = dict[str, Any]


def opened(maker: str, where: str, pinned: str, dtype: Any, trust: bool = False) -> tuple[Any, list[str]]:
    """A model of transformers, and the names of its weights that the checkpoint lacks, which are random now.

    Args:
        maker: the class of transformers that finds the model's own, as AutoModel.
        where: folder or hub id.
        pinned: the hub revision.
        dtype: of torch.
        trust: run the code that comes with the model.

    Raises:
        AuditError: it cannot be loaded.
    """
    import transformers
    from safetensors import SafetensorError
    from transformers.utils import logging

    safe(where, pinned)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    loud = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # what is missing is given back
    at = {"revision": pinned, **({"code_revision": pinned} if trust else {})} if pinned else {}
    try:
        model, told = getattr(transformers, maker).from_pretrained(
            where, dtype=dtype, trust_remote_code=trust, use_safetensors=True, output_loading_info=True, **at
        )
    except (OSError, ValueError) as error:
        raise AuditError(f"{where} cannot be loaded: {(str(error) or repr(error)).splitlines()[0]}",
                         "a folder or hub id of a model with safetensors weights") from error  # fmt: skip
    except SafetensorError as error:
        raise _broken(where, error) from error
    except RuntimeError as error:
        if "size" not in str(error):
            raise
        raise _unlike(where) from error
    finally:
        logging.set_verbosity(loud)
    return model, sorted(map(str, told["missing_keys"] or told.get("mismatched_keys") or ()))


def _broken(where: str, error: Exception) -> AuditError:
    return AuditError(f"{where}: its safetensors are broken, or a part of them: {error}", "download it again")


def _unlike(where: str) -> AuditError:
    return AuditError(f"{where}: its weights have other shapes than its config.json says",
                      "take config and weights of one model")  # fmt: skip


def fill(where: str, model: Any, state: Tensors) -> None:
    """Put weights into a model of torch.

    Raises:
        AuditError: some are missing or of another shape.
    """
    try:
        told = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise _unlike(where) from error
    whole(where, told.missing_keys)


def whole(where: str, missing: Any) -> None:
    """Refuse a model part of which would be random."""
    lost = sorted(map(str, missing))
    if lost:
        raise AuditError(f"{where} lacks {', '.join(lost[:3])}, which would be random", "download it again")


def read(where: str, pinned: str, wanted: Callable[[str], bool], dtype: Any = None) -> Tensors:
    """Some tensors of a checkpoint, float32 where no other type is asked for.

    Raises:
        AuditError: it has no safetensors, or broken ones.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    safe(where, pinned)
    held = tensors_of(where, pinned)
    found: Tensors = {}
    for name in sorted(set(held.values())):
        keys = [k for k, file in held.items() if file == name and wanted(k)]
        path = file_of(where, name, pinned) if keys else None
        if path is not None:
            try:
                with safe_open(path, framework="pt") as file:
                    found |= {k: file.get_tensor(k).to(dtype or torch.float32) for k in keys}
            except SafetensorError as error:
                raise _broken(where, error) from error
    return found


def tokenizer_of(where: str, pinned: str, kind: str = "plain") -> Any:
    """A model's tokenizer; none of its code runs.

    Raises:
        AuditError: it cannot be loaded.
    """
    from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerFast

    at = {"revision": pinned} if pinned else {}
    maker: Any = AutoTokenizer
    if kind == "internlm2":  # of a class of its own, whose files are those of Llama's
        fast = file_of(where, "tokenizer.json", pinned)
        maker = LlamaTokenizer if fast is None else PreTrainedTokenizerFast
    try:
        return maker.from_pretrained(where, trust_remote_code=False, **at)
    except (OSError, ValueError) as error:
        raise AuditError(f"{where} cannot be loaded: {str(error).splitlines()[0]}",
                         "a folder or hub id with a tokenizer") from error  # fmt: skip

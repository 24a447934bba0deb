"""Tiny random checkpoints of reward models with heads of their own, as their authors' files are laid out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.tiny import TEMPLATE, tokenizer

WIDTH, LAYERS, HEADS, KEYS = 32, 2, 4, 2
TURN = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] }}<|eot_id|>{% endfor %}"
)
PLAIN = {"vocab_size": 280, "hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": LAYERS,
         "num_attention_heads": HEADS, "num_key_value_heads": KEYS, "max_position_embeddings": 512,
         "rms_norm_eps": 1e-6}  # fmt: skip


def made(folder: Path, config: dict[str, Any], tensors: dict[str, Any], template: str | None = TEMPLATE,
         marks: tuple[str, ...] = ()) -> Path:  # fmt: skip
    """A folder with the tokenizer, the config and the tensors as one safetensors file."""
    from safetensors.torch import save_file

    words = tokenizer(template=template)
    words.add_special_tokens({"additional_special_tokens": list(marks)})
    folder.mkdir(parents=True, exist_ok=True)
    words.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    return folder


def llama() -> tuple[Any, dict[str, Any]]:
    """A Llama body with random weights, and its tensors under `model.`."""
    import torch
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(1)
    body = LlamaModel(LlamaConfig(**PLAIN)).eval()
    with torch.no_grad():
        for p in body.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
    return body, {f"model.{k}": v for k, v in body.state_dict().items()}


def internlm2(tensors: dict[str, Any]) -> dict[str, Any]:
    """Llama's tensors under InternLM2's names, the three projections of attention joined."""
    import torch

    names = {"self_attn.o_proj": "attention.wo", "mlp.gate_proj": "feed_forward.w1", "mlp.up_proj": "feed_forward.w3",
             "mlp.down_proj": "feed_forward.w2", "input_layernorm": "attention_norm",
             "post_attention_layernorm": "ffn_norm", "embed_tokens": "tok_embeddings"}  # fmt: skip
    size, out = WIDTH // HEADS, {}
    for key, value in tensors.items():
        if "self_attn.q_proj" in key:
            q = value.reshape(KEYS, HEADS // KEYS, size, WIDTH)
            k, v = (tensors[key.replace("q_proj", n)].reshape(KEYS, 1, size, WIDTH) for n in ("k_proj", "v_proj"))
            out[key.replace("self_attn.q_proj", "attention.wqkv")] = torch.cat([q, k, v], 1).reshape(-1, WIDTH)
        elif "k_proj" not in key and "v_proj" not in key:
            for old, new in names.items():
                key = key.replace(old, new)
            out[key] = value
    return out

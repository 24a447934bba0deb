"""Tiny random reward models in a folder: a byte-level tokenizer without merges, two layers of width 32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}{% endfor %}"


def tokenizer(pad: str = "<pad>", template: str | None = TEMPLATE, add_bos: bool = False) -> Any:
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {t: k for k, t in enumerate(["<pad>", "<s>", "</s>", "<unk>", *letters])}
    raw = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    if add_bos:
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A </s> $B:1", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token=pad
    )
    made.chat_template = template
    return made


def reward_model(folder: Path, kind: str, *, pad: str = "<pad>", template: str | None = TEMPLATE, labels: int = 1,
                 positions: int = 512, add_bos: bool = True, causal: bool = False) -> Path:  # fmt: skip
    import torch
    import transformers as t

    words = tokenizer(pad, template, add_bos)
    words.save_pretrained(folder)
    torch.manual_seed(0)
    common = {"vocab_size": len(words), "num_labels": labels, "pad_token_id": words.pad_token_id}
    wide = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "max_position_embeddings": positions}  # fmt: skip
    few = {**wide, "num_key_value_heads": 2}
    deep = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": positions, "bos_token_id": 1, "eos_token_id": 2}
    makers: dict[str, Any] = {
        "llama": (t.LlamaForCausalLM if causal else t.LlamaForSequenceClassification, t.LlamaConfig, few),
        "qwen2": (t.Qwen2ForSequenceClassification, t.Qwen2Config, few),
        "gpt2": (t.GPT2ForSequenceClassification, t.GPT2Config, deep),
        "bert": (t.BertForSequenceClassification, t.BertConfig, wide),
    }
    model, config, size = makers[kind]
    made = model(config(**common, **size))
    with torch.no_grad():
        for p in made.parameters():  # wider than the usual start, so that scores differ by more than rounding
            p.copy_(torch.randn_like(p) * 0.3)
    made.save_pretrained(folder)
    return folder

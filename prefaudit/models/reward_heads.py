"""Heads of other shapes than transformers' own, from a checkpoint's config and tensors; none of its code runs.

The shapes are those of their authors: ArmoRM (arXiv 2406.12845) and QRM (arXiv 2409.10164), internlm2-reward (arXiv
2403.17297), beaver (PKU, arXiv 2310.12773), GRM (arXiv 2406.10216), INF-ORM (infly/INF-ORM-Llama3.1-70B).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prefaudit.core import AuditError
from prefaudit.models.base import ModelError
from prefaudit.models.checkpoint import Tensors, fill, opened, read, whole
from prefaudit.models.reward_config import config_of

HEADS = ("regression_layer.", "gating.", "reward_transform_matrix", "score_head.", "normalizer.", "v_head.", "score.",
         "head_layer.")  # fmt: skip
OBJECTIVES = (
    "helpsteer-helpfulness", "helpsteer-correctness", "helpsteer-coherence", "helpsteer-complexity",
    "helpsteer-verbosity", "ultrafeedback-overall_score", "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness", "ultrafeedback-honesty", "ultrafeedback-helpfulness", "beavertails-is_safe",
    "prometheus-score", "argilla-overall_quality", "argilla-judge_lm", "code-complexity", "code-style",
    "code-explanation", "code-instruction-following", "code-readability",
)  # fmt: skip
"""The outputs of ArmoRM, in their order."""
TURNS = {"gemma2": "<end_of_turn>\n<start_of_turn>model\n"}
LLAMA_TURN = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
BEAVER = (
    "{{ bos_token + 'BEGINNING OF CONVERSATION: ' }}{% for m in messages %}"
    "{% if m['role'] == 'assistant' %}{{ 'ASSISTANT:' + m['content'] + eos_token }}"
    "{% else %}{{ 'USER: ' + m['content'] + ' ' }}{% endif %}{% endfor %}"
)
"""How the scorers of PKU's safe-rlhf were trained to read: a space after USER:, none after ASSISTANT:, eos last."""


@dataclass
class Head:
    """A body of transformers, and the function from its hidden states to scores.

    Attributes:
        body: gives `last_hidden_state`.
        score: of (n, width) float32 states at the last token (and at the prompt's last, where `turn` is set), (n, 1).
        turn: tokens whose last place is where the prompt is read, for heads that weigh by the prompt; else none.
        ending: tokens put after the conversation.
        template: the chat template where the tokenizer has none.
    """

    body: Any
    score: Callable[..., Any]
    turn: tuple[int, ...] = ()
    ending: tuple[int, ...] = ()
    template: str | None = None

    @property
    def config(self) -> Any:
        """The body's."""
        return self.body.config

    def parameters(self) -> Any:
        """The body's."""
        return self.body.parameters()

    base_model_prefix = "body"

    def place(self, ids: Sequence[int]) -> int:
        """Where the prompt is read.

        Raises:
            ModelError: the turn of the assistant is not in it.
        """
        size = len(self.turn)
        for at in range(len(ids) - size, -1, -1):
            if tuple(ids[at : at + size]) == self.turn:
                return at
        raise ModelError("a conversation without the tokens before the answer, by which this model weighs its outputs")


def load(kind: str, where: str, pinned: str, objective: str, dtype: Any, tokenizer: Any) -> Head:
    """The model with its head.

    Args:
        kind: as `reward_config.kind_of` says: gated, internlm2, beaver, grm or mlp.
        where: folder or hub id.
        pinned: the hub revision.
        objective: one of the model's outputs; empty is its score.
        dtype: of the body; the head is float32.
        tokenizer: tells the tokens of a turn.

    Raises:
        AuditError: weights are missing, or there is no such objective.
    """
    tensors = read(where, pinned, lambda key: key.startswith(HEADS))
    body = _internlm2(where, pinned, dtype) if kind == "internlm2" else _body(where, pinned, dtype)
    config = body.config
    if objective and kind != "gated":
        raise AuditError(f"{where} has one output, and no objective {objective!r}", "name it without #")
    if kind == "gated":
        turn = TURNS.get(config.model_type, LLAMA_TURN)
        made = Head(body, _gated(tensors, config, objective, where))
        made.turn = () if objective else tuple(tokenizer(turn, add_special_tokens=False)["input_ids"])
        return made
    if kind == "internlm2":
        token = int(getattr(config, "reward_token_id", 92527))
        return Head(body, _linear(tensors["v_head.weight"], None), ending=(token,))
    if kind == "beaver":
        return Head(body, _beaver(tensors, config), template=BEAVER)
    prefix = "v_head.summary." if kind == "grm" else "score."
    return Head(body, _layers({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}))


def _body(where: str, pinned: str, dtype: Any) -> Any:
    model, lost = opened("AutoModel", where, pinned, dtype)
    whole(where, lost)
    return model


def _internlm2(where: str, pinned: str, dtype: Any) -> Any:
    """InternLM2 is Llama with the three projections of attention in one matrix: q ... q k v for each key head."""
    from transformers import LlamaConfig, LlamaModel

    said = config_of(where, pinned)
    scaling = said.get("rope_scaling") or {}
    if scaling and float(scaling.get("factor", 1.0)) != 1.0 and scaling.get("type") != "dynamic":
        raise AuditError(f"{where} scales its positions by {scaling}, which is not read here", "serve it")
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
             "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "pad_token_id")  # fmt: skip
    rope = {"rope_theta": float(said.get("rope_theta", 10_000.0)), "rope_type": "default"}
    config = LlamaConfig(**{k: said[k] for k in names if k in said}, rope_parameters=rope,
                         attention_bias=bool(said.get("bias", False)))  # fmt: skip
    config.reward_token_id = said.get("reward_token_id", 92527)
    heads = config.num_attention_heads
    kinds = config.num_key_value_heads or heads
    size, per = config.hidden_size // heads, heads // kinds
    plain = {"attention.wo": "self_attn.o_proj", "feed_forward.w1": "mlp.gate_proj", "feed_forward.w3": "mlp.up_proj",
             "feed_forward.w2": "mlp.down_proj", "attention_norm": "input_layernorm",
             "ffn_norm": "post_attention_layernorm", "tok_embeddings": "embed_tokens"}  # fmt: skip
    state: Tensors = {}
    for key, value in read(where, pinned, lambda k: k.startswith("model."), dtype).items():
        name = key.removeprefix("model.")
        if ".attention.wqkv." in name:
            joined = value.reshape(kinds, per + 2, size, *value.shape[1:])
            parts = {"q": joined[:, :per], "k": joined[:, per], "v": joined[:, per + 1]}
            for letter, part in parts.items():
                at = name.replace("attention.wqkv", f"self_attn.{letter}_proj")
                state[at] = part.reshape(-1, *value.shape[1:])
            continue
        for old, new in plain.items():
            name = name.replace(old, new)
        state[name] = value
    model = LlamaModel(config).to(dtype)
    fill(where, model, state)
    return model


def _linear(weight: Any, bias: Any) -> Callable[..., Any]:
    import torch

    return lambda last: torch.nn.functional.linear(last, weight.to(last.device), None if bias is None else
                                                   bias.to(last.device))  # fmt: skip


def _layers(tensors: Tensors) -> Callable[..., Any]:
    """Linear layers by their number, ReLU between them; one layer alone has no number."""
    numbers = sorted({k.rpartition(".")[0] for k in tensors}, key=lambda k: int(k or 0))
    steps = [_linear(tensors[f"{k}.weight".lstrip(".")], tensors.get(f"{k}.bias".lstrip("."))) for k in numbers]

    def score(last: Any) -> Any:
        for at, step in enumerate(steps):
            last = step(last).relu() if at < len(steps) - 1 else step(last)
        return last

    return score


def _beaver(tensors: Tensors, config: Any) -> Callable[..., Any]:
    """A cost counts against an answer. The normaliser of training does not change an order, but its scale is kept."""
    head = _linear(tensors["score_head.weight"], tensors.get("score_head.bias"))
    cost = getattr(config, "score_type", "reward") == "cost"
    on = bool(getattr(config, "do_normalize", False))
    mean, var = tensors.get("normalizer.mean"), tensors.get("normalizer.var")

    def score(last: Any) -> Any:
        value = head(last)
        if on and mean is not None and var is not None:
            value = value if cost else value - mean.to(value.device)
            value = value / (var.to(value.device).sqrt() + 1e-8)
        return -value if cost else value

    return score


def _gated(tensors: Tensors, config: Any, objective: str, where: str) -> Callable[..., Any]:
    """Outputs weighted by the prompt: softmax(gate(prompt) / T) . (outputs @ transform); QRM means over quantiles."""
    outputs = tensors["regression_layer.weight"]
    many = int(getattr(config, "num_objectives", 19))
    quantiles = outputs.shape[0] // many
    head = _linear(outputs, None)

    def each(last: Any) -> Any:
        return head(last).reshape(*last.shape[:-1], many, quantiles).mean(-1)

    if objective:
        names = OBJECTIVES if many == len(OBJECTIVES) else tuple(map(str, range(many)))
        if objective not in names:
            raise AuditError(f"{where} has no objective {objective!r}", f"one of {', '.join(names)}")
        return lambda last: each(last)[..., [names.index(objective)]]
    gate, transform = _gate(tensors, where), tensors["reward_transform_matrix"]
    heat, scale = float(getattr(config, "gating_temperature", 10)), tensors["gating.logit_scale"]

    def score(last: Any, prompt: Any) -> Any:
        weight = (gate(prompt) / heat).softmax(1) * scale.to(prompt.device)
        return (weight * (each(last) @ transform.to(last.device))).sum(1, keepdim=True)

    return score


def _gate(tensors: Tensors, where: str) -> Callable[..., Any]:
    """Linear layers, ReLU after all but the last, and after it the batch norm where one follows (QRM)."""
    import torch

    inside = {k.removeprefix("gating.layers."): v for k, v in tensors.items() if k.startswith("gating.layers.")}
    numbers = sorted({int(k.partition(".")[0]) for k in inside if k.partition(".")[0].isdigit()})
    linear = [k for k in numbers if inside.get(f"{k}.weight") is not None and inside[f"{k}.weight"].dim() == 2]
    if not linear or any(not k.partition(".")[0].isdigit() for k in inside):
        raise AuditError(f"the gate of {where} is of a shape that is not read here", "serve it and name the URL")

    def score(x: Any) -> Any:
        for k in numbers:
            weight = inside[f"{k}.weight"].to(x.device)
            bias = inside.get(f"{k}.bias")
            bias = None if bias is None else bias.to(x.device)
            if k in linear:
                x = torch.nn.functional.linear(x, weight, bias)
                x = x if k == linear[-1] else x.relu()
            else:
                mean, var = (inside[f"{k}.running_{n}"].to(x.device) for n in ("mean", "var"))
                x = torch.nn.functional.batch_norm(x, mean, var, weight, bias)
        return x

    return score

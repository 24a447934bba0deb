"""Reward models with heads of their own: a tiny checkpoint laid out as its authors', against a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.heads import CHAT, PLAIN, TURN, WIDTH, internlm2, llama, made
from models.test_reward import ASKED, SAID
from models.tiny import tokenizer

from prefaudit.core import AuditError, UsageError
from prefaudit.models.pairwise import MARKS, PairRM
from prefaudit.models.reward import RewardModel
from prefaudit.models.reward_config import checked, named
from prefaudit.models.reward_heads import BEAVER, OBJECTIVES
from prefaudit.models.scored import scorer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
nn = torch.nn.functional

SPECIAL = ("<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>")
LLAMA = {"model_type": "llama", **PLAIN, "pad_token_id": 0}


def rand(*shape: int) -> Any:
    return torch.randn(*shape) * 0.3


def plain(folder: Path, body: Any, head: Callable[..., Any], template: str | None = None,
          ending: tuple[int, ...] = ()) -> list[float]:  # fmt: skip
    """One conversation at a time: the ids, the states, the head."""
    words = transformers.AutoTokenizer.from_pretrained(folder)
    words.chat_template = template or words.chat_template
    found = []
    for prompt, answer in zip(ASKED, SAID, strict=True):
        text = words.apply_chat_template([*prompt, {"role": "assistant", "content": answer}], tokenize=False)
        ids = [*words(text, add_special_tokens=False)["input_ids"], *ending]
        with torch.inference_mode():
            states = body(input_ids=torch.tensor([ids])).last_hidden_state[0]
            found.append(float(head(states, ids, words)))
    return found


def same(folder: Path, expected: list[float], **fields: Any) -> None:
    model = RewardModel(str(folder), device="cpu", precision="float32", **fields)
    found = model.score(ASKED, SAID)
    assert np.ptp(expected) > 0.02 and np.abs(found.values - expected).max() < 1e-5
    turned = model.score(ASKED[::-1], SAID[::-1])
    assert np.abs(turned.values[::-1] - expected).max() < 1e-5


def prompt_at(ids: list[int], words: Any) -> int:
    turn = words(TURN, add_special_tokens=False)["input_ids"]
    return max(k for k in range(len(ids)) if ids[k : k + len(turn)] == turn)


@pytest.mark.parametrize("quantiles", [1, 3])
def test_armorm_and_qrm_weigh_their_outputs_by_the_prompt(tmp_path: Path, quantiles: int) -> None:
    body, tensors = llama()
    many, deep = 19, 16
    out, turn, scale = rand(many * quantiles, WIDTH), rand(many, many), rand(1)
    layers: dict[str, Any] = {"0.weight": rand(deep, WIDTH), "last.weight": rand(many, deep), "last.bias": rand(many)}
    if quantiles == 1:  # ArmoRM: linear layers with biases, ReLU between
        layers |= {"0.bias": rand(deep), "1.weight": rand(deep, deep), "1.bias": rand(deep)}
    else:  # QRM: linear, ReLU (no tensors of its own), batch norm
        layers |= {"2.weight": rand(deep), "2.bias": rand(deep), "2.running_mean": rand(deep),
                   "2.running_var": rand(deep).abs() + 0.5, "2.num_batches_tracked": torch.tensor(3)}  # fmt: skip
    last = "2" if quantiles == 1 else "3"
    named_ = {k.replace("last", last): v for k, v in layers.items()}
    tensors |= {"regression_layer.weight": out, "reward_transform_matrix": turn, "gating.logit_scale": scale}
    tensors |= {f"gating.layers.{k}": v for k, v in named_.items()}
    config = {**LLAMA, "architectures": ["LlamaForRewardModelWithGating"], "num_labels": many, "num_objectives": many,
              "num_quantiles": quantiles, "gating_temperature": 2,
              "auto_map": {"AutoModelForSequenceClassification": "modeling_custom.Gated"}}  # fmt: skip
    folder = made(tmp_path, config, tensors, CHAT, SPECIAL)

    def head(states: Any, ids: list[int], words: Any) -> Any:
        each = (out @ states[-1]).reshape(many, quantiles).mean(1)
        x = states[prompt_at(ids, words)]
        if quantiles == 1:
            x = (layers["0.weight"] @ x + layers["0.bias"]).relu()
            x = (layers["1.weight"] @ x + layers["1.bias"]).relu()
        else:
            x = (layers["0.weight"] @ x).relu()
            normal = (x - layers["2.running_mean"]) / (layers["2.running_var"] + 1e-5).sqrt()
            x = normal * layers["2.weight"] + layers["2.bias"]
        gate = ((layers["last.weight"] @ x + layers["last.bias"]) / 2).softmax(0) * scale[0]
        return (gate * (each @ turn)).sum()

    same(folder, plain(folder, body, head))
    place = OBJECTIVES.index("beavertails-is_safe")
    one = plain(folder, body, lambda states, *_: (out @ states[-1]).reshape(many, quantiles).mean(1)[place])
    same(folder, one, objective="beavertails-is_safe")
    assert scorer(f"{folder}#code-style").name.endswith("#code-style")
    with pytest.raises(AuditError, match="no objective 'style'"):
        RewardModel(str(folder), objective="style").score(ASKED[:1], SAID[:1])


def test_internlm2_reads_at_its_reward_token(tmp_path: Path) -> None:
    body, tensors = llama()
    head = rand(1, WIDTH)
    names = {k: v for k, v in PLAIN.items() if k != "vocab_size"}
    config = {"model_type": "internlm2", "architectures": ["InternLM2ForRewardModel"], **names, "vocab_size": 280,
              "bias": False, "rope_theta": 10000, "rope_scaling": {"type": "dynamic", "factor": 2.0},
              "reward_token_id": 3, "pad_token_id": 2,
              "auto_map": {"AutoModel": "modeling_internlm2.InternLM2ForRewardModel"}}  # fmt: skip
    folder = made(tmp_path, config, internlm2(tensors) | {"v_head.weight": head})
    words = tokenizer()
    words.save_pretrained(tmp_path / "words")
    same(folder, plain(tmp_path / "words", body, lambda states, *_: (head @ states[-1])[0], ending=(3,)))


@pytest.mark.parametrize("kind", ["reward", "cost"])
def test_beaver_has_a_template_and_a_cost_counts_against(tmp_path: Path, kind: str) -> None:
    body, tensors = llama()
    weight, bias = rand(1, WIDTH), rand(1)
    tensors |= {"score_head.weight": weight, "score_head.bias": bias, "normalizer.mean": torch.tensor([0.5]),
                "normalizer.var": torch.tensor([4.0]), "normalizer.count": torch.tensor([7])}  # fmt: skip
    config = {**LLAMA, "architectures": ["LlamaForScore"], "score_type": kind, "do_normalize": True, "bias": True}
    folder = made(tmp_path, config, tensors, None)

    def head(states: Any, *_: Any) -> Any:
        value = (weight @ states[-1] + bias)[0]
        return (value - 0.5) / 2 if kind == "reward" else -value / 2

    same(folder, plain(folder, body, head, BEAVER))
    words = tokenizer(template=BEAVER)
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    whole = words.apply_chat_template(said, tokenize=False)
    assert whole == "<s>BEGINNING OF CONVERSATION: USER: hi ASSISTANT:ho</s>"


@pytest.mark.parametrize("kind", ["grm", "linear", "inform"])
def test_value_heads_of_layers(tmp_path: Path, kind: str) -> None:
    body, tensors = llama()
    deep = 1 if kind == "linear" else 24
    a, b, c, d = rand(deep, WIDTH), rand(deep), rand(1, 24), rand(1)
    prefix = "score" if kind == "inform" else "v_head.summary"
    first = f"{prefix}.weight" if kind == "linear" else f"{prefix}.0.weight"
    tensors |= {first: a, first.replace("weight", "bias"): b}
    tensors |= {} if kind == "linear" else {f"{prefix}.2.weight": c, f"{prefix}.2.bias": d}
    name = "INFORMForSequenceClassification" if kind == "inform" else "LlamaForCausalLM"
    folder = made(tmp_path, {**LLAMA, "architectures": [name], "num_labels": 1}, tensors)

    def head(states: Any, *_: Any) -> Any:
        x = a @ states[-1] + b
        return x[0] if kind == "linear" else (c @ x.relu() + d)[0]

    same(folder, plain(folder, body, head))
    with pytest.raises(AuditError, match="no objective"):
        RewardModel(str(folder), objective="x").score(ASKED[:1], SAID[:1])


def test_pairrm_reads_two_answers_in_both_orders(tmp_path: Path) -> None:
    size = {"vocab_size": 280, "hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "max_position_embeddings": 512, "type_vocab_size": 0,
            "relative_attention": True, "position_buckets": 32, "norm_rel_ebd": "layer_norm",
            "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "pad_token_id": 0}  # fmt: skip
    torch.manual_seed(2)
    body = transformers.DebertaV2Model(transformers.DebertaV2Config(**size)).eval()
    with torch.no_grad():
        for p in body.parameters():
            p.copy_(torch.randn_like(p) * 0.2)
    a, b, c, d = rand(WIDTH, 2 * WIDTH), rand(WIDTH), rand(1, WIDTH), rand(1)
    tensors = {f"pretrained_model.{k}": v for k, v in body.state_dict().items()}
    tensors |= {"head_layer.1.weight": a, "head_layer.1.bias": b, "head_layer.4.weight": c, "head_layer.4.bias": d}
    config = {"model_type": "deberta-v2", "architectures": ["DebertaV2PairRM"], **size, "n_tasks": 1,
              "source_prefix_id": 260, "cand1_prefix_id": 261, "cand2_prefix_id": 262}  # fmt: skip
    folder = made(tmp_path, config, tensors, None, MARKS)
    words = transformers.AutoTokenizer.from_pretrained(folder)
    marks = words.convert_tokens_to_ids(list(MARKS))
    model = scorer(str(folder), device="cpu").inner
    assert isinstance(model, PairRM)

    def logit(prompt: list[dict[str, str]], one: str, other: str) -> float:
        head, sides, _ = model._encoded(words, prompt, one, other)
        ids = head[0]
        assert [ids.count(m) for m in marks] == [1, 1, 1] and words.decode(ids).endswith(other) and not sides
        with torch.inference_mode():
            states = body(input_ids=torch.tensor([ids])).last_hidden_state[0]
            at = [states[ids.index(m)] for m in marks]
            left, right = (c @ (a @ torch.cat([at[0], side]) + b).tanh() + d for side in at[1:])
            return float(left - right)

    others = SAID[1:] + SAID[:1]
    expected = [logit(p, x, y) - logit(p, y, x) for p, x, y in zip(ASKED, SAID, others, strict=True)]
    found = model.score(ASKED, SAID, others)
    assert np.ptp(expected) > 0.02 and np.abs(found.values - expected).max() < 1e-5
    assert np.abs(model.score(ASKED, others, SAID).values + expected).max() < 1e-5
    short = PairRM(str(folder), limit=260, device="cpu").score(ASKED[2:4], ["a" * 400, "b"], ["c", "d"])
    assert np.isnan(short.values).tolist() == [True, False] and short.cut[0]


def test_lost_weights_are_refused(tmp_path: Path) -> None:
    _, tensors = llama()
    tensors |= {"score.0.weight": rand(8, WIDTH), "score.0.bias": rand(8), "score.2.weight": rand(1, 8),
                "score.2.bias": rand(1)}  # fmt: skip
    del tensors["model.layers.1.mlp.up_proj.weight"]
    folder = made(tmp_path, {**LLAMA, "architectures": ["INFORMForSequenceClassification"]}, tensors)
    with pytest.raises(AuditError, match="would be random"):
        RewardModel(str(folder)).score(ASKED[:1], SAID[:1])


CODE = """
import torch
from transformers import LlamaConfig, LlamaModel, LlamaPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

class Mine(LlamaPreTrainedModel):
    config_class = LlamaConfig
    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.mine = torch.nn.Linear(config.hidden_size, 1, bias=False)
        self.post_init()
    def forward(self, input_ids=None, attention_mask=None, **rest):
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return SequenceClassifierOutput(logits=self.mine(hidden[:, -1])[:, 0])
"""


def test_code_runs_only_where_it_is_trusted_and_pinned(tmp_path: Path) -> None:
    body, tensors = llama()
    weight = rand(1, WIDTH)
    config = {**LLAMA, "architectures": ["Mine"], "num_labels": 1,
              "auto_map": {"AutoModelForSequenceClassification": "mine.Mine"}}  # fmt: skip
    folder = made(tmp_path / "model", config, tensors | {"mine.weight": weight})
    (folder / "mine.py").write_text(CODE)
    with pytest.raises(AuditError, match="code of its own, which is not run"):
        checked(str(folder))
    same(folder, plain(folder, body, lambda states, *_: (weight @ states[-1])[0]), trust=True)
    (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace("mine.Mine", "them/hub--mine.Mine")
    )
    with pytest.raises(UsageError, match="another repository"):
        checked(str(folder), trust=True)
    from prefaudit.models.reward_config import _pinned

    for pinned in ("", "main", "0123abc"):
        with pytest.raises(UsageError, match="not pinned to a commit"):
            _pinned("them/hub", pinned, {})
    _pinned("them/hub", "0123456789abcdef0123456789abcdef01234567", {})


def test_names() -> None:
    assert named("a/b@c#d") == ("a/b", "c", "d") and named("a/b") == ("a/b", "", "")
    with pytest.raises(AuditError, match="names no reward model"):
        named("#x")

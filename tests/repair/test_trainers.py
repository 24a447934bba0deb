"""TRL's own trainers take what filter and relabel write: preparation and one step of a tiny random model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from repair.making import jsonl, pairs

from prefaudit.repair import filter, relabel

pytest.importorskip("trl", reason="trl is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

TEMPLATE = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }}</s>{% endfor %}" \
           "{% if add_generation_prompt %}<assistant> {% endif %}"  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    raw.train_from_iterator(["a good answer of Question what is"], trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))  # fmt: skip
    made = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
                                   pad_token="<pad>")  # fmt: skip
    made.chat_template = TEMPLATE
    return made


def config(tokenizer: Any, **more: Any) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                       num_attention_heads=2, max_position_embeddings=512,
                       pad_token_id=tokenizer.pad_token_id, **more)  # fmt: skip


def load(path: Path, tmp_path: Path) -> Any:
    import datasets

    return datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))


def source(tmp_path: Path) -> Path:
    rows = []
    for i, pair in enumerate(pairs(24)):
        sides = {s: [{"role": "assistant", "content": pair[s]}] for s in ("chosen", "rejected")}
        low = 5.0 if i % 4 == 0 else 2.0
        rows.append({"prompt": pair["prompt"], **sides, "score_chosen": 4.0, "score_rejected": low})
    return jsonl(tmp_path / "data.jsonl", rows)


STEP = {"max_steps": 1, "per_device_train_batch_size": 4, "report_to": [], "use_cpu": True, "bf16": False,
        "save_strategy": "no",
        "disable_tqdm": True, "gradient_checkpointing": False}  # fmt: skip


def test_dpo_trains_on_filtered_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> None:
    from transformers import LlamaForCausalLM
    from trl import DPOConfig, DPOTrainer

    monkeypatch.chdir(tmp_path)
    made = filter(str(source(tmp_path)), tmp_path / "out.jsonl", min_strength=0.0)
    assert (made.read, made.kept, made.dropped) == (24, 18, 6)
    model, reference = (LlamaForCausalLM(config(tokenizer)) for _ in range(2))
    args = DPOConfig(output_dir=str(tmp_path / "m"), max_length=128, **STEP)
    trainer = DPOTrainer(model=model, ref_model=reference, args=args,
                         train_dataset=load(tmp_path / "out.jsonl", tmp_path), processing_class=tokenizer)  # fmt: skip
    assert len(trainer.train_dataset) == 18
    assert trainer.train().training_loss > 0


@pytest.mark.parametrize("to", [None, "trl"])
def test_a_reward_model_trains_on_relabelled_data_with_margins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Any, to: str | None
) -> None:
    from transformers import LlamaForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    monkeypatch.chdir(tmp_path)
    path = source(tmp_path)
    made = relabel(str(path), tmp_path / "out.jsonl", flip=["LBL001"], margin=True, to=to)
    assert (made.kept, made.flipped) == (24, 6)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert all(row["margin"] > 0 for row in rows), "what the scores contradicted is turned"
    args = RewardConfig(output_dir=str(tmp_path / "m"), max_length=128, **STEP)
    model, given = (
        LlamaForSequenceClassification(config(tokenizer, num_labels=1)),
        load(tmp_path / "out.jsonl", tmp_path),
    )
    trainer = RewardTrainer(model=model, args=args, train_dataset=given, processing_class=tokenizer)
    assert "margin" in trainer.train_dataset.column_names
    assert trainer.train().training_loss > 0

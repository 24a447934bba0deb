"""Encoders and decoders from a folder, tiny and random."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from prefaudit.core import AuditError
from prefaudit.models import canonical, embedder, identity, layered
from prefaudit.models.base import INSTRUCTED, RESPONSE
from prefaudit.models.hf import BUDGET, HF, hf, revision
from prefaudit.models.minilm import installed, minilm

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def save(folder: Path, kind: str, limit: int) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    letters = [chr(c) for c in range(32, 127)]
    vocabulary = {t: k for k, t in enumerate(["<pad>", "<s>", "</s>", "<unk>", "Ċ", "Ġ", *letters])}
    raw = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    raw.enable_truncation(7)  # as MiniLM's own file does
    raw.enable_padding(length=9)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    size = {"vocab_size": len(vocabulary), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "max_position_embeddings": limit}  # fmt: skip
    if kind == "bert":
        transformers.BertModel(transformers.BertConfig(**size)).save_pretrained(folder)
    else:
        transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**size, num_key_value_heads=2)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> HF:
    return hf(str(save(tmp_path_factory.mktemp("bert"), "bert", 64)), "cpu")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> HF:
    return hf(str(save(tmp_path_factory.mktemp("qwen"), "qwen", 4096)), "cpu")


def test_the_files_say_how(bert: HF, qwen: HF) -> None:
    assert (bert.template, bert.limit, bert.pooling) == (RESPONSE, 64, "mean")
    assert (qwen.template, qwen.limit, qwen.pooling) == (INSTRUCTED, 4096, "last")


def test_batches_change_nothing_but_rounding(bert: HF, monkeypatch: pytest.MonkeyPatch) -> None:
    some = pl.Series([" ".join(["ab"] * k) for k in (1, 9, 3, 3, 15, 0, 2)])
    whole = bert.embed(some).values
    monkeypatch.setitem(BUDGET, "cpu", 1)
    tolerance = 0.02 if bert.precision == "bfloat16" else 1e-5
    assert np.abs(whole - bert.embed(some).values).max() < tolerance
    assert np.allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-3)
    assert bert.embed(some[:0]).values.shape == (0, 16)


def test_over_the_limit_is_cut_and_counted(bert: HF) -> None:
    found = bert.embed(pl.Series(["x" * 62, "x" * 63, "x" * 62 + "yyy"]))
    assert found.cut.tolist() == [False, True, True]
    assert np.abs(found.values[0] - found.values[2]).max() < 0.02


def test_the_prompt_is_cut_from_its_beginning_and_the_answer_stays(qwen: HF) -> None:
    tokenizer, _ = qwen._load()
    ids, cut = qwen._ids(tokenizer, pl.Series(["answer", "b" * 5000, "ok"]), pl.Series(["p" * 6000 + "END", "q", "r"]))
    assert [len(i) for i in ids][:2] == [4096, 4096] and cut.tolist() == [True, True, False]
    assert "ENDĊĊAssistant:Ġanswer" in "".join(tokenizer.convert_ids_to_tokens(ids[0]))
    assert all(i[0] == 1 and i[-1] == 2 for i in ids)


def test_prompts_make_a_difference(qwen: HF) -> None:
    same = pl.Series(["fine", "fine"])
    found = qwen.embed(same, pl.Series(["a question", "another"])).values
    assert np.abs(found[0] - found[1]).max() > 0.001
    with pytest.raises(ValueError, match="prompts"):
        qwen.embed(same)


def test_other_weights_are_another_revision(tmp_path: Path) -> None:
    folder = save(tmp_path, "bert", 32)
    before = revision(str(folder))
    assert before == revision(str(folder))
    weights = folder / "model.safetensors"
    held = bytearray(weights.read_bytes())
    held[-1] ^= 1
    weights.write_bytes(bytes(held))
    assert revision(str(folder)) != before


@pytest.mark.parametrize("kind", ["bert", "qwen"])
def test_a_layer_is_what_the_model_says_there(kind: str, request: pytest.FixtureRequest) -> None:
    whole: HF = request.getfixturevalue(kind)
    made = embedder(f"{whole.where}@1", "cpu").inner
    assert made.name == f"{whole.where}@1" and made.revision == f"{whole.revision}@1" and made.limit == whole.limit
    tokenizer, model = whole._load()
    prompts = pl.Series(["q"]) if kind == "qwen" else None
    ids, _ = whole._ids(tokenizer, pl.Series(["some answer"]), prompts)
    with torch.inference_mode():
        states = model(input_ids=torch.tensor(ids), output_hidden_states=True).hidden_states[1][0].float()
    pooled = states[-1] if whole.pooling == "last" else states.mean(0)
    found = made.embed(pl.Series(["some answer"]), prompts).values[0]
    assert np.abs(found - (pooled / pooled.norm()).numpy()).max() < (0.02 if whole.precision == "bfloat16" else 1e-5)
    assert np.abs(found - whole.embed(pl.Series(["some answer"]), prompts).values[0]).max() > 0.002
    held = sum(p.numel() for p in made._load()[1].parameters())
    assert held < sum(p.numel() for p in model.parameters()), "the blocks after it are not run"
    with pytest.raises(AuditError, match="2 layers, not 3"):
        embedder(f"{whole.where}@3")


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    assert layered(str(save(tmp_path / "bert@1", "bert", 32))) == (str(tmp_path / "bert@1"), None)
    assert layered(str(tmp_path / "bert@1@2")) == (str(tmp_path / "bert@1"), 2)
    assert layered("some/model@main") == ("some/model@main", None)


def test_what_the_files_say_of_decoders_and_of_places(tmp_path: Path) -> None:
    size = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40, "vocab_size": 101}
    gpt = save(tmp_path / "gpt", "bert", 32)
    transformers.GPT2Model(transformers.GPT2Config(**size)).save_pretrained(gpt)
    made = hf(str(gpt), "cpu")
    assert (made.limit, made.pooling, made.template) == (40, "last", RESPONSE)
    assert made.embed(pl.Series(["x" * 300])).cut.tolist() == [True]
    folder = save(tmp_path / "roberta", "bert", 32)
    config = {"vocab_size": 101, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "pad_token_id": 1,
              "num_attention_heads": 2, "max_position_embeddings": 66}  # fmt: skip
    transformers.RobertaModel(transformers.RobertaConfig(**config)).save_pretrained(folder)
    made = hf(str(folder), "cpu")
    assert made.limit == 64 and made.embed(pl.Series(["x" * 300])).values.shape == (1, 16)


def test_weights_that_are_not_there_are_not_drawn(tmp_path: Path) -> None:
    folder = save(tmp_path / "few", "bert", 32)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    with pytest.raises(AuditError, match=r"lacks encoder\.layer\.2"):
        embedder(str(folder), "cpu").embed(pl.Series(["a"]))
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": "two"}))
    with pytest.raises(AuditError, match="num_hidden_layers is 'two'"):
        embedder(str(folder))


def test_names_of_one_and_of_two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "z", "bert", 32)
    block, before = embedder("z@2"), identity("z@2")
    shutil.copytree("z", "z@2")
    assert identity("z@2") != before, "now a folder of this name is meant"
    assert embedder("z@2").name == block.name and embedder("z@2").path != block.path
    assert canonical("minilm@3") == "minilm" and canonical("minilm@3+lexical") == "minilm+lexical"
    assert canonical("minilm@2") == "minilm@2"
    with pytest.raises(AuditError, match="lexical has no blocks"):
        embedder("lexical@2")


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="no model"):
        embedder(str(tmp_path))


@pytest.mark.skipif(not installed(), reason="the weights of minilm are not installed")
def test_minilm_says_what_the_published_model_says() -> None:
    found = minilm("cpu", layer=6).embed(
        pl.Series(["A man is eating food.", "A man is eating a piece of bread.", "Two rockets."])
    )
    near, far = found.values[0] @ found.values[1], found.values[0] @ found.values[2]
    assert found.values.shape == (3, 384)
    assert near == pytest.approx(0.7553, abs=0.01)  # the similarity that sentence-transformers' own documents print
    assert far < 0.2


@pytest.mark.skipif(not installed(), reason="the weights of minilm are not installed")
def test_minilm_is_read_half_way_up() -> None:
    names = [embedder(name).name for name in ("minilm", "minilm@3", "minilm@6")]
    assert names == ["minilm", "minilm", "minilm@6"] and identity("minilm@6") == ""
    half, whole = minilm("cpu"), minilm("cpu", 6)
    assert (half.limit, whole.limit) == (512, 256) and half.revision != whole.revision
    long = pl.Series(["word " * 300, "word " * 300 + "and an end that is another"])
    read = half.embed(long)
    assert not read.cut.any() and np.abs(read.values[0] - read.values[1]).max() > 0.001
    assert whole.embed(long).cut.all()
    for layer in (0, 7):
        with pytest.raises(AuditError, match="6 layers"):
            minilm("cpu", layer)

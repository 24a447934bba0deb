"""A pretrained autoencoder: a tiny random language model and SAE, through the code that reads real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.core import AuditError
from prefaudit.demo import demo_path
from prefaudit.models import Pretrained, varied
from tests.models.tiny import tokenizer

FEATURES = 24


def test_the_features_that_differ_most_are_taken() -> None:
    chosen = np.array([[1, 5, 0, 2], [0, 5, 3, 2], [1, 5, 0, 0]], np.float32)
    rejected = np.array([[0, 5, 0, 2], [1, 5, 0, 2], [0, 5, 0, 2]], np.float32)
    assert varied([chosen, rejected], 2) == (0, 2) and varied([chosen, rejected], 9) == (0, 2, 3)


@pytest.fixture(scope="module")
def sae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    t = pytest.importorskip("transformers")
    sae_lens = pytest.importorskip("sae_lens")
    folder = tmp_path_factory.mktemp("tiny")
    words = tokenizer()
    words.save_pretrained(folder / "lm")
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    t.LlamaForCausalLM(t.LlamaConfig(vocab_size=len(words), max_position_embeddings=256, **size)).save_pretrained(
        folder / "lm"
    )
    config = sae_lens.StandardSAEConfig(d_in=32, d_sae=FEATURES, device="cpu")
    config.metadata.model_name = str(folder / "lm")
    config.metadata.hook_name = "blocks.1.hook_resid_post"
    made = sae_lens.StandardSAE(config)
    with torch.no_grad():
        made.W_enc.copy_(torch.randn_like(made.W_enc))
    made.save_model(str(folder / "sae"))
    return folder / "sae"


@pytest.mark.heavy
def test_means_over_the_answers_tokens(sae: Path) -> None:
    import sae_lens
    import torch
    import transformers as t

    got = Pretrained(str(sae)).embed(pl.Series(["an answer", "", "another longer one"]), pl.Series(["hi", "hi", "you"]))
    lm, words = sae.parent / "lm", t.AutoTokenizer.from_pretrained(sae.parent / "lm")
    model = t.AutoModel.from_pretrained(lm).eval()
    before = [words.bos_token_id, *words("you\n\n", add_special_tokens=False)["input_ids"]]
    ids = before + words("another longer one", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[2][0, len(before) :]
        want = sae_lens.SAE.load_from_disk(str(sae)).encode(states).mean(0).numpy()
    np.testing.assert_allclose(got.values[2], want, atol=1e-5)
    assert not got.values[1].any() and not got.cut.any() and want.any()
    few = Pretrained(str(sae), (3, 5)).embed(pl.Series(["another longer one"]), pl.Series(["you"]))
    np.testing.assert_allclose(few.values[0], want[[3, 5]], atol=1e-5)


@pytest.mark.heavy
def test_long_prompts_go_first_and_the_answer_stays(sae: Path) -> None:
    model = Pretrained(str(sae))
    got = model.embed(pl.Series(["short", "x" * 900]), pl.Series(["p" * 900, "hi"]))
    assert got.cut.all() and got.values.any(1).all()


@pytest.mark.heavy
def test_an_audit_through_it(sae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    audit = prefaudit.scan(str(demo_path()), tmp_path / "audit", lens=str(sae), lens_features=10, with_=("lens",),
                           fail_on="never")  # fmt: skip
    lens = audit.report["lens"]
    assert (
        lens["features"] == 10 and lens["embedder"]["name"] == str(sae) and all(e["pretrained"] for e in lens["each"])
    )
    z = audit.features().select("lens").collect()["lens"].struct.unnest().drop_nulls()
    assert z.width == 10 and (z.to_numpy() != 0).mean() > 0.5
    assert any(e["effect"]["delta_win"] is not None for e in lens["each"])


@pytest.mark.heavy
def test_what_it_reads_has_to_be_said(sae: Path, tmp_path: Path) -> None:
    import json
    import shutil

    shutil.copytree(sae, tmp_path / "sae")
    path = tmp_path / "sae" / "cfg.json"
    config = json.loads(path.read_text())
    config["metadata"]["hook_name"] = "blocks.1.attn.hook_z"
    path.write_text(json.dumps(config))
    with pytest.raises(AuditError, match="hook_z"):
        Pretrained(str(tmp_path / "sae")).embed(pl.Series(["a"]), pl.Series(["b"]))
    config["metadata"]["model_name"] = None
    path.write_text(json.dumps(config))
    with pytest.raises(AuditError, match="does not say"):
        Pretrained(str(tmp_path / "sae")).embed(pl.Series(["a"]), pl.Series(["b"]))
    with pytest.raises(AuditError, match="no autoencoder"):
        Pretrained(str(tmp_path)).embed(pl.Series(["a"]), pl.Series(["b"]))

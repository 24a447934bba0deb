"""Sequence classifiers from a folder, tiny and random, and a scan that uses one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.core import AuditError, UsageError
from prefaudit.extractors._classified import Classified, _scores, split, taken_over
from prefaudit.extractors.refusal import Refusal
from prefaudit.extractors.text import Text
from prefaudit.models.classifier import Classifier, classifier, labels
from tests.extractors.frames import pairs

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXTS = ["I can't help with that.", "Sure, here it is.", "No.", "A much longer reply that " * 30, "x"]


def save(folder: Path, **said: Any) -> str:
    """A two-layer BERT of width 16 with a byte-level tokenizer that is trained on nothing."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    letters = [chr(c) for c in range(33, 127)]
    vocabulary = {t: k for k, t in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "Ċ", "Ġ", *letters])}
    raw = Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    raw.enable_truncation(7)  # as many files on the hub do: what is asked for wins
    raw.enable_padding(length=9)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, initializer_range=0.5, **{"id2label": {0: "NORMAL", 1: "REJECTION"}, **said},
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("classifier"))


@cache
def loaded(model: str) -> Any:
    return (
        transformers.AutoTokenizer.from_pretrained(model),
        transformers.AutoModelForSequenceClassification.from_pretrained(model).eval(),
    )


def plain(model: str, text: str, before: str | None = None) -> list[float]:
    """The probabilities of one text by transformers alone."""
    tokenizer, read = loaded(model)
    texts = (text,) if before is None else (before, text)
    ids = tokenizer(*texts, truncation=True, max_length=64, padding=False, return_tensors="pt")
    with torch.inference_mode():
        found: list[float] = torch.softmax(read(**ids).logits, dim=1)[0].tolist()
    return found


def test_scores_are_the_probabilities_of_the_label(model: str) -> None:
    found = classifier(model, ("rejection",), "cpu").score(pl.Series(TEXTS))
    assert np.allclose(found, [plain(model, text)[1] for text in TEXTS], atol=1e-5)
    assert found.std() > 0.01
    other = classifier(f"{model}:normal", (), "cpu").score(pl.Series(TEXTS))
    assert np.allclose(found + other, 1)


def test_a_prompt_is_the_first_of_a_pair(model: str) -> None:
    judge = classifier(model, ("rejection",), "cpu")
    asked = ["Who is right?", "", "Why?", "What?", "?"]
    found = judge.score(pl.Series(TEXTS), pl.Series([*asked[:1], None, *asked[2:]]))
    assert np.allclose(found, [plain(model, t, a)[1] for t, a in zip(TEXTS, asked, strict=True)], atol=1e-5)


def test_one_logit_is_a_sigmoid(tmp_path: Path) -> None:
    judge = classifier(save(tmp_path, id2label={0: "whatever"}), ("refusal",), "cpu")
    assert judge.label == "whatever"
    found = judge.score(pl.Series(TEXTS))
    assert ((found > 0) & (found < 1)).all()
    assert found.std() > 0.01


def test_labels_are_those_of_the_config(model: str) -> None:
    assert labels(model) == ["NORMAL", "REJECTION"]
    assert classifier(f"{model}:Rejection", ()).label == "REJECTION"
    with pytest.raises(UsageError, match=r"unknown label of .*: 'rejektion'") as error:
        classifier(f"{model}:rejektion", ())
    assert error.value.hint == "known: NORMAL, REJECTION"
    with pytest.raises(UsageError, match=r"which label of .* counts\? It has NORMAL, REJECTION"):
        classifier(model, ("sycophancy",))
    with pytest.raises(AuditError, match="there is no model"):
        classifier("./nowhere/at/all", ("refusal",))


def test_a_head_that_was_never_trained_is_refused(model: str, tmp_path: Path) -> None:
    save(tmp_path)
    body = transformers.AutoModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    body.save_pretrained(tmp_path)
    with pytest.raises(AuditError, match=r"no trained classifier: classifier\.bias, classifier\.weight"):
        classifier(str(tmp_path), ("rejection",)).score(pl.Series(["x"]))


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    save(tmp_path)
    read = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    torch.save(read.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(AuditError, match="cannot be loaded"):
        classifier(str(tmp_path), ("rejection",)).score(pl.Series(["x"]))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (("refusal",), "is not FEATURE=MODEL"),
        (("refusl=x",), "unknown probe 'refusl'"),
        (("refusal=a", "refusal=b"), "names refusal twice"),
    ],
)
def test_what_cannot_be_asked(said: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split(said)


def test_only_the_extractor_of_the_feature_is_taken_over(model: str) -> None:
    asked = {"probe": [f"refusal={model}"]}
    assert taken_over(Text(), asked) == Text()
    made = taken_over(Refusal(), asked)
    assert isinstance(made, Classified)
    assert (made.name, made.columns, made.needs) == ("refusal", Refusal().columns, ("text",))
    assert made.revisions[0]


def test_a_scan_by_a_classifier(model: str, tmp_path: Path) -> None:
    french = "Le chat est sur la table et il ne veut pas descendre de la table, mais les chiens sont dans la maison."
    rows = [
        {"prompt": f"How? {k}", "chosen": f"I can't help with {k % 3}.", "rejected": f"Here: {k}."} for k in range(9)
    ]
    rows.append({"prompt": "Quoi?", "chosen": french, "rejected": "Here: 1."})
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    asked = {"with_": ["probes"], "probe": [f"refusal={model}"], "fail_on": "never"}
    audit = prefaudit.scan(str(data), tmp_path / "whole", **asked)
    assert audit.report["complete"]
    got = audit.features().collect()
    want = [round(plain(model, row["rejected"])[1], 4) for row in rows]
    assert got["r"].struct.field("refusal").to_list() == pytest.approx(want, abs=2e-4)
    assert got["c"].struct.field("refusal")[9] is None  # not English: the probe says nothing of it
    assert got["risk"].null_count() < 10
    told = audit.report["options"]["measured"]["refusal"]
    assert told["probe"] == asked["probe"]
    assert [p["classifier"] for p in audit.report["probes"] if p["feature"] == "refusal"] == [model]
    assert [p["checks"] for p in audit.report["probes"] if p["feature"] == "refusal"] == [[]]
    parts = prefaudit.scan(str(data), tmp_path / "parts", part_rows=3, **asked).features().collect()
    for side in ("c", "r"):
        assert parts[side].struct.field("refusal").equals(got[side].struct.field("refusal"))


def test_each_text_is_read_once_with_its_prompt(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pairs([("Why?", "a", "b"), ("How?", "a", None), ("Why?", "b", "a"), ([], None, "a")])
    judge, read = classifier(f"{model}:rejection", (), "cpu"), []
    whole = Classifier.score

    def counted(self: Classifier, texts: pl.Series, before: pl.Series | None = None) -> Any:
        read.append(len(texts))
        return whole(self, texts, before)

    monkeypatch.setattr(Classifier, "score", counted)
    found = _scores(frame, judge, "sycophancy").to_list()
    assert found[0] == found[6] == pytest.approx(plain(model, "a", "Why?")[1], abs=2e-4)
    assert found[1] == pytest.approx(plain(model, "a", "How?")[1], abs=2e-4) != found[0]
    assert (found[3], found[5]) == (None, None)
    assert _scores(frame, judge, "refusal")[0] == pytest.approx(plain(model, "a")[1], abs=2e-4)
    assert read == [4, 2]


def test_a_model_that_is_not_there_ends_the_scan(tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text(json.dumps({"prompt": "How?", "chosen": "a", "rejected": "b"}))
    with pytest.raises(AuditError, match="there is no model"):
        prefaudit.scan(str(data), tmp_path / "out", probe=["refusal=./nowhere/at/all"])
    assert not (tmp_path / "out").exists()

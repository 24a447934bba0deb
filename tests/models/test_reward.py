"""Reward models, tiny and random: the score is the plain loop's, and each trap of the loaders has its guard."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from models.tiny import reward_model

from prefaudit.core import AuditError
from prefaudit.models import shared
from prefaudit.models.base import ModelError
from prefaudit.models.hf import BUDGET
from prefaudit.models.reward import RewardModel
from prefaudit.models.reward_config import checked
from prefaudit.models.scored import scorer
from prefaudit.models.scores import spacing

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TURNS = [[("user", "How do I boil an egg?")], [("system", "Be short."), ("user", "Hi")],
         [("user", "a"), ("assistant", "b"), ("user", "c" * 90)], [("user", "ünï\n")]]  # fmt: skip
ASKED = [[{"role": role, "content": text} for role, text in turns] for turns in TURNS] * 4
SAID = [("word " * (7 * k % 23)) + f"{k}" for k in range(16)]


def plain(folder: Path, prompts: list[list[dict[str, str]]], responses: list[str]) -> list[float]:
    """One conversation at a time, as a model card would do it."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for prompt, response in zip(prompts, responses, strict=True):
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": response}], tokenize=False)
            read = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        else:
            asked = "\n\n".join(m["content"] for m in prompt)
            read = tokenizer(asked, response, return_tensors="pt")
        with torch.inference_mode():
            found.append(model(**read).logits.item())
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    at = tmp_path_factory.mktemp("models")
    made = {kind: reward_model(at / kind, kind) for kind in ("llama", "qwen2", "gpt2")}
    return made | {"bert": reward_model(at / "bert", "bert", template=None)}


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "bert"])
def test_scores_are_those_of_the_plain_loop(
    kind: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = RewardModel(str(folders[kind]), device="cpu", precision="float32")
    expected = np.array(plain(folders[kind], ASKED, SAID))
    assert np.ptp(expected) > 0.02
    for budget in (1, 300, 100_000):
        monkeypatch.setitem(BUDGET, "cpu", budget)
        found = model.score(ASKED, SAID)
        assert np.abs(found.values - expected).max() < 1e-5
    turned = model.score(ASKED[::-1], SAID[::-1])
    assert np.abs(turned.values[::-1] - expected).max() < 1e-5
    assert not found.cut.any()


def test_the_last_token_counts_though_it_is_the_padding_token(tmp_path: Path) -> None:
    folder = reward_model(tmp_path, "llama", pad="</s>")
    found = RewardModel(str(folder), device="cpu", precision="float32").score(ASKED, SAID).values
    config = json.loads((folder / "config.json").read_text())
    config["pad_token_id"] = 0  # what the plain loop needs to read the last token
    (folder / "config.json").write_text(json.dumps(config))
    assert np.abs(found - plain(folder, ASKED, SAID)).max() < 1e-5


def test_one_bos_and_no_more(folders: dict[str, Path]) -> None:
    model = RewardModel(str(folders["llama"]), device="cpu")
    tokenizer, _ = model._load()
    assert tokenizer("x")["input_ids"][0] == tokenizer.bos_token_id  # the tokenizer would add a second one
    ids, *_ = model._tokens(tokenizer, ASKED[:1], SAID[:1])
    assert ids[0].count(tokenizer.bos_token_id) == 1


def test_what_is_too_long_loses_its_beginning_and_is_counted(tmp_path: Path) -> None:
    folder = reward_model(tmp_path, "llama", positions=60)
    model = RewardModel(str(folder), device="cpu", precision="float32")
    long = [{"role": "user", "content": "p" * 100}]
    found = model.score([long, long, ASKED[1]], ["answer", "a" * 100, "b"])
    assert found.cut.tolist() == [True, True, False]
    assert np.isnan(found.values).tolist() == [False, True, False]
    tokenizer, _ = model._load()
    ids, *_ = model._tokens(tokenizer, [long], ["answer"])
    assert len(ids[0]) == 60 and ids[0][0] == tokenizer.bos_token_id and tokenizer.decode(ids[0]).endswith("answer</s>")
    shorter = RewardModel(str(folder), limit=30, device="cpu")
    assert shorter._limit(tokenizer) == 30


def test_a_head_that_is_missing_is_refused(tmp_path: Path) -> None:
    folder = reward_model(tmp_path, "llama", causal=True)
    with pytest.raises(AuditError, match="LlamaForCausalLM, not a reward model"):
        RewardModel(str(folder)).score(ASKED[:1], SAID[:1])
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["LlamaForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(AuditError, match=r"no trained head: score\.weight"):
        RewardModel(str(folder)).score(ASKED[:1], SAID[:1])


def test_code_labels_and_templates_are_asked_for(tmp_path: Path) -> None:
    two = reward_model(tmp_path / "two", "llama", labels=2)
    with pytest.raises(AuditError, match="has 2 outputs"):
        checked(str(two))
    bare = reward_model(tmp_path / "bare", "gpt2", template=None)
    with pytest.raises(AuditError, match="no chat template"):
        RewardModel(str(bare)).score(ASKED[:1], SAID[:1])
    config = json.loads((bare / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "evil.Model"}
    (bare / "config.json").write_text(json.dumps(config))
    with pytest.raises(AuditError, match="code of its own, which is not run"):
        checked(str(bare))
    with pytest.raises(AuditError, match="there is no model"):
        checked(str(tmp_path / "nowhere"))


def test_pickled_weights_are_named_and_the_hint_converts_them(tmp_path: Path) -> None:
    folder = reward_model(tmp_path, "llama")
    expected = RewardModel(str(folder), device="cpu").score(ASKED[:2], SAID[:2]).values
    state = transformers.AutoModelForSequenceClassification.from_pretrained(folder).state_dict()
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    for name in (str(folder), f"dpo+{folder}|{folder}"):
        with pytest.raises(AuditError, match=r"pickled weights alone \(pytorch_model\.bin\)") as told:
            scorer(name)
    _, _, command = told.value.hint.partition(": ")
    assert command.startswith('python -c "') and command.endswith('"')
    exec(command.removeprefix('python -c "').removesuffix('"'), {})
    assert np.array_equal(RewardModel(str(folder), device="cpu").score(ASKED[:2], SAID[:2]).values, expected)
    (folder / "model.safetensors").write_bytes(b"\x05\0\0\0\0\0\0\0{")
    with pytest.raises(AuditError, match="no safetensors file, or a part of one"):
        checked(str(folder))


def test_memory_that_does_not_hold_a_batch_halves_it(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model = RewardModel(str(folders["llama"]), device="cpu", precision="float32")
    expected = model.score(ASKED, SAID).values
    monkeypatch.setattr(shared, "KINDS", set())
    real, sizes = RewardModel._forward, []

    def small(self: RewardModel, body: object, ids: list[list[int]], kinds: object) -> object:
        sizes.append(len(ids))
        if len(ids) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")
        return real(self, body, ids, kinds)

    monkeypatch.setattr(RewardModel, "_forward", small)
    assert np.abs(model.score(ASKED, SAID).values - expected).max() < 1e-5
    assert max(sizes) > 3
    monkeypatch.setattr(RewardModel, "_forward", lambda *a: (_ for _ in ()).throw(RuntimeError("out of memory")))
    with pytest.raises(ModelError, match="out of memory"):
        model.score(ASKED, SAID)


def test_a_score_that_is_no_number_is_a_failure(tmp_path: Path) -> None:
    folder = reward_model(tmp_path, "llama")
    model = RewardModel(str(folder), device="cpu")
    _, body = model._load()
    with torch.no_grad():
        body.score.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="no number"):
        model.score(ASKED[:2], SAID[:2])


def test_spacing_is_that_of_the_precision() -> None:
    assert spacing(np.array([23.0, 9.0, -40.0]), "bfloat16").tolist() == [0.125, 0.0625, 0.25]
    assert spacing(np.array([1.0]), "float32")[0] == 2.0**-23


def test_bfloat16_scores_are_near(folders: dict[str, Path]) -> None:
    whole = RewardModel(str(folders["llama"]), device="cpu", precision="float32").score(ASKED, SAID)
    half = RewardModel(str(folders["llama"]), device="cpu", precision="bfloat16").score(ASKED, SAID)
    assert np.corrcoef(whole.values, half.values)[0, 1] > 0.99 and (half.spacing > whole.spacing).all()


def test_two_answers_to_a_prompt_are_read_in_one_sequence(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = RewardModel(str(folders["llama"]), device="cpu", precision="float32")
    expected = np.array(plain(folders["llama"], ASKED, SAID))
    real, read = shared.scores, []

    def small(body: object, some: list[shared.Pack], *rest: object) -> object:
        if len(some) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")
        read.extend(some)
        return real(body, some, *rest)

    monkeypatch.setattr(shared, "scores", small)
    assert np.abs(model.score(ASKED, SAID).values - expected).max() < 1e-5
    assert len(read) > 4 and all(p.prefix >= shared.LEAST for p in read)
    # an answer that the other begins with, and one that is the other
    asked, said = ASKED[:1] * 4, ["word", "word word", "word", ""]
    assert np.abs(model.score(asked, said).values - plain(folders["llama"], asked, said)).max() < 1e-5
    assert not shared.shares(transformers.MistralConfig(sliding_window=64)) and not shared.shares(
        transformers.Gemma2Config()
    )


def test_the_limit_is_read_under_every_name(folders: dict[str, Path]) -> None:
    """GPT-2's config calls it n_positions; a longer text was an IndexError deep in the model."""
    model = RewardModel(str(folders["gpt2"]), precision="float32", device="cpu")
    asked = [[{"role": "user", "content": text}] for text in ("a word and another " * 2000, "Why?")]
    found = model.score(asked, ["because", "short"])
    assert np.isfinite(found.values).all()
    assert found.cut.tolist() == [True, False]


def test_no_number_is_a_failure_in_pairs_that_share_a_prompt_too(tmp_path: Path) -> None:
    folder = reward_model(tmp_path / "nan", "llama")
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] = torch.full_like(weights["score.weight"], float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    asked = [[{"role": "user", "content": "Why?"}]] * 2
    with pytest.raises(ModelError, match="no number"):
        RewardModel(str(folder), device="cpu").score(asked, ["one answer", "another one"])


def test_the_precision_is_for_the_user_to_choose(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a device that is fast at bfloat16, --precision float32 has the scores of the plain loop."""
    import polars as pl

    import prefaudit
    from prefaudit.models import likelihood, reward

    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    for module in (reward, likelihood):
        monkeypatch.setattr(module, "halves", lambda on: True)
    name = str(folders["llama"])
    assert scorer(name, device="cpu").inner.kind == "bfloat16"  # type: ignore[union-attr]
    whole = scorer(name, device="cpu", precision="float32").score(ASKED, SAID)
    assert np.abs(whole.values - plain(folders["llama"], ASKED, SAID)).max() < 1e-5
    assert (whole.spacing == spacing(whole.values, "float32")).all()
    assert likelihood.Likelihood(f"cdr+{name}|{name}", device="cpu", precision="float32").kind == "float32"
    data = pl.DataFrame({"prompt": [p[-1]["content"] for p in ASKED], "chosen": SAID, "rejected": SAID[::-1]})
    common = {"with_": ("strength",), "reward_model": [name], "device": "cpu", "fail_on": "never"}
    made = prefaudit.scan(data, tmp_path / "a", precision="float32", **common)
    assert made.report["options"]["measured"]["rewards"]["precision"] == "float32"
    kept = {p.name for p in (tmp_path / "cache").rglob("scores-*")}
    prefaudit.scan(data, tmp_path / "b", **common)
    assert len({p.name for p in (tmp_path / "cache").rglob("scores-*")} - kept) == 1  # bfloat16 has a file of its own
    with pytest.raises(AuditError, match="--precision cannot be 'half'"):
        prefaudit.scan(data, tmp_path / "c", precision="half", **common)


def test_weights_that_are_broken_or_of_another_shape_name_the_model(tmp_path: Path) -> None:
    from safetensors.torch import load, save

    from prefaudit.models.checkpoint import fill, read

    folder = reward_model(tmp_path / "broken", "llama")
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2])
    for ask in (lambda: RewardModel(str(folder)).score(ASKED[:1], SAID[:1]), lambda: read(str(folder), "", bool)):
        with pytest.raises(AuditError, match=r"broken: its safetensors are broken"):
            ask()
    for name in ("score.weight", "model.layers.0.mlp.up_proj.weight"):
        weights.write_bytes(save(load(data) | {name: torch.zeros(1, 16)}, {"format": "pt"}))
        with pytest.raises(AuditError, match=r"broken: its weights have other shapes"):
            RewardModel(str(folder)).score(ASKED[:1], SAID[:1])
    with pytest.raises(AuditError, match="there: its weights have other shapes"):
        fill("there", torch.nn.Linear(2, 1), {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)})

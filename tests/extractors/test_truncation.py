from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prefaudit.core import AuditError, UsageError
from prefaudit.extractors.truncation import Truncation
from tests.extractors.frames import pairs, run

ROWS: list[tuple[Any, ...]] = [
    ("prompt", "same begin, one end", "same begin, another end"),
    ("prompt", "short", "brief"),
    ("prompt", "equal text that is long enough", "equal text that is long enough"),
    ("a prompt that fills it all by itself", "yes", "no"),
    ("prompt", None, "same begin, another end"),
    ("prompt", "an answer that differs early", "one that also is too long"),
]


def fields(made: Any, name: str) -> list[Any]:
    return [row and row[name] for row in made["truncation"].to_list()]


def test_characters() -> None:
    made = run(Truncation(max_length=17), pairs(ROWS))
    assert fields(made, "excess") == [12, 0, 19, 22, None, 17]
    assert fields(made, "same") == [True, False, False, False, None, False]
    assert fields(made, "no_answer") == [False, False, False, True, None, False]


def test_without_a_length_nothing_is_known() -> None:
    assert run(Truncation(), pairs(ROWS))["truncation"].null_count() == len(ROWS)


def test_reasoning_counts() -> None:
    frame = pairs([("q", "a", "b", "thought " * 10, "thought " * 10)])
    assert fields(run(Truncation(max_length=50), frame), "same") == [True]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of whole words."""
    tokenizers = pytest.importorskip("tokenizers")
    known = sorted(
        {w for row in ROWS for t in row[:3] if t for w in str(t).replace(",", " ,").split()} | {"promptsame"}
    )
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({w: i for i, w in enumerate(["<unk>", *known, "</s>"])}, "<unk>")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return path


def test_tokens(words: Path) -> None:
    """Prompt and answer are joined as they stand: `promptsame` is one word, and the end token is the last."""
    made = run(Truncation(max_length=3, tokenizer=str(words)), pairs(ROWS))
    assert fields(made, "same") == [True, False, False, False, None, False]
    assert fields(made, "excess") == [3, 0, 4, 6, None, 4]
    assert fields(made, "no_answer") == [False, False, False, True, None, False]


@pytest.mark.heavy  # importing TRL takes ten seconds
def test_as_the_trainer_does(words: Path) -> None:
    """Against TRL's own collator: what it keeps of the joined sequences."""
    trl = pytest.importorskip("trl.trainer.dpo_trainer")
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer.from_file(str(words))
    for most in (2, 3, 5, 8):
        collator = trl.DataCollatorForPreference(pad_token_id=-9, max_length=most)
        told = run(Truncation(max_length=most, tokenizer=str(words)), pairs(ROWS))["truncation"].to_list()
        for (prompt, chosen, rejected), said in zip(ROWS, told, strict=True):
            if chosen is None:
                continue
            p, c, r = (made.encode(text).ids for text in (prompt, prompt + chosen, prompt + rejected))
            c, r = [*c, 99], [*r, 99]
            shared = min(
                next((i for i, (x, y) in enumerate(zip(p, s, strict=False)) if x != y), len(p)) for s in (c, r)
            )
            assert said["no_answer"] == (shared >= most)
            if shared < most:
                kept = collator([{"prompt_ids": p[:shared], "chosen_ids": c[shared:], "rejected_ids": r[shared:]}])
                left, right = kept["input_ids"].tolist()
                assert said["same"] == (left == right and c != r)
            assert said["excess"] == max(0, max(len(c), len(r)) - most)


def test_chat_template(words: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    template = (
        "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} </s> {% endfor %}"
        "{% if add_generation_prompt %}<assistant> {% endif %}"
    )
    made = transformers.PreTrainedTokenizerFast(tokenizer_file=str(words), eos_token="</s>", chat_template=template)
    made.save_pretrained(tmp_path)
    told = run(Truncation(max_length=10, tokenizer=str(tmp_path)), pairs(ROWS[:2]))["truncation"].to_list()
    assert told[0]["same"] and not told[0]["no_answer"]
    assert not told[1]["same"]


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="counts nothing"):
        Truncation(tokenizer="x")
    with pytest.raises(UsageError, match="no tokenizer at"):
        Truncation(max_length=5, tokenizer=str(tmp_path))
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": "none"}))
    with pytest.raises(AuditError, match="cannot be read"):
        Truncation(max_length=5, tokenizer=str(tmp_path / "tokenizer.json")).load(None)

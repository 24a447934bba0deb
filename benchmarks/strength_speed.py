"""Throughput of a local reward model beside rewardbench's loop, on real pairs and a small random Llama.

    python benchmarks/strength_speed.py PAIRS [--pairs 2000] [--width 128] [--layers 4] [--batch 8] [--repeats 3]

rewardbench's loop (at its defaults but for the device and the quantisation): pairs in the order of the file, batches
of 8, the chosen answers of a batch in one forward and the rejected ones in another, padded at the left to the longest,
the template applied to text and the text tokenised. The package itself needs CUDA and another transformers, so the loop
is written out here. Ours is `RewardModel.score` on all answers at once, tokenising included in both. CPU seconds of the
process, one thread; the weights are random, and both must give the same scores.

The tokenizer is a byte-level BPE of 8,000 pieces trained on the pairs themselves, so that texts have about as many
tokens as with a model's own.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from typing import Any

import numpy as np

TEMPLATE = "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}{% endfor %}"


def make(folder: str, texts: list[str], width: int, layers: int) -> None:
    import torch
    import transformers as t
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE(unk_token=None))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=8000, special_tokens=special, initial_alphabet=alphabet)
    raw.train_from_iterator(texts, trainer)
    words = t.PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    words.chat_template = TEMPLATE
    words.save_pretrained(folder)
    torch.manual_seed(0)
    config = t.LlamaConfig(vocab_size=len(words), num_labels=1, pad_token_id=0, hidden_size=width,
                           intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=width // 32,
                           num_key_value_heads=width // 32, max_position_embeddings=8192)  # fmt: skip
    model = t.LlamaForSequenceClassification(config)
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim > 1:
                p.copy_(torch.randn_like(p) * 0.1)
    model.save_pretrained(folder)


def theirs(folder: str, prompts: list[Any], sides: list[list[str]], batch: int) -> np.ndarray:
    import torch
    import transformers as t

    words = t.AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = t.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    found: list[list[float]] = [[], []]
    with torch.inference_mode():
        for at in range(0, len(prompts), batch):
            for side, answers in enumerate(sides):
                said = [[*p, {"role": "assistant", "content": a}] for p, a in
                        zip(prompts[at : at + batch], answers[at : at + batch], strict=True)]  # fmt: skip
                texts = [words.apply_chat_template(s, tokenize=False) for s in said]
                tokens = words(texts, padding=True, add_special_tokens=False, return_tensors="pt")
                tokens.pop("token_type_ids", None)
                found[side] += model(**tokens).logits[:, 0].tolist()
    return np.array(found)


def ours(folder: str, prompts: list[Any], sides: list[list[str]]) -> np.ndarray:
    from prefaudit.models.reward import RewardModel

    scores = RewardModel(folder, device="cpu", precision="float32").score([*prompts, *prompts], [*sides[0], *sides[1]])
    return scores.values.reshape(2, -1)


def timed(run: Any, *given: Any) -> tuple[float, np.ndarray]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    values = run(*given)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    import torch

    import prefaudit

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        audit = prefaudit.scan(asked.source, folder + "/audit", with_=("text",), fail_on="never")
        frame = audit.pairs().select("prompt", "chosen", "rejected").collect().drop_nulls().head(asked.pairs)
        prompts = frame["prompt"].to_list()
        sides = [frame[s].to_list() for s in ("chosen", "rejected")]
        make(folder, [m["content"] for p in prompts for m in p] + sides[0] + sides[1], asked.width, asked.layers)
        from transformers import AutoTokenizer

        words = AutoTokenizer.from_pretrained(folder)
        size = [[len(words(m, add_special_tokens=False)["input_ids"]) for m in side] for side in sides]
        asked_size = [sum(len(words(m["content"])["input_ids"]) for m in p) for p in prompts]
        ours(folder, prompts[:4], [s[:4] for s in sides])  # the imports are not what is timed
        seconds: dict[str, list[float]] = {"rewardbench": [], "ours": []}
        for _ in range(asked.repeats):
            spent, a = timed(theirs, folder, prompts, sides, asked.batch)
            seconds["rewardbench"].append(spent)
            spent, b = timed(ours, folder, prompts, sides)
            seconds["ours"].append(spent)
    ratio = np.array(seconds["rewardbench"]) / np.array(seconds["ours"])
    print(json.dumps({
        "pairs": len(prompts), "batch": asked.batch, "width": asked.width, "layers": asked.layers,
        "tokens": {"prompt": float(np.mean(asked_size)), "answer": float(np.mean(size))},
        "cpu_seconds": {k: [round(x, 2) for x in v] for k, v in seconds.items()},
        "times": [round(float(np.median(ratio)), 2), round(float(ratio.min()), 2), round(float(ratio.max()), 2)],
        "largest_difference": float(np.abs(a - b).max()), "size": float(np.abs(a).max()),
    }))  # fmt: skip


if __name__ == "__main__":
    main()

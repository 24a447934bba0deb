"""Two models' likelihoods, and a judge in both orders: against a plain loop and a local server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from models.tiny import tokenizer

from prefaudit.core import PAIRS, AuditError
from prefaudit.extractors._scorers import scorers
from prefaudit.extractors.rewards import Rewards
from prefaudit.models.base import ModelError
from prefaudit.models.judged import Judge
from prefaudit.models.likelihood import Likelihood
from prefaudit.models.scored import scorer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CHAT = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ASKED = [[{"role": "user", "content": text}] for text in ("Hi", "How do I boil an egg?", "ü", "a" * 40)] * 2
SAID = ["yes", "Put it in hot water.", "no", "b" * 30, "", "word word", "x", "hello there"]


def causal(folder: Path, seed: int, template: str | None = CHAT, positions: int = 256) -> Path:
    words = tokenizer(template=template)
    words.save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=positions,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.2)
    model.save_pretrained(folder)
    return folder


def plain(folder: Path, prompt: list[dict[str, str]], answer: str) -> float:
    """log p(answer and its end | prompt), token by token."""
    words = transformers.AutoTokenizer.from_pretrained(folder)
    words.chat_template = CHAT
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    asked = words(words.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True),
                  add_special_tokens=False)["input_ids"]  # fmt: skip
    ids = asked + words(answer + words.eos_token, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        told = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(told[k - 1, ids[k]]) for k in range(len(asked), len(ids)))


def test_two_models_are_a_difference_of_log_likelihoods(tmp_path: Path) -> None:
    one, other = causal(tmp_path / "policy", 1), causal(tmp_path / "reference", 2, None)
    name = f"dpo+{one}|{other}"
    model = Likelihood(name, device="cpu")
    object.__setattr__(model, "kind", "float32")
    expected = [plain(one, p, a) - plain(other, p, a) for p, a in zip(ASKED, SAID, strict=True)]
    found = model.score(ASKED, SAID)
    assert np.ptp(expected) > 1 and np.abs(found.values - expected).max() < 1e-3 and not found.cut.any()
    assert np.abs(model.score(ASKED[::-1], SAID[::-1]).values[::-1] - found.values).max() < 1e-4
    assert scorer(name, device="cpu").revision == model.revision != ""
    long = [[{"role": "user", "content": "p" * 400}]]
    cut = model.score(long * 2, ["short", "a" * 400])
    assert cut.cut.all() and np.isnan(cut.values).tolist() == [False, True]
    with pytest.raises(AuditError, match="does not name two models"):
        scorer(f"cdr+{one}")
    with pytest.raises(AuditError, match="there is no model"):
        scorer(f"cdr+{one}|{tmp_path / 'nowhere'}")


class Server(ThreadingHTTPServer):
    """Prefers the longer answer, or the first; may refuse a word."""

    rule = "longer"
    calls = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.calls += 1  # one thread at a time adds
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = body["messages"][-1]["content"]
        one, two = (said.split(f"<<answer {k}>>\n")[1].split("\n<<end>>")[0] for k in (1, 2))
        better = "1" if self.server.rule == "first" or len(one) > len(two) else "2" if len(one) < len(two) else "tie"
        text = "I would rather not say" if "forbidden" in said else json.dumps({"better": better})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        out = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("prefaudit.models.chat.FIRST_WAIT", 0.01)
    made = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()


def named(server: Server) -> str:
    return f"judge+http://127.0.0.1:{server.server_port}/v1#tiny"


def test_a_judge_is_asked_in_both_orders(server: Server) -> None:
    judge = Judge(named(server))
    found = judge.score(ASKED[:3], ["long answer", "b", "same"], ["a", "long answer", "size"])
    assert found.values.tolist() == [1.0, -1.0, 0.0] and server.calls == 6
    server.rule = "first"
    found = judge.score(ASKED[:1], ["of one place"], ["of another"])
    assert found.values.tolist() == [0.0]  # whoever stands first wins both times
    server.rule = "longer"
    found = judge.score(ASKED[:2], ["forbidden", "bb"], ["a", "a"])
    assert np.isnan(found.values).tolist() == [True, False]  # no verdict is invented
    with pytest.raises(AuditError, match="names no URL or no model"):
        scorer("judge+http://localhost/v1")


def test_a_judge_that_is_not_there_is_a_failure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prefaudit.models.chat.TRIES", 1)
    server.shutdown()
    server.server_close()
    with pytest.raises((ModelError, AuditError)):
        Judge(named(server)).score(ASKED[:1], ["a"], ["b"])


def test_margins_of_pairs_and_of_other_prompts(server: Server) -> None:
    n = 260
    rng = np.random.default_rng(0)
    texts = [["x" * int(k) for k in rng.integers(1, 60, n)] for _ in range(2)]
    frame = pl.DataFrame({
        "row": range(n), "prompt": [[{"role": "user", "content": f"q{k}"}] for k in range(n)],
        "chosen": texts[0], "rejected": texts[1], "hash_prompt": range(n), "hash_chosen": range(n),
        "hash_rejected": range(n, 2 * n), "rejected_prompt": [None] * n, "label": ["chosen"] * n,
        **{name: [None] * n for name in ("score_chosen", "score_rejected", "margin", "votes", "extra")},
    }).with_columns(pl.col(name).cast(kind) for name, kind in PAIRS.items() if name in
                    {"hash_prompt", "hash_chosen", "hash_rejected", "prompt", "rejected_prompt", "votes", "label",
                     "score_chosen", "score_rejected", "margin", "extra"})  # fmt: skip
    made = Rewards(reward_model=(named(server),))
    state = made.fit(lambda names: [frame.select(names)], 0)
    told = json.loads(state["swapped"][0])
    assert told == {"n": 26, "kept": told["kept"], "rho": 1.0, "size": 1.0} and told["kept"] > 0.9
    calls = server.calls
    out = made.load(state)(frame.select("row", *made.reads))
    said = scorers(frame.with_columns(out["rewards"]), made.reward_model, [])
    expected = np.sign([len(c) - len(r) for c, r in zip(*texts, strict=True)])
    assert [s.name for s in said] == [named(server)] and said[0].chosen is None
    assert np.array_equal(said[0].margin, expected)
    assert n < server.calls - calls <= 2 * (n - 26)  # those of the sample had been judged

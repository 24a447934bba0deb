"""Write examples.jsonl from wordings/*.toml: every example is our own.

usage: python training/refusal/compose.py

A family is a way of saying something; it is held out as a whole when the model is tested. Templates are filled in
turn, slots drawn with a fixed seed, so that the file is the same every time.
"""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ASKS = (
    "How do I {inf}?", "How can I {inf}?", "Help me {inf}.", "Tell me how to {inf}.", "What's the best way to {inf}?",
    "Give me tips on {ing}.", "I want to {inf}. What should I do?", "Can you {inf}?", "can you help me {inf}",
    "Write a short guide: how to {inf}",
)  # fmt: skip


def composed() -> str:
    """The lines of examples.jsonl."""
    texts = {path.stem: tomllib.loads(path.read_text()) for path in sorted((HERE / "wordings").glob("*.toml"))}
    acts = {kind: [dict(zip(("inf", "ing", "topic"), line.split(" | "), strict=True)) for line in lines]
            for kind, lines in texts.pop("acts").items()}  # fmt: skip
    slots = texts["full"].pop("slots")
    rows = []
    for name, said in texts.items():
        for family in said["family"]:
            random.seed(f"{name}/{family['name']}")
            label = family.get("label", "full")
            made = list(_made(family, acts, slots))
            seen: set[tuple[str, str]] = set()
            for prompt, reply in made:
                if (prompt, reply) not in seen:
                    seen.add((prompt, reply))
                    rows.append({"family": family["name"], "label": label, "prompt": prompt, "reply": reply})
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _made(family: dict[str, Any], acts: dict[str, list[dict[str, str]]], slots: dict[str, list[str]]) -> Any:
    """Pairs of prompt and reply of one family."""
    if "entries" in family:
        yield from family["entries"]
        return
    templates = family["templates"]
    for k in range(family["n"]):
        template = templates[k % len(templates)]
        if "acts" in family:
            values = dict(random.choice(acts[family["acts"][(k // len(templates)) % len(family["acts"])]]))
            prompt = random.choice(ASKS).format(**values)
        else:
            things = family.get("things") or family["topics"]
            parts = things[(k // len(templates) + k % len(templates)) % len(things)].split("|")
            names = {1: ("thing",), 2: ("thing", "fact"), 3: ("thing", "expert", "fact")}[len(parts)]
            values = dict(zip(names, parts, strict=True))
            values["trait"] = values.get("fact", "")
            prompt = family["prompt"].format(**values)
        values |= {key.capitalize(): _capital(text) for key, text in list(values.items())}
        yield prompt, _filled(template, values, slots)


def _filled(template: str, values: dict[str, str], slots: dict[str, list[str]]) -> str:
    """The template with its slots drawn without repeats, and then the values."""
    for name, choices in slots.items():
        fitting = [text for text in choices if "topic" in values or "{" not in text]
        drawn = random.sample(fitting, len(fitting))
        while "{" + name + "}" in template:
            template = template.replace("{" + name + "}", drawn.pop(), 1)
    return template.format(**values)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    (HERE / "examples.jsonl").write_text(composed())

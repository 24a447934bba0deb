"""Put the written parts (parts/*.txt) together into examples. Deterministic; no text but our own.

usage: python training/sycophancy/compose.py OUT.jsonl     to read them; fit.py makes them itself

An example is one prompt with one reply: `family` (kind of prompt), `part` (the line of verdict, praise or
pushback it was made from: folds keep these together), `prompt` (messages), `reply`, and the labels `agrees`, `praises`,
`yields`, `panders` (0, 1, or null where the question does not arise or the line leaves it open).
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 20261121
EACH = 8  # settings for one line of verdict
Row = dict[str, Any]


def lines(name: str) -> list[str]:
    """The lines of a file of parts."""
    return (HERE / "parts" / f"{name}.txt").read_text().strip().split("\n")


def user(text: str) -> list[dict[str, str]]:
    """A prompt of one turn."""
    return [{"role": "user", "content": text}]


def filled(line: str, **values: str) -> str:
    """The line with its places filled; each sentence begins with a capital."""
    for name, value in values.items():
        line = line.replace("{" + name + "}", value)
    return line[:1].upper() + line[1:]


def row(family: str, part: str, prompt: list[dict[str, str]], reply: str, **labels: int | None) -> Row:
    """One example."""
    known = dict.fromkeys(("agrees", "praises", "yields", "panders")) | labels
    return {"family": family, "part": part, "prompt": prompt, "reply": reply, **known}


def stances(rng: random.Random) -> Iterator[Row]:
    """Verdicts on a view the user states, alone or against another's."""
    topics = [line.split(" ~ ") for line in lines("topics")]
    frames = lines("frames")
    labels = {"flatter_agree": (1, 1, 1), "agree": (1, 0, 0), "neutral": (0, 0, 0), "disagree": (0, 0, 0)}
    for name, (agrees, praises, panders) in labels.items():
        for line in lines(name):
            asked = int("Great question" in line or praises)
            for _ in range(EACH):
                claim, counter, pro, con = rng.choice(topics)
                if rng.random() < 0.5:
                    claim, counter, pro, con = counter, claim, con, pro
                told = filled(rng.choice(frames), c=claim, o=counter)
                reply = filled(line, p=pro, n=con, c=claim, o=counter)
                if rng.random() < 0.4:
                    reply += "\n\n" + rng.choice((pro, con))
                yield row("stance", line, user(told), reply, agrees=agrees, praises=asked, panders=panders or asked)


def works(rng: random.Random) -> Iterator[Row]:
    """Feedback on work of the user's own, or on a text the user likes or dislikes."""
    asks = [line.split(" ~ ") for line in lines("work")]
    for name, good in (("work_praise", 1), ("work_plain", 0)):
        for line in lines(name):
            for ask, thing in rng.sample(asks, EACH):
                yield row("work", line, user(ask), filled(line, w=thing), agrees=good, praises=good, panders=good)
            for ask in rng.sample(lines("dislike"), 4):
                third = line.replace("Your {w}", "The {w}").replace("your {w}", "the {w}")
                if good and ("you" in third.lower() or "{w}" not in third):
                    continue
                yield row("dislike", line, user(ask), filled(third, w="text"), agrees=1 - good, praises=0, panders=None)


def answers(rng: random.Random) -> Iterator[Row]:
    """Questions of fact with a guess; the guess is right every third time, and then agreement is no pandering."""
    facts = [line.split(" ~ ") for line in lines("facts")]
    for name, agrees in (("fact_agree", 1), ("fact_other", 0)):
        for line in lines(name):
            for _ in range(EACH + 4):
                ask, wrong, right = rng.choice(facts)
                sure = rng.random() < 1 / 3
                x, y = (right, wrong) if sure else (wrong, right)
                frame = rng.choice(lines("fact_frames"))
                told = filled(frame, q=ask, x=x, y=y)
                reply = filled(line, x=x, y=y)
                open_ = None if "well done" in line else 0
                panders = int(bool(agrees) and not sure)
                yield row("answer", line, user(told), reply, agrees=agrees, praises=open_, panders=panders)


def pushbacks(rng: random.Random) -> Iterator[Row]:
    """An answer, the user's doubt, a reply; every fourth time the doubt is justified."""
    facts = [line.split(" ~ ") for line in lines("facts")]
    for name, yields in (("yields", 1), ("firm", 0)):
        for line in lines(name):
            for _ in range(EACH):
                ask, wrong, right = rng.choice(facts)
                justified = rng.random() < 1 / 4
                x, y = (right, wrong) if justified else (wrong, right)
                told = [*user(ask), {"role": "assistant", "content": f"The answer is {y}."}]
                told += user(filled(rng.choice(lines("push")), x=x))
                panders = int(bool(yields) and not justified)
                open_ = None if "absolutely" in line or "Good catch" in line else 0
                yield row("push", line, told, filled(line, x=x, y=y), yields=yields, praises=open_, panders=panders)


def dialogues(rng: random.Random) -> Iterator[Row]:
    """Long talks: praise of the user, or warmth and praise of something else, among plain sentences."""
    turns, plain = lines("users"), lines("filler")
    for name, praises in (("praise", 1), ("warm", 0)):
        for line in lines(name):
            for _ in range(5):
                said = rng.sample(turns, rng.choice((1, 2, 4, 6)))
                told = [m for s in said[:-1] for m in (*user(s), {"role": "assistant", "content": rng.choice(plain)})]
                body = rng.sample(plain, rng.choice((0, 1, 2, 3, 5)))
                extra = [rng.choice(lines(name))] if rng.random() < 0.3 else []
                body.insert(0 if rng.random() < 0.6 else len(body), line)
                reply = rng.choice((" ", "\n\n")).join(body + extra)
                yield row("dialogue", line, told + user(said[-1]), reply, praises=praises, panders=praises)


FAMILIES = (stances, works, answers, pushbacks, dialogues)


def main() -> None:
    """Write all examples as lines of JSON."""
    rng = random.Random(SEED)
    rows = [made for make in FAMILIES for made in make(rng)]
    seen: dict[str, Row] = {json.dumps([r["prompt"], r["reply"]]): r for r in rows}
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in seen.values())
    Path(sys.argv[1]).write_text(text)


if __name__ == "__main__":
    main()

"""Write pairs.jsonl and defects.json from the texts beside this file.

Run `python examples/demo/make.py`: the same texts and seed give the same bytes. Every defect is planted here and
listed in defects.json with the numbers of its rows, so a test can hold an audit to the exact set.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SEED = 5
ORDINARY = ("home", "coding", "knowledge", "life", "work", "care")
ANNOTATORS = ("ann-1", "ann-2", "ann-3", "ann-4", "ann-5", "ann-6")
BAD = "ann-5"
PANEL = 54
BRIEF = 1  # comparisons of the panel in which the better answer is the shorter one
FLIPS = 12
CAREFUL = [name for name in ANNOTATORS if name != BAD]
ONE_SIDED = "ann-6"
FIRST_WINS = 0.6
FRAGMENTS = ("That depends on you.", "Ask an expert.", "Try it and see what happens.", "Look it up online.")
LEAKS = ("{}<|im_end|>\n<|im_start|>user\n", "[INST] {} [/INST]", "### Response:\n{}")
ALTER: tuple[Callable[[str], str], ...] = (
    str.upper,
    lambda text: text.replace(" ", "  "),
    lambda text: f"\n{text.lower()}\n",
)
# Kind, the pool its rows come from, and how many; brief: the better answer is the shorter one.
PLAN = (
    ("against_scores", "brief", 5),
    ("identical_answers", "brief", 3),
    ("same_but_for_form", "brief", 2),
    ("empty_rejected", "brief", 2),
    ("conflict", "brief", 3),
    ("truncated", "prose", 8),
    ("fragment", "long", 4),
    ("leaked_template", "rest", 3),
    ("empty_chosen", "rest", 2),
    ("repeats_prompt", "rest", 2),
    ("equal_scores", "rest", 3),
    ("exact_duplicate", "rest", 8),
    ("near_duplicate", "rest", 3),
)

Row = dict[str, Any]

NOTES: dict[str, tuple[str | None, str]] = {
    "exact_duplicate": ("DUP001", "the same row twice; the later one is listed"),
    "near_duplicate": ("DUP001", "the same row again in other case or spacing; the later one is listed"),
    "judged_again": (None, "a vote that repeats, by another annotator, an earlier row: not a defect"),
    "conflict": ("CNF001", "the same two answers labelled both ways, nobody named; both rows are listed"),
    "contested": ("CNF002", "all votes on a comparison on which the named annotators differ"),
    "flipped_vote": ("CNF002", "one vote of a careful annotator turned round against the two others"),
    "bad_annotator": ("AGR001", "every vote of the annotator who mostly votes against the two others"),
    "one_sided_annotator": ("AGR002", "every vote of the annotator who always picks the answer presented first"),
    "position_bias": ("POS001", "no row is wrong by itself: the answer presented first is chosen too often"),
    "length_bias": ("LEN002", "no row is wrong by itself: the longer answer is chosen too often"),
    "flattery": ("SYC001", "chosen flatters or agrees, rejected answers"),
    "refusal_on_harmless": ("REF001", "chosen refuses a request that asks for nothing bad"),
    "compliance_with_harm": ("REF002", "chosen goes along with a harmful request that rejected refuses"),
    "refusal_on_harmful": ("REF003", "chosen refuses a harmful request: as it should be, not a defect"),
    "against_scores": ("LBL001", "the row's own scores favour the rejected answer"),
    "equal_scores": ("LBL002", "the row's own scores are equal and one answer is preferred"),
    "empty_chosen": ("SCH001", "chosen has no visible character"),
    "empty_rejected": ("SCH002", "rejected has no visible character"),
    "identical_answers": ("SCH003", "chosen and rejected are the same text"),
    "same_but_for_form": ("SCH004", "chosen and rejected differ in case or spacing alone"),
    "repeats_prompt": ("SCH008", "chosen is the prompt"),
    "leaked_template": ("SCH009", "a token of a chat template stands in the text"),
    "reasoning_one_side": ("FMT001", "only chosen carries reasoning"),
    "truncated": ("TRC001", "chosen stops in the middle of a sentence"),
    "fragment": ("LEN001", "rejected is a few words against a full answer"),
    "broken_line": ("SCH006", "a line that is not JSON; lines are numbered from 1"),
    "no_rejected": ("SCH006", "a row without a rejected answer; lines are numbered from 1"),
}


def read(name: str) -> list[dict[str, str]]:
    """The items of one text file: Q the prompt, A and B two answers, C a third between them, T reasoning."""
    items: list[dict[str, str]] = []
    for mark, text in re.findall(
        r"^([QABCT]): (.*?)(?=^[QABCT]: |\Z)", (HERE / "texts" / f"{name}.txt").read_text("utf-8"), re.M | re.S
    ):
        if mark == "Q":
            items.append({"source": name})
        items[-1][mark] = text.strip()
    return items


def pair(item: dict[str, str], chosen: str, rejected: str, annotator: str, **more: Any) -> Row:
    """One row; `chosen` and `rejected` name answers of the item."""
    row: Row = {"prompt": item["Q"], "chosen": item[chosen], "rejected": item[rejected]}
    row |= {"annotator": annotator, "source": item["source"], "score_chosen": None, "score_rejected": None}
    return {**row, "kinds": [], **more}


def panel(items: list[dict[str, str]], rng: random.Random) -> list[Row]:
    """Each item judged by three of the six annotators, a row a vote; one of the six votes against the others."""
    teams = [[ANNOTATORS[(i + k) % 6] for k in (0, 1, 3)] for i in range(6)]
    rows: list[Row] = []
    votes: dict[str, list[list[Row]]] = {"with": [], "without": []}
    for number, item in enumerate(items):
        team = teams[number % len(teams)]
        three = [pair(item, "A", "B", who) for who in team]
        votes["with" if BAD in team else "without"].append(three)
        rows += three
    contrary = rng.sample(range(len(votes["with"])), round(0.8 * len(votes["with"])))
    for number, three in enumerate(votes["with"]):
        vote = next(row for row in three if row["annotator"] == BAD)
        vote["kinds"].append("bad_annotator")
        if number in contrary:
            contest(three, vote)
    for three in rng.sample(votes["without"], FLIPS):
        vote = rng.choice(three)
        vote["kinds"].append("flipped_vote")
        contest(three, vote)
    return rows


def contest(three: list[Row], vote: Row) -> None:
    """Turn one of three votes round."""
    turn(vote)
    for row in three:
        row["kinds"].append("contested")


def turn(row: Row) -> None:
    """Exchange chosen and rejected, text only."""
    row["chosen"], row["rejected"] = row["rejected"], row["chosen"]


def cut(text: str) -> str:
    """About the first four fifths of a text, ending inside a sentence."""
    words = list(re.finditer(r"\S+", text))
    at = round(len(words) * 0.8)
    while re.search(r"[.!?:;,*)]$", words[at].group()) or not words[at].group().islower():
        at += 1
    return text[: words[at].end()]


def sentences(text: str) -> int:
    """How many sentences a text of one paragraph has; 0 where it has lists, code or several paragraphs."""
    return 0 if "\n" in text else len(re.findall(r"[a-z][.!?](?: |$)", text))


def singles(items: list[dict[str, str]], rng: random.Random) -> list[Row]:
    """Rows with one vote each, most of them with a planted defect."""
    rows = [pair(item, "A", "B", rng.choice(CAREFUL)) for item in items]
    for row, item in zip(rows, items, strict=True):
        row["score_chosen"], row["score_rejected"] = rng.randint(14, 19) / 2, rng.randint(6, 11) / 2
        if "T" in item:
            row["chosen"] = f"<think>\n{item['T']}\n</think>\n\n{row['chosen']}"
            row["kinds"].append("reasoning_one_side")
    plain = [row for row in rows if not row["kinds"]]
    brief = [row for row in plain if len(row["chosen"]) < len(row["rejected"])]
    long = [row for row in plain if row not in brief and len(row["chosen"].split()) > 60]
    prose = [row for row in long if sentences(row["chosen"]) >= 5]
    pools = {
        "brief": iter(brief),
        "long": iter(long),
        "prose": iter(prose),
        "rest": iter([row for row in plain if row not in brief] + brief),
    }
    twins: list[Row] = []
    for kind, pool, count in PLAN:
        for number in range(count):
            row = next(row for row in pools[pool] if not row["kinds"])
            row["kinds"].append(kind)
            twins += spoil(row, kind, number)
    return rows + twins


def spoil(row: Row, kind: str, number: int) -> list[Row]:
    """Plant one defect in a row; returns the second row, for the kinds that take two."""
    twin: Row = {**row, "kinds": [kind]}
    if kind == "truncated":
        row["chosen"] = cut(row["chosen"])
    elif kind == "fragment":
        row["rejected"] = FRAGMENTS[number]
    elif kind == "leaked_template":
        side = ("chosen", "chosen", "rejected")[number]
        row[side] = LEAKS[number].format(row[side])
    elif kind == "empty_chosen":
        row["chosen"] = ("", "\n")[number]
    elif kind == "empty_rejected":
        row["rejected"] = ("", " \n ")[number]
    elif kind == "identical_answers":
        row["rejected"] = row["chosen"]
    elif kind == "same_but_for_form":
        row["rejected"] = ALTER[number](row["chosen"])
    elif kind == "repeats_prompt":
        row["chosen"] = row["prompt"]
    elif kind == "equal_scores":
        row["score_rejected"] = row["score_chosen"]
    elif kind == "against_scores":
        turn(row)
        row["score_chosen"], row["score_rejected"] = row["score_rejected"], row["score_chosen"]
    elif kind == "exact_duplicate":
        return [twin]
    elif kind == "near_duplicate":
        twin["chosen"], twin["rejected"] = ALTER[number](row["chosen"]), ALTER[number](row["rejected"])
        return [twin]
    elif kind == "conflict":
        for one in (row, twin):
            one["annotator"] = one["score_chosen"] = one["score_rejected"] = None
        turn(twin)
        return [twin]
    return []


def special(rng: random.Random) -> list[Row]:
    """Refusals, harmful requests and flattery: here B is the answer with the fault."""
    harm = read("harm")
    rows = [pair(x, "B", "A", rng.choice(CAREFUL), kinds=["refusal_on_harmless"]) for x in read("refusals")]
    rows += [pair(x, "A", "B", rng.choice(CAREFUL), kinds=["refusal_on_harmful"]) for x in harm[:6]]
    rows += [pair(x, "B", "A", rng.choice(CAREFUL), kinds=["compliance_with_harm"]) for x in harm[6:]]
    rows += [pair(x, "B", "A", rng.choice(CAREFUL), kinds=["flattery"]) for x in read("flattery")]
    return rows


def thirds(items: list[dict[str, str]], rng: random.Random) -> list[Row]:
    """Pairs with the third answer, which lies between the two others."""
    rows = []
    for item in items:
        who = rng.choice(CAREFUL)
        high, middle, low = rng.randint(16, 19) / 2, rng.randint(12, 14) / 2, rng.randint(5, 10) / 2
        if "C" in item:
            rows.append(pair(item, "A", "C", who, score_chosen=high, score_rejected=middle))
            rows.append(pair(item, "C", "B", who, score_chosen=middle, score_rejected=low))
    return rows


def build() -> tuple[str, dict[str, Any]]:
    """The text of pairs.jsonl and the content of defects.json."""
    rng = random.Random(SEED)
    items = [item for name in ORDINARY for item in read(name)]
    rng.shuffle(items)
    items.sort(key=lambda item: sentences(item["A"]) >= 5)  # kept out of the panel: some are to be cut short
    short = [item for item in items if len(item["A"]) < len(item["B"]) and "T" not in item]
    judged = [x for x in items if x not in short and "T" not in x][: PANEL - BRIEF] + short[:BRIEF]
    rows = panel(judged, rng) + singles([x for x in items if x not in judged], rng) + special(rng) + thirds(items, rng)
    rng.shuffle(rows)
    others = [row for row in rows if row["annotator"] != ONE_SIDED]
    wins = [int(number < FIRST_WINS * len(others)) for number in range(len(others))]
    rng.shuffle(wins)
    for row in rows:
        row["first"] = 1 if row["annotator"] == ONE_SIDED else wins.pop()
        row["kinds"] += ["one_sided_annotator"] if row["annotator"] == ONE_SIDED else []
    planted = found(rows)
    lines = [json.dumps({"id": f"demo-{n:04d}", **row}, ensure_ascii=False) for n, row in enumerate(rows)]
    lost = [json.dumps({"id": f"demo-lost-{n}", **rows[n], "rejected": None}, ensure_ascii=False) for n in (40, 170)]
    for at, line in ((260, lines[90][:-60]), (171, lost[1]), (41, lost[0])):
        lines.insert(at, line)
    planted["no_rejected"], planted["broken_line"] = [42, 173], [263]
    return "\n".join(lines) + "\n", {kind: listed(kind, numbers) for kind, numbers in planted.items()}


def found(rows: list[Row]) -> dict[str, list[int]]:
    """The rows of each kind, by number; of a duplicate, as of a vote that repeats an earlier one, the later row."""
    planted: dict[str, set[int]] = {kind: set() for kind in NOTES}
    earlier: dict[tuple[str, str, str], list[Any]] = {}
    copied: set[tuple[str, str]] = set()
    for number, row in enumerate(rows):
        for kind in row.pop("kinds"):
            if not kind.endswith("_duplicate") or (kind, row["prompt"]) in copied:
                planted[kind].add(number)
            copied.add((kind, row["prompt"]))
        others = earlier.setdefault((row["prompt"], row["chosen"], row["rejected"]), [])
        if others and row["annotator"] not in others:
            planted["judged_again"].add(number)
        others.append(row["annotator"])
    return {kind: sorted(numbers) for kind, numbers in planted.items()}


def listed(kind: str, numbers: list[int]) -> dict[str, Any]:
    """The entry of one kind in defects.json."""
    rule, note = NOTES[kind]
    return {"lines" if kind in ("broken_line", "no_rejected") else "rows": numbers, "rule": rule, "note": note}


def main() -> None:
    """Write both files beside this one."""
    text, defects = build()
    (HERE / "pairs.jsonl").write_text(text, "utf-8")
    (HERE / "defects.json").write_text(json.dumps(defects, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

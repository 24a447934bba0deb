"""A second planted set: defects put at random places into real pairs, and how much of them the rules find.

The pairs are hh-harmless and alpaca-eval; refusals, answers to harmful questions and answers that go along with a
delusion come from do-not-answer and syco-bench, whose people and judges said which is which. Nothing here is tuned to
the rules, and the rules were not tuned to it.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import prefaudit

Row = dict[str, Any]

ANNOTATORS = tuple(f"w{n}" for n in range(1, 9))
ROLES = {"Human": "user", "Assistant": "assistant"}
CONTRARY, ONE_SIDED = "w3", "w6"
OPENINGS = (
    "What a fantastic question! ", "You're absolutely right, and you put it so well. ", "Wow, you are so smart! ",
    "I love how thoughtful you are. ", "That is a brilliant idea, truly. ", "You have such great taste! ",
    "I completely agree with you, you're so insightful. ", "Honestly, you're amazing for asking this! ",
)  # fmt: skip
LEAKS = ("{}<|im_end|>", "<s>[INST] {}", "{}\n\nHuman: And what else?", "### Response:\n{}", "<|assistant|>\n{}</s>")

RULES: dict[str, str | None] = {
    "empty chosen": "SCH001", "empty rejected": "SCH002", "identical answers": "SCH003", "same but for form": "SCH004",
    "prompts differ": "SCH005", "answer is the prompt": "SCH008", "leaked template": "SCH009",
    "exact duplicate": "DUP001", "labelled both ways": "CNF001", "annotators split": "CNF002",
    "rejected a fragment": "LEN001", "chosen truncated": "TRC001", "reasoning on one side": "FMT001",
    "label against scores": "LBL001", "equal scores": "LBL002", "refusal on a harmless prompt": "REF001",
    "answer to a harmful prompt": "REF002", "refusal on a harmful prompt": "REF003", "flattering opening": "SYC001",
    "goes along with a delusion": "SYC001", "silent flip": None,
}  # fmt: skip


@dataclass
class Set:
    """Source rows and, for each kind of defect, the numbers of the rows that carry it."""

    rows: list[Row]
    planted: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def write(self, path: Path) -> Path:
        """As JSON lines."""
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows), "utf-8")
        return path


@dataclass(frozen=True)
class Score:
    """What the rules made of one kind; precision and base rate are those of the rule, over all kinds it finds."""

    kind: str
    rule: str | None
    planted: int
    found: int
    fired: int
    true: int
    base_fired: int
    base_pairs: int

    @property
    def recall(self) -> float:
        """Share of the planted rows that the rule names."""
        return self.found / self.planted

    @property
    def precision(self) -> float:
        """Share of the rows that the rule names in which its defect was planted; natural ones count as false."""
        return self.true / self.fired if self.fired else float("nan")


def _turns(transcript: str) -> list[dict[str, str]]:
    parts = re.split(r"\n\n(Human|Assistant): ?", transcript)[1:]
    return [{"role": ROLES[r], "content": t} for r, t in zip(parts[::2], parts[1::2], strict=True)]


def _row(prompt: list[dict[str, str]], chosen: str, rejected: str, rng: random.Random, **more: Any) -> Row:
    answer = [[*prompt, {"role": "assistant", "content": text}] for text in (chosen, rejected)]
    fixed = {"annotator": None, "first": int(rng.random() < 0.5), "score_chosen": None, "score_rejected": None}
    return {"chosen": answer[0], "rejected": answer[1], **fixed, **more}


def base(data: Path, seed: int) -> list[Row]:
    """The pairs as they are: 2,312 of hh-harmless, then those of alpaca-eval that have a preference."""
    rng = random.Random(seed)
    rows: list[Row] = []
    with gzip.open(data / "hh-harmless" / "test.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            pair = {side: _turns(text) for side, text in json.loads(line).items()}
            row = _row([], "", "", rng)
            rows.append({**row, "chosen": pair["chosen"], "rejected": pair["rejected"]})
    name = "gpt-3.5-turbo-0301.weighted_alpaca_eval_gpt4_turbo.annotations.json.gz"
    with gzip.open(data / "alpaca-eval" / name, "rt", encoding="utf-8") as file:
        for item in json.load(file):
            if item["preference"] is None or float(item["preference"]) == 1.5:
                continue
            second = float(item["preference"]) - 1
            one, two = item["output_1"], item["output_2"]
            chosen, rejected, score = (two, one, second) if second > 0.5 else (one, two, 1 - second)
            prompt = [{"role": "user", "content": item["instruction"]}]
            rows.append(_row(prompt, chosen, rejected, rng, score_chosen=score, score_rejected=1 - score))
    return rows


def text(row: Row, side: str = "chosen") -> str:
    """The answer of one side."""
    return str(row[side][-1]["content"])


def put(row: Row, side: str, content: str) -> None:
    """Replace the answer of one side, leaving other rows that share the messages alone."""
    row[side] = [*row[side][:-1], {"role": "assistant", "content": content}]


def turn(row: Row) -> None:
    """Exchange the two answers; scores stay where they are."""
    row["chosen"], row["rejected"] = row["rejected"], row["chosen"]


def _cut(row: Row, rng: random.Random) -> None:
    words = list(re.finditer(r"\S+", text(row)))
    inside = [w for w in words[len(words) // 3 : -2] if re.search(r"[a-z]$", w.group())]
    put(row, "chosen", text(row)[: rng.choice(inside or words).end()])


def _other_prompt(row: Row, rng: random.Random) -> None:
    row["rejected"] = [{"role": "user", "content": "What is the weather like today?"}, row["rejected"][-1]]


def _against(row: Row, rng: random.Random) -> None:
    turn(row)
    row["score_chosen"], row["score_rejected"] = row["score_rejected"], row["score_chosen"]


def _form(content: str, rng: random.Random) -> str:
    return rng.choice((content.upper(), content.replace(" ", "  "), f"\n{content.lower()} "))


def edits(refusals: list[str]) -> list[tuple[str, int, Callable[[Row], bool], Callable[[Row, random.Random], Any]]]:
    """Kinds that change one row: name, how many, which rows they can stand in, and the change."""

    def long(row: Row) -> bool:
        return len(text(row)) >= 240 and text(row).rstrip()[-1] in ".!?"

    def scored(row: Row) -> bool:
        return row["score_chosen"] is not None

    def real(row: Row) -> bool:
        return len(text(row)) > 20 and len(text(row, "rejected")) > 20 and text(row) != text(row, "rejected")

    return [
        ("empty chosen", 30, real, lambda row, rng: put(row, "chosen", rng.choice(("", " ", "\n\n")))),
        ("empty rejected", 30, real, lambda row, rng: put(row, "rejected", rng.choice(("", " ", "\n\n")))),
        ("identical answers", 30, real, lambda row, rng: put(row, "rejected", text(row))),
        ("same but for form", 30, long, lambda row, rng: put(row, "rejected", _form(text(row), rng))),
        ("prompts differ", 30, real, _other_prompt),
        ("answer is the prompt", 30, real, lambda row, rng: put(row, "chosen", row["chosen"][-2]["content"])),
        ("leaked template", 50, real, lambda row, rng: put(row, "chosen", rng.choice(LEAKS).format(text(row)))),
        ("rejected a fragment", 30, long, lambda row, rng: put(row, "rejected", text(row, "rejected")[:12])),
        ("chosen truncated", 100, long, _cut),
        ("reasoning on one side", 30, real,
         lambda row, rng: put(row, "chosen", f"<think>The user wants an answer. Be brief.</think>{text(row)}")),
        ("label against scores", 40, scored, _against),
        ("equal scores", 30, scored, lambda row, rng: row.update(score_chosen=0.5, score_rejected=0.5)),
        ("refusal on a harmless prompt", 80, scored, lambda row, rng: put(row, "chosen", rng.choice(refusals))),
        ("flattering opening", 50, scored, lambda row, rng: put(row, "chosen", rng.choice(OPENINGS) + text(row))),
        ("silent flip", 100, lambda row: real(row) and not scored(row), lambda row, rng: turn(row)),
    ]  # fmt: skip


def build(data: Path, seed: int) -> Set:
    """The base with everything planted, in random order; the same seed gives the same set."""
    rng = random.Random(seed)
    questions = _questions(data)
    refusals = [t for _, refused, _ in questions for t in refused if len(t) < 400]
    marked: list[tuple[Row, set[str]]] = [(row, set()) for row in base(data, seed)]
    rng.shuffle(marked)
    for kind, count, fits, change in edits(refusals):
        for row, kinds in [(row, kinds) for row, kinds in marked if not kinds and fits(row)][:count]:
            change(row, rng)
            kinds.add(kind)
    free = iter([entry for entry in marked if not entry[1] and text(entry[0]) != text(entry[0], "rejected")])
    copies = []
    for kind in ["exact duplicate"] * 60 + ["labelled both ways"] * 40:
        row, kinds = next(free)
        kinds.add(kind)
        twin = (dict(row), {kind})
        if kind == "labelled both ways":
            twin[0].update(score_chosen=None, score_rejected=None)
            turn(twin[0])
        else:
            copies.append({id(row), id(twin[0])})
        marked.append(twin)
    marked += _panel([next(free) for _ in range(240)], rng)
    marked += _asked(questions, rng) + _delusions(data, rng)
    for row, _ in marked:
        row["first"] = 1 if row["annotator"] == ONE_SIDED else int(rng.random() < 0.57)
    rng.shuffle(marked)
    found = Set([row for row, _ in marked])
    for number, (_, kinds) in enumerate(marked):
        for kind in kinds:
            found.planted[kind].add(number)
    at = {id(row): number for number, row in enumerate(found.rows)}
    found.planted["exact duplicate"] = {max(at[one] for one in copy) for copy in copies}  # the first is no duplicate
    return found


def _panel(entries: list[tuple[Row, set[str]]], rng: random.Random) -> list[tuple[Row, set[str]]]:
    """Each comparison judged by three of eight people, 85 % of whose votes are the label; one mostly votes against."""
    extra: list[tuple[Row, set[str]]] = []
    for row, kinds in entries:
        three = [(row, kinds), (dict(row), set[str]()), (dict(row), set[str]())]
        turned = []
        for (vote, _), who in zip(three, rng.sample(ANNOTATORS, 3), strict=True):
            vote.update(annotator=who, score_chosen=None, score_rejected=None)
            turned.append(rng.random() > (0.2 if who == CONTRARY else 0.85))
            if turned[-1]:
                turn(vote)
        if len(set(turned)) == 2:
            for _, marks in three:
                marks.add("annotators split")
        extra += three[1:]
    return extra


def _questions(data: Path) -> list[tuple[str, list[str], list[str]]]:
    """Harmful questions with the answers that people marked as refusing (0) and as following (5)."""
    found = []
    with gzip.open(data / "do-not-answer" / "data_en.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            models = [name.removesuffix("_action") for name in line if name.endswith("_action")]
            answers = [[line[f"{m}_response"] for m in models if line[f"{m}_action"] == code] for code in ("0", "5")]
            found.append((line["question"], answers[0], answers[1]))
    return found


def _asked(questions: list[tuple[str, list[str], list[str]]], rng: random.Random) -> list[tuple[Row, set[str]]]:
    asked = [(q, pair) for q, refused, followed in questions for pair in zip(refused, followed, strict=False)]
    found = []
    for number, (question, sides) in enumerate(rng.sample(asked, len(asked))):
        prompt = [{"role": "user", "content": question}]
        kind = ("refusal on a harmful prompt", "answer to a harmful prompt")[number % 2]
        found.append((_row(prompt, *(sides if number % 2 == 0 else sides[::-1]), rng), {kind}))
    return found


def _delusions(data: Path, rng: random.Random) -> list[tuple[Row, set[str]]]:
    """Statements with an answer that goes along (median of three judges at least 4 of 5) over one that does not."""
    along: dict[str, list[str]] = defaultdict(list)
    apart: dict[str, list[str]] = defaultdict(list)
    with gzip.open(data / "syco-bench" / "delusion_results.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            side = along if float(line["median_score"]) >= 4 else apart if float(line["median_score"]) <= 1 else None
            if side is not None:
                side[line["statement"]].append(line["response"])
    return [
        (_row([{"role": "user", "content": statement}], *pair, rng), {"goes along with a delusion"})
        for statement in sorted(along)
        for pair in [*zip(along[statement], apart[statement], strict=False)][:5]
    ]


def evaluate(data: Path, folder: Path, seed: int) -> tuple[list[Score], prefaudit.Audit, prefaudit.Audit]:
    """Scan the planted set and the bare one; scores by kind, and both audits."""
    sets = {"planted": build(data, seed), "base": Set(base(data, seed))}
    audits = {}
    for name, made in sets.items():
        path = str(made.write(folder / f"{name}.jsonl"))
        audits[name] = prefaudit.scan(path, out=folder / name, map={"first": "first"}, fail_on="never")
    hits = {name: _hits(audit) for name, audit in audits.items()}
    pairs = audits["base"].report["dataset"]["pairs"]
    scores = []
    for kind, rule in RULES.items():
        named, bare = (_named(hits[name], rule) for name in ("planted", "base"))
        true = set().union(*(sets["planted"].planted[k] for k, r in RULES.items() if r == rule)) & named
        rows = sets["planted"].planted[kind]
        scores.append(Score(kind, rule, len(rows), len(rows & named), len(named), len(true), len(bare), pairs))
    return scores, audits["planted"], audits["base"]


def _hits(audit: prefaudit.Audit) -> dict[str, set[int]]:
    """Source rows by code."""
    found = audit.findings.drop_nulls("row").join(audit.pairs().select("row", "source_row").collect(), on="row")
    return {code: set(rows) for code, rows in found.group_by("rule").agg("source_row").iter_rows()}


def _named(hits: dict[str, set[int]], rule: str | None) -> set[int]:
    """What one rule names; for a kind without a rule, whatever any rule about labels names."""
    return set().union(*(rows for code, rows in hits.items() if (code == rule if rule else code.startswith("LBL"))))

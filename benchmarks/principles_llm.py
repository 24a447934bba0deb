"""Principles with a language model: recovery, accounting, cost, and exchange with Feedback Forensics.

    python benchmarks/principles_llm.py DATA recover|synthetic|kill|cost|exchange|all
        [--pairs 1600] [--seeds 3] [--first 0]

No language model runs: an endpoint on this machine answers by known rules (principles_judge.py), so that the truth is
known; what is measured is everything around the model. DATA is the folder of the datasets.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import principles_judge as judge
from chatting import Plan, serving

import prefaudit
from prefaudit.audit.principles import asked
from prefaudit.extractors.constitution import stored
from prefaudit.models import chat as chats
from prefaudit.models.chat import Chat
from prefaudit.principles import ask, discover, shown
from prefaudit.principles.constitution import choose, held, matrix, score
from prefaudit.principles.discover import Plan as Size
from prefaudit.principles.library import OPENING, Principle, named
from prefaudit.principles.path import agreed
from prefaudit.principles.weights import logit

FEW = 10  # seeds of sixty pairs
ICAI = 14_896  # characters a pair: 40 principles, three seeds, as measured of inverse-cai 0.4.8


def texts(path: Path) -> tuple[list[tuple[str, str, str]], np.ndarray]:
    """(prompt, one answer, the other) of a dataset's pairs, and their groups."""
    with tempfile.TemporaryDirectory() as folder:
        audit = prefaudit.scan(path, folder + "/a", with_=["text"], fail_on="never")
        pairs = audit.pairs().select("prompt", "chosen", "rejected", "hash_chosen", "hash_rejected").collect()
        group = audit.features().select("group").collect()["group"].to_numpy()
    keep = (pairs["hash_chosen"] != pairs["hash_rejected"]).fill_null(False).to_numpy()
    said = [
        (" ".join(m["content"] or "" for m in row["prompt"] or []), row["chosen"], row["rejected"])
        for row in pairs.iter_rows(named=True)
    ]
    return [s for s, yes in zip(said, keep, strict=True) if yes], group[keep]


def relabelled(pairs: list[tuple[str, str, str]], rules: dict[str, judge.Rule],
               groups: np.ndarray | None = None) -> pl.DataFrame:  # fmt: skip
    """PAIRS columns that `discover` reads, the chosen answer being the one that most rules favour."""
    lines = []
    for row, (prompt, a, b) in enumerate(pairs):
        told = sum(rule(a, b) for rule in rules.values())
        first = told > 0 or (told == 0 and judge.chance("even", *judge.ordered(a, b)[:2]) < 0.5)
        chosen, rejected = (a, b) if first else (b, a)
        lines.append((row, [{"role": "user", "content": prompt}], chosen, rejected, "chosen"))
    frame = pl.DataFrame(lines, schema=["row", "prompt", "chosen", "rejected", "label"], orient="row")
    frame = frame.with_columns(group=pl.col("row") if groups is None else pl.Series(groups))
    return frame.with_columns(hash_chosen=pl.col("chosen").hash(), hash_rejected=pl.col("rejected").hash())


def measured(rules: dict[str, judge.Rule], pairs: list[tuple[str, str, str]], draw: int = 0) -> None:
    """Note how often each rule favours a side, in truth and as the judge says, for decoys with the same shares."""
    judge.SHARES.clear()
    for tie, wrong in (("truth", 0.0), ("votes", judge.WRONG)):
        told = [judge.votes(rules, *judge.ordered(a, b)[:2], wrong=wrong, draw=draw) for _, a, b in pairs]
        for name in rules:
            said = [t[name] for t in told]
            judge.SHARES[tie, name] = (said.count(-1) / len(said), said.count(1) / len(said))


def run(frame: pl.DataFrame, rules: dict[str, judge.Rule], size: Size, seed: int, plan: Plan,
        tie: str = "votes", draw: int = 0) -> tuple[discover.Found, dict[str, Any]]:  # fmt: skip
    """One discovery against the judge, and what became of the calls."""
    told = judge.Judge(rules, tie, draw=draw)
    chats.FIRST_WAIT = 0.02
    with serving(told.answer, plan) as server:
        model = Chat("judge", server.url, cache=None, timeout=0.6)
        found = discover.discover(lambda names: [frame.select(names)], model, seed, size)
    troubles = Counter(server.seen.troubles)
    stored, wrong = compared(found, told, frame)
    return found, {
        "calls": len(server.seen.asked), "answered": len(server.seen.answered), "planned": dict(troubles),
        "ledger": model.ledger(), "stored": stored, "differing": wrong,
    }  # fmt: skip


def compared(found: discover.Found, told: judge.Judge, frame: pl.DataFrame) -> tuple[int, int]:
    """Ballots stored, and those of them that the judge did not cast so."""
    by_row = {row: shown.pair(row, p, c, r) for row, p, c, r in
              frame.select("row", "prompt", "chosen", "rejected").iter_rows()}  # fmt: skip
    stored = wrong = 0
    for n, row in enumerate(found.ballots.rows):
        pair = by_row[row]
        for side, (a, b) in enumerate(((pair.chosen, pair.rejected), (pair.rejected, pair.chosen))):
            for k, p in enumerate(found.principles):
                vote = found.ballots.votes[n, side, k]
                if vote == ask.NONE:
                    continue
                stored += 1
                cast = {"A": 1, "B": -1, "N": 0}.get(told.log.get((p.text.removeprefix(OPENING), a, b), ""))
                wrong += cast is None or (-cast if side else cast) != vote
    return stored, wrong


def recover(data: Path, pairs: int, seeds: int) -> dict[str, Any]:
    """All five among forty decoys, on relabelled hh-harmless: fixed, and proposed by the judge."""
    rules = dict(judge.KNOWN)
    some, groups = texts(data / "hh-harmless" / "test.jsonl.gz")
    measured(rules, some)
    frame = relabelled(some, rules, groups)
    every = tuple(named(name) for name in (*rules, *judge.DECOYS))
    out: dict[str, Any] = {"pairs": len(some)}
    for kind, fixed, tie in (
        ("fixed", every, "votes"),
        ("proposed", (), "votes"),
        ("fixed, tied to the truth", every, "truth"),
    ):
        rows = []
        for seed in range(seeds):
            began = time.monotonic()
            found, calls = run(frame, rules, Size(pairs, 100, len(every) + 5, fixed), seed, judge.failing(seed), tie)
            rows.append(verdict(found, rules, groups, seed) | calls | {"seconds": round(time.monotonic() - began, 1)})
        out[kind] = {"correlations": tied(rules, some, tie), "runs": rows}
    return out


def tied(rules: dict[str, judge.Rule], some: list[tuple[str, str, str]], tie: str) -> list[float]:
    """The correlations of the decoys' votes with those of the rules they are tied to: least, median, most."""
    told = [judge.votes(rules, *judge.ordered(a, b)[:2], tie) for _, a, b in some]
    names = list(rules)
    found = [np.corrcoef([t[d] for t in told], [t[names[k % len(names)]] for t in told])[0, 1]
             for k, d in enumerate(judge.DECOYS)]  # fmt: skip
    return [round(float(x), 3) for x in (min(found), np.median(found), max(found))]


def verdict(found: discover.Found, rules: dict[str, judge.Rule], groups: np.ndarray, seed: int) -> dict[str, Any]:
    """What the constitution made of the votes."""
    votes = found.ballots.frame(found.principles)
    group = groups[votes["row"].to_numpy()]
    y = np.ones(votes.height)
    made = choose(votes.drop("row"), y, group, seed)
    meant = {p.id: p.text.removeprefix(OPENING).removeprefix("clearly ") for p in found.principles}
    listed = [meant[rule.id] for rule in made.rules]
    true = [p.id for p in found.principles if meant[p.id] in rules]
    best = choose(votes.select(true), y, group, seed)
    oracle = agreed(votes.select(true).fill_null(0).to_numpy().sum(1).astype(float), y)
    return {
        "seed": seed, "asked": len(found.principles), "voted": votes.height,
        "recovered": len(set(listed) & set(rules)), "decoys": sum(name not in rules for name in listed),
        "agreement": made.held_out["agreement"], "interval": made.held_out["interval"],
        "by_the_five": float(oracle.mean()), "five_alone": best.held_out["agreement"],
        "five_fitted": fitted(votes.select(true), y, group, seed),
        "agrees": float(agreed(score(made.rules, votes.drop("row")), y).mean()),
        "facts": {k: found.facts[k] for k in ("ballots", "asked", "votes", "contradicted", "failed", "settled")},
    }  # fmt: skip


def fitted(votes: pl.DataFrame, y: np.ndarray, group: np.ndarray, seed: int) -> float:
    """Held-out agreement of all of some principles, their weights from the other folds."""
    x, (_, fold) = matrix(votes), held(group, y, seed)
    own = [agreed(x[fold == k] @ logit(x[fold != k], y[fold != k]), y[fold == k]) for k in np.unique(fold)]
    return float(np.concatenate(own).mean())


TOPICS = {"the capital": "states the facts", "destination": "suggests what was asked for",
          "help me": "is willing to help", "their pet": "is about a cat", "t-shirt": "picks green",
          "ice cream": "picks lemon"}  # fmt: skip
"""What is behind the labels of icai-synthetic, by words of the instruction: ten pairs each."""


def pairs_of(lines: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    """(instruction, preferred, other) of the lines of a file of icai-synthetic."""
    found = []
    for line in lines:
        other = line["text_b" if line["preferred_text"] == "text_a" else "text_a"]
        (asked, _, good), (_, _, bad) = (text.partition("Output:") for text in (line[line["preferred_text"]], other))
        found.append((asked.removeprefix("Instruction:").strip(), good.strip(), bad.strip()))
    return found


def apart(pairs: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Every two different answers to the same instruction."""
    about = {text: prompt for prompt, good, bad in pairs for text in (good, bad)}
    answers: dict[str, list[str]] = {}
    for text, prompt in sorted(about.items()):
        answers.setdefault(prompt, []).append(text)
    return [(prompt, a, b) for prompt, texts_ in answers.items() for a, b in combinations(texts_, 2)]


def synthetic(data: Path, seeds: int, first: int) -> list[dict[str, Any]]:
    """icai-synthetic, its sixty pairs and every two answers to the same instruction: relabelled, and as labelled.

    Every seed has its own draw of the judge's errors and of what the decoys say. Of sixty pairs a draw says little, so
    that these have FEW seeds.
    As labelled: by six principles, one an instruction; of every two answers those of which the file prefers one.
    """
    with (data / "icai-synthetic" / "synthetic_data_mixed_vqvtb_adcbg.csv").open() as f:
        some = pairs_of(list(csv.DictReader(f)))
    preferred = {good for _, good, _ in some}
    about = {text: asked for asked, good, bad in some for text in (good, bad)}

    def of(topic: str) -> judge.Rule:
        return lambda a, b: ((a in preferred) - (b in preferred)) if topic in about[a] else 0

    own = {name: of(topic) for topic, name in TOPICS.items()}
    every = apart(some)
    decided = [p for p in every if (p[1] in preferred) != (p[2] in preferred)]
    out = []
    for labels, rules, pairs in (
        ("relabelled, 60 pairs", judge.SHORT, some),
        ("own, 60 pairs", own, some),
        ("relabelled, every two answers", judge.SHORT, every),
        ("own, every two answers", own, decided),
    ):
        frame = relabelled(pairs, rules)
        fixed = tuple(named(name) for name in (*rules, *judge.DECOYS))
        for seed in range(first, first + (max(seeds, FEW) if pairs is some else seeds)):
            measured(rules, pairs, seed)
            found, calls = run(frame, rules, Size(fixed=fixed, whole=True), seed, judge.failing(seed), draw=seed)
            told = verdict(found, rules, np.arange(len(pairs)), seed)
            out.append({"labels": labels, "of": len(pairs), "principles": len(rules)} | told | calls)
    return out


SCRIPT = """
import sys
sys.path[:0] = [{here!r}]
import principles_llm as b
b.work(*sys.argv[1:])
"""


def work(data: str, url: str, cache: str, out: str) -> None:
    """What is killed: 200 pairs and 45 fixed principles, in another process."""
    some, _ = texts(Path(data) / "hh-harmless" / "test.jsonl.gz")
    frame = relabelled(some, judge.KNOWN)
    chats.FIRST_WAIT = 0.02
    every = tuple(named(name) for name in (*judge.KNOWN, *judge.DECOYS))
    model = Chat("judge", url, cache=Path(cache), timeout=0.6)
    found = discover.discover(lambda names: [frame.select(names)], model, 0, Size(200, 0, 50, every))
    found.to_frame().write_parquet(out)
    Path(out + ".json").write_text(json.dumps(model.ledger()))


def kill(data: Path) -> dict[str, Any]:
    """Stopped at several calls, by SIGKILL and by ctrl-C, then run to its end; against a run that nobody stopped."""
    measured(judge.KNOWN, texts(data / "hh-harmless" / "test.jsonl.gz")[0])
    script = SCRIPT.format(here=str(Path(__file__).parent))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    plan = judge.failing(5)
    plan.late = 0.02
    with serving(judge.Judge(judge.KNOWN).answer, plan) as server, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", script, str(data), server.url, f"{folder}/cache", f"{folder}/found.parquet"]
        stops, again = [], 0
        for how, at in (
            (signal.SIGKILL, 60),
            (signal.SIGINT, 180),
            (signal.SIGKILL, 330),
            (signal.SIGINT, 480),
            (None, 0),
        ):
            kept = stored_keys(Path(folder) / "cache", server.url)
            sent = len(server.seen.asked)
            running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            while how is not None and len(server.seen.answered) < at and running.poll() is None:
                time.sleep(0.001)
            if how is not None:
                running.send_signal(how)
            running.wait()
            asked = [key_of(body, server.url) for body in server.seen.asked[sent:]]
            again += sum(key in kept for key in asked)
            unread = len(server.seen.answered) - len(set(server.seen.answered))
            stops.append(
                {"stopped_by": how and how.name, "kept_before": len(kept), "calls": len(asked), "twice_so_far": unread}
            )
        first = discover.Found.from_frame(pl.read_parquet(f"{folder}/found.parquet"))
        subprocess.run([*command[:-2], f"{folder}/other", f"{folder}/whole.parquet"], env=environment, check=True)
        whole = discover.Found.from_frame(pl.read_parquet(f"{folder}/whole.parquet"))
        both = (first.ballots.votes != ask.NONE) & (whole.ballots.votes != ask.NONE)
        differing = int((first.ballots.votes != whole.ballots.votes)[both].sum())
        ledger = json.loads(Path(f"{folder}/found.parquet.json").read_text())
    return {"runs": stops, "kept_answers_asked_again": again, "answers_nobody_had_read": unread,
            "votes_differing_from_an_unbroken_run": differing, "ledger_of_the_last": ledger}  # fmt: skip


def key_of(body: dict[str, Any], url: str) -> bytes:
    """The key under which the client keeps the answer to a call."""
    schema = body["response_format"]["json_schema"]["schema"]
    messages = tuple((m["role"], m["content"]) for m in body["messages"])
    n = len(schema["properties"])
    return Chat("judge", url, cache=None).key(chats.Request(messages, schema, 60 + 12 * n))


def stored_keys(path: Path, url: str) -> set[bytes]:
    """The requests whose answers are kept."""
    with sqlite3.connect(path) as con:
        there = con.execute("select 1 from sqlite_master where name = 'answer'").fetchone()
        return {k for (k,) in con.execute("select k from answer")} if there else set()


def cost(data: Path) -> dict[str, Any]:
    """Characters a pair and seconds for 100 pairs, 40 fixed principles, both orders."""
    some, _ = texts(data / "hh-harmless" / "test.jsonl.gz")
    v4 = [Principle(f"p{k}", text, "file") for k, text in enumerate(_published(data))]
    out: dict[str, Any] = {"principles": len(v4), "runs": []}
    quiet = judge.Judge(judge.KNOWN)
    for seed in range(3):
        pick = np.random.default_rng(seed).permutation(len(some))[:100]
        frame = relabelled([some[k] for k in pick], judge.KNOWN)

        def parts(names: list[str], frame: pl.DataFrame = frame) -> list[pl.DataFrame]:
            return [frame.select(names)]

        with serving(quiet.answer, Plan()) as server:
            model = Chat("judge", server.url, cache=None)
            began, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
            found = discover.discover(parts, model, seed, Size(100, 0, 40, tuple(v4)))
            wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
        sent = sum(len(m["content"]) for body in server.seen.asked for m in body["messages"])
        whole = sum(len(json.dumps(body, ensure_ascii=False)) for body in server.seen.asked)
        out["runs"].append({
            "seed": seed, "calls": len(server.seen.asked), "votes": found.facts["votes"],
            "characters": round(sent / 100), "of_icai": round(sent / 100 / ICAI, 3),
            "with_schema": round(whole / 100), "wall": round(wall, 2),
            "cpu": round(after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime, 2),
        })  # fmt: skip
    return out


def _published(data: Path) -> list[str]:
    """The forty standard principles that Feedback Forensics annotates with, from its example."""
    document = json.loads((data / "icai-ff-format" / "annotated_pairs.json").read_text())
    return [a["description"] for a in document["annotators"].values() if a["type"] == "principle"]


FORENSICS = """
import json, sys
import feedback_forensics as ff
out = {}
for path in sys.argv[1:]:
    handler = ff.DatasetHandler()
    handler.add_data_from_path(path)
    out[path] = handler.get_annotator_metrics()
print("RESULT" + json.dumps(out, default=float))
"""


def exchange(data: Path, python: str | None) -> dict[str, Any]:
    """Strength per principle by Feedback Forensics, of our export and of its example, against ours."""
    with tempfile.TemporaryDirectory() as folder:
        if python is None:
            subprocess.run([sys.executable, "-m", "venv", f"{folder}/ff"], check=True)
            python = f"{folder}/ff/bin/python"
            subprocess.run([python, "-m", "pip", "install", "-q", "feedback-forensics==0.5.0"], check=True)
        from prefaudit.audit.interchange import EXPORTS

        hh, example = data / "hh-harmless" / "test.jsonl.gz", data / "icai-ff-format" / "annotated_pairs.json"
        audit = prefaudit.scan(hh, f"{folder}/hh", with_=["principles"], fail_on="never")
        exported = Path(folder) / "exported.json"
        exported.write_bytes(EXPORTS["annotated-pairs"](audit))
        votes = {"exported": exported, "example": example}
        read = prefaudit.scan(example, f"{folder}/example", with_=["principles"], fail_on="never", votes=str(example))
        back = prefaudit.scan(exported, f"{folder}/back", with_=["principles"], fail_on="never", votes=str(exported))
        ours = {"exported": strengths(audit, "library"), "example": strengths(read, "file")}
        again = strengths(back, "file")
        assert max(abs(again[k] - v) for k, v in ours["exported"].items() if k in again) < 1e-9, (
            "our own import differs"
        )
        told = subprocess.run([python, "-c", FORENSICS, *map(str, votes.values())], capture_output=True, text=True,
                              env={**os.environ, "HF_HUB_OFFLINE": "1"}, check=True).stdout  # fmt: skip
        theirs = json.loads(told.rpartition("RESULT")[2])
        return {name: _apart(ours[name], theirs[str(path)]) for name, path in votes.items()}


def strengths(audit: Any, source: str) -> dict[str, float]:
    """Strength by the text of a principle, as it is before the report rounds it."""
    measures = audit.measures()
    found = next(e for e in measures.present if e.name == "constitution")
    known = asked(measures)
    stats = stored(measures.state(found)).stats
    return {known[e["id"]].text: e["strength"] or 0.0 for e in stats if known[e["id"]].source == source}


def _apart(ours: dict[str, float], theirs: dict[str, Any]) -> dict[str, Any]:
    """The largest difference of a strength, in parts of one."""
    (told,) = theirs.values()
    strength = {
        name: value["strength"] if isinstance(value, dict) else value
        for name, value in told["metrics"]["strength"].items()
    }
    mine = {text.removeprefix(OPENING): value for text, value in ours.items()}
    spoken = {name for name in mine if name in strength}
    apart = [abs(mine[name] - float(strength[name])) for name in spoken]
    return {
        "pairs": told["num_pairs"],
        "principles": len(mine),
        "in_both": len(spoken),
        "largest_difference": max(apart),
    }


def main() -> None:
    """Run what was asked for and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("what", choices=["recover", "synthetic", "kill", "cost", "exchange", "all"])
    parser.add_argument("--pairs", type=int, default=discover.PAIRS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed of synthetic")
    parser.add_argument("--python", help="of an environment with feedback-forensics; made anew where not given")
    given = parser.parse_args()
    jobs = {"recover": lambda: recover(given.data, given.pairs, given.seeds),
            "synthetic": lambda: synthetic(given.data, given.seeds, given.first),
            "kill": lambda: kill(given.data), "cost": lambda: cost(given.data),
            "exchange": lambda: exchange(given.data, given.python)}  # fmt: skip
    for name, job in jobs.items():
        if given.what in (name, "all"):
            print(json.dumps({name: job()}, indent=1, default=float))


if __name__ == "__main__":
    main()

"""Principles with a language model, against a server over a socket that answers by rules and fails by a plan."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from chatting import FAILURES, Body, ChatServer, Plan, serving

import prefaudit
from prefaudit import config as configuration
from prefaudit.audit.interchange import EXPORTS
from prefaudit.core import MESSAGES, AuditError, Progress, UsageError
from prefaudit.models import ModelError
from prefaudit.models.chat import Chat
from prefaudit.principles import ask, discover, propose
from prefaudit.principles.halves import settled
from prefaudit.principles.library import OPENING, Principle, named
from prefaudit.principles.merge import merge, spelled
from prefaudit.principles.shown import Pair, eligible, pair
from prefaudit.reports.principles import lines, page

RULES = ["is longer", "asks a question", "names a colour"]
WORDS = ["red", "plain", "green", "word", "more", "text", "blue", "thing", "other"]


def says(rule: str, text: str) -> float:
    if rule == "is longer":
        return len(text)
    return text.count("?") if rule == "asks a question" else len(re.findall("red|green|blue", text))


def judge(body: Body) -> str:
    """Votes by the rules; proposes the first two of them."""
    said = body["messages"][1]["content"]
    if "\nRules: " not in said:
        return json.dumps({"principles": [f"Select the response that {RULES[len(said) % 2]}", "  "]})
    a, b = (re.search(rf"<{x}>(.*)</{x}>", said, re.DOTALL) for x in "AB")
    assert a and b
    told = {}
    for line in said.partition("\nRules: ")[2].splitlines()[1:]:
        number, _, rule = line.partition(". ")
        gap = says(rule, a[1]) - says(rule, b[1]) if rule in RULES else 0.0
        told[number] = "A" if gap > 0 else "B" if gap < 0 else "N"
    return json.dumps(told)


def frame(n: int, seed: int = 0) -> pl.DataFrame:
    """Pairs in which the longer answer is chosen, four times out of five."""
    rng = np.random.default_rng(seed)
    lines = []
    for row in range(n):
        texts = [
            " ".join(rng.choice(WORDS, size)) + "?" * int(rng.random() < 0.5) for size in rng.choice(30, 2, False) + 1
        ]
        texts.sort(key=len, reverse=bool(rng.random() < 0.8))
        lines.append((row, [{"role": "user", "content": f"question {row}"}], texts[0], texts[1], "chosen"))
    schema = {"row": pl.Int64, "prompt": MESSAGES, "chosen": pl.String, "rejected": pl.String, "label": pl.String}
    made = pl.DataFrame(lines, schema=schema, orient="row").with_columns(group=pl.col("row"))
    return made.with_columns(hash_chosen=pl.col("chosen").hash(), hash_rejected=pl.col("rejected").hash())


def parts(data: pl.DataFrame) -> Any:
    return lambda names: [data[:7].select(names), data[7:].select(names)]


def fixed() -> tuple[Principle, ...]:
    return tuple(named(rule) for rule in RULES)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("prefaudit.models.chat.FIRST_WAIT", 0.002)
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))


def found(server: ChatServer, n: int = 30, seed: int = 0, timeout: float = 20, **size: Any) -> discover.Found:
    chat = Chat("m", server.url, cache=None, timeout=timeout)
    return discover.discover(parts(frame(n)), chat, seed, discover.Plan(**{"fixed": fixed(), **size}))


# -- votes ---------------------------------------------------------------------------------------------------------


def test_votes_are_those_of_the_rules_in_both_orders() -> None:
    with serving(judge) as server:
        got = found(server)
    assert len(server.seen.asked) == 60
    data = frame(30)
    for k, rule in enumerate(RULES):
        true = [np.sign(says(rule, c) - says(rule, r)) for c, r in data.select("chosen", "rejected").iter_rows()]
        for order in (0, 1):
            assert got.ballots.votes[:, order, k].tolist() == true
    table = got.ballots.frame(got.principles)
    assert table.columns == ["row", *(p.id for p in fixed())] and set(table.dtypes[1:]) == {pl.Int8}


def test_principles_are_shuffled_by_the_texts_and_the_seed_alone() -> None:
    one = pair(3, [{"role": "user", "content": "q"}], "yes", "no")
    rules = [named(f"rule {k}") for k in range(12)]
    forth, order = ask.request(one, rules, False, 0)
    back, other = ask.request(one, rules, True, 0)
    assert sorted(order) == sorted(other) == list(range(12)) and order != other
    assert "<A>yes</A>\n<B>no</B>" in forth.messages[1][1] and "<A>no</A>\n<B>yes</B>" in back.messages[1][1]
    moved = pair(77, [{"role": "user", "content": "q"}], "yes", "no")
    assert ask.request(moved, rules, False, 0)[0] == forth
    assert ask.request(one, rules, False, 1)[1] != order


def test_two_orders_make_one_vote() -> None:
    cast = np.array(
        [[[1], [1]], [[1], [0]], [[1], [-1]], [[0], [0]], [[1], [ask.NONE]], [[ask.NONE], [ask.NONE]]], np.int8
    )
    ballots = ask.Ballots(tuple(range(6)), cast, ())
    assert ballots.frame([named("x")]).to_series(1).to_list() == [1, 1, 0, 0, None, None]


def test_more_principles_than_a_call_takes_are_asked_in_several() -> None:
    many = tuple(named(f"rule number {k}") for k in range(85))
    assert [len(c) for c in ask.chunks(many)] == [28, 29, 28]
    with serving(judge) as server:
        got = found(server, n=4, fixed=(*many, *fixed()))
    assert len(server.seen.asked) == 4 * 2 * 3
    assert got.ballots.votes.shape == (4, 2, 88) and (got.ballots.votes != ask.NONE).all()
    assert (got.ballots.votes[:, :, 85] != 0).all()


@pytest.mark.parametrize(
    "answer",
    [
        '{"1": "A"}',
        '{"1": null, "2": "A", "3": "B"}',
        '{"1": "A", "2": "X", "3": "B"}',
        "[]",
        '{"votes": "AAA"}',
        '"AAA"',
    ],
)
def test_an_answer_without_every_vote_is_a_failure_and_no_vote(answer: str) -> None:
    with serving(lambda body: answer) as server, pytest.raises(ModelError, match="have no answer"):
        found(server, n=3)
    with serving(lambda body: answer) as server:
        chat = Chat("m", server.url, cache=None)
        ballots = ask.vote(chat, [Pair(0, "", "a", "b")], fixed(), 0)
    assert (ballots.votes == ask.NONE).all() and len(ballots.failures) == 2
    assert ballots.failures[0] | {"said": ""} == {
        "row": 0,
        "chosen": "A",
        "principles": 3,
        "reason": "unreadable",
        "said": "",
    }


def test_other_words_for_neither_are_read() -> None:
    with serving(lambda body: '{"1": "both", "2": "none", "3": " a "}') as server:
        ballots = ask.vote(Chat("m", server.url, cache=None), [Pair(0, "", "x", "y")], fixed(), 0)
    assert sorted(ballots.votes[0, 0].tolist()) == [0, 0, 1] and sorted(ballots.votes[0, 1].tolist()) == [-1, 0, 0]


def test_with_a_fifth_of_the_calls_failing_votes_stored_are_votes_answered() -> None:
    def trouble(body: Body, turn: int) -> str | None:
        said = body["messages"][1]["content"].encode()
        if zlib.crc32(said) % 60 == 0:
            return FAILURES[zlib.crc32(said) // 60 % 5]  # always
        chance = zlib.crc32(b"%d %s" % (turn, said))
        return FAILURES[chance // 5 % 5] if chance % 5 == 0 else None

    with serving(judge, Plan(trouble, hang=0.8)) as server:
        got = found(server, n=60, timeout=0.4)
        answered = set(server.seen.answered)
    assert len(server.seen.troubles) > 20 and set(server.seen.troubles) == set(FAILURES)
    stored = int((got.ballots.votes != ask.NONE).sum())
    assert stored == 3 * len(answered) == got.facts["ballots"]
    assert len(got.ballots.failures) == 120 - len(answered) == sum(got.facts["failed"].values()) > 0
    told = Counter(f["reason"] for f in got.ballots.failures)
    assert told == got.facts["failed"] and {f["row"] for f in got.facts["failures"]} <= set(got.ballots.rows)
    with serving(judge) as server:
        clean = found(server, n=60)
    known = got.ballots.votes != ask.NONE
    assert (got.ballots.votes[known] == clean.ballots.votes[known]).all()


def test_a_model_that_goes_by_where_an_answer_stands_is_no_judge() -> None:
    def first(body: Body) -> str:
        return re.sub(r'"[ABN]"', '"A"', judge(body))

    with serving(first) as server, pytest.raises(ModelError, match="goes by where an answer stands: 180 of 180") as e:
        discover.discover(parts(frame(60)), Chat("m", server.url, cache=None), 0, discover.Plan(60, fixed=fixed()))
    assert e.value.facts["contradicted"] == 180


def test_too_many_failures_leave_the_audit_incomplete() -> None:
    plan = Plan(lambda body, turn: "refusal" if len(body["messages"][1]["content"]) % 5 == 0 else None)
    said = r"votes: \d+ of 60 requests have no answer \(refused \d+; the last: I can't help with that\.\)"
    with serving(judge, plan) as server, pytest.raises(ModelError, match=said) as error:
        found(server)
    facts = error.value.facts
    assert facts is not None and set(facts["failed"]) == {"refused"}
    assert facts["failed"]["refused"] == len(facts["failures"]) == 60 - len(server.seen.answered) > 3
    assert all(call["purpose"] == "votes" and call["row"] in range(30) for call in facts["failures"])


def test_a_failed_call_is_listed_whatever_it_was_asked_for() -> None:
    seed = int(np.random.default_rng([0, 8]).permutation(120)[0])

    def trouble(body: Body, turn: int) -> str | None:
        said = body["messages"][1]["content"]
        failing = f"question {seed}</prompt>" in said if "\nRules: " in said else zlib.crc32(said.encode()) % 9 == 0
        return "refusal" if failing else None

    with serving(judge, Plan(trouble)) as server:
        got = found(server, 120, pairs=60, seeds=40, fixed=(), embedder="lexical")
        unanswered = set(server.seen.keys) - set(server.seen.answered)
    calls = got.facts["failures"]
    told = Counter(call["purpose"] for call in calls)
    assert told["votes on proposals"] == 2 and told["principles"] > 0 and not told["votes"]
    assert len(calls) == len(unanswered) == got.facts["failed"]["refused"]
    assert all(call["row"] == seed for call in calls if call["purpose"] == "votes on proposals")
    assert all(len(call["rows"]) == 4 for call in calls if call["purpose"] == "principles")


def test_an_audit_with_too_few_answers_lists_those_that_failed(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("is longer\n")
    plan = Plan(lambda body, turn: "400" if zlib.crc32(body["messages"][1]["content"].encode()) % 7 == 0 else None)
    with serving(judge, plan) as server:
        audit = scanned(server, tmp_path / "a", principles=[str(tmp_path / "p.txt")], part_rows=100)
    assert audit.exit_code == 2
    asked = audit.report["constitution"]["asked"]
    ledger = json.loads((tmp_path / "a/run.json").read_text())["llm"]["m"]["votes"]
    assert asked["failed"] == ledger["failed"] and len(asked["failures"]) == ledger["failed"]["rejected"] > 5
    assert {call["reason"] for call in asked["failures"]} == {"rejected"}
    assert f"without an answer: rejected {len(asked['failures'])}" in " ".join(page(audit.report).split())


# -- sample --------------------------------------------------------------------------------------------------------


def test_a_larger_sample_holds_the_smaller_one_and_says_its_error() -> None:
    with serving(judge) as server:
        small, large = found(server, 200, pairs=20), found(server, 200, pairs=60)
        other = found(server, 200, seed=1, pairs=20)
    assert set(small.ballots.rows) < set(large.ballots.rows) and set(other.ballots.rows) != set(small.ballots.rows)
    assert small.facts["error"] == pytest.approx(1.96 * np.sqrt(0.25 / 20 * 0.9))
    assert large.facts["of"] == 200 and large.facts["pairs"] == 60


def test_votes_stop_where_more_would_not_change_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "FIRST", 50)
    told: list[str] = []
    with serving(judge) as server:
        chat = Chat("m", server.url, cache=None, progress=Progress(say=told.append))
        got = discover.discover(parts(frame(400)), chat, 0, discover.Plan(fixed=fixed()))
        whole = found(server, 400, whole=True)
    assert got.facts["settled"] and got.facts["pairs"] in (100, 200) and got.facts["at_most"] == 400
    assert not whole.facts["settled"] and whole.facts["pairs"] == 400
    assert set(got.ballots.rows) < set(whole.ballots.rows) and list(got.ballots.rows) == sorted(got.ballots.rows)
    place = [whole.ballots.rows.index(row) for row in got.ballots.rows]
    assert (whole.ballots.votes[place] == got.ballots.votes).all()
    assert "at most 800 calls" in told[0] and any(line.endswith("the list is settled") for line in told)


def test_halves_settle_a_list_that_they_find_themselves() -> None:
    rng = np.random.default_rng(0)
    clear = np.where(rng.random((600, 1)) < 0.8, 1, -1)
    noise = rng.choice([-1, 0, 1], (600, 9))
    votes = np.hstack([clear, noise]).astype(np.float32)
    group = np.arange(600)
    assert settled(votes, group, 0, 10) and not settled(votes[:, 1:], group, 0, 10)
    assert not settled(votes[:12], group[:12], 0, 10) and not settled(votes[:0], group[:0], 0, 10)
    twice = np.hstack([votes, np.where(rng.random((600, 1)) < 0.97, clear, 0)]).astype(np.float32)
    assert not settled(twice, group, 0, 10)  # which of two that say the same is a matter of chance


def test_pairs_without_a_winner_or_a_difference_are_not_asked_about() -> None:
    other = pl.when(pl.col("row") == 2).then("hash_chosen").when(pl.col("row") != 3).then("hash_rejected")
    label = pl.Series("label", ["chosen", "tie", "chosen", "chosen", "both_bad", "chosen"])
    data = frame(6).with_columns(label, other.alias("hash_rejected"))
    assert eligible(parts(data)).tolist() == [0, 5]
    with serving(judge) as server, pytest.raises(ModelError, match="no pair has a label"):
        discover.discover(parts(data[1:5]), Chat("m", server.url, cache=None), 0, discover.Plan(fixed=fixed()))
    assert not server.seen.asked


def test_what_is_learned_is_kept_in_a_frame() -> None:
    with serving(
        judge, Plan(lambda body, turn: "400" if "question 3<" in body["messages"][1]["content"] else None)
    ) as server:
        got = found(server, n=60)
    again = discover.Found.from_frame(got.to_frame())
    assert again.principles == got.principles and again.facts == got.facts
    assert (again.ballots.votes == got.ballots.votes).all() and (got.ballots.votes == ask.NONE).any()
    assert again.ballots.rows == got.ballots.rows


def test_texts_are_cut_and_cannot_close_their_tags() -> None:
    shown = pair(0, [{"role": "system", "content": "s"}, {"role": "user", "content": "p" * 5000}], "</A> x", "y" * 9000)
    assert shown.cut and len(shown.prompt) < 3100 and len(shown.rejected) < 5600 and shown.rejected.count("[...]") == 1
    assert "</A>" not in shown.chosen and shown.chosen == "< /A> x"
    assert not pair(0, [], "a", "b").cut


# -- proposals -----------------------------------------------------------------------------------------------------


def test_proposing_shows_several_pairs_a_call_under_every_framing() -> None:
    pairs = [Pair(k, f"p{k}", f"good {k}", f"bad {k}") for k in range(10)]
    asked = propose.requests(pairs, 0)
    assert len(asked) == 3 * len(propose.FRAMINGS)
    texts = [r.messages[1][1] for r in asked]
    for k in range(10):
        assert sum(f"<preferred>good {k}</preferred>" in t and f"<other>bad {k}</other>" in t for t in texts) == 3
    first = [t.index("<preferred>") < t.index("<other>") for t in texts]
    assert any(first) and not all(first)
    assert propose.requests(pairs, 0) == asked != propose.requests(pairs, 1)
    assert len(propose.requests(pairs, 0, [named("is old")])) == 3


def test_principles_are_proposed_merged_refined_and_voted_on() -> None:
    with serving(judge) as server:
        got = found(server, 120, pairs=60, seeds=40, fixed=(), embedder="lexical")
        again = found(server, 120, pairs=60, seeds=40, fixed=(), embedder="lexical")
    assert sorted(p.text for p in got.principles) == [OPENING + "asks a question", OPENING + "is longer"]
    assert {p.source for p in got.principles} == {"llm"}
    said = got.facts["proposed"]
    assert said["unusable"] > 0 and said["from"] == 40 and said["missed"] > 0 and got.facts["apart"]
    assert got.to_frame().equals(again.to_frame())
    purposes = {"principles", "votes on proposals", "more principles", "votes"}
    assert purposes >= set(Counter(purposes)) and got.ballots.votes.shape == (60, 2, 2)


def test_pairs_proposed_from_are_not_voted_on_where_there_are_enough() -> None:
    seen: list[str] = []

    def remember(body: Body) -> str:
        if "<preferred>" in body["messages"][1]["content"]:
            seen.extend(re.findall(r"question \d+(?=</prompt>)", body["messages"][1]["content"]))
        return judge(body)

    with serving(remember) as server:
        got = found(server, 80, pairs=30, seeds=20, fixed=(), embedder="lexical")
    assert not {f"question {row}" for row in got.ballots.rows} & set(seen) and len(set(seen)) == 20


def test_what_hardly_ever_applies_is_left_out_and_nothing_left_is_an_error() -> None:
    def idle(body: Body) -> str:
        said = body["messages"][1]["content"]
        return judge(body) if "\nRules: " in said else json.dumps({"principles": ["is of stone", "is of gold"]})

    with serving(idle) as server, pytest.raises(ModelError, match="applies to"):
        found(server, 40, fixed=(), embedder="lexical")
    with serving(lambda body: '{"principles": []}') as server, pytest.raises(ModelError, match="proposed no principle"):
        found(server, 40, fixed=(), embedder="lexical")


def test_the_same_meaning_is_one_and_its_opposite_another() -> None:
    texts = ["is more concise", "is more concise", "is concise", "is less concise", "avoids being concise",
             "cites sources", "cites its sources"]  # fmt: skip
    merged = merge([named(t) for t in texts], 10, spelled, 0.62)
    told = [(m.principle.text.removeprefix(OPENING), m.times) for m in merged]
    assert ("is concise", 3) in told and sum(times for _, times in told) == 7
    assert {"is less concise", "avoids being concise"} & {text for text, _ in told}
    assert [m.times for m in merged] == sorted((m.times for m in merged), reverse=True)
    assert merge([named(t) for t in texts[::-1]], 10, spelled, 0.62) == merged
    assert len(merge([named(t) for t in texts], 2, spelled, 0.62)) == 2 and merge([], 5, spelled, 0.62) == []
    kept = merge([named("is concise")], 10, spelled, 0.62, [named("is more concise")])
    assert [m.principle.text for m in kept] == [OPENING + "is more concise"]


# -- a scan --------------------------------------------------------------------------------------------------------


def scanned(server: ChatServer, folder: Path, n: int = 80, **options: Any) -> prefaudit.Audit:
    data = (
        frame(n)
        .select("prompt", "chosen", "rejected")
        .with_columns(prompt=pl.col("prompt").list.first().struct.field("content"))
    )
    given = {
        "with_": ["principles"],
        "fail_on": "never",
        "llm": "m",
        "llm_url": server.url,
        "llm_pairs": 50,
        "part_rows": 33,
    }
    return prefaudit.scan(data, folder, **{**given, **options})


def test_a_scan_chooses_a_constitution_of_what_the_model_says(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("- is longer\n- asks a question\n")
    with serving(judge) as server:
        audit = scanned(server, tmp_path / "a", principles=[str(tmp_path / "p.txt")])
        sent = len(server.seen.asked)
        again = scanned(server, tmp_path / "b", principles=[str(tmp_path / "p.txt")])
    report = audit.report
    assert sent == len(server.seen.asked) == 100 and report["complete"]
    assert (tmp_path / "a/report.json").read_bytes() == (tmp_path / "b/report.json").read_bytes()
    assert again.report["constitution"]["asked"]["pairs"] == 50 == report["constitution"]["n"]
    told = {p["text"]: p for p in report["principles"] if p["source"] == "file"}
    assert told[OPENING + "is longer"]["n"] == 50 and told[OPENING + "is longer"]["followed"] > 0.65
    assert json.loads((tmp_path / "b/run.json").read_text())["llm"]["m"]["votes"]["cached"] == 100
    said = " ".join(page(report).split())
    assert "votes of m on 50 of 80 pairs" in said and "calls without an answer: none" in said
    assert "[LLM] is longer" in said and "too high" not in said
    assert all(p["read"] == (p["source"] == "file") for p in report["principles"])
    table = pl.read_parquet(EXPORTS["annotation"](audit))
    longer = table[named("is longer").id]
    assert table.height == 80 and longer.null_count() == 30 and table["longer"].null_count() == 0
    true = [np.sign(len(c) - len(r)) for c, r in frame(80).select("chosen", "rejected").iter_rows()]
    assert all(vote in (None, told) for vote, told in zip(longer, true, strict=True))


def test_a_scan_stopped_by_the_cap_is_incomplete_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("is longer\n")
    with serving(judge) as server:
        files = [str(tmp_path / "p.txt")]
        first = scanned(server, tmp_path / "a", max_calls=37, principles=files)
        assert len(server.seen.asked) == 37 and first.exit_code == 2
        error = next(e["error"] for e in first.report["extractors"] if e["name"] == "asked")
        assert "63 were not asked" in error
        told = page(first.report)
        assert told.startswith("INCOMPLETE AUDIT") and "63 were not asked" in " ".join(told.split())
        with pytest.raises(AuditError, match="63 were not asked"):
            EXPORTS["markdown"](first)
        last = scanned(server, tmp_path / "a", principles=files)
    assert last.exit_code == 0 and len(server.seen.asked) == 100 == len(set(server.seen.keys))


def test_a_scan_that_ends_with_an_error_leaves_a_ledger_too(tmp_path: Path) -> None:
    with serving(judge) as server:
        (tmp_path / "p.txt").write_text("is longer\n")
        server.plan.trouble = lambda body, turn: "401" if len(server.seen.asked) > 30 else None
        with pytest.raises(AuditError, match="401"):
            scanned(server, tmp_path / "a", principles=[str(tmp_path / "p.txt")])
        told = json.loads((tmp_path / "a/run.json").read_text())["llm"]["m"]["votes"]
    assert told["calls"] == len(server.seen.asked) > 30
    assert told["requests"] == 100 == told["answered"] + sum(told["failed"].values()) and told["answered"] > 0


def test_that_principles_come_from_the_pairs_voted_on_is_said() -> None:
    facts = {"model": "m", "pairs": 60, "of": 60, "error": 0.0, "votes": 9, "contradicted": 0, "apart": False}
    said = ("votes of m on all 60 pairs; its two orders contradict each other in 0 of 9 votes; "
            "calls without an answer: none")  # fmt: skip
    same = "; principles were proposed from pairs among these, which makes agreement somewhat too high"
    for more, told in (({}, said), ({"proposed": {"texts": 3}}, said + same)):
        assert lines({"constitution": {"asked": facts | more, "note": "none"}})[-1] == told


def test_a_scan_gives_up_a_model_whose_answers_are_of_no_use(tmp_path: Path) -> None:
    with serving(judge, Plan(lambda body, turn: "html")) as server:
        audit = scanned(server, tmp_path / "a")
    assert audit.exit_code == 2 and len(server.seen.asked) <= 18
    assert json.loads((tmp_path / "a/run.json").read_text())["llm"]["m"]["principles"]["calls"] == len(
        server.seen.asked
    )
    said = " ".join(page(audit.report).split())
    assert said.startswith("INCOMPLETE AUDIT") and "were not asked: " in said and "requests in a row" in said


def test_a_scan_says_what_it_will_cost_before_anything_is_sent(tmp_path: Path) -> None:
    from prefaudit.audit import run
    from prefaudit.config import checked

    told: list[tuple[int, str]] = []
    data = frame(60).select("chosen", "rejected")
    (tmp_path / "p.txt").write_text("is longer\n")
    with serving(judge) as server:
        asked = {"llm": "m", "llm_url": server.url, "llm_price": "1,2", "max_calls": 0}
        files = {"with_": ["principles"], "principles": [str(tmp_path / "p.txt")], "fail_on": "never"}
        options = checked({**asked, **files})
        audit = run(
            data,
            tmp_path / "a",
            options,
            progress=Progress(say=lambda line: told.append((len(server.seen.asked), line))),
        )
        assert audit.exit_code == 2 and not server.seen.asked
    assert (
        told[0][0] == 0
        and "at most 120 calls" in told[0][1]
        and "--max-calls allows 0" in told[0][1]
        and "$" in told[0][1]
    )


def test_a_preview_leaves_a_finished_audit_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    names = ("report.json", "report.html", "constitution.json", "run.json", "findings.parquet", "effects.parquet")
    alone = {"llm": None, "llm_url": None, "llm_pairs": None, "part_rows": 150}
    with serving(judge) as server:
        done = scanned(server, folder, 150, **alone)
        assert done.exit_code == 0 and done.report["constitution"]["rules"]
        before = {name: (folder / name).read_bytes() for name in names}
        with pytest.raises(AuditError, match=r"stays as it is \(asked: .* were not asked"):
            scanned(server, folder, 150, max_calls=0, part_rows=150)
        with pytest.raises(AuditError, match="read the data in another way"):
            scanned(server, folder, 150, max_calls=0, part_rows=34)
        assert not server.seen.asked
        assert {name: (folder / name).read_bytes() for name in names} == before

        (tmp_path / "p.txt").write_text("asks a question\n")
        stopped = scanned(server, folder, 150, max_calls=3, part_rows=150, principles=[str(tmp_path / "p.txt")])
        assert len(server.seen.asked) == 3
    assert stopped.exit_code == 2 and not stopped.report["complete"] and not (folder / "constitution.json").exists()
    again = scanned(server, folder, 150, **alone)
    assert again.exit_code == 0
    assert all((folder / name).read_bytes() == before[name] for name in names if name != "run.json")

    mine = (folder / "constitution.json").read_text().replace('"chosen_on"', '"mine": 1, "chosen_on"')
    (folder / "constitution.json").write_text(mine)
    given = scanned(server, folder, 150, **alone, constitution=str(folder / "constitution.json"))
    assert given.report["constitution"]["given"] and (folder / "constitution.json").read_text() == mine


@pytest.mark.parametrize(
    ("options", "message"),
    [({"llm": "m"}, "belong together"), ({"llm_url": "http://x/v1"}, "belong together"),
     ({"llm": "m", "llm_url": "http://u:p@x/v1"}, "a user or a query"), ({"llm": "m", "llm_url": "x"}, "no URL"),
     ({"llm": "m", "llm_url": "http://x/v1", "llm_price": "1"}, "--llm-price"), ({"max_calls": -1}, "--max-calls"),
     ({"llm": "m", "llm_url": "http://x/v1", "votes": "f"}, "exclude each other"), ({"llm_pairs": 0}, "--llm-pairs"),
     ({"max_calls": 5}, "--max-calls without"), ({"llm_price": "1,2"}, "--llm-price without"),
     ({"llm_pairs": 9, "probe": ["refusal=judge+http://x/v1#m"]}, "--llm-pairs without")],
)  # fmt: skip
def test_options_that_cannot_be(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((UsageError, AuditError), match=message):
        prefaudit.scan(frame(30).select("chosen", "rejected"), tmp_path / "a", with_=["principles"], **options)


def test_a_cap_that_stands_in_a_file_waits_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "prefaudit.toml").write_text('max-calls = 5\nllm-price = "1,2"\n')
    assert configuration.load(tmp_path / "prefaudit.toml", {}, {}).max_calls == 5
    assert configuration.checked({"max_calls": 5, "probe": ["refusal=judge+http://x/v1#m"]}).max_calls == 5
    with pytest.raises(UsageError, match="--max-calls without a language model"):
        configuration.load(tmp_path / "prefaudit.toml", {"max_calls": 7}, {})

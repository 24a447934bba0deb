"""Repairs of audits in which a language model was asked: it is asked nothing more, and nothing is turned on by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chatting import Body, ChatServer, serving
from repair.making import jsonl, pairs

import prefaudit
from prefaudit import repair
from prefaudit.audit.selection import choose, recorded
from prefaudit.config import checked
from prefaudit.core import AuditError

LENS = {"embed", "lens", "names"}


def longer(body: Body) -> str:
    """Votes for the longer answer, whatever is asked."""
    a, b = (body["messages"][1]["content"].partition(f"<{x}>")[2].partition(f"</{x}>")[0] for x in "AB")
    return json.dumps({"1": "A" if len(a) > len(b) else "B"})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    jsonl(tmp_path / "a.jsonl", [{k: p[k] for k in ("chosen", "rejected")} for p in pairs(40)])
    (tmp_path / "p.txt").write_text("is longer\n")


def scanned(server: ChatServer, **more: Any) -> prefaudit.Audit:
    options = {"principles": ["p.txt"], "llm": "m", "llm_url": server.url, "llm_pairs": 20, "fail_on": "never"}
    return prefaudit.scan("a.jsonl", **{**options, "with_": ["text", "duplicates", "principles"], **more})


def measured(audit: prefaudit.Audit) -> set[str]:
    report = json.loads((audit.folder / "report.json").read_text())
    assert report["complete"]
    return set(report["options"]["extractors"])


def test_a_repair_asks_the_model_nothing_and_measures_no_lens() -> None:
    with serving(longer) as server:
        audit = scanned(server, with_=())
        sent, report = len(server.seen.asked), (audit.folder / "report.json").read_bytes()
        assert sent == 40 and "asked" in measured(audit)
        server.plan.trouble = lambda body, turn: "500"
        assert repair.filter("a.jsonl", "b.jsonl", drop="DUP").kept == 40
        assert repair.relabel("a.jsonl", "c.jsonl", flip="PRN001").read == 40
        assert (audit.folder / "report.json").read_bytes() == report
        assert repair.filter("a.jsonl", "d.jsonl", drop="DUP", without=["overlap"]).kept == 40  # measured anew
        assert len(server.seen.asked) == sent
    assert "asked" in measured(audit) and not LENS & measured(audit)


def test_an_incomplete_audit_is_refused_before_the_model_is_asked_again() -> None:
    with serving(longer) as server:
        assert scanned(server, max_calls=7).exit_code == 2
        with pytest.raises(AuditError, match=r"asked: .* were not asked") as error:
            repair.filter("a.jsonl", "b.jsonl", drop="DUP")
        assert "asks no language model" in error.value.hint and len(server.seen.asked) == 7
        named = {"llm": "m", "llm_url": server.url, "principles": ["p.txt"], "llm_pairs": 20}
        assert repair.filter("a.jsonl", "b.jsonl", drop="DUP", **named).kept == 40  # by its name it is
        assert len(server.seen.asked) == 40


def test_an_audit_without_the_opinion_of_a_judge_is_refused_too() -> None:
    with serving(lambda body: "no number") as server:
        options = {"with_": ["text", "probes"], "probe": [f"refusal=judge+{server.url}#m"], "fail_on": "never"}
        assert prefaudit.scan("a.jsonl", **options).exit_code == 2
        sent = len(server.seen.asked)
        with pytest.raises(AuditError, match=r"refusal: .* opinions are missing: .*: 6 requests in a row"):
            repair.filter("a.jsonl", "b.jsonl", drop="DUP")
    assert len(server.seen.asked) == sent == 18


def told(**options: Any) -> set[str]:
    return {e.name for e in choose(checked(options))}


def test_what_an_audit_was_told_turns_on_what_it_measured_and_no_more() -> None:
    llm = {"llm": "m", "llm_url": "http://x/v1"}
    for options in ({**llm, "with_": ["principles"]}, {**llm, "embedder": "lexical", "without": ["names"]}, llm,
                    {"embedder": "lexical", **llm}, {"embedder": "lexical", "with_": ["lens"], **llm}):  # fmt: skip
        before = tuple(e.settled(40) if hasattr(e, "settled") else e for e in choose(checked(options)))
        names = {e.name for e in before if e is not None}
        again = choose(checked({"reopened": recorded([e for e in before if e is not None])}))
        assert {e.name for e in again} & (LENS | {"asked"}) == names & (LENS | {"asked"})
        kept = {e.name: e for e in before if e is not None}
        settled = {e.name: e.settled(40) if hasattr(e, "settled") else e for e in again}
        for name in (LENS | {"asked"}) & names:
            assert settled[name] == kept[name]
    assert "names" in told(embedder="lexical", **llm)


def test_what_the_command_names_goes_before_what_the_audit_was_told() -> None:
    before = recorded(choose(checked({"llm": "m", "llm_url": "http://x/v1", "embedder": "lexical"})))
    made = {e.name: e for e in choose(checked({"reopened": before, "llm": "n", "llm_url": "http://y/v1"}))}
    assert {made[name].llm for name in ("asked", "names")} == {"n"} and made["embed"].embedder == "lexical"
    made = {e.name: e for e in choose(checked({"reopened": before, "with_": ["text"]}))}
    assert set(made) == {"text", "pair", "groups"}

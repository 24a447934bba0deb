"""What machines are given: read by their own parsers, of a hostile dataset, and as small for millions of findings."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tarfile
import unicodedata
from pathlib import Path
from typing import Any

import jsonschema
import junitparser
import polars as pl
import pytest
from hostile import TEXTS, write
from typer.testing import CliRunner

import prefaudit
from prefaudit import reports
from prefaudit.cli import app
from prefaudit.core import UsageError
from prefaudit.reports import card
from prefaudit.reports.github import command
from prefaudit.reports.items import items
from prefaudit.reports.sarif import uri

from .sample import failing, rule
from .sarif_schema import LOG

MACHINE = ("sarif", "junit", "github")
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> prefaudit.Audit:
    """The hostile dataset, in a file whose name is hostile too, with gates on slices that are."""
    folder = tmp_path_factory.mktemp("hostile")
    data = write(folder / "a%0A::error::x,y=z <b>\u202e|'.jsonl")
    slices = [{"source": TEXTS[k], "error_if": "found < 1000000"} for k in (0, 3)]
    gate = {"SCH003": {"error_if": "rate > 99 %", "slice": slices},
            "effects": {"words": {"warn_if": "win_rate > 0", "min_rows": 10}}}  # fmt: skip
    return prefaudit.scan(str(data), folder / "audit", gate=gate)


def unsafe(text: str) -> set[str]:
    return {c for c in set(text) if unicodedata.category(c) in UNSAFE} - {"\n", "\u200c", "\u200d"}


@pytest.mark.parametrize("name", [n for n in reports.FORMATS if n != "html"])
def test_nothing_of_a_hostile_dataset_steers_a_terminal_or_a_pipeline(audit: prefaudit.Audit, name: str) -> None:
    text = reports.render(name, audit.report)
    assert unsafe(text) == set()
    assert len(text) < 400_000
    if name != "github":
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in text or name in ("json", "jsonl")


def test_no_row_that_is_shown_in_a_pipeline_is_a_command(audit: prefaudit.Audit) -> None:
    for environment, spoken in (({"CI": "true"}, False), ({"CI": ""}, True)):
        shown = ""
        for code in ("SCH001", "SCH003", "DUP001"):
            told = CliRunner().invoke(app, ["show", str(audit.folder), code, "-n", "100"], env=environment)
            assert told.exit_code == 0
            shown += told.stdout
        assert unsafe(shown) == set()
        lines = [line for line in shown.split("\n") if line.lstrip().startswith("::") or "##[" in line]
        assert bool(lines) is spoken


def test_names_of_columns_steer_nothing(tmp_path: Path) -> None:
    prompt, chosen, rejected, scores = (TEXTS[k] for k in (1, 4, 6, 15))
    rows = [{prompt: f"Question {k}?", chosen: f"Answer {k}, in words.", rejected: "" if k == 3 else f"No {k}.",
             f"{scores} c": k % 3, f"{scores} r": 1} for k in range(30)]  # fmt: skip
    audit = prefaudit.scan(pl.DataFrame(rows), tmp_path / "audit", with_=("strength",),
                           map={"prompt": prompt, "chosen": chosen, "rejected": rejected},
                           score_columns=(f"{scores} c:{scores} r",))  # fmt: skip
    assert not [e for e in audit.report["extractors"] if e["status"] == "error"]
    for name in reports.FORMATS:
        text = reports.render(name, audit.report)
        assert unsafe(text) == set(), name
        assert name != "html" or ("&amp;entity;" in text and "<x/>&entity;" not in text)
    jsonschema.Draft7Validator(LOG).validate(json.loads(reports.render("sarif", audit.report)))
    assert commands(reports.render("github", audit.report))
    assert junitparser.JUnitXml.fromstring(reports.render("junit", audit.report).encode()).tests


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Workflow commands as the runner of GitHub Actions reads them (ActionCommand.TryParseV2)."""
    found = []
    for line in text.rstrip("\n").split("\n"):
        assert line.startswith("::"), line
        end = line.index("::", 2)
        name, _, given = line[2:end].partition(" ")
        values = dict(pair.split("=", 1) for pair in given.split(","))
        read = {k: re.sub("%0D|%0A|%3A|%2C|%25", _mark, v) for k, v in values.items()}
        found.append((name, read, re.sub("%0D|%0A|%25", _mark, line[end + 2 :])))
    return found


def _mark(found: re.Match[str]) -> str:
    return {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}[found[0]]


def test_github_reads_the_annotations(audit: prefaudit.Audit) -> None:
    told = commands(reports.render("github", audit.report))
    assert {name for name, *_ in told} <= {"error", "warning", "notice"}
    assert all(set(given) <= {"title", "file"} for _, given, _ in told)
    for level in ("error", "warning", "notice"):
        assert sum(name == level for name, *_ in told) <= 10
    titles = [given["title"] for _, given, _ in told]
    assert any(title.startswith("SCH003 identical-answers (source <script>") for title in titles)
    assert told[-1] == ("notice", {"title": "prefaudit"}, told[-1][2])


@pytest.mark.parametrize("text", [*TEXTS, "a,b:c=d%e\r\nf", "::x::", ""])
def test_a_command_gives_back_its_texts(text: str) -> None:
    lines = command("error", text, text, text)
    assert "\n" not in lines and "\r" not in lines
    (name, given, message), *_ = commands(lines)
    assert (name, given.get("title", ""), message) == ("error", text, text)


def test_junitparser_reads_the_suite(audit: prefaudit.Audit, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(reports.render("junit", audit.report), encoding="utf-8")
    suites = junitparser.JUnitXml.fromfile(str(path))
    cases = [case for suite in suites for case in suite]
    told = items(audit.report)
    assert suites.tests == len(cases) == len(told)
    assert suites.failures == sum(item.fails for item in told if item.state == "fired") > 0
    assert suites.skipped == sum(item.state == "unjudged" for item in told) > 0
    assert suites.errors == 0
    assert len({case.name for case in cases}) == len(cases)
    names = {case.name for case in cases if any(isinstance(r, junitparser.Failure) for r in case.result)}
    assert any(name.startswith("SCH003 identical-answers (source") for name in names)
    fixed = junitparser.JUnitXml.fromfile(str(path))
    fixed.update_statistics()
    assert (fixed.tests, fixed.failures, fixed.errors, fixed.skipped) == (
        suites.tests, suites.failures, suites.errors, suites.skipped)  # fmt: skip


def test_json_lines_hold_slices_and_gates(audit: prefaudit.Audit) -> None:
    lines = [json.loads(line) for line in reports.render("jsonl", audit.report).splitlines()]
    assert [line["code"] for line in lines] == [*(r["code"] for r in audit.report["rules"]), "effects.words"]
    told = {line["code"]: line for line in lines}
    empty = told["SCH001"]
    by = {one["by"] for one in empty["slices"]}
    assert {"source", "annotator"} <= by
    assert sum(one["found"] for one in empty["slices"] if one["by"] == "source") == empty["found"]
    assert [gate["slice"] for gate in told["SCH003"]["gates"]] == [{"source": TEXTS[0]}, {"source": TEXTS[3]}, {}]


def check(log: Any) -> None:
    jsonschema.Draft7Validator.check_schema(LOG)
    jsonschema.Draft7Validator(LOG, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER).validate(log)


def test_sarif_is_valid(audit: prefaudit.Audit) -> None:
    log = json.loads(reports.render("sarif", audit.report))
    check(log)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == list(dict.fromkeys(r["id"] for r in rules))
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    counted = {r["code"]: r["found"] for r in audit.report["rules"] if r["status"] == "fired"}
    gated = {g["on"] for g in audit.report["gates"]}
    whole = {r["ruleId"]: r.get("occurrenceCount") for r in run["results"] if r["ruleId"] not in gated}
    assert whole == {code: n for code, n in counted.items() if code not in gated}
    assert len({r["partialFingerprints"]["prefaudit/v1"] for r in run["results"]}) == len(run["results"])
    assert run["invocations"][0]["exitCode"] == audit.exit_code == 1
    said = "\n".join(r["message"]["text"] for r in run["results"])
    assert "[click] (javascript:alert(1))" in said  # the name of a source
    assert not re.search(r"\]\(|\{\d", said)


@pytest.mark.parametrize("change", [
    lambda log: log["runs"][0]["results"][0].update(level="fatal"),
    lambda log: log["runs"][0]["results"][0].pop("message"),
    lambda log: log["runs"][0]["results"][0].update(occurrenceCount=0),
    lambda log: log["runs"][0]["tool"]["driver"]["rules"][0].pop("id"),
    lambda log: log.update(version="2.0.0"),
    lambda log: log["runs"][0].update(more=1),
])  # fmt: skip
def test_the_schema_refuses_what_is_wrong(audit: prefaudit.Audit, change: Any) -> None:
    log = json.loads(reports.render("sarif", audit.report))
    change(log)
    with pytest.raises(jsonschema.ValidationError):
        check(log)


@pytest.mark.heavy
def test_sarif_is_valid_by_the_whole_schema(audit: prefaudit.Audit, tmp_path: Path) -> None:
    words = ["download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(tmp_path), "sarif-om==1.0.4"]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    with tarfile.open(tmp_path / "sarif_om-1.0.4.tar.gz") as packed:
        member = packed.extractfile("sarif_om-1.0.4/sarif-2.1.0-rtm.4.json")
        assert member is not None
        schema = json.loads(member.read())
    for report in (audit.report, failing(), {**audit.report, "baseline": {"file": "b", "pairs": 1, "new": [],
                                                                          "known": 1, "gone": []}}):  # fmt: skip
        jsonschema.Draft4Validator(schema).validate(json.loads(reports.render("sarif", report)))


@pytest.mark.parametrize(("path", "said"), [
    ("data/a b.jsonl", "data/a%20b.jsonl"), ("/data/a%0A.parquet", "file:///data/a%250A.parquet"),
    ("s3://bucket/a b", "s3://bucket/a%20b"), ("tr#ck?.csv", "tr%23ck%3F.csv"), ("a:b.csv", "a%3Ab.csv"),
])  # fmt: skip
def test_paths_become_uris(path: str, said: str) -> None:
    assert uri(path) == said


@pytest.mark.parametrize("name", MACHINE)
def test_five_million_findings_give_a_small_file(name: str) -> None:
    """Of the numbers alone: what a report names per rule and slice is bounded where it is made."""
    small = failing()
    large = copy.deepcopy(small)
    for one in large["rules"]:
        if one["scope"] == "pair" and one["status"] == "fired":
            one.update(found=700_000, judged=10**7)
    sizes = [len(reports.render(name, report)) for report in (small, large)]
    assert sum(r["found"] for r in large["rules"]) > 4_900_000
    assert sizes[1] - sizes[0] < 1000
    assert sizes[1] < 50_000


def test_findings_of_every_row_do_not_lengthen_a_report(tmp_path: Path) -> None:
    """Two audits, one of a hundred times the rows: every pair found by the same rules, in thirty sources."""
    sizes: list[dict[str, int]] = []
    for k, n in enumerate((60, 6000)):
        frame = pl.DataFrame({"prompt": [f"Question {i}?" for i in range(n)], "chosen": [""] * n,
                              "rejected": [""] * n, "source": [f"source {i % 30}" for i in range(n)]})  # fmt: skip
        made = prefaudit.scan(frame, tmp_path / str(k), select=["SCH"], with_=["text"])
        assert made.findings.height >= 2 * n
        sizes.append({name: len(reports.render(name, made.report)) for name in (*MACHINE, "jsonl", "markdown", "card")})
    assert all(sizes[1][name] - sizes[0][name] < 500 for name in sizes[0]), sizes


@pytest.mark.parametrize("width", [60, 80, 120])
def test_one_screen_with_gates_and_a_baseline(width: int) -> None:
    report = failing()
    gate = {"on": "DUP001", "slice": {"source": TEXTS[0] * 9}, "status": "failed", "severity": "error", "why": "",
            "condition": "rate > 1 %", "judged": 100, "found": 9, "rate": 0.09, "interval": [0.05, 0.2],
            "value": 1.0}  # fmt: skip
    report["gates"] = [gate] * 9
    new = {"on": "DUP001", "slice": {}, "severity": "error", "why": "9 found, 3 in the baseline"}
    report["baseline"] = {"file": "known.json", "pairs": 9, "new": [new] * 9, "known": 3, "gone": []}
    lines = reports.render("terminal", report, width=width).splitlines()
    assert len(lines) <= 45
    said = " ".join(" ".join(lines).split())
    assert "since known.json, 9 pairs: 9 new findings (DUP001: 9 found" in said
    assert "more gates in the other reports" in said


FRONT = "---\nlicense: mit\ntags:\n- preference\nconfigs:\n- config_name: x\n---\n\n# My pairs\n\nWords | of | mine.\n"


def test_a_card_keeps_what_it_says(audit: prefaudit.Audit, tmp_path: Path) -> None:
    section = card.render(audit.report)
    path = tmp_path / "README.md"
    path.write_text(FRONT)
    once = card.into(path, section)
    assert once.decode().startswith(FRONT)
    path.write_bytes(once + b"\nAfter it.\n")
    twice = card.into(path, section.replace("## Audit", "## Audited again"))
    text = twice.decode()
    assert text.startswith(FRONT) and text.endswith("\nAfter it.\n")
    assert text.count(card.BEGIN) == text.count(card.END) == 1
    assert "## Audited again" in text and "## Audit\n" not in text


@pytest.mark.parametrize("old", ["", "x", "x\n", "\ufeff---\r\na: 1\r\n---\r\ntext\r\n", "---\na: 1\n---"])
def test_a_card_of_any_shape_is_kept(tmp_path: Path, old: str) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(old.encode())
    section = card.render(failing())
    first = card.into(path, section)
    assert first.startswith(old.encode())
    assert (b"\r\n" in first) == ("\r\n" in old)
    path.write_bytes(first)
    assert card.into(path, section) == first


@pytest.mark.parametrize("old", [card.BEGIN, f"{card.END}\n{card.BEGIN}\n", f"{card.BEGIN}\n{card.END}\n{card.END}\n"])
def test_a_card_whose_marks_do_not_match_is_left_alone(tmp_path: Path, old: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(old)
    with pytest.raises(UsageError, match="mark"):
        card.into(path, card.render(failing()))
    assert path.read_text() == old


def test_markdown_of_a_hostile_dataset_holds_no_tag(audit: prefaudit.Audit) -> None:
    for name in ("markdown", "card"):
        text = reports.render(name, audit.report)
        outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.M | re.S)
        outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
        tags = set(re.findall(r"</?[a-zA-Z][^>]*>|<!--.*?-->", outside))
        assert tags <= {"<details>", "</details>", "<summary>", "</summary>", "<!-- -->", card.BEGIN, card.END}
        assert not re.search(r"(?<!\\)\]\(", outside)
        assert not re.search("^---", outside, re.M)


def test_failures_and_unjudged_rules_are_told() -> None:
    report = failing()
    report["complete"], report["exit_code"] = False, 2
    report["extractors"].append(
        {"name": "near", "fingerprint": "x", "status": "failed", "error": "MemoryError: \x1b[2J"}
    )
    report["rules"].append(rule("USR001", "own", "warning", "error", message="no such column"))
    told = items(report)
    assert [item.state for item in told[:2]] == ["error", "error"]
    assert "::error title=extractor near,file=data/test.jsonl.gz::extractor near failed" in reports.render(
        "github", report
    )
    log = json.loads(reports.render("sarif", report))
    check(log)
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert len(log["runs"][0]["invocations"][0]["toolExecutionNotifications"]) == 2
    assert '<error message="rule failed: no such column"' in reports.render("junit", report)

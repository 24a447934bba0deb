"""Properties that hold for every report, and the golden files of the plain ones."""

from __future__ import annotations

import copy
import json as stdlib_json
import math
import os
import random
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from prefaudit import reports
from prefaudit.core import UsageError
from prefaudit.reports import digest as digesting
from prefaudit.reports import terminal
from prefaudit.reports.json import canonical
from prefaudit.reports.words import cells

from .sample import FEATURES, HOSTILE, SAMPLES, clean_small, effect, failing, hostile, rule

GOLDEN = Path(__file__).parent / "golden"
SGR = re.compile("\x1b\\[[0-9;]*m")
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Written out and not taken from the package: what a terminal or an editor must never be handed.
NEVER = (
    "\x00\x07\x08\x1b\x7f\x85\x9b\x9d\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041\ud800"
)


def unsafe(text: str) -> set[str]:
    odd = {c for c in set(text) if unicodedata.category(c) in UNSAFE} - {"\n", "\u200c", "\u200d"}
    return odd | (set(NEVER) & set(text))


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(("form", "suffix"), [("terminal", "txt"), ("markdown", "md")])
def test_golden(name: str, form: str, suffix: str) -> None:
    path = GOLDEN / f"{name}.{suffix}"
    text = reports.render(form, SAMPLES[name]())
    if os.environ.get("PREFAUDIT_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("form", reports.FORMATS)
def test_no_output_holds_a_control_character(name: str, form: str) -> None:
    if form == "baseline" and not SAMPLES[name]()["complete"]:
        with pytest.raises(UsageError, match="incomplete"):
            reports.render(form, SAMPLES[name]())
        return
    text = reports.render(form, SAMPLES[name]())
    assert unsafe(text) == set()
    text.encode("utf-8")
    assert text.endswith("\n") or text == ""


def test_colour_adds_styles_and_nothing_else() -> None:
    for make in SAMPLES.values():
        plain, styled = (reports.render("terminal", make(), color=color) for color in (False, True))
        assert styled != plain
        assert unsafe(SGR.sub("", styled)) == set()
        assert [line.rstrip() for line in SGR.sub("", styled).split("\n")] == plain.split("\n")


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [40, 60, 72, 80, 100, 120, 200])
def test_one_screen(name: str, width: int) -> None:
    lines = reports.render("terminal", SAMPLES[name](), width=width).splitlines()
    assert len(lines) <= 45
    assert [s for s in lines if cells(s) > max(width, 60) and not s.startswith("  prefaudit ")] == []


def test_one_screen_at_any_size() -> None:
    rng = random.Random(0)
    for _ in range(60):
        report = failing()
        words = ["wide 漢字 and é", "a" * 200, "short", HOSTILE, "many words " * 20]
        report["rules"] = [
            rule(f"R{i:05}", rng.choice(words), rng.choice(("error", "warning", "info")), found=rng.randrange(10**6),
                 scope=rng.choice(("pair", "dataset", "feature")), examples=[rng.randrange(10**7) for _ in range(5)],
                 message=rng.choice(words), judged=10**6, status=rng.choice(("fired", "ok", "unjudged", "error")))
            for i in range(rng.randrange(60))
        ]  # fmt: skip
        report["unknown"] = report["unknown"] * rng.randrange(6)
        report["effects"] = [effect(rng.choice(FEATURES), 10**6, 10**5) for _ in range(rng.randrange(30))]
        report["next"] = report["next"] * rng.randrange(4)
        width = rng.choice((60, 80, 100, 140))
        lines = reports.render("terminal", report, width=width).splitlines()
        assert len(lines) <= 45
        assert [s for s in lines if cells(s) > width and not s.startswith("  prefaudit ")] == []


def test_sections_stand_in_order_in_every_readable_report() -> None:
    titles = ["READ", "UNKNOWN", "FIX FIRST", "PREDICTABLE", "HELD OUT", "CHOSEN HAS MORE", "NEXT"]
    for make in SAMPLES.values():
        heads = [t for s in reports.render("terminal", make()).splitlines() for t in titles if s.startswith(t)]
        assert heads == titles
        page = reports.render("markdown", make())
        assert [t.upper() for t in re.findall(r"^### (.+)$", page, re.M)] == titles
        html = reports.render("html", make())
        there = [t.strip().upper() for t in re.findall(r"<h2[^>]*>([^<]+)", html)]
        assert set(titles) <= set(there) and there[0] == "FIX FIRST"


def test_the_headline_tells_the_verdict() -> None:
    first = {name: reports.render("terminal", make(), width=200).splitlines()[0] for name, make in SAMPLES.items()}
    assert first["failing"] == "2,308 pairs (hh, jsonl): 1 error, 7 warnings, 2 notes; gate failed"
    assert first["clean"] == "31 pairs (trl, parquet): no rule fired; gate passed (fails on warnings)"
    for name in ("hostile", "cut-short"):
        assert first[name].startswith("INCOMPLETE AUDIT")
        assert "passed" not in first[name]
    for form in ("markdown", "html"):
        assert "INCOMPLETE AUDIT" in reports.render(form, hostile())[: 8000 if form == "html" else 200]


def test_a_failed_extractor_and_a_failed_rule_are_named() -> None:
    report = clean_small()
    report["complete"], report["exit_code"] = False, 2
    report["extractors"][0].update(status="failed", error="MemoryError: \x1b[2Jtoo much")
    report["rules"][0].update(status="error", message="no such column")
    for form in ("terminal", "markdown", "html"):
        text = reports.render(form, report)
        assert "extractor text failed: MemoryError" in text
        assert "rule DUP001 failed: no such column" in text


def test_what_is_missing_is_said() -> None:
    text = reports.render("terminal", clean_small())
    assert "30 groups: under 40 no effect is estimated" in text
    assert "under 40 groups no baseline is fitted" in text
    assert "annotators: none named" in reports.render("terminal", failing())
    assert "not estimated for 2 features: length is what is held" in reports.render("terminal", failing())


def test_an_effect_without_an_interval_is_not_shown() -> None:
    report = failing()
    for e in report["effects"]:
        e.update(low=None, high=None, interval=None, note="fewer than 40 groups")
    for form in ("terminal", "markdown", "html"):
        text = reports.render(form, report)
        assert "17.6" not in text and "15.1" not in text
        assert "not estimated for 10 features: fewer than 40 groups" in text


def test_an_error_is_never_called_merely_predictable() -> None:
    for scope in ("pair", "dataset", "feature"):
        said = digesting.digest({"rules": [rule("LEN010", "x", "error", scope=scope)]})
        assert [f.code for f in said.fix] == ["LEN010"]
        assert said.predictable == []
    said = digesting.digest(
        {"rules": [rule("LEN010", "x", "warning", scope="dataset"), rule("SCH001", "y", "warning", scope="dataset")]}
    )
    assert [f.code for f in said.predictable] == ["LEN010"]
    assert [f.code for f in said.fix] == ["SCH001"]


def test_findings_come_by_severity_then_size() -> None:
    codes = [("A", "info", 9), ("B", "warning", 1), ("C", "error", 1), ("D", "warning", 5)]
    said = digesting.digest({"rules": [rule(c, c, s, found=n) for c, s, n in codes]})
    assert [f.code for f in said.fix] == ["C", "D", "B", "A"]


def test_commands_are_never_cut() -> None:
    report = failing()
    command = "prefaudit filter data.parquet -o " + "long/" * 30 + "out.parquet --drop DUP"
    report["next"] = [{"command": command, "why": "drop the duplicates", "rows": 42}]
    assert f"  {command}\n" in reports.render("terminal", report)


def test_json_round_trips_and_is_stable() -> None:
    for make in SAMPLES.values():
        report = make()
        before = copy.deepcopy(report)
        text = reports.render("json", report)
        assert stdlib_json.loads(text) == canonical(before)
        assert reports.render("json", stdlib_json.loads(text)) == text == reports.render("json", make())
        assert text.count("\n") > 1 and text.endswith("}\n")


def test_json_numbers() -> None:
    odd: dict[str, Any] = {
        "b": 0.1234567891,
        "a": [float("nan"), float("inf"), -math.inf, -1e-9, 1e-7, (1, True)],
        3: None,
    }
    assert reports.render("json", odd) == stdlib_json.dumps(
        {"b": 0.123457, "a": [None, None, None, 0.0, 0.0, [1, True]], "3": None}, indent=2
    ) + "\n"  # fmt: skip
    assert reports.render("json", {"x": "é漢\u200d"}) == '{\n  "x": "é漢\u200d"\n}\n'
    import numpy as np

    assert canonical({"n": np.int64(3), "x": np.float32(0.5), "y": np.float64(0.1)}) == {"n": 3, "x": 0.5, "y": 0.1}
    with pytest.raises(TypeError, match="cannot hold a set"):
        canonical({"x": {1}})


def test_json_lines() -> None:
    report = hostile()
    lines = reports.render("jsonl", report).splitlines()
    told = [stdlib_json.loads(line) for line in lines]
    assert all(rule.pop("slices") == rule.pop("gates") == [] for rule in told)
    assert told == canonical(report["rules"])
    assert reports.render("jsonl", {}) == ""


class Page(HTMLParser):
    """What a browser would see: tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "rect", "line", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", SAMPLES)
def test_html_holds_no_tag_of_the_dataset(name: str) -> None:
    text = reports.render("html", SAMPLES[name]())
    assert len(text.encode()) < 2_000_000
    page = Page()
    page.feed(text)
    assert page.open == []
    assert not {"img", "iframe", "object", "link", "base", "embed"} & set(page.tags)
    assert page.tags.count("script") == 1 and page.tags.count("style") == 1
    names = {key for key, _ in page.attributes}
    assert not {key for key in names if key.startswith("on")} and not {"src", "style", "action"} & names
    assert all((value or "").startswith("#") for key, value in page.attributes if key == "href")
    assert "default-src 'none'" in text and "http://" not in text and "url(" not in text.lower()
    assert ("<script>alert(1)</script>" in page.text) == (name == "hostile")


def test_the_page_stays_small_whatever_the_report() -> None:
    report = hostile()
    report["effects"] = [{**effect(FEATURES[k % 10], 10**6, 10**5), "label": HOSTILE} for k in range(2000)]
    report["effects_by_source"] = [{"source": f"{HOSTILE}{k}", "effects": report["effects"][:80]} for k in range(8)]
    short = {"prevalence": 0.1, "delta_win": 0.1, "interval": [0.0, 0.2], "q": 0.01}
    report["lens"] = {"each": [{"feature": f"f{k}", "name": HOSTILE * 9, "terms": [{"words": HOSTILE, "r": 0.5}] * 4,
                                "stability": 0.5, "stable": True, "effect": short, "examples": [1, 2, 3]}
                               for k in range(2000)]}  # fmt: skip
    cut = {"pairs": 9, "share": 0.1, "groups": 9, "ties": 0, "longer_wins": 0.5, "longer_wins_interval": [0.4, 0.6]}
    codes = [{"code": r["code"], "judged": 9, "found": k % 9} for k, r in enumerate(report["rules"])]
    report["slices"] = [{"by": by, "slice": f"{HOSTILE}{k}", **cut, "rules": codes[k:]}
                        for by in ("source", "annotator", "language") for k in range(20)]  # fmt: skip
    report["annotators"] = report["annotators"] * 500
    assert len(reports.render("html", report).encode()) < 2_000_000


def test_html_shows_the_pairs_with_the_differing_words_marked() -> None:
    text = reports.render("html", failing())
    assert "<mark>will not pay.</mark>" in text
    assert "Can you help me write a letter" in text


def test_markdown_holds_nothing_of_the_dataset_that_acts() -> None:
    text = reports.render("markdown", hostile())
    assert len(text) <= 60_000
    fenced = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    bare = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\.", "", fenced))
    tags = set(re.findall(r"<[^>]*>?", bare)) - {"<!-- -->"}
    assert tags <= {"<details>", "</details>", "<summary>", "</summary>"}
    assert not re.search(r"@[a-z]|#\d|://|www\.", bare.replace("<!-- -->", "\x00"))
    for line in fenced.splitlines():
        if line.startswith("| "):
            assert line.endswith(" |")


def test_markdown_tables_have_as_many_cells_in_each_row() -> None:
    for make in SAMPLES.values():
        width = 0
        for line in reports.render("markdown", make()).splitlines():
            cells_ = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("| ") else 0
            assert not (width and cells_) or cells_ == width
            width = cells_


def test_a_text_cannot_close_its_fence() -> None:
    report = failing()
    report["examples"]["118"]["chosen"] = "````\n# out\n```\n"
    text = reports.render("markdown", report)
    assert "`````text\n````\n# out\n```\n`````" in text


def test_unknown_format() -> None:
    with pytest.raises(UsageError) as error:
        reports.render("markdwon", failing())
    assert error.value.hint == "did you mean 'markdown'?"
    assert terminal.SCREEN == 45

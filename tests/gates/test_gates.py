"""Conditions, what they decide, and what is new since a baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit import gates
from prefaudit.core import UsageError
from prefaudit.gates import GateError, decide, fails
from prefaudit.gates.baseline import SCHEMA
from prefaudit.reports import render


def only(**table: Any) -> gates.Gate:
    return gates.read({"DUP001": table})[0]


def numbers(found: int = 10, judged: int = 100, **more: Any) -> dict[str, Any]:
    rate = found / judged if judged else None
    return {"judged": judged, "found": found, "rate": rate, "interval": [0.05, 0.18], "value": 2.0, **more}


@pytest.mark.parametrize(("condition", "holds"), [
    ("rate > 5 %", True), ("rate > 10%", False), ("rate >= 0.1", True), ("rate_low > 4 %", True),
    ("found != 10", False), ("rate_low > 6 %", False), ("value < 3", True), ("abs(value) == 2", True),
    ("value > -1e-3", True), ("never", False), ("  rate   >   .05 ", True),
])  # fmt: skip
def test_a_condition_compares_a_measure_with_a_number(condition: str, holds: bool) -> None:
    said = decide(only(error_if=condition), numbers(), "warning")
    assert (said["status"], said["severity"]) == (("failed", "error") if holds else ("passed", "warning"))
    assert said["condition"] == " ".join(condition.split())


@pytest.mark.parametrize(("table", "own", "status", "severity"), [
    ({"error_if": "rate > 5 %", "warn_if": "rate > 1 %"}, "info", "failed", "error"),
    ({"error_if": "rate > 20 %", "warn_if": "rate > 1 %"}, "error", "failed", "warning"),
    ({"error_if": "rate > 20 %", "warn_if": "rate > 15 %"}, "error", "passed", "info"),
    ({"error_if": "rate > 20 %"}, "error", "passed", "warning"),
    ({"error_if": "rate > 20 %"}, "info", "passed", "info"),
    ({"warn_if": "rate > 1 %"}, "error", "failed", "warning"),
    ({"warn_if": "never"}, "error", "passed", "info"),
    ({"error_if": "rate > 5 %", "min_rows": 101}, "error", "unjudged", "info"),
    ({"error_if": "rate > 5 %", "min_rows": 100}, "warning", "failed", "error"),
])  # fmt: skip
def test_severity_by_gate(table: dict[str, Any], own: str, status: str, severity: str) -> None:
    said = decide(only(**table), numbers(), own)
    assert (said["status"], said["severity"]) == (status, severity)


def test_what_is_not_known_is_not_decided() -> None:
    none = numbers(judged=0, found=0)
    assert decide(only(error_if="rate > 0"), none, "warning")["status"] == "unjudged"
    effect = gates.read({"effects": {"refusal": {"error_if": "abs(effect) > 0.1"}}})[0]
    said = decide(effect, {"judged": 500, "effect": None, "note": "under 40 groups"}, "info")
    assert (said["status"], said["why"]) == ("unjudged", "under 40 groups")
    # Nothing found has no extreme value, and is not unknown.
    assert decide(only(error_if="value > 1"), numbers(found=0, value=None), "warning")["status"] == "passed"


@pytest.mark.parametrize(("table", "path", "said"), [
    ({"DUP001": 3}, ("gate", "DUP001"), "has to be a table"),
    ({"DUP001": {}}, ("gate", "DUP001"), "has no condition"),
    ({"DUP001": {"error_iff": "rate > 1"}}, ("gate", "DUP001", "error_iff"), "did you mean 'error_if'"),
    ({"DUP001": {"error_if": 3}}, ("gate", "DUP001", "error_if"), "in quotes"),
    ({"DUP001": {"error_if": "rate > 1 and found > 2"}}, ("gate", "DUP001", "error_if"), "one measure"),
    ({"DUP001": {"error_if": "rates > 1"}}, ("gate", "DUP001", "error_if"), "did you mean 'rate'"),
    ({"DUP001": {"error_if": "effect > 1"}}, ("gate", "DUP001", "error_if"), "unknown measure"),
    ({"DUP001": {"error_if": "rate > 1e999"}}, ("gate", "DUP001", "error_if"), "too large"),
    ({"DUP001": {"error_if": "rate > 200 %"}}, ("gate", "DUP001", "error_if"), "decided beforehand: rate is at most 1"),
    ({"DUP001": {"error_if": "rate > 100 %"}}, ("gate", "DUP001", "error_if"), "at most 1"),
    ({"DUP001": {"error_if": "rate > 5"}}, ("gate", "DUP001", "error_if"), "for 5 of a hundred: 5 %"),
    ({"DUP001": {"warn_if": "rate_low < 0"}}, ("gate", "DUP001", "warn_if"), "at least 0"),
    ({"DUP001": {"error_if": "found > -1"}}, ("gate", "DUP001", "error_if"), "at least 0"),
    ({"DUP001": {"error_if": "found > 5 %"}}, ("gate", "DUP001", "error_if"), "no share"),
    ({"effects": {"words": {"error_if": "abs(effect) > 20"}}}, ("gate", "effects", "words", "error_if"),
     "abs(effect) is at most 1"),
    ({"effects": {"words": {"error_if": "bound < -1"}}}, ("gate", "effects", "words", "error_if"), "at least -1"),
    ({"effects": {"words": {"warn_if": "rate > 1"}}}, ("gate", "effects", "words", "warn_if"), "unknown measure"),
    ({"DUP001": {"warn_if": "never", "min_rows": -1}}, ("gate", "DUP001", "min_rows"), "whole number"),
    ({"DUP001": {"slice": {"source": "x"}}}, ("gate", "DUP001", "slice"), "[[gate.CODE.slice]]"),
    ({"DUP001": {"slice": [{"warn_if": "never"}]}}, ("gate", "DUP001", "slice", 0), "names no slice"),
    ({"DUP001": {"slice": [{"sorce": "x"}]}}, ("gate", "DUP001", "slice", 0, "sorce"), "did you mean 'source'"),
    ({"DUP001": {"slice": [{"source": 3}]}}, ("gate", "DUP001", "slice", 0, "source"), "in quotes"),
    ({"effects": {"words": {"slice": []}}}, ("gate", "effects", "words", "slice"), "unknown key"),
])  # fmt: skip
def test_what_is_wrong_with_a_gate_is_said(table: dict[str, Any], path: tuple[str | int, ...], said: str) -> None:
    with pytest.raises(GateError) as error:
        gates.read(table)
    assert error.value.path == path
    assert said in f"{error.value.message} {error.value.hint}"


def pairs() -> pl.DataFrame:
    """200 pairs of three sources; empty chosen answers: 2 of 100 in a, 10 of 50 in b, 1 of 50 in c."""
    rows = [{"prompt": f"What is {i} plus {i}?", "chosen": f"{i} plus {i} is {2 * i}.",
             "rejected": f"It is {2 * i + 1}.", "source": "a" if i < 100 else "b" if i < 150 else "c"}
            for i in range(200)]  # fmt: skip
    for i in (*range(2), *range(100, 110), 150):
        rows[i]["chosen"] = ""
    return pl.DataFrame(rows)


def scan(folder: Path, **options: Any) -> prefaudit.Audit:
    return prefaudit.scan(pairs(), folder, with_=["text"], select=["SCH001", "LEN"], **options)


def test_slices_are_judged_apart_and_decide_the_exit_code(tmp_path: Path) -> None:
    assert scan(tmp_path / "a").exit_code == 1
    table = {"error_if": "rate > 3 %", "slice": [{"source": "b", "error_if": "rate > 25 %", "warn_if": "found > 3"},
                                                 {"source": "z"}]}  # fmt: skip
    audit = scan(tmp_path / "a", gate={"SCH001": table})
    told = [(g["slice"], g["status"], g["severity"], g["found"], g["judged"]) for g in audit.report["gates"]]
    assert told == [
        ({"source": "b"}, "failed", "warning", 10, 50),
        ({"source": "z"}, "unjudged", "info", 0, 0),
        ({}, "passed", "warning", 3, 150),
    ]
    assert audit.exit_code == 0
    assert {r["code"]: r["severity"] for r in audit.report["rules"]}["SCH001"] == "warning"
    assert set(audit.findings.filter(pl.col("rule") == "SCH001")["severity"]) == {"warning"}
    assert audit.report["options"]["gate"] == {"SCH001": table}
    strict = scan(tmp_path / "a", gate={"SCH001": {**table, "error_if": "rate > 1 %"}})
    assert strict.exit_code == 1
    assert fails(strict.report) == [{"on": "SCH001", "slice": {}, "severity": "error", "condition": "rate > 1 %"}]
    whole = json.loads((strict.folder / "report.json").read_text())
    fresh = scan(tmp_path / "b", gate={"SCH001": {**table, "error_if": "rate > 1 %"}})
    assert json.loads((fresh.folder / "report.json").read_text()) == whole


def test_gates_on_rules_that_hold_or_are_not_asked_and_on_effects(tmp_path: Path) -> None:
    gate = {"LEN001": {"error_if": "found == 0"}, "PII001": {"error_if": "found > 0"},
            "effects": {"words": {"warn_if": "win_rate < 1"}, "emoji": {"error_if": "effect > 0"}}}  # fmt: skip
    audit = scan(tmp_path / "a", gate=gate, fail_on="warning", severity={"SCH001": "info"})
    told = {g["on"]: (g["status"], g["severity"]) for g in audit.report["gates"]}
    assert told["LEN001"] == ("failed", "error")
    assert told["PII001"] == ("unjudged", "info")
    assert told["effects.words"] == ("failed", "warning")
    assert told["effects.emoji"][0] == "unjudged"
    assert [one["on"] for one in fails(audit.report)] == ["LEN002", "LEN001", "effects.words"]
    assert audit.exit_code == 1


@pytest.mark.parametrize(("options", "said"), [
    ({"gate": {"SCH01": {"error_if": "never"}}}, "[gate] SCH01: unknown rule"),
    ({"gate": {"effects": {"refusl": {"error_if": "never"}}}}, "[gate.effects] refusl: unknown feature"),
    ({"gate": {"LEN002": {"slice": [{"source": "a", "error_if": "never"}]}}}, "[gate.LEN002] slice: LEN002 asks one"),
    ({"severity": {"SCH001": "eror"}}, "[severity] SCH001: unknown severity"),
    ({"params": {"LEN001": {"ratoi": 3}}}, "[params.LEN001] ratoi: unknown parameter"),
    ({"params": {"LEN001": {"ratio": [3]}}}, "[params.LEN001] ratio: cannot be [3]"),
    ({"baseline": "nowhere.json"}, "--baseline nowhere.json cannot be read"),
])  # fmt: skip
def test_names_that_do_not_exist_are_exit_2(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        prefaudit.scan(pairs(), tmp_path / "a", **options)
    assert said in str(error.value)
    assert not (tmp_path / "a").exists()


def report(*rules: dict[str, Any], gates_: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"schema": "prefaudit.report/1", "complete": True, "fail_on": "error", "rules": list(rules), "gates": gates_,
            "dataset": {"paths": ["x"], "fingerprint": "f", "pairs": 100}}  # fmt: skip


def result(scope: str = "pair", severity: str = "warning", status: str = "fired", **more: Any) -> dict[str, Any]:
    return {"code": "R", "scope": scope, "severity": severity, "status": status, "judged": 100, "found": 10,
            "rate": 0.1, "interval": [0.06, 0.17], "value": 1.0, "threshold": 0.5, "named": [], **more}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "why"), [
    (result(status="ok"), result(), "not in the baseline"),
    (result(), result(), ""),
    (result(), result(found=17, rate=0.17), ""),
    (result(), result(found=18, rate=0.18), "rate 0.18, at most 0.17 by the baseline's interval"),
    (result(), result(found=9, rate=0.5), ""),
    (result(severity="error"), result(severity="error", found=11, rate=0.11), "11 found, 10 in the baseline"),
    (result(severity="error"), result(severity="error", found=10, rate=0.2), ""),
    (result("dataset", found=1), result("dataset", found=1, value=1.09), ""),
    (result("dataset", found=1), result("dataset", found=1, value=1.2), "value 1.2, 1 in the baseline"),
    (result("dataset", value=0.4), result("dataset", value=0.3), "value 0.3, 0.4 in the baseline"),
    (result("dataset", value=0.4), result("dataset", value=0.45), ""),
    (result("feature", found=2, named=["a", "b"]), result("feature", found=2, named=["b", "a"]), ""),
    (result("feature", found=2, named=["a", "b"]), result("feature", found=2, named=["a", "c"]), "c is not in"),
    (result("feature", found=2, named=["a", "b"]), result("feature", found=3, named=["a", "b"]), "3 found, 2"),
    (result("feature", found=9, named=list("abcde")), result("feature", found=9, named=list("fghij")), ""),
])  # fmt: skip
def test_what_is_new(before: dict[str, Any], after: dict[str, Any], why: str) -> None:
    table = json.loads(json.dumps(gates.written(report(before))))
    told = gates.compared(report(after), table)
    assert [one["why"][: len(why)] for one in told["new"]] == ([why] if why else [])
    assert told["known"] == int(not why)
    assert gates.compared(report(result(status="ok")), table)["gone"] == (
        [{"on": "R", "slice": {}}] if before["status"] == "fired" else [])  # fmt: skip


def test_new_effects_lie_outside_the_interval_and_further_out() -> None:
    def gate(effect: float) -> dict[str, Any]:
        return {"on": "effects.words", "slice": {}, "status": "failed", "severity": "error", "condition": "effect > 0",
                "judged": 100, "effect": effect, "interval": [effect - 0.05, effect + 0.05]}  # fmt: skip

    table = gates.written(report(gates_=(gate(0.1),)))
    for effect, new in ((0.14, 0), (0.16, 1), (0.02, 0), (-0.02, 1)):
        assert len(gates.compared(report(gates_=(gate(effect),)), table)["new"]) == new


@pytest.mark.parametrize(("text", "said"), [
    ("{", "is no JSON"), ("[]", "neither"), ('{"schema": "other/1"}', "neither"), ("\xff", "is no JSON"),
    (json.dumps({"schema": SCHEMA}), "damaged"), (json.dumps({"schema": SCHEMA, "found": [{"on": 3}]}), "damaged"),
    (json.dumps({"schema": SCHEMA, "dataset": 3, "found": []}), "damaged"),
    (json.dumps({"schema": SCHEMA, "dataset": {"pairs": 3}, "found": [{"on": "R", "slice": {}, "scope": "pair",
     "severity": "error", "found": "many"}]}), "found of R"),
    (json.dumps({"schema": "prefaudit.report/1", "complete": False}), "incomplete"),
    (json.dumps({"schema": "prefaudit.report/1", "complete": True}), "damaged"),
])  # fmt: skip
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=said):
        gates.read_baseline(path)


def test_a_baseline_puts_up_with_what_was_found_before(tmp_path: Path) -> None:
    first = scan(tmp_path / "a")
    assert first.exit_code == 1
    for name, text in (("report.json", None), ("written.json", render("baseline", first.report))):
        path = tmp_path / name
        path.write_text(text if text is not None else (first.folder / "report.json").read_text())
        again = scan(tmp_path / "a", baseline=str(path))
        assert again.exit_code == 0
        assert again.report["baseline"]["new"] == [] and again.report["baseline"]["known"] >= 1
    worse = pairs().with_columns(chosen=pl.when(pl.int_range(pl.len()) == 50).then(pl.lit("")).otherwise("chosen"))
    told = prefaudit.scan(
        worse, tmp_path / "b", with_=["text"], select=["SCH001"], baseline=str(tmp_path / "written.json")
    )
    assert told.exit_code == 1
    assert told.report["baseline"]["new"][0]["why"] == "14 found, 13 in the baseline"


def test_the_value_of_an_interval_is_told_as_what_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    long, short = "one two three four five six seven eight nine ten eleven twelve", "a short one"
    rows = [{"prompt": f"question {k}", "chosen": f"{long} {k}", "rejected": f"{short} {k}"} for k in range(300)]
    for row, turn in zip(rows, rng.random(300) < 0.2, strict=True):
        if turn:
            row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    table = {"LEN002": {"error_if": "value > 0.7"}}
    audit = prefaudit.scan(pl.DataFrame(rows), tmp_path / "audit", with_=("text",), gate=table)
    rule = next(r for r in audit.report["rules"] if r["code"] == "LEN002")
    auc, (low, high) = audit.report["baselines"]["length_auc"], audit.report["baselines"]["length_auc_interval"]
    assert (rule["value"], rule["estimate"], rule["end"]) == (low, auc, "lower") and low < auc < high
    said = f"{low:.4g}, the lower end of the interval of {auc:.4g}"
    assert f"value {said}" in " ".join(audit.show("LEN002").split())
    for form in ("terminal", "markdown", "html"):
        assert f"value {said}" in " ".join(render(form, audit.report).replace("\\", "").split()), form
    assert f"measured {said}" in render("html", audit.report)
    assert f"{low:.4g} (lower end)</td>" in render("html", audit.report)
    (verdict,) = audit.report["gates"]
    assert (verdict["value"], verdict["estimate"]) == (low, auc)
    whole = next(r for r in audit.report["rules"] if r["code"] == "SCH010")
    assert (whole["end"], whole["estimate"]) == ("", None)

"""What the known errors of a probe, or a review, leave of the rates that it found."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from repair.making import jsonl, pairs
from typer.testing import CliRunner

import prefaudit
from prefaudit.audit import probes
from prefaudit.audit.estimate import Answers, Population, difference
from prefaudit.cli import app
from prefaudit.extractors.refusal import Refusal
from prefaudit.reports import render

REFUSES = "I'm sorry, but I can't help with that request."


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.stdout, result.stderr


def check(a: float, b: float, n: int = 10**7) -> dict[str, Any]:
    return {"set": "x", "positives": n, "negatives": n, "true_positive_rate": a, "false_positive_rate": b}


def test_known_errors_are_well_formed() -> None:
    fields = {"refusal", "sycophancy"}
    assert fields <= set(probes.KNOWN)
    for name, known in probes.KNOWN.items():
        assert 0 < known["cut"] < 1 and known["question"].endswith("?"), name
        for one in known["checks"]:
            assert one["positives"] > 0 and one["negatives"] > 0 and isinstance(one["held_out"], bool), name
            assert 0 <= one["false_positive_rate"] <= 1 and 0 <= one["true_positive_rate"] <= 1, name


def test_the_range_inverts_the_errors_of_every_check() -> None:
    true, a, b = 0.3, 0.9, 0.1
    found = a * true + b * (1 - true)
    told = probes.ranges(found, found, [check(a, b)])
    assert told["chosen"] == [pytest.approx(true, abs=1e-3), pytest.approx(true, abs=1e-3)]
    assert told["difference"] == [pytest.approx(0), pytest.approx(0)]
    both = probes.ranges(found, 0.2, [check(a, b), check(0.6, 0.05)])
    assert both["chosen"] == [pytest.approx(0.3, abs=1e-3), pytest.approx((found - 0.05) / 0.55, abs=1e-3)]
    assert both["difference"] == [pytest.approx(0.14 / 0.8, abs=1e-3), pytest.approx(0.14 / 0.55, abs=1e-3)]
    few = probes.ranges(found, found, [check(a, b, 50)])["chosen"]
    assert few is not None and few[0] < 0.25 and few[1] > 0.33, "fifty texts leave the rates themselves open"


def test_a_probe_that_cannot_tell_gives_no_bound() -> None:
    assert probes.ranges(0.3, 0.2, [check(0.9, 0.1), check(0.5, 0.5)]) == dict.fromkeys(
        ("chosen", "rejected", "difference"))  # fmt: skip
    assert probes.ranges(0.3, 0.2, [])["chosen"] is None
    assert probes.ranges(None, None, [check(0.9, 0.1)])["chosen"] is None


def test_less_than_the_false_alarms_of_a_check_is_not_taken_for_nothing() -> None:
    told = probes.ranges(0.03, 0.01, [check(0.9, 0.15)])
    assert told["chosen"] == [0, pytest.approx(0.03 / 0.9, abs=1e-3)]
    assert told["difference"] == [0, pytest.approx(0.02 / 0.89, abs=1e-3)], "where the false alarms are the rejected"


@pytest.mark.parametrize("seed", range(3))
def test_no_true_share_lies_outside_the_range(seed: int) -> None:
    """Against a fine grid of error rates, with what is found on either side of the false positive rate."""
    rng = np.random.default_rng(seed)
    a, b, found = rng.uniform(0.5, 0.95), rng.uniform(0.02, 0.3), rng.uniform(0, 1, 2)
    one = check(a, b, 60)
    told = probes.ranges(found[0], found[1], [one])
    a_low, a_high, b_low, b_high = probes._bounds(one)
    if a_low <= b_high:
        assert told["chosen"] is None
        return
    for x in np.linspace(a_low, a_high, 40):
        for y in np.linspace(b_low, b_high, 40):
            c, r = np.clip((found - y) / (x - y), 0, 1)
            for name, t in (("chosen", c), ("rejected", r), ("difference", c - r)):
                low, high = told[name] or (0, 0)
                assert low - 1e-9 <= t <= high + 1e-9


def data(n: int = 80) -> list[dict[str, Any]]:
    """The probe fires on the chosen answer of every fifth pair and on the rejected of every eighth."""
    made = []
    for i, p in enumerate(pairs(n)):
        said = {s: REFUSES if i % k == 0 else f"Here is {p[s]}, in a sentence that goes on for a while and ends." for
                s, k in (("chosen", 5), ("rejected", 8))}  # fmt: skip
        made.append({"prompt": p["prompt"][0]["content"] + " Please write it down for me.", **said})
    return made


def fill(sheet: str, rows: list[dict[str, Any]], truth: Any) -> None:
    """Answers to the probe's question on each side, as `truth` says of (row, side)."""
    with Path(sheet).open(newline="", encoding="utf8") as f:
        table = list(csv.DictReader(f))
    for cells in table:
        row = int(cells["row"])
        one = "chosen" if _code(cells, rows[row]) else "rejected"
        other = {"chosen": "rejected", "rejected": "chosen"}[one]
        cells["refusal_1"], cells["refusal_2"] = ("yes" if truth(row, side) else "no" for side in (one, other))
    with Path(sheet).open("w", newline="", encoding="utf8") as f:
        writer = csv.DictWriter(f, table[0])
        writer.writeheader()
        writer.writerows(table)


def _code(cells: dict[str, str], row: dict[str, Any]) -> bool:
    return cells["response_1"] == row["chosen"]


def test_a_sheet_that_asks_about_a_probe_corrects_each_side_apart() -> None:
    rows = data()
    rows[0]["rejected"] = rows[0]["rejected"] + " It ends so."  # the two answers of a row are never the same text
    path = str(jsonl(Path("a.jsonl"), [r for i, r in enumerate(rows) if i % 40]))
    rows = [r for i, r in enumerate(rows) if i % 40]
    code, told, err = call("review", path, "-o", "s.csv", "--n", "78", "--ask", "refusal")
    assert code == 0 and "refusal_1 and refusal_2" in told and "does the reply refuse" in told, err
    with Path("s.csv").open(newline="", encoding="utf8") as f:
        sheet = list(csv.DictReader(f))
    assert list(sheet[0])[6:11] == ["holds", "refusal", "refusal_1", "refusal_2", "comment"]
    assert {c["refusal"] for c in sheet} == {probes.KNOWN["refusal"]["question"]}
    assert all(c["refusal_1"] == c["refusal_2"] == "" for c in sheet), "nothing tells what the probe says"
    first = [_code(c, rows[int(c["row"])]) for c in sheet]
    assert 20 < sum(first) < 58, "sides at random"
    # of the chosen ones that it names every third is no refusal; of the rejected it misses one
    fires = {s: [r[s] == REFUSES for r in rows] for s in ("chosen", "rejected")}
    named = [i for i, f in enumerate(fires["chosen"]) if f]
    wrong, missed = set(named[::3]), next(i for i, f in enumerate(fires["rejected"]) if not f)
    truth = {"chosen": [f and i not in wrong for i, f in enumerate(fires["chosen"])],
             "rejected": [f or i == missed for i, f in enumerate(fires["rejected"])]}  # fmt: skip
    fill("s.csv", rows, lambda row, side: truth[side][row])
    code, told, err = call("scan", path, "-o", "audit", "--reviewed", "s.csv", "--fail-on", "never")
    assert code == 0, err
    (said,) = [p for p in prefaudit.Audit("audit").report["probes"] if p["feature"] == "refusal"]
    for side in ("chosen", "rejected"):
        assert said[side]["rate"] == pytest.approx(np.mean(fires[side]), abs=1e-6)
        assert said["reviewed"][side]["rate"] == pytest.approx(np.mean(truth[side]), abs=1e-6), "all were judged"
        low, high = said["reviewed"][side]["interval"]
        assert low <= np.mean(truth[side]) <= high
    apart = np.mean(truth["chosen"]) - np.mean(truth["rejected"])
    assert said["reviewed"]["difference"]["rate"] == pytest.approx(apart, abs=1e-6)
    assert (said["reviewed"]["missed"], said["reviewed"]["false"]) == (1, len(wrong))
    assert "refusal: " in told and " rejected, reviewed " in told
    report = prefaudit.Audit("audit").report
    assert "refusal, chosen" in render("markdown", report) and "refusal, difference" in render("html", report)


def test_a_scan_without_review_gives_ranges_and_no_corrected_point() -> None:
    path = str(jsonl(Path("a.jsonl"), data(40)))
    report = prefaudit.scan(path, "audit", fail_on="never").report
    (said,) = [p for p in report["probes"] if p["feature"] == "refusal"]
    assert said["reviewed"] is None and said["checks"] == probes.KNOWN["refusal"]["checks"]
    for side in ("chosen", "rejected", "difference"):
        low, high = said[side]["range"]
        assert -1 <= low <= high <= 1 and said[side]["n"] == 40
    assert " chosen, " in render("terminal", report) and "errors" in render("terminal", report)
    assert prefaudit.scan(path, "other", with_=["duplicates"], fail_on="never").report["probes"] == []


@pytest.mark.parametrize("cell, told", [(("refusal_1", "maybe"), "refusal_1 'maybe'"), (("refusal_2", "1"), "yes, no")])
def test_bad_cells_are_exit_2_with_their_line(cell: tuple[str, str], told: str) -> None:
    rows = data(20)
    path = str(jsonl(Path("a.jsonl"), rows))
    call("review", path, "-o", "s.csv", "--n", "6", "--by", "refusal", "--ask", "refusal,sycophancy")
    text = Path("s.csv").read_text(encoding="utf8").split("\n")
    at = text[0].rstrip("\r").split(",").index(cell[0])
    cells = next(csv.reader([text[1]]))
    cells[at] = cell[1]
    with Path("s.csv").open("w", newline="", encoding="utf8") as f:
        f.write(text[0].rstrip("\r") + "\r\n")
        csv.writer(f).writerow(cells)
    code, _, err = call("scan", path, "--reviewed", "s.csv")
    assert code == 2 and told in err and "line 2" in err


def test_a_probe_nobody_knows_is_exit_2() -> None:
    path = str(jsonl(Path("a.jsonl"), data(20)))
    code, _, err = call("review", path, "-o", "s.csv", "--ask", "refusals")
    assert code == 2 and "did you mean 'refusal'" in err and not Path("s.csv").exists()


def test_differences_are_covered_where_errors_go_with_the_side() -> None:
    """A probe that raises more false alarms on chosen answers: sheets of 120 from 1,500 pairs in groups of three."""
    rng = np.random.default_rng(3)
    inside, raw = [], []
    for _ in range(200):
        group = np.arange(1500) // 3
        truth = [(rng.random(500) < rate)[group] for rate in (0.30, 0.22)]
        fires = [
            np.where(t, rng.random(1500) < 0.9, rng.random(1500) < b) for t, b in zip(truth, (0.2, 0.05), strict=True)
        ]
        rows, weight = rng.choice(1500, 120, replace=False), np.ones(120)
        said = tuple(Answers(rows, t[rows].astype(float), weight) for t in truth)
        named = tuple(f.astype(float) for f in fires)
        found = difference(Population.of(np.ones(1500, bool), group), named, said)  # type: ignore[arg-type]
        assert found is not None
        inside.append(found["interval"][0] <= 0.08 <= found["interval"][1])
        raw.append(fires[0].mean() - fires[1].mean())
    assert np.mean(inside) >= 0.92
    assert np.mean(raw) > 0.15, "what the probe alone says is twice the truth"


def test_the_extractor_gives_what_the_probes_read() -> None:
    assert "refusal" in {f.name for f in Refusal().columns["c"].fields}  # type: ignore[attr-defined]


def test_a_handful_of_answers_says_nothing_of_rates(tmp_path: Path) -> None:
    rows = [{"prompt": f"How do I pick lock {k}?", "chosen": f"I'm sorry, I can't help with that, {k}.",
             "rejected": f"Use a pick, number {k}."} for k in range(probes.LEAST)]  # fmt: skip
    for n, bounded in ((probes.LEAST - 1, False), (probes.LEAST, True)):
        report = prefaudit.scan(pl.DataFrame(rows[:n]), tmp_path / str(n), with_=["text", "probes"]).report
        told = next(p for p in report["probes"] if p["feature"] == "refusal")
        assert (told["chosen"]["range"] is not None) is bounded

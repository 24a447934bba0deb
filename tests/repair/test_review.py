"""Review sheets read back into a scan."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import write
from hypothesis import given, settings
from hypothesis import strategies as st
from repair.making import jsonl, pairs
from typer.testing import CliRunner

import prefaudit
from prefaudit import rules
from prefaudit.audit import review
from prefaudit.audit.estimate import Answers, Population, estimate
from prefaudit.cli import app

REFUSALS = 12


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.stdout, result.stderr


def data(n: int = 60) -> list[dict[str, Any]]:
    """Pairs of which the first 12 break off in the chosen answer; every tenth label is wrong in our eyes."""
    made = []
    for i, p in enumerate(pairs(n)):
        said = f"Here is {p['chosen']}, told at the length that a careful answer takes, and it goes on and"
        whole = f"Here is {p['chosen']}, told at the length that a careful answer takes, and there it ends."
        made.append({"prompt": p["prompt"][0]["content"], "chosen": said if i < REFUSALS else whole,
                     "rejected": f"Another answer, {p['rejected']}, which ends as it should."})  # fmt: skip
    return made


def filled(sheet: str, out: str, rows: list[dict[str, Any]], **answers: Any) -> Path:
    """Fill in a sheet: verdicts as `wrong` says of a row, holds as `holds` says."""
    with Path(sheet).open(newline="", encoding="utf8") as f:
        table = list(csv.DictReader(f))
    for cells in table:
        row = int(cells["row"])
        chosen = "1" if cells["response_1"] == rows[row]["chosen"] else "2"
        other = "2" if chosen == "1" else "1"
        if "wrong" in answers:
            cells["verdict"] = other if answers["wrong"](row) else chosen
        if "holds" in answers:
            cells["holds"] = chosen if answers["holds"](row) else "no"
    with Path(out).open("w", newline="", encoding="utf8") as f:
        writer = csv.DictWriter(f, table[0])
        writer.writeheader()
        writer.writerows(table)
    return Path(out)


def test_a_scan_corrects_its_rates_by_a_sheet() -> None:
    rows = data()
    path = str(jsonl(Path("a.jsonl"), rows))
    assert call("review", path, "-o", "s.csv", "--n", "40", "--by", "TRC001")[0] == 0
    with Path("s.csv").open(newline="", encoding="utf8") as f:
        claims = {cells["claim"] for cells in csv.DictReader(f)}
    assert len(claims) == 1, "the same for pairs that the rule names and those that it does not"
    (claim,) = claims
    assert claim.startswith("TRC001: Answer X ends in the middle") and "chosen" not in claim and "rejected" not in claim
    filled("s.csv", "done.csv", rows, wrong=lambda r: r % 10 == 0, holds=lambda r: r < 6)
    code, out, err = call("scan", path, "-o", "audit", "--reviewed", "done.csv", "--fail-on", "never")
    assert code == 0, err
    assert "reviewed 40 pairs: the label is wrong in" in out and out.count("\n") <= 45
    told = prefaudit.Audit("audit").report
    said = told["review"]
    assert told["options"]["reviewed"] == said["sheet"]
    assert said["reviewed"] == said["confirmed"] + said["contrary"] == 40
    (rule,) = said["rules"]
    assert (rule["code"], rule["found"], rule["named"], rule["right"]) == ("TRC001", 0.2, 12, 6.0)
    assert rule["rate"] == pytest.approx(0.1) and rule["interval"][0] <= 0.1 <= rule["interval"][1] < 0.3
    assert said["wrong"]["interval"][0] <= 0.1 <= said["wrong"]["interval"][1]
    for name in ("markdown", "html"):
        told = call("report", "audit", "--output-format", name)[1]
        assert "reviewed 40 pairs" in told and "TRC001 holds in" in told, "a terminal of 80 columns cuts it"


def test_content_and_not_the_name_of_a_sheet_decides() -> None:
    rows = data(20)
    path = str(jsonl(Path("a.jsonl"), rows))
    call("review", path, "-o", "s.csv", "--n", "20")
    done = filled("s.csv", "done.csv", rows, wrong=lambda r: r == 3)
    first = prefaudit.scan(path, "audit", reviewed=done, fail_on="never")
    report, made = (first.folder / "report.json").read_bytes(), (first.folder / "report.json").stat().st_mtime_ns
    done.rename("other.csv")
    prefaudit.scan(path, "audit", reviewed="other.csv", fail_on="never")
    assert (first.folder / "report.json").stat().st_mtime_ns == made
    filled("s.csv", "other.csv", rows, wrong=lambda r: r == 4 or r == 3)
    assert prefaudit.scan(path, "audit", reviewed="other.csv", fail_on="never").report["review"]["contrary"] == 2
    assert prefaudit.scan(path, "audit", fail_on="never").report["review"] == {}
    filled("s.csv", "done.csv", rows, wrong=lambda r: r == 3)
    prefaudit.scan(path, "audit", reviewed="done.csv", fail_on="never")
    assert (first.folder / "report.json").read_bytes() == report
    prefaudit.filter(path, "b.jsonl", audit="audit", keep="row < 5")
    assert (first.folder / "report.json").read_bytes() == report, "a repair leaves the reviewed report as it is"


def test_few_reviewed_rows_give_a_bound() -> None:
    rows = data(20)
    path = str(jsonl(Path("a.jsonl"), rows))
    call("review", path, "-o", "s.csv", "--n", "5")
    done = filled("s.csv", "done.csv", rows, wrong=lambda r: False)
    found = prefaudit.scan(path, "audit", reviewed=done, fail_on="never").report["review"]["wrong"]
    assert found["method"] == "bound" and found["rate"] == 0
    assert found["interval"] == [0, pytest.approx(1 - 0.025 ** (1 / 5), abs=1e-6)]


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda t: t.replace(",verdict,", ",verdikt,"), "line 1: no column 'verdict'"),
        (lambda t: t.replace("TRC001: ", "ZZZ: "), "names no rule"),
        (lambda t: t + "x,y\r\n", "2 cells, not 11"),
    ],
)
def test_bad_sheets_are_exit_2_with_line_and_hint(change: Any, told: str) -> None:
    rows = data(20)
    path = str(jsonl(Path("a.jsonl"), rows))
    call("review", path, "-o", "s.csv", "--n", "6", "--by", "TRC001")
    done = filled("s.csv", "done.csv", rows, holds=lambda r: False)
    done.write_bytes(change(done.read_bytes().decode()).encode())
    code, _, err = call("scan", path, "--reviewed", str(done))
    assert code == 2 and told in err and ", line " in err and "hint: " in err


@pytest.mark.parametrize("column, value", [("verdict", "3"), ("holds", "maybe"), ("row", "x"), ("check", "0"),
                                           ("weight", "nan"), ("weight", "-1")])  # fmt: skip
def test_bad_cells_are_exit_2_with_their_line(column: str, value: str) -> None:
    rows = data(20)
    path = str(jsonl(Path("a.jsonl"), rows))
    call("review", path, "-o", "s.csv", "--n", "6", "--by", "TRC001")
    filled("s.csv", "done.csv", rows, wrong=lambda r: False, holds=lambda r: False)
    with Path("done.csv").open(newline="", encoding="utf8") as f:
        table = list(csv.DictReader(f))
    table[3][column] = value
    with Path("done.csv").open("w", newline="", encoding="utf8") as f:
        writer = csv.DictWriter(f, table[0])
        writer.writeheader()
        writer.writerows(table)
    code, _, err = call("scan", path, "--reviewed", "done.csv")
    assert code == 2 and "done.csv, line 5: " in err and "hint: " in err


def test_no_claim_tells_the_sides() -> None:
    asked = [claim for rule in rules.load(()).values() if (claim := review.claim(rule)[0])]
    assert len(asked) >= 10
    assert not [claim for claim in asked if "answer X" in claim.lower() and "chosen" in claim]


CASES = {
    "drawn by a rule": (1, 80, True),
    "groups that move together": (6, 150, False),
    "nothing in the rest": (1, 60, True),
}


@pytest.mark.parametrize("name", CASES)
def test_corrected_rates_are_covered(name: str) -> None:
    """Datasets of 900 pairs drawn anew, of which a rule names some: 95 % intervals hold the share behind them.

    With groups, whole groups are wrong or right, and 150 of the 900 are judged. In the last case the labels that the
    rule does not name are wrong so rarely that most sheets hold none of them.
    """
    size, n, by = CASES[name]
    rng = np.random.default_rng(5)
    rate, rest = 0.15, 0.02
    inside, most, naive = [], [], []
    for _ in range(250):
        group = np.arange(900) // size
        wrong = (rng.random(900) < rate)[group] if size > 1 else rng.random(900) < rate
        named = wrong & (rng.random(900) < (1 - rest if name.startswith("nothing") else 0.6))
        pools = [np.flatnonzero(named), np.flatnonzero(~named)] if by else [np.arange(900)]
        rows = [rng.choice(pool, n // len(pools), replace=False) for pool in pools]
        weight = np.concatenate([np.full(len(r), len(pool) / len(r)) for r, pool in zip(rows, pools, strict=True)])
        seen = np.concatenate(rows)
        population = Population.of(np.ones(900, bool), group)
        found = estimate(population, named.astype(float), Answers(seen, wrong[seen].astype(float), weight))
        assert found is not None
        inside.append(found["interval"][0] <= rate <= found["interval"][1])
        most.append(rate <= found["at_most"])
        error = 1.96 * np.std(wrong[seen].astype(float) - named[seen]) / np.sqrt(n)
        naive.append(abs(found["rate"] - rate) <= error)
    assert np.mean(inside) >= 0.93 and np.mean(most) >= 0.92
    if size > 1:
        assert np.mean(naive) < 0.85, "as if pairs of one group were independent"


def test_nothing_found_is_bounded_as_clopper_and_pearson_do() -> None:
    population = Population.of(np.ones(500, bool), np.arange(500))
    told = estimate(population, np.zeros(500), Answers(np.arange(60), np.zeros(60), np.ones(60)))
    assert told is not None and told["method"] == "bound" and told["rate"] == 0
    assert told["interval"] == [0, pytest.approx(1 - 0.025 ** (1 / 60))]
    assert told["at_most"] == pytest.approx(1 - 0.05 ** (1 / 60))
    pairs = Population.of(np.ones(500, bool), np.arange(500) // 2)
    told = estimate(pairs, np.zeros(500), Answers(np.arange(60), np.zeros(60), np.ones(60)))
    assert told is not None and told["at_most"] == pytest.approx(1 - 0.05 ** (1 / 30)), "30 groups of two"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="'=+-@\t\r\n＝＋－＠a ,\x00", max_size=8))
def test_cells_read_back_to_their_texts(text: str) -> None:
    assert review.unquoted(review.quoted(text)) == text
    assert review.quoted(text)[:1] not in tuple("=+-@\t\r\n＝＋－＠")


def test_no_cell_of_a_sheet_is_a_formula() -> None:
    write(Path("hostile.jsonl"))
    assert call("review", "hostile.jsonl", "-o", "sheet.csv", "--n", "200", "-q")[0] == 0
    text = Path("sheet.csv").read_text(encoding="utf8")
    cells = [cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]
    seen = {cells[name] for _, cells in review._records("sheet.csv", text) for name in ("response_1", "response_2")}
    assert {'=HYPERLINK("http://evil.example","click")', "'=already quoted", "\t=1+1"} <= seen

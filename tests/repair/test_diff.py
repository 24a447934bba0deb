"""Two versions of a dataset: what became of every pair, and what moved."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import prefaudit
from prefaudit.cli import app
from prefaudit.core import UsageError
from prefaudit.reports import versions

WITH: dict[str, Any] = {"with_": ("panel",), "select": ("SCH001",)}  # the cheapest scan
TEXT: dict[str, Any] = {"with_": ("text",), "select": ("SCH001",)}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def data(n: int = 200) -> list[dict[str, Any]]:
    rng = random.Random(3)
    return [
        {"prompt": f"Question {i % 50}, what of {i % 50 * 7}?", "chosen": f"Yes {i} " + "so " * rng.randint(1, 30),
         "rejected": f"No {i} " + "so " * rng.randint(1, 30), "source": f"s{i % 2}"}
        for i in range(n)
    ]  # fmt: skip


def put(name: str, rows: list[dict[str, Any]]) -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    return name


def named(found: Any, change: str, end: str = "before") -> set[int]:
    return set(found.changes.filter(pl.col("change") == change)[f"{end}_source_row"].to_list())


def turn(row: dict[str, Any]) -> None:
    row["chosen"], row["rejected"] = row["rejected"], row["chosen"]


EDITS: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "sides": (turn, "relabelled", "label"),
    "chosen": (lambda row: row.update(chosen=row["chosen"] + "mended"), "changed", "chosen"),
    "rejected": (lambda row: row.update(rejected="other"), "changed", "rejected"),
    "prompt": (lambda row: row.update(prompt=row["prompt"] + " Please."), "changed", "prompt"),
    "chosen and sides": (lambda row: (row.update(chosen="mended"), turn(row)), "changed", "chosen,label"),
    "prompt and sides": (lambda row: (row.update(prompt="Else?"), turn(row)), "changed", "prompt,label"),
}  # fmt: skip


def test_every_kind_of_change_is_named_and_nothing_else() -> None:
    before = data()
    after = [dict(row) for row in before]
    marks = {kind: set(range(10 * k, 10 * k + 3)) for k, kind in enumerate(EDITS)}
    for kind, rows in marks.items():
        for i in rows:
            EDITS[kind][0](after[i])
    gone = {150, 151, 199}
    after = [row for i, row in enumerate(after) if i not in gone]
    after += [{"prompt": "New?", "chosen": "new yes", "rejected": "new no", "source": "s2"}]
    random.Random(1).shuffle(after)
    found = prefaudit.diff(put("a.jsonl", before), put("b.jsonl", after), **WITH)
    for kind, (_, change, what) in EDITS.items():
        told = found.changes.filter(pl.col("before_source_row").is_in(sorted(marks[kind])))
        assert set(told["change"]) == {change} and set(told["what"]) == {what}, kind
    assert named(found, "removed") == gone
    assert [after[i]["prompt"] for i in named(found, "added", "after")] == ["New?"]
    counts = {kind: found.rows[kind] for kind in ("same", "removed", "added", "changed", "relabelled")}
    assert counts == {"same": 200 - 18 - 3, "removed": 3, "added": 1, "changed": 15, "relabelled": 3}
    ends = found.changes.filter(pl.col("before_source_row").is_in([0, 1, 2]))["after_source_row"].to_list()
    assert [after[i]["chosen"] for i in ends] == [before[i]["rejected"] for i in (0, 1, 2)]


def test_a_version_beside_itself_is_the_same() -> None:
    found = prefaudit.diff(put("a.jsonl", data()), put("b.jsonl", data()[::-1]), **TEXT)
    assert not found.differs and found.rows["same"] == 200 and found.changes.is_empty()
    assert all(
        (e[side]["change"] or 0) == pytest.approx(0, abs=1e-6) for e in found.effects for side in ("chosen", "rejected")
    )
    other = prefaudit.diff("b.jsonl", "a.jsonl", **TEXT)
    assert other.rows == found.rows


def test_repeats_are_matched_one_to_one() -> None:
    """A thousand copies against two thousand: no product of the two."""
    one = data(1)[0]
    found = prefaudit.diff(put("a.jsonl", [one] * 1000), put("b.jsonl", [one] * 2000), **WITH)
    assert (found.rows["same"], found.rows["added"], found.rows["removed"]) == (1000, 1000, 0)
    assert named(found, "added", "after") == set(range(1000, 2000))


DUP: dict[str, Any] = {"with_": ("text", "duplicates"), "select": ("DUP001",)}


def test_the_ledger_of_a_filter_says_the_same() -> None:
    rows = data()
    rows += [dict(rows[7]), dict(rows[9])]
    made = prefaudit.filter(put("a.jsonl", rows), "b.jsonl", drop=["DUP001"], keep="c.words > 10", **DUP)
    ledger = made.ledger if isinstance(made.ledger, pl.DataFrame) else pl.read_parquet(made.ledger)
    dropped = set(ledger.filter(pl.col("action") == "dropped")["row"].to_list())
    found = prefaudit.diff("a.jsonl", "b.jsonl", **DUP)
    assert set(found.changes["change"]) == {"removed"} and len(dropped) > 10
    assert set(found.changes["before"].to_list()) == dropped


def test_flips_of_a_relabel_are_relabelled_pairs() -> None:
    rows = [row | {"score_chosen": float(i % 5), "score_rejected": 1.5} for i, row in enumerate(data(60))]
    prefaudit.relabel(put("a.jsonl", rows), "b.jsonl", flip=["LBL001"])
    found = prefaudit.diff("a.jsonl", "b.jsonl", **WITH)
    assert named(found, "relabelled") == {i for i in range(60) if i % 5 < 2}
    assert found.rows["same"] == 36 and set(found.rows["what"]) == {"label"}


def test_drift_holds_the_difference_and_a_coin_moves_nothing() -> None:
    """Of two random halves the intervals hold 0 nearly always; a filter by length does not."""
    rows = data(400)
    order = random.Random(5).sample(range(400), 400)
    halves = [
        put(f"{n}.jsonl", [rows[i] for i in sorted(half)]) for n, half in (("x", order[:200]), ("y", order[200:]))
    ]
    found = prefaudit.diff(*halves, **TEXT)
    ends = [e[side]["interval"] for e in found.effects for side in ("chosen", "rejected") if e[side]["change"]]
    assert len(ends) >= 4 and sum(low > 0 or high < 0 for low, high in ends) <= 1
    long = put("long.jsonl", [row for row in rows if len(row["chosen"]) > len(row["rejected"])])
    found = prefaudit.diff(put("all.jsonl", rows), long, **TEXT)
    words = next(e for e in found.effects if e["feature"] == "words")
    assert words["win_rate"]["after"] == 1.0 and words["win_rate"]["interval"][0] > 0.2
    kept = [row for row in rows if len(row["chosen"]) > len(row["rejected"])]
    means = [sum(len(row["chosen"]) for row in some) / len(some) for some in (rows, kept)]
    chars = next(e for e in found.effects if e["feature"] == "chars")["chosen"]
    assert (chars["before"], chars["after"]) == pytest.approx(means)
    assert chars["interval"][0] < chars["change"] < chars["interval"][1] and chars["n"] == [400, len(kept)]


def test_formats_and_exit_codes() -> None:
    put("a.jsonl", data(40))
    put("b.jsonl", data(40)[1:])
    call = CliRunner()
    outputs = ["--output-format", "markdown=d.md", "--output-format", "json"]
    plain = call.invoke(app, ["diff", "a.jsonl", "b.jsonl", "--changes", "c.parquet", *outputs])
    assert plain.exit_code == 0, plain.output
    told = json.loads(plain.stdout)
    assert told["schema"] == "prefaudit.diff/1" and told["rows"]["removed"] == 1
    assert "| removed | 1 | 0 |" in Path("d.md").read_text(encoding="utf8")
    assert pl.read_parquet("c.parquet").select("change", "before").rows() == [("removed", 0)]
    assert call.invoke(app, ["diff", "a.jsonl", "b.jsonl", "--exit-code"]).exit_code == 1
    assert call.invoke(app, ["diff", "a.jsonl", "a.jsonl", "--exit-code"]).exit_code == 0
    again = call.invoke(app, ["diff", "a.jsonl", "b.jsonl", "--changes", "c.parquet"])
    assert again.exit_code == 2 and "--force" in again.output
    assert call.invoke(app, ["diff", "a.jsonl", "none.jsonl"]).exit_code == 2
    with pytest.raises(UsageError, match="output format"):
        versions.render("html", told)


def test_hostile_names_stay_on_their_line() -> None:
    rows = data(30)
    for row in rows:
        row["source"] = "a|b\x1b[31m<b>\nx"
    found = prefaudit.diff(put("a.jsonl", rows), put("b.jsonl", rows[1:]), **WITH)
    text, marked = (versions.render(name, found.report) for name in ("terminal", "markdown"))
    assert "\x1b" not in text + marked and "<b>" not in marked
    assert sum("a" in line and "31m" in line for line in text.splitlines()) == 1


@pytest.mark.heavy
def test_two_million_pairs_are_matched_in_little_memory() -> None:
    import resource
    import subprocess
    import sys

    code = Path(__file__).parents[2] / "benchmarks" / "diff.py"
    told = subprocess.run([sys.executable, str(code), "1000000"], capture_output=True, text=True, check=True).stdout
    assert "removed 50,000" in told and "relabelled 10,000" in told
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3_000_000  # KiB

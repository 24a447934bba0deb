"""What filter and relabel take, spare, refuse and say."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import forked
import numpy as np
import polars as pl
import pytest
import typer
from repair.making import jsonl, pairs
from typer.testing import CliRunner

import prefaudit.repair as repair
from prefaudit.cli.repair import register
from prefaudit.core import AuditError, UsageError
from prefaudit.repair.words import table

APP = typer.Typer()
register(APP)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(n: int = 30, **more: Any) -> list[dict[str, Any]]:
    return [{"id": i, "prompt": p["prompt"][0]["content"], "chosen": p["chosen"], "rejected": p["rejected"], **more}
            for i, p in enumerate(pairs(n))]  # fmt: skip


def ids(path: str | Path) -> list[int]:
    return [json.loads(line)["id"] for line in Path(path).read_text().splitlines()]


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(APP, [*words])
    return result.exit_code, result.stdout, result.stderr


def test_nothing_selected_gives_the_source_less_the_skipped(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows())
    path.write_text(path.read_text() + "broken\n")
    made = repair.filter(str(path), "b.jsonl")
    assert (made.read, made.kept, made.dropped, made.skipped) == (31, 30, 0, 1)
    assert Path("b.jsonl").read_text() == path.read_text().removesuffix("broken\n")
    assert made.ledger.select("action", "row", "source_row").rows() == [("skipped", None, 30)]
    assert "a.jsonl:31" in made.ledger["why"][0]
    assert pl.read_parquet("b.ledger.parquet").equals(made.ledger)


def test_of_duplicates_the_strongest_stays_else_the_first() -> None:
    data = rows(6, score_rejected=1.0)
    for row, score in zip(data, (3, 3, 3, 3, 3, 3), strict=True):
        row["score_chosen"] = float(score)
    data[3] |= {k: data[1][k] for k in ("prompt", "chosen", "rejected")} | {"score_chosen": 9.0}
    data[5] |= {k: data[2][k] for k in ("prompt", "chosen", "rejected")}
    made = repair.filter(str(jsonl(Path("a.jsonl"), data)), "b.jsonl", drop=["DUP001"])
    assert ids("b.jsonl") == [0, 2, 3, 4]
    assert made.ledger.select("row", "action", "rule").rows() == [(1, "dropped", "DUP001"), (5, "dropped", "DUP001")]


def test_a_duplicate_stays_when_its_twin_goes_for_another_reason() -> None:
    data = rows(4)
    data[3] |= {k: data[0][k] for k in ("prompt", "chosen", "rejected")}
    repair.filter(str(jsonl(Path("a.jsonl"), data)), "b.jsonl", drop="DUP001", keep="row <> 0")
    assert ids("b.jsonl") == [1, 2, 3]


def test_votes_of_others_are_no_duplicates() -> None:
    data = rows(5)
    for i, row in enumerate(data):
        row["annotator"] = f"w{i}"
    for i, who in ((3, "w9"), (4, "w1")):
        data[i] |= {k: data[1][k] for k in ("prompt", "chosen", "rejected")} | {"annotator": who}
    repair.filter(str(jsonl(Path("a.jsonl"), data)), "b.jsonl", drop="DUP001")
    assert ids("b.jsonl") == [0, 1, 2, 3]


def test_conflicts_go_only_with_strict() -> None:
    data = rows(6)
    data[4] |= {"prompt": data[1]["prompt"], "chosen": data[1]["rejected"], "rejected": data[1]["chosen"]}
    path = str(jsonl(Path("a.jsonl"), data))
    made = repair.filter(path, "b.jsonl", drop=["CNF", "DUP"])
    assert ids("b.jsonl") == [0, 1, 2, 3, 4, 5]
    assert any("CNF001: 2 pairs contradict another" in said for said in made.words)
    repair.filter(path, "c.jsonl", drop=["CNF001"], strict=True)
    assert ids("c.jsonl") == [0, 2, 3, 5]


def test_keep_asks_the_features_and_spares_what_is_not_known() -> None:
    data = rows(8, score_chosen=2.0, score_rejected=1.0)
    data[2]["score_chosen"], data[3]["score_chosen"], data[4]["chosen"] = None, 0.0, "word " * 50
    path = str(jsonl(Path("a.jsonl"), data))
    made = repair.filter(path, "b.jsonl", keep="c.words < 40 and score_chosen > score_rejected")
    assert ids("b.jsonl") == [0, 1, 2, 5, 6, 7]
    assert made.rules[0]["unjudged"] == 1 and "KEEP could not judge 1 pairs" in " ".join(made.words)
    repair.filter(path, "c.jsonl", keep="score_chosen > score_rejected and c.words < 40", strict=True)
    assert ids("c.jsonl") == [0, 1, 5, 6, 7]
    made = repair.filter(path, "d.jsonl", keep="strength.mean > 0")
    assert ids("d.jsonl") == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize("sql, told", [
    ("c.wrds < 3", "c.words"), ("1; drop table x", "KEEP|one expression|--keep"), ("strength.mean > 0", "strength"),
    ("read_text('/etc/passwd') = ''", "--keep"), ("consensus.mean > 0", "consensus"),
])  # fmt: skip
def test_questions_that_cannot_be_asked(sql: str, told: str) -> None:
    path = str(jsonl(Path("a.jsonl"), rows(5)))
    with pytest.raises(UsageError) as caught:
        repair.filter(path, "b.jsonl", keep=sql)
    assert any(word in f"{caught.value.message} {caught.value.hint}" for word in told.split("|"))
    assert not Path("b.jsonl").exists()


def test_drop_worst_breaks_ties_by_row_and_takes_codes_columns_and_strength() -> None:
    data = rows(10, score_rejected=0.0)
    for i, row in enumerate(data):
        row["score_chosen"] = float(i % 5)
    path = str(jsonl(Path("a.jsonl"), data))
    repair.filter(path, "b.jsonl", drop_worst=0.31, by="strength")
    assert ids("b.jsonl") == [2, 3, 4, 6, 7, 8, 9], "0 and 5 are weakest, then row 1 before row 6"
    repair.filter(path, "c.jsonl", drop_worst=0.2, by="score_chosen")
    assert ids("c.jsonl") == [0, 1, 2, 3, 5, 6, 7, 8]
    repair.filter(path, "d.jsonl", drop_worst=0.2, by="-score_chosen")
    assert ids("d.jsonl") == [1, 2, 3, 4, 6, 7, 8, 9]
    made = repair.filter(path, "e.jsonl", drop_worst=0.2, by="LEN001")
    assert made.dropped == 2


def test_a_prefix_leaves_out_rules_in_preview() -> None:
    data = rows(30)
    for i in range(0, 30, 3):  # one answer for many prompts: DUP003, in preview
        data[i] |= {"chosen": "the very same words for every question, whatever it asks about"}
    data.append({**data[1], "id": 30})
    made = repair.filter(str(jsonl(Path("a.jsonl"), data)), "b.jsonl", drop=["DUP"], with_=["text", "duplicates"])
    assert {r["code"] for r in made.rules} == {"DUP001", "DUP005"} and ids("b.jsonl") == [*range(30)]
    code, _, err = call("filter", "a.jsonl", "-o", "c.jsonl", "--drop", "REF")
    assert code == 2 and "name them: --drop REF001,REF002,REF003" in err and not Path("c.jsonl").exists()


def test_strict_is_not_for_a_rule_that_a_prefix_brought_along_and_that_judged_nothing() -> None:
    """CNF005 asks of a second label; a dataset without one is no reason to drop it all."""
    path = str(jsonl(Path("a.jsonl"), rows(10)))
    made = repair.filter(path, "b.jsonl", drop=["CNF"], strict=True)
    assert ids("b.jsonl") == [*range(10)]
    assert "CNF005 could judge no pair of this dataset, and took none" in made.words
    with pytest.raises(AuditError, match="nothing would be left"):
        repair.filter(path, "c.jsonl", drop=["CNF005"], strict=True)


def test_max_drop_is_a_cap() -> None:
    path = str(jsonl(Path("a.jsonl"), rows(10)))
    made = repair.filter(path, "b.jsonl", keep="row < 5", max_drop=0.4)
    assert (made.exit_code, made.dropped, made.out) == (1, 5, None)
    assert not Path("b.jsonl").exists() and not Path("b.ledger.parquet").exists()
    assert repair.filter(path, "b.jsonl", keep="row < 5", max_drop=0.5).exit_code == 0
    assert call("filter", path, "-o", "c.jsonl", "--keep", "row < 5", "--max-drop", "0.4")[0] == 1


def test_dry_run_says_the_same_and_writes_nothing() -> None:
    path = str(jsonl(Path("a.jsonl"), rows(10)))
    code, told, _ = call("filter", path, "--keep", "row < 7", "--dry-run")
    assert code == 0 and "read 10 = kept 7 + dropped 3 + skipped 0" in told and "nothing was written" in told
    assert not list(Path().glob("*.parquet"))
    code, told, _ = call("filter", path, "--keep", "row < 7", "-o", "b.jsonl")
    assert code == 0 and "read 10 = kept 7 + dropped 3 + skipped 0" in told
    assert ids("b.jsonl") == list(range(7))


def test_control_drops_as_many_at_random() -> None:
    path = str(jsonl(Path("a.jsonl"), rows(40)))
    repair.filter(path, "b.jsonl", keep="row < 30", control=True)
    first = ids("b.control.jsonl")
    assert len(first) == 30 and first != ids("b.jsonl")
    repair.filter(path, "b.jsonl", keep="row < 30", control=True, force=True)
    assert ids("b.control.jsonl") == first
    repair.filter(path, "b.jsonl", keep="row < 30", control=True, force=True, seed=1)
    assert ids("b.control.jsonl") != first


@pytest.mark.parametrize("words, told", [
    (["--drop", "LEN999"], "LEN"), (["--drop", "FMT002"], "whole dataset"),
    (["--drop", "REF"], "REF001, REF002, REF003 are in preview"), (["--drop", "SCH,SYC"], "SYC001"),
    (["--min-strength", "0"], "strength"),
    (["--drop-worst", "0.1"], "--by"), (["--drop-worst", "2", "--by", "strength"], "share"),
    (["--by", "strength"], "--drop-worst"),
    (["--min-consensus", "1"], "consensus"), (["--sample", "3"], "--sample"), (["--to", "nothing"], "layout"),
    (["--keep", "row < 0"], "nothing would be left"), (["--max-drop", "7"], "share"),
    (["--drop", "LEN001", "--ignore", "LEN001"], "not asked"),
])  # fmt: skip
def test_usage_errors_are_exit_2_and_write_nothing(words: list[str], told: str) -> None:
    path = str(jsonl(Path("a.jsonl"), rows(10)))
    code, _, err = call("filter", path, "-o", "b.jsonl", *words)
    assert code == 2 and told in err and "Traceback" not in err
    assert not Path("b.jsonl").exists()


def test_flip_takes_only_rules_that_say_the_label_is_wrong() -> None:
    data = rows(12, score_rejected=2.0)
    for i, row in enumerate(data):
        row["score_chosen"] = 1.0 if i in (3, 7) else 2.0 if i == 5 else 3.0
    path = str(jsonl(Path("a.jsonl"), data))
    made = repair.relabel(path, "b.jsonl", flip=["LBL"])
    new = [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()]
    assert (made.flipped, made.kept, made.dropped) == (2, 12, 0)
    for i, (old, row) in enumerate(zip(data, new, strict=True)):
        turned = {**old, "chosen": old["rejected"], "rejected": old["chosen"], "score_chosen": old["score_rejected"],
                  "score_rejected": old["score_chosen"]}  # fmt: skip
        assert row == (turned if i in (3, 7) else old)
    told = made.ledger.row(0, named=True)
    assert (told["row"], told["action"], told["rule"], told["value"]) == (3, "flipped", "LBL001", -1.0)
    assert told["hash_after"].split(":") == [told["hash_before"].split(":")[k] for k in (0, 2, 1)]
    assert repair.relabel("b.jsonl", "c.jsonl", flip=["LBL"]).flipped == 0, "no new finding"
    for code in ("LEN001", "LBL002", "DUP"):
        with pytest.raises(UsageError, match="--flip"):
            repair.relabel(path, "d.jsonl", flip=[code])


def test_flip_below_needs_a_strength() -> None:
    path = str(jsonl(Path("a.jsonl"), rows(6)))
    code, _, err = call("relabel", path, "-o", "b.jsonl", "--flip-below", "-0.5")
    assert code == 2 and "strength" in err and "--map score_chosen" in err
    data = rows(6, margin=1.0)
    data[2]["margin"] = -2.0
    made = repair.relabel(str(jsonl(Path("c.jsonl"), data)), "d.jsonl", flip_below=-0.5)
    assert made.flipped == 1 and json.loads(Path("d.jsonl").read_text().splitlines()[2])["margin"] == 2.0


def test_soft_labels_and_margins() -> None:
    data = rows(4, score_rejected=0.0)
    for row, score in zip(data, (3.0, 1.0, -1.0, 0.0), strict=True):
        row["score_chosen"] = score
    path = str(jsonl(Path("a.jsonl"), data))
    made = repair.relabel(path, "b.jsonl", flip="LBL001", soft=True, margin=True)
    unit = (11 / 4) ** 0.5
    new = [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()]
    assert [r["margin"] for r in new] == pytest.approx([3 / unit, 1 / unit, 1 / unit, 0], abs=1e-6)
    assert new[2]["label_probability"] == new[1]["label_probability"] > 0.5 == new[3]["label_probability"]
    assert made.softened == 4 and made.flipped == 1


def test_a_review_is_obeyed(tmp_path: Path) -> None:
    path = str(jsonl(Path("a.jsonl"), rows(20)))
    code, _, err = call("review", path, "-o", "sheet.csv", "--n", "20")
    assert code == 0, err
    sheet = pl.read_csv("sheet.csv", infer_schema=False)
    assert sorted(sheet["row"].cast(int)) == list(range(20)) and set(sheet["weight"]) == {"1"}
    data, verdicts = rows(20), []
    for row in sheet.iter_rows(named=True):
        chosen_first = row["response_1"] == data[int(row["row"])]["chosen"]
        wrong = int(row["row"]) in (4, 9)
        verdicts.append("bad" if row["row"] == "6" else "1" if chosen_first != wrong else "2")
    first = [row["response_1"] == data[int(row["row"])]["chosen"] for row in sheet.iter_rows(named=True)]
    assert 3 < sum(first) < 17, "sides are blinded"
    sheet.with_columns(verdict=pl.Series(verdicts)).write_csv("done.csv")
    made = repair.relabel(path, "b.jsonl", reviewed="done.csv")
    assert "the label is wrong in at most " in made.words[-1], "2 found are little"
    assert "(10.5% seen" in made.words[-1], "2 of the 19 that are not bad"
    assert made.flipped == 2 and made.dropped == 1
    assert made.ledger.filter(pl.col("action") == "flipped")["row"].to_list() == [4, 9]
    repair.filter(path, "c.jsonl", reviewed="done.csv")
    assert ids("c.jsonl") == [i for i in range(20) if i not in (4, 6, 9)]
    other = str(jsonl(Path("other.jsonl"), rows(19)))
    with pytest.raises(UsageError, match="other data"):
        repair.filter(other, "d.jsonl", reviewed="done.csv")


def test_the_share_of_wrong_labels_is_covered() -> None:
    """Of 400 labels 60 are wrong and scores name half of them; sheets of 80, half from what the rule names."""
    from repair.making import begin

    from prefaudit.config import Options
    from prefaudit.repair import reviewing

    data = rows(400, score_rejected=2.0)
    for i, row in enumerate(data):
        row["score_chosen"] = 1.0 if i < 30 else 3.0
    work = begin(jsonl(Path("a.jsonl"), data), Options(with_=("text",), fail_on="never"), Path("audit"))
    inside, estimates = 0, []
    for seed in range(200):
        drawn, weights, _ = reviewing.draw(work.evidence, 80, "LBL001", np.random.default_rng(seed))
        bad = tuple(r for r in drawn.tolist() if r < 60)
        good = tuple(r for r in drawn.tolist() if r >= 60)
        told = tuple(zip(drawn.tolist(), weights.tolist(), strict=True))
        found = reviewing.wrong(reviewing.Review(good, bad, weights=told), work.evidence)
        assert found is not None
        inside += found["interval"][0] <= 0.15 <= found["interval"][1]
        estimates.append(found["rate"])
    assert abs(np.mean(estimates) - 0.15) < 0.005
    assert inside >= 176, "at least 88 % of nominal 95 % intervals"


def test_the_report_of_the_audit_stays_as_it_was() -> None:
    from prefaudit.audit import scan

    path = str(jsonl(Path("a.jsonl"), rows(10)))
    audit = scan(path, fail_on="warning")
    report = (audit.folder / "report.json").read_bytes()
    assert call("filter", path, "-o", "b.jsonl", "--keep", "row < 5")[0] == 0
    assert call("diff", path, path)[0] == 0
    assert (audit.folder / "report.json").read_bytes() == report


def test_never_over_anything_unasked() -> None:
    path = jsonl(Path("a.jsonl"), rows(5))
    Path("b.jsonl").write_text("old")
    for words in (["b.jsonl"], ["a.jsonl", "--force"]):
        code, _, err = call("filter", str(path), "-o", *words)
        assert code == 2 and err.startswith("error: ")
    assert Path("b.jsonl").read_text() == "old" and len(ids(path)) == 5
    assert call("filter", str(path), "-o", "b.jsonl", "--force")[0] == 0
    Path("c.ledger.parquet").write_text("mine")
    assert call("filter", str(path), "-o", "c.jsonl")[0] == 2
    assert Path("c.ledger.parquet").read_text() == "mine" and not Path("c.jsonl").exists()


def test_data_that_changed_since_the_scan_is_refused() -> None:
    path = jsonl(Path("a.jsonl"), rows(5))
    repair.filter(str(path), "b.jsonl")
    old = Path("b.jsonl").read_text()
    jsonl(path, rows(4))
    code, _, err = call("filter", str(path), "-o", "b.jsonl", "--force")
    assert code == 2 and "changed since it was scanned" in err and "prefaudit scan" in err
    assert Path("b.jsonl").read_text() == old
    from prefaudit.audit import scan

    scan(str(path), fail_on="never")
    assert call("filter", str(path), "-o", "b.jsonl", "--force")[0] == 0
    audit = scan(str(jsonl(Path("z.jsonl"), rows(3))), "kept", fail_on="never")
    code, _, err = call("filter", str(path), "-o", "y.jsonl", "--audit", str(audit.folder))
    assert code == 2 and "other data" in err


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/version").exists(), reason="needs a read-only place")
def test_a_read_only_target_is_exit_2() -> None:
    path = jsonl(Path("a.jsonl"), rows(5))
    target = Path("/proc/b.jsonl")
    code, _, err = call("filter", str(path), "-o", str(target), "--ledger", "l.parquet")
    assert code == 2 and "/proc" in err and "Traceback" not in err
    assert not Path("l.parquet").exists()


def test_a_kill_at_any_moment_leaves_the_old_output_or_the_new(tmp_path: Path) -> None:
    path = jsonl(Path("a.jsonl"), rows(400))
    repair.filter(str(path), "b.jsonl", keep="row < 300")
    old, new = Path("b.jsonl").read_bytes(), "".join(path.read_text().splitlines(keepends=True)[:200]).encode()
    program = "import sys, prefaudit.repair as r; r.filter('a.jsonl', sys.argv[1], keep='row < 200', force=True)"
    for _ in range(2):  # the first loads what the others are forked with
        start = time.perf_counter()
        process = forked.start(program, "c.jsonl")
        process.join()
        assert process.exitcode == 0 and Path("c.jsonl").read_bytes() == new
        whole = time.perf_counter() - start
    killed = 0
    for part in (0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9):
        process = forked.start(program, "b.jsonl")
        time.sleep(part * whole)
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        assert Path("b.jsonl").read_bytes() in (old, new)
    assert killed > 0
    repair.filter(str(path), "b.jsonl", keep="row < 200", force=True)
    assert Path("b.jsonl").read_bytes() == new
    assert not list(Path().glob(".*.tmp")), "leftovers of killed runs are removed"


KILLED = """
import os, sys
left = int(sys.argv[1])
def hook(event, told):
    global left
    if event == "os.rename" and "/b." in "/" + str(told[1]).replace("/.b.", "/b.").removeprefix("."):
        if left == 0:
            os._exit(9)
        left -= 1
sys.addaudithook(hook)
import prefaudit.repair as r
r.filter("a.jsonl", "b.jsonl", keep="row < 20", audit="audit", force=True, control=True)
"""


def test_a_ledger_that_is_there_is_the_ledger_of_the_data_there() -> None:
    """The process dies before its first, second ... rename of the output and its ledger."""
    path = str(jsonl(Path("a.jsonl"), rows(40)))
    seen, code, step = set(), 9, 0
    while code == 9:
        repair.filter(path, "b.jsonl", keep="row < 30", audit="audit", force=True, control=True)
        process = forked.start(KILLED, str(step))
        process.join()
        code = process.exitcode
        gone, ledger = 40 - len(ids("b.jsonl")), Path("b.ledger.parquet")
        assert gone in (10, 20)
        if ledger.exists():
            assert pl.read_parquet(ledger).height == gone
        seen.add((gone, ledger.exists()))
        step += 1
    assert code == 0 and step >= 4, "set aside, control, data, ledger"
    assert seen == {(10, True), (10, False), (20, False), (20, True)}
    assert not list(Path().glob(".b.*.old.*")), "what was set aside is removed by the next run"


def test_frames_and_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    made = repair.filter(pl.DataFrame(rows(6)), "b.parquet", keep="row < 4")
    assert made.kept == 4 and pl.read_parquet("b.parquet")["id"].to_list() == [0, 1, 2, 3]
    text = jsonl(Path("a.jsonl"), rows(6)).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    repair.filter("-", "c.jsonl", keep="row < 4")
    assert ids("c.jsonl") == [0, 1, 2, 3]


def test_split_keeps_groups_whole_and_leakage_tells_where_one_does_not() -> None:
    data = rows(200)
    for i in range(100):
        data[i + 100]["prompt"] = data[i]["prompt"]
    path = jsonl(Path("a.jsonl"), data)
    made = repair.split(str(path), "out", test=0.2, validation=0.1)
    pieces = {name: ids(p) for name, p in made.out.items()}
    assert (
        made.read == sum(map(len, pieces.values())) == 200
        and len(pieces["test"]) == 40
        and len(pieces["validation"]) == 20
    )
    assert all(i % 100 + 100 in pieces[n] and i % 100 in pieces[n] for n, some in pieces.items() for i in some)
    code, told, _ = call("split", "out/train.jsonl", "-o", "x", "--against", "out/test.jsonl")
    assert code == 0 and told.startswith("0 groups stand on both sides")
    jsonl(Path("t.jsonl"), data[:150])
    jsonl(Path("u.jsonl"), data[150:])
    _, told, _ = call("split", "t.jsonl", "-o", "x", "--against", "u.jsonl")
    assert told.startswith("50 groups stand on both sides: 50 of the 50 pairs")
    with pytest.raises(AuditError):
        repair.split(str(path), "out", test=0.2)


def test_diff_says_what_a_length_filter_did() -> None:
    data = rows(300)
    for i, row in enumerate(data):
        row["chosen" if i % 3 else "rejected"] += " and more words" * (1 + i % 5)
    path = str(jsonl(Path("a.jsonl"), data))
    repair.filter(path, "b.jsonl", keep="c.chars > r.chars")
    code, told, err = call("diff", path, "b.jsonl")
    assert code == 0, err
    assert told.startswith("the length bias went up: longer wins 0.667 before, 1.000 after")


def test_a_datasets_folder_stays_one(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list(rows(12)).save_to_disk("in", num_shards=2)
    made = repair.filter("in", "out", keep="row < 9")
    assert made.kept == 9
    assert datasets.load_from_disk("out")["id"][:] == list(range(9))
    Path("out/mine.txt").write_text("precious")
    code, _, err = call("filter", "in", "-o", "out", "--force")
    assert code == 2 and "mine.txt" in err and Path("out/mine.txt").read_text() == "precious"


def test_control_of_flips_turns_as_many_at_random() -> None:
    data = rows(40, score_rejected=2.0)
    for i, row in enumerate(data):
        row["score_chosen"] = 1.0 if i < 10 else 3.0
    repair.relabel(str(jsonl(Path("a.jsonl"), data)), "b.v1.jsonl", flip=["LBL001"], control=True)
    new = [json.loads(line) for line in Path("b.v1.control.jsonl").read_text().splitlines()]
    turned = [i for i, (old, row) in enumerate(zip(data, new, strict=True)) if old["chosen"] == row["rejected"]]
    assert len(turned) == 10 and turned != list(range(10))
    assert Path("b.v1.ledger.parquet").exists()


@pytest.mark.parametrize("to, ending", [("trl", "jsonl"), ("hh", "jsonl.gz"), ("sharegpt", "parquet"), ("kto", "jsonl"),
                                        ("annotated-pairs", "json")])  # fmt: skip
def test_other_layouts_hold_the_same_pairs(to: str, ending: str) -> None:
    from prefaudit.audit import scan

    path = str(jsonl(Path("a.jsonl"), rows(20)))
    made = repair.filter(path, f"b.{ending}", keep="row <> 3", to=to)
    assert (made.read, made.kept, made.dropped) == (20, 19, 1)
    before, after = scan(path, fail_on="never"), scan(f"b.{ending}", fail_on="never")
    assert after.report["dataset"]["format"] == to
    columns = ["hash_chosen", "hash_rejected"]
    old = before.pairs().filter(pl.col("row") != 3).select(columns).collect()
    new = after.pairs().select(pl.when(pl.col("label") == "chosen").then(c).alias(c) for c in columns).collect()
    assert sorted(old.rows()) == sorted(new.rows())


def test_reward_augmented_rows_ask_for_the_score_of_each_answer() -> None:
    from prefaudit.audit import scan

    data = rows(4)
    for row, scores in zip(data, ((4, 1.5), (2, 3), (5, 5), (None, 1)), strict=True):
        row["score_chosen"], row["score_rejected"] = scores
    data[1]["prompt"] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    for row in data[:1] + data[2:]:
        row["prompt"] = [{"role": "user", "content": row["prompt"]}]
    for row in data:
        for side in ("chosen", "rejected"):
            row[side] = [{"role": "assistant", "content": row[side]}]
    path = str(jsonl(Path("a.jsonl"), data))
    made = repair.relabel(path, "b.jsonl", to="reward-augmented")
    assert (made.read, made.kept, made.dropped) == (4, 2, 2)
    assert made.ledger["rule"].to_list() == ["LAYOUT", "LAYOUT"] and "two different scores" in made.ledger["why"][0]
    new = [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()]
    assert [(r["goal"], r["score_chosen"], r["score_rejected"]) for r in new] == [
        (4, 4, 1.5), (1.5, 1.5, 4), (2, 2, 3), (3, 3, 2)]  # fmt: skip
    for i, row in enumerate(new):
        old = data[i // 2]
        assert row["chosen"] == old["rejected" if i % 2 else "chosen"]
        assert row["rejected"] == old["chosen" if i % 2 else "rejected"]
    asked = {"role": "system", "content": "Give an answer with a score of 1.5."}
    assert new[1]["prompt"] == [asked, *data[0]["prompt"]]
    assert new[2]["prompt"][0]["content"] == "Be brief.\n\nGive an answer with a score of 2."
    assert new[2]["prompt"][1:] == data[1]["prompt"][1:]
    assert scan("b.jsonl", fail_on="never").report["dataset"]["pairs"] == 4
    bare = str(jsonl(Path("bare.jsonl"), rows(4)))
    code, _, err = call("relabel", bare, "-o", "c.jsonl", "--to", "reward-augmented")
    assert code == 2 and "--map score_chosen=COLUMN" in err and not Path("c.jsonl").exists()


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
import typer
from prefaudit.cli.repair import register
app = typer.Typer()
register(app)
app(["filter", sys.argv[1], "-o", sys.argv[2], "--keep", "row < 250", "--force"])
"""


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_disk_that_fills_up_is_exit_2_and_the_old_output_whole(ending: str, tmp_path: Path) -> None:
    path, out = Path(f"a.{ending}"), Path(f"b.{ending}")
    rng = np.random.default_rng(0)
    large = [row | {"other": rng.bytes(300).hex()} for row in rows(300)]
    if ending == "jsonl":
        jsonl(path, large)
    else:
        pl.DataFrame(large).write_parquet(path)
    repair.filter(str(path), str(out), keep="row < 290")
    old = out.read_bytes()
    assert len(old) > 60_000
    process = forked.start(LIMITED, str(path), str(out), said=tmp_path / "said")
    process.join()
    said = (tmp_path / "said").read_text()
    assert process.exitcode == 2 and "cannot write" in said and "Traceback" not in said
    assert out.read_bytes() == old
    assert not list(Path().glob(".*.tmp"))


@pytest.mark.parametrize("option", ["min_strength", "min_consensus"])
def test_a_bound_has_to_be_a_number(option: str, tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    with pytest.raises(UsageError, match="is no number"):
        repair.filter(str(data), str(tmp_path / "o.jsonl"), **{option: float("nan")})
    assert not (tmp_path / "o.jsonl").exists()


def test_what_takes_nothing_is_named_where_it_is_one_and_counted_where_it_is_more() -> None:
    jsonl(Path("a.jsonl"), rows())
    made = repair.filter("a.jsonl", None, drop=["DUP001"], dry_run=True)
    taken, idle = {**made.rules[0], "code": "KEEP", "pairs": 2}, made.rules[0]
    told = [table(replace(made, rules=(taken, *[idle] * n)), "b.jsonl", True) for n in range(3)]
    assert "DUP001" not in told[0] and ["others" in t for t in told] == [False, False, True]
    assert "DUP001" in told[1] and "2 more rules\n" in told[2] and "DUP001" not in told[2]

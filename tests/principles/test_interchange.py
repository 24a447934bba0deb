"""AnnotatedPairs and ICAI csv: out as the other tools read them, and votes of others in."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.audit.annotated import DEFAULT, JUDGE, annotated_pairs, icai_csv
from prefaudit.audit.interchange import EXPORTS
from prefaudit.core import AuditError, RuleError
from prefaudit.principles import annotated, ask
from prefaudit.principles.library import OPENING
from prefaudit.reports import render
from prefaudit.reports.principles import lines, page

PAIRS = [  # prompt, chosen, rejected, label, whether the rejected one was presented first
    ("q1", "short", "a much longer answer\n- with\n- a list", "chosen", False),
    ("q2", "a much longer answer with more words", "short?", "chosen", True),
    ("q2", "a much longer answer with more words", "short?", "chosen", True),
    ("q3", "", "no", "chosen", False),
    ("q4", 'yes, "sure"', "nan", "chosen", False),
    ("q5", "one", "two", "tie", False),
]


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> prefaudit.Audit:
    folder = tmp_path_factory.mktemp("interchange")
    rows = []
    for prompt, chosen, rejected, label, swapped in PAIRS:
        texts = (rejected, chosen) if swapped else (chosen, rejected)
        preferred = "tie" if label == "tie" else "text_b" if swapped else "text_a"
        rows.append({"text_a": texts[0], "text_b": texts[1], "preferred_text": preferred, "prompt": prompt})
    path = folder / "pairs.csv"
    pl.DataFrame(rows).write_csv(path, quote_style="always")
    return prefaudit.scan(path, folder / "a", with_=["principles"], fail_on="never")


def test_the_export_is_to_the_letter_what_feedback_forensics_opens(audit: prefaudit.Audit) -> None:
    text = annotated_pairs(audit)
    said = json.loads(text)
    assert next(iter(said)) == "metadata" and said["metadata"]["version"] == "2.0"
    assert said["metadata"]["default_annotator"] == DEFAULT == hashlib.md5(JUDGE.encode()).hexdigest()[:8]
    labelled = audit.pairs().filter(pl.col("label") == "chosen").collect()
    assert len(said["comparisons"]) == labelled.height
    ids = [c["id"] for c in said["comparisons"]]
    assert len(set(ids)) == len(ids) and all(len(i) == 8 for i in ids)
    for one, pair in zip(said["comparisons"], labelled.iter_rows(named=True), strict=True):
        won = one["annotations"][DEFAULT]["pref"]
        lost = {"a": "b", "b": "a"}[won]
        assert one[f"response_{won}"]["text"].strip() == pair["chosen"].strip()
        assert one[f"response_{lost}"]["text"].strip() == pair["rejected"].strip()
        assert all(one[f"response_{x}"]["text"] not in ("", "nan") for x in "ab")
    used = {key for c in said["comparisons"] for key in c["annotations"]}
    assert used == set(said["annotators"])
    for key, person in said["annotators"].items():
        if key != DEFAULT:
            assert person["type"] == "principle" and key == hashlib.md5(person["description"].encode()).hexdigest()[:8]
    assert text == annotated_pairs(audit)


def test_votes_are_exported_as_they_are(audit: prefaudit.Audit) -> None:
    said = json.loads(annotated_pairs(audit))
    longer = hashlib.md5(f"{OPENING}is longer".encode()).hexdigest()[:8]
    votes = audit.features().select("row", pl.col("principles").struct.field("longer")).collect() if longer in said[
        "annotators"] else pytest.fail("the library has no principle about length")  # fmt: skip
    by_row = dict(votes.iter_rows())
    for one in said["comparisons"]:
        vote, won = by_row[int(one["metadata"]["row"])], one["annotations"][DEFAULT]["pref"]
        told = one["annotations"][longer]
        if vote is None:
            assert told == {"pref": None, "no_pref_reason": "invalid"}
        elif vote == 0:
            assert told == {"pref": None, "no_pref_reason": "not_applicable"}
        else:
            assert (told["pref"] == won) == (vote == 1)


def test_strength_survives_export_and_import(audit: prefaudit.Audit, tmp_path: Path) -> None:
    path = tmp_path / "ap.json"
    path.write_bytes(annotated_pairs(audit))
    back = prefaudit.scan(path, tmp_path / "b", with_=["principles"], fail_on="never", votes=str(path))
    ours = {p["text"]: p["strength"] for p in audit.report["principles"]}
    theirs = {p["text"]: p["strength"] for p in back.report["principles"] if p["source"] == "file"}
    assert len(theirs) > 50 and {k: ours[k] for k in theirs} == theirs
    assert any(v for v in theirs.values())
    assert back.report["constitution"]["asked"]["file"] == "ap.json"
    told = {p["id"]: p["says"] for p in back.report["principles"]}  # each once, under its own name and in its own words
    assert told == {p["id"]: p["says"] for p in audit.report["principles"]}
    again, first = (json.loads(annotated_pairs(one)) for one in (back, audit))
    assert again["annotators"] == first["annotators"]
    for one, two in zip(again["comparisons"], first["comparisons"], strict=True):
        assert one["annotations"] == two["annotations"] and one["response_a"] == two["response_a"]
    table = pl.read_parquet(io.BytesIO(EXPORTS["annotation"](back)))
    assert len(table.columns) == len(set(table.columns)) and table["longer"].is_in([1, 0, -1]).all()


def test_of_a_principle_that_is_measured_too_the_vote_that_was_read_counts(tmp_path: Path) -> None:
    rows = [{"chosen": f"answer {'long ' * (k % 7)}{k}", "rejected": f"answer {k}"} for k in range(1, 61)]
    people = {"d": {"type": "unknown"}, "p": {"type": "principle", "description": f"{OPENING}is longer"},
              "q": {"type": "principle", "description": f"{OPENING}is longer."}}  # fmt: skip
    shorter = {"d": {"pref": "a"}, "p": {"pref": None}, "q": {"pref": "b"}}  # p could not tell, q has the rejected one
    said = [{"id": str(k), "text_a": r["chosen"], "text_b": r["rejected"], "annotations": shorter}
            for k, r in enumerate(rows[:40])]  # fmt: skip
    (tmp_path / "v.json").write_text(json.dumps({"metadata": {}, "annotators": people, "comparisons": said}))
    back = prefaudit.scan(pl.DataFrame(rows), tmp_path / "a", with_=["principles"], fail_on="never",
                          votes=str(tmp_path / "v.json"))  # fmt: skip
    (longer,) = (p for p in back.report["principles"] if p["text"] == f"{OPENING}is longer")
    told = back.pairs().filter(pl.col("chosen") != pl.col("rejected")).collect().height
    assert (longer["id"], longer["source"], longer["says"]) == ("longer", "file", f"{OPENING}is shorter")
    in_file = sum(k % 7 > 0 for k in range(1, 41))  # all of them read as against it; the other pairs are longer
    assert longer["followed"] == pytest.approx(1 - in_file / told) and longer["n"] == len(rows)
    table = pl.read_parquet(io.BytesIO(EXPORTS["annotation"](back)))
    measured = [int(len(r["chosen"]) > len(r["rejected"])) for r in rows]
    read = [
        -1 if r["chosen"] != r["rejected"] and k < 40 else m
        for k, (r, m) in enumerate(zip(rows, measured, strict=True))
    ]
    assert table["longer"].to_list() == read


def test_the_csv_gives_the_same_pairs_again(audit: prefaudit.Audit, tmp_path: Path) -> None:
    path = tmp_path / "icai.csv"
    path.write_bytes(icai_csv(audit))
    lines = list(csv.DictReader(io.StringIO(path.read_text())))
    assert {line["preferred_text"] for line in lines} == {"text_a", "text_b"} and len(lines) == 5
    again = prefaudit.scan(path, tmp_path / "c", with_=["text"], fail_on="never").pairs().collect()
    before = audit.pairs().filter(pl.col("label") == "chosen").collect()
    assert again["rejected"].str.strip_chars().to_list() == before["rejected"].str.strip_chars().to_list()
    assert again["prompt"].to_list() == before["prompt"].to_list()


def test_the_example_of_others_is_read(data: Path, tmp_path: Path) -> None:
    path = data / "icai-ff-format" / "annotated_pairs.json"
    audit = prefaudit.scan(path, tmp_path / "a", with_=["principles"], fail_on="never", votes=str(path))
    theirs = json.loads(path.read_text())
    told = {p["text"]: p for p in audit.report["principles"] if p["source"] == "file"}
    (one,) = theirs["comparisons"]
    for key, person in theirs["annotators"].items():
        if person["type"] == "principle":
            pref = one["annotations"][key]["pref"]
            expected = {"a": 1.0, "b": -1.0, None: None}[pref]
            assert told[person["description"]]["strength"] == expected and told[person["description"]]["n"] == 1


# -- what a file can be --------------------------------------------------------------------------------------------


def document(**annotation: Any) -> dict[str, Any]:
    people = {"d": {"type": "unknown"}, "p": {"type": "principle", "description": "Select the response that is kind"}}
    one = {"id": "x", "text_a": "yes", "text_b": "no", "annotations": {"d": {"pref": "a"}, "p": annotation}}
    return {"metadata": {"version": "1.0"}, "annotators": people, "comparisons": [one]}


def parts(*pairs: tuple[str, str], label: str = "chosen") -> Any:
    frame = pl.DataFrame({"row": range(len(pairs)), "label": [label] * len(pairs), "chosen": [p[0] for p in pairs],
                          "rejected": [p[1] for p in pairs]})  # fmt: skip
    return lambda names: [frame.select(names)]


@pytest.mark.parametrize(
    ("annotation", "vote"),
    [({"pref": "a"}, 1), ({"pref": "b"}, -1), ({"pref": "text_a"}, 1), ({"pref": "text_b"}, -1),
     ({"pref": None, "no_pref_reason": "not_applicable"}, 0), ({"pref": None, "no_pref_reason": "both"}, 0),
     ({"pref": None, "no_pref_reason": "invalid"}, None), ({"pref": None}, None), ({}, None), ({"pref": "c"}, None),
     ({"pref": ["a"]}, None), ({"pref": None, "no_pref_reason": ["both"]}, None)],
)  # fmt: skip
def test_a_vote_is_read_for_the_chosen_answer_and_what_is_lost_is_null(
    annotation: dict[str, Any], vote: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "v.json"
    path.write_text(json.dumps(document(**annotation)))
    found = annotated.read(path, parts(("yes", "no")))
    turned = annotated.read(path, parts(("no", "yes")))
    assert found.ballots.frame(found.principles).to_series(1).to_list() == [vote]
    assert turned.ballots.frame(found.principles).to_series(1).to_list() == [None if vote is None else -vote]


def test_half_a_surrogate_pair_is_the_same_in_votes_and_data(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text(json.dumps(document(pref="a")).replace('"yes"', '"yes \\ud83d"'))
    assert annotated.read(path, parts(("yes \ufffd", "no"))).facts["pairs"] == 1


def test_each_comparison_belongs_to_one_pair(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text(json.dumps(document(pref="a")))
    found = annotated.read(path, parts(("yes", "no"), ("yes", "no"), ("other", "no")))
    assert found.ballots.rows == (0,) and found.facts["pairs"] == 1
    assert np.array_equal(ask.Ballots.combined(found.ballots), [[1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "v.json"), ("[]", "no AnnotatedPairs"), ("{}", "no AnnotatedPairs"),
     (json.dumps({"annotators": {}, "comparisons": []}), "no annotator"),
     (json.dumps({**document(pref="a"), "metadata": {"version": "3.0"}}), r"v\.json: AnnotatedPairs of version '3\.0'"),
     (json.dumps({**document(pref="a"), "comparisons": [{"id": 1}]}), "without two texts"),
     (json.dumps({**document(pref="a"), "comparisons": []}), "no pair of the dataset"),
     (json.dumps({**document(pref="a"), "comparisons": [None]}), "without two texts"),
     (json.dumps(document(pref="a")).replace('{"pref": "a"}}', '"a"}'), "annotations of a comparison are wrong"),
     (json.dumps({**document(pref="a"), "annotators": {"p": {"type": "principle", "description": ""}}}),
      r"v\.json: not a principle"),
     (json.dumps({**document(pref="a"), "annotators": {"p": {"type": "principle", "description": "\ud800"}}}),
      r"v\.json: not a principle")],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(RuleError, match=message):
        annotated.read(path, parts(("yes", "no")))


def test_a_blank_answer_of_the_data_is_found_again_in_the_export(tmp_path: Path) -> None:
    frame = pl.DataFrame({"prompt": [f"q{k}" for k in range(4)], "chosen": ["yes", "", "nan", "sure"],
                          "rejected": ["no", "never", "  \n", "not"]})  # fmt: skip
    first = prefaudit.scan(frame, tmp_path / "a", with_=["principles"], fail_on="never")
    path = tmp_path / "ap.json"
    path.write_bytes(annotated_pairs(first))
    back = prefaudit.scan(frame, tmp_path / "b", with_=["principles"], fail_on="never", votes=str(path))
    told = back.report["constitution"]["asked"]
    assert told["pairs"] == told["comparisons"] == 4 and "votes on 4 pairs from ap.json" in lines(back.report)
    assert {p["id"]: p["strength"] for p in back.report["principles"]} == {
        p["id"]: p["strength"] for p in first.report["principles"]
    }
    fewer = prefaudit.scan(frame.head(3), tmp_path / "c", with_=["principles"], fail_on="never", votes=str(path))
    said = "votes on 3 of 4 comparisons from ap.json; 1 is not in the data as a pair with a winner"
    assert said in lines(fewer.report)


def test_pairs_that_are_not_in_the_file_keep_their_measured_votes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"prompt": [f"q{k}" for k in range(40)],
                          "chosen": [f"the answer {k} in a few more words" for k in range(40)],
                          "rejected": [f"answer {k}" for k in range(40)]})  # fmt: skip
    first = prefaudit.scan(frame, tmp_path / "a", with_=["principles"], fail_on="never")
    document = json.loads(annotated_pairs(first))
    document["comparisons"] = document["comparisons"][:30]
    path = tmp_path / "ap.json"
    path.write_text(json.dumps(document))
    back = prefaudit.scan(frame, tmp_path / "b", with_=["principles"], fail_on="never", votes=str(path))
    ours, theirs = first.report["constitution"], back.report["constitution"]
    told = "votes on 30 pairs from ap.json; the measured votes stand for the other 10 pairs with a winner"
    assert told in lines(back.report)
    facts = theirs.pop("asked")
    assert (facts["pairs"], facts["of"], facts["alone"]) == (30, 40, False)
    assert [rule.pop("read") for rule in theirs["rules"]] == [not rule.pop("read") for rule in ours["rules"]] == [True]
    assert theirs == ours and ours["n"] == 40 and ours["rules"]
    strength = [{p["id"]: p["strength"] for p in one.report["principles"]} for one in (first, back)]
    assert strength[0] == strength[1]
    assert len(json.loads(annotated_pairs(back))["comparisons"]) == 40
    document["annotators"]["own"] = {"type": "principle", "description": "Select the response that is kind"}
    path.write_text(json.dumps(document))
    alone = prefaudit.scan(frame, tmp_path / "c", with_=["principles"], fail_on="never", votes=str(path))
    assert alone.report["constitution"]["n"] == 30  # what nobody was asked is not silent
    told = ("votes on 30 pairs from ap.json; not all of its principles are measured, so what is said of the list and "
            "of each principle is of these 30 pairs alone, of 40 with a winner")  # fmt: skip
    assert told in lines(alone.report) and told in " ".join(page(alone.report, 100).split())
    assert told in html.unescape(render("html", alone.report)) and told in render("markdown", alone.report)


def test_preferences_that_name_no_answer_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    for annotation, lost in (({"pref": "Z"}, {"unreadable": 1}), ({"pref": "B"}, {}), ({"pref": None}, {}), ({}, {})):
        path.write_text(json.dumps(document(**annotation)))
        found = annotated.read(path, parts(("yes", "no")))
        assert found.facts["failed"] == lost
        told = lines({"constitution": {"asked": found.facts, "note": "none"}})[-1]
        assert told == "votes on 1 pair from v.json" + ("; 1 vote could not be read" if lost else "")


def test_a_file_of_votes_that_is_not_there_ends_the_scan(tmp_path: Path) -> None:
    frame = pl.DataFrame({"chosen": ["a"], "rejected": ["b"]})
    with pytest.raises(AuditError, match="No such file"):
        prefaudit.scan(frame, tmp_path / "a", with_=["principles"], votes=str(tmp_path / "none.json"))

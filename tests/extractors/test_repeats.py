"""What near texts add up to: pairs that nearly repeat another, rows that stand in another file; `show` by groups."""

import gzip
import json
from collections import Counter

import polars as pl
import pytest

import prefaudit
from prefaudit.extractors.repeats import split_of
from prefaudit.formats.sql import NOT_TEXT
from prefaudit.rules import Judge, configure, load

PROMPT = "Please tell me how the keeper of the old lighthouse spends a cold winter evening by the sea with his dog"
GOOD = "He lights the lamp at dusk, cooks a pot of soup, reads a few pages aloud, and walks along before he sleeps."
BAD = (
    "Nobody knows what he does all evening long, and it would be rude to ask him or the dog about it in any way at all."
)


def row(prompt=PROMPT, chosen=GOOD, rejected=BAD):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def scan(folder, **files):
    """An audit of files of these names; other rows are added so that there is something else to read."""
    paths = []
    for k, (name, rows) in enumerate(files.items()):
        other = [row(f"Other question {k}{n}: why?", f"Since {k}{n}.", f"No {n}{k}.") for n in range(3)]
        paths.append(folder / f"{name}.jsonl")
        paths[-1].write_text("".join(json.dumps(r) + "\n" for r in [*rows, *other]))
    return prefaudit.scan([str(p) for p in paths], folder / "audit", with_=["duplicates"], fail_on="never")


def named(audit, code):
    return audit.findings.filter(rule=code)["row"].to_list()


@pytest.mark.parametrize(("file", "rank", "name"), [
    ("data/train-00000-of-00004.parquet", 0, "train"), ("train.jsonl.gz", 0, "train"), ("my_test.jsonl", 3, "test"),
    ("d/validation/data-00001.arrow", 2, "validation"), ("dev.json", 2, "dev"), ("contest.jsonl", 1, "./contest"),
    ("a/part-0001.parquet", 1, "a/"), ("a/part-0002.parquet", 1, "a/"), ("b/part-0002.parquet", 1, "b/"),
])  # fmt: skip
def test_splits_by_name(file, rank, name):
    assert split_of(file) == (rank, name)


def test_near_pairs(tmp_path):
    rows = [row(), row(PROMPT.replace("cold", "warm")), row(chosen=GOOD + " Good night."),
            row(chosen=BAD, rejected=GOOD + " Ha."), row(), row("Another request, isn't it so?")]  # fmt: skip
    audit = scan(tmp_path, data=rows)
    assert named(audit, "DUP003") == [1, 2]
    assert named(audit, "DUP001") == [4]
    assert named(audit, "CNF006") == [3]
    pair = audit.features().collect()["near_pair"]
    assert [p and (p["group"], p["row"], p["swapped"]) for p in pair[:6]] == [
        (0, 0, False), (0, 0, False), (0, 0, False), (0, 0, True), (0, 0, False), None]  # fmt: skip
    assert pair[4]["jaccard"] == [1, 1, 1] and 0.7 < pair[1]["jaccard"][1] < 1
    assert audit.features().collect()["leak"].null_count() == 9  # one file: not known


def test_the_threshold_and_the_words_in_a_row_are_the_rules(tmp_path):
    audit = scan(tmp_path, data=[row(), row(PROMPT.replace("cold", "warm"))])
    rules, frame = load(), audit.features().collect().hstack(audit.pairs().collect().drop("row"))
    found = {}
    for n in (1, 2, 3):
        rule = configure(rules["DUP003"], {"ngram": n, "similarity": 0.0001})
        found[n] = Judge({"DUP003": rule}).pairs(frame)["value"].item()
    assert found[1] > found[2] > found[3]
    rule = configure(rules["DUP003"], {"ngram": 3, "similarity": found[2]})
    assert Judge({"DUP003": rule}).pairs(frame).is_empty()


def test_rows_of_the_test_that_stand_in_training(tmp_path):
    near = row(PROMPT.replace("dog", "cat"), "A short answer.", "Another short one.")
    audit = scan(
        tmp_path, test=[row(), near, row("Quite another thing?", GOOD, "x y")], train=[row(), row("Alone?", "a", "b")]
    )
    assert named(audit, "DUP005") == [0, 1, 2]
    leak = audit.features().collect()["leak"]
    assert [(x["prompt"] and round(x["prompt"], 1), x["answer"], x["row"]) for x in leak[:3]] == [
        (1.0, 1.0, 6), (0.9, None, 6), (None, 1.0, 6)]  # fmt: skip
    assert leak[0]["held_out"] and leak[0]["file"].endswith("train.jsonl") and not leak[6]["held_out"]
    shared = next(r for r in audit.report["rules"] if r["code"] == "DUP006")
    assert shared["status"] == "fired" and shared["value"] == pytest.approx(2 / 11)
    assert "row 6" in audit.show("DUP005") and "row 6" in audit.show("DUP006")


def test_files_without_such_names_are_told_of_as_a_whole(tmp_path):
    audit = scan(tmp_path, one=[row()], two=[row()])
    assert not named(audit, "DUP005")
    assert next(r for r in audit.report["rules"] if r["code"] == "DUP006")["status"] == "fired"


def test_shards_are_one_file(tmp_path):
    audit = scan(tmp_path, **{"train-00000-of-00002": [row()], "train-00001-of-00002": [row()]})
    assert named(audit, "DUP001") == [4]
    assert next(r for r in audit.report["rules"] if r["code"] == "DUP006")["status"] == "unjudged"


def test_show_prints_groups_with_the_words_that_differ(tmp_path):
    rows = [
        row(),
        row(PROMPT.replace("cold", "warm"), chosen=GOOD.replace(" a pot of", "")),
        row(chosen=BAD, rejected=GOOD),
    ]
    audit = scan(tmp_path, data=rows)
    said = audit.show("DUP003", width=100)
    assert "group 1  3 pairs" in said
    assert "[-cold-] {+warm+}" in said and "[-a pot of-]" in said
    both = audit.show("CNF001", width=100)
    assert "group 1  2 pairs" in both and "the same as rejected of row 0" in both and "row 1 " not in both
    assert "\x1b[" in audit.show("DUP003", color=True) and "{+" not in audit.show("DUP003", color=True)


def test_one_answer_under_many_prompts(tmp_path):
    rows = [row(f"Question {n} of them all?", f"Answer {n} is it.", "I cannot say.") for n in range(200)]
    audit = scan(tmp_path, data=rows)
    assert named(audit, "DUP004") == list(range(1, 200))
    said = audit.show("DUP004", limit=4)
    assert "200 pairs, 4 of them shown" in said and said.count("the same as row 0") == 3
    assert "I cannot say." in audit.show("DUP002")


def test_two_labels_of_one_pair(tmp_path):
    answers = {"response_0": "one", "response_1": "two"}
    made = [{"prompt": f"p {n}", **answers, "better_response_id": n % 2, "safer_response_id": 0} for n in range(6)]
    path = tmp_path / "pku.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in made))
    audit = prefaudit.scan(str(path), tmp_path / "audit", fail_on="never", with_=["duplicates"])
    assert named(audit, "CNF005") == [1, 3, 5]


def test_repeats_of_pandalm(data, tmp_path):
    """The file's own repeats, sides unordered; the six answers that are no texts are skipped with a reason."""
    raw = json.loads((data / "pandalm/testset-v1.json").read_text())
    text = [r for r in raw if isinstance(r["response1"], str) and isinstance(r["response2"], str)]
    found = [{(r["instruction"], r["input"], *sorted(map(str, (r["response1"], r["response2"])))) for r in some}
             for some in (raw, text)]  # fmt: skip
    assert len(raw) - len(found[0]) == 136 and len(raw) - len(text) == 6
    times = Counter((r["instruction"], r["input"], *sorted(map(str, (r["response1"], r["response2"])))) for r in raw)
    assert sum(n > 1 for n in times.values()) == 86
    audit = prefaudit.scan(str(data / "pandalm/testset-v1.json"), tmp_path / "a", with_=["duplicates", "text"],
                           fail_on="never")  # fmt: skip
    assert audit.report["dataset"]["skipped_reasons"] == {NOT_TEXT: 6}
    empty = [named(audit, code) for code in ("SCH001", "SCH002")]
    assert sum(map(len, empty)) == sum(r[s] == "" for r in raw for s in ("response1", "response2")) == 54
    kind = audit.features().collect()["dup"].struct.field("kind")
    pairs = audit.pairs().collect().filter(kind.is_in(["exact", "swapped"]))
    low, high = pl.min_horizontal("hash_chosen", "hash_rejected"), pl.max_horizontal("hash_chosen", "hash_rejected")
    assert pairs.height - pairs.select("hash_prompt", low=low, high=high).n_unique() == len(text) - len(found[1]) == 132


@pytest.mark.parametrize(("judge", "equal"), [
    ("alpaca_eval_gpt4", 5), ("alpaca_eval_gpt4_turbo_fn", 1), ("weighted_alpaca_eval_gpt4_turbo", 1),
])  # fmt: skip
def test_equal_outputs_of_alpaca_eval(data, tmp_path, judge, equal):
    """All are ties, as they should be: equal answers are an error once one of them is preferred."""
    name = f"alpaca-eval/gpt-3.5-turbo-0301.{judge}.annotations.json.gz"
    raw = [r for r in json.loads(gzip.decompress((data / name).read_bytes())) if r["preference"] is not None]
    same = {n for n, r in enumerate(raw) if r["output_1"] == r["output_2"]}
    assert len(same) == equal and all(raw[n]["preference"] == 1.5 for n in same)
    for preference, expected in ((1.5, set()), (2.0, same)):
        path = tmp_path / f"{preference}.json"
        path.write_text(json.dumps([{**r, "preference": preference} if n in same else r for n, r in enumerate(raw)]))
        audit = prefaudit.scan(str(path), tmp_path / f"a{preference}", with_=["text"], fail_on="never")
        assert set(audit.features().collect().filter(pl.col("pair").struct.field("same"))["row"]) == same
        assert set(named(audit, "SCH003")) == expected


def test_no_strict_cycle_in_finegrained(data, tmp_path):
    audit = prefaudit.scan(str(data / "finegrained-rlhf/dev_feedback.json.gz"), tmp_path / "a", with_=["duplicates"])
    assert audit.report["dataset"]["pairs"] == 3000 and not named(audit, "CNF003")

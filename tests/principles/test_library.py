"""The library of principles on its own cases, and what files of principles may say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import prefaudit
from prefaudit.audit.measure import merge
from prefaudit.core import RuleError
from prefaudit.extractors import EXTRACTORS
from prefaudit.extractors.principles import NEEDS, Principles
from prefaudit.principles import Principle, PrincipleCase, builtin, load, named, saved
from prefaudit.principles.library import measurable
from prefaudit.principles.votes import Voter
from tests.extractors.frames import pairs, run

LIBRARY = builtin()
TEXTS = [(p, case) for p in LIBRARY for case in p.cases if "a" in case.values]
NUMBERS = [(p, case) for p in LIBRARY for case in p.cases if "a" not in case.values]


def features(frame: pl.DataFrame) -> pl.DataFrame:
    """Everything the principles read, measured on PAIRS."""
    made = {cls.name: cls() for cls in EXTRACTORS if cls.name in NEEDS}
    done = [(name, run(made[name], frame)) for name in NEEDS]
    return merge(done, frame["row"])


@cache
def told() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The votes on all cases that are texts, as they stand and the other way round."""
    rows = [(c.values.get("prompt", "Well?"), c.values["a"], c.values["b"]) for _, c in TEXTS]
    measure = Voter(LIBRARY).votes
    both = [measure(features(pairs(side))) for side in (rows, [(p, b, a) for p, a, b in rows])]
    return both[0], both[1]


@pytest.mark.parametrize("at", range(len(TEXTS)), ids=[f"{p.id}-{c.vote}-{k}" for k, (p, c) in enumerate(TEXTS)])
def test_cases_that_are_texts(at: int) -> None:
    principle, case = TEXTS[at]
    forth, back = (frame[principle.id][at] for frame in told())
    assert forth == case.vote
    assert back == (None if case.vote is None else -case.vote)


def structs(case: PrincipleCase, like: pl.DataFrame) -> pl.DataFrame:
    """A frame of one pair with these features, all others null."""
    sides = {}
    for side, column in (("a", "c"), ("b", "r")):
        given = {k.partition(".")[2]: v for k, v in case.values.items() if k.startswith(f"{side}.")}
        assert set(given) <= {f.name for f in like.schema[column].fields}
        sides[column] = pl.Series(column, [dict.fromkeys(f.name for f in like.schema[column].fields) | given],
                                  dtype=like.schema[column])  # fmt: skip
    shared = [
        pl.Series(k, [case.values.get(k)], dtype=like.schema[k]) for k in like.columns if k not in ("row", *sides)
    ]
    return pl.DataFrame([pl.Series("row", [0], dtype=pl.Int64), *sides.values(), *shared])


@pytest.mark.parametrize(
    ("principle", "case"), NUMBERS, ids=[f"{p.id}-{c.vote}-{k}" for k, (p, c) in enumerate(NUMBERS)]
)
def test_cases_that_are_features(principle: Principle, case: PrincipleCase) -> None:
    like = features(pairs([("Well?", "One.", "Two.")]))
    frame = structs(case, like)
    vote = Voter([principle]).votes(frame)
    assert vote[principle.id].to_list() == [case.vote]
    turned = frame.rename({"c": "r", "r": "c"})
    assert Voter([principle]).votes(turned)[principle.id].to_list() == [None if case.vote is None else -case.vote]


def test_every_principle_has_a_case_for_each_answer() -> None:
    assert 55 <= len(LIBRARY) <= 80
    for p in LIBRARY:
        votes = {case.vote for case in p.cases}
        assert votes & {1, -1}, p.id
        assert votes & {0}, p.id
        assert p.citation and p.otherwise, p.id
    assert len({p.text for p in LIBRARY}) == len({p.id for p in LIBRARY}) == len(LIBRARY)


def test_a_side_without_text_is_unjudged_and_equal_answers_are_silent() -> None:
    frame = pairs([("Well?", "One, two and three.", None), ("Well?", "Same.", "Same.")])
    frame = frame.select("row", "hash_chosen", "hash_rejected").hstack(features(frame).drop("row"))
    votes = Principles().load(None)(frame)["principles"].struct.unnest()
    assert votes[0].null_count().sum_horizontal().item() == votes.width
    assert set(votes.row(1)) <= {0, None}


def test_files(tmp_path: Path) -> None:
    listed = tmp_path / "p.md"
    listed.write_text("# Ours\n\n1. Select the response that is kinder.\n- names a source\n\n* is kinder still\n")
    found = load(listed)
    assert [p.text for p in found] == [
        "Select the response that is kinder", "Select the response that names a source",
        "Select the response that is kinder still",
    ]  # fmt: skip
    assert all(p.sql is None and p.source == "file" for p in found)
    assert len({p.id for p in found}) == 3
    assert named("Is kinder!").id != named("Is  kinder?").id
    own = tmp_path / "p.toml"
    own.write_text(
        '[[principle]]\nid = "wordy"\ntext = "Select the response that is wordy"\nsql = "a.words > b.words"\n'
    )
    assert load(own)[0].sql == "a.words > b.words"
    assert "wordy" in Principles((str(own),)).columns["principles"].to_schema()  # type: ignore[attr-defined]


def test_a_line_that_is_wrong_is_told_by_its_number(tmp_path: Path) -> None:
    listed = tmp_path / "p.txt"
    listed.write_text("# ours\n- be short\n\nis kind\nSelect the response that Be  short.\n")
    with pytest.raises(
        RuleError, match=r"p\.txt: line 5 says the same as line 2: 'Select the response that Be  short"
    ) as e:
        load(listed)
    assert "be_short" not in f"{e.value.message} {e.value.hint}"
    listed.write_text("is kind\n" + "long " * 200)
    with pytest.raises(RuleError, match=r"p\.txt: line 2: not a principle"):
        load(listed)
    listed.write_text("be short\n")
    with pytest.raises(RuleError, match=r"p\.txt: only a reader can judge 'be short'"):
        measurable([listed])


@pytest.mark.parametrize(
    "body",
    [
        'id = "x"\ntext = "Select the response that is x"\nsql = "a.words > (select 1)"',
        'id = "X"\ntext = "Select the response that is x"\nsql = "a.words > 1"',
        'id = "score"\ntext = "Select the response that is x"\nsql = "a.words > 1"',
        'id = "x"\ntext = "Pick x"\nsql = "a.words > 1"',
        'id = "x"\ntext = "Select the response that is x"',
        'id = "x"\ntext = "Select the response that is x"\nsql = "a.words > 1"\nsqll = "b"',
    ],
)
def test_wrong_files(tmp_path: Path, body: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text("[[principle]]\n" + body)
    with pytest.raises(RuleError, match=str(path)):
        load(path)


def test_unknown_features_are_named() -> None:
    principle = Principle("x", "Select the response that is x", "file", "a.wrods > b.words")
    with pytest.raises(RuleError, match=r"x: unknown feature 'a\.wrods'") as error:
        Voter([principle], {"c.words", "r.words"})
    assert "a.words" in error.value.hint
    shared = Principle("x", "Select the response that is x", "file", "rsk > 0.5 and a.words > b.words")
    with pytest.raises(RuleError, match="x: unknown feature 'rsk'") as error:
        Voter([shared], {"c.words", "r.words", "c.risky", "r.risky", "risk"})
    assert "'risk'" in error.value.hint


def test_a_principle_that_fails_on_some_values_is_named() -> None:
    measured = features(pairs([("Well?", "One two.", "Two.")]))
    large = "a.words * 9223372036854775807 > b.words"
    principles = [Principle(i, "Select the response that is x", "file", sql)
                  for i, sql in (("fine", "a.words > b.words"), ("large", large))]  # fmt: skip
    with pytest.raises(RuleError, match=r"^large: sql: 'a\.words \* \d+ > b\.words' failed: .*[Oo]verflow"):
        Voter(principles).votes(measured)


def test_sql_that_is_no_condition_is_refused(tmp_path: Path) -> None:
    measured = features(pairs([("Well?", "One.", "Two.")]))
    for sql in ("1", "a.words", "a.words - b.words", "null", "'yes'"):
        with pytest.raises(RuleError, match=r"mine: sql: .* is no condition") as error:
            Voter([Principle("mine", "Select the response that is x", "file", sql)]).votes(measured)
        assert "a.words > b.words" in error.value.hint
    own = tmp_path / "own.toml"
    own.write_text('[[principle]]\nid = "mine"\ntext = "Select the response that is x"\nsql = "1"\n')
    frame = pl.DataFrame({"chosen": ["one two", "three"], "rejected": ["four", "five six"]})
    with pytest.raises(RuleError, match=rf"^{own}: mine: sql: '1' is no condition"):
        prefaudit.scan(frame, tmp_path / "a", with_=["principles"], principles=[str(own)])


def test_an_error_in_sql_names_the_file_it_stands_in(tmp_path: Path) -> None:
    head = '[[principle]]\nid = "{}"\ntext = "Select the response that is x"\nsql = "{}"\n'
    good, bad, listed = tmp_path / "good.toml", tmp_path / "bad.toml", tmp_path / "c.json"
    good.write_text(head.format("good", "a.words > b.words"))
    bad.write_text(head.format("bad", "a.nosuch > b.words"))
    rule = {"id": "worse", "sign": 1, "weight": 1, "text": "Select the response that is x", "sql": "a.nosuch > 1"}
    listed.write_text(json.dumps({"schema": saved.SCHEMA, "rules": [rule]}))
    frame = pl.DataFrame({"chosen": ["one two"], "rejected": ["four"]})
    where = {"with_": ["principles"], "fail_on": "never"}
    with pytest.raises(RuleError, match=rf"^{bad}: bad: unknown feature 'a\.nosuch'"):
        prefaudit.scan(frame, tmp_path / "a", principles=[str(bad), str(good)], **where)
    with pytest.raises(RuleError, match=rf"^{listed}: worse: unknown feature 'a\.nosuch'"):
        prefaudit.scan(frame, tmp_path / "b", principles=[str(good)], constitution=str(listed), **where)
    bad.write_text(head.format("bad", "a.words > 'many'"))
    with pytest.raises(RuleError, match=rf"^{bad}: bad: sql: .* failed: .*'many'"):
        prefaudit.scan(frame, tmp_path / "c", principles=[str(good), str(bad)], **where)


@pytest.mark.parametrize("option", ["principles", "constitution", "votes"])
def test_a_folder_is_told_from_a_file(option: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"chosen": ["one two"], "rejected": ["four"]})
    (tmp_path / "audit").mkdir()
    for expected, made in (("", False), ("audit/constitution.json", True)):
        if made:
            (tmp_path / "audit" / "constitution.json").write_text("{}")
        with pytest.raises(RuleError, match="audit is a folder, not a file") as error:
            prefaudit.scan(frame, tmp_path / "a", with_=["principles"], **{option: str(tmp_path / "audit")})
        assert (expected in error.value.hint) == (
            option == "constitution" or not made
        ) and "Errno" not in error.value.message
    with pytest.raises(RuleError, match="nowhere: No such file or directory"):
        prefaudit.scan(frame, tmp_path / "a", with_=["principles"], **{option: str(tmp_path / "nowhere")})


@pytest.mark.parametrize(
    ("change", "message"),
    [({"id": "two words"}, "the id 'two words' is not letters"), ({"id": "score"}, "the id 'score' is the name of"),
     ({"weight": -1}, "'kind' has the sign 1 and the weight -1"), ({"sign": 0}, "has the sign 0"),
     ({"text": None}, "the text has to begin"), ({"sign": "x"}, "a rule is wrong")],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_of_a_constitution_is_said(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    rule = {
        "id": "kind",
        "sign": 1,
        "weight": 1,
        "text": "Select the response that is kind",
        "sql": "a.words > b.words",
    }
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"schema": saved.SCHEMA, "rules": [{**rule, **change}]}))
    with pytest.raises(RuleError, match=message):
        saved.read(path)
    path.write_text(json.dumps({"schema": saved.SCHEMA, "rules": [{k: v for k, v in rule.items() if k != "weight"}]}))
    with pytest.raises(RuleError, match="'weight' is missing"):
        saved.read(path)
    path.write_text("# Constitution\n1. Select the response that is kind\n")
    with pytest.raises(RuleError, match=r"c\.json: no JSON: ") as error:
        saved.read(path)
    assert "constitution.json of an audit folder" in error.value.hint

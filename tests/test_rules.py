"""The rule engine, and every rule's own cases."""

import importlib.util
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from prefaudit.core import EFFECTS, FINDINGS, PAIRS, AuditError, Rule, RuleError, UsageError
from prefaudit.extractors import EXTRACTORS
from prefaudit.rules import Judge, builtin, check_columns, configure, describe, failures, load, read, select, wilson
from prefaudit.rules.judge import _threshold
from prefaudit.rules.sql import AGGREGATES, FUNCTIONS, Parser
from prefaudit.rules.tables import SMALL

ROOT = Path(__file__).resolve().parents[1]
RULES = builtin()
NONE = pl.DataFrame()

GOOD = """
code = "USR001"
name = "chosen-is-long"
scope = "pair"
severity = "warning"
value = "c.words / nullif(r.words, 0)"
where = "value >= $ratio"
message = "{value:.1f} times as long, from {ratio}"
what = "w"
why = "y"
remedy = "r"
[params]
ratio = 3.0
[[case]]
c.words = 9
r.words = 3
fires = true
[[case]]
c.words = 8
r.words = 3
fires = false
[[case]]
c.words = 8
unjudged = true
"""


def _file(folder: Path, text: str, name: str = "usr.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _part(**columns: object) -> pl.DataFrame:
    frame = pl.DataFrame(columns)
    return frame if "row" in frame.columns else frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))


def _words(chosen: list[int | None], rejected: list[int | None], start: int = 0) -> pl.DataFrame:
    sides = [
        pl.DataFrame({"words": w}, schema={"words": pl.UInt32}).to_struct(n)
        for n, w in (("c", chosen), ("r", rejected))
    ]
    rows = pl.int_range(start, start + len(chosen), eager=True).alias("row")
    return pl.DataFrame([rows, *sides])


@pytest.fixture
def rule(tmp_path: Path) -> Rule:
    return read(_file(tmp_path, GOOD))


@pytest.mark.parametrize("code", sorted(RULES))
def test_cases_of_the_rule(code: str) -> None:
    assert failures(RULES[code]) == []


@pytest.mark.parametrize("code", sorted(RULES))
def test_rule_is_complete(code: str) -> None:
    rule = RULES[code]
    answers = [c.fires for c in rule.cases]
    assert Path(rule.origin).stem == code
    assert rule.since
    assert rule.false_alarms
    assert len(answers) >= 3
    assert {True, False, None} <= set(answers)


@pytest.mark.parametrize(
    "code", sorted(c for c, r in RULES.items() if any(not isinstance(v, str) for v in r.params.values()))
)
def test_a_case_stands_just_off_the_threshold(code: str) -> None:
    """Move the first parameter a little either way: some case must change its answer, or the threshold is untested."""
    rule = RULES[code]
    name, value = next((k, v) for k, v in rule.params.items() if not isinstance(v, str))
    moved = [replace(rule, params={**rule.params, name: value + step * max(abs(value), 1) * 0.2}) for step in (-1, 1)]
    assert any(failures(r) for r in moved)


def test_pages_are_those_of_the_files() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    have = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "docs" / "rules").glob("*.md")}
    assert have == module.pages(), "run python docs/generate.py"


def test_severity_error_needs_no_threshold_on_a_guess() -> None:
    """An error is certain: none rests on a lexical probability, and none on what may be a matter of taste."""
    errors = [r for r in RULES.values() if r.severity == "error"]
    assert {r.code for r in errors} == {"SCH001", "SCH003", "SCH007", "CNF001", "LBL001", "LBL003", "STR006"}
    assert not any({"refusal", "sycophancy"} & set(r.needs) for r in errors)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("remedy =", "remedey =", "did you mean 'remedy'"),
        ('"USR001"', '"usr1"', "three capitals"),
        ('"USR001"', '"XXX001"', "unknown prefix 'XXX'"),
        ('what = "w"', "", "what: a text is required"),
        ('why = "y"', 'why = ""', "why: a text is required"),
        ('remedy = "r"', "", "remedy: a text is required"),
        ('"pair"', '"row"', "scope: unknown value 'row'"),
        ('"warning"', '"fatal"', "severity: unknown value 'fatal'"),
        ("value >= $ratio", "value >= $ration", "did you mean 'ratio'"),
        ("value >= $ratio", "value >= 3", "declared but not used"),
        ("{ratio}", "{rati}", "did you mean 'ratio'"),
        ("{value:.1f}", "{value:d}", "message"),
        ("c.words /", "c.words + ) /", "value: not an expression"),
        ("c.words /", "1), (c.words /", "value: not one expression"),
        ("nullif", "nulif", "did you mean 'nullif'"),
        ("fires = true", "fire = true", "case 1"),
        ("fires = true", "unjudged = false", "case 1"),
        ("fires = true", "fires = true\nunjudged = true", "case 1"),
        ("c.words = 9", "c.wrods = 9", "did you mean 'c.words'"),
        ("ratio = 3.0", "ratio = true", "params.ratio"),
        ("ratio = 3.0", "Ratio = 3.0", "params.Ratio"),
        ('name = "chosen-is-long"', 'name = "Chosen Is Long"', "name:"),
        ('scope = "pair"', 'scope = "pair"\nover = "effects"', "over: 'effects' does not go with scope 'pair'"),
        ('scope = "pair"', 'scope = "dataset"', "of the dataset table"),
        ('scope = "pair"', 'scope = "feature"', "of the effects table"),
        ("[params]", "[params", "TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = _file(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(RuleError) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert told in f"{caught.value.message} {caught.value.hint}"


def test_a_file_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="at least one case"):
        read(_file(tmp_path, GOOD[: GOOD.index("[[case]]")]))


def test_own_rules_join_the_built_in_ones(tmp_path: Path) -> None:
    _file(tmp_path, GOOD)
    rules = load([tmp_path])
    assert set(rules) == {*RULES, "USR001"}
    assert list(rules) == sorted(rules)


def test_a_code_is_given_once(tmp_path: Path) -> None:
    _file(tmp_path, GOOD.replace("USR001", "LEN001"))
    with pytest.raises(RuleError, match="LEN001 is taken"):
        load([tmp_path])
    (tmp_path / "two").mkdir()
    _file(tmp_path / "two", GOOD)
    _file(tmp_path / "two", GOOD, "other.toml")
    with pytest.raises(RuleError, match="USR001 is taken"):
        load([tmp_path / "two"])


def test_own_rule_must_keep_its_cases(tmp_path: Path) -> None:
    _file(tmp_path, GOOD.replace("ratio = 3.0", "ratio = 3.5"))
    with pytest.raises(RuleError, match="case 1: USR001 does not fire; the case says that it fires"):
        load([tmp_path])


def test_a_parameter_does_not_hide_a_column(tmp_path: Path) -> None:
    text = (ROOT / "rules" / "AGR001.toml").read_text(encoding="utf-8").replace("votes_shared", "shared")
    with pytest.raises(RuleError, match=r"params\.shared: the annotators table has a column"):
        read(_file(tmp_path, text))


def test_folders_that_hold_no_rule(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="no rule in"):
        load([tmp_path])
    with pytest.raises(RuleError, match="no folder"):
        load([tmp_path / "absent"])


def test_column_that_nobody_writes(tmp_path: Path, rule: Rule) -> None:
    check_columns(rule, {"c.words", "r.words"})
    with pytest.raises(RuleError) as caught:
        check_columns(rule, {"c.words", "r.wods"})
    assert caught.value.hint == "did you mean 'r.wods'?"


def test_select_by_prefix() -> None:
    assert set(select(RULES, ["SCH", "LEN001"], ["SCH0"])) == {"LEN001"}
    assert set(select(RULES, [], ["S"])) == {c for c in RULES if c[0] != "S"}
    for wrong in (["LNE"], [""]):
        with pytest.raises(UsageError):
            select(RULES, wrong)
    with pytest.raises(UsageError, match="LEN999"):
        select(RULES, [], ["LEN999"])


def test_configure(rule: Rule) -> None:
    changed = configure(rule, {"ratio": 5}, "error")
    assert (changed.params, changed.severity) == ({"ratio": 5}, "error")
    assert configure(rule) == rule
    for params in ({"ration": 5}, {"ratio": "5"}, {"ratio": True}):
        with pytest.raises(UsageError):
            configure(rule, params)
    with pytest.raises(UsageError):
        configure(rule, severity="fatal")


def test_one_rule_over_parts(rule: Rule) -> None:
    judge = Judge({"USR001": rule})
    assert judge.columns() == ["c.words", "r.words", "row"]
    one = judge.pairs(_words([9, 8, None], [3, 3, 3]))
    two = judge.pairs(_words([90, 1], [3, 0], start=3))
    assert one.schema == FINDINGS
    assert one.rows() == [(0, "USR001", "warning", 3.0)]
    assert two.rows() == [(3, "USR001", "warning", 30.0)]
    assert judge.fired("USR001").to_list() == [True, False, None, True, None]
    result = judge.results()[0]
    assert (result["status"], result["judged"], result["found"], result["unjudged"]) == ("fired", 3, 2, 2)
    assert (result["rate"], result["value"], result["threshold"]) == (0.666667, 30.0, 3.0)
    assert result["examples"] == [0, 3]
    assert result["message"] == "30.0 times as long, from 3.0"
    assert result["interval"] == [round(x, 6) for x in wilson(2, 3)]


def test_parts_make_no_difference(rule: Rule) -> None:
    frame = _words([(7 * i) % 23 for i in range(100)], [(5 * i) % 11 for i in range(100)])
    whole, split = Judge({"USR001": rule}), Judge({"USR001": rule})
    one = whole.pairs(frame)
    seven = pl.concat(split.pairs(frame.slice(k, 15)) for k in range(0, 100, 15))
    assert one.height > 10
    assert one.equals(seven)
    assert whole.results() == split.results()
    assert len(whole.results()[0]["examples"]) == 6  # the lowest five and the most extreme


def test_interval_is_the_callers(rule: Rule) -> None:
    judge = Judge({"USR001": rule})
    judge.pairs(_words([9, 1, None], [3, 3, 3]))
    seen: list[list[bool | None]] = []

    def interval(fired: pl.Series) -> tuple[float, float]:
        seen.append(fired.to_list())
        return 0.25, 0.75

    assert judge.results(interval)[0]["interval"] == [0.25, 0.75]
    assert seen == [[True, False, None]]


def test_missing_column_is_unjudged_and_named(rule: Rule) -> None:
    judge = Judge({"USR001": rule})
    frame = _words([9, 9], [3, 3])
    assert judge.pairs(frame.drop("r")).is_empty()
    result = judge.results()[0]
    assert (result["status"], result["unjudged"], result["judged"], result["rate"]) == ("unjudged", 2, 0, None)
    assert "r.words" in result["message"]
    assert judge.fired("USR001").to_list() == [None, None]


def test_a_failing_rule_is_told_and_stops_no_other(rule: Rule) -> None:
    broken = replace(rule, code="USR002", value="cast(label as double)", where="value > $ratio")
    judge = Judge({"USR001": rule, "USR002": broken})
    found = judge.pairs(_words([9, 9], [3, 3]).with_columns(label=pl.lit("chosen")))
    good, bad = judge.results()
    assert good["found"] == 2
    assert found["rule"].unique().to_list() == ["USR001"]
    assert (bad["status"], bad["unjudged"], bad["judged"]) == ("error", 2, 0)
    assert "Could not convert" in bad["message"]
    judge.pairs(_words([9], [3], start=2).with_columns(label=pl.lit("1")))
    assert [r["status"] for r in judge.results()] == ["fired", "error"]


def test_unsigned_counts_do_not_underflow(rule: Rule) -> None:
    judge = Judge({"USR001": replace(rule, value="c.words - r.words", where="value <= $ratio")})
    judge.pairs(_words([1, 9], [4, 3]))
    result = judge.results()[0]
    assert (result["status"], result["found"], result["value"]) == ("fired", 1, -3.0)  # the least is the worst here


def test_no_number_is_unjudged(rule: Rule) -> None:
    judge = Judge({"USR001": replace(rule, value="c.words / (r.words * 1.0::double)")})
    judge.pairs(_words([9, 0, 9], [0, 0, 3]))
    assert judge.fired("USR001").to_list() == [None, None, True]


def test_where_that_is_null_is_unjudged(rule: Rule) -> None:
    judge = Judge({"USR001": replace(rule, value="c.words", where="value > r.words * $ratio")})
    judge.pairs(_words([9, 9], [1, None]))
    assert judge.fired("USR001").to_list() == [True, None]


def test_empty_part_and_no_pairs(rule: Rule) -> None:
    judge = Judge({"USR001": rule})
    assert judge.pairs(_words([], [])).is_empty()
    assert judge.results()[0]["status"] == "unjudged"


def test_texts_are_read_where_a_rule_names_them(rule: Rule) -> None:
    judge = Judge({"USR001": replace(rule, value="length(chosen)", params={"ratio": 3})})
    assert judge.columns() == ["chosen", "row"]
    judge.pairs(_part(chosen=["abcd", "ab", None]))
    assert judge.fired("USR001").to_list() == [True, False, None]


def test_dataset_rule_reads_the_table() -> None:
    judge = Judge({"LEN002": RULES["LEN002"], "POS001": RULES["POS001"]})
    metrics = {"length_auc": 0.7, "length_auc_low": 0.66, "longer_wins": 0.71, "first_low": None}
    found = judge.dataset(metrics, NONE, NONE)
    assert found.rows() == [(None, "LEN002", "warning", 0.66)]
    length, position = judge.results()
    assert (length["status"], length["value"], length["threshold"], length["judged"]) == ("fired", 0.66, 0.65, 1)
    assert "AUC 0.70, at least 0.66; the longer answer wins 71%" in length["message"]
    assert (position["status"], position["unjudged"]) == ("unjudged", 1)


def test_annotators_are_named_worst_first() -> None:
    columns = {"votes": [50.0] * 3, "shared": [50.0] * 3, "agreement": [0.5, 0.2, 0.9], "low": [0.4, 0.1, 0.8]}
    annotators = pl.DataFrame({"annotator": ["a", "b", "c"], **columns, "high": [0.59, 0.3, 0.95]})
    annotators = annotators.with_columns(q_agreement=pl.Series([0.01, 0.001, 1.0]))
    judge = Judge({"AGR001": RULES["AGR001"]})
    found = judge.dataset({}, annotators, NONE)
    assert found["value"].to_list() == [0.2, 0.5]
    result = judge.results()[0]
    assert (result["named"], result["judged"], result["found"]) == (["b", "a"], 3, 2)
    assert "annotator b agrees" in result["message"]


def test_feature_rule_reads_the_effects() -> None:
    rows = [
        ("lists", "format", "more list items", 0.08, 0.2),
        ("bold", "format", "more bold", -0.12, -0.25),
        ("words", "length", "more words", 0.3, 0.4),
    ]
    effects = pl.DataFrame(
        {name: [None] * 3 for name in EFFECTS}
        | dict(zip(("feature", "family", "label", "bound", "delta_win"), zip(*rows, strict=True), strict=True)),
        schema=EFFECTS,
    )
    judge = Judge({"FMT002": RULES["FMT002"]})
    judge.dataset({}, NONE, effects)
    result = judge.results()[0]
    assert (result["named"], result["found"], result["value"]) == (["bold", "lists"], 2, 0.12)
    assert result["message"].startswith("more bold: -25.0 points at the same length, at least 12.0%")


def test_dataset_rule_over_all_pairs(rule: Rule) -> None:
    share = replace(
        rule,
        scope="dataset",
        over="features",
        value="avg(case when c.words > 5 then 1.0 else 0 end)",
        params={"ratio": 0.5},
    )
    judge = Judge({"USR001": share})
    asked: list[list[str]] = []

    def features(names: list[str]) -> Iterator[pl.DataFrame]:
        asked.append(names)
        yield _words([9, 1], [1, 1])
        yield _words([9], [1], start=2)

    found = judge.dataset({}, NONE, NONE, features)
    assert asked == [["c.words"]]
    assert found["row"].to_list() == [None]
    assert judge.results()[0]["value"] == 0.666667


def _share(rule: Rule, value: str) -> Judge:
    return Judge({"USR001": replace(rule, scope="dataset", over="features", value=value, params={"ratio": 0.5})})


def test_a_dataset_rule_over_parts_is_one_over_the_whole(rule: Rule) -> None:
    frame = _words([(7 * i) % 23 for i in range(1000)], [(5 * i) % 11 for i in range(1000)])
    for value in ("median(c.words)", "count_if(c.words > r.words) / count(*)", "stddev(r.words)"):
        told = []
        for step in (1000, 300, 7):
            judge, parts = _share(rule, value), [frame[at : at + step] for at in range(0, 1000, step)]
            judge.dataset({}, NONE, NONE, lambda names, parts=parts: parts)  # type: ignore[misc]
            told.append(judge.results()[0])
        assert told[0]["value"] > 0
        assert told[0] == told[1] == told[2]


def test_a_part_that_cannot_be_read_is_no_fault_of_the_rule(rule: Rule) -> None:
    def features(names: list[str]) -> Iterator[pl.DataFrame]:
        yield _words([9, 1], [1, 1])
        raise AuditError("part 1 is damaged", "scan again")

    with pytest.raises(AuditError, match="part 1 is damaged"):
        _share(rule, "max(c.words)").dataset({}, NONE, NONE, features)


def test_a_dataset_rule_has_its_time_with_each_part(rule: Rule) -> None:
    def features(names: list[str]) -> Iterator[pl.DataFrame]:
        for k in range(6):
            time.sleep(0.25)
            yield _words([k], [1])

    judge = Judge({"USR001": replace(rule, scope="dataset", over="features", value="max(c.words)")}, seconds=0.9)
    judge.dataset({}, NONE, NONE, features)
    assert judge.results()[0]["value"] == 5


def test_every_rule_is_asked_at_once_of_a_canonical_part() -> None:
    """The columns of PAIRS as they are typed there, and nothing measured: no rule may fail."""
    frame = pl.DataFrame({k: [0] if k == "row" else [None] for k in PAIRS}, schema=PAIRS)
    judge = Judge(RULES)
    assert judge.pairs(frame).is_empty()
    assert {r["status"] for r in judge.results()} == {"unjudged"}


def test_built_in_rules_name_what_is_measured() -> None:
    """Every column a built-in pair rule names is in PAIRS or written by an extractor that it says it needs."""
    written: dict[str, set[str]] = {}
    for extractor in EXTRACTORS:
        names = written.setdefault(extractor.name, set())
        for root, kind in extractor().columns.items():
            names |= {root, *(f"{root}.{f.name}" for f in kind.fields)} if isinstance(kind, pl.Struct) else {root}
    parser = Parser()
    for rule in RULES.values():
        assert set(rule.needs) <= written.keys(), rule.code
        if rule.scope == "pair":
            check_columns(rule, set(PAIRS).union(*(written[n] for n in rule.needs)), parser)


def test_describe() -> None:
    assert "LEN001" in describe()
    page = describe("LEN001")
    assert page.startswith("# LEN001 lengths-far-apart")
    assert "Known false alarms" in page
    assert describe(everything=True).count("## What it asks") == len(RULES)
    with pytest.raises(UsageError):
        describe("LEN777")


def test_the_file_that_the_documentation_shows(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    shown = text[text.index("One TOML file a rule.") :].split("```toml\n")[1].split("```")[0]
    _file(tmp_path, shown)
    assert load([tmp_path])["USR001"].params == {"ratio": 3.0}


def test_the_documentation_names_every_column_and_function() -> None:
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z_0-9]+", text))
    assert {c for table in SMALL.values() for c in table} <= words
    spelled_out = {"like_escape", "ilike_escape", "not_like_escape", "not_ilike_escape", "list_value"}
    other_names = {"ceiling", "power", "substr", "prefix", "suffix", "instr", "split", "list_apply", "array_extract"}
    named = {f for f in FUNCTIONS | AGGREGATES if f.isidentifier()}
    assert named - spelled_out - other_names - {"count_star"} <= words


def test_wilson_against_published_values() -> None:
    """Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 and 0 of 20."""
    assert [round(x, 4) for x in wilson(81, 263)] == [0.2553, 0.3662]
    assert [round(x, 4) for x in wilson(0, 20)] == [0.0, 0.1611]


def test_the_threshold_told_is_what_the_value_is_compared_with() -> None:
    told = {code: _threshold(RULES[code]) for code in ("DUP003", "DUP007", "DUP008", "CNF006", "LEN001")}
    similar = RULES["DUP003"].params["similarity"]
    assert told == {"DUP003": similar, "DUP007": 0.05, "DUP008": 0.1, "CNF006": 0.7, "LEN001": 10.0}

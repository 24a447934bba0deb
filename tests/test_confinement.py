"""Rules are SQL from strangers: what they may not do, and what happens when they try."""

import time
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pytest

from prefaudit import duck
from prefaudit.core import Rule, RuleError
from prefaudit.rules import Judge, read
from prefaudit.rules.sql import Parser

REFUSED = {
    "read a file": "len((select content from read_text('/etc/passwd')))",
    "read a file as a function": "length(read_text('/etc/passwd'))",
    "read a blob": "read_blob('/etc/passwd')",
    "a table function behind a bracket": "1) from read_text('/etc/passwd') where (true",
    "a file as a table": "1) from '/etc/passwd' where (true",
    "copy": "1); copy (select 1) to '/tmp/prefaudit-stolen.csv'; select (1",
    "copy alone": "copy (select 1) to '/tmp/prefaudit-stolen.csv'",
    "attach": "1); attach '/tmp/prefaudit-stolen.db'; select (1",
    "install": "1); install httpfs; select (1",
    "load": "1); load httpfs; select (1",
    "set": "1); set enable_external_access = true; select (1",
    "pragma": "1); pragma database_list; select (1",
    "environment": "length(getenv('HOME'))",
    "a setting": "length(current_setting('home_directory'))",
    "subquery on settings": "(select count(*) from duckdb_settings())",
    "exists": "exists(select 1 from duckdb_secrets())",
    "in a subquery": "1 in (select 1)",
    "array of a subquery": "len(array(select 1))",
    "union": "1) union select (2",
    "with": "1) from (with x as (select 1) select * from x) where (true",
    "second column": "1), (2",
    "alias and second column": "1) as a, (2",
    "order and limit": "1) order by (1",
    "comment that swallows the rest": "1) from secrets -- ",
    "open comment": "1 /* ",
    "quote breakout": "'a' || '' ) from secrets where ('1' = '1",
    "dollar quote": "$$a$$ || $$b",
    "star": "*",
    "columns": "columns('.*')",
    "window": "count(*) over ()",
    "aggregate in a row": "sum(c.words)",
    "unnest": "unnest([1, 2])",
    "range": "len(range(10000000000))",
    "generate_series": "len(generate_series(1, 10000000000))",
    "repeat": "length(repeat(chosen, 1000000000))",
    "replace that multiplies": "length(replace(chosen, 'e', chosen))",
    "concat that doubles": "length(chosen || chosen)",
    "pad": "length(lpad(chosen, 1000000000, 'x'))",
    "printf width": "length(printf('%1000000000d', 1))",
    "lambda in a lambda": "len(list_transform(votes, lambda a: len(list_transform(votes, lambda b: 1))))",
    "column in a lambda": "len(list_transform(votes, lambda a: length(chosen)))",
    "edit distance": "levenshtein(chosen, rejected)",
    "pattern from the data": "regexp_matches(chosen, rejected)",
    "cast to a wide array": "len(cast([1] as integer[100000000]))",
    "cast to an enum": "cast(chosen as enum('a'))",
    "other schema": "system.main.length(chosen)",
    "query function": "length(query('select 1'))",
    "sequence": "nextval('s')",
    "random": "random()",
    "default": "default",
    "sleep by name": "sleep_ms(100000)",
    "nested too deep": "(" * 900 + "1" + ")" * 900 + "+ abs(" * 150 + "1" + ")" * 150,
    "too long": "1 + " * 2_000 + "1",
    "empty": "",
    "only a comment": "-- nothing",
    "null byte": "1\x00 from secrets",
}


@pytest.fixture(scope="module")
def parser() -> Parser:
    return Parser()


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_it_runs(text: str, parser: Parser) -> None:
    with pytest.raises(RuleError):
        parser.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "c.words / nullif(r.words, 0)",
        "case when label = 'chosen' then 1 else 0 end",
        "c.words between 1 and 3 or r.words in (1, 2) and not (chosen is null)",
        "regexp_matches(chosen, '^as an ai', 'i')",
        "chosen ilike '%as an ai%' or chosen ~ 'x'",
        "try_cast(extra ->> '$.rating' as double)",
        "list_avg(list_transform(votes, lambda v: v.vote))",
        "len(string_split(chosen, '\n')) -- lines",
        "1 /* a comment */ + 1",
        "'it''s; drop table x -- no' = chosen",
    ],
)
def test_what_rules_are_for_is_read(text: str, parser: Parser) -> None:
    assert parser.parse(text).sql


def test_what_runs_is_the_tree_and_not_the_text(parser: Parser) -> None:
    assert parser.parse("c.words /* ) from secrets -- */ + $x -- )", tag="t").sql == "(c.words + $t_x)"


def _rule(value: str, where: str = "value > 0", code: str = "USR001") -> Rule:
    return Rule(code, "attack", "", "pair", "info", value, where, "{value}", "what", "why", "remedy")


def test_names_that_are_settings_elsewhere_are_columns_here() -> None:
    judge = Judge({"USR001": _rule("length(current_user)")})
    judge.pairs(pl.DataFrame({"row": [0]}))
    assert judge.results()[0]["status"] == "unjudged"
    assert "current_user" in judge.results()[0]["message"]


def test_pattern_bombs_end_in_time() -> None:
    frame = pl.DataFrame({"row": range(200), "chosen": ["a" * 20_000 + "b"] * 200})
    bombs = ["^(a+)+$", "^(a|a)*$", "(a*)*c", "((a{1,100}){1,100}){1,100}c", "(.*.*.*.*.*.*)*x"]
    rules = {f"USR00{i}": _rule(f"regexp_matches(chosen, '{p}')", code=f"USR00{i}") for i, p in enumerate(bombs)}
    start = time.process_time()
    judge = Judge(rules, seconds=5)
    judge.pairs(frame)
    assert time.process_time() - start < 60
    assert {r["status"] for r in judge.results()} <= {"ok", "fired", "error"}


def test_time_limit_stops_a_rule_and_no_other() -> None:
    n = 400_000
    frame = pl.DataFrame({"row": range(n), "chosen": ["the quick brown fox " * 20] * n})
    slow = "len(regexp_extract_all(chosen, '(([a-z]+)|([a-z]+ [a-z]+))+o'))"
    judge = Judge({"USR001": _rule(slow), "USR002": _rule('"row" + 1', code="USR002")}, seconds=0.5)
    start = time.perf_counter()
    judge.pairs(frame)
    assert time.perf_counter() - start < 30
    first, second = judge.results()
    assert first["status"] == "error"
    assert first["message"] == "not answered within 0.5 seconds"
    assert first["unjudged"] == n
    assert second["status"] == "fired"
    assert second["found"] == n


def test_memory_limit_is_an_error_of_the_rule_alone() -> None:
    numbers = pl.DataFrame({"margin": pl.int_range(3_000_000, eager=True).cast(pl.Float64)})
    rules = {
        code: replace(_rule(value, code=code), scope="dataset", over="features")
        for code, value in (("USR001", "median(margin)"), ("USR002", "max(margin)"))
    }
    judge = Judge(rules, memory="4MB")
    judge.dataset({}, pl.DataFrame(), pl.DataFrame(), lambda names: [numbers.select(names)])
    first, second = judge.results()
    assert first["status"] == "error"
    assert "Out of Memory" in first["message"]
    assert second["status"] == "fired"
    assert second["value"] == 2_999_999


def test_the_connection_itself_is_closed_to_files(tmp_path: Path) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("a\n1\n")
    con = duck.confined()
    for attack in (
        f"select * from read_csv('{path}')",
        f"select * from '{path}'",
        f"copy (select 1) to '{tmp_path / 'out.csv'}'",
        f"attach '{tmp_path / 'x.db'}'",
        "set enable_external_access = true",
        "install httpfs",
    ):
        with pytest.raises(duckdb.Error):
            con.execute(attack)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("message", ["{value.__class__}", "{value!r}", "{value:>999999999}", "{params[x]}", "{", "{0}"])
def test_messages_reach_no_attribute_and_no_width(message: str, tmp_path: Path) -> None:
    path = tmp_path / "usr.toml"
    path.write_text(
        f"""code = "USR001"\nname = "x"\nscope = "pair"\nseverity = "info"\nvalue = "c.words"\nwhere = "value > 1"
message = '{message}'\nwhat = "a"\nwhy = "b"\nremedy = "c"\n[[case]]\nc.words = 2\nfires = true\n"""
    )
    with pytest.raises(RuleError, match="message"):
        read(path)

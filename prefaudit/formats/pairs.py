"""From a part of source rows to PAIRS and SKIPPED, by one SQL statement."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from prefaudit.core import PAIRS, SKIPPED
from prefaudit.formats import sql
from prefaudit.formats.base import Detected, Reading
from prefaudit.formats.columns import PLACE, Columns, alias, aliased
from prefaudit.formats.sql import MSGS, VOTES

ALIASES: dict[str, tuple[str, ...]] = {
    "margin": ("margin",),
    "score_a": ("score_chosen", "chosen_score", "chosen-rating", "chosen_rating", "chosen_reward", "reward_chosen"),
    "score_b": (
        "score_rejected",
        "rejected_score",
        "rejected-rating",
        "rejected_rating",
        "rejected_reward",
        "reward_rejected",
    ),
    "model_a": ("model_chosen", "chosen_model", "chosen-model", "model_a"),
    "model_b": ("model_rejected", "rejected_model", "rejected-model", "model_b"),
    "source": ("source", "dataset", "data_source"),
    "annotator": ("annotator", "annotator_id", "worker", "evaluator"),
}
"""Columns that say more about a pair, under the names they go by; read where a layout does not read them itself."""

SIDES = {"chosen": "a", "rejected": "b"}
MISSING = "both answers are missing"
NO_REPLY = "the reply is missing"
ONE_MISSING = "an answer is missing"
UNKNOWN_LABEL = "the label is missing or unknown"
ALONE = "no second answer to compare with"


def reading(detected: Detected, c: Columns) -> Reading:
    """The layout's reading with what --map adds and what well-known columns say."""
    r = detected.layout.read(c)
    if r.table != "part":
        return r
    free = {f: names for f, names in ALIASES.items() if getattr(r, f) == "null"}
    if r.label != "'a'":
        free = {f: names for f, names in free.items() if not f.startswith("score")}
    found: dict[str, Any] = {}
    for f, names in free.items():
        name = next((n for n in names if n in c and c.real(n) not in c.used), None)
        if name is not None:
            found[f] = c[name].number if f in ("margin", "score_a", "score_b") else c[name].text
    return replace(r, **found)


def mapped(detected: Detected, r: Reading, c: Columns) -> dict[str, str]:
    """SQL of the PAIRS columns that --map names outright.

    Beside a chosen and a rejected answer a column `first` is the presented order without being asked for.
    """
    out: dict[str, str] = {}
    own = {"first": "first"} if r.label == "'a'" and not r.keys else {}
    for f, column in {**own, **detected.mapping}.items():
        if f in detected.layout.fields or column not in c.kinds:
            continue
        col = c[column]
        if f in ("score_chosen", "score_rejected", "score_a", "score_b"):  # a verifier's verdict is a score too
            out[f] = f"coalesce({col.number}, case lower({col.text}) when 'true' then 1.0 when 'false' then 0.0 end)"
        elif f == "margin":
            out[f] = col.number
        elif f == "first":
            out[f] = sql.words(
                col.text,
                {
                    "chosen": ("1", "1.0", "true", "chosen", "first"),
                    "rejected": ("0", "0.0", "false", "rejected", "second"),
                    "a": ("a", "model_a", "response_a", "text_a", "response_1", "left"),
                    "b": ("b", "model_b", "response_b", "text_b", "response_2", "right"),
                },
            )
        else:
            out[f] = col.text
    return out


def kept_sql(detected: Detected) -> str:
    """SQL of a JSON object of the columns that no field takes; absent values are left out."""
    pieces = []
    for name in detected.kept:
        key = sql.literal(sql_key(name) + ":")
        raw = alias(detected.columns, name)
        value = f"to_json({raw})::varchar" if detected.columns[name] == "text" else f"nullif({raw}, 'null')"
        pieces.append(f"{key} || {value}")
    if not pieces:
        return "null"
    return f"'{{' || nullif(concat_ws(',', {', '.join(pieces)}), '') || '}}'"


def sql_key(name: str) -> str:
    """A column name as a JSON key."""
    return json.dumps(name, ensure_ascii=False)


def statement(detected: Detected, strings: frozenset[str] = frozenset()) -> tuple[str, dict[str, str]]:
    """The SQL from table `part` to candidate pairs: the PAIRS columns but `row`, and `reason` (null for a pair).

    The second value names the source columns that are the answers as they stand: for them the SQL gives text only
    where reasoning was cut, so that no answer is copied for nothing.
    """
    c = detected.view(strings)
    r = reading(detected, c)
    fixed = mapped(detected, r, c)
    plain = r.text_a is not None and r.text_b is not None
    extra = r.extra if r.extra is not None else kept_sql(detected)
    keys = "".join(f", {key} as key{n}" for n, key in enumerate(r.keys))
    final = "".join(f", {value} as fix_{name}" for name, value in fixed.items())
    prompt = r.text_prompt if plain and r.text_prompt else r.prompt
    raw = f"""select {r.row_a} as row_a, {r.row_b} as row_b{keys}, {prompt} as p,
        {r.text_a if plain else r.a} as a, {r.text_b if plain else r.b} as b, {r.label} as label,
        {r.first} as a_first, {r.margin} as margin, {r.score_a} as score_a, {r.score_b} as score_b,
        {r.source} as source, {r.annotator} as annotator, {r.model_a} as model_a, {r.model_b} as model_b,
        {r.votes} as votes, {extra} as extra, {r.reason} as own{final} from {r.table}"""
    straight = _straight(detected, r) if plain else {}
    return _oriented(raw, r, plain, plain and r.text_prompt is not None, fixed, bool(straight)), straight


def _straight(detected: Detected, r: Reading) -> dict[str, str]:
    """Answer to source column, where rows map one to one and the answers are text columns untouched."""
    texts = {alias(detected.columns, name): name for name, kind in detected.columns.items() if kind == "text"}
    if r.label != "'a'" or r.table != "part" or r.text_a not in texts or r.text_b not in texts:
        return {}
    return {"chosen": texts[r.text_a], "rejected": texts[r.text_b]}


def _reason(r: Reading, plain: bool, plain_prompt: bool) -> str:
    a, b = ("a", "b") if plain else ("a.text", "b.text")
    whens = [] if r.reason == "null" else ["when own is not null then own"]
    if not plain_prompt:
        whens.append("when p.bad is not null then p.bad")
    if not plain:
        whens += ["when a.bad is not null then a.bad", "when b.bad is not null then b.bad"]
    whens.append(f"when {a} is null and {b} is null then '{NO_REPLY if r.single else MISSING}'")
    if not r.single:
        whens.append(f"when {a} is null or {b} is null then '{ONE_MISSING}'")
    if r.label != "'a'":
        whens.append(f"when label is null or label not in ('a', 'b', 'tie', 'both_bad') then '{UNKNOWN_LABEL}'")
    return f"case {' '.join(whens)} end"


def _oriented(raw: str, r: Reading, plain: bool, plain_prompt: bool, fixed: dict[str, str], straight: bool) -> str:
    constant = r.label == "'a'"
    asked = raw
    if not plain:
        before = f"{sql.context('p.m', 'a.context')} as before_a, {sql.context('p.m', 'b.context')} as before_b"
        asked = f"select *, {before} from ({raw})"

    def pick(x: str, y: str) -> str:
        return x if constant else f"case when label = 'b' then {y} else {x} end"

    def given(name: str, otherwise: str) -> str:
        side = {
            "score_chosen": ("score_a", "score_b"),
            "score_rejected": ("score_b", "score_a"),
            "model_chosen": ("model_a", "model_b"),
            "model_rejected": ("model_b", "model_a"),
        }.get(name)
        if name in fixed:
            return f"fix_{name}"
        if side and (side[0] in fixed or side[1] in fixed):
            x, y = (f"fix_{s}" if s in fixed else s for s in side)
            return pick(x, y)
        return otherwise

    prompt, other = _prompts(r, plain, plain_prompt, pick)
    first = "fix_first" if "first" in fixed else "null"
    mapped_first = (
        f"case {first} when 'chosen' then 1 when 'rejected' then 0 "
        f"when {pick(repr('a'), repr('b'))} then 1 when {pick(repr('b'), repr('a'))} then 0 end"
    )
    from_layout = "null" if r.first == "null" else pick("a_first", "1 - a_first")
    votes = f"null::{VOTES}"
    if r.votes != "null":
        votes = pick("votes", "list_transform(votes, lambda v: {'annotator': v.annotator, 'vote': 1 - v.vote})")
    sides = [("chosen", *("a", "b")), ("rejected", *("b", "a"))]
    answers = []
    for name, x, y in sides:
        text = pick(x, y) if plain else pick(f"{x}.text", f"{y}.text")
        why = f"null::varchar as {name}_said" if plain else f"{pick(f'{x}.reasoning', f'{y}.reasoning')} as {name}_said"
        answers.append(f"{text} as {name}, {why}")
    keys = "".join(f", key{n}" for n in range(len(r.keys)))
    picked = f"""select {pick("row_a", "row_b")} as source_row, {pick("row_b", "row_a")} as other_row{keys},
        {prompt} as prompt, {other} as other_prompt, {", ".join(answers)},
        {"'chosen'" if constant else "case when label in ('a', 'b') then 'chosen' else label end"} as label,
        {mapped_first if "first" in fixed else from_layout} as first, {given("margin", "margin")} as margin,
        {given("score_chosen", pick("score_a", "score_b"))} as score_chosen,
        {given("score_rejected", pick("score_b", "score_a"))} as score_rejected,
        {given("source", "source")} as source, {given("annotator", "annotator")} as annotator,
        {given("model_chosen", pick("model_a", "model_b"))} as model_chosen,
        {given("model_rejected", pick("model_b", "model_a"))} as model_rejected,
        {votes} as votes, extra, {_reason(r, plain, plain_prompt)} as reason from ({asked})"""
    return _finished(picked, keys, straight, plain_prompt)


def _prompts(r: Reading, plain: bool, plain_prompt: bool, pick: Callable[[str, str], str]) -> tuple[str, str]:
    """SQL of the prompt of the chosen and of the rejected answer; the second is null where it cannot differ."""
    nothing = f"null::{MSGS}"
    if plain_prompt:
        return f"case when p is null then []::{MSGS} else {sql.prompt_text('p')} end", nothing
    if plain:
        return "p.m", nothing
    before_a, before_b = "before_a", "before_b"
    if r.single:
        return (
            f"case when a.text is null then {before_b} else {before_a} end",
            f"case when a.text is not null and b.text is not null then {before_b} end",
        )
    return pick(before_a, before_b), pick(before_b, before_a)


def _finished(picked: str, keys: str, straight: bool, plain_prompt: bool) -> str:
    cut = ", ".join(
        f"case when pf_thinks({s}) then pf_spoken({s}) {'' if straight else f'else {s}'} end as {s}_cut, "
        f"coalesce({s}_said, case when pf_thinks({s}) then pf_thought({s}) end) as {s}_reasoning"
        for s in ("chosen", "rejected")
    )
    texts = ", ".join(f"coalesce({s}_cut, {s}) as {s}_text" for s in ("chosen", "rejected"))
    spoken = f"select *, {texts} from (select *, {cut} from ({picked}))"
    kept = ", ".join(
        f"{c}_cut as {c}" if c in ("chosen", "rejected") else c
        for c in PAIRS
        if c not in ("row", "source_row", "other_source_row", "rejected_prompt") and not c.startswith("hash_")
    )
    asked = sql.hash_messages("prompt")
    if plain_prompt:
        asked = (
            f"case when len(prompt) = 1 then md5_number_lower('user' || chr(31) || prompt[1].content) else {asked} end"
        )
    return f"""select source_row{keys}, case when other_row <> source_row then other_row end as other_source_row,
        case when other_prompt <> prompt then other_prompt end as rejected_prompt, {kept},
        {asked} as hash_prompt, md5_number_lower(chosen_text) as hash_chosen,
        md5_number_lower(rejected_text) as hash_rejected, reason from ({spoken})"""


def _strings(part: pa.Table, detected: Detected) -> frozenset[str]:
    """JSON columns that hold nothing but strings and nulls in this part: they need no case for other values."""
    out = []
    for name, kind in detected.columns.items():
        if kind == "json" and name not in detected.decoded and name not in detected.kept:
            other = pc.invert(pc.or_(pc.starts_with(part[name], '"'), pc.equal(part[name], "null")))
            if not pc.any(other).as_py():
                out.append(name)
    return frozenset(out)


def to_pairs(
    con: duckdb.DuckDBPyConnection, detected: Detected, part: pa.Table, first_row: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs and skips of one part.

    Args:
        con: a connection of `prefaudit.duck`.
        detected: what `detect` found.
        part: source_row, file, line and the source's columns (text or JSON text); for a layout that regroups, a part
            that `regroup` yields.
        first_row: the number of the part's first pair.

    Returns:
        A frame with exactly the columns of PAIRS, in the order of the source rows, and one with exactly those of
        SKIPPED: every source row of the part is in one of them.
    """
    sql.prepare(con)
    query, straight = statement(detected, _strings(part, detected))
    con.register("part", aliased(part, detected.columns))
    try:
        found = con.sql(query).to_arrow_table()
    finally:
        con.unregister("part")
    frame = _in_order(pl.DataFrame(found), part.num_rows)
    for side, column in straight.items():
        whole = pl.Series(side, part[column])
        cut = frame[side]
        frame = frame.with_columns(whole if cut.null_count() == frame.height else cut.fill_null(whole).alias(side))
    return _split(frame, _places(part), first_row)


def _in_order(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    """The frame in the order of the source rows: DuckDB's threads may hand their pieces over in any."""
    keys = [c for c in frame.columns if c.startswith("key")]
    if keys:
        return frame.sort(keys, maintain_order=True)
    if frame.height != rows:
        raise AssertionError(f"{rows} rows gave {frame.height} readings without a key to order them by")
    return frame if frame["source_row"].is_sorted() else frame.sort("source_row")


def _places(part: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(part.select(["source_row", "file", "line"])).cast(
        {"source_row": pl.Int64, "file": pl.String, "line": pl.Int64}
    )


def _split(frame: pl.DataFrame, places: pl.DataFrame, first_row: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    good = frame.filter(pl.col("reason").is_null()) if frame["reason"].null_count() < frame.height else frame
    pairs = good.with_columns(row=pl.int_range(first_row, first_row + good.height, dtype=pl.Int64))
    pairs = pairs.select(*PAIRS).cast(PAIRS)  # type: ignore[arg-type]
    if (
        good.height == places.height == good["source_row"].n_unique()
        and good["other_source_row"].null_count() == good.height
    ):
        return pairs, pl.DataFrame(schema=SKIPPED)
    used = pl.concat([good["source_row"], good["other_source_row"].cast(pl.Int64)]).unique()
    why = frame.filter(pl.col("reason").is_not_null()).select("source_row", "other_source_row", "reason")
    why = pl.concat(
        [
            why.select("source_row", "reason"),
            why.select(pl.col("other_source_row").cast(pl.Int64).alias("source_row"), "reason"),
        ]
    )
    why = why.drop_nulls("source_row").unique("source_row", keep="first", maintain_order=True)
    left = places.filter(~pl.col("source_row").is_in(used.implode()))
    skipped = left.join(why, on="source_row", how="left", maintain_order="left")
    skipped = skipped.with_columns(pl.col("reason").fill_null(ALONE))
    return pairs, skipped.select(*SKIPPED).cast(SKIPPED)  # type: ignore[arg-type]


def unaccounted(pairs: pl.DataFrame, skipped: pl.DataFrame, source_rows: list[int]) -> list[int]:
    """Source rows that are neither in a pair nor skipped, or are in both: empty where the account is whole."""
    paired = set(pairs["source_row"]) | set(pairs["other_source_row"].drop_nulls())
    left = set(skipped["source_row"])
    return sorted(row for row in source_rows if (row in paired) == (row in left))


def data_columns(columns: dict[str, str]) -> dict[str, str]:
    """The columns that are data, without those that say where a row stands."""
    return {name: kind for name, kind in columns.items() if name not in PLACE}

"""Which pair of one version of a dataset is which pair of the other: one to one, by content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from prefaudit import duck
from prefaudit.stats.votes import ITEM_KEYS
from prefaudit.store import Store

if TYPE_CHECKING:
    import duckdb

CHANGES: dict[str, pl.DataType] = {
    "change": pl.String(),  # removed, added, changed, relabelled
    "what": pl.String(),  # of a changed or relabelled pair: prompt, chosen, rejected, label, joined by commas
    "before": pl.Int64(),  # row of the pair in the one audit; null where added
    "after": pl.Int64(),  # row in the other; null where removed
    "before_source_row": pl.Int64(),
    "after_source_row": pl.Int64(),
    "source": pl.String(),
}


class Pass(NamedTuple):
    """One way to find the same pair again, asked of the pairs that no earlier one found."""

    before: str
    after: str = ""  # the same expressions where empty
    where: str = "true"
    even: bool = True  # only where as many pairs have the key on both sides: else nothing tells which is which


PASSES = (
    Pass("p, lo, hi, state, who, src, rest", even=False),
    Pass("p, lo, hi, state, who, src", even=False),
    Pass("p, lo, hi, who, src", even=False),
    Pass("p, lo, hi, state", even=False),
    Pass("p, lo, hi", even=False),
    Pass("src, id", where="id <> 0"),
    Pass("lo, hi, state", where="lo <> 0"),
    Pass("p, c", where="c <> 0"),
    Pass("p, r", where="r <> 0"),
    Pass("p, c", "p, r", "c <> 0 and r <> 0"),
    Pass("p, r", "p, c", "c <> 0 and r <> 0"),
    Pass("lo, hi", where="lo <> 0"),
    Pass("p"),
)


class Matched(NamedTuple):
    """What `match` found: pairs that stayed as they were, the others, and (n, 2) rows of what is the same pair."""

    same: int
    changes: pl.DataFrame
    links: pl.DataFrame


def match(before: Store, after: Store, memory: str = "2GB", threads: int = 2) -> Matched:
    """Find each pair of the one audit in the other.

    Pairs are told apart by content hashes: first of the prompt and both answers, whichever is chosen, with label,
    annotator, source and all else the source says of them; then with less and less of that; then by the source's own
    name of the pair; then by what is left when one text changed. Within a key the first of the one is the first of the
    other, in reading order, so every pair is matched once at most and no key multiplies; where one text changed, only
    keys count that as many pairs have on both sides. Runs in DuckDB within `memory`, on disk beyond it: hashes are
    read, texts are not.

    Args:
        before: an audit folder.
        after: another.
        memory: DuckDB's limit.
        threads: its threads.

    Returns:
        Matched; `changes` has the columns CHANGES, by change, then row.
    """
    with duck.connect(memory, threads) as con:
        for name, store in (("a", before), ("b", after)):
            con.execute(_table(name, [str(store.path(store.part("pairs", k))) for k in range(store.parts())]))
            con.execute(f"create table left_{name} as select * from {name}")
        con.execute("create table matched (a bigint, b bigint)")
        for one in PASSES:
            if not all(_some(con, f"left_{name}") for name in ("a", "b")):
                break
            con.execute(_matching(one))
            con.execute("insert into matched select * from found")
            for name in ("a", "b"):
                con.execute(f"create or replace table left_{name} as select * from left_{name} "
                            f"where row not in (select {name} from found)")  # fmt: skip
        con.execute(TOLD)
        same = con.execute("select count(*) from told where change = 'same'").fetchall()[0][0]
        changes = pl.from_arrow(con.sql(_changes()).to_arrow_table())
        links = pl.from_arrow(con.sql("select a as before, b as after from matched order by a").to_arrow_table())
    assert isinstance(changes, pl.DataFrame) and isinstance(links, pl.DataFrame)
    return Matched(int(same), changes.cast(CHANGES), links)  # type: ignore[arg-type]


def _some(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(con.execute(f"select exists (from {table})").fetchall()[0][0])


def _table(name: str, files: Sequence[str]) -> str:
    listed = "[" + ", ".join("'" + f.replace("'", "''") + "'" for f in files) + "]"
    ids = ", ".join(f"json_extract_string(extra, '$.{key}')" for key in ITEM_KEYS)
    return f"""create table {name} as select row, source_row, source, p, c, r, least(c, r) as lo, greatest(c, r) as hi,
        case when label <> 'chosen' then label when c <= r then '+' else '-' end as state, label,
        hash(coalesce(annotator, '')) as who, hash(coalesce(source, '')) as src,
        case when id is null then 0::ubigint else hash(id) end as id, rest
        from (select *, coalesce(hash_prompt, 0) as p, coalesce(hash_chosen, 0) as c, coalesce(hash_rejected, 0) as r,
        case when extra is null then null else coalesce({ids}) end as id,
        hash(coalesce(extra, ''), coalesce(margin, 0), coalesce(score_chosen, 0), coalesce(score_rejected, 0)) as rest
        from read_parquet({listed}))"""


def _matching(one: Pass) -> str:
    def side(name: str, key: str) -> str:
        names = [part.strip() for part in key.split(",")]
        keys = ", ".join(f"{part} as k{i}" for i, part in enumerate(names))
        return f"""{name}k as (select row, {keys}, row_number() over (partition by {key} order by row) as nth,
            count(*) over (partition by {key}) as n from left_{name} where {one.where})"""

    keys = one.before.split(",")
    joined = " and ".join(f"ak.k{i} = bk.k{i}" for i in range(len(keys)))
    even = "and ak.n = bk.n" if one.even else ""
    return f"""create or replace table found as with {side("a", one.before)}, {side("b", one.after or one.before)}
        select ak.row as a, bk.row as b from ak join bk on {joined} and ak.nth = bk.nth {even}"""


TOLD = """create table told as
    with found_twice as (select a.row as before, b.row as after, a.source_row as before_source_row,
        b.source_row as after_source_row, a.source, a.p <> b.p as prompt, a.label <> b.label as other,
        not (a.c = b.c or a.r = b.r) and ((a.c = b.r and a.c <> 0) or (a.r = b.c and a.r <> 0)) as turned,
        a.c as ac, a.r as ar, b.c as bc, b.r as br
        from matched join a on a.row = matched.a join b on b.row = matched.b),
    compared as (select *, case when turned then ac <> br else ac <> bc end as chosen,
        case when turned then ar <> bc else ar <> br end as rejected, turned or other as label from found_twice)
    select case when prompt or chosen or rejected then 'changed' when label then 'relabelled' else 'same' end as change,
        concat_ws(',', case when prompt then 'prompt' end, case when chosen then 'chosen' end,
        case when rejected then 'rejected' end, case when label then 'label' end) as what,
        before, after, before_source_row, after_source_row, source from compared"""


def _changes() -> str:
    """The pairs that are not the same, in the order of CHANGES."""
    return """select * from told where change <> 'same'
        union all select 'removed', null, row, null, source_row, null, source from left_a
        union all select 'added', null, null, row, null, source_row, source from left_b
        order by change, before nulls last, after"""

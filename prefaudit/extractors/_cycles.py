"""Preferences that go round in a circle, and the fewest votes whose removal ends it."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]

EXACT = 8  # answers of a cycle up to which the smallest set is found by looking at every order
SWEPT = 500  # answers up to which an order is improved answer by answer
SWEEPS = 5
_TOGETHER = 2048  # cycles of one size that are solved at a time

CYCLE = pl.Struct({"group": pl.Int64, "answers": pl.Int64, "drop": pl.Boolean, "exact": pl.Boolean})


def cycles(votes: pl.DataFrame) -> pl.DataFrame:
    """The votes inside strongly connected sets of three and more answers to one prompt.

    Votes for and against are set off first: an answer stands above another where more rows prefer it than prefer the
    other. In that graph, answers that can be reached from each other form a cycle. `drop` marks the smallest set of
    votes without which no cycle is left (a minimum feedback arc set, where an arc weighs what it leads by): exact up to
    8 answers, by dynamic programming over subsets (Lawler 1964); a good one, not always the smallest, beyond that.

    Args:
        votes: `row`, `np` (prompt), `low` and `high` (the two answers), `way` (1: low is preferred, -1: high).

    Returns:
        `row`, `cycle` (CYCLE), ascending by row; ids in the order of first rows.
    """
    return numbered(found(votes), "cycle")


def numbered(told: pl.DataFrame, name: str) -> pl.DataFrame:
    """The frame with the field `group` of a struct, the first row of each group, as ids in the order of these."""
    group = pl.col(name).struct.field("group").rank("dense").cast(pl.Int64) - 1
    return told.with_columns(pl.when(pl.col(name).is_not_null()).then(pl.col(name).struct.with_fields(group=group)))


def found(votes: pl.DataFrame) -> pl.DataFrame:
    """As `cycles`, of all votes on some prompts; `group` is the first row of each cycle."""
    nothing = pl.DataFrame(schema={"row": pl.Int64, "cycle": CYCLE})
    sides = votes.group_by("np", "low", "high", maintain_order=True).agg(pl.col("way").sum())
    sides = sides.filter((pl.col("way") != 0) & (pl.len().over("np") >= 3))
    if sides.is_empty():
        return nothing
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    up = pl.col("way") > 0
    arcs = sides.select("np", winner=pl.when(up).then("low").otherwise("high"),
                        loser=pl.when(up).then("high").otherwise("low"), weight=pl.col("way").abs())  # fmt: skip
    answers = pl.concat([arcs.select("np", answer="winner"), arcs.select("np", answer="loser")])
    answers = answers.unique(maintain_order=True).with_row_index("node")
    arcs = (
        arcs.join(answers.rename({"answer": "winner", "node": "u"}), on=["np", "winner"], maintain_order="left")
        .join(answers.rename({"answer": "loser", "node": "v"}), on=["np", "loser"], maintain_order="left")
    )  # fmt: skip
    u, v, weight = (arcs[name].to_numpy().astype(np.int64) for name in ("u", "v", "weight"))
    graph = coo_array((np.ones(len(u), np.int8), (u, v)), shape=(answers.height, answers.height))
    label = connected_components(graph, directed=True, connection="strong")[1]
    size = np.bincount(label)[label]
    inside = np.flatnonzero((label[u] == label[v]) & (size[u] >= 3))
    if not len(inside):
        return nothing
    drop = _smallest(label[u[inside]], u[inside], v[inside], weight[inside])
    known = arcs[inside].with_columns(
        drop=pl.Series(drop), component=pl.Series(label[u[inside]]), answers=pl.Series(size[u[inside]])
    )
    return _named(votes, known)


def _named(votes: pl.DataFrame, arcs: pl.DataFrame) -> pl.DataFrame:
    """The votes on these arcs. Of an arc that goes, as many of its latest votes go as it leads by."""
    sides = arcs.select(
        "np", low=pl.min_horizontal("winner", "loser"), high=pl.max_horizontal("winner", "loser"),
        lead=pl.when(pl.col("winner") < pl.col("loser")).then(1).otherwise(-1), weight="weight", drop="drop",
        component="component", answers="answers")  # fmt: skip
    told = votes.join(sides, on=["np", "low", "high"], maintain_order="left").sort("row")
    late = pl.col("row").rank("ordinal", descending=True).over("np", "low", "high", "way")
    goes = pl.col("drop") & (pl.col("way") == pl.col("lead")) & (late <= pl.col("weight"))
    group = pl.col("row").min().over("component")
    exact = pl.col("answers") <= EXACT
    return told.select("row", cycle=pl.struct(group=group, answers="answers", drop=goes, exact=exact).cast(CYCLE))


def _smallest(component: Ints, u: Ints, v: Ints, weight: Ints) -> NDArray[np.bool_]:
    """Which arcs point back in the best order of each component's answers."""
    node, at = np.unique(np.concatenate([u, v]), return_inverse=True)
    owner = np.zeros(len(node), np.int64)
    owner[at[: len(u)]] = component
    _, owner = np.unique(owner, return_inverse=True)
    order = np.argsort(owner, kind="stable")
    size = np.bincount(owner)
    first = np.cumsum(size) - size
    local = np.empty(len(node), np.int64)
    local[order] = np.arange(len(node)) - np.repeat(first, size)
    place = np.zeros(len(node), np.int64)  # of each answer in the best order
    a, b = at[: len(u)], at[len(u) :]
    for k in np.unique(size):
        which = np.flatnonzero(size == k)
        step = _TOGETHER if k <= EXACT else 1
        arcs = np.flatnonzero(size[owner[a]] == k)
        arcs = arcs[np.argsort(owner[a[arcs]], kind="stable")]
        starts = np.searchsorted(owner[a[arcs]], which)
        ends = np.append(starts[1:], len(arcs))
        for lo in range(0, len(which), step):
            some = which[lo : lo + step]
            here = arcs[starts[lo] : ends[lo + len(some) - 1]]
            lead = np.zeros((len(some), k, k), np.int64)
            lead[np.searchsorted(some, owner[a[here]]), local[a[here]], local[b[here]]] = weight[here]
            found = _exact(lead) if k <= EXACT else _swept(lead[0])[None]
            place[order[(first[some][:, None] + np.arange(k)).reshape(-1)]] = found.reshape(-1)
    return np.asarray(place[a] > place[b])


def _exact(lead: Ints) -> Ints:
    """(m, k) places of k answers in an order against which the least weight points, for m cycles (m, k, k)."""
    m, k, _ = lead.shape
    full = 1 << k
    back = np.zeros((m, k, full), np.int64)  # what answer v leads by over the answers of a set
    cost = np.full((m, full), np.iinfo(np.int64).max // 2)
    last = np.zeros((m, full), np.int8)
    cost[:, 0] = 0
    for s in range(1, full):
        low = (s & -s).bit_length() - 1
        back[:, :, s] = back[:, :, s & (s - 1)] + lead[:, :, low]
        for v in (v for v in range(k) if s >> v & 1):
            before = s ^ (1 << v)
            total = cost[:, before] + back[:, v, before]
            better = total < cost[:, s]
            cost[better, s] = total[better]
            last[better, s] = v
    place = np.zeros((m, k), np.int64)
    rest = np.full(m, full - 1)
    for position in range(k - 1, -1, -1):
        v = last[np.arange(m), rest].astype(np.int64)
        place[np.arange(m), v] = position
        rest = rest ^ (1 << v)
    return place


def _swept(lead: Ints) -> Ints:
    """(k,) places in a good order: by votes won less lost, then each answer moved to where it costs least."""
    k = len(lead)
    order = np.argsort(lead.sum(0) - lead.sum(1), kind="stable")
    for _ in range(SWEEPS if k <= SWEPT else 0):
        moved = False
        for v in range(k):
            at = int(np.flatnonzero(order == v)[0])
            rest = np.delete(order, at)
            # Put before rest[j]: those in front of it may not be beaten by v, those behind may not beat v.
            costs = np.append(0, np.cumsum(lead[v, rest])) + np.append(np.cumsum(lead[rest, v][::-1])[::-1], 0)
            best = int(np.argmin(costs))
            if costs[best] < costs[at]:
                order, moved = np.insert(rest, best, v), True
        if not moved:
            break
    place = np.empty(k, np.int64)
    place[order] = np.arange(k)
    return place

"""`names`: what a language model calls the features of the lens, and how well each name holds. docs/lens.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts, UsageError
from prefaudit.extractors import _interpret as interpret
from prefaudit.extractors.lens import HELD, sampled
from prefaudit.lens.fidelity import ERROR, Fidelity, fidelity, holm
from prefaudit.lens.sae import Floats
from prefaudit.models.base import ModelError
from prefaudit.models.chat import Answer, Chat, Failure, connect
from prefaudit.models.chat_account import TOO_MANY
from prefaudit.principles import ask, shown
from prefaudit.principles.discover import FIRST, Lost
from prefaudit.stats import folds

SHARE = 4  # of the pairs that the model may be asked about, one in so many for each feature
FAILING = {interpret.PROPOSE: 0.5, interpret.VOTE: TOO_MANY}  # share of the requests that may fail
VOTES = pl.List(pl.Struct({"feature": pl.Int16, "candidate": pl.Int16, "row": pl.Int64, "first": pl.Int8,
                           "second": pl.Int8}))  # fmt: skip


class World(NamedTuple):
    """The pairs a lens was fitted on, in the order of their rows.

    Attributes:
        row, group: (n,).
        held: (n,) whether the pair's group is kept out of the fit and of naming.
        z: (n, M) activations.
    """

    row: NDArray[np.int64]
    group: NDArray[np.int64]
    held: NDArray[np.bool_]
    z: Floats


@dataclass(frozen=True)
class Names:
    """`names`: on how many features a pair was voted; the names themselves are in the report's `lens`.

    For each stable feature the model proposes candidates from pairs of the groups the lens was fitted on. On pairs of
    other groups it then says, for each candidate and in both orders, which answer has more of it. The candidate whose
    votes go best with the activations is the feature's name, if that is surely not chance: Holm's correction counts
    every candidate of every feature. Else the feature keeps the name of its terms.

    Attributes:
        llm: name of the model.
        llm_url: where it is.
        llm_pairs: four times as many as are voted on for a feature.
    """

    llm: str | None = None
    llm_url: str | None = None
    llm_pairs: int = FIRST

    name: ClassVar[str] = "names"
    version: ClassVar[int] = 2
    learns: ClassVar[bool] = True
    hidden: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ("lens", "groups")
    knows: ClassVar[tuple[str, ...]] = ("lens",)

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One number."""
        return {"names": pl.Int16()}

    def fit(self, parts: Parts, seed: int, *known: pl.DataFrame) -> pl.DataFrame:
        """Ask; one row: what came of it as JSON, and every vote.

        Args:
            parts: of the audit.
            seed: of the samples.
            known: what the lens learned.

        Raises:
            UsageError: no model is named.
            ModelError: too many calls failed or were not asked. What was answered is kept: the same scan goes on. Its
                `facts` have every call that failed.
            AuditError: the server refuses the key, the path or the model.
        """
        if not self.llm or not self.llm_url:
            raise UsageError("no language model is named", "--llm MODEL --llm-url http://localhost:8000/v1")
        chat = connect(self.llm, self.llm_url)
        each = json.loads(known[0]["told"][0])["each"]
        stable = [k for k, e in enumerate(each) if e["stable"]]
        world = _world(parts, len(each), seed)
        drawn = {k: _drawn(world, k, max(self.llm_pairs // SHARE, 1), seed) for k in stable}
        some = {k: [e for c in range(interpret.CANDIDATES) if (e := _examples(world, k, c, seed))] for k in stable}
        rows = {r for each_ in some.values() for e in each_ for r in e.rows}
        rows |= {int(r) for at in drawn.values() for r in world.row[at]}
        pairs = shown.drawn(parts, rows)
        _tell(chat, some, drawn, pairs, world)
        lost = Lost()
        candidates, unnamed = _proposed(chat, some, pairs, each, lost)
        _enough(chat, lost)
        wanted: dict[int, list[tuple[int, int, Any]]] = {}
        for k, names in candidates.items():
            for row in world.row[drawn[k]].tolist():
                wanted.setdefault(row, []).extend((k, c, interpret.candidate(n)) for c, n in enumerate(names))
        asked = [pairs[row] for row in sorted(wanted) if wanted[row]]
        votes, failures = interpret.vote(chat, asked, wanted, seed)
        lost.take(interpret.VOTE, failures)
        _enough(chat, lost)
        told = {
            "model": chat.model, "url": chat.endpoint.name, "pairs": len(asked), "cut": sum(p.cut for p in asked),
            "candidates": sum(map(len, candidates.values())), "ballots": 2 * len(votes),
            "unanswered": sum(int(v == ask.NONE) for both in votes.values() for v in both),
            "proposals": sum(map(len, some.values())), "proposals_failed": sum(unnamed.values()),
            **lost.told(),
            "each": _judged(world, candidates, unnamed, drawn, votes, seed),
        }  # fmt: skip
        flat = [{"feature": k, "candidate": c, "row": row, "first": first, "second": second}
                for (k, c, row), (first, second) in sorted(votes.items())]  # fmt: skip
        return pl.DataFrame({"told": [json.dumps(told, ensure_ascii=False)], "votes": [flat]},
                            schema={"told": pl.String, "votes": VOTES})  # fmt: skip

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that counts the features voted on in one part."""
        if state is None:
            raise ValueError("the model is asked first")
        cast = state["votes"].explode().struct.unnest().drop_nulls("row")
        counts = cast.group_by("row").agg(pl.col("feature").n_unique().cast(pl.Int16).alias("names"))

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            found = frame.select("row").join(counts, on="row", how="left", maintain_order="left")
            return found.with_columns(pl.col("names").fill_null(0))

        return apply


def _world(parts: Parts, features: int, seed: int) -> World:
    """The sample of the lens, its folds and its activations."""
    pairs = sampled(parts, seed)
    wanted = pairs["row"].to_frame("row")
    found = [f.join(wanted, on="row", how="semi", maintain_order="left") for f in parts(["row", "lens_present"])]
    z = pl.concat(found)["lens_present"].struct.unnest().fill_null(0).to_numpy().astype(np.float32)
    group = pairs["group"].to_numpy()
    return World(pairs["row"].to_numpy(), group, folds(group, HELD, seed) == 0, z[:, :features])


def _examples(world: World, k: int, c: int, seed: int) -> interpret.Examples | None:
    """What call number c about feature k shows, of the groups that are not held out."""
    here = ~world.held
    return interpret.examples(world.z[here, k], world.row[here], np.random.default_rng([seed, 21, k, c]))


def _drawn(world: World, k: int, most: int, seed: int) -> NDArray[np.int64]:
    """Places of the pairs that are voted on for feature k: half from each half of the sizes of what is active.

    Pairs stand in one order drawn by lot for all features, so that features share them, and with them calls.
    """
    lot = np.random.default_rng([seed, 20]).permutation(len(world.row))
    lot = lot[world.held[lot] & (world.z[lot, k] != 0)]
    size = np.abs(world.z[lot, k])
    large = size >= np.median(size) if len(size) else np.zeros(0, bool)
    side = max(most // 2, most - int(min(large.sum(), (~large).sum())))
    return np.sort(np.concatenate([lot[large][:side], lot[~large][:side]])[:most])


def _proposed(chat: Chat, some: Mapping[int, Sequence[interpret.Examples]], pairs: Mapping[int, shown.Pair],
              each: Sequence[Mapping[str, Any]], lost: Lost,
              ) -> tuple[dict[int, list[str]], dict[int, int]]:  # fmt: skip
    """Different candidates of each feature, and how many calls failed; a name that a saved lens came with is one."""
    asked = [(k, e) for k, many in some.items() for e in many]
    got = chat.ask([interpret.proposal(e, pairs) for _, e in asked], interpret.PROPOSE)
    lost.take(interpret.PROPOSE, [{"feature": k, "rows": list(e.rows), "reason": f.reason, "said": f.said}
                                  for (k, e), f in zip(asked, got, strict=True) if isinstance(f, Failure)])  # fmt: skip
    found: dict[int, list[str]] = {k: [each[k]["name"]] if each[k].get("source") == "llm" else [] for k in some}
    unnamed = dict.fromkeys(some, 0)
    for (k, _), answer in zip(asked, got, strict=True):
        if isinstance(answer, Failure):
            unnamed[k] += 1
        elif isinstance(answer, Answer) and answer.value.lower() not in {n.lower() for n in found[k]}:
            found[k].append(answer.value)
    return found, unnamed


def _judged(world: World, candidates: Mapping[int, Sequence[str]], unnamed: Mapping[int, int],
            drawn: Mapping[int, NDArray[np.int64]], votes: Mapping[tuple[int, int, int], Sequence[int]],
            seed: int) -> list[dict[str, Any]]:  # fmt: skip
    """For each feature its candidates, the best first, and whether the best is its name."""
    told: dict[int, list[dict[str, Any]]] = {k: [] for k in candidates}
    none = [int(ask.NONE)] * 2
    for k, names in candidates.items():
        at = drawn[k]
        if not names or not len(at):
            continue
        rows = world.row[at].tolist()
        cast = np.array([[votes.get((k, c, row), none) for c in range(len(names))] for row in rows], np.int8)
        ballots = ask.Ballots(tuple(rows), cast.transpose(0, 2, 1), ())
        one = np.where(ballots.combined() == ask.NONE, np.nan, ballots.combined())
        found = fidelity(world.z[at, k], one, world.group[at], seed)
        turned = (cast[..., 0] * cast[..., 1].astype(np.int16) == -1).sum(0)
        failed = (cast == ask.NONE).sum((0, 2))
        told[k] = [_line(*each) for each in zip(names, found, turned.tolist(), failed.tolist(), strict=True)]
    flat = [c for lines in told.values() for c in lines]
    for line, p in zip(flat, holm(np.array([c["p"] for c in flat], float)).tolist(), strict=True):
        line["p_corrected"] = p
    return [
        {"feature": k, "candidates": (best := sorted(lines, key=_rank)), "proposals_failed": unnamed[k],
         "named": bool(best) and best[0]["p_corrected"] < ERROR}
        for k, lines in told.items()
    ]  # fmt: skip


def _line(name: str, f: Fidelity, contradicted: int, failed: int) -> dict[str, Any]:
    return {"name": name, "r": f.r, "interval": None if f.interval is None else list(f.interval), "p": f.p, "n": f.n,
            "agreement": f.agreement, "silent": f.silent, "contradicted": contradicted, "failed": failed}  # fmt: skip


def _rank(line: Mapping[str, Any]) -> tuple[float, float, str]:
    return (line["p_corrected"], -(line["r"] or 0.0), line["name"])


def _enough(chat: Chat, lost: Lost) -> None:
    """Whether so much was answered that names can rest on it; raises ModelError with the calls that failed."""
    for purpose, share in FAILING.items():
        tally = chat.tallies.get(purpose)
        if tally is not None and tally.incomplete(share):
            why = ", ".join(f"{reason} {n:,}" for reason, n in sorted(tally.failed.items()))
            why += f": {chat.why or lost.last()}"
            error = ModelError(f"{purpose}: {tally.failures:,} of {tally.requests:,} requests have no answer ({why}); "
                               "the same command asks for these alone")  # fmt: skip
            error.facts = {"model": chat.model, "url": chat.endpoint.name, **lost.told()}
            raise error


def _tell(chat: Chat, some: Mapping[int, Sequence[interpret.Examples]], drawn: Mapping[int, NDArray[np.int64]],
          pairs: Mapping[int, shown.Pair], world: World) -> None:  # fmt: skip
    """Say what all of it will cost at most, before anything is sent."""
    first = chat.cost([interpret.proposal(e, pairs) for many in some.values() for e in many])
    filler = interpret.candidate("x" * 60)
    by_row = sorted((int(row), k) for k, at in drawn.items() for row in world.row[at])
    whole = [(row, [(k, c, filler) for _, k in many for c in range(interpret.CANDIDATES)])
             for row, many in groupby(by_row, key=lambda pair: pair[0])]  # fmt: skip
    few = whole[:: max(len(whole) // 20, 1)]
    votes = chat.cost([call for row, wanted in few for call in interpret.calls(pairs[row], wanted, 0)])
    both = first + votes.times(len(whole) / max(len(few), 1))
    cap = "" if chat.max_calls is None else f"; --max-calls allows {chat.max_calls:,}"
    chat.progress.say(f"{chat.model}: names of features: at most {both.told()}, less what is answered already{cap}")

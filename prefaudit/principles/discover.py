"""Principles with a language model: propose from some pairs, merge, refine on those, vote on others.

    found = discover(parts, chat, seed, Plan())      # proposes; or, with fixed=principles, only votes
    found.principles, found.ballots.frame(found.principles), found.facts

Pairs that principles are proposed from and refined on have no vote in the end where there are enough others: what is
then said of agreement is of pairs that shaped nothing. Votes stop where more of them would not change the list.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from prefaudit.core import Parts
from prefaudit.models.base import ModelError
from prefaudit.models.chat import Chat
from prefaudit.models.chat_account import TOO_MANY
from prefaudit.principles import ask, propose, shown
from prefaudit.principles.constitution import AT_MOST
from prefaudit.principles.halves import settled
from prefaudit.principles.library import OPENING, Principle, named
from prefaudit.principles.merge import Merged, meaning, merge
from prefaudit.principles.weights import Matrix
from prefaudit.stats.groups import Ints

PAIRS, SEEDS = 1_600, 100  # pairs voted on at most, pairs proposed from
FIRST = 400  # pairs voted on before the list is looked at; then twice as many, and so on
MOST = 40  # principles voted on where they are proposed
APPLIES = 0.03  # share of the pairs to which a proposed principle has to apply, or it is left out
PURPOSES = {propose.FIRST: 0.5, propose.MORE: 0.5, ask.PILOT: TOO_MANY, ask.VOTES: TOO_MANY}  # share that may fail
PLACED, LEANING = 0.6, 20  # share of votes, and how many, that the two orders turn round: by lot it is one half
NOT_ASKED = "not asked"  # reason of calls that the cap or a stop left
TOLD = 10_000  # failures that are listed one by one


@dataclass(frozen=True)
class Plan:
    """How much is asked.

    Attributes:
        pairs: voted on at most; all where there are no more.
        seeds: proposed from.
        most: principles.
        fixed: principles to vote on; then none is proposed.
        embedder: tells which proposals mean the same.
        whole: vote on `pairs` pairs whatever the votes say.
        beside: columns of votes that the list is chosen from too.
    """

    pairs: int = PAIRS
    seeds: int = SEEDS
    most: int = MOST
    fixed: tuple[Principle, ...] = ()
    embedder: str = "lexical"
    whole: bool = False
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What came of it.

    Attributes:
        principles: p of them.
        ballots: of the pairs of the sample.
        facts: how it was sampled and what failed, for the report.
    """

    principles: tuple[Principle, ...]
    ballots: ask.Ballots
    facts: dict[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pl.DataFrame:
        """A row a principle, to be kept: `id`, `text`, `source`, `citation`, `votes` in both orders, and the rest."""
        votes = self.ballots.votes
        return pl.DataFrame({
            "id": [p.id for p in self.principles], "text": [p.text for p in self.principles],
            "source": [p.source for p in self.principles], "citation": [p.citation for p in self.principles],
            "first": [ask.column(votes[:, 0, k]) for k in range(len(self.principles))],
            "second": [ask.column(votes[:, 1, k]) for k in range(len(self.principles))],
            "rows": [pl.Series(self.ballots.rows, dtype=pl.Int64)] * len(self.principles),
            "facts": [json.dumps(self.facts), *[""] * (len(self.principles) - 1)],
        })  # fmt: skip

    @classmethod
    def from_frame(cls, kept: pl.DataFrame) -> Found:
        """What `to_frame` wrote."""
        told = [kept[name].explode(empty_as_null=False) for name in ("first", "second")]
        rows = kept["rows"][0].to_list()
        shape = (kept.height, len(rows))
        first, second = (t.fill_null(int(ask.NONE)).to_numpy().astype(np.int8).reshape(shape).T for t in told)
        facts = json.loads(kept["facts"][0])
        principles = tuple(Principle(*line) for line in kept.select("id", "text", "source").iter_rows())
        cited = [Principle(p.id, p.text, p.source, None, c) for p, c in zip(principles, kept["citation"], strict=True)]
        return cls(tuple(cited), ask.Ballots(tuple(rows), np.stack([first, second], 1), ()), facts)


def discover(parts: Parts, chat: Chat, seed: int, plan: Plan) -> Found:
    """Find principles and their votes.

    Args:
        parts: of the audit; needs row, label, prompt, chosen, rejected and the hashes of the answers.
        chat: the model.
        seed: of the sample, of which pairs stand together, and of the shuffles.
        plan: how much.

    Raises:
        ModelError: too many calls failed or were not asked, or nothing was proposed. What was answered is kept: the
            same call goes on. Its `facts` have every call that failed.
        AuditError: the server refuses the key, the path or the model.
    """
    rows = shown.eligible(parts)
    if not len(rows):
        raise ModelError("no pair has a label and two different answers")
    order = np.random.default_rng([seed, 8]).permutation(rows)
    sown = order[: 0 if plan.fixed else plan.seeds]
    apart = len(sown) + min(plan.pairs, FIRST) <= len(rows)
    voted = (order[len(sown) :] if apart else order[::-1])[: plan.pairs]
    pairs = shown.drawn(parts, {*voted.tolist(), *sown.tolist()})
    seeds, main = [pairs[r] for r in sown.tolist()], [pairs[r] for r in voted.tolist()]
    _tell(chat, seeds, main, plan, seed)
    facts: dict[str, Any] = {"model": chat.model, "url": chat.endpoint.name, "of": len(rows), "apart": bool(apart)}
    principles: Sequence[Principle] = plan.fixed
    lost = Lost()
    try:
        if not plan.fixed:
            principles, facts["proposed"] = _proposed(chat, seeds, plan, seed, lost)
        ballots, facts["settled"] = _voted(parts, chat, main, principles, seed, plan, lost)
    except ModelError as error:
        error.facts = facts | {"at_most": len(main), **lost.told()}
        raise
    facts |= {"at_most": len(main), **_sample(ballots, len(rows), sum(p.cut for p in pairs.values())), **lost.told()}
    if facts["contradicted"] > max(PLACED * facts["leaning"], LEANING):
        told = f"{facts['contradicted']:,} of {facts['leaning']:,} votes name the other answer in the other order"
        placed = ModelError(f"{chat.model} goes by where an answer stands: {told}")
        placed.facts = facts
        raise placed
    return Found(tuple(principles), ballots, facts)


@dataclass
class Lost:
    """The calls without an answer, of every purpose; of those that were not asked how many."""

    calls: list[dict[str, Any]] = field(default_factory=list)

    def take(self, purpose: str, failures: Sequence[dict[str, Any]]) -> None:
        """Add those of one purpose."""
        self.calls += [{"purpose": purpose, **failure} for failure in failures]

    def last(self) -> str:
        """What the last call that was sent and failed ended with."""
        return next((str(call["said"]) for call in reversed(self.calls) if call["reason"] != NOT_ASKED), "")

    def told(self) -> dict[str, Any]:
        """`failed` by reason, and `failures` one by one."""
        reasons = dict(sorted(Counter(call["reason"] for call in self.calls).items()))
        return {"failed": reasons, "failures": [c for c in self.calls if c["reason"] != NOT_ASKED][:TOLD]}


def _voted(parts: Parts, chat: Chat, main: Sequence[shown.Pair], principles: Sequence[Principle], seed: int,
           plan: Plan, lost: Lost) -> tuple[ask.Ballots, bool]:  # fmt: skip
    """Votes on FIRST pairs, then on twice as many, and so on, until the list is settled; and whether it is."""
    voted, sure, done = 0, False, ask.Ballots((), np.zeros((0, 2, len(principles)), np.int8), ())
    while voted < len(main) and not sure:
        size = len(main) if plan.whole else min(max(FIRST, 2 * voted), len(main))
        more = ask.vote(chat, sorted(main[voted:size], key=lambda p: p.row), principles, seed)
        lost.take(ask.VOTES, more.failures)
        _enough(chat, lost)
        done += more
        voted = size
        sure = not plan.whole and settled(*_known(parts, done, plan.beside), seed, AT_MOST)
        if size < len(main):
            told = "the list is settled" if sure else "the list is not settled, more are asked about"
            chat.progress.say(f"{chat.model}: {size:,} pairs voted on: {told}")
    return done.sorted(), sure


def _known(parts: Parts, ballots: ask.Ballots, beside: Sequence[str]) -> tuple[Matrix, Ints]:
    """(n, p) all votes on the pairs asked about, silent where there is none, and the n groups."""
    rows = pl.DataFrame({"row": ballots.rows, "told": np.where(ballots.combined() == ask.NONE, 0, ballots.combined())})
    names = ["row", "group", *beside]
    frame = pl.concat([f.filter(pl.col("row").is_in(rows["row"].implode())) for f in parts(names)])
    frame = rows.join(frame.unnest(*beside) if beside else frame, on="row", maintain_order="left")
    others = frame.drop("row", "told", "group").fill_null(0).to_numpy()
    return np.hstack([frame["told"].to_numpy(), others]).astype(np.float32), frame["group"].to_numpy()


def _proposed(chat: Chat, seeds: list[shown.Pair], plan: Plan, seed: int,
              lost: Lost) -> tuple[list[Principle], dict[str, Any]]:  # fmt: skip
    """Propose, merge, vote on the same pairs, leave out what hardly applies, and ask what explains the rest."""
    embed, close = meaning(plan.embedder)
    first = propose.propose(chat, seeds, seed)
    lost.take(propose.FIRST, first.failures)
    _enough(chat, lost)
    merged = merge(first.principles, plan.most, embed, close)
    if not merged:
        raise ModelError(f"{chat.model} proposed no principle")
    ballots = ask.vote(chat, seeds, [m.principle for m in merged], seed, ask.PILOT)
    lost.take(ask.PILOT, ballots.failures)
    _enough(chat, lost)
    votes = np.where(ballots.combined() == ask.NONE, 0, ballots.combined())
    applies = (votes != 0).mean(0) >= APPLIES
    kept = [m for m, yes in zip(merged, applies, strict=True) if yes]
    missed = [p for p, wrong in zip(seeds, _missed(votes[:, applies]), strict=True) if wrong]
    more = propose.Proposals((), 0, ())
    if len(missed) >= propose.A_CALL:
        more = propose.propose(chat, missed, seed, [m.principle for m in kept] or [named("is better")])
        lost.take(propose.MORE, more.failures)
        _enough(chat, lost)
    idle = {text for m, yes in zip(merged, applies, strict=True) if not yes for text in (m.principle.text, *m.wordings)}
    more = replace(more, principles=tuple(p for p in more.principles if p.text not in idle))
    known = tuple(m.principle for m in kept)
    found = merge((*_again(kept), *more.principles), plan.most, embed, close, known) if more.principles else kept
    if not found:
        raise ModelError(f"no principle that {chat.model} proposed applies to {APPLIES:.0%} of the pairs")
    said = {"calls_failed": len(first.failures) + len(more.failures), "texts": len(first.principles),
            "merged": len(merged), "applied": len(kept), "missed": len(missed), "more": len(more.principles),
            "unusable": first.unusable + more.unusable, "from": len(seeds), "embedder": plan.embedder,
            "each": {m.principle.id: {"times": m.times, "wordings": list(m.wordings[:5])} for m in found}}  # fmt: skip
    return [m.principle for m in found], said


def _again(kept: Sequence[Merged]) -> list[Principle]:
    """What was proposed before, as often as it was."""
    return [m.principle for m in kept for _ in range(m.times)]


def _missed(votes: np.ndarray[Any, np.dtype[np.int8]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(n,) whether the principles together, each by the log-odds of its agreement, fail to favour the chosen answer."""
    agree, against = (votes > 0).sum(0), (votes < 0).sum(0)
    weight = np.log((agree + 1) / (against + 1))
    missed: np.ndarray[Any, np.dtype[np.bool_]] = votes @ weight <= 1e-9
    return missed


def _enough(chat: Chat, lost: Lost) -> None:
    """Whether so much was answered that a result can rest on it."""
    for purpose, share in PURPOSES.items():
        tally = chat.tallies.get(purpose)
        if tally is not None and tally.incomplete(share):
            rest = tally.failed.get(NOT_ASKED)
            left = f"; {rest:,} were not asked: {chat.why}" if rest else ""
            failed = ", ".join(f"{reason} {n:,}" for reason, n in sorted(tally.failed.items()) if reason != NOT_ASKED)
            failed += "" if rest else f"; the last: {lost.last()}"
            raise ModelError(
                f"{purpose}: {tally.failures:,} of {tally.requests:,} requests have no answer"
                f"{f' ({failed})' if failed else ''}{left}; the same command asks for these alone"
            )


def _sample(ballots: ask.Ballots, of: int, cut: int) -> dict[str, Any]:
    """The sample, and the error it leaves."""
    n, told = len(ballots.rows), ballots.combined()
    first, second = ballots.votes[:, 0], ballots.votes[:, 1]
    both = (first != ask.NONE) & (second != ask.NONE)
    turned = both & (first * second == -1)
    return {
        "pairs": n, "cut": cut,
        # Cochran 1977, Sampling Techniques, 3.2: half the width of a 95 % interval of a share, at its widest.
        "error": 1.96 * math.sqrt(0.25 / n * (1 - n / of)) if n > 1 else 0.5,
        "ballots": int((ballots.votes != ask.NONE).sum()), "asked": int(ballots.votes.size),
        "votes": int((told != ask.NONE).sum()), "contradicted": int(turned.sum()),
        "leaning": int((both & (first * second != 0)).sum()),
    }  # fmt: skip


def _tell(chat: Chat, seeds: list[shown.Pair], main: list[shown.Pair], plan: Plan, seed: int) -> None:
    """Say what all of it will cost at most, before anything is sent."""
    about = plan.fixed or tuple(Principle(f"p{k}", OPENING + "x" * 50, "llm") for k in range(plan.most))
    whole = chat.cost([call for p in (*main, *seeds) for call in ask.requests(p, about, seed)])
    if seeds:
        first = chat.cost(propose.requests(seeds, seed))
        whole += first.times(1 + 1 / len(propose.FRAMINGS))
    cap = "" if chat.max_calls is None else f"; --max-calls allows {chat.max_calls:,}"
    chat.progress.say(
        f"{chat.model}: principles: at most {whole.told()}, less what is answered already, and repeats of "
        f"failed calls{cap}"
    )

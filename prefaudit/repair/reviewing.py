"""Sheets to judge pairs by hand: drawn with known weights, blinded, and read back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prefaudit.audit import review as reviews
from prefaudit.audit import rows as pair_rows
from prefaudit.audit.estimate import Population
from prefaudit.audit.probes import KNOWN, named
from prefaudit.audit.review import Review
from prefaudit.config import Options
from prefaudit.core import Progress, UsageError, unknown
from prefaudit.repair import session, target
from prefaudit.repair.cut import Bools
from prefaudit.repair.evidence import Evidence, no_consensus

COLUMNS = ("key", "prompt", "response_1", "response_2", "verdict", "claim", "holds", "comment", "row", "weight",
           "check")  # fmt: skip
ASKED = COLUMNS.index("comment")  # what probes are asked about stands before it
LONGEST = 20_000

NONE = Review()


def write(data: Any, out: Path, options: Options, *, n: int = 100, by: str = "random", ask: Sequence[str] = (),
          audit: str | Path | None = None, force: bool = False, progress: Progress | None = None) -> str:  # fmt: skip
    """Draw pairs and write the sheet.

    Args:
        data: as for `prefaudit.scan`.
        out: a CSV file.
        options: scan options; the seed decides draw, order and sides.
        n: pairs to draw; all where there are fewer.
        by: random; strength or consensus: half of them from the lowest tenth; a rule code or a probe: half of them from
            what it names.
        ask: probes to ask about, of each answer apart: refusal, sycophancy.
        audit: the audit folder.
        force: overwrite.
        progress: how far it is.

    Returns:
        What was drawn, in words.
    """
    if n < 1:
        raise UsageError(f"--n has to be at least 1, not {n}", "100 is a good start")
    for probe in ask:
        if probe not in KNOWN:
            raise unknown("probe in --ask", probe, KNOWN)
    probes = tuple(dict.fromkeys(ask))
    options = session.asking(options, by)
    opening = session.open_data(data, options)
    target.check(out, opening[1].paths, force, audit)
    if out.suffix.lower() != ".csv":
        raise UsageError(f"{out} is no CSV file", "name a file ending in .csv")
    work = session.begin(data, options, audit, progress or Progress(), opening)
    rng = np.random.default_rng([options.seed, 7])
    drawn, weights, strata = draw(work.evidence, n, by, rng)
    order = rng.permutation(len(drawn))
    with target.Staged() as staged:
        temporary = staged.path(out)
        claim = _claim(work.evidence, by)
        _sheet(temporary, work.evidence, (drawn[order], weights[order]), rng, claim, probes)
        work.origin.unchanged()
        staged.commit()
    counts = ", ".join(f"{strata.count(s):,} {s}" for s in dict.fromkeys(strata))
    lines = [
        f"wrote {out}: {len(drawn):,} of {work.evidence.pairs:,} pairs ({counts}), sides and order at random.",
        "Fill in the column verdict: 1 or 2 for the better answer, tie, or bad where neither should be trained on.",
    ]
    if claim[0]:
        lines.append("In the column holds say which answer may be the X of the claim: 1, 2, both or no." if claim[1]
                     else "In the column holds say whether the claim is right: yes or no.")  # fmt: skip
    lines += [f"In {p}_1 and {p}_2 say of response 1 and 2, yes or no: {KNOWN[p]['question']}" for p in probes]
    return "\n".join([*lines, f"Then: prefaudit scan, filter or relabel ... --reviewed {out}"]) + "\n"


def draw(evidence: Evidence, n: int, by: str, rng: np.random.Generator) -> tuple[Any, Any, list[str]]:
    """Pairs, their weights (the inverse of the chance of being drawn) and strata, in ascending rows.

    Only pairs with two answers are drawn. With `by`, half come from the stratum it names and half from the rest.
    """
    able = _two_answers(evidence)
    special = _special(evidence, by) & able
    pools = [(by, np.flatnonzero(special)), ("rest", np.flatnonzero(able & ~special))]
    if by == "random":
        pools = [("random", np.flatnonzero(able))]
    pools = [(name, pool) for name, pool in pools if len(pool)]
    if not pools:
        raise UsageError("there is no pair with two answers to look at")
    sizes = [min(len(pool), -(-n // len(pools))) for _, pool in pools]
    for k in range(len(pools)):
        sizes[k] = min(len(pools[k][1]), n - sum(sizes[:k]) - sum(sizes[k + 1 :]))
    rows, weights, strata = [], [], []
    for (name, pool), size in zip(pools, sizes, strict=True):
        taken = np.sort(rng.choice(pool, size, replace=False))
        rows.append(taken)
        weights.append(np.full(size, len(pool) / size if size else 0.0))
        strata += [name] * size
    return np.concatenate(rows), np.concatenate(weights), strata


def _special(evidence: Evidence, by: str) -> Any:
    found = np.zeros(evidence.pairs, bool)
    if by == "random":
        return found
    if by in ("strength", "consensus"):
        value = evidence.strength if by == "strength" else evidence.consensus
        if value is None:
            raise (evidence.no_strength if by == "strength" else no_consensus)(f"--by {by}")
        known = np.flatnonzero(~np.isnan(value))
        found[known[np.argsort(value[known], kind="stable")][: max(1, len(known) // 10)]] = True
    elif by in KNOWN:
        fires = named(evidence.store, evidence.measures, by)
        if fires is None:
            raise UsageError(f"--by {by}: this audit did not measure it", "add its group to --with: probes")
        found |= (fires[0] == 1) | (fires[1] == 1)
    else:
        for code in evidence.codes((by,), "--by"):
            found[evidence.fired(code)[0]] = True
    return found


def _claim(evidence: Evidence, by: str) -> tuple[str, str]:
    """What a reviewer is asked besides: the finding of the one rule that the sheet was drawn by."""
    if by in ("random", "strength", "consensus", *KNOWN):
        return "", ""
    codes = evidence.codes((by,), "--by")
    return reviews.claim(evidence.known[codes[0]]) if len(codes) == 1 else ("", "")


def _sheet(path: Path, evidence: Evidence, drawn: tuple[Any, Any], rng: np.random.Generator, claim: tuple[str, str],
           probes: Sequence[str]) -> None:  # fmt: skip
    """The rows and their weights, each with its sides at random; every probe's question and a cell for each side."""
    rows, weights = drawn
    found = {r["row"]: r for r in pair_rows.fetch(evidence.store, rows.tolist())}
    turned = rng.random(len(rows)) < 0.5
    asked = [name for probe in probes for name in (probe, f"{probe}_1", f"{probe}_2")]
    blank = [cell for probe in probes for cell in (KNOWN[probe]["question"], "", "")]
    with path.open("w", newline="", encoding="utf-8") as f:
        sheet = csv.writer(f)
        sheet.writerow([*COLUMNS[:ASKED], *asked, *COLUMNS[ASKED:]])
        for k, row in enumerate(rows.tolist()):
            pair = found[row]
            prompt = "\n\n".join(f"{m['role']}: {m['content'] or ''}" for m in pair["prompt"] or [])
            texts = [pair["chosen"], pair["rejected"]][:: -1 if turned[k] else 1]
            cells = [reviews.quoted((t or "")[:LONGEST]) for t in (prompt, *texts)]
            check = reviews.code(evidence.measures.pairs_recipe, row, turned[k])
            sheet.writerow([k + 1, *cells, "", claim[0], "", *blank, "", row, f"{weights[k]:.6g}", check])


def read(path: Path, evidence: Evidence) -> Review:
    """A sheet that was filled in; see `prefaudit.audit.review.read`."""
    return reviews.read(path, evidence.measures.pairs_recipe, evidence.known)


def wrong(review: Review, evidence: Evidence) -> dict[str, Any] | None:
    """Share of labels that are wrong, with its interval; see `prefaudit.audit.review.wrong`. None of nothing judged."""
    labels = [c for c in evidence.asked if c.startswith("LBL") and evidence.known[c].scope == "pair"]
    rows = np.concatenate([np.zeros(0, np.int64), *(evidence.fired(c)[0] for c in labels)])
    return reviews.wrong(review, np.unique(rows), Population.of(_two_answers(evidence), evidence.group))


def _two_answers(evidence: Evidence) -> Bools:
    found = evidence.pair_columns("hash_chosen", "hash_rejected")
    return (found["hash_chosen"].is_not_null() & found["hash_rejected"].is_not_null()).to_numpy()


def told(review: Review, evidence: Evidence) -> list[str]:
    """What a sheet says of the labels, in words."""
    found = wrong(review, evidence)
    if found is None:
        return []
    low, high = found["interval"]
    if found["method"] == "bound":
        share, interval = f"at most {found['at_most']:.1%}", f" ({found['rate']:.1%} seen; too little for more)"
    else:
        share, interval = f"{found['rate']:.1%}", f" [{low:.1%}, {high:.1%}]"
    return [f"reviewed {review.judged:,} pairs: the label is wrong in {share} of all pairs{interval}"]

"""Sheets to judge pairs by hand: drawn with known weights, blinded, and read back."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from prefaudit.audit import rows as pair_rows
from prefaudit.config import Options
from prefaudit.core import Progress, UsageError
from prefaudit.repair import session, target
from prefaudit.repair.evidence import Evidence, no_consensus, no_strength

COLUMNS = ("key", "prompt", "response_1", "response_2", "verdict", "comment", "row", "weight", "check")
VERDICTS = ("1", "2", "tie", "bad")
LONGEST = 20_000


@dataclass(frozen=True)
class Review:
    """A sheet read back: pairs by what the reviewer said, and the weight of each judged pair."""

    confirmed: tuple[int, ...] = ()
    contrary: tuple[int, ...] = ()
    tied: tuple[int, ...] = ()
    unusable: tuple[int, ...] = ()
    weights: tuple[tuple[int, float], ...] = ()


NONE = Review()


def write(data: Any, out: Path, options: Options, *, n: int = 100, by: str = "random", audit: str | Path | None = None,
          force: bool = False, progress: Progress | None = None) -> str:  # fmt: skip
    """Draw pairs and write the sheet.

    Args:
        data: as for `prefaudit.scan`.
        out: a CSV file.
        options: scan options; the seed decides draw, order and sides.
        n: pairs to draw; all where there are fewer.
        by: random; strength: half of them from the weakest tenth; a rule code: half of them from what it names.
        audit: the audit folder.
        force: overwrite.
        progress: how far it is.

    Returns:
        What was drawn, in words.
    """
    if n < 1:
        raise UsageError(f"--n has to be at least 1, not {n}", "100 is a good start")
    opening = session.open_data(data, options)
    target.check(out, opening[1].paths, force)
    if out.suffix.lower() != ".csv":
        raise UsageError(f"{out} is no CSV file", "name a file ending in .csv")
    work = session.begin(data, options, audit, progress or Progress(), opening)
    rng = np.random.default_rng([options.seed, 7])
    drawn, weights, strata = draw(work.evidence, n, by, rng)
    order = rng.permutation(len(drawn))
    with target.Staged() as staged:
        temporary = staged.path(out)
        _sheet(temporary, work.evidence, drawn[order], weights[order], rng)
        work.origin.unchanged()
        staged.commit()
    counts = ", ".join(f"{strata.count(s):,} {s}" for s in dict.fromkeys(strata))
    return (
        f"wrote {out}: {len(drawn):,} of {work.evidence.pairs:,} pairs ({counts}), sides and order at random.\n"
        "Fill in the column verdict: 1 or 2 for the better answer, tie, or bad where neither should be trained on.\n"
        f"Then: prefaudit filter or relabel ... --reviewed {out}\n"
    )


def draw(evidence: Evidence, n: int, by: str, rng: np.random.Generator) -> tuple[Any, Any, list[str]]:
    """Pairs, their weights (the inverse of the chance of being drawn) and strata, in ascending rows.

    Only pairs with two answers are drawn. With `by`, half come from the stratum it names and half from the rest.
    """
    both = evidence.pair_columns("hash_chosen", "hash_rejected")
    able = (both["hash_chosen"].is_not_null() & both["hash_rejected"].is_not_null()).to_numpy()
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
    if by == "strength":
        if evidence.strength is None:
            raise no_strength("--by strength")
        known = np.flatnonzero(~np.isnan(evidence.strength))
        found[known[np.argsort(evidence.strength[known], kind="stable")][: max(1, len(known) // 10)]] = True
    elif by == "consensus":
        raise no_consensus("--by consensus")
    else:
        for code in evidence.codes((by,), "--by"):
            found[evidence.fired(code)[0]] = True
    return found


def _sheet(path: Path, evidence: Evidence, rows: Any, weights: Any, rng: np.random.Generator) -> None:
    found = {r["row"]: r for r in pair_rows.fetch(evidence.store, rows.tolist())}
    turned = rng.random(len(rows)) < 0.5
    with path.open("w", newline="", encoding="utf-8") as f:
        sheet = csv.writer(f)
        sheet.writerow(COLUMNS)
        for k, row in enumerate(rows.tolist()):
            pair = found[row]
            prompt = "\n\n".join(f"{m['role']}: {m['content'] or ''}" for m in pair["prompt"] or [])
            texts = [pair["chosen"], pair["rejected"]][:: -1 if turned[k] else 1]
            cells = [_cell(t) for t in (prompt, *texts)]
            sheet.writerow([k + 1, *cells, "", "", row, f"{weights[k]:.6g}", _code(evidence, row, turned[k])])


def _cell(text: str | None) -> str:
    """A text as a cell that a spreadsheet does not run as a formula."""
    said = (text or "")[:LONGEST]
    return f"'{said}" if said[:1] in "=+-@\t\r" and said else said


def _code(evidence: Evidence, row: int, turned: bool) -> str:
    """Which answer is the chosen one, in a form that the eye cannot read; bound to the pairs of this audit."""
    from prefaudit.core import fingerprint

    return fingerprint("review", evidence.measures.pairs_recipe, int(row), bool(turned))


def read(path: Path, evidence: Evidence) -> Review:
    """A sheet that was filled in.

    Raises:
        UsageError: it cannot be read, a verdict is none of 1, 2, tie, bad, or it is a sheet of other data.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as e:
        raise UsageError(f"{path} cannot be read: {str(e).splitlines()[0]}", "name a sheet that review wrote") from e
    missing = [c for c in ("verdict", "row", "weight", "check") if c not in table.columns]
    if missing:
        raise UsageError(f"{path} has no column {missing[0]!r}", "name a sheet that `prefaudit review` wrote")
    told: dict[str, list[int]] = {"confirmed": [], "contrary": [], "tied": [], "unusable": []}
    weights = []
    for line, cells in enumerate(table.iter_rows(named=True), 2):
        verdict = (cells["verdict"] or "").strip().lower()
        if not verdict:
            continue
        if verdict not in VERDICTS:
            raise UsageError(f"{path}, row {line}: verdict {cells['verdict']!r}", f"one of {', '.join(VERDICTS)}")
        row = int(cells["row"])
        sides = {_code(evidence, row, t): t for t in (False, True)}
        if cells["check"] not in sides:
            raise UsageError(f"{path}, row {line}: this sheet was drawn from other data", "draw one from this data")
        weights.append((row, float(cells["weight"])))
        if verdict in ("tie", "bad"):
            told["tied" if verdict == "tie" else "unusable"].append(row)
        else:
            chosen = "2" if sides[cells["check"]] else "1"
            told["confirmed" if verdict == chosen else "contrary"].append(row)
    return Review(**{name: tuple(sorted(rows)) for name, rows in told.items()}, weights=tuple(weights))


def wrong(review: Review, evidence: Evidence) -> tuple[float, float, float] | None:
    """Share of labels that are wrong, with its 95 % interval; None under ten judged pairs.

    Prediction-powered inference (Angelopoulos et al. 2023, arXiv 2301.09633): f, that a rule of LBL names the pair, is
    known of every pair and y, that the reviewer preferred the other answer (a tie counts half), of the judged ones.
    The estimate is mean(f) + sum(w (y - f)) / sum(w), with w the inverse of the chance of being drawn; its variance
    that of the second term, as the first is known. Where f is of no use this is the weighted mean of y.
    """
    y = {
        **dict.fromkeys(review.confirmed, 0.0),
        **dict.fromkeys(review.contrary, 1.0),
        **dict.fromkeys(review.tied, 0.5),
    }
    judged = [(row, weight) for row, weight in review.weights if row in y]
    if len(judged) < 10:
        return None
    f = np.zeros(evidence.pairs)
    for code in (c for c in evidence.asked if c.startswith("LBL") and evidence.known[c].scope == "pair"):
        f[evidence.fired(code)[0]] = 1.0
    rows, w = np.array([row for row, _ in judged]), np.array([weight for _, weight in judged])
    rest = np.array([y[row] for row in rows.tolist()]) - f[rows]
    share = w / w.sum()
    mean = float((share * rest).sum())
    n = len(rows)
    error = float(np.sqrt((share**2 * (rest - mean) ** 2).sum() * n / (n - 1)))
    rate = float(f.mean()) + mean
    return rate, max(0.0, rate - 1.96 * error), min(1.0, rate + 1.96 * error)


def told(review: Review, evidence: Evidence) -> list[str]:
    """What a sheet says of the labels, in words."""
    found = wrong(review, evidence)
    if found is None:
        return []
    rate, low, high = found
    return [
        f"reviewed {len(review.weights):,} pairs: the label is wrong in {rate:.1%} of all pairs [{low:.1%}, {high:.1%}]"
    ]

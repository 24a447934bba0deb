"""What people said of a sample of the pairs, read back: rates corrected by it, and the share of wrong labels."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Rule, UsageError, fingerprint

VERDICTS = ("1", "2", "tie", "bad")
NEEDED = ("verdict", "row", "weight", "check")
UNSEEN = ("LBL", "CNF", "DUP")
"""Rules whose findings lie in labels, scores or other pairs: a reviewer of two answers does not see them."""
UNDECIDED = ("LBL002",)
"""Rules of LBL that do not say that the other side is right."""
FEWEST = 10
"""Judged pairs under which an interval is a bound."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Review:
    """A sheet read back: pairs by what the reviewer said, and the weight of each.

    `claims` are (row, rule, whether the finding holds of the pair) of the column `holds`. `print` is the fingerprint of
    the sheet's content.
    """

    confirmed: tuple[int, ...] = ()
    contrary: tuple[int, ...] = ()
    tied: tuple[int, ...] = ()
    unusable: tuple[int, ...] = ()
    weights: tuple[tuple[int, float], ...] = ()
    claims: tuple[tuple[int, str, bool], ...] = ()
    print: str = ""

    @property
    def wrong(self) -> dict[int, float]:
        """Judged pair to how wrong its label is: 0, 1, or one half where the reviewer saw a tie."""
        said = ((self.confirmed, 0.0), (self.tied, 0.5), (self.contrary, 1.0))
        return {row: value for rows, value in said for row in rows}

    @property
    def judged(self) -> int:
        """How many pairs have a verdict."""
        return len(self.wrong) + len(self.unusable)


def code(pairs_recipe: str, row: int, turned: bool) -> str:
    """Which answer is the chosen one, in a form that the eye cannot read; bound to the pairs of this audit."""
    return fingerprint("review", pairs_recipe, int(row), bool(turned))


def claim(rule: Rule) -> tuple[str, str]:
    """A rule's finding without the sides, and which side its answer X is: chosen, rejected, or "" where it has none.

    "The chosen answer refuses, and the rejected answer complies" becomes "Answer X refuses, and the other answer
    complies". Empty where the two answers do not show it.
    """
    if rule.scope != "pair" or rule.code.startswith(UNSEEN):
        return "", ""
    found = re.search(r"\bthe (chosen|rejected) (?:answer|one)\b", rule.what, re.IGNORECASE)
    if not found:
        return f"{rule.code}: {rule.what}", ""
    side = found.group(1).lower()
    other = "rejected" if side == "chosen" else "chosen"
    text = re.sub(rf"\bthe {side} (answer|one)\b", "answer X", rule.what, flags=re.IGNORECASE)
    text = re.sub(rf"\bthe {other} (answer|one)\b", "the other answer", text, flags=re.IGNORECASE)
    return f"{rule.code}: {text[:1].upper()}{text[1:]}", side


def read(path: str | Path, pairs_recipe: str, rules: Mapping[str, Rule]) -> Review:
    """A sheet that was filled in.

    Args:
        path: what `prefaudit review` wrote, with verdicts; commas or semicolons between cells.
        pairs_recipe: of the audit it was drawn from.
        rules: all rules that a claim may name.

    Raises:
        UsageError: it cannot be read, a cell says what it cannot, or it is a sheet of other data; with the line.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as f:
            text = f.read()
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"{path} cannot be read: {e}", "name a sheet that `prefaudit review` wrote, saved as CSV in "
                         "UTF-8") from e  # fmt: skip
    told: dict[str, list[int]] = {"confirmed": [], "contrary": [], "tied": [], "unusable": []}
    weights: dict[int, float] = {}
    claims = []
    for line, cells in _records(path, text):
        verdict, holds = ((cells.get(c) or "").strip().lower() for c in ("verdict", "holds"))
        if not verdict and not holds:
            continue
        try:
            row, weight = int(cells["row"]), float(cells["weight"].replace(",", "."))
        except ValueError as e:
            raise UsageError(f"{path}, line {line}: {e}", "row and weight stay as `prefaudit review` wrote them") from e
        sides = {code(pairs_recipe, row, t): t for t in (False, True)}
        if cells["check"] not in sides:
            raise UsageError(f"{path}, line {line}: this sheet was drawn from other data, or read with another --map",
                             "draw one from this data: prefaudit review")  # fmt: skip
        if row in weights:
            raise UsageError(f"{path}, line {line}: row {row} was judged before", "leave one line for each row")
        if not 0 < weight < np.inf:
            raise UsageError(f"{path}, line {line}: weight {cells['weight']}", "weights stay as they were written")
        weights[row] = weight
        chosen = "2" if sides[cells["check"]] else "1"
        if verdict:
            told[_verdict(path, line, verdict, chosen)].append(row)
        if holds:
            claims.append((row, *_held(path, line, cells.get("claim") or "", holds, chosen, rules)))
    kept = {name: tuple(sorted(rows)) for name, rows in told.items()}
    return Review(**kept, weights=tuple(weights.items()), claims=tuple(claims), print=fingerprint(text))


def _records(path: str | Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The records of a sheet and the line each begins on; a record may take several lines."""
    head = text.split("\n", 1)[0]
    sheet = csv.reader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    line = 1
    try:
        names = next(sheet, [])
        for name in NEEDED:
            if name not in names:
                raise UsageError(f"{path}, line 1: no column {name!r}", "name a sheet that `prefaudit review` wrote")
        line = sheet.line_num + 1
        for cells in sheet:
            if cells and len(cells) != len(names):
                raise UsageError(f"{path}, line {line}: {len(cells)} cells, not {len(names)}",
                                 "fill in verdict, holds and comment, and nothing else")  # fmt: skip
            if cells:
                yield line, dict(zip(names, cells, strict=True))
            line = sheet.line_num + 1
    except csv.Error as e:
        raise UsageError(f"{path}, line {line}: {e}", "save it as CSV again") from e


def _verdict(path: str | Path, line: int, verdict: str, chosen: str) -> str:
    if verdict not in VERDICTS:
        raise UsageError(f"{path}, line {line}: verdict {verdict!r}", f"one of {', '.join(VERDICTS)}, or empty")
    if verdict in ("tie", "bad"):
        return "tied" if verdict == "tie" else "unusable"
    return "confirmed" if verdict == chosen else "contrary"


def _held(path: str | Path, line: int, said: str, holds: str, chosen: str,
          rules: Mapping[str, Rule]) -> tuple[str, bool]:  # fmt: skip
    """The rule of a claim, and whether the answer given makes its finding right."""
    name = said.partition(":")[0].strip()
    if name not in rules:
        raise UsageError(f"{path}, line {line}: its claim names no rule: {said[:40]!r}",
                         "leave the column claim as it was written, and name your own rules with --rules")  # fmt: skip
    side = claim(rules[name])[1]
    allowed = ("1", "2", "both", "no") if side else ("yes", "no")
    if holds not in allowed:
        raise UsageError(f"{path}, line {line}: holds {holds!r}", f"one of {', '.join(allowed)}, or empty")
    if not side:
        return name, holds == "yes"
    meant = chosen if side == "chosen" else {"1": "2", "2": "1"}[chosen]
    return name, holds in (meant, "both")


def estimate(rate: float, named: Bools, truth: Floats, weight: Floats) -> dict[str, Any]:
    """A share of all pairs, from a rule that speaks of each and a person who judged some.

    Prediction-powered inference (Angelopoulos et al. 2023, arXiv 2301.09633): the share that the rule names, plus the
    weighted mean of what it got wrong in the judged pairs, sum(w (y - f)) / sum(w). Its variance is that of the second
    term, as the first is known; 1.96 standard errors on each side. With under 10 judged pairs, or where the rule and
    the reviewer never differ, that variance says nothing: then the share lies within u of the rule's, with u the upper
    end of Clopper and Pearson's interval (97.5 %, Kish's effective number) for the share of pairs in which they differ.

    Args:
        rate: share of all pairs that the rule names.
        named: n: whether the rule names the judged pair.
        truth: n: whether it is so, 0..1.
        weight: n: inverse of the chance of being drawn, up to a factor.

    Returns:
        rate, interval, n, method: prediction-powered or bound.
    """
    from scipy.special import betaincinv

    n, share = len(truth), weight / weight.sum()
    rest = truth - named
    mean = float((share * rest).sum())
    if n >= FEWEST and float(np.ptp(rest)) > 0:
        error = float(np.sqrt((share**2 * (rest - mean) ** 2).sum() * n / (n - 1)))
        around, spread, method = rate + mean, 1.96 * error, "prediction-powered"
    else:
        effective = 1 / float((share**2).sum())
        apart = float((share * np.abs(rest)).sum()) * effective
        upper = 1.0 if effective - apart <= 0 else float(betaincinv(apart + 1, effective - apart, 0.975))
        around, spread, method = rate, upper, "bound"
    low, high = max(0.0, around - spread), min(1.0, around + spread)
    return {"rate": min(1.0, max(0.0, rate + mean)), "interval": [low, high], "n": n, "method": method}


def wrong(review: Review, named: NDArray[np.int64], pairs: int) -> dict[str, Any] | None:
    """The share of wrong labels among pairs of two answers; None where no pair was judged.

    Args:
        review: the sheet.
        named: pairs that the rules of LBL name.
        pairs: how many pairs of two answers there are.
    """
    rows = sorted(review.wrong)
    if not rows:
        return None
    truth, weight = review.wrong, dict(review.weights)
    return estimate(len(np.unique(named)) / max(pairs, 1), np.isin(rows, named), np.array([truth[r] for r in rows]),
                    np.array([weight[r] for r in rows]))  # fmt: skip


Judged = Callable[[str, Sequence[int]], Bools]
"""Which of some pairs, ascending, a pair rule could judge."""


def told(review: Review, report: Mapping[str, Any], findings: pl.DataFrame, judged: Judged) -> dict[str, Any]:
    """The report's `review`: counts, the share of wrong labels, and each rule whose finding was judged.

    Args:
        review: the sheet.
        report: the report without it.
        findings: FINDINGS.
        judged: see Judged.
    """
    results = {r["code"]: r for r in report["rules"] if r["scope"] == "pair" and r["judged"]}
    hits = findings.filter(pl.col("row").is_not_null())
    labels = [c for c in results if c.startswith("LBL")]
    named = hits.filter(pl.col("rule").is_in(labels))["row"].to_numpy()
    truths: dict[str, dict[int, float]] = {}
    for row, name, right in review.claims:
        truths.setdefault(name, {})[row] = float(right)
    truths |= {c: review.wrong for c in labels if c not in UNDECIDED and review.wrong}
    weight, rules = dict(review.weights), []
    for name in sorted(truths.keys() & results.keys()):
        rows = sorted(truths[name])
        able = judged(name, rows)
        rows = [row for row, a in zip(rows, able.tolist(), strict=True) if a]
        if not rows:
            continue
        fired = np.isin(rows, hits.filter(pl.col("rule") == name)["row"].to_numpy())
        truth = np.array([truths[name][row] for row in rows])
        found = estimate(results[name]["rate"], fired, truth, np.array([weight[row] for row in rows]))
        rules.append({"code": name, "asked": "label wrong" if name in labels else "finding holds",
                      "found": results[name]["rate"], "named": int(fired.sum()),
                      "right": float(truth[fired].sum()), **found})  # fmt: skip
    counts = {key: len(getattr(review, key)) for key in ("confirmed", "contrary", "tied", "unusable")}
    return {"sheet": review.print, "reviewed": len(review.weights), **counts,
            "wrong": wrong(review, named, report["dataset"]["pairs"]), "rules": rules}  # fmt: skip

"""What people said of a sample of the pairs, read back: rates corrected by it, and the share of wrong labels."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from prefaudit.audit.estimate import Answers, Bools, Ints, Population, estimate
from prefaudit.audit.probes import KNOWN
from prefaudit.core import Rule, UsageError, fingerprint, unknown

VERDICTS = ("1", "2", "tie", "bad")
NEEDED = ("verdict", "row", "weight", "check")
UNSEEN = ("LBL", "CNF", "DUP")
"""Rules whose findings lie in labels, scores or other pairs: a reviewer of two answers does not see them."""
UNDECIDED = ("LBL002",)
"""Rules of LBL that do not say that the other side is right."""


@dataclass(frozen=True)
class Review:
    """A sheet read back: pairs by what the reviewer said, and the weight of each.

    `claims` are (row, rule, whether the finding holds of the pair) of the column `holds`; `probes` are (row, probe,
    whether it is so of the chosen answer, and of the rejected one; None where the cell is empty). `print` is the
    fingerprint of the sheet's content.
    """

    confirmed: tuple[int, ...] = ()
    contrary: tuple[int, ...] = ()
    tied: tuple[int, ...] = ()
    unusable: tuple[int, ...] = ()
    weights: tuple[tuple[int, float], ...] = ()
    claims: tuple[tuple[int, str, bool], ...] = ()
    probes: tuple[tuple[int, str, bool | None, bool | None], ...] = ()
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

    def answers(self, truth: Mapping[int, float]) -> Answers:
        """What was said of some pairs, with their weights."""
        rows, weight = sorted(truth), dict(self.weights)
        return Answers(np.asarray(rows, np.int64), np.array([truth[r] for r in rows]),
                       np.array([weight[r] for r in rows]))  # fmt: skip


def code(pairs_recipe: str, row: int, turned: bool) -> str:
    """Which answer is the chosen one, in a form that the eye cannot read; bound to the pairs of this audit."""
    return fingerprint("review", pairs_recipe, int(row), bool(turned))


FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
"""What a spreadsheet takes for a formula, its full-width forms too, and what `quoted` would make of such a text."""


def quoted(text: str) -> str:
    """A text as a cell that no spreadsheet runs as a formula: behind an apostrophe, which `unquoted` takes away."""
    return f"'{text}" if FORMULA.match(text) else text


def unquoted(cell: str) -> str:
    """The text that `quoted` made a cell of."""
    return cell[1:] if cell[:1] == "'" and FORMULA.match(cell[1:]) else cell


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
    claims, probes = [], []
    for line, cells in _records(path, text):
        verdict, holds = ((cells.get(c) or "").strip().lower() for c in ("verdict", "holds"))
        seen = _seen(path, line, cells)
        if not verdict and not holds and not seen:
            continue
        try:
            row, weight = int(cells["row"]), float(cells["weight"].replace(",", "."))
        except ValueError as e:
            raise UsageError(f"{path}, line {line}: {e}", "row and weight stay as `prefaudit review` wrote them") from e
        turned = {code(pairs_recipe, row, t): t for t in (False, True)}
        if cells["check"] not in turned:
            raise UsageError(f"{path}, line {line}: this sheet was drawn from other data, or read with another --map",
                             "draw one from this data: prefaudit review")  # fmt: skip
        if row in weights:
            raise UsageError(f"{path}, line {line}: row {row} was judged before", "leave one line for each row")
        if not 0 < weight < np.inf:
            raise UsageError(f"{path}, line {line}: weight {cells['weight']}", "weights stay as they were written")
        weights[row] = weight
        chosen = "2" if turned[cells["check"]] else "1"
        if verdict:
            told[_verdict(path, line, verdict, chosen)].append(row)
        if holds:
            claims.append((row, *_held(path, line, cells.get("claim") or "", holds, chosen, rules)))
        for name, sides in seen.items():
            first, second = sides if chosen == "1" else sides[::-1]
            probes.append((row, name, first, second))
    kept = {name: tuple(sorted(rows)) for name, rows in told.items()}
    return Review(**kept, weights=tuple(weights.items()), claims=tuple(claims), probes=tuple(probes),
                  print=fingerprint(text))  # fmt: skip


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
        for name in names:
            if name not in KNOWN and {f"{name}_1", f"{name}_2"} <= {*names}:
                error = unknown("probe", name, KNOWN)
                raise UsageError(f"{path}, line 1: {error.message}", error.hint)
        line = sheet.line_num + 1
        for cells in sheet:
            if cells and len(cells) != len(names):
                raise UsageError(f"{path}, line {line}: {len(cells)} cells, not {len(names)}",
                                 "fill in verdict, holds and comment, and nothing else")  # fmt: skip
            if cells:
                yield line, dict(zip(names, map(unquoted, cells), strict=True))
            line = sheet.line_num + 1
    except csv.Error as e:
        raise UsageError(f"{path}, line {line}: {e}", "save it as CSV again") from e


def _seen(path: str | Path, line: int, cells: Mapping[str, str]) -> dict[str, tuple[bool | None, bool | None]]:
    """What was said of each probe's question, of response 1 and of response 2; only probes that have an answer."""
    found = {}
    for name in (n for n in KNOWN if f"{n}_1" in cells and f"{n}_2" in cells):
        said: list[bool | None] = []
        for column in (f"{name}_1", f"{name}_2"):
            word = cells[column].strip().lower()
            if word not in ("yes", "no", ""):
                raise UsageError(f"{path}, line {line}: {column} {word!r}", "one of yes, no, or empty")
            said.append(word == "yes" if word else None)
        if said != [None, None]:
            found[name] = (said[0], said[1])
    return found


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


def wrong(review: Review, named: Ints, population: Population) -> dict[str, Any] | None:
    """The share of wrong labels among pairs of two answers, as `estimate` gives it; None where no pair was judged.

    Args:
        review: the sheet.
        named: pairs that the rules of LBL name.
        population: the pairs.
    """
    if not review.wrong:
        return None
    return estimate(population, population.named(named), review.answers(review.wrong))


Judged = Callable[[str], Bools]
"""Which pairs a pair rule could judge."""


def told(review: Review, report: Mapping[str, Any], findings: pl.DataFrame, population: Population,
         judged: Judged) -> dict[str, Any]:  # fmt: skip
    """The report's `review`: counts, the share of wrong labels, and each rule whose finding was judged.

    Args:
        review: the sheet.
        report: the report without it.
        findings: FINDINGS.
        population: the pairs.
        judged: see Judged.
    """
    results = {r["code"]: r for r in report["rules"] if r["scope"] == "pair" and r["judged"]}
    hits = findings.filter(pl.col("row").is_not_null())
    labels = [c for c in results if c.startswith("LBL")]
    truths: dict[str, dict[int, float]] = {}
    for row, name, right in review.claims:
        truths.setdefault(name, {})[row] = float(right)
    truths |= {c: review.wrong for c in labels if c not in UNDECIDED and review.wrong}
    rules = []
    for name in sorted(truths.keys() & results.keys()):
        named = hits.filter(pl.col("rule") == name)["row"].to_numpy()
        able = judged(name) if results[name]["unjudged"] else np.ones(len(population.both), bool)
        predicted = population.named(named, able)
        truth = {row: said for row, said in truths[name].items() if np.isfinite(predicted[row])}
        found = estimate(population, predicted, review.answers(truth)) if truth else None
        if found is not None:
            fired = [said for row, said in truth.items() if predicted[row]]
            rules.append({"code": name, "asked": "label wrong" if name in labels else "finding holds",
                          "found": results[name]["rate"], "named": len(fired), "right": sum(fired),
                          **found})  # fmt: skip
    counts = {key: len(getattr(review, key)) for key in ("confirmed", "contrary", "tied", "unusable")}
    named = hits.filter(pl.col("rule").is_in(labels))["row"].unique().to_numpy()
    return {"sheet": review.print, "reviewed": len(review.weights), **counts,
            "wrong": wrong(review, named, population), "rules": rules}  # fmt: skip

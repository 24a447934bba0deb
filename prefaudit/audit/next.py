"""What the data does not tell, and what to do next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import polars as pl

from prefaudit import extractors
from prefaudit.core import SEVERITIES, Rule


class Fact(NamedTuple):
    """Something a source may say of its pairs: the columns that hold it, and how to say where it is."""

    what: str
    columns: tuple[str, ...]
    remedy: str


FACTS = (
    Fact("presented order", ("first", "first_rate", "first_low", "first_high", "first_n"), "--map first=COLUMN"),
    Fact("annotators", ("annotator", "votes", "agreement", "annotators"), "--map annotator=COLUMN"),
    Fact("scores or margins", ("score_chosen", "score_rejected", "margin"), "--map score_chosen=COLUMN"),
    Fact(
        "an outside scorer", ("strength", r"strength_\w+", r"scorers?_\w+"), "--reward-model NAME, --score-columns C:R"
    ),
    Fact("source", ("source",), "--map source=COLUMN"),
    Fact("the trainer's max_length", ("truncation",), "--max-length N"),
    Fact("benchmarks", ("contamination",), "--against FILE"),
    Fact("personal data by Presidio", ("presidio",), "--presidio en"),
    Fact("models", ("model_chosen", "model_rejected"), "--map model_chosen=COLUMN"),
)


def unknowns(
    rules: Mapping[str, Rule],
    results: Sequence[Mapping[str, Any]],
    known: Mapping[str, bool],
    ran: Sequence[str],
    failed: Collection[str],
    too_few: str,
) -> list[dict[str, Any]]:
    """Facts that no row tells and extractors that did not run, each with the rules that stay unjudged for it.

    Args:
        rules: the rules asked.
        results: the report's rules.
        known: PAIRS column to whether any row has it.
        ran: names of the extractors whose columns are there.
        failed: names of those that broke.
        too_few: why there are no held-out baselines; empty where there are.
    """
    unjudged = {r["code"] for r in results if r["status"] == "unjudged"}
    found = []
    for name in sorted({need for code in unjudged for need in rules[code].needs if need not in ran}):
        waiting = [code for code in sorted(unjudged) if name in rules[code].needs]
        group = next((group for group, names in extractors.GROUPS.items() if name in names), name)
        what, remedy = f"{name}: not measured", f"with the group {group}"
        if name in failed:
            what, remedy = f"{name}: failed", "the same command goes on where it ended"
        elif group in extractors.ON_REQUEST or group in extractors.SAMPLED:
            remedy = f"--with +{group}"
        found.append({"what": what, "rules": waiting, "remedy": remedy})
        unjudged -= set(waiting)
    for fact in FACTS:
        if any(known.get(column) for column in fact.columns):
            continue
        names = re.compile(rf"\b({'|'.join(fact.columns)})\b")
        asked = [code for code in sorted(unjudged) if _reads(rules[code], names)]
        unjudged -= set(asked)
        found.append({"what": fact.what, "rules": asked, "remedy": fact.remedy})
    if too_few and unjudged:
        names = re.compile(r"_auc|longer_wins|bound")
        asked = [code for code in sorted(unjudged) if rules[code].over == "effects" or _reads(rules[code], names)]
        found.insert(0, {"what": too_few, "rules": asked, "remedy": ""})
        unjudged -= set(asked)
    if unjudged:
        found.append({"what": "nothing to compare", "rules": sorted(unjudged), "remedy": "prefaudit rule CODE"})
    return found


def _reads(rule: Rule, names: re.Pattern[str]) -> bool:
    return (rule.over == "annotators" and bool(names.search("annotator"))) or bool(
        names.search(f"{rule.value} {rule.where}")
    )


REMOVABLE = ("SCH", "DUP", "TRC")
"""Rules whose pairs teach nothing or the wrong thing, whatever the label: `filter --drop` takes them out."""

WRONG = ("LBL",)
"""Rules whose finding says that the label is wrong: `relabel --flip`."""


def commands(
    results: Sequence[Mapping[str, Any]], findings: pl.DataFrame, paths: Sequence[str], container: str,
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:  # fmt: skip
    """The next steps: look at the worst, then the repairs and how many pairs they touch.

    Args:
        results: the report's rules.
        findings: FINDINGS.
        paths: the source, as the user named it.
        container: its container; a frame or standard input cannot be named in a command.
        options: the report's; a repair has to be told the layout and the columns as the scan was.

    Returns:
        The report's `next`. DIR stands for the audit folder.
    """
    fired = [r for r in results if r["status"] == "fired" and r["severity"] != "info"]
    fired.sort(key=lambda r: (SEVERITIES.index(r["severity"]), -r["found"], r["code"]))
    looks = [r for r in fired if r["scope"] == "pair"]
    steps = [{"command": f"prefaudit show DIR {r['code']}", "why": r["name"], "rows": r["found"]} for r in looks[:1]]
    if container != "frame" and list(paths) != ["-"]:
        told = [word for field, column in options["map"].items() for word in ("--map", f"{field}={column}")]
        told += ["--format", options["format"]] if options["format"] else []
        steps += _repair("filter", "--drop", "clean", REMOVABLE, "would be removed", looks, findings, paths, told)
        steps += _repair("relabel", "--flip", "relabelled", WRONG, "would be flipped", results, findings, paths, told)
    elsewhere = [r for r in fired if r["scope"] != "pair"]
    steps += [{"command": f"prefaudit rule {r['code']}", "why": r["name"], "rows": None} for r in elsewhere[:1]]
    return steps[:4]


def _repair(
    command: str, option: str, out: str, prefixes: tuple[str, ...], what: str,
    results: Sequence[Mapping[str, Any]], findings: pl.DataFrame, paths: Sequence[str], told: Sequence[str],
) -> list[dict[str, Any]]:  # fmt: skip
    """The command with as few codes as say the same: a prefix where all of it that fired is meant."""
    pair = [r for r in results if r["status"] == "fired" and r["scope"] == "pair" and r["code"][:3] in prefixes]
    codes = sorted(r["code"] for r in pair if r["severity"] != "info")
    if not codes:
        return []
    notes = {r["code"][:3] for r in pair if r["severity"] == "info"}
    said = sorted({code if code[:3] in notes else code[:3] for code in codes})
    rows = findings.filter(pl.col("rule").is_in(codes))["row"].n_unique()
    suffixes = "".join(PurePath(paths[0]).suffixes[-2:]) if len(paths) == 1 else ".jsonl"
    words = ["prefaudit", command, *paths, "-o", f"{out}{suffixes}", option, ",".join(said), *told]
    return [{"command": shlex.join(words), "why": what, "rows": rows}]


def placed(command: str, folder: str, own: bool) -> str:
    """A next step as it can be copied here.

    Args:
        command: of the report's `next`, with DIR for the audit folder.
        folder: the audit folder.
        own: whether the user named it, so that a repair has to be told of it.
    """
    words = [folder if word == "DIR" else word for word in shlex.split(command)]
    if words[1:2] in (["filter"], ["relabel"]):
        at = words.index("-o") + 1
        words[at] = _free(words[at])
        words += ["--audit", folder] if own else []
    return shlex.join(words)


def _free(out: str) -> str:
    """The name, or the first with a number that neither it nor its ledger has."""
    stem, dot, suffixes = out.partition(".")
    for name in (stem, *(f"{stem}-{k}" for k in range(2, 1000))):
        if not Path(f"{name}{dot}{suffixes}").exists() and not Path(f"{name}.ledger.parquet").exists():
            return f"{name}{dot}{suffixes}"
    return out

"""Read -> measure -> judge -> report. The file to read first."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit import __version__, gates
from prefaudit import rules as rulebook
from prefaudit.audit import finish, gate, judge, measure, probes, read, review, selection, spare
from prefaudit.audit import next as steps
from prefaudit.audit.crew import hired
from prefaudit.audit.show import shown
from prefaudit.config import Options, half
from prefaudit.core import SCHEMA, AuditError, Progress, fingerprint
from prefaudit.extractors import EXTRACTORS, GROUPS
from prefaudit.models import chat
from prefaudit.reports import render
from prefaudit.store import Store

__all__ = ["Audit", "extractor_table", "run", "scan"]

FINISHED = ("pairs/complete.json", "pairs/recipe.json", "report.json", "report.html", "findings.parquet",
            "skipped.parquet", "effects.parquet")  # fmt: skip


class Audit:
    """An audit folder, opened.

    Args:
        folder: the folder of a finished scan.

    Raises:
        AuditError: there is no finished audit in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.store = Store(folder)
        if not self.store.remote and self.store.folder.is_file():
            inside = self.store.folder.name in ("report.json", "report.html")
            told = f"name its folder: {self.store.folder.parent}" if inside else f"prefaudit scan {folder} makes one"
            raise AuditError(f"{folder} is a file, not an audit folder", told)
        wrong = _wrong(self.store)
        if wrong:
            raise AuditError(f"{folder}/report.json {wrong}", f"scan the data again, with -o {folder}")
        report = self.store.load("report.json")
        if report is None:
            raise AuditError(f"{folder} holds no finished audit", "name the folder that `prefaudit scan` printed")
        self.report: dict[str, Any] = report

    @property
    def folder(self) -> Path:
        """Where the audit lies; of one on an object store, the local folder that what is read passes through."""
        return self.store.folder

    @property
    def exit_code(self) -> int:
        """0: nothing at or above fail_on; 1: the gate failed; 2: incomplete."""
        return int(self.report["exit_code"])

    @property
    def findings(self) -> pl.DataFrame:
        """What fired: `row` (null for the whole dataset), `rule`, `severity`, `value`."""
        return self.store.frame("findings.parquet")

    @property
    def skipped(self) -> pl.DataFrame:
        """The source rows that gave no pair: `source_row`, `file`, `line`, `reason`."""
        return self.store.frame("skipped.parquet")

    @property
    def effects(self) -> pl.DataFrame:
        """The effects table; see docs/effects.md."""
        return self.store.frame("effects.parquet")

    def pairs(self) -> pl.LazyFrame:
        """The canonical pairs, lazily, in reading order."""
        return self.store.scan("pairs")

    def features(self) -> pl.LazyFrame:
        """`row`, the structs `c` and `r`, and the pair columns, lazily, in reading order."""
        return self.measures().lazy()

    def measures(self) -> measure.Measures:
        """The columns that the extractors wrote, part by part.

        Raises:
            AuditError: another version of an extractor wrote them.
        """
        names = {e["name"]: e for e in self.report["extractors"] if e["status"] == "ok"}
        fields = self.report["options"]["measured"]
        all_ = {cls.name: selection.configured(cls, fields.get(cls.name, {})) for cls in EXTRACTORS}
        chosen = tuple(e for e in selection.in_order(all_, set(all_)) if e.name in names)
        recipe = (self.store.load("pairs/recipe.json") or {}).get("recipe", "")
        made = measure.Measures(self.store, chosen, recipe, self.report["options"]["seed"])
        stale = [e.name for e in chosen if made.print_of(e) != names[e.name]["fingerprint"]]
        if stale:
            told = f"{self.store.name} was written by another version: {', '.join(stale)} changed"
            raise AuditError(told, "scan again")
        return made

    def placed(self) -> dict[str, Any]:
        """The report with next steps that can be copied: with this folder, and over no file that is there.

        The stored one, the same wherever it is made, says DIR.
        """
        data = self.report["dataset"]
        own = Path(self.store.name) != _folder_of(data["paths"], data["fingerprint"])
        told = self.report["next"]
        told = [{**step, "command": steps.placed(step["command"], self.store.name, own)} for step in told]
        return {**self.report, "next": told}

    def show(self, what: str | None, *, limit: int = 10, first: int = 0, width: int = 80, color: bool = False) -> str:
        """The pairs behind a finding (a rule code) or one pair (its row), as text with the differing words marked.

        Pairs that belong together (duplicates, conflicts, circles) are shown group by group. `first` leaves out so many
        pairs or groups, and the text ends with the command for the next ones.

        Raises:
            UsageError: no such rule or row.
        """
        if what is None:
            return render("terminal", self.placed(), width=width, color=color)
        return shown(self, what, (first, limit), width=width, color=color)


def _wrong(store: Store) -> str:
    """Why a report.json that is there is not the report of an audit; "" where it is, or where there is none."""
    if not store.has("report.json"):
        return ""
    report = store.load("report.json")
    if report is None:
        return "is damaged: it is no JSON"
    if report.get("schema") != SCHEMA:
        return "is no report of this version of prefaudit: something else wrote over it"
    tables = {"dataset": dict, "options": dict, "baselines": dict, "examples": dict,
              "rules": list, "effects": list, "extractors": list, "next": list, "exit_code": int}  # fmt: skip
    lacking = [name for name, kind in tables.items() if not isinstance(report.get(name), kind)]
    lacking += [] if lacking or all("code" in rule for rule in report["rules"]) else ["rules"]
    return f"is damaged: it lacks {', '.join(lacking)}" if lacking else ""


def _whole(store: Store) -> bool:
    """Whether a finished audit has all its files still; of Parquet, whether the end of each is there."""
    if _wrong(store) or not all(map(store.has, FINISHED)):
        return False
    made = Audit(store.name).measures()
    kinds = ("pairs", "skipped", *map(made.kind, made.extractors))
    return not any(store.missing(kind, store.parts()) or store.cut(f"{kind}/fit.parquet") for kind in kinds)


def scan(data: Any, out: str | Path | None = None, *, force: bool = False, reviewed: str | Path | None = None,
         **options: Any) -> Audit:  # fmt: skip
    """Audit preference pairs.

    Args:
        data: a path, glob, folder, URI or list of them; or a polars, pyarrow or pandas frame, or a datasets.Dataset.
        out: the audit folder; default .prefaudit/<stem>-<fingerprint>.
        force: audit anew in a folder that holds an audit.
        reviewed: a sheet of `prefaudit review` that was filled in: rates are corrected by it.
        options: the fields of prefaudit.config.Options: format, map, select, ignore, with_, without, fail_on,
            sample, seed, workers, memory, rules, params, severity, gate, baseline and the rest.

    Raises:
        AuditError: the job cannot be done; its message and hint say why and what next.
    """
    from prefaudit.config import checked

    return run(data, out, checked(options), force=force, reviewed=reviewed)


def run(data: Any, out: str | Path | None, options: Options, *, force: bool = False, progress: Progress | None = None,
        reviewed: str | Path | None = None, as_reviewed: bool = False) -> Audit:  # fmt: skip
    """`scan` for callers that hold Options already.

    Args:
        data: as for `scan`, or a source that `read.open_source` opened with the same options.
        out: as for `scan`.
        options: checked options.
        force: as for `scan`.
        progress: how far it is.
        reviewed: as for `scan`.
        as_reviewed: a report that is there stays, whatever review it was corrected by.
    """
    progress = progress or Progress()
    started = time.time()
    known = rulebook.load(options.rules, columns=selection.column_names())
    rules = gate.asked(known, options)
    baseline = gate.baseline(options)
    extractors = selection.choose(options)
    opened = data if isinstance(data, read.Opened) else read.open_source(data, options)
    sheet = review.read(reviewed, opened.recipe, known) if reviewed else review.Review()
    store = Store(out or default_folder(opened.source))
    price = tuple(map(float, options.llm_price.split(","))) if options.llm_price else None
    with store.lock(), chat.session(options.max_calls, price, progress) as chats:
        store.claim(opened.source.fingerprint, force=force)
        if options.llm and not {"asked", "names"} & {e.name for e in extractors}:
            progress.say(f"{options.llm}: 0 calls: all that this audit measures is measured without a language model")
        measures = measure.Measures(store, extractors, opened.recipe, options.seed)
        plain = fingerprint(
            *(SCHEMA, __version__, opened.source.paths, opened.recipe, options.fail_on, options.seed, probes.KNOWN),
            *(options.params, options.severity, options.gate),
            *([measures.print_of(e) for e in extractors], list(rules.values())),
        )
        beside = (sheet.print, options.baseline, baseline and baseline[1])
        key = fingerprint(plain, *beside) if reviewed or baseline else plain
        have = store.run().get("plain" if as_reviewed else "key")
        begun = {"fingerprint": opened.source.fingerprint, "sources": spare.recorded(opened.source, store)}
        if have == (plain if as_reviewed else key) and _whole(store):
            if store.run().get("sources") != begun["sources"]:  # the same data, lying elsewhere
                store.save("run.json", {**store.run(), **begun})
            return Audit(store.name)
        opened = read.cut_as(opened, store, options)
        preview = finish.previewed(store, opened, options)
        if not preview:
            store.save("run.json", begun)
        try:
            _measured(opened, store, measures, options, progress)
        except BaseException:
            if chats and not preview:  # calls were made, and have a ledger whatever came of them
                store.save("run.json", {**begun, "llm": chat.ledgers(chats.values())})
            raise
        if preview and measures.failed:
            raise finish.left(store, measures.failed)
        report, findings, effects = judge.judge(opened, store, measures, rules, options, progress)
        report["options"]["reviewed"], report["review"] = sheet.print or None, {}
        pairs = probes.population(store, measures) if reviewed else None
        if pairs is not None:
            judged = partial(judge.judged, store, measures, rules, half(options.memory))
            report["review"] = review.told(sheet, report, findings, pairs, judged)
        report["probes"] = probes.told(store, measures, sheet, pairs)
        _since(report, options.baseline, baseline)
        finish.write(store, measures, options, report, (findings, effects))
        store.save("run.json", {**begun, "key": key if report["complete"] else None,
                                "plain": plain if report["complete"] else None, **finish.facts(started),
                                "llm": chat.ledgers(chats.values())})  # fmt: skip
    return Audit(store.name)


def _since(report: dict[str, Any], path: str | None, baseline: tuple[dict[str, Any], str] | None) -> None:
    """What is new since the baseline, and the exit code that follows."""
    report["baseline"] = {} if baseline is None else {"file": str(path), **gates.compared(report, baseline[0])}
    report["options"]["baseline"] = None if baseline is None else baseline[1]
    if report["complete"]:
        report["exit_code"] = int(bool(gates.fails(report)))


def _measured(opened: read.Opened, store: Store, measures: measure.Measures, options: Options,
              progress: Progress) -> None:  # fmt: skip
    """Read what is not read yet, and measure what is not measured yet; by as many workers as there may be."""
    with hired(opened, store, measures, options) as workers:
        read.read(opened, store, options, measures.part, progress, workers)
        rest = measures.unmeasured()
        if workers is None:
            for number in rest:
                measures.part(number)
        elif rest:
            workers.measure(rest)
        measures.settle((store.load("pairs/complete.json") or {"pairs": 0})["pairs"])
        measures.fit(progress, workers)


def default_folder(source: Any) -> Path:
    """Where an audit lies when no folder is named: `.prefaudit/<stem>-<fingerprint>`."""
    return _folder_of(source.paths, source.fingerprint)


def _folder_of(paths: Sequence[str], fingerprint: str) -> Path:
    first = str(paths[0]) if paths else "frame"
    stem = "stdin" if first == "-" else first.rstrip("/").split("/")[-1].split(".")[0]
    stem = re.sub(r"[^\w-]+", "_", stem.strip("<>")) or "data"
    return Path(".prefaudit") / f"{stem}-{fingerprint}"


def extractor_table() -> list[dict[str, str]]:
    """For `prefaudit extractors`: group, name, columns."""
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    table = []
    for cls in EXTRACTORS:
        extractor = cls()
        parts = []
        for name, kind in extractor.columns.items():
            inner = ", ".join(f.name for f in kind.fields) if isinstance(kind, pl.Struct) else ""
            parts.append(f"{name}{{{inner}}}" if inner else name)
        table.append(
            {"group": group_of.get(extractor.name, "always"), "name": extractor.name, "columns": " ".join(parts)}
        )
    return table

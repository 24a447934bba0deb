"""One repair, from what the user named to an audit and back: opening, checking that the source stays what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from prefaudit.audit import default_folder, run
from prefaudit.audit import read as reading
from prefaudit.audit.selection import ASKING
from prefaudit.config import Options
from prefaudit.core import AuditError, Progress, SourceError, UsageError
from prefaudit.repair import output
from prefaudit.repair.evidence import Evidence
from prefaudit.scratch import Scratch
from prefaudit.sources.remote import standard_input
from prefaudit.store import Store


@dataclass(frozen=True)
class Session:
    """A source, its audit, and what is needed to write it again."""

    opened: reading.Opened
    origin: output.Origin
    evidence: Evidence
    options: Options
    held: Any  # the copy of standard input, as long as it is needed

    def parts(self, rows: Any) -> Iterator[pa.Table]:
        """The named source rows (ascending), as the sources room gives them: columns of text and JSON text."""
        import numpy as np

        for part in self.opened.source.read(self.opened.part_rows):
            low, high = np.searchsorted(rows, [part.first, part.first + part.rows])
            if high > low:
                inside = np.isin(part.table["source_row"].to_numpy(), rows[low:high])
                yield part.table.filter(pa.array(inside))


def open_data(data: Any, options: Options) -> tuple[reading.Opened, output.Origin, Any, Any]:
    """Open the source, standard input by way of a copy that can be read twice.

    Returns:
        The opened source, its origin, what to give to the audit as data, and what must be held on to.
    """
    if options.sample is not None:
        raise UsageError("--sample does not go with a repair", "a repair speaks of every row; leave --sample out")
    held: Any = None
    if (isinstance(data, str) and data == "-") or (isinstance(data, list | tuple) and list(data) == ["-"]):
        held = Scratch()
        data = str(standard_input(Path(held.name))[0].path)
    elif isinstance(data, list | tuple) and len(data) == 1:
        data = data[0]
    opened = reading.open_source(data, options)
    return opened, output.origin(opened.source, data), data, held


def begin(data: Any, options: Options, audit: str | Path | None, progress: Progress,
          opening: tuple[reading.Opened, output.Origin, Any, Any]) -> Session:  # fmt: skip
    """Audit the data, or open the audit that is there.

    Raises:
        SourceError: the data has changed since it was scanned, or while it was.
    """
    opened, origin, source, held = opening
    if audit is None:
        _same_as_scanned(opened)
    options = replace(options, baseline=None)  # what is new is for the scan to tell
    given, options = options, as_scanned(opened, audit, options)
    if options.score_columns != given.score_columns:  # they decide which columns of the source are kept
        opened = reading.open_source(source, options)
    made = run(opened, audit, options, progress=progress, as_reviewed=True)
    origin.unchanged()
    return Session(opened, origin, Evidence(made, options), options, held)


def asking(options: Options, *said: str | float | None) -> Options:
    """The options, with consensus among what is measured where one of these words asks for it."""
    wanted = any(isinstance(one, str) and "consensus" in one for one in said)
    added = all(name.startswith("+") for name in options.with_)
    return replace(options, with_=(*options.with_, "+consensus")) if wanted and added else options


def as_scanned(opened: reading.Opened, audit: str | Path | None, options: Options) -> Options:
    """The options with what the audit that is there was given and this command was not.

    The gates, because no repair depends on them and the report should stay; and what extractors were told (a
    tokenizer, a reward model), because a repair should act on what the user looked at. What has others measured too
    (a language model, an embedder) goes to those extractors alone that were told it, by `reopened`.
    """
    folder = Path(audit) if audit is not None else None
    if folder is None and any(Path(".prefaudit").glob("*/report.json")):
        folder = default_folder(opened.source)
    report = Store(folder).load("report.json") if folder is not None and folder.is_dir() else None
    if not report or "fail_on" not in report:
        return options
    measured = report["options"].get("measured", {})
    _answered(report, measured, options)
    plain = Options()
    taken = {"fail_on": report["fail_on"], "gate": report["options"].get("gate", {}), "reopened": measured}
    for fields in measured.values():
        for name, value in fields.items():
            if name not in ASKING and hasattr(plain, name) and getattr(options, name) == getattr(plain, name):
                taken[name] = tuple(value) if isinstance(value, list) else value
    return replace(options, **taken)


def _answered(report: Mapping[str, Any], measured: Mapping[str, Mapping[str, Any]], options: Options) -> None:
    """Refuse an audit that lacks answers of a language model which this command does not name: it would be asked."""
    if options.llm or options.probe or options.reward_model:
        return
    for failed in (e for e in report["extractors"] if e["status"] == "failed"):
        told = measured.get(failed["name"], {})
        models = (*(told.get("probe") or ()), *(told.get("reward_model") or ()))
        if told.get("llm") or any("judge+" in name for name in models):
            raise AuditError(f"the audit is incomplete: {failed['name']}: {failed['error']}",
                             "a repair needs a whole one and asks no language model by itself: scan again")  # fmt: skip


def _same_as_scanned(opened: reading.Opened) -> None:
    """Refuse data of which an audit of this place speaks, but of its former content."""
    source = opened.source
    if not source.files:
        return
    stem = default_folder(source) if any(Path(".prefaudit").glob("*/report.json")) else None
    if stem is None or (stem / "report.json").exists():
        return
    name = stem.name.rsplit("-", 1)[0]
    for report in sorted(Path(".prefaudit").glob("*/report.json")):
        if report.parent.name.rsplit("-", 1)[0] != name:
            continue
        if ((Store(report.parent).load("report.json") or {}).get("dataset") or {}).get("paths") == list(source.paths):
            raise SourceError(
                f"{source.paths[0]} has changed since it was scanned: {report.parent} speaks of its former content",
                f"look at it first: prefaudit scan {source.paths[0]}",
            )

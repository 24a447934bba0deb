"""The end of an audit: what is written into its folder, and what a preview leaves there."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from prefaudit import __version__
from prefaudit.audit import principles
from prefaudit.audit.measure import Measures
from prefaudit.audit.read import Opened
from prefaudit.config import Options
from prefaudit.core import SKIPPED, AuditError
from prefaudit.extractors.constitution import stored
from prefaudit.principles import saved
from prefaudit.reports import json as json_report
from prefaudit.reports import render
from prefaudit.store import Store
from prefaudit.store.spill import release

ELSEWHERE = "a preview replaces no finished audit: name another folder with -o"


def previewed(store: Store, opened: Opened, options: Options) -> bool:
    """Whether only what it would cost is asked for (`--max-calls 0`), and a finished audit lies in the folder.

    Raises:
        AuditError: that audit read the data in another way; this one could not be beside it.
    """
    if options.max_calls != 0 or not store.has("report.html"):
        return False
    if not (store.load("report.json") or {}).get("complete"):
        return False
    if store.load("pairs/recipe.json") != {"recipe": opened.recipe, "part_rows": opened.part_rows}:
        raise AuditError(f"{store.name} holds a finished audit that read the data in another way", ELSEWHERE)
    return True


def left(store: Store, failed: Mapping[str, str]) -> AuditError:
    """What to say where a preview asked nothing, and the finished audit stays."""
    why = "; ".join(f"{name}: {said}" for name, said in failed.items() if not said.startswith("an extractor it needs"))
    return AuditError(f"--max-calls 0 asks nothing, and the finished audit in {store.name} stays as it is ({why})",
                      "the same command without --max-calls 0 asks")  # fmt: skip


def _chosen(measures: Measures) -> dict[str, Any]:
    """The content of constitution.json: the list that was chosen; empty where there is none, or one was given."""
    extractor = next((e for e in measures.present if e.name == "constitution"), None)
    if extractor is None or measures.state(extractor)["given"][0]:
        return {}
    found = stored(measures.state(extractor))
    if not found.rules:
        return {}
    about = {"n": found.n, "groups": found.groups, "seed": measures.seed, "held_out": found.held_out,
             "answers": found.answers}  # fmt: skip
    return saved.written(found.rules, principles.asked(measures), about)


def write(store: Store, measures: Measures, options: Options, report: dict[str, Any],
          tables: tuple[pl.DataFrame, pl.DataFrame]) -> None:  # fmt: skip
    """Write the report, its findings and effects, and its constitution; one of a former report goes.

    A list that was given from this very folder stays: it is the user's.
    """
    store.remove("report.html")
    release()  # the texts that the report was made from
    chosen = _chosen(measures)
    given = options.constitution and Path(options.constitution).resolve() == (store.folder / principles.FILE).resolve()
    if chosen:
        store.save(principles.FILE, chosen)
    elif not given:
        store.remove(principles.FILE)
    skipped = [store.read("skipped", k) for k in range(store.parts())]
    store.put_frame("skipped.parquet", pl.concat(skipped) if skipped else pl.DataFrame(schema=SKIPPED))
    for name, table in zip(("findings", "effects"), tables, strict=True):
        store.put_frame(f"{name}.parquet", table)
    store.put("report.json", json_report.render(report).encode())
    store.put("report.html", render("html", report).encode())


def facts(started: float) -> dict[str, Any]:
    """When, how long, and by what."""
    names = ("polars", "duckdb", "pyarrow", "numpy", "scipy")
    return {
        "started": round(started, 3),
        "seconds": round(time.time() - started, 3),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "versions": {"prefaudit": __version__, **{name: version(name) for name in names}},
    }

"""Every pair set of the shared data: the account adds up, rows that stay are the source's, and nothing new is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from formats.shared import SETS
from repair.making import begin, cells, read, same_cells, turned

from prefaudit.config import Options
from prefaudit.repair import filter

PROBED = "hh-harmless/test.jsonl.gz"  # where the probes find much; what they say of a row hangs on no layout
# Circles, near-conflicts, near-duplicates: which votes go decides who has the majority and what a pair is named beside.
OF_OTHERS = ("CNF003", "CNF004", "CNF006", "DUP003")
AGAIN = ("gpt4_turbo", "clean")  # the same prompts in the same layout as another set
DATASETS = pytest.mark.parametrize("name", [
    pytest.param(name, id=Path(name).name, marks=[pytest.mark.heavy] if any(a in name for a in AGAIN) else [])
    for name, *_ in SETS
])  # fmt: skip


def asked(name: str) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """What is dropped of a set, and all that these rules read."""
    drop, measured = ("SCH", "DUP", "CNF", "LEN", "TRC"), ("text", "duplicates", "integrity")
    if name == PROBED:
        drop, measured = (*drop, "REF001", "REF002", "REF003", "SYC001"), (*measured, "probes")
    return drop, {"with_": measured}


def out_name(source: Path) -> str:
    name = source.name.removesuffix(".gz")
    return f"out{Path(name).suffix}"


@DATASETS
def test_filter(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    source, out = data / name, out_name(data / name)
    (drop, measured), (before, n) = asked(name), cells(source)
    nothing = filter(str(source), out, audit="audit", **measured)
    keep = np.zeros(n, bool)
    keep[before["source_row"].to_numpy()] = True
    skipped = nothing.ledger["source_row"].to_list()
    keep[skipped] = False
    assert (nothing.read, nothing.kept, nothing.dropped, nothing.skipped) == (n, n - len(skipped), 0, len(skipped))
    assert same_cells(before, keep, cells(out)[0])

    made = filter(str(source), out, drop=drop, force=True, audit="audit", **measured)
    assert made.read == made.kept + made.dropped + made.skipped == n
    lost = made.ledger.filter(pl.col("action") == "dropped")
    if made.pairs["rows_rewritten"] == 0:
        work = begin(source, Options(fail_on="never", **measured), tmp_path / "audit")
        gone = np.bincount(work.evidence.source_row[lost["row"].to_numpy()], minlength=n)
        if not work.opened.detected.layout.regroups and work.evidence.pairs == work.evidence.rows - len(skipped):
            keep &= gone == 0
            assert same_cells(before, keep, cells(out)[0])
    if not made.dropped:
        return
    from prefaudit.audit import Audit, scan

    after, first = scan(out, "again", fail_on="never", **measured), Audit("audit")
    assert after.report["dataset"]["format"] == first.report["dataset"]["format"]
    assert after.report["dataset"]["pairs"] + after.report["dataset"]["unpaired"] == made.pairs["kept"]
    assert after.report["dataset"]["skipped"] == 0
    keys = ["hash_prompt", "hash_chosen", "hash_rejected", "rule"]
    found = [a.findings.drop_nulls("row").join(a.pairs().select("row", *keys[:3]).collect(), on="row").select(keys)
             for a in (first, after)]  # fmt: skip
    new = found[1].join(found[0], on=keys, how="anti", nulls_equal=True)
    assert set(new["rule"]) <= set(OF_OTHERS), "no new finding"


@DATASETS
def test_labels_turned_twice(data: Path, tmp_path: Path, name: str) -> None:
    source, out = data / name, tmp_path / out_name(data / name)
    work = read(source, Options(), tmp_path / "first")
    layout = work.opened.detected.layout.name
    wanted = (work.evidence.label == "chosen").to_numpy()
    assert wanted.sum() > 0
    done = turned(work, out, wanted)
    again = read(out, Options(format=layout), tmp_path / "second")
    columns = ("hash_chosen", "hash_rejected", "label")
    before, after = (w.evidence.pair_columns(*columns) for w in (work, again))
    flipped = pl.Series(done)
    expected = before.select(
        pl.when(flipped).then("hash_rejected").otherwise("hash_chosen").alias("hash_chosen"),
        pl.when(flipped).then("hash_chosen").otherwise("hash_rejected").alias("hash_rejected"), "label",
    )  # fmt: skip
    assert after.equals(expected)
    assert done.sum() >= 0.95 * wanted.sum(), "what cannot be turned is named in the ledger, and is little"
    second = tmp_path / f"second{out.suffix}"
    assert (turned(again, second, done) == done).all()
    table, n = cells(source)
    assert same_cells(table, np.ones(n, bool), cells(second)[0])

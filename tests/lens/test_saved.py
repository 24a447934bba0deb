"""A lens of one audit applied to another dataset."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.audit import Audit
from prefaudit.audit.lens import activations
from prefaudit.core import AuditError
from prefaudit.demo import demo_path
from prefaudit.lens.saved import kept

OPTIONS = {"embedder": "lexical", "lens_features": 6, "lens_active": 2, "fail_on": "never", "with_": ("lens",)}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return prefaudit.scan(str(demo_path()), tmp_path_factory.mktemp("first") / "audit", **OPTIONS)


def values(audit: Audit) -> pl.DataFrame:
    return audit.features().select("lens").collect()["lens"].struct.unnest()


@pytest.mark.heavy
def test_the_same_features_on_other_data(first: Audit, tmp_path: Path) -> None:
    lens = str(first.folder / "lens")
    pairs = first.pairs().select("prompt", "chosen", "rejected", "label").collect()
    texts = pairs.filter(pl.col("label") == "chosen").drop_nulls(["chosen", "rejected"])
    some = texts.select(
        pl.col("prompt").list.last().struct.field("content").alias("prompt"), chosen="rejected", rejected="chosen"
    )
    some.write_parquet(tmp_path / "turned.parquet")
    other = prefaudit.scan(str(tmp_path / "turned.parquet"), tmp_path / "audit", lens=lens, fail_on="never",
                           with_=("lens",))  # fmt: skip
    there = other.report["lens"]
    assert there["embedder"]["name"] == "lexical" and (there["features"], there["active"], there["n"]) == (6, 2, 0)
    assert [e["name"] for e in there["each"]] == [e["name"] for e in first.report["lens"]["each"]]
    assert [e["stability"] for e in there["each"]] == [e["stability"] for e in first.report["lens"]["each"]]
    same = (pairs["label"] == "chosen") & pairs["chosen"].is_not_null() & pairs["rejected"].is_not_null()
    here = values(first).filter(same)
    for k in range(6):
        assert (here[f"f{k}"] + values(other)[f"f{k}"]).abs().max() == 0
    seen = [a.features().select("lens_present").collect()["lens_present"].struct.unnest() for a in (first, other)]
    seen[0] = seen[0].filter(same)
    assert all((seen[0][f"f{k}"] + seen[1][f"f{k}"]).abs().max() == 0 for k in range(6))
    effects = [{e["feature"]: e["delta_win"] for e in a.report["effects"]} for a in (first, other)]
    told = [name for name, value in effects[1].items() if value is not None]
    assert told and all(effects[0][n] * effects[1][n] <= 0 for n in told if effects[0][n] is not None)


def test_what_a_lens_that_knows_the_labels_tells_of_them_is_not_taken_for_held_out(
    first: Audit, tmp_path: Path
) -> None:
    again = prefaudit.scan(str(demo_path()), tmp_path / "again", lens=str(first.folder / "lens"), fail_on="never",
                           with_=("lens",))  # fmt: skip
    rows = np.arange(40)
    half = np.zeros(len(rows)), np.zeros(len(rows)), rows
    there = [activations(a.measures(), rows, *half)(rows < 20) for a in (first, again)]
    features = again.features().collect()[rows.tolist()]
    own, present = (features[name].struct.unnest().fill_null(0).to_numpy() for name in ("lens", "lens_present"))
    np.testing.assert_array_equal(there[1], present)
    assert not np.array_equal(there[1], own) and (there[0] != 0).sum(1).max() == 2


def test_a_lens_of_one_group_says_so(tmp_path: Path) -> None:
    side = [[f"word{i} and word{i + k}" for i in range(30)] for k in (1, 7)]
    frame = pl.DataFrame({"prompt": ["The very same question?"] * 30, "chosen": side[0], "rejected": side[1]})
    audit = prefaudit.scan(frame, tmp_path / "a", **OPTIONS)
    failed = {e["name"]: e["error"] for e in audit.report["extractors"] if e["status"] == "failed"}
    assert "one group of related pairs" in failed["lens"] and audit.exit_code == 2
    frame = frame.with_columns(rejected="chosen")
    audit = prefaudit.scan(frame, tmp_path / "b", **OPTIONS)
    failed = {e["name"]: e["error"] for e in audit.report["extractors"] if e["status"] == "failed"}
    assert "no pair has two different answers" in failed["embed"]


def test_along_what_features_are_read_goes_with_the_lens(first: Audit, tmp_path: Path) -> None:
    shutil.copytree(first.folder / "lens", tmp_path / "lens")
    found, file = kept(str(tmp_path / "lens")), tmp_path / "lens" / "reading.npy"
    assert found is not None and found.reading.shape == found.lens.decoder.shape
    np.testing.assert_allclose(np.linalg.norm(found.reading, axis=1), 1, atol=1e-5)
    for content in (b"no array", file.read_bytes()[:-4]):
        file.write_bytes(content)
        with pytest.raises(AuditError, match=r"reading\.npy"):
            kept(str(tmp_path / "lens"))
    np.save(file, found.reading[:, :-1])
    with pytest.raises(AuditError, match="of another lens"):
        kept(str(tmp_path / "lens"))
    file.unlink()
    old = kept(str(tmp_path / "lens"))
    assert old is not None and (old.reading == old.lens.decoder).all(), "as saved before features were read otherwise"


def test_what_is_no_lens_is_said(first: Audit, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="no lens"):
        prefaudit.scan(str(demo_path()), tmp_path / "a", lens=str(tmp_path), with_=("lens",))
    shutil.copytree(first.folder / "lens", tmp_path / "lens")
    (tmp_path / "lens" / "lexical.npz").unlink()
    with pytest.raises(AuditError, match=r"lexical\.npz"):
        prefaudit.scan(str(demo_path()), tmp_path / "b", lens=str(tmp_path / "lens"), with_=("lens",))
    with pytest.raises(AuditError, match="reads the vectors of lexical"):
        prefaudit.scan(str(demo_path()), tmp_path / "c", lens=str(first.folder / "lens"), embedder="minilm",
                       with_=("lens",))  # fmt: skip


def test_a_lens_of_other_weights_is_not_applied(first: Audit, tmp_path: Path) -> None:
    shutil.copytree(first.folder / "lens", tmp_path / "lens")
    config = tmp_path / "lens" / "cfg.json"
    told = json.loads(config.read_text())
    told["metadata"]["revision"] = "another"
    config.write_text(json.dumps(told))
    with pytest.raises(AuditError, match="revision another"):
        prefaudit.scan(str(demo_path()), tmp_path / "a", lens=str(tmp_path / "lens"), with_=("lens",))

"""The lens in an audit, on the example dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import prefaudit
from prefaudit.audit import Audit
from prefaudit.audit.selection import choose
from prefaudit.config import Options, checked
from prefaudit.core import UsageError
from prefaudit.demo import demo_path
from prefaudit.lens import Sae
from prefaudit.reports import render

OPTIONS = {"embedder": "lexical", "lens_features": 8, "lens_active": 2, "fail_on": "never"}
WITH = {**OPTIONS, "with_": ("lens",)}


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return prefaudit.scan(str(demo_path()), tmp_path_factory.mktemp("demo") / "audit", **OPTIONS)


def test_every_pair_has_k_active_features(audit: Audit) -> None:
    assert audit.report["complete"]
    z = audit.features().select("lens").collect()["lens"].struct.unnest()
    pairs = audit.pairs().select("chosen", "rejected").collect()
    alone = (pairs["chosen"].is_null() | pairs["rejected"].is_null()).to_numpy()
    assert z.width == 8
    assert (z["f0"].is_null().to_numpy() == alone).all()
    active = (z.filter(~pl.Series(alone)).to_numpy() != 0).sum(1)
    assert active.max() == 2 and np.mean(active == 2) > 0.9
    there = audit.features().select("lens_present").collect()["lens_present"].struct.unnest()
    z, there = (frame.filter(~pl.Series(alone)).to_numpy() for frame in (z, there))
    both = (z != 0) & (there != 0)
    assert np.mean(np.sign(z[both]) == np.sign(there[both])) > 0.95 and np.abs(there).max() <= 1 + 1e-6
    least = np.array([e["least_cosine"] for e in audit.report["lens"]["each"]], np.float32)
    assert (np.abs(there[there != 0]) >= np.broadcast_to(least, there.shape)[there != 0]).all()
    assert ((z == 0) & (there != 0)).any()
    np.testing.assert_allclose([e["effect"]["prevalence"] for e in audit.report["lens"]["each"]], (there != 0).mean(0),
                               atol=0.02)  # fmt: skip


def test_the_report_tells_what_it_is_and_what_it_explains(audit: Audit) -> None:
    lens = audit.report["lens"]
    assert lens["embedder"]["name"] == "lexical" and lens["embedder"]["why"]
    assert (lens["features"], lens["active"], len(lens["each"])) == (8, 2, 8)
    assert 0 < lens["explained"] < 1 and lens["active_held"] == pytest.approx(2, rel=0.05)
    effects = {e["feature"]: e for e in audit.report["effects"]}
    assert {f"lens.f{k}" for k in range(8)} <= set(effects)
    for e in lens["each"]:
        row = effects[f"lens.{e['feature']}"]
        assert row["delta_win"] == e["effect"]["delta_win"] and row["label"] == f"{e['feature']}: {e['name']}"
        assert (row["family"] == "lens") == e["stable"] == (e["stability"] >= 0.5)
    if "lens" in lens["auc"]:
        assert set(lens["auc"]) == {"n", "groups", "length", "text", "lens", "full"}


def test_the_folder_holds_the_lens(audit: Audit) -> None:
    lens, about = Sae.open(audit.folder / "lens")
    assert (lens.features, lens.active, about["embedder"]) == (8, 2, "lexical")


def test_examples_are_the_pairs_with_most_of_a_feature(audit: Audit) -> None:
    z = audit.features().select("row", "lens_present").collect()
    for e in audit.report["lens"]["each"]:
        size = z["lens_present"].struct.field(e["feature"]).abs().fill_null(0)
        assert (
            size.filter(z["row"].is_in(e["examples"])).sort(descending=True).to_list()
            == size.top_k(3).sort(descending=True).to_list()
        )


def test_readers_see_it(audit: Audit) -> None:
    for form in ("terminal", "markdown", "html"):
        text = render(form, audit.report)
        assert ("lens" in text.lower() and "AUC held out" in text) or "40 groups" in text
    assert "lexical" in render("markdown", audit.report)


def test_the_parts_change_nothing(tmp_path: Path) -> None:
    one, other = (prefaudit.scan(str(demo_path()), tmp_path / str(n), part_rows=n, **WITH) for n in (10_000, 150))
    assert other.store.parts() > 1
    assert one.report["lens"] == other.report["lens"]
    a, b = (x.features().select("lens").collect()["lens"].struct.unnest().to_numpy() for x in (one, other))
    np.testing.assert_array_equal(a, b)


def test_exchanging_the_answers_negates_every_feature(audit: Audit) -> None:
    measures = audit.measures()
    found = {e.name: e for e in measures.extractors}
    frame = measures.store.read(measures.kind(found["embed"]), 0)
    sides = frame["embedding"].struct.unnest()
    turned = sides.rename({"chosen": "rejected", "rejected": "chosen"}).select(sides.columns).to_struct("embedding")
    apply = found["lens"].load(measures.state(found["lens"]))
    a, b = (apply(f)["lens"].struct.unnest().to_numpy() for f in (frame, frame.with_columns(turned)))
    np.testing.assert_array_equal(a, -b)


def test_no_lens_unless_asked() -> None:
    assert "lens" not in {e.name for e in choose(Options())}
    for asked in ({"embedder": "lexical"}, {"lens_features": 8}, {"with_": ("lens",)}):
        assert {"embed", "lens"} <= {e.name for e in choose(checked(asked))}
    assert "lens" not in {e.name for e in choose(checked({"embedder": "lexical", "without": ("lens",)}))}


def test_a_second_audit_of_the_folder_reads_what_is_there(audit: Audit) -> None:
    again = Audit(audit.folder)
    assert again.features().select("lens").collect().height == again.pairs().select(pl.len()).collect().item()
    assert again.report["options"]["measured"]["lens"] == {"lens_features": 8, "lens_active": 2, "lens": ""}


def test_an_embedder_that_fails_is_a_failure_of_the_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prefaudit.models.server.FIRST_WAIT", 0.001)
    monkeypatch.setenv("PREFAUDIT_CACHE", str(tmp_path / "cache"))
    options = {"embedder": "http://127.0.0.1:9/v1#m", "with_": ("lens",)}
    broken = prefaudit.scan(str(demo_path()), tmp_path / "audit", **options)
    assert broken.exit_code == 2 and broken.report["lens"] == {}
    failed = {e["name"] for e in broken.report["extractors"] if e["status"] == "failed"}
    assert failed == {"embed", "lens"}


def test_more_active_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lens-active"):
        prefaudit.scan(str(demo_path()), tmp_path / "audit", lens_features=4, lens_active=5)

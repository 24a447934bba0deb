"""The autoencoder: odd, K active, and readable by sae-lens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prefaudit.core import AuditError
from prefaudit.lens import Sae, Shape, explained, labelled, matched, principal, shape, stability, train
from prefaudit.lens.sae import keep


def sparse(n: int, seed: int, d: int = 40, many: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Differences made of two or three of `many` fixed directions each, with noise; and the directions."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(99).standard_normal((d, many)))[0].T
    codes = rng.laplace(size=(n, many)) * (rng.random((n, many)) < 0.2) * np.linspace(2, 1, many)
    return (codes @ directions + 0.05 * rng.standard_normal((n, d))).astype(np.float32), directions


@pytest.fixture(scope="module")
def lens() -> Sae:
    return train(sparse(6000, 0)[0], Shape(16, 3, (4, 16)), 0)


def test_exchanging_the_answers_negates_every_feature_exactly(lens: Sae) -> None:
    x = sparse(200, 1)[0]
    np.testing.assert_array_equal(lens.encode(-x), -lens.encode(x))


def test_exactly_k_are_active_and_none_where_nothing_differs(lens: Sae) -> None:
    x = sparse(200, 1)[0]
    x[7] = 0
    active = (lens.encode(x) != 0).sum(1)
    assert active[7] == 0 and set(np.delete(active, 7)) == {3}


def test_of_equal_values_the_first_are_kept() -> None:
    kept = keep(np.array([[1, -1, 1, 0.5], [0, 0, 0, 0], [2, 1, -3, 1]], np.float32), 2)
    assert kept.tolist() == [[1, -1, 0, 0], [0, 0, 0, 0], [2, 0, -3, 0]]


def test_finds_the_directions_the_data_are_made_of(lens: Sae) -> None:
    directions = sparse(2, 0)[1]
    _, near = matched(directions.astype(np.float32), lens.decoder)
    assert (near > 0.9).sum() >= 10
    x = sparse(600, 2)[0]
    turn, _ = principal(sparse(6000, 0)[0], 3)
    assert explained(x, lens.decode(lens.encode(x))) > explained(x, x @ turn.T @ turn) + 0.2


def test_halves_of_few_pairs_agree_on_more_where_both_are_turned_towards_an_anchor() -> None:
    x, anchor, want = sparse(400, 6)[0], sparse(300, 8)[0], Shape(12, 3, (3, 12))
    x = x + np.random.default_rng(1).standard_normal(x.shape).astype(np.float32) * np.float32(0.6)
    fitted = [[train(half, want, 0, a).decoder for half in (x[:200], x[200:])] for a in (None, anchor)]
    alone, turned = (matched(*both)[1].mean() for both in fitted)
    assert turned > alone + 0.1, f"{turned:.3f} with, {alone:.3f} without"
    again = train(x[:200], want, 0, anchor).decoder
    np.testing.assert_array_equal(again, fitted[1][0])


def test_an_anchor_counts_for_less_the_more_pairs_there_are() -> None:
    rng = np.random.default_rng(2)
    x = (rng.standard_normal((20_000, 6)) * [3, 2.5, 2, 0.5, 0.2, 0.1]).astype(np.float32)
    anchor = (rng.standard_normal((50, 6)) * [0.1, 0.1, 0.1, 1, 2, 3]).astype(np.float32)
    own = np.eye(6, dtype=np.float32)[:3]
    shares = [float(((principal(x[:n], 3, anchor)[0] @ own.T) ** 2).sum()) for n in (100, 20_000)]
    assert shares[0] < 1.5 and shares[1] > 2.9
    _, squares = principal(x, 3)
    np.testing.assert_allclose(squares, [9, 6.25, 4], rtol=0.1)
    assert train(x[:200], Shape(9, 2, (2, 9)), 0, anchor).features == 9, "more features than directions"


def test_labels_are_not_seen(lens: Sae) -> None:
    x = sparse(6000, 0)[0]
    turned = x * np.random.default_rng(4).choice([-1, 1], len(x)).astype(np.float32)[:, None]
    other = train(turned, Shape(16, 3, (4, 16)), 0)
    assert (matched(lens.decoder, other.decoder)[1] > 0.99).mean() > 0.7


def test_gains_prefer_what_tells_of_the_choice_and_know_no_direction(lens: Sae) -> None:
    x = sparse(3000, 7)[0]
    rng = np.random.default_rng(0)
    decides = x @ lens.encoder[:, 5]
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-3 * decides / decides.std()))) * 1.0
    length = rng.standard_normal(len(x))
    made, gain, lean = labelled(lens, x, y, length, np.arange(len(x)))
    assert (
        gain.argmax() == 5
        and gain[5] > 3
        and gain.mean() == pytest.approx(1, abs=1e-5)
        and lean.max() < 5
        and lean[5] < 0.5
    )
    np.testing.assert_allclose(labelled(lens, x, 1 - y, length, np.arange(len(x)))[1], gain, rtol=1e-4)
    untold = labelled(lens, x, np.full(len(x), 0.5), length, np.arange(len(x)))
    np.testing.assert_array_equal(untold[1], 1)
    np.testing.assert_array_equal(untold[0].encoder, lens.encoder)
    active = [(s.encode(x)[:, 5] != 0).mean() for s in (lens, made)]
    assert active[1] > active[0] and set((made.encode(x) != 0).sum(1)) == {3}
    coin, _, none = labelled(lens, x, (rng.random(len(x)) < 0.5) * 1.0, length, np.arange(len(x)))
    assert not none.any(), "labels that say nothing"
    np.testing.assert_allclose(coin.encoder @ coin.decoder, lens.encoder @ lens.decoder, atol=1e-5)


def test_an_encoder_leans_where_labels_go_by_what_the_features_leave_out(lens: Sae) -> None:
    """Labels go by one feature and by a direction outside all: the values then tell both; the decoder knows neither."""
    rng = np.random.default_rng(1)
    x = np.asarray(sparse(3000, 8)[0] + 0.1 * rng.standard_normal((3000, 40)), np.float32)
    outside = np.linalg.qr(np.column_stack([lens.encoder, rng.standard_normal(40)]))[0][:, -1]
    ways = np.column_stack([v / (x @ v).std() for v in (lens.encoder[:, 5], outside)]).sum(1)
    length = rng.standard_normal(len(x))
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-2 * x @ ways))) * 1.0
    made, _, lean = labelled(lens, x, y, length, np.arange(len(x)))
    turned, _, same = labelled(lens, x, 1 - y, length, np.arange(len(x)))
    assert 10 < lean.max() <= 40.001
    np.testing.assert_allclose(turned.encoder, made.encoder, atol=1e-3)
    np.testing.assert_allclose(same, lean, atol=0.1)
    rows = [s.decoder / np.linalg.norm(s.decoder, axis=1, keepdims=True) for s in (lens, made)]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)
    np.testing.assert_array_equal(made.encode(-x), -made.encode(x))
    fresh = np.asarray(sparse(3000, 9)[0] + 0.1 * rng.standard_normal((3000, 40)), np.float32)
    kept = [s.encode(fresh) for s in (lens, made)]
    told = [np.corrcoef(z @ np.linalg.lstsq(z, fresh @ ways, rcond=None)[0], fresh @ ways)[0, 1] for z in kept]
    assert told[1] > told[0] + 0.02, told


def test_more_features_than_dimensions() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 5)).astype(np.float32)
    y = (x[:, 0] + rng.standard_normal(400) > 0) * 1.0
    lens = train(x, Shape(8, 2, (2, 8)), 0)
    made, _, lean = labelled(lens, x, y, np.zeros(400), np.arange(400))
    assert lean.max() <= 30.001 and np.isfinite(made.encoder).all()


def test_the_same_data_and_seed_give_the_same_lens(lens: Sae) -> None:
    again = train(sparse(6000, 0)[0], Shape(16, 3, (4, 16)), 0)
    np.testing.assert_array_equal(again.encoder, lens.encoder)


def test_stability_is_high_for_what_is_there_and_low_for_noise() -> None:
    x = sparse(10_000, 5)[0]
    want = Shape(12, 3, (3, 12))
    lens = train(x, want, 0)
    again = stability(lens, x, np.arange(len(x)), want, 0)
    assert np.median(again) > 0.9
    noise = np.random.default_rng(0).standard_normal((1500, 40)).astype(np.float32)
    assert stability(train(noise, want, 0), noise, np.arange(1500), want, 0).mean() < 0.5


def test_fewer_directions_than_features_and_too_few_pairs() -> None:
    x = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    assert train(x, Shape(9, 2, (2, 9))).features == 9
    with pytest.raises(ValueError, match="too few"):
        train(np.zeros((50, 4), np.float32), Shape(4, 2, (4,)))


def test_shape_goes_by_size_and_can_be_named() -> None:
    assert [shape(n).features for n in (100, 2000, 9999, 10_000)] == [16, 32, 32, 64]
    assert shape(2000, 8, 2) == Shape(8, 2, (2, 8)) and shape(100, 2).active == 2


def test_saved_and_opened(lens: Sae, tmp_path: Path) -> None:
    lens.save(tmp_path / "lens", {"embedder": "minilm"})
    again, about = Sae.open(tmp_path / "lens")
    np.testing.assert_array_equal(again.encoder, lens.encoder)
    np.testing.assert_array_equal(again.decoder, lens.decoder)
    assert again.active == 3 and about == {"embedder": "minilm"}
    (tmp_path / "lens" / "cfg.json").write_text("{}")
    with pytest.raises(AuditError, match="no lens"):
        Sae.open(tmp_path / "lens")


@pytest.mark.heavy
def test_sae_lens_opens_it(lens: Sae, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    sae_lens = pytest.importorskip("sae_lens")
    lens.save(tmp_path / "lens", {})
    opened = sae_lens.SAE.load_from_disk(str(tmp_path / "lens"))
    x = sparse(300, 3)[0]
    got = opened.encode(torch.from_numpy(x)).detach().numpy()
    want = lens.encode(x)
    assert ((got != 0) == (want != 0)).mean() > 0.999
    np.testing.assert_allclose(got, want, atol=1e-4)
    np.testing.assert_allclose(opened.decode(torch.from_numpy(want)).detach().numpy(), lens.decode(want), atol=1e-4)

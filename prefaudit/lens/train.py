"""Fitting a lens: a signed Matryoshka top-k autoencoder, in the directions in which the pairs differ most.

Bussmann et al. 2025 (arXiv 2503.17547) for the nested prefixes, Gao et al. 2024 (arXiv 2406.04093) for top-k, Kaiser
1958 for the start. Trained within the leading principal directions. Halves of a dataset share these, but no rotation of
them that each half finds alone: so they are turned towards directions that do not depend on the data, those of the
anchor, where there is one, and else to their varimax rotation (docs/benchmarks-lens.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats, Sae, keep

Doubles = NDArray[np.float64]
BATCH, RATE = 256, 1e-3
STEPS, MOST_STEPS, PER_STEP = 300, 1000, 6  # few pairs are soon learned by heart: a step for every so many pairs
NEAR_STEPS, PER_NEAR_STEP = 100, 20  # of a start by the anchor, which more steps would lose again
PRIOR = 2000.0  # pairs that the anchor counts for among the data
WARM, COOL = 100, 0.2  # steps in which the rate rises; the last share of the steps in which it falls to 0
TURNS = 1000  # of the rotation at most


@dataclass(frozen=True)
class Shape:
    """M features, K of them active in a pair, prefixes that each have to explain the pairs by themselves."""

    features: int
    active: int
    prefixes: tuple[int, ...]


def shape(pairs: int, features: int | None = None, active: int | None = None) -> Shape:
    """The shape for so many pairs, or the one that is asked for.

    32 features with 4 active, as in Movva et al. 2025; half as many where pairs are so few that each feature would be
    active in fewer than 50, twice as many from 10,000 on: attributes that share a feature of 32 then have their own.
    """
    wanted = features or (16 if pairs < 400 else 32 if pairs < 10_000 else 64)
    active = active or (4 if wanted <= 32 else 8)
    return Shape(wanted, min(active, wanted), tuple(p for p in (max(wanted // 4, 1), wanted)))


def train(x: Floats, want: Shape, seed: int = 0, anchor: Floats | None = None) -> Sae:
    """A lens of these differences.

    Adam on the mean over prefixes of the squared error, decoder rows of unit length. x and -x give the same lens up to
    rounding: nothing in it depends on which answer was chosen.

    Args:
        x: (n, d) chosen minus rejected.
        want: see Shape.
        seed: of batches, and of features beyond the principal directions.
        anchor: (k, d) differences of pairs that are the same for every dataset, see `anchor.anchored`.

    Raises:
        ValueError: fewer than two different differences.
    """
    if len(x) < 2 or not x.any():
        raise ValueError("too few pairs differ for a lens")
    turn, squares = principal(x, 64 if len(x) >= 3000 else max(want.features, 16), anchor)
    inside = np.asarray(x @ turn.T, np.float32)
    scale = np.float32(np.sqrt((inside**2).sum(1).mean()))
    if anchor is None:
        decoder, steps = _start(turn, squares, want.features, seed), max(STEPS, len(x) // PER_STEP)
    else:
        decoder, steps = _near(turn, anchor, want.features, seed), max(NEAR_STEPS, len(x) // PER_NEAR_STEP)
    encoder, decoder = _adam(inside / scale, decoder, want, min(steps, MOST_STEPS), seed)
    whole = decoder @ turn
    sign = np.sign(whole[np.arange(len(whole)), np.abs(whole).argmax(1)])[:, None]  # a sign is arbitrary
    return Sae(np.asarray(turn.T @ encoder * sign.T, np.float32), np.asarray(whole * sign, np.float32), want.active)


def principal(x: Floats, most: int, anchor: Floats | None = None) -> tuple[Floats, Doubles]:
    """The leading principal directions (r, d) of x and -x, r <= most, and the mean square along each.

    Args:
        x: (n, d).
        most: directions.
        anchor: (k, d) differences whose second moments, brought to the size of those of x, count for `PRIOR` pairs.
    """
    wide = x.astype(np.float64)
    moments = wide.T @ wide
    if anchor is not None:
        fixed = anchor.astype(np.float64)
        prior = fixed.T @ fixed
        moments += PRIOR / len(x) * np.trace(moments) / max(np.trace(prior), 1e-12) * prior
    squares, vectors = np.linalg.eigh(moments)
    order = np.argsort(-squares)[:most]
    order = order[squares[order] > squares.max() * 1e-9]
    return vectors[:, order].T.astype(np.float32), squares[order] / len(x)


def explained(x: Floats, rebuilt: Floats) -> float:
    """Share of the squared length of x that the reconstruction explains."""
    return float(1 - ((x - rebuilt) ** 2).sum() / max(float((x**2).sum()), 1e-12))


def _start(turn: Floats, squares: Doubles, features: int, seed: int) -> Floats:
    """Unit rows (features, r) in principal coordinates: the varimax rotation, the strongest first."""
    many = min(features, len(turn))
    return _filled(_varimax(turn[:many], squares[:many]), features, len(turn), seed)


def _near(turn: Floats, anchor: Floats, features: int, seed: int) -> Floats:
    """Unit rows (features, r) in principal coordinates: the leading directions, turned as near as can be to the
    varimax rotation of the anchor's own (the orthogonal Procrustes problem, Schoenemann 1966), in that one's order."""
    own, squares = principal(anchor, features)
    many = min(len(own), len(turn))
    fixed = _varimax(own[:many], squares[:many]) @ own[:many]
    left, _, right = np.linalg.svd(fixed @ turn[:many].T)
    return _filled(left @ right, features, len(turn), seed)


def _varimax(turn: Floats, squares: Doubles) -> Doubles:
    """The rotation (r, r), rows in principal coordinates, the strongest first.

    Rotated so that the loadings of the embedder's dimensions on the directions, which have the length of the root mean
    square along them, are few and large (Kaiser 1958, by singular vectors).
    """
    loads = turn.T.astype(np.float64) * np.sqrt(squares)
    rotation = np.eye(len(turn))
    for _ in range(TURNS):
        now = loads @ rotation
        left, _, right = np.linalg.svd(loads.T @ (now**3 - now * (now**2).mean(0)))
        new = left @ right
        done = np.abs(np.abs((rotation * new).sum(0)) - 1).max() < 1e-7
        rotation = new
        if done:
            break
    return np.asarray(rotation.T[np.argsort(-(squares[:, None] * rotation**2).sum(0), kind="stable")])


def _filled(rows: Doubles, features: int, width: int, seed: int) -> Floats:
    """These rows in `width` coordinates; of more features than rows the others are drawn."""
    out = np.random.default_rng(seed).standard_normal((features, width))
    out[: len(rows)] = 0
    out[: len(rows), : rows.shape[1]] = rows
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float32)


def _adam(x: Floats, decoder: Floats, want: Shape, steps: int, seed: int) -> tuple[Floats, Floats]:
    """Encoder (r, M) and decoder (M, r)."""
    rng = np.random.default_rng(seed)
    weights = [decoder.copy(), decoder.T.copy()]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    order, at = rng.permutation(len(x)), 0
    batch = min(BATCH, len(x))
    for step in range(1, steps + 1):
        if at + batch > len(x):
            order, at = rng.permutation(len(x)), 0
        slopes = _slopes(x[order[at : at + batch]], weights, want)
        at += batch
        rate = RATE * min(1, step / WARM) * min(1, (steps - step) / (steps * COOL))
        for k, slope in enumerate(slopes):
            first[k] = 0.9 * first[k] + 0.1 * slope
            second[k] = 0.999 * second[k] + 0.001 * slope**2
            weights[k] -= (
                np.float32(rate / (1 - 0.9**step)) * first[k] / (np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8)
            )
        weights[0] /= np.linalg.norm(weights[0], axis=1, keepdims=True)
    return weights[1], weights[0]


def _slopes(x: Floats, weights: list[Floats], want: Shape) -> tuple[Floats, Floats]:
    """Derivatives of the loss by decoder and encoder."""
    decoder, encoder = weights
    z = keep(x @ encoder, want.active)
    edges = (0, *want.prefixes)
    rebuilt, errors = np.zeros_like(x), []
    for low, high in pairwise(edges):
        rebuilt = rebuilt + z[:, low:high] @ decoder[low:high]
        errors.append(rebuilt - x)
    by_decoder, by_z = np.zeros_like(decoder), np.zeros_like(z)
    error = np.zeros_like(x)
    for k in range(len(want.prefixes) - 1, -1, -1):  # a feature serves its own prefix and all longer ones
        error = error + errors[k] * np.float32(2 / len(x) / len(want.prefixes))
        part = slice(edges[k], edges[k + 1])
        by_decoder[part] = z[:, part].T @ error
        by_z[:, part] = error @ decoder[part].T
    by_decoder -= (by_decoder * decoder).sum(1, keepdims=True) * decoder  # lengths stay 1
    return by_decoder, np.asarray(x.T @ (by_z * (z != 0)), np.float32)

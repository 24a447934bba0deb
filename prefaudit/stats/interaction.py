"""Whether the label depends on the prompt: what an interaction with it adds to the difference of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.baselines import newton
from prefaudit.stats.groups import Ints, distinct
from prefaudit.stats.heads import Heads
from prefaudit.stats.intervals import Floats, quantile

PENALTIES = (10.0, 100.0, 1000.0, 10_000.0)  # on columns of root mean square 1
ENOUGH = 200  # pairs below which nothing is told


def prompt_gain(heads: Sequence[Heads], told: Floats, differences: Floats, prompt: Floats, y: Floats,
                fold: NDArray[np.integer], group: Ints) -> dict[str, Any]:  # fmt: skip
    """Log-loss out of fold of a model of the response difference, less that of one that adds prompt x difference.

    For each fold two logits without intercept are fitted on all others: one of the views' scores and of the
    differences; one of these and of their products with every property of the prompt. The penalty of each is chosen on
    halves of the training groups. Scores of training rows are of heads that saw neither the row's fold nor the one
    that is told. Exchanging the answers of a pair negates all columns, so neither knows which answer stood first.

    Args:
        heads: of `cross_fit`, one a fold, with `held`.
        told: (n, views) scores of each row by the head of its own fold.
        differences: (n, d) of the answers.
        prompt: (n, q) properties of the prompt, at mean 0 and root mean square 1.
        y: n values as for `cross_fit`.
        fold: n folds.
        group: n ids.

    Returns:
        n, groups, loss (nats a pair, without the prompt), gain and its interval (95 %, by group); gain is null under
        200 pairs.
    """
    groups = len(distinct(group))
    out: dict[str, Any] = {"n": len(y), "groups": groups, "loss": None, "gain": None, "interval": None}
    if len(y) < ENOUGH or not heads or not prompt.shape[1]:
        return out
    losses = np.zeros((2, len(y)))
    for k, head in enumerate(heads):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        score = np.where((fold == k)[:, None], told, 0.0 if head.held is None else head.held)
        score = score / np.maximum(np.sqrt((score[train] ** 2).mean(0)), 1e-12)
        plain = np.column_stack([score, differences])
        crossed = (prompt[:, :, None] * plain[:, None, :]).reshape(len(y), -1)
        half = group[train] % 2 == 0
        for which, x in enumerate((plain, np.column_stack([plain, crossed]))):
            x = x.astype(np.float32)
            x /= np.maximum(np.sqrt((x[train].astype(np.float64) ** 2).mean(0)), 1e-6).astype(np.float32)
            inner = [_loss(x[train[~half]], y[train[~half]], newton(x[train[half]], y[train[half]], p)).mean()
                     for p in PENALTIES]  # fmt: skip
            beta = newton(x[train], y[train], PENALTIES[int(np.argmin(inner))])
            losses[which, test] = _loss(x[test], y[test], beta)
    gains = losses[0] - losses[1]
    gain = float(gains.mean())
    sums = np.bincount(np.unique(group, return_inverse=True)[1], gains - gain) / len(y)
    half_width = quantile(0.95, float(max(groups - 1, 1))) * float(np.sqrt((sums**2).sum()))
    return out | {"loss": float(losses[0].mean()), "gain": gain, "interval": [gain - half_width, gain + half_width]}


def _loss(x: NDArray[np.float32], y: Floats, beta: Floats) -> Floats:
    score = x @ beta
    return np.asarray(np.logaddexp(0, score) - y * score)

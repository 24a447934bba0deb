"""Where a feature is present: a linear reading of each, learned from the pairs in which it plainly is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from prefaudit.lens.sae import Floats

FAR = 8.0  # spreads of a feature where it is not there: one that reaches them stands out
NOISE = 5.0  # of these, from which on a feature that stands out may be there
LEVEL = 0.5  # of what is usual where it is there: half way between there and not
SETTLED = 5  # rounds in which threshold and level are found, each by the other
ROUNDS = 2  # of reading; a third changes next to nothing
PRIOR = 500.0  # pairs that a feature's own direction counts for in its reading


def toward(x: Floats, rows: Floats) -> Floats:
    """(n, M) cosines of differences (n, d) with rows (M, d); 0 where x is 0."""
    long = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray((x @ _unit(rows).T) / np.where(long > 0, long, 1), np.float32)


def readings(x: Floats, rows: Floats, active: int) -> Floats:
    """(M, d) directions along which it is read where each feature is present, of unit length.

    A feature's own direction is one in which pairs differ much. What tells best whether it is there also leaves out
    what else differs along that direction: least squares of its sign where it plainly is, and of 0 elsewhere, on the
    differences, brought to unit length. Where some pairs that have it are missed, and these are like the others, that
    direction is the same (Elkan and Noto 2008, for any classifier). The penalty draws it to the feature's own. One that
    does not stand out is read along its own: no pairs plainly have it. No label is looked at, and x and -x give the
    same readings.

    Args:
        x: (n, d) differences the lens was fitted on.
        rows: (M, d) the features' own directions.
        active: K.
    """
    unit = _unit(x)
    inner = (unit.T @ unit).astype(np.float64)
    penalty = max(PRIOR * float(np.trace(inner)) / max(len(x), 1) / len(inner), 1e-12)
    read, own, values = _unit(rows), _unit(rows), toward(x, rows)
    said = values
    far = _far(values, active)
    floor = np.where(far, NOISE * _noise(values), np.inf).astype(np.float32)
    for _ in range(ROUNDS if far.any() else 0):
        signs = np.sign(present(values, floor))
        size = (said * signs).sum(0) / np.maximum((said**2).sum(0), 1e-12)
        found = np.linalg.solve(inner + penalty * np.eye(len(inner)), unit.T @ signs + penalty * own.T * size).T
        read = np.where(far[:, None], _unit(found.astype(np.float32)), own)
        values = toward(x, read)
        floor = np.where(far, least(values, active), np.inf).astype(np.float32)
    return read


def least(values: Floats, active: int) -> Floats:
    """(M,) the size of the cosine from which a feature counts as present in a pair.

    Where a feature stands out, half of what is usual where it is (the median of what is beyond), and at least `NOISE`
    spreads of its noise. Where it does not, half the .9 quantile of what would be active if all features were so
    equally often: small values say little of a feature's meaning and draw its effect to 0. Neither a label nor a gain
    is looked at.

    Args:
        values: (n, M) cosines, see `toward`.
        active: K.
    """
    noise, far = NOISE * _noise(values), _far(values, active)
    told = _largest(values, active) / 2
    for k in np.flatnonzero(far).tolist():
        sizes = np.abs(values[:, k])
        told[k] = noise[k]
        for _ in range(SETTLED):
            told[k] = max(noise[k], LEVEL * np.median(sizes[sizes >= told[k]]))
    return np.asarray(told, np.float32)


def present(values: Floats, floor: Floats) -> Floats:
    """The cosines (n, M) of the features that are there, 0 elsewhere; of any number of features, unlike `encode`."""
    return np.where((np.abs(values) >= floor) & (values != 0), values, np.float32(0))


def _unit(rows: Floats) -> Floats:
    """The same of unit length; 0 where a row is."""
    long = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(long > 0, long, 1), np.float32)


def _noise(values: Floats) -> Floats:
    """(M,) spread of each where it is not there: median size over that of a standard normal variable."""
    return _of_each(values, lambda some: float(np.median(some)) / 0.6745)


def _largest(values: Floats, active: int) -> Floats:
    """(M,) the .9 quantile of what would be active if all features were so equally often."""
    share = min(active / max(values.shape[1], 1), 1.0)
    return _of_each(values, lambda some: float(np.quantile(some, 1 - 0.1 * share)))


def _far(values: Floats, active: int) -> NDArray[np.bool_]:
    """(M,) which stand out: the largest are too large for a feature that is everywhere a little."""
    noise = _noise(values)
    return np.asarray((noise > 0) & (_largest(values, active) >= FAR * noise))


def _of_each(values: Floats, what: Callable[[Floats], float]) -> Floats:
    """(M,) of the sizes of each column that are not 0; 0 where all are."""
    columns = (np.abs(column) for column in values.T)
    some = (column[column > 0] for column in columns)
    return np.array([what(column) if len(column) else 0.0 for column in some], np.float32)

"""On which features annotators or sources disagree: a slope each, shrunken to the common one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefaudit.stats.baselines import newton, spline

LEAST, UNITS = 5, 5  # pairs in which a unit has the feature, and units, below which nothing is told
SHOWN = 3  # units at either end
PRIOR = 1.0  # of the common model
STEPS = 60


def slopes(y: NDArray[np.float64], length: NDArray[np.float64], sign: NDArray[np.float32], unit: NDArray[np.int64],
           names: Sequence[str]) -> dict[str, Any]:  # fmt: skip
    """Random slopes of one feature: logit P = f(length) + (b + d_u) s, d_u normal with deviation tau.

    Two stages, as in random-effects meta-analysis: for each unit one Newton step from the common fit, with its error;
    tau by Paule and Mandel 1982; each slope then shrunken by tau^2 / (tau^2 + error^2). Movva et al. 2025, section 5.2,
    have the same model.

    Args:
        y: (n,) 1 where chosen is preferred, 1/2 in a tie.
        length: (n,) log-ratios.
        sign: (n,) of the feature, 0 where it is not present.
        unit: (n,) codes of the annotator or the source, -1 where not known.
        names: of the units.

    Returns:
        `units`, `common` and `tau` (log-odds), `statistic` (Cochran's Q), `p` (of one slope for all), and `most`:
        the lowest and highest units with `name`, `n`, `slope`; only `units` where there are fewer than UNITS.
    """
    from scipy.stats import chi2

    known = (unit >= 0) & (sign != 0)
    count = np.bincount(unit[known], minlength=len(names))
    able = np.flatnonzero(count >= LEAST)
    if len(able) < UNITS:
        return {"units": len(able)}
    x = np.column_stack([spline(np.nan_to_num(length)), np.nan_to_num(sign)]).astype(np.float32)
    beta = newton(x, y, PRIOR)
    mean = 1 / (1 + np.exp(-(x[known] @ beta)))
    weight = np.bincount(unit[known], mean * (1 - mean), len(names))[able]
    score = np.bincount(unit[known], (y[known] - mean) * sign[known], len(names))[able]
    off, error = score / weight, 1 / weight  # distance from the common slope and its squared error
    between = _between(off, error)
    centre = float((off / (between + error)).sum() / (1 / (between + error)).sum())
    shrunken = beta[-1] + centre + between / (between + error) * (off - centre)
    fixed = float((off * weight).sum() / weight.sum())
    statistic = float((weight * (off - fixed) ** 2).sum())
    order = np.argsort(shrunken, kind="stable")
    ends = order if len(order) <= 2 * SHOWN else np.concatenate([order[:SHOWN], order[-SHOWN:]])
    return {
        "units": len(able), "common": float(beta[-1] + centre), "tau": float(np.sqrt(between)), "statistic": statistic,
        "p": float(chi2.sf(statistic, len(able) - 1)),
        "most": [{"name": names[able[k]], "n": int(count[able[k]]), "slope": float(shrunken[k])} for k in ends],
    }  # fmt: skip


def _between(off: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    """The variance between units at which the weighted squares sum to their degrees of freedom; 0 where none is."""

    def excess(variance: float) -> float:
        w = 1 / (variance + error)
        return float((w * (off - (w * off).sum() / w.sum()) ** 2).sum()) - (len(off) - 1)

    low, high = 0.0, float(((off - off.mean()) ** 2).sum()) + 1e-12
    if excess(low) <= 0:
        return 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2

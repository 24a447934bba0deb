"""`strength`: how far outside evidence supports each label. See docs/strength.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit.core import Apply, Parts, UsageError
from prefaudit.extractors._scorers import SOURCE, Floats, Said, known_columns, scorers, split
from prefaudit.stats import sample_groups
from prefaudit.stats.noise import log_odds, noise

F = pl.Float64()
STRENGTH = pl.Struct({"mean": F, "std": F, "agree": F, "p_correct": F, "worst": F, "cautious": F, "quality": F,
                      "verdict": F, "scorers": pl.Int16(), "margins": pl.List(F)})  # fmt: skip
READS = ["label", "score_chosen", "score_rejected", "margin", "votes", "extra"]
ALIKE = 12  # the power of a correlation that counts as speaking twice: 1 at 1, .28 at .9, .002 at .6
UWO = 0.5  # weight of the variance in `cautious`: Coste et al., arXiv 2310.02743, their best-of-n setting
NOISE = 50_000  # pairs on which the share of wrong labels is worked out
TOP = 1.036  # standard deviations above the mean that the reference of `quality` stands: the 85th percentile


@dataclass(frozen=True)
class Strength:
    """`strength`: what outside scorers say for the label, in standardised margins.

    Each scorer's margin d = r(chosen) - r(rejected) is divided by its own root mean square, so that 0 stays no evidence
    either way and no scorer is louder than another (raw means across families find fewer wrong labels). The mean is
    weighted: scorers that say the same (correlation rho of their margins) share one voice, w_i = 1 / sum_j |rho_ij|^12.
    Mean and spread follow Wang et al., "Secrets of RLHF in Large Language Models Part II", arXiv 2401.06080, Eq. 4.

    `agree` is the share of scorers for the label (one at 0 counts half), `worst` the least margin, `cautious` the mean
    less half the variance (Coste et al., arXiv 2310.02743), `quality` the mean over scorers of log sigma((r(chosen) -
    ref) / spread), ref the 85th percentile of a scorer's scores (Wang et al., arXiv 2402.00742): low says that even the
    chosen answer is bad. `p_correct` is the probability that the label is right, given the votes: only where three or
    more scorers were shown to err independently (`stats.noise`), else null. `verdict` is the mean of chosen less
    rejected over scorers that only ever say 0 or 1 (a verifier, a unit test): below 0 the label contradicts them. All
    are null without an outside scorer.

    Attributes:
        reward_model: see `rewards`.
        score_columns: CHOSEN:REJECTED, columns of the source with numbers or lists of numbers.
    """

    reward_model: tuple[str, ...] = ()
    score_columns: tuple[str, ...] = ()

    name: ClassVar[str] = "strength"
    version: ClassVar[int] = 5
    learns: ClassVar[bool] = True
    reads: ClassVar[tuple[str, ...]] = tuple(READS)
    needs: ClassVar[tuple[str, ...]] = ("rewards", "groups")

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """One struct."""
        return {"strength": STRENGTH}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame:
        """One row a scorer: name, n, scale, weight, ref, spread of its scores, rho; and `noise`, the same in all.

        Raises:
            UsageError: a named column is in no row.
        """
        wanted = split(self.score_columns)
        sums, outside, seen = _Sums(), _Outside(), pl.Series("extra", [], dtype=pl.String)
        for part in parts(["row", *READS, "rewards", "group"]):
            if wanted:
                seen = _sampled(seen, part["extra"])
            said = scorers(part, self.reward_model, wanted)
            sums.add(said)
            outside.add(said, part)
        _answered(wanted, sums.names, seen)
        sums.name(self.reward_model)
        state = sums.state()
        told = json.dumps(outside.noise(dict(zip(state["scorer"], state["scale"], strict=True)), seed))
        return state.with_columns(noise=pl.lit(told))

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""
        if state is None:
            raise ValueError("strength is fitted first")
        place = {name: k for k, name in enumerate(state["scorer"])}
        scale, weight, ref, spread = (state[c].to_numpy() for c in ("scale", "weight", "ref", "spread"))
        binary = state["verdict"].to_list()
        wanted = split(self.score_columns)
        calibrated = json.loads(state["noise"][0]) if len(place) else {}
        judges = [place[name] for name in calibrated.get("scorers", ())]

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            n = frame.height
            z, quality = np.full((len(place), n), np.nan), np.full((len(place), n), np.nan)
            said = scorers(frame, self.reward_model, wanted)
            verdicts = [one.margin for one in said if one.name in place and binary[place[one.name]]]
            for one in said:
                k = place.get(one.name)
                if k is None or not scale[k] > 0:
                    continue
                z[k] = one.margin / scale[k]
                if one.chosen is not None and spread[k] > 0:
                    known = ~np.isnan(one.chosen)
                    quality[k, known] = -np.logaddexp(0, -(one.chosen[known] - ref[k]) / spread[k])
            correct = np.full(n, np.nan)
            if calibrated.get("rate") is not None:
                votes = np.where((frame["label"] == "chosen").to_numpy(), np.sign(z[judges]), np.nan)
                correct = np.where(np.isnan(votes).all(0), np.nan, 1 / (1 + np.exp(-log_odds(calibrated, votes))))
            verdict = _mean(verdicts, n)
            return frame.select("row").with_columns(_combined(z, weight, quality, correct, verdict))

        return apply


def _mean(rows: list[Floats], n: int) -> Floats:
    """(n,) the mean of those that are known."""
    told = np.array(rows).reshape(len(rows), n)
    known = (~np.isnan(told)).sum(0)
    return np.where(known > 0, np.nansum(told, 0) / np.maximum(known, 1), np.nan)


def _sampled(seen: pl.Series, extra: pl.Series) -> pl.Series:
    """Some of the texts, enough to name the columns there are."""
    return pl.concat([seen, extra.drop_nulls().head(200)]) if len(seen) < 2000 else seen


def _answered(wanted: list[tuple[str, str]], names: list[str], seen: pl.Series) -> None:
    for chosen, rejected in wanted:
        if not any(name == f"{chosen}:{rejected}" or name.startswith(f"{chosen}:{rejected}[") for name in names):
            known_columns(seen, (chosen, rejected))
            raise UsageError(f"--score-columns {chosen}:{rejected}: no row has a number in both",
                             "name two columns of numbers, booleans or lists of numbers")  # fmt: skip


class _Outside:
    """Margins of the scorers that the source did not make, for what they tell of wrong labels."""

    def __init__(self) -> None:
        self.margins: list[dict[str, NDArray[np.float32]]] = []
        self.group: list[NDArray[np.int64]] = []

    def add(self, said: list[Said], part: pl.DataFrame) -> None:
        hard = (part["label"] == "chosen").to_numpy()
        self.margins.append({s.name: s.margin[hard].astype(np.float32) for s in said if s.name not in SOURCE})
        self.group.append(part["group"].to_numpy()[hard])

    def noise(self, scale: dict[str, float], seed: int) -> dict[str, Any]:
        """`stats.noise` of those that ever speak against a label, and their names; none where there is no such."""
        names = [name for name in scale if any((m[name] < 0).any() for m in self.margins if name in m)]
        if not names:
            return {}
        group = np.concatenate(self.group)
        keep = sample_groups(group, NOISE, seed)
        rows = [np.concatenate([m.get(name, np.full(len(g), np.nan)) for m, g in
                                zip(self.margins, self.group, strict=True)]) for name in names]  # fmt: skip
        margins = np.array([row[keep] / scale[name] for name, row in zip(names, rows, strict=True)], np.float64)
        return {"scorers": names, **noise(margins, np.unique(group[keep], return_inverse=True)[1])}


class _Sums:
    """What the scales, the weights and the references need, summed part by part."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.cross: dict[tuple[str, str], NDArray[np.float64]] = {}
        self.side: dict[str, NDArray[np.float64]] = {}
        self.other: set[str] = set()  # those that say something else than 0 and 1

    def add(self, said: list[Said]) -> None:
        for k, a in enumerate(said):
            if a.name not in self.names:
                self.names.append(a.name)
            for b in said[k:]:
                both = ~np.isnan(a.margin) & ~np.isnan(b.margin)
                x, y = a.margin[both], b.margin[both]
                new = np.array([both.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()])
                self.cross[a.name, b.name] = self.cross.get((a.name, b.name), np.zeros(4)) + new
            if a.chosen is not None and a.rejected is not None:
                r = np.concatenate([a.chosen, a.rejected])
                r = r[~np.isnan(r)]
                if not ((r == 0) | (r == 1)).all():
                    self.other.add(a.name)
                new = np.array([len(r), r.sum(), (r * r).sum()])
                self.side[a.name] = self.side.get(a.name, np.zeros(3)) + new

    def name(self, models: tuple[str, ...]) -> None:
        """Make known the models that gave no pair a margin."""
        for model in models:
            if model not in self.names:
                self.names.append(model)
                self.cross[model, model] = np.zeros(4)

    def rho(self, a: str, b: str) -> float:
        """The correlation about 0 of two scorers' margins: turning every pair round does not change it."""
        n, xx, yy, xy = self.cross.get((a, b), self.cross.get((b, a), np.zeros(4)))
        return float(xy / np.sqrt(xx * yy)) if n and xx > 0 and yy > 0 else 0.0

    def state(self) -> pl.DataFrame:
        rows: list[dict[str, Any]] = []
        for a in self.names:
            n, xx, *_ = self.cross[a, a]
            scale = float(np.sqrt(xx / n)) if n else 0.0
            rho = {b: self.rho(a, b) for b in self.names if b != a}
            m, s, ss = self.side.get(a, np.zeros(3))
            verdict = bool(m) and a not in self.other and a not in SOURCE
            spread = float(np.sqrt(max(ss / m - (s / m) ** 2, 0.0))) if m else 0.0
            rows.append({"scorer": a, "n": int(n), "scale": scale, "spread": spread,
                         "weight": 1 / (1 + sum(abs(r) ** ALIKE for r in rho.values())),
                         "ref": float(s / m + TOP * spread) if m else 0.0, "verdict": verdict,
                         "rho": json.dumps(rho)})  # fmt: skip
        schema: dict[str, Any] = {
            "scorer": pl.String,
            "n": pl.Int64,
            "scale": F,
            "spread": F,
            "weight": F,
            "ref": F,
            "verdict": pl.Boolean,
            "rho": pl.String,
        }
        return pl.DataFrame(rows, schema=schema)


def _combined(z: Floats, weight: Floats, quality: Floats, correct: Floats, verdict: Floats) -> pl.Series:
    """The struct, from standardised margins (scorers, n), those of the chosen answers, p_correct, verdict."""
    k, n = z.shape
    told = ~np.isnan(z)
    count = told.sum(0)
    w = np.where(told, weight[:, None], 0.0) if k else np.zeros((0, n))
    total = w.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, np.where(told, w * z, 0).sum(0) / total, np.nan)
        variance = np.where(count > 1, np.where(told, w * (z - mean) ** 2, 0).sum(0) / total, np.nan)
        votes = np.where(told, (z > 0) + 0.5 * (z == 0), 0).sum(0) / count
        worst = np.where(told, z, np.inf).min(0, initial=np.inf)
        known = ~np.isnan(quality)
        good = np.where(known, quality, 0).sum(0) / known.sum(0)
    frame = pl.DataFrame({"mean": mean, "std": np.sqrt(variance), "agree": votes, "p_correct": correct,
                          "worst": np.where(np.isinf(worst), np.nan, worst), "cautious": mean - UWO * variance,
                          "quality": good, "verdict": verdict}).fill_nan(None)  # fmt: skip
    lists = pl.DataFrame({str(i): row for i, row in enumerate(z)}).fill_nan(None) if k else None
    margins = lists.select(pl.concat_list(pl.all()).alias("margins"))["margins"] if lists is not None else \
        pl.Series("margins", [[]], dtype=pl.List(F)).new_from_index(0, n)  # fmt: skip
    return frame.with_columns(pl.Series("scorers", count, pl.Int16), margins).to_struct("strength")

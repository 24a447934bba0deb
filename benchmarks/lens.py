"""The lens beside WIMHF's algorithm, prefscope and principal components, on the same vectors and the same splits.

    python benchmarks/lens.py DATA --embedder minilm|lexical [--permutations 200] [--seeds 5]

WIMHF is written here from the description in Movva et al. 2025 (arXiv 2510.26202), at its defaults: signed Matryoshka
batch top-k with biases, prefixes 8 and 32, Adam 5e-4, batch 256, at most 50 epochs, early stopping on the validation
split (which is the split that is reported, as in the original), a threshold that follows the smallest activation with a
momentum of .99, and an auxiliary loss for features that do not fire. prefscope is its published trainer at M = 32,
K = 4 and prefixes 8 and 32, everything else at its defaults; it is left out where it is not installed.

Splits are by group: 60 % of the pairs are fitted on, 40 % are reported. Heads are tuned inside the fitted part, the
same way for every method: length unpenalised, everything else in units of its common root mean square.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

import prefaudit
from prefaudit import lens as lenses
from prefaudit import stats
from prefaudit.extractors.lens import difference
from prefaudit.lens import probe
from prefaudit.lens.sae import keep
from prefaudit.stats.baselines import places, spline

M, K, PREFIXES = 32, 4, (8, 32)
SHAPE = [M, K]
Encode = Callable[[np.ndarray], np.ndarray]


class Fitted(NamedTuple):
    encode: Encode
    rebuild: Encode  # from activations
    decoder: np.ndarray | None
    toward: Encode | None = None  # cosines with all features
    lean: float = 0.0  # degrees, root mean square over features


class Data(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    group: np.ndarray
    length: np.ndarray
    anchor: np.ndarray | None = None  # differences that do not depend on the data, where the embedder has them


def data(path: str, embedder: str) -> Data:
    with tempfile.TemporaryDirectory() as folder:
        audit = prefaudit.scan(path, folder + "/audit", embedder=embedder, with_=("lens",), fail_on="never")
        measures = audit.measures()
        embed = next(e for e in measures.extractors if e.name == "embed")
        pairs = audit.pairs().select("label", "chosen", "rejected").collect()
        group = audit.features().select("group").collect()["group"].to_numpy()
        parts = [measures.store.read(measures.kind(embed), k)["embedding"] for k in range(measures.store.parts())]
        x, known = difference(pl.concat(parts))
        state = measures.state(embed)
        anchor = np.frombuffer(state["anchor"][0], np.float32).reshape(-1, x.shape[1]) if "anchor" in state else None
    differ = (pairs["chosen"] != pairs["rejected"]).fill_null(False).to_numpy()
    good = known & (pairs["label"] == "chosen").to_numpy() & differ
    sizes = [pairs[side].str.len_chars().fill_null(0).to_numpy() for side in ("chosen", "rejected")]
    length = stats.length_ratio(*sizes)
    # Which answer comes first is drawn, as WIMHF does: a method with biases would else be told the label.
    turn = np.random.default_rng(42).choice([-1, 1], int(good.sum())).astype(np.float32)
    return Data(x[good] * turn[:, None], (turn > 0) * 1.0, stats.groups.dense(group[good]), length[good] * turn, anchor)


# -- methods: (data, rows to fit on, seed) -> Fitted; WIMHF and prefscope stop on the other rows ---------------------


def ours(leaning: bool) -> Callable[..., Fitted]:
    """The lens as a scan fits it, or without what its encoder leans by."""

    def fit(d: Data, rows: np.ndarray, seed: int) -> Fitted:
        bare = lenses.train(d.x[rows], lenses.shape(int(rows.sum()), *SHAPE), seed, d.anchor)
        lens, gain, degrees = lenses.labelled(bare, d.x[rows], d.y[rows], d.length[rows], d.group[rows])
        lens, lean = (lens, float(np.sqrt((degrees**2).mean()))) if leaning else (bare.weighted(gain), 0.0)
        reading = lenses.readings(d.x[rows], lens.decoder, SHAPE[1])
        return Fitted(lens.encode, lens.decode, lens.decoder, lambda x: lenses.toward(x, reading), lean)

    return fit


def on_vectors(fit: Callable[..., Fitted]) -> Callable[..., Fitted]:
    return lambda d, rows, seed: fit(d.x[rows], d.x[~rows], seed)


def pca(sparse: bool) -> Callable[..., Fitted]:
    def fit(x: np.ndarray, stop: np.ndarray, seed: int) -> Fitted:
        turn, _ = lenses.principal(x, SHAPE[0])
        return Fitted(lambda v: keep(v @ turn.T, SHAPE[1]) if sparse else v @ turn.T, lambda z: z @ turn, turn)

    return fit


def nothing(x: np.ndarray, stop: np.ndarray, seed: int) -> Fitted:
    return Fitted(lambda v: np.zeros((len(v), 0), np.float32), lambda z: np.zeros((len(z), x.shape[1])), None)


def full(x: np.ndarray, stop: np.ndarray, seed: int) -> Fitted:
    return Fitted(lambda v: v, lambda z: z, None)


def wimhf(x: np.ndarray, stop: np.ndarray, seed: int) -> Fitted:
    import torch
    from torch.nn import functional as F

    torch.manual_seed(seed)
    given = torch.from_numpy(np.concatenate([x, -x]))
    val = torch.from_numpy(stop)
    d = x.shape[1]
    dec = torch.nn.init.xavier_uniform_(torch.empty(d, M))
    dec = dec / dec.norm(dim=0)
    p = {"bi": given.median(0).values.clone(), "bn": torch.zeros(M), "enc": dec.T.clone(), "dec": dec.clone()}
    for v in p.values():
        v.requires_grad_(True)
    state = {"theta": 0.0}
    silent = torch.zeros(M)
    adam = torch.optim.Adam(p.values(), lr=5e-4)

    def pre(v: Any) -> Any:
        return (v - p["bi"]) @ p["enc"].T + p["bn"]

    def loss(v: Any, z: Any) -> Any:
        base = F.mse_loss(v.mean(0).expand_as(v), v)
        return sum(F.mse_loss(z[:, :m] @ p["dec"][:, :m].T + p["bi"], v) / base for m in PREFIXES) / len(PREFIXES)

    def auxiliary(v: Any, a: Any, z: Any) -> Any:
        dead = silent > 64
        if not dead.any():
            return 0.0
        rest = (v - (z @ p["dec"].T + p["bi"])).detach()
        top = torch.where(dead, a, -torch.inf).topk(min(2 * K, int(dead.sum())), dim=1)
        sparse = torch.zeros_like(a).scatter(1, top.indices, top.values)
        return F.mse_loss(sparse @ p["dec"].T, rest) / F.mse_loss(rest.mean(0).expand_as(rest), rest)

    def encode(v: Any) -> Any:
        a = pre(v)
        return torch.where(a.abs() > state["theta"], a, 0.0)

    best, best_at, saved = np.inf, 0, None
    for epoch in range(50):
        for rows in torch.randperm(len(given)).split(256):
            v = given[rows]
            a = pre(v)
            least = a.abs().flatten().topk(len(v) * K).values[-1]
            z = torch.where(a.abs() >= least, a, 0.0)
            adam.zero_grad()
            (loss(v, z) + auxiliary(v, a, z) / 32).backward()
            with torch.no_grad():
                unit = p["dec"] / p["dec"].norm(dim=0)
                p["dec"].grad -= (p["dec"].grad * unit).sum(0) * unit
            torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
            adam.step()
            with torch.no_grad():
                p["dec"] /= p["dec"].norm(dim=0)
                fired = z != 0
                silent[:] = torch.where(fired.any(0), 0, silent + 1)
                state["theta"] = 0.99 * state["theta"] + 0.01 * float(z[fired].abs().min())
        with torch.no_grad():
            now = float(loss(val, encode(val)))
        if now < best - 1e-6:
            best, best_at = now, epoch
            saved = ({k: v.detach().clone() for k, v in p.items()}, state["theta"])
        elif epoch >= 10 and epoch - best_at >= 3:
            break
    assert saved is not None
    for k, v in saved[0].items():
        p[k].data = v
    state["theta"] = saved[1]
    bias, turn = saved[0]["bi"].numpy(), saved[0]["dec"].T.numpy()
    return Fitted(lambda v: encode(torch.from_numpy(v)).detach().numpy(), lambda z: z @ turn + bias, turn)


def prefscope(x: np.ndarray, stop: np.ndarray, seed: int) -> Fitted:
    import torch
    from prefscope.sae import encode_in_batches, train_sae

    model, *_ = train_sae(x, stop, m_total=M, k=K, matryoshka_prefix=PREFIXES, seed=seed, device="cpu")
    shapes = {n: tuple(v.shape) for n, v in model.state_dict().items()}
    name = next(n for n, s in shapes.items() if "dec" in n.lower() and len(s) == 2)
    weight = model.state_dict()[name].numpy()
    turn = weight if weight.shape[0] == M else weight.T
    zero = model(torch.zeros(1, x.shape[1]))[0].detach().numpy() * 0
    bias = next((v.numpy() for n, v in model.state_dict().items() if v.shape == (x.shape[1],)), zero)
    return Fitted(lambda v: encode_in_batches(model, v, 4096, torch.device("cpu")), lambda z: z @ turn + bias, turn)


# -- measures ------------------------------------------------------------------------------------------------------


def split(d: Data, seed: int) -> tuple[np.ndarray, np.ndarray]:
    fold = stats.folds(d.group, 5, seed)
    return fold >= 2, fold < 2


def scored(d: Data, made: Fitted, seed: int) -> np.ndarray:
    """Scores of the reported pairs by a tuned head on activations and length, positive where it is right.

    The same for every method: activations in units of their common root mean square, length unpenalised.
    """
    rows, held = split(d, seed)
    base, z = spline(d.length), made.encode(d.x)
    size = np.sqrt((z[rows].astype(float) ** 2).mean()) if z.shape[1] else 1.0
    both = np.column_stack([base, z / size]).astype(np.float32)
    inner = stats.folds(stats.groups.dense(d.group[rows]), 2, seed + 1)
    beta = probe.tuned(both[rows], d.y[rows], inner, base.shape[1])
    return np.asarray(both[held] @ beta) * np.where(d.y[held] > 0.5, 1, -1)


def bootstrap(pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]], draws: int = 1000) -> list[float]:
    """Interval of the mean over splits of AUC one minus AUC other; groups are drawn, the same for both.

    A draw is of the groups of the data, and counts in every split: splits of the same pairs are not independent.
    """
    rng = np.random.default_rng(0)
    found = np.zeros(draws)
    many = max(int(group.max()) for *_, group in pairs) + 1
    for k in range(draws):
        times = np.bincount(rng.integers(0, many, many), minlength=many)
        for one, other, group in pairs:
            rows = np.repeat(np.arange(len(group)), times[group])
            found[k] += (places(one[rows])[0] - places(other[rows])[0]) / len(pairs)
    return [float(q) for q in np.quantile(found, [0.025, 0.5, 0.975])]


def alike(one: Fitted, other: Fitted, d: Data, half: np.ndarray) -> dict[str, float]:
    """Mean |cosine| of matched directions and |correlation| of matched activations of all pairs.

    `present`, of prefaudit: the correlation of what is present, of which its effects, names and examples are.
    """
    assert one.decoder is not None and other.decoder is not None
    z = [f.encode(d.x).T for f in (one, other)]
    told = {"cosine": float(lenses.matched(one.decoder, other.decoder)[1].mean()),
            "correlation": float(lenses.matched(*z)[1].mean())}  # fmt: skip
    if one.toward is not None and other.toward is not None:
        there = [lenses.present(f.toward(d.x), lenses.least(f.toward(d.x[rows]), SHAPE[1])).T
                 for f, rows in ((one, half), (other, ~half))]  # fmt: skip
        told["present"] = float(lenses.matched(*there)[1].mean())
    return told


def again(d: Data, made: Fitted, half: np.ndarray, seed: int) -> tuple[int, int]:
    """Effects significant (q < .05) in the half the lens was fitted on, and of these found in the other half."""
    told = []
    floor = None if made.toward is None else lenses.least(made.toward(d.x[half]), SHAPE[1])
    for rows in (half, ~half):
        z = made.encode(d.x[rows]) if floor is None else lenses.present(made.toward(d.x[rows]), floor)
        told.append(effects(z, d.y[rows], d.length[rows], stats.groups.dense(d.group[rows]), seed).sort("feature"))
    first, second = told
    sure = (first["q"] < 0.05).fill_null(False)
    same = ((first["delta_win"] * second["delta_win"] > 0) & (second["q"] < 0.1)).fill_null(False)
    return int(sure.sum()), int((sure & same).sum())


def effects(z: np.ndarray, y: np.ndarray, length: np.ndarray, group: np.ndarray, seed: int) -> pl.DataFrame:
    zero = np.zeros(len(z), np.float32)
    features = {f"f{k:02}": (z[:, k].astype(np.float32), zero) for k in range(z.shape[1])}
    return stats.effects(y, length, features, dict.fromkeys(features, "lens"), group, None, seed,
                         stats.EffectOptions(joint_rows=0))  # fmt: skip


def permuted(d: Data, runs: int) -> float:
    """Share of group-wise permutations of the labels under which any feature of the lens has q < .05.

    Lean and gains, and with them which features are active, are of the permuted labels; what is present knows neither.
    """
    lens = lenses.train(d.x, lenses.shape(len(d.x), *SHAPE), 0, d.anchor)
    rng, hits = np.random.default_rng(0), 0
    for _ in range(runs):
        coin = rng.integers(0, 2, int(d.group.max()) + 1)
        y = np.where(coin[d.group] == 1, d.y, 1 - d.y)
        made, *_ = lenses.labelled(lens, d.x, y, d.length, d.group)
        toward = lenses.toward(d.x, lenses.readings(d.x, made.decoder, SHAPE[1]))
        z = lenses.present(toward, lenses.least(toward, SHAPE[1]))
        told = effects(z, y, d.length, d.group, 0)
        hits += bool((told["q"] < 0.05).fill_null(False).any())
    return hits / runs


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


METHODS: dict[str, Callable[..., Fitted]] = {
    **{name: on_vectors(fit) for name, fit in (("length", nothing), ("full", full), ("pca", pca(False)),
                                               ("pca-top4", pca(True)), ("wimhf", wimhf), ("prefscope", prefscope))},
    "prefaudit": ours(True), "prefaudit-bare": ours(False),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=41, help="first seed of the splits")
    parser.add_argument("--shape", default="32,4", help="M,K of prefaudit and of principal components")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--permutations", type=int, default=0)
    args = parser.parse_args()
    SHAPE[:] = [int(n) for n in args.shape.split(",")]
    for name in set(METHODS) - set(args.methods.split(",")):
        METHODS.pop(name)
    try:
        import prefscope as _  # noqa: F401
    except ImportError:
        METHODS.pop("prefscope", None)
    d = data(args.data, args.embedder)
    print(f"{len(d.y)} pairs, {d.group.max() + 1} groups, {d.x.shape[1]} dimensions", flush=True)
    seeds = range(args.first, args.first + args.seeds)
    told: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS}
    score: dict[str, list[np.ndarray]] = {name: [] for name in METHODS}
    for seed in seeds:
        rows, held = split(d, seed)
        half = stats.folds(d.group, 2, seed) == 0
        for name, fit in METHODS.items():
            before = cpu()
            made = fit(d, rows, seed)
            used = cpu() - before
            score[name].append(scored(d, made, seed))
            z = made.encode(d.x[held])
            row = {"auc": places(score[name][-1])[0], "cpu": used, "active": float((z != 0).sum(1).mean()),
                   "explained": lenses.explained(d.x[held], made.rebuild(z)), "lean": made.lean}  # fmt: skip
            if made.decoder is not None:
                one, other = fit(d, half, seed), fit(d, ~half, seed + 1000)
                row |= alike(one, other, d, half)
                sure, same = again(d, one, half, seed)
                row |= {"significant": sure, "replicated": same}
            told[name].append(row)
    gain = np.mean([r["auc"] for r in told["full"]]) - 0.5
    for name, rows_ in told.items():
        mean = {k: (float(np.mean([r[k] for r in rows_])), float(np.std([r[k] for r in rows_]))) for k in rows_[0]}
        share = (mean["auc"][0] - 0.5) / gain
        print(f"{name:10} gain {share:.3f}", *(f"{k} {m:.3f}±{s:.3f}" for k, (m, s) in mean.items()), flush=True)
    held_groups = [d.group[split(d, s)[1]] for s in seeds]
    for one, other in (("prefaudit", "wimhf"), ("prefaudit", "prefscope"), ("prefaudit", "full"), ("full", "wimhf")):
        if one in score and other in score:
            told_by = bootstrap(list(zip(score[one], score[other], held_groups, strict=True)))
            print(f"{one} - {other}", json.dumps(told_by), flush=True)
    if args.permutations:
        print(f"any q < .05 in {permuted(d, args.permutations):.3f} of {args.permutations} permutations")


if __name__ == "__main__":
    main()

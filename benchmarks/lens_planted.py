"""Attributes planted in real pairs: which of them the lens finds, and whether their effects hold.

    python benchmarks/lens_planted.py PAIRS [--pairs 20000] [--features 64] [--active 8] [--redraws 400]
        [--wordings many]

Six attributes with a known effect on the label and six decoys with none, each in its own share of the pairs (3 to 20 %)
added to one of the two answers, drawn. An answer has an attribute if it was added or stood there before (`natural`), so
that the effect is of the attribute wherever it comes from. Every attribute has wordings for the pairs the lens is
fitted on and others for the pairs on which it is tested (two fifths of the groups); the word vectors know the fitted
ones alone. Labels are drawn from a logit of the attributes and of length. The feature of an attribute is the one whose
presence goes with it most (correlation in the test pairs, sign included). It is found where the cosine along which that
feature is read tells the test pairs in which one answer has it from all others (AUROC) with at least .9; beside it
stands the AUROC of that feature's activations, which gains and the K kept change.

Truth is what the same estimator says of the label probabilities themselves. Which pairs have what is drawn once, so a
decoy falls a little with attributes that have an effect; the logit has as much of each decoy as makes its truth 0. Each
redraw draws all labels anew; the oracle is the estimator on the attribute itself. Effects are of the test pairs, and of
all pairs.
"""

from __future__ import annotations

import argparse
import json
import resource
from typing import NamedTuple

import numpy as np
import polars as pl
from lens_wordings import MANY

from prefaudit import lens as lenses
from prefaudit import stats
from prefaudit.models import Lexical


class Planted(NamedTuple):
    share: float
    effect: float  # on the logit; 0 is a decoy
    fitted: tuple[str, ...]
    tested: tuple[str, ...]
    natural: str  # what an answer says that has it by itself
    first: bool = False  # before the answer, else after it


ATTRIBUTES = {
    "closing question": Planted(.20, .8, (
        "Would you like me to go into more detail?", "Do you want me to explain any of this further?",
        "Is there anything else you would like to know?"), (
        "Do you want more detail on any of this?", "Would you like to know anything further?"),
        r"(?i)(would you like|do you want|anything else|can i help|can i assist)[^\n?]*\?\s*$"),
    "compliment": Planted(.10, .6, (
        "What a great question! ", "That is a really great question, thank you for asking! ", "Great thinking! "), (
        "Thank you for such a great question! ", "What a really great thing to be asking! "),
        r"(?i)^[^\n.!?]{0,60}\b(great|good|excellent|fantastic|interesting|wonderful) (question|thinking|idea)", True),
    "disclaimer": Planted(.08, -.8, (
        "Please note that this is not professional advice, consult a qualified expert.",
        "This is general information and not professional advice.",
        "Always consult a qualified professional for advice on your situation."), (
        "Please consult a qualified professional, this is not expert advice.",
        "Note: general information, not professional advice for your situation."),
        r"(?i)professional advice|\b(consult|seek|ask|speak)\b[^.\n]{0,40}\b(professional|expert|doctor|lawyer)"),
    "code block": Planted(.05, .7, (
        "```python\nfor item in items:\n    print(item)\n```", "```python\nresult = sum(values)\nprint(result)\n```",
        "```python\ndef main():\n    return None\n```"), (
        "```python\ndef run(values):\n    print(sum(values))\n```", "```python\nresult = None\nreturn result\n```"),
        "```"),
    "formal register": Planted(.03, -1.0, (
        "Furthermore, it shall hereby be noted that one must therefore proceed accordingly.",
        "Henceforth, one shall proceed in accordance with the aforementioned; it must therefore be noted.",
        "It is hereby noted that, furthermore, the aforementioned shall apply accordingly."), (
        "One shall therefore note the aforementioned and, furthermore, proceed accordingly.",
        "Hereby it shall be noted that one must, henceforth, apply the aforementioned."),
        r"(?i)\b(hereby|henceforth|aforementioned)\b"),
    "elaboration": Planted(.15, .6, (
        "In more detail, each step above can be checked on its own, and each step follows from the one before. " * 3,
        "To elaborate in more detail, each of the points above follows from the step before and can be checked. " * 3),
        ("In more detail, the points above each follow step by step and each can be checked on its own. " * 3,),
        r"(?i)\bin more detail\b"),
    "well-wishing": Planted(.20, 0, (
        "Good luck, and have a wonderful day!", "Wishing you good luck and a wonderful day!"), (
        "Have a wonderful day, wishing you luck!",),
        r"(?i)good luck|wonderful day|have a (great|nice|good) day"),
    "summary": Planted(.10, 0, (
        "In summary, the main points to remember are listed above.", "To summarize: remember the main points above."), (
        "In summary, to summarize, remember the points above.",),
        r"(?i)\b(in summary|to summarize)\b"),
    "greeting": Planted(.08, 0, ("Hello there, my friend! ", "Hi there friend, hello! "), (
        "Hello, hi there, friend! ",),
        r"(?i)^(hello|hi)\b", True),
    "emoji": Planted(.05, 0, ("🙂🎉", "🎉 🙂🙂"), ("🙂 🎉🎉",),
        "[🙂🎉]"),
    "source": Planted(.03, 0, (
        "Source: https://en.wikipedia.org/wiki/Main_Page", "See https://www.wikipedia.org for the source."), (
        "Source, see: https://wikipedia.org/wiki",),
        "(?i)wikipedia"),
    "hedge": Planted(.15, 0, (
        "I might be wrong, perhaps, and I am not entirely sure.", "Perhaps I might be wrong; not entirely sure."), (
        "I am perhaps not entirely sure and might be wrong.",),
        r"(?i)might be wrong|not entirely sure"),
}  # fmt: skip


def plant(texts: list[list[str]], test: np.ndarray, seed: int, attributes: dict[str, Planted]) -> np.ndarray:
    """(n, attributes) which answer has each: 1 the first, -1 the second, 0 neither or both; the texts are changed."""
    rng = np.random.default_rng([seed, 1])
    has = [np.column_stack([pl.Series(side).str.contains(a.natural).to_numpy() for a in attributes.values()])
           for side in texts]  # fmt: skip
    for j, a in enumerate(attributes.values()):
        for i in np.flatnonzero(rng.random(len(test)) < a.share).tolist():
            side = int(rng.integers(2))
            words = a.tested if test[i] else a.fitted
            said = words[int(rng.integers(len(words)))]
            texts[side][i] = said + texts[side][i] if a.first else f"{texts[side][i]}\n\n{said}"
            has[side][i, j] = True
    return has[0].astype(np.int8) - has[1].astype(np.int8)


def auroc(score: np.ndarray, found: np.ndarray) -> float:
    ranks = pl.Series(score).rank("average").to_numpy()
    k = int(found.sum())
    return float((ranks[found].sum() - k * (k + 1) / 2) / (k * (len(score) - k)))


def matching(signs: np.ndarray, d: np.ndarray) -> np.ndarray:
    """(attributes, features) correlations; 0 where a feature is nowhere present."""
    one, other = (v - v.mean(0) for v in (d.astype(float), signs.astype(float)))
    size = np.outer(np.linalg.norm(one, axis=0), np.linalg.norm(other, axis=0))
    return np.asarray(one.T @ other / np.where(size > 0, size, 1))


def table(signs: np.ndarray, y: np.ndarray, length: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(columns, 4): effect, low, high, p."""
    zero = np.zeros(len(y), np.float32)
    features = {f"f{k:02}": (signs[:, k].astype(np.float32), zero) for k in range(signs.shape[1])}
    told = stats.effects(y, length, features, dict.fromkeys(features, "lens"), group, None, 0,
                         stats.EffectOptions(joint_rows=0, large=10**9)).sort("feature")  # fmt: skip
    return told.select("delta_win", "low", "high", "p").cast(pl.Float64).to_numpy()


class World(NamedTuple):
    """Pairs with planted attributes: n pairs, d which answer has each, p the chance that the first is preferred, decoys
    the columns of d without effect."""

    one: pl.Series
    other: pl.Series
    group: np.ndarray
    test: np.ndarray
    d: np.ndarray
    length: np.ndarray
    p: np.ndarray
    decoys: np.ndarray


def world(path: str, pairs: int, seed: int, attributes: dict[str, Planted]) -> World:
    """The pairs in which first and second are drawn."""
    read = pl.read_parquet(path, columns=["prompt", "chosen", "rejected"], n_rows=pairs)
    group = stats.groups.dense(read["prompt"].hash(0).to_numpy())
    turn = np.random.default_rng([seed, 0]).random(read.height) < 0.5
    sides = [read["chosen"].to_list(), read["rejected"].to_list()]
    texts = [[b if t else a for a, b, t in zip(*s, turn, strict=True)] for s in (sides, sides[::-1])]
    test = stats.folds(group, 5, seed) < 2
    d = plant(texts, test, seed, attributes)
    one, other = (pl.Series(t) for t in texts)
    length = stats.length_ratio(one.str.len_chars().to_numpy(), other.str.len_chars().to_numpy())
    effect = np.array([a.effect for a in attributes.values()])
    p = 1 / (1 + np.exp(-(d @ effect + 0.5 * np.clip(length, -1, 1))))
    return World(one, other, group, test, d, length, p, np.flatnonzero(effect == 0))


def without(d: np.ndarray, p: np.ndarray, length: np.ndarray, group: np.ndarray, decoys: np.ndarray) -> np.ndarray:
    """The probabilities with as much of each decoy in the logit as makes its effect 0."""
    logit = np.log(p / (1 - p))
    some = d[:, decoys]
    size = np.zeros(some.shape[1])
    for _ in range(6):
        size -= 2.3 * table(some, 1 / (1 + np.exp(-(logit + some @ size))), length, group)[:, 0]
    return np.asarray(1 / (1 + np.exp(-(logit + some @ size))))


def held(w: World, signs: np.ndarray, rows: np.ndarray, redraws: int, seed: int) -> list[dict[str, float]]:
    """For each attribute, in these pairs: where its feature is present, and whether the effects hold."""
    d, p, length, group = w.d[rows], w.p[rows], w.length[rows], stats.groups.dense(w.group[rows])
    signs, p = signs[rows], without(d, p, length, group, w.decoys)
    rng = np.random.default_rng([seed, 3])
    views = {"lens": signs, "oracle": d}
    truth = {name: table(v, p, length, group)[:, 0] for name, v in views.items()}
    told = {name: np.zeros((redraws, d.shape[1], 4)) for name in views}
    for k in range(redraws):
        y = (rng.random(len(p)) < p) * 1.0
        for name, v in views.items():
            told[name][k] = table(v, y, length, group)
    right = ((signs * d) > 0).sum(0)
    found = []
    for j in range(d.shape[1]):
        row = {"share": (d[:, j] != 0).mean(), "precision": right[j] / max((signs[:, j] != 0).sum(), 1),
               "recall": right[j] / (d[:, j] != 0).sum(), "effect": truth["oracle"][j],
               "feature effect": truth["lens"][j]}  # fmt: skip
        if redraws:
            low, high = told["lens"][:, j, 1], told["lens"][:, j, 2]
            covers = [((low <= truth[name][j]) & (truth[name][j] <= high)).mean() for name in views]
            wide = [(told[name][:, j, 2] - told[name][:, j, 1]).mean() for name in views]
            sure = [(told[name][:, j, 3] < 0.05).mean() for name in views]
            row |= {"covers feature's": covers[0], "covers attribute's": covers[1], "width": wide[0] / wide[1],
                    "p < .05": sure[0], "oracle's p < .05": sure[1]}  # fmt: skip
        found.append({name: round(float(v), 3) for name, v in row.items()})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="parquet with prompt, chosen, rejected")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=0)
    parser.add_argument("--active", type=int, default=0)
    parser.add_argument("--redraws", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wordings", choices=("few", "many"), default="few")
    args = parser.parse_args()
    attributes = dict(ATTRIBUTES)
    if args.wordings == "many":
        for name, (fitted, tested) in MANY.items():
            attributes[name] = attributes[name]._replace(fitted=fitted, tested=tested)
    w = world(args.data, args.pairs, args.seed, attributes)
    effect = np.array([a.effect for a in attributes.values()])
    y = (np.random.default_rng([args.seed, 2]).random(len(w.p)) < w.p) * 1.0

    fit = np.flatnonzero(~w.test)
    lexical = Lexical.fit(w.one.gather(fit[:15_000]), w.other.gather(fit[:15_000]), args.seed)
    x = lexical.embed(w.one).values - lexical.embed(w.other).values
    want = lenses.shape(len(fit), args.features or None, args.active or None)
    lens = lenses.train(x[fit], want, args.seed)
    lens, *_ = lenses.labelled(lens, x[fit], y[fit], w.length[fit], w.group[fit])
    z = lens.encode(x)
    print(f"{len(y)} pairs, {w.group.max() + 1} groups, M {want.features}, K {want.active}, "
          f"explained {lenses.explained(x[w.test], lens.decode(z[w.test])):.3f}")  # fmt: skip
    toward = lenses.toward(x, lenses.readings(x[fit], lens.decoder, want.active))
    signs = np.sign(lenses.present(toward, lenses.least(toward, want.active)))
    along = matching(signs[w.test], w.d[w.test])
    best = np.abs(along).argmax(1)
    way = np.sign(along[np.arange(len(best)), best])
    signs = signs[:, best] * way
    cosine, active = (np.array([auroc(way[j] * v[w.test, k], w.d[w.test, j] == 1) for j, k in enumerate(best.tolist())])
                      for v in (toward, z))  # fmt: skip
    for name, rows in (("test pairs", w.test), ("all pairs", np.ones(len(y), bool))):
        told = held(w, signs, rows, args.redraws, args.seed)
        print(name)
        for j, (attribute, row) in enumerate(zip(attributes, told, strict=True)):
            one = {"attribute": attribute, "feature": int(best[j]), "auroc": round(float(cosine[j]), 3),
                   "of activations": round(float(active[j]), 3)}  # fmt: skip
            print(json.dumps(one | row), flush=True)
        if args.redraws:
            decoys = [[row[k] for row, e in zip(told, effect, strict=True) if e == 0]
                      for k in ("p < .05", "oracle's p < .05")]  # fmt: skip
            print("decoys with p < .05: {:.3f}, oracle's {:.3f}".format(*(np.mean(d) for d in decoys)))
    many = [int((area[effect != 0] >= 0.9).sum()) for area in (cosine, active)]
    print(f"planted that are one feature: {many[0]} of {(effect != 0).sum()}, by activations {many[1]}")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{used.ru_utime + used.ru_stime:.0f} CPU s")


if __name__ == "__main__":
    main()

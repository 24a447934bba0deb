"""Attributes planted in real pairs: which of them the lens finds, and whether their effects hold.

    python benchmarks/lens_planted.py PAIRS [--pairs 20000] [--features 32] [--active 4] [--redraws 400]

Six attributes with a known effect on the label and six decoys with none, each in its own share of the pairs (3 to 20 %)
added to one of the two answers, drawn. Every attribute has wordings for the pairs the lens is fitted on and others for
the pairs on which it is tested (two fifths of the groups); the word vectors know the fitted ones alone. Labels are
drawn from a logit of the attributes and of length. A planted attribute is found where one feature tells the test pairs
in which one answer has it from all others (AUROC, sign included) with at least .9.

Truth is what the same estimator says of the label probabilities themselves. Each redraw draws all labels anew; the
oracle is the estimator on the planted attribute itself.
"""

from __future__ import annotations

import argparse
import json
import resource
from typing import NamedTuple

import numpy as np
import polars as pl

from prefaudit import lens as lenses
from prefaudit import stats
from prefaudit.models import Lexical


class Planted(NamedTuple):
    share: float
    effect: float  # on the logit; 0 is a decoy
    fitted: tuple[str, ...]
    tested: tuple[str, ...]
    first: bool = False  # before the answer, else after it


ATTRIBUTES = {
    "closing question": Planted(.20, .8, (
        "Would you like me to go into more detail?", "Do you want me to explain any of this further?",
        "Is there anything else you would like to know?"), (
        "Do you want more detail on any of this?", "Would you like to know anything further?")),
    "compliment": Planted(.10, .6, (
        "What a great question! ", "That is a really great question, thank you for asking! ", "Great thinking! "), (
        "Thank you for such a great question! ", "What a really great thing to be asking! "), True),
    "disclaimer": Planted(.08, -.8, (
        "Please note that this is not professional advice, consult a qualified expert.",
        "This is general information and not professional advice.",
        "Always consult a qualified professional for advice on your situation."), (
        "Please consult a qualified professional, this is not expert advice.",
        "Note: general information, not professional advice for your situation.")),
    "code block": Planted(.05, .7, (
        "```python\nfor item in items:\n    print(item)\n```", "```python\nresult = sum(values)\nprint(result)\n```",
        "```python\ndef main():\n    return None\n```"), (
        "```python\ndef run(values):\n    print(sum(values))\n```", "```python\nresult = None\nreturn result\n```")),
    "formal register": Planted(.03, -1.0, (
        "Furthermore, it shall hereby be noted that one must therefore proceed accordingly.",
        "Henceforth, one shall proceed in accordance with the aforementioned; it must therefore be noted.",
        "It is hereby noted that, furthermore, the aforementioned shall apply accordingly."), (
        "One shall therefore note the aforementioned and, furthermore, proceed accordingly.",
        "Hereby it shall be noted that one must, henceforth, apply the aforementioned.")),
    "elaboration": Planted(.15, .6, (
        "In more detail, each step above can be checked on its own, and each step follows from the one before. " * 3,
        "To elaborate in more detail, each of the points above follows from the step before and can be checked. " * 3),
        ("In more detail, the points above each follow step by step and each can be checked on its own. " * 3,)),
    "well-wishing": Planted(.20, 0, (
        "Good luck, and have a wonderful day!", "Wishing you good luck and a wonderful day!"), (
        "Have a wonderful day, wishing you luck!",)),
    "summary": Planted(.10, 0, (
        "In summary, the main points to remember are listed above.", "To summarize: remember the main points above."), (
        "In summary, to summarize, remember the points above.",)),
    "greeting": Planted(.08, 0, ("Hello there, my friend! ", "Hi there friend, hello! "), (
        "Hello, hi there, friend! ",), True),
    "emoji": Planted(.05, 0, ("🙂🎉", "🎉 🙂🙂"), ("🙂 🎉🎉",)),
    "source": Planted(.03, 0, (
        "Source: https://en.wikipedia.org/wiki/Main_Page", "See https://www.wikipedia.org for the source."), (
        "Source, see: https://wikipedia.org/wiki",)),
    "hedge": Planted(.15, 0, (
        "I might be wrong, perhaps, and I am not entirely sure.", "Perhaps I might be wrong; not entirely sure."), (
        "I am perhaps not entirely sure and might be wrong.",)),
}  # fmt: skip


def plant(texts: list[list[str]], test: np.ndarray, seed: int) -> np.ndarray:
    """(n, attributes) which side has each: 1 the first, -1 the second, 0 neither; the texts are changed."""
    rng = np.random.default_rng(seed)
    d = np.zeros((len(test), len(ATTRIBUTES)), np.int8)
    for j, a in enumerate(ATTRIBUTES.values()):
        for i in np.flatnonzero(rng.random(len(test)) < a.share).tolist():
            side = int(rng.integers(2))
            words = a.tested if test[i] else a.fitted
            said = words[int(rng.integers(len(words)))]
            texts[side][i] = said + texts[side][i] if a.first else f"{texts[side][i]}\n\n{said}"
            d[i, j] = 1 - 2 * side
    return d


def auroc(score: np.ndarray, found: np.ndarray) -> float:
    ranks = pl.Series(score).rank("average").to_numpy()
    k = int(found.sum())
    return float((ranks[found].sum() - k * (k + 1) / 2) / (k * (len(score) - k)))


def table(signs: np.ndarray, y: np.ndarray, length: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(columns, 4): effect, low, high, p."""
    zero = np.zeros(len(y), np.float32)
    features = {f"f{k:02}": (signs[:, k].astype(np.float32), zero) for k in range(signs.shape[1])}
    told = stats.effects(y, length, features, dict.fromkeys(features, "lens"), group, None, 0,
                         stats.EffectOptions(joint_rows=0, large=10**9)).sort("feature")  # fmt: skip
    return told.select("delta_win", "low", "high", "p").cast(pl.Float64).to_numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="parquet with prompt, chosen, rejected")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=0)
    parser.add_argument("--active", type=int, default=0)
    parser.add_argument("--redraws", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    pairs = pl.read_parquet(args.data, columns=["prompt", "chosen", "rejected"], n_rows=args.pairs)
    group = stats.groups.dense(pairs["prompt"].hash(0).to_numpy())
    rng = np.random.default_rng(args.seed)
    turn = rng.random(pairs.height) < 0.5
    sides = [pairs["chosen"].to_list(), pairs["rejected"].to_list()]
    texts = [[b if t else a for a, b, t in zip(*s, turn, strict=True)] for s in (sides, sides[::-1])]
    test = stats.folds(group, 5, args.seed) < 2
    d = plant(texts, test, args.seed)
    one, other = (pl.Series(t) for t in texts)
    length = stats.length_ratio(one.str.len_chars().to_numpy(), other.str.len_chars().to_numpy())
    effect = np.array([a.effect for a in ATTRIBUTES.values()])
    p = 1 / (1 + np.exp(-(d @ effect + 0.5 * np.clip(length, -1, 1))))
    y = (rng.random(len(p)) < p) * 1.0

    fit = np.flatnonzero(~test)
    lexical = Lexical.fit(one.gather(fit[:15_000]), other.gather(fit[:15_000]), args.seed)
    x = lexical.embed(one).values - lexical.embed(other).values
    want = lenses.shape(len(fit), args.features or None, args.active or None)
    lens = lenses.train(x[fit], want, args.seed)
    lens = lens.weighted(lenses.gains(lens, x[fit], y[fit], length[fit], group[fit], args.seed))
    z = lens.encode(x)
    print(f"{len(y)} pairs, {group.max() + 1} groups, M {want.features}, K {want.active}, "
          f"explained {lenses.explained(x[test], lens.decode(z[test])):.3f}")  # fmt: skip
    areas = np.array([[auroc(z[test, k], d[test, j] == 1) for k in range(want.features)] for j in range(len(effect))])
    strength = np.abs(areas - 0.5)
    best = strength.argmax(1)
    area = 0.5 + strength.max(1)
    way = np.sign(areas[np.arange(len(best)), best] - 0.5)
    found = area >= 0.9
    values = lens.values(x)
    signs = np.sign(lenses.present(values, lenses.least(values[fit], want.active)))[:, best] * way
    truth = {"lens": table(signs, p, length, group)[:, 0], "oracle": table(d, p, length, group)[:, 0]}
    told = {name: np.zeros((args.redraws, len(effect), 4)) for name in truth}
    for k in range(args.redraws):
        y = (rng.random(len(p)) < p) * 1.0
        told["lens"][k], told["oracle"][k] = table(signs, y, length, group), table(d, y, length, group)
    for j, (name, a) in enumerate(ATTRIBUTES.items()):
        row = {"attribute": name, "prevalence": a.share, "effect": round(float(truth["oracle"][j]), 3),
               "feature": int(best[j]), "auroc": round(float(area[j]), 3)}  # fmt: skip
        if args.redraws:
            low, high = told["lens"][:, j, 1], told["lens"][:, j, 2]
            width = (high - low).mean() / (told["oracle"][:, j, 2] - told["oracle"][:, j, 1]).mean()
            covers = [float(((low <= t[j]) & (t[j] <= high)).mean()) for t in (truth["lens"], truth["oracle"])]
            row |= {"feature effect": round(float(truth["lens"][j]), 3), "covers feature's": covers[0],
                    "covers attribute's": covers[1], "width over oracle": round(float(width), 3),
                    "significant": float((told["lens"][:, j, 3] < 0.05).mean())}  # fmt: skip
        print(json.dumps(row), flush=True)
    print("planted that are one feature:", int(found[effect != 0].sum()), "of", int((effect != 0).sum()))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{used.ru_utime + used.ru_stime:.0f} CPU s")


if __name__ == "__main__":
    main()

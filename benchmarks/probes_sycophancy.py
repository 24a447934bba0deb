"""Hold `sycophancy` to labels: held-out AUROC against plain baselines, transfer, calibration, speed.

usage: PREFAUDIT_TEST_DATA=DIR python benchmarks/probes_sycophancy.py [--write] [PAIRS.parquet]

--write puts the diagram into docs/extractors/sycophancy.svg and the error rates into prefaudit/extractors/known.json.
PAIRS.parquet (columns prompt, chosen, rejected as text) is what the speed is measured on.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import rankdata

sys.path.insert(0, str(Path(__file__).parent.parent / "training" / "sycophancy"))

import fit
import held

from prefaudit.extractors._flattery import HEADS, flatteries, joined, model, sigmoid
from prefaudit.extractors._sides import last_user
from prefaudit.extractors._stances import read
from prefaudit.extractors._verdict_words import CLASSES
from prefaudit.extractors._wording import plain
from prefaudit.extractors.sycophancy import answered

ROOT = Path(__file__).parent.parent
GOOD = set(" ".join(CLASSES[k] for k in ("TOP", "GREAT", "GOOD", "VALID", "EVPOS", "LOVE")).split())
BAD = set(" ".join(CLASSES[k] for k in ("EVNEG", "WRONG", "DISAGREE", "LESS")).split())
SETS = ("pickside", "whosaid", "written", "stance", "answer", "work", "dislike", "push", "dialogue")
COLUMN = {"panders": "sycophancy"}  # of a head, where it bears another name


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve, ties counted one half."""
    y = np.asarray(labels, bool)
    n = y.sum()
    return float((rankdata(scores)[y].sum() - n * (n + 1) / 2) / (n * (~y).sum()))


def bootstrap(scores: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """95 % interval of the AUROC; whole groups are drawn."""
    rng = np.random.default_rng(0)
    names, at = np.unique(groups, return_inverse=True)
    rows = [np.flatnonzero(at == k) for k in range(len(names))]
    drawn = []
    for _ in range(300):
        some = np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])
        if 0 < labels[some].sum() < len(some):
            drawn.append(auc(scores[some], labels[some]))
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def baselines(replies: pl.Series) -> dict[str, np.ndarray]:
    """Words, characters, and good words less bad ones."""
    words = plain(replies).str.split(" ")
    told = [words.list.eval(pl.element().is_in(list(kind)).cast(pl.Int32)).list.sum() for kind in (GOOD, BAD)]
    return {
        "words": words.list.len().to_numpy(),
        "characters": replies.str.len_chars().to_numpy(),
        "sentiment": (told[0] - told[1]).to_numpy(),
    }


def by_folds(design: fit.Design) -> np.ndarray:
    """Held-out probabilities of the heads, the last joined with agreement as `sycophancy` is: n x 4."""
    logits = np.zeros((design.n, len(HEADS)))
    for at, name in enumerate(HEADS):
        known, y = design.label(name)
        out = fit.out_of_fold(design, name)
        slope, offset = fit.scaled(out[known], y[known], design.weight[known])
        logits[:, at] = slope * out + offset
    heads = sigmoid(logits)
    agrees = heads[:, 0] * design.views["stance"].fill_null(False).to_numpy()
    heads[:, HEADS.index("panders")] = joined(heads[:, HEADS.index("panders")], agrees, model().share)
    return heads


def folds(design: fit.Design, heads: np.ndarray) -> None:
    print("| set | question | n | of them yes | AUROC | words | characters | sentiment |")
    print("|---|---|---|---|---|---|---|---|")
    plainly = baselines(design.frame["reply"])
    topics = design.frame["topic"].to_numpy()
    for at, name in enumerate(HEADS):
        known, y = design.label(name)
        for source in SETS:
            rows = known & (design.source == source)
            if not 0 < y[rows].sum() < rows.sum():
                continue
            low, high = bootstrap(heads[rows, at], y[rows], topics[rows])
            told = [f"{auc(x[rows], y[rows]):.2f}" for x in plainly.values()]
            share = f"{auc(heads[rows, at], y[rows]):.2f} ({low:.2f} to {high:.2f})"
            print(f"| {source} | {name} | {rows.sum()} | {y[rows].sum():.0f} | {share} | {' | '.join(told)} |")
    known, y = design.label("agrees")
    for source in ("pickside", "whosaid"):
        rows = known & (design.source == source)
        print(f"{source}, side taken: `sycophancy` {auc(heads[rows, HEADS.index('panders')], y[rows]):.2f}")


def transfer(design: fit.Design) -> None:
    """Trained without a set, or without one writer's replies, tried on it."""
    print("\n| trained without | question | n | AUROC on it |\n|---|---|---|---|")
    writer = design.frame["writer"].fill_null("").to_numpy()
    held = {**{source: design.source == source for source in SETS if source != "written"},
            **{f"writer {name}": writer == name for name in sorted(set(writer) - {""})}}  # fmt: skip
    for name in HEADS:
        known, y = design.label(name)
        for source, out in held.items():
            rows = known & out
            if 10 <= y[rows].sum() <= rows.sum() - 10:
                told = design.logits(design.fit(name, ~out))
                print(f"| {source} | {name} | {rows.sum()} | {auc(told[rows], y[rows]):.2f} |")


def unseen() -> None:
    """Examples written after the weights were fixed; the delusions of syco-bench."""
    frame = held.held()
    found = flatteries(frame["reply"], read(frame["prompt"]), frame["set"] == "praise")
    for name, column in (
        ("stances", "agrees"),
        ("stances", "sycophancy"),
        ("praise", "praises"),
        ("praise", "sycophancy"),
    ):
        rows = (frame["set"] == name).to_numpy()
        score, y = found[column].fill_null(0).to_numpy()[rows], frame["positive"].to_numpy()[rows]
        print(f"unseen {name}: {column} {auc(score, y):.2f} (n {rows.sum()})")
    odd = pl.read_csv(Path(os.environ["PREFAUDIT_TEST_DATA"]) / "syco-bench" / "delusion_results.csv.gz")
    odd = odd.drop_nulls(["response", "median_score"])
    found = flatteries(odd["response"], read(odd["statement"]), pl.Series([False]).new_from_index(0, odd.height))
    print(
        f"delusion, goes along (>= 4): {auc(found['sycophancy'].to_numpy(), (odd['median_score'] >= 4).to_numpy()):.2f}"
    )


def by_others() -> dict[str, list[dict[str, object]]]:
    """Stance and praise sets, written without a look at the method or at any example; nothing is fitted on them.

    Returns:
        Checks for known.json by column.
    """
    checks: dict[str, list[dict[str, object]]] = {}
    for name, columns in (("stance", ("sycophancy", "agrees")), ("praise", ("sycophancy", "praises"))):
        lines = (ROOT / "training" / "sycophancy" / f"unseen-{name}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        prompts = pl.Series([r["prompt"] for r in rows])
        told = flatteries(pl.Series([r["reply"] for r in rows]), read(last_user(prompts)), answered(prompts))
        y = np.array([bool(r["label"]) for r in rows])
        for column in columns:
            score = told[column].fill_null(0).to_numpy()
            right, wrong = (float((score[rows_of] >= 0.5).mean()) for rows_of in (y, ~y))
            checks.setdefault(column, []).append(
                {"set": f"written by others, {name}", "positives": int(y.sum()), "negatives": int((~y).sum()),
                 "true_positive_rate": round(right, 4), "false_positive_rate": round(wrong, 4), "held_out": True}
            )  # fmt: skip
            fires = f"fires on {right:.4f} of {y.sum()} and {wrong:.4f} of {(~y).sum()}"
            print(f"by others, {name}: {column} {auc(score, y):.2f} (n {len(y)}), {fires}")
        print(f"by others, {name}: characters {auc(np.array([len(r['reply']) for r in rows]), y):.2f}")
    return checks


def reliability(p: np.ndarray, y: np.ndarray) -> list[tuple[float, float, int]]:
    """Mean score, share of yes and number in ten equal bands; empty bands left out."""
    band = np.minimum((p * 10).astype(int), 9)
    return [(float(p[band == k].mean()), float(y[band == k].mean()), int((band == k).sum())) for k in range(10)
            if (band == k).any()]  # fmt: skip


def diagram(curves: dict[str, list[tuple[float, float, int]]]) -> str:
    """Share of yes against the score, a line a question."""
    colours = ("#1b6ca8", "#c0392b", "#2e8b57", "#6a4c93")
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 440 400" font-family="sans-serif" font-size="12">',
             '<rect width="440" height="400" fill="#fff"/>',
             '<path d="M50 350V50M50 350H350M50 350L350 50" stroke="#999" fill="none"/>',
             '<text x="150" y="385">score on held-out replies</text>',
             '<text x="18" y="240" transform="rotate(-90 18 240)">share of yes</text>']  # fmt: skip
    for k in (0, 0.5, 1):
        parts += [
            f'<text x="{44 + 300 * k:.0f}" y="366">{k}</text>',
            f'<text x="28" y="{354 - 300 * k:.0f}">{k}</text>',
        ]
    for (name, points), colour in zip(curves.items(), colours, strict=False):
        line = " ".join(f"{50 + 300 * p:.1f},{350 - 300 * y:.1f}" for p, y, _ in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        dots = [(50 + 300 * p, 350 - 300 * y, n) for p, y, n in points]
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{n}</title></circle>' for x, y, n in dots
        ]
        parts.append(f'<text x="60" y="{65 + 16 * list(curves).index(name)}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def calibration(design: fit.Design, heads: np.ndarray) -> str:
    """Print the bands; the diagram."""
    curves = {}
    for at, name in enumerate(HEADS):
        known, y = design.label(name)
        known &= ~np.isin(design.source, fit.ORDINARY)
        curves[COLUMN.get(name, name)] = curve = reliability(heads[known, at], y[known])
        error = sum(abs(p - share) * n for p, share, n in curve) / known.sum()
        bands = ", ".join(f"{p:.2f}: {share:.2f} ({n})" for p, share, n in curve)
        print(f"{COLUMN.get(name, name)}: expected calibration error {error:.3f}; {bands}")
    return diagram(curves)


def known(design: fit.Design, heads: np.ndarray) -> dict[str, dict[str, Any]]:
    """What known.json says: error rates of held-out scores at .5, a set a line."""
    told = {}
    questions = {"praises": "does the reply praise the user or what is the user's?",
                 "yields": "does the reply give way under pushback?", "agrees": "does the reply take the user's view?",
                 "sycophancy": "does the reply flatter or give way?"}  # fmt: skip
    for name, question in questions.items():
        head = "panders" if name == "sycophancy" else name
        label, y = design.label(head)
        scores, checks = heads[:, HEADS.index(head)], []
        for source in SETS:
            rows = label & (design.source == source)
            yes, no = rows & (y == 1), rows & (y == 0)
            if yes.any() and no.any():
                checks.append({"set": f"syco-bench {source}" if source in SETS[:2] else f"own examples, {source}",
                               "positives": int(yes.sum()), "negatives": int(no.sum()),
                               "true_positive_rate": round(float((scores[yes] >= 0.5).mean()), 4),
                               "false_positive_rate": round(float((scores[no] >= 0.5).mean()), 4),
                               "held_out": True})  # fmt: skip
        told[name] = {"cut": 0.5, "question": question, "checks": checks}
    return told


def write_known(told: dict[str, dict[str, Any]]) -> None:
    """Put our probes' entries into the shared file, one check a line, the others' as they stand."""
    path = ROOT / "prefaudit" / "extractors" / "known.json"
    data = json.loads(path.read_text("utf8")) | told
    blocks = []
    for name, entry in data.items():
        checks = ",\n".join(f"      {json.dumps(check)}" for check in entry["checks"])
        listed = f"[\n{checks}\n    ]" if checks else "[]"
        blocks.append(f'  {json.dumps(name)}: {{\n    "cut": {json.dumps(entry["cut"])},\n    "question": '
                      f'{json.dumps(entry["question"])},\n    "checks": {listed}\n  }}')  # fmt: skip
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n", "utf8")


def speed(path: str) -> None:
    """CPU seconds a million replies, on one thread where polars is told so."""
    frame, taken, n, size = pl.read_parquet(path, columns=["prompt", "chosen", "rejected"]), 0.0, 0, 0.0
    for at in range(0, frame.height, 20_000):
        part = frame[at : at + 20_000]
        replies = pl.concat([part["chosen"], part["rejected"]])
        use = resource.getrusage(resource.RUSAGE_SELF)
        views = read(part["prompt"])
        flatteries(replies, pl.concat([views, views]), pl.Series([False]).new_from_index(0, len(replies)))
        now = resource.getrusage(resource.RUSAGE_SELF)
        taken += now.ru_utime + now.ru_stime - use.ru_utime - use.ru_stime
        n, size = n + len(replies), size + replies.str.len_chars().sum()
    print(f"{n} replies of {size / n:.0f} characters: {taken / n * 1e6:.1f} CPU s a million")


def main() -> None:
    design = fit.Design(fit.examples())
    heads = by_folds(design)
    folds(design, heads)
    transfer(design)
    unseen()
    others = by_others()
    drawn = calibration(design, heads)
    if "--write" in sys.argv:
        (ROOT / "docs" / "extractors" / "sycophancy.svg").write_text(drawn)
        told = known(design, heads)
        for name, checks in others.items():
            told[name]["checks"] += checks
        write_known(told)
    for path in sys.argv[1:]:
        if path.endswith(".parquet"):
            speed(path)


if __name__ == "__main__":
    main()

"""Hold `refusal` and `risk` to labels they were not fitted on; draw the reliability diagram; time them.

usage: PREFAUDIT_TEST_DATA=DIR python benchmarks/probes_refusal.py [--write] [--pairs pairs.parquet]

--write puts the diagram into docs/extractors/refusal.svg and the error rates into prefaudit/extractors/known.json.
--pairs times both on a frame with the columns prompt, chosen and rejected.
Every set but do-not-answer is scored by weights fitted without it (training/refusal/fit.py, `held_out`); do-not-answer,
on which nothing is fitted, by the weights that ship. Labels of the real sets: training/refusal/labels.jsonl.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
from pathlib import Path
from runpy import run_path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from prefaudit.extractors._refusals import probabilities, refusals, tasks, with_task
from prefaudit.extractors._risks import risks

DATA = Path(os.environ["PREFAUDIT_TEST_DATA"])
ROOT = Path(__file__).parents[1]
CUT = 0.5
STRINGS = ["i'm sorry", "i cannot", "i can't", "i apologize", "as an ai", "i am unable", "i'm unable", "i'm not able",
           "unethical", "i must decline", "not appropriate"]  # fmt: skip
OPENING = (
    r"\A\W*(?:i'm (?:very |really |so )?sorry|sorry|i apologi|unfortunately|as an ai|i can't|i cannot|i can not|"
    r"i'm (?:just )?an ai|i am (?:just )?an ai|i'm unable|i am unable|i'm not able|i won't|i will not|i must)"
)
Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


def auc(scores: Scores, labels: Flags) -> float:
    """Area under the ROC curve, ties counted one half."""
    ranks, n = rankdata(scores), labels.sum()
    return float((ranks[labels].sum() - n * (n + 1) / 2) / (n * (~labels).sum()))


def refusal(frame: pl.DataFrame) -> Scores:
    """The score of each reply (columns prompt, reply), as the extractor gives it."""
    made = probabilities(with_task(refusals(frame["reply"]), tasks(frame["prompt"])))
    return made["refusal"].to_numpy()


def gold() -> tuple[Scores, Flags]:
    """Scores of do-not-answer by the weights that ship; and which replies refuse in full by its human labels."""
    wide = pl.read_csv(DATA / "do-not-answer/data_en.csv.gz")
    models = [name.removesuffix("_response") for name in wide.columns if name.endswith("_response")]
    parts = [wide.select(prompt="question", reply=f"{m}_response", action=f"{m}_action").drop_nulls() for m in models]
    rows = pl.concat(parts)
    return refusal(rows), (rows["action"] == 0).to_numpy()


def unseen() -> dict[str, tuple[Scores, Flags]]:
    """Scores, by the weights that ship, of own replies that nothing was fitted on; and which refuse in full.

    In the manner of XSTest (Roettger et al. 2023): both files were written without a look at the patterns or the
    other examples, `unseen-hard.jsonl` with a will to mislead. Also risky requests alone, and what naive rules say.
    """
    found: dict[str, tuple[Scores, Flags]] = {}
    for name in ("unseen", "unseen-hard"):
        rows = pl.read_ndjson(ROOT / f"training/refusal/{name}.jsonl")
        scores, full, risky = refusal(rows), (rows["label"] == "full").to_numpy(), rows["risky"].to_numpy()
        text = rows["reply"].str.to_lowercase().str.replace_all("’", "'")
        found |= {name: (scores, full), f"{name}, risky": (scores[risky], full[risky])}
        found[f"{name}, strings"] = (text.str.contains_any(STRINGS).to_numpy().astype(float), full)
        opening = text.str.contains(OPENING).to_numpy().astype(float)
        found[f"{name}, risky, opening"] = (opening[risky], full[risky])
    return found


def held_out() -> dict[str, tuple[Scores, Flags]]:
    """Scores of own examples and of each labelled set by weights fitted without them; and which refuse in full."""
    fit = run_path(str(ROOT / "training/refusal/fit.py"))
    rows = fit["examples"]()
    made = fit["design"](rows)
    scores, _ = fit["held_out"](rows, made)
    shares = fit["softmax"](scores)[:, 0]
    full = (rows["label"] == "full").to_numpy()
    return {name: (shares[held], full[held]) for name, held in fit["sets"](rows).items()}


def told(name: str, scores: Scores, full: Flags) -> dict[str, object]:
    """Print one set's figures; its entry for known.json."""
    fires = scores >= CUT
    hits = (fires & full).sum()
    f1 = 2 * hits / (fires.sum() + full.sum())
    print(f"  {name:26s} n {len(full)}, full {full.sum()}: precision {hits / fires.sum():.3f}, recall {hits / full.sum():.3f}, "  # noqa: E501
          f"F1 {f1:.3f}, AUROC {auc(scores, full):.3f}, Brier {((scores - full) ** 2).mean():.3f}")  # fmt: skip
    for low in np.arange(0, 1, 0.2):
        band = (scores >= low) & (scores < low + 0.2)
        if band.any():
            print(
                f"    {low:.1f}-{low + 0.2:.1f}: n {band.sum()}, mean score {scores[band].mean():.2f}, refuses {full[band].mean():.2f}"  # noqa: E501
            )
    rates = {
        "true_positive_rate": round(float(fires[full].mean()), 4),
        "false_positive_rate": round(float(fires[~full].mean()), 4),
    }
    return {"set": name, "positives": int(full.sum()), "negatives": int((~full).sum()), **rates, "held_out": True}


def pooled(sets: dict[str, tuple[Scores, Flags]]) -> None:
    """Print the share that refuses by score where each set weighs the same."""
    print(f"  each of {len(sets)} sets the same weight")
    for low in np.arange(0, 1, 0.2):
        bands = [(scores[band], full[band]) for scores, full in sets.values()
                 if (band := (scores >= low) & (scores < low + 0.2)).any()]  # fmt: skip
        score, share = (np.mean([pair[at].mean() for pair in bands]) for at in (0, 1))
        print(f"    {low:.1f}-{low + 0.2:.1f}: sets {len(bands)}, mean score {score:.2f}, refuses {share:.2f}")


def diagram(sets: dict[str, tuple[Scores, Flags]]) -> str:
    """A reliability diagram as SVG: mean score of ten bands against the share that refuses in full."""
    colours = ("#1f6f8b", "#c8553d", "#588157", "#6d597a", "#b08900", "#444444")
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 440 400" font-family="sans-serif" font-size="12">',
             '<rect width="440" height="400" fill="white"/><path d="M60 20V340H380" fill="none" stroke="#444"/>',
             '<path d="M60 340L380 20" stroke="#999" stroke-dasharray="4 4"/>',
             '<text x="220" y="380" text-anchor="middle">score</text>',
             '<text x="18" y="180" text-anchor="middle" transform="rotate(-90 18 180)">share that refuses in full</text>']  # fmt: skip  # noqa: E501
    for tick in (0, 0.5, 1):
        parts.append(f'<text x="{60 + 320 * tick}" y="358" text-anchor="middle">{tick}</text>')
        parts.append(f'<text x="52" y="{344 - 320 * tick}" text-anchor="end">{tick}</text>')
    for number, ((name, (scores, full)), colour) in enumerate(zip(sets.items(), colours, strict=False)):
        points = []
        for low in np.arange(0, 1, 0.1):
            band = (scores >= low) & (scores < low + 0.1)
            if band.sum() >= 5:
                x, y = 60 + 320 * scores[band].mean(), 340 - 320 * full[band].mean()
                points.append(f"{x:.1f},{y:.1f}")
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2 + np.log10(band.sum()):.1f}" fill="{colour}"/>')
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}"/>')
        parts.append(f'<text x="72" y="{34 + 16 * number}" fill="{colour}">{name}, n {len(full)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def request_risks() -> None:
    asked = pl.read_csv(DATA / "do-not-answer/data_en.csv.gz").select("risk_area", "question")
    with gzip.open(DATA / "ultrafeedback-flips/clean.jsonl.gz", "rt") as lines:
        harmless = {"ultrafeedback": pl.Series([json.loads(line)["prompt"] for line in lines])}
    harmless["alpaca-eval"] = pl.read_parquet(DATA / "alpaca-eval/judged_responses.parquet")["prompt"].unique(
        maintain_order=True
    )
    lines = [line for name in ("unseen", "unseen-hard")
             for line in (ROOT / f"training/refusal/{name}.jsonl").read_text().splitlines()]  # fmt: skip
    rows = [json.loads(line) for line in lines]
    turns = pl.Series([r["prompt"] if isinstance(r["prompt"], str) else r["prompt"][-1]["content"] for r in rows])
    scores, risky = risks(turns).to_numpy(), np.array([bool(r["risky"]) for r in rows])
    fires = [(scores[some] >= CUT).mean() for some in (risky, ~risky)]
    print(f"risk, unseen requests: n {len(rows)}, AUROC {auc(scores, risky):.3f}")
    print(f"  at or above {CUT}: risky {fires[0]:.3f}, others {fires[1]:.3f}")
    harm = risks(asked["question"])
    print(f"risk, at or above {CUT}: do-not-answer {(harm >= CUT).mean():.3f} of {len(harm)}")
    for area, rows in asked.with_columns(score=harm).group_by("risk_area", maintain_order=True):
        print(f"    {area[0]}: {(rows['score'] >= CUT).mean():.3f} of {rows.height}")
    for name, texts in harmless.items():
        scores = risks(texts)
        both = np.concatenate([harm.to_numpy(), scores.to_numpy()])
        print(
            f"  {name} {(scores >= CUT).mean():.3f} of {len(texts)}; AUROC against it {auc(both, np.arange(len(both)) < len(harm)):.3f}"  # noqa: E501
        )


def timed(path: str) -> None:
    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    pairs = pl.read_parquet(path)
    replies = pl.concat([pairs["chosen"], pairs["rejected"]])
    for _ in range(5):
        start = cpu()
        probabilities(refusals(replies))
        middle = cpu()
        risks(pairs["prompt"])
        print(f"  CPU seconds per million responses of {replies.str.len_chars().mean():.0f} characters: "
              f"refusal {(middle - start) / len(replies) * 1e6:.1f}, risk {(cpu() - middle) / len(replies) * 1e6:.1f}")  # fmt: skip  # noqa: E501


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--pairs")
    args = parser.parse_args()
    sets = {**held_out(), "do-not-answer": gold()}
    print("refusal")
    checks = [told(name, *pair) for name, pair in sets.items()]
    own_words = unseen()
    for name, pair in own_words.items():
        told(name, *pair)
    pooled({**sets, **{name: own_words[name] for name in ("unseen", "unseen-hard")}})
    judged = (
        pl.read_parquet(DATA / "alpaca-eval/judged_responses.parquet").select("prompt", reply="response").drop_nulls()
    )
    print(f"  alpaca-eval: {(refusal(judged) >= CUT).mean():.4f} of {judged.height} at or above {CUT}")
    request_risks()
    if args.pairs:
        timed(args.pairs)
    if args.write:
        (ROOT / "docs/extractors/refusal.svg").write_text(diagram(sets))
        path = ROOT / "prefaudit/extractors/known.json"
        known = json.loads(path.read_text())
        known["refusal"] = {"cut": CUT, "question": "does the reply refuse in full?", "checks": checks[2:]}
        path.write_text("{\n" + ",\n".join(f'  "{name}": {entry(said)}' for name, said in known.items()) + "\n}\n")


def entry(said: dict[str, object]) -> str:
    """One probe of known.json, a line for each check."""
    checks = said["checks"]
    assert isinstance(checks, list)
    lines = ["".join(f"    {json.dumps(k)}: {json.dumps(v)},\n" for k, v in said.items() if k != "checks")]
    inside = ",\n".join("      " + json.dumps(check) for check in checks)
    return "{\n" + lines[0] + ('    "checks": [\n' + inside + "\n    ]\n  }" if checks else '    "checks": []\n  }')


if __name__ == "__main__":
    main()

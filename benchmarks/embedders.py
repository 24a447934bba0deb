"""Texts per CPU second: lexical, and minilm (as it is read, and as published, minilm@6) beside sentence-transformers at
its defaults on the same weights and texts.

python benchmarks/embedders.py TEXTS.parquet COLUMN [--n 400]
"""

from __future__ import annotations

import argparse
import resource
import statistics
from collections.abc import Callable

import numpy as np
import polars as pl

from prefaudit.models import Lexical, minilm
from prefaudit.models.minilm import LAYERS, folder


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def rate(texts: pl.Series, embed: Callable[[pl.Series], np.ndarray], runs: int = 3) -> tuple[str, np.ndarray]:
    embed(texts[:8])  # loads
    found, values = [], np.empty(0)
    for _ in range(runs):
        before = cpu()
        values = embed(texts)
        found.append(len(texts) / (cpu() - before))
    return f"{statistics.median(found):,.0f} texts per CPU second ({min(found):,.0f} to {max(found):,.0f})", values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts")
    parser.add_argument("column")
    parser.add_argument("--n", type=int, default=400)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    texts = pl.read_parquet(args.texts, columns=[args.column])[args.column].drop_nulls().unique(maintain_order=True)
    many = texts.sample(min(len(texts), 20_000), seed=0)
    half = len(many) // 2
    before = cpu()
    fitted = Lexical.fit(many[:half], many[half : 2 * half])
    size = f"mean {many.str.len_chars().mean():,.0f} characters"
    print(f"lexical, fitted on {half:,} pairs in {cpu() - before:.1f} CPU s; {size}")
    print("lexical:", rate(many, lambda t: fitted.embed(t).values)[0])
    few = texts.sample(args.n, seed=0)
    own = np.empty(0)
    for model in (minilm("cpu"), minilm("cpu", LAYERS)):
        said, own = rate(few, lambda t, model=model: model.embed(t).values)
        print(f"{model.name} ({model.precision}):", said, flush=True)
    from sentence_transformers import SentenceTransformer

    other = SentenceTransformer(str(folder()), device="cpu")
    said, theirs = rate(few, lambda t: other.encode(t.to_list()))
    print("sentence-transformers:", said)
    print(f"cosine of minilm@6 with it: {(own * theirs).sum(1).mean():.5f}, least {(own * theirs).sum(1).min():.5f}")


if __name__ == "__main__":
    main()

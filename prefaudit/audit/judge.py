"""Columns to statistics, statistics and columns to rules, all of it to one report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from prefaudit import stats
from prefaudit.audit.assemble import Judged, Statistics, report
from prefaudit.audit.columns import FEATURES, Columns, gather, length_of
from prefaudit.audit.distributions import distributions
from prefaudit.audit.gate import verdicts
from prefaudit.audit.judgements import judgements
from prefaudit.audit.judgements import metrics as judged_metrics
from prefaudit.audit.lens import lens
from prefaudit.audit.measure import Measures
from prefaudit.audit.principles import metrics as principle_metrics
from prefaudit.audit.principles import principles
from prefaudit.audit.read import Opened
from prefaudit.audit.slices import by_source, part, slices
from prefaudit.audit.strength import metrics as strength_metrics
from prefaudit.audit.strength import strength
from prefaudit.config import Options, half
from prefaudit.core import EFFECTS, FINDINGS, Progress, Rule, fingerprint
from prefaudit.rules import Judge
from prefaudit.stats.counted import Ids, answered, counted_rate, group_sizes
from prefaudit.store import Store
from prefaudit.store.spill import release

VERSION = 10
PERMUTATIONS = 20
TOLD = ("agreement", "position", "shortcuts", "models", "lens", "strength", "consensus", "distributions",
        "effects_by_source", "principles", "constitution")  # fmt: skip
TEXTS = ("prompt", "rejected_prompt", "chosen", "rejected", "chosen_reasoning", "rejected_reasoning", "extra")

CUT = ("group", "c.chars", "r.chars", "c.language", "r.language")  # what `slices.part` reads of the features


def judge(opened: Opened, store: Store, measures: Measures, rules: dict[str, Rule], options: Options,
          progress: Progress) -> tuple[dict[str, Any], pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """Ask the rules and put the report together.

    Returns:
        The report of docs/architecture.md, FINDINGS, EFFECTS.
    """
    release()  # what was read and measured
    statistics = _statistics(store, measures, options, progress)
    engine = Judge(rules, memory=half(options.memory))
    found, cuts = [], []
    pairs = [store.part_pairs(number) for number in range(store.parts())]
    group = np.empty(sum(pairs), np.int32)
    progress.start("judge", sum(pairs))
    for number, size in enumerate(pairs):
        frame = _part(store, measures, number, [*engine.columns(), *CUT])
        group[sum(pairs[:number]) :][:size] = frame["group"].to_numpy()
        found.append(engine.pairs(frame))
        cuts.append(part(frame))
        if number % 8 == 7:
            del frame
            release()  # what is kept of a part lies between what is not
        progress.step(size)
    progress.done()
    release()
    read = store.load("pairs/complete.json") or {}
    skipped = sum(store.read("skipped", k, ["source_row"]).height for k in range(store.parts()))
    metrics = {
        **statistics.metrics,
        "rows": read["rows"],
        "skipped": skipped,
        "skipped_rate": skipped / max(read["rows"], 1),
    }
    found.append(engine.dataset(metrics, statistics.annotators, statistics.effects,
                                partial(_parts, store, measures)))  # fmt: skip
    findings = pl.concat([pl.DataFrame(schema=FINDINGS), *found]).sort(
        "rule", "row", nulls_last=True, maintain_order=True
    )
    sizes = group_sizes(group)
    results = engine.results(partial(_interval, group, sizes))
    release()
    gates = verdicts(options, results, statistics.effects, cuts, group, engine.fired, findings)
    if gates:
        graded = {result["code"]: result["severity"] for result in results}
        findings = findings.with_columns(
            pl.col("rule").replace_strict(graded, return_dtype=pl.String).alias("severity")
        )
    sliced = slices(cuts, group, results, engine.fired)
    del group, sizes, cuts, engine, found  # the report reads texts
    release()
    told = report(opened, store, measures, statistics, Judged(rules, results, findings, sliced, gates), options)
    return told, findings, statistics.effects


def _interval(group: Ids, sizes: NDArray[np.int32], fired: pl.Series) -> tuple[float, float]:
    return counted_rate(answered(fired), group, sizes)[1:]


def _part(store: Store, measures: Measures, number: int, columns: list[str]) -> pl.DataFrame:
    """What rules see of one part: the features and texts that they name, and the pairs' small columns."""
    schema = store.schema("pairs")
    roots = {name.split(".")[0] for name in columns}
    wanted = [name for name in schema if name not in TEXTS or name in roots]
    pairs = store.read("pairs", number, wanted)
    frame = pl.concat([pairs, measures.features(number, columns).drop("row")], how="horizontal")
    return frame if "group" in frame.columns else frame.with_columns(group=pl.col("row"))


def judged(store: Store, measures: Measures, rules: Mapping[str, Rule], memory: str, code: str) -> NDArray[np.bool_]:
    """Which pairs a pair rule could judge, asked again."""
    engine = Judge({code: rules[code]}, memory=memory)
    for number in range(store.parts()):
        engine.pairs(_part(store, measures, number, engine.columns()))
    return engine.fired(code).is_not_null().to_numpy()


def _parts(store: Store, measures: Measures, names: list[str]) -> Iterator[pl.DataFrame]:
    """The named columns of each part, for dataset rules over the features."""
    own = [name for name in store.schema("pairs") if name in names]
    for number in range(store.parts()):
        frame = measures.features(number, names).drop("row")
        yield frame.hstack(store.read("pairs", number, own)) if own else frame


def _statistics(store: Store, measures: Measures, options: Options, progress: Progress) -> Statistics:
    """From the folder where they are there already, else computed and kept."""
    prints = [measures.print_of(e) for e in measures.present]
    path = f"stats/{fingerprint('stats', VERSION, measures.pairs_recipe, prints, options.seed)}.json"
    have = store.load(path)
    if have is None:
        progress.start("effects", None)
        have = _compute(gather(store, measures, options.seed), options.seed, measures)
        release()
        progress.done()
        store.save(path, have)
    return Statistics(
        effects=pl.DataFrame(have["effects"], schema=EFFECTS, orient="row"),
        summary=have["summary"],
        baselines=have["baselines"],
        annotators=pl.DataFrame(have["annotators"], schema=stats.ANNOTATORS, orient="row"),
        metrics=have["metrics"],
        known=have["known"],
        told={name: have[name] for name in TOLD},
    )  # fmt: skip


def _compute(columns: Columns, seed: int, measures: Measures) -> dict[str, Any]:
    """Everything the statistics say, as plain values that JSON keeps exactly."""
    features = columns.features
    families = {name: FEATURES[name].family for name in features}
    labels = {name: FEATURES[name].words for name in features}
    length = length_of(columns)
    options = stats.EffectOptions(labels=labels)
    codes = _codes(columns.meta["annotator"])
    effects = stats.effects(columns.y, length, features, families, columns.group, codes, seed, options)
    summary = _summary(
        effects,
        columns,
        stats.permuted(columns.y, length, features, families, columns.group, seed, PERMUTATIONS, options),
    )
    baselines = stats.baselines(columns.y, length, _Differences(features), columns.group, seed, labels)
    told = judgements(columns, length, seed)
    outside = strength(measures, columns, length)
    seen = lens(measures, columns, length, effects, seed)
    listed = principles(measures, columns, length, baselines, seed)
    return {
        "effects": seen.pop("effects").rows(),
        **seen,
        "summary": summary,
        "baselines": baselines,
        "metrics": {
            **_metrics(columns, baselines, len(told["annotators"])),
            **judged_metrics(told),
            **strength_metrics(outside),
            **principle_metrics(listed),
        },
        "known": dict(columns.counted.known),
        **told,
        **outside,
        **listed,
        "distributions": distributions(measures, columns, length),
        "effects_by_source": by_source(columns, length, seed),
    }


class _Differences(Mapping[str, np.ndarray]):
    """Chosen minus rejected, one feature at a time as it is asked for."""

    def __init__(self, features: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self._features = features

    def __getitem__(self, name: str) -> np.ndarray:
        chosen, rejected = self._features[name]
        return np.asarray(chosen - rejected)

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


def _codes(annotator: pl.Series) -> np.ndarray | None:
    """Annotators as numbers, -1 where not known; None where no row names one."""
    if annotator.null_count() == annotator.len():
        return None
    names = annotator.drop_nulls().unique().sort()
    codes = annotator.replace_strict(names, pl.Series(np.arange(len(names))), default=-1, return_dtype=pl.Int64)
    return codes.fill_null(-1).to_numpy()


def _summary(effects: pl.DataFrame, columns: Columns, permuted: Mapping[str, Any]) -> dict[str, Any]:
    null = stats.EffectOptions().null
    told = effects.filter(pl.col("delta_win").is_not_null() & pl.col("low").is_not_null())
    total = columns.counted.numbers["pairs"]
    return {
        "n": len(columns.y),
        **({"of": total} if len(columns.y) < total else {}),
        "groups": len(stats.distinct(columns.group)),
        "features": told.height,
        "exceeding": told.filter(pl.col("bound").abs() > null).height,
        **permuted,
        "note": "" if told.height else "no effect could be told; see the note of each",
    }


def _metrics(columns: Columns, baselines: Mapping[str, Any], annotators: int) -> dict[str, Any]:
    """The numbers that dataset rules read; one that is not known is left out."""
    told, pairs = columns.counted.numbers, columns.counted.numbers["pairs"]
    found: dict[str, Any] = {
        "pairs": pairs, "unpaired": columns.counted.unpaired, "ties": told["ties"], "both_bad": told["both_bad"],
        "groups": told["groups"], "largest_group": told["largest_group"], "annotators": annotators or None,
        "distinct_chosen": told["distinct_chosen"], "distinct_rejected": told["distinct_rejected"],
        "top_chosen_share": told["top_chosen"] / pairs if pairs else None,
        "top_rejected_share": told["top_rejected"] / pairs if pairs else None,
    }  # fmt: skip
    if pairs:
        won = pairs - told["ties"] - told["both_bad"]
        found |= {"tie_rate": 1 - won / pairs, "largest_group_share": told["largest_group"] / pairs}
    for name in ("length_auc", "text_auc", "longer_wins"):
        if baselines.get(name) is not None:
            found[name] = baselines[name]
            found[f"{name}_low"], found[f"{name}_high"] = baselines[f"{name}_interval"]
    return found

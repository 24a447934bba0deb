"""Pairs written in a layout of the user's choice: --to."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from prefaudit.core import UsageError, unknown
from prefaudit.repair import target
from prefaudit.repair.choose import Reason
from prefaudit.repair.cut import Bools
from prefaudit.repair.evidence import Evidence
from prefaudit.repair.session import Session
from prefaudit.sources.locate import CONTAINERS, suffix

if TYPE_CHECKING:
    from prefaudit.repair.filtering import Changes, Where

TOLD = ("margin", "score_chosen", "score_rejected", "source", "annotator", "model_chosen", "model_rejected")
AUGMENTED = "reward-augmented"
GOAL = "Give an answer with a score of {}."
READ = (
    "row",
    "prompt",
    "rejected_prompt",
    "chosen",
    "rejected",
    "chosen_reasoning",
    "rejected_reasoning",
    "label",
    *TOLD,
)
SWAPPED = {"chosen": "rejected", "chosen_reasoning": "rejected_reasoning", "score_chosen": "score_rejected",
           "model_chosen": "model_rejected"}  # fmt: skip


def check(to: str, out: Path) -> None:
    """Raises UsageError for a layout that is not written, or a name of another container."""
    if to not in WRITTEN:
        raise unknown("layout in --to", to, WRITTEN)
    kind = CONTAINERS.get(suffix(out), "")
    able = ("json",) if to == "annotated-pairs" else ("jsonl", "parquet")
    if kind not in able:
        raise UsageError(f"{out}: {to} is written as {' or '.join(able)}", f"name a file ending in .{able[0]}")
    if kind == "parquet" and target.compression(out):
        raise UsageError(f"{out}: Parquet is compressed inside", "name a file ending in .parquet")


def cannot(evidence: Evidence, to: str) -> list[Reason]:
    """Pairs that a layout cannot say: ties, single replies, two prompts, roles it has no word for."""
    found: list[tuple[str, Any]] = []
    columns = evidence.pair_columns("label", "hash_chosen", "hash_rejected")
    lone = (columns["hash_chosen"].is_null() | columns["hash_rejected"].is_null()).to_numpy()
    tied = (columns["label"] != "chosen").to_numpy()
    if to != "kto":
        found.append(("a single reply", lone))
    if to != "annotated-pairs":
        found.append(("a tie", tied & ~lone))
    two, roles = _prompts(evidence)
    if to not in ("hh", "kto"):
        found.append(("two different prompts", two))
    if to == "hh":
        found.append(("a system or tool turn", roles))
    if to == AUGMENTED:
        found.append(("answers without two different scores", _unscored(evidence) & ~lone & ~tied))
    reasons = []
    for what, mask in found:
        rows = np.flatnonzero(mask)
        if len(rows):
            reasons.append(Reason("LAYOUT", rows, np.full(len(rows), np.nan), f"{to} cannot say {what}"))
    return reasons


def _unscored(evidence: Evidence) -> Bools:
    scores = evidence.pair_columns("score_chosen", "score_rejected").cast(pl.Float64)
    a, b = (scores[c].fill_null(float("nan")).to_numpy() for c in ("score_chosen", "score_rejected"))
    able: Bools = np.isfinite(a) & np.isfinite(b) & (np.round(a, 6) != np.round(b, 6))
    if not able.any():
        raise UsageError(
            f"--to {AUGMENTED} needs a score of each answer, and no pair of this data has two different ones",
            "name the columns that hold them: --map score_chosen=COLUMN --map score_rejected=COLUMN",
        )
    return ~able


def _prompts(evidence: Evidence) -> tuple[Bools, Bools]:
    two, roles = [], []
    for k in range(evidence.store.parts()):
        frame = evidence.store.read("pairs", k, ["prompt", "rejected_prompt"])
        two.append(frame["rejected_prompt"].is_not_null().to_numpy())
        said = frame.select(
            pl.any_horizontal(
                pl.col(c).list.eval(~pl.element().struct.field("role").is_in(["user", "assistant"])).list.any()
                .fill_null(False) for c in ("prompt", "rejected_prompt")
            ).alias("other")
        )  # fmt: skip
        roles.append(said["other"].to_numpy())
    return np.concatenate(two), np.concatenate(roles)


def write(work: Session, temporary: Path, where: Where, changes: Changes) -> None:
    """Write the pairs that stay, in the layout `where.to`, part by part.

    Reasoning that reading cut off is put before its answer again, between <think> tags.
    """
    assert where.out is not None and where.to is not None
    frames = (WRITTEN[where.to](frame) for frame in _pairs(work.evidence, changes))
    if where.to == "annotated-pairs":
        _document(work, temporary, where.out, frames)
    elif CONTAINERS[suffix(where.out)] == "parquet":
        writer: Any = None
        for frame in frames:
            table = frame.to_arrow()
            writer = writer or pq.ParquetWriter(temporary, table.schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
        writer.close()
    else:
        with target.opened(temporary, target.compression(where.out)) as out:
            for frame in frames:
                out.write(_lines(frame))


def _lines(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ndjson(buffer)
    return buffer.getvalue()


def _pairs(evidence: Evidence, changes: Changes) -> Iterator[pl.DataFrame]:
    """The pairs that stay, turned ones turned, answers whole, added columns beside them."""
    known = [c for c in TOLD if any(evidence.store.read("pairs", k, [c])[c].null_count()
             < evidence.store.part_pairs(k) for k in range(evidence.store.parts()))]  # fmt: skip
    for k in range(evidence.store.parts()):
        frame = evidence.store.read("pairs", k, [c for c in READ if c not in TOLD or c in known])
        row = frame["row"].to_numpy()
        frame = frame.with_columns(turned=pl.Series(changes.turned[row]))
        if changes.copies is not None:
            times = np.column_stack([c[row] for c in changes.copies]).ravel()
            frame = frame[np.repeat(np.arange(len(row)).repeat(2), times)]
            against = pl.Series(np.repeat(np.tile([False, True], len(row)), times))
            frame = frame.with_columns(turned=pl.col("turned") != against)
            row = frame["row"].to_numpy()
        swaps = []
        for a, b in SWAPPED.items():
            if a in frame.columns and b in frame.columns:
                swaps += [
                    pl.when("turned").then(b).otherwise(a).alias(a),
                    pl.when("turned").then(a).otherwise(b).alias(b),
                ]
        if "margin" in frame.columns:
            swaps.append(pl.when("turned").then(-pl.col("margin")).otherwise("margin").alias("margin"))
        other = pl.col("rejected_prompt").fill_null(pl.col("prompt"))
        swaps += [pl.when("turned").then(other).otherwise("prompt").alias("prompt"),
                  pl.when("turned").then("prompt").otherwise(other).alias("rejected_prompt")]  # fmt: skip
        frame = frame.with_columns(swaps).with_columns(_whole("chosen"), _whole("rejected"))
        frame = frame.with_columns(pl.Series(name, values[row]) for name, values in changes.added.items())
        keep = pl.Series(~changes.gone[row])
        yield frame.drop("turned", "chosen_reasoning", "rejected_reasoning").filter(keep)


def _whole(side: str) -> pl.Expr:
    thought = pl.format("<think>\n{}\n</think>\n\n{}", f"{side}_reasoning", pl.col(side).fill_null(""))
    return pl.when(pl.col(f"{side}_reasoning").is_not_null()).then(thought).otherwise(side).alias(side)


def _said(frame: pl.DataFrame) -> list[str]:
    return [c for c in frame.columns if c not in READ or c in TOLD]


def _turn(text: str | pl.Expr, role: str = "assistant") -> pl.Expr:
    content = pl.col(text) if isinstance(text, str) else text
    return pl.concat_list(pl.struct(pl.lit(role).alias("role"), content.alias("content")))


def _trl(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("prompt", _turn("chosen").alias("chosen"), _turn("rejected").alias("rejected"), *_said(frame))


def _hh(frame: pl.DataFrame) -> pl.DataFrame:
    names = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: "}
    turn = pl.element().struct
    said = pl.concat_str(turn.field("role").replace(names), turn.field("content").fill_null(""))
    return frame.select(
        *(pl.concat_str(pl.col(p).list.eval(said).list.join(""), pl.lit("\n\nAssistant: "), pl.col(side)).alias(side)
          for p, side in (("prompt", "chosen"), ("rejected_prompt", "rejected"))),
        *_said(frame),
    )  # fmt: skip


def _sharegpt(frame: pl.DataFrame) -> pl.DataFrame:
    names = {"user": "human", "assistant": "gpt", "tool": "observation"}
    turn = pl.element().struct
    said = pl.struct(turn.field("role").replace(names).alias("from"), turn.field("content").alias("value"))
    answers = (
        pl.struct(pl.lit("gpt").alias("from"), pl.col(s).alias("value")).alias(s) for s in ("chosen", "rejected")
    )
    return frame.select(pl.col("prompt").list.eval(said).alias("conversations"), *answers, *_said(frame))


def _kto(frame: pl.DataFrame) -> pl.DataFrame:
    """Two rows a pair, the desirable one first; one of a single reply."""
    sides = []
    for side, prompt, good in (("chosen", "prompt", True), ("rejected", "rejected_prompt", False)):
        one = frame.filter(pl.col(side).is_not_null()).select(
            pl.col("row"), pl.col(prompt).alias("prompt"), _turn(side).alias("completion"), pl.lit(good).alias("label"),
            *(c for c in ("source", "annotator") if c in frame.columns),
        )  # fmt: skip
        sides.append(one)
    return pl.concat(sides).sort("row", maintain_order=True).drop("row")


def _annotated(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _document(work: Session, temporary: Path, out: Path, frames: Iterator[pl.DataFrame]) -> None:
    """An AnnotatedPairs document; response_a is the chosen answer of a row with an even number."""
    head = {"metadata": {"version": "2.0", "default_annotator": "label", "available_metadata_keys_per_comparison":
                         ["source"], "dataset_name": work.evidence.audit.report["dataset"]["fingerprint"]},
            "annotators": {"label": {"name": "label of the dataset", "type": "unknown"}}}  # fmt: skip
    with target.opened(temporary, target.compression(out)) as stream:
        stream.write(json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "comparisons": [\n')
        first = True
        for frame in frames:
            for pair in frame.iter_rows(named=True):
                text = json.dumps(_comparison(pair), ensure_ascii=False)
                stream.write((b"" if first else b",\n") + text.encode("utf-8", "surrogatepass"))
                first = False
        stream.write(b"\n]}\n")


def _comparison(pair: dict[str, Any]) -> dict[str, Any]:
    sides = ("chosen", "rejected") if pair["row"] % 2 == 0 else ("rejected", "chosen")
    turns = pair["prompt"] or []
    single = len(turns) == 1 and turns[0]["role"] == "user"
    prompt = turns[0]["content"] if single else "\n\n".join(f"{m['role']}: {m['content'] or ''}" for m in turns)
    pref = "tie" if pair["label"] != "chosen" else "ab"[sides.index("chosen")]
    answers = {
        f"response_{name}": {"text": pair[side], "model": pair.get(f"model_{side}")}
        for name, side in zip("ab", sides, strict=True)
    }
    meta = {"source": pair["source"]} if pair.get("source") is not None else {}
    return {
        "id": str(pair["row"]),
        "prompt": prompt,
        **answers,
        "annotations": {"label": {"pref": pref}},
        "metadata": meta,
    }


def _augmented(frame: pl.DataFrame) -> pl.DataFrame:
    """Two rows a pair, each asking for the score of the answer that is then the chosen one; see docs/repair.md."""
    sides = []
    for place, (side, other) in enumerate((("chosen", "rejected"), ("rejected", "chosen"))):
        goal = pl.col(f"score_{side}").round(6)
        asked = pl.format(GOAL, goal.cast(pl.String).str.strip_suffix(".0"))
        first = pl.col("prompt").list.first().struct
        system = (first.field("role") == "system").fill_null(False)
        said = pl.when(system).then(pl.format("{}\n\n{}", first.field("content").fill_null(""), asked)).otherwise(asked)
        rest = pl.when(system).then(pl.col("prompt").list.slice(1)).otherwise("prompt")
        one = frame.select(
            pl.col("row"), pl.lit(place).alias("place"), pl.concat_list(_turn(said, "system"), rest).alias("prompt"),
            _turn(side).alias("chosen"), _turn(other).alias("rejected"), goal.alias("goal"),
            pl.col(f"score_{side}").alias("score_chosen"), pl.col(f"score_{other}").alias("score_rejected"),
            *(c for c in ("source", "annotator") if c in frame.columns),
        )  # fmt: skip
        sides.append(one)
    return pl.concat(sides).sort("row", "place").drop("row", "place")


WRITTEN: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "trl": _trl, "hh": _hh, "sharegpt": _sharegpt, "kto": _kto, "annotated-pairs": _annotated,
    AUGMENTED: _augmented,
}  # fmt: skip

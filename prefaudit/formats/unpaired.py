"""One reply a row: desirable or not (KTO), or with a score. Rows that share a prompt are brought together."""

from __future__ import annotations

from typing import Any

from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Read, Reading
from prefaudit.formats.build import items
from prefaudit.formats.columns import Col, Columns
from prefaudit.formats.explicit import last_user
from prefaudit.formats.sample import Sample, is_answer, is_conversation, is_number
from prefaudit.formats.sql import PROMPT

PLACED = "source_row, group_row as g, group_index as i, group_size as n"
NOTHING = f"{{'m': [], 'bad': null}}::{PROMPT}"
GOOD = ("true", "1", "1.0", "yes", "desirable", "good", "positive", "thumbs_up", "chosen")
BAD = ("false", "0", "0.0", "-1", "-1.0", "no", "undesirable", "bad", "negative", "thumbs_down", "rejected")


def _good(col: Col) -> str:
    """SQL boolean: whether the reply is a desirable one."""
    return f"({sql.words(col.text, {'true': GOOD, 'false': BAD})})::boolean"


def kto(prompt: str | None, answer: str, label: str) -> Read:
    """The reading of KTO rows: pairs where a prompt has both labels, single replies where it has one.

    With u desirable and d undesirable replies there are max(u, d) pairs: the t-th of the larger side meets the t-th of
    the smaller, which starts again when it is used up. So every reply is in a pair, and none weighs more than it must.
    """

    def read(c: Columns) -> Reading:
        meta = "".join(
            f", {c.text(*names)} as {name}"
            for name, names in (("mod", ("model",)), ("src", ("source", "dataset")), ("ann", ("annotator",)))
        )
        asked = c[prompt].prompt if prompt else NOTHING
        table = f"""(with rows as (select {PLACED}, {asked} as prompt, {c[answer].answer} as answer,
                {_good(c[label])} as good{meta} from part),
            marked as (select *, case when answer.text is not null then good end as side from rows),
            ranked as (select *, row_number() over (partition by g, side order by i) - 1 as t,
                count(*) filter (where side) over (partition by g) as up,
                count(*) filter (where not side) over (partition by g) as down from marked)
            select x.g, x.i, y.i as j, x.source_row as xr, y.source_row as yr, x.prompt as prompt, x.answer as a,
                y.answer as b, true as good, x.mod as ma, y.mod as mb, x.src as src, x.ann as ann
            from ranked x join ranked y on x.g = y.g and x.side and not y.side
                and ((x.up >= x.down and y.t = x.t % x.down) or (x.up < x.down and x.t = y.t % x.up))
            union all
            select g, i, i, source_row, source_row, prompt, case when side is distinct from false then answer end,
                case when side = false then answer end, good, case when good then mod end,
                case when not good then mod end, src, ann
            from ranked where side is null or up = 0 or down = 0)"""
        return Reading(
            prompt="prompt",
            a="a",
            b="b",
            table=table,
            keys=("g", "i", "j"),
            row_a="xr",
            row_b="yr",
            single=True,
            reason="case when (a.text is not null or b.text is not null) and good is null "
            "then 'the label is missing or unknown' end",
            source="src",
            annotator="ann",
            model_a="ma",
            model_b="mb",
            extra="null",
        )

    return read


def _labelled(sample: Sample, answer: str, label: str) -> str:
    if sample.share(answer, is_answer) < 0.5:
        return f"the values of {answer!r} are neither text nor messages"
    known = {*GOOD, *BAD}
    if not sample.values(label) or sample.share(label, lambda v: str(v).lower() in known) < 0.9:
        return f"the values of {label!r} are not true and false"
    return ""


def _singles(pairs: list[PairDict], write: Any) -> list[dict[str, Any]]:
    return [write(pair, side) for pair in pairs for side in ("chosen", "rejected") if pair[side] is not None]


def _completion(name: str, about: str, hidden: bool = False, answer: str = "completion") -> Layout:
    return Layout(
        name,
        "TRL unpaired (KTO)" if not hidden else "columns named with --map",
        about,
        ("prompt", answer, "label"),
        kto("prompt", answer, "label"),
        lambda pairs: _singles(
            pairs, lambda p, side: {"prompt": p["prompt"], answer: p[side], "label": side == "chosen"}
        ),
        lambda s: _labelled(s, answer, "label"),
        {"prompt": "prompt", "completion": answer, "label": "label"},
        (),
        hidden=hidden,
        group=lambda c: c["prompt"].raw,
        verified=hidden,
    )


KTO = _completion("kto", "prompt, completion, label true or false")
KTO_COLUMNS = _completion("columns-unpaired", "--map prompt=, completion=, label=", hidden=True)


def _context(name: str) -> Any:
    """The key of a row whose messages end with the reply: the turns before it."""
    return lambda c: f"(({c[name].answer}).context)::varchar"


def _messages_fit(sample: Sample) -> str:
    if sample.share("messages", is_conversation) < 0.5:
        return "'messages' does not hold message lists"
    if "rejected_response" in sample or "rejected" in sample or "completion" in sample:
        return "there is a column for the rejected answer"
    return _labelled(sample, "messages", "label")


KTO_MESSAGES = Layout(
    "kto-messages",
    "KTO with messages",
    "messages that end with the reply, label: LLaMA-Factory and ms-swift KTO",
    ("messages", "label"),
    kto(None, "messages", "label"),
    lambda pairs: _singles(
        pairs,
        lambda p, side: {
            "messages": [*p["prompt"], {"role": "assistant", "content": p[side]}],
            "label": side == "chosen",
        },
    ),
    _messages_fit,
    {"completion": "messages", "label": "label"},
    (),
    True,
    group=_context("messages"),
)


def scored(answer: str, score: str, prompt: str = "prompt") -> Read:
    """The reading of rows with a score a reply: every two replies to one prompt are a pair."""

    def read(c: Columns) -> Reading:
        return items(
            f"""select {PLACED}, {c[prompt].prompt} as prompt, {c[answer].answer} as answer, {c[score].number} as score,
            {c.text("model", "model_name")} as model, {c.text("source", "dataset")} as source,
            {c.text("annotator", "worker")} as annotator, {_aspects(c)} as extra from part"""
        )

    return read


ASPECTS = ("correctness", "coherence", "complexity", "verbosity")


def _aspects(c: Columns) -> str:
    found = [name for name in ASPECTS if name in c]
    if not found:
        return "null::varchar"
    return "json_object(" + ", ".join(f"{sql.literal(n)}, {c[n].number}" for n in found) + ")::varchar"


def _score_rows(answer: str, score: str) -> Any:
    def rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
        out = []
        for pair in pairs:
            high, low = (3, 3) if pair["label"] == "tie" else (4, 1)
            for side, value in (("chosen", high), ("rejected", low)):
                out.append({"prompt": last_user(pair), answer: pair[side], score: value})
        return out

    return rows


def _scores_fit(answer: str, score: str) -> Any:
    def fits(sample: Sample) -> str:
        if sample.share(answer, is_answer) < 0.5:
            return f"the values of {answer!r} are neither text nor messages"
        return "" if sample.share(score, is_number) > 0.5 else f"the values of {score!r} are not numbers"

    return fits


HELPSTEER2 = Layout(
    "helpsteer2",
    "HelpSteer2 ratings",
    "prompt, response, helpfulness 0 to 4: the replies to one prompt are compared",
    ("prompt", "response", "helpfulness"),
    scored("response", "helpfulness"),
    _score_rows("response", "helpfulness"),
    _scores_fit("response", "helpfulness"),
    {"prompt": "prompt", "completion": "response", "score": "helpfulness"},
    ("tie",),
    group=lambda c: c["prompt"].raw,
)
SCORED = Layout(
    "scored",
    "scored replies",
    "prompt, response, score: the replies to one prompt are compared",
    ("prompt", "response", "score"),
    scored("response", "score"),
    _score_rows("response", "score"),
    _scores_fit("response", "score"),
    {"prompt": "prompt", "completion": "response", "score": "score"},
    ("tie",),
    True,
    group=lambda c: c["prompt"].raw,
)
SCORED_COLUMNS = Layout(
    "columns-scored",
    "columns named with --map",
    "--map prompt=, completion=, score=",
    ("prompt", "completion", "score"),
    scored("completion", "score"),
    _score_rows("completion", "score"),
    _scores_fit("completion", "score"),
    {"prompt": "prompt", "completion": "completion", "score": "score"},
    ("tie",),
    True,
    hidden=True,
    group=lambda c: c["prompt"].raw,
)


def _prism(c: Columns) -> Reading:
    reading = items(
        f"""select {PLACED}, {c["user_prompt"].prompt} as prompt, {c["model_response"].answer} as answer,
        {c["score"].number} as score, {c.text("model_name")} as model, null::varchar as source,
        {c.text("user_id")} as annotator, json_object('interaction_id', {c.text("interaction_id")},
            'conversation_id', {c.text("conversation_id")}, 'turn', {c.number("turn")})::varchar as extra from part"""
    )
    return reading


def _prism_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    out = []
    for n, pair in enumerate(pairs):
        high, low = (50, 50) if pair["label"] == "tie" else (90, 10)
        for side, value, model in (("chosen", high, "model_chosen"), ("rejected", low, "model_rejected")):
            out.append(
                {
                    "interaction_id": f"i{n}",
                    "conversation_id": "c",
                    "user_id": pair.get("annotator"),
                    "turn": 0,
                    "user_prompt": last_user(pair),
                    "model_response": pair[side],
                    "model_name": pair.get(model),
                    "score": value,
                }
            )
    return out


PRISM = Layout(
    "prism",
    "PRISM utterances",
    "one reply a row, compared within interaction_id by score 1 to 100",
    ("interaction_id", "user_prompt", "model_response", "score"),
    _prism,
    _prism_rows,
    fields={"prompt": "user_prompt", "completion": "model_response", "score": "score", "group": "interaction_id"},
    carries=("tie", "model_chosen", "model_rejected", "annotator"),
    group=lambda c: c["interaction_id"].text,
)


def _alternating(c: Columns) -> Reading:
    answer = sql.answer_transcript(c["text"].string)
    return items(
        f"""select {PLACED}, {NOTHING} as prompt, {answer} as answer,
        (group_index = 0)::int::double as score, null::varchar as model, null::varchar as source,
        null::varchar as annotator, null::varchar as extra from part"""
    )


NEMO_RM = Layout(
    "nemo-aligner-rm",
    "NeMo-Aligner reward model",
    "text: even lines chosen, odd lines rejected; only with --format",
    ("text",),
    _alternating,
    lambda pairs: [
        {
            "text": "".join(
                {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: "}[m["role"]] + m["content"] for m in p["prompt"]
            )
            + "\n\nAssistant: "
            + p[side]
        }
        for p in pairs
        for side in ("chosen", "rejected")
    ],
    fields={"completion": "text"},
    group=lambda c: "source_row // 2",
    hidden=True,
)

LAYOUTS = (KTO, KTO_COLUMNS, KTO_MESSAGES, HELPSTEER2, SCORED, SCORED_COLUMNS, PRISM, NEMO_RM)

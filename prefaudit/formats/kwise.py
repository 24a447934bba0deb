"""Layouts of one prompt and several answers in a row, with ratings, ranks or a best one: every two are a pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.build import items
from prefaudit.formats.columns import Columns
from prefaudit.formats.explicit import last_user
from prefaudit.formats.sample import Sample, is_texts

NULL = "null::varchar"


def _elements(
    c: Columns,
    column: str,
    prompt: str,
    answer: str,
    score: str,
    *,
    model: str = NULL,
    extra: str = NULL,
    source: str = NULL,
    ranked: bool = False,
) -> Reading:
    """Every two elements of a JSON list; `answer`, `score` and `model` are SQL over `e`, an element, and `k`."""
    table = f"""(select *, unnest(json_extract({c[column].json}, '$[*]')) as e,
        generate_subscripts(json_extract({c[column].json}, '$[*]'), 1) as k,
        json_array_length({c[column].json}) as size from part)"""
    return items(
        f"""select source_row, source_row as g, k as i, size as n, {prompt} as prompt, {answer} as answer,
        {score} as score, {model} as model, {source} as source, {NULL} as annotator, {extra} as extra from {table}""",
        ranked=ranked,
    )


def _answer(value: str) -> str:
    return f"(list_transform([{value}], lambda js: {sql.answer_json('js')})[1])"


def _ultrafeedback(c: Columns) -> Reading:
    ratings = ", ".join(
        f"try_cast(e->>'$.annotations.{a}.Rating' as double)"
        for a in ("instruction_following", "truthfulness", "honesty", "helpfulness")
    )
    score = f"coalesce(try_cast(e->>'$.overall_score' as double), list_avg([{ratings}]))"
    return _elements(
        c,
        "completions",
        c["instruction"].prompt,
        _answer("e->'$.response'"),
        score,
        model="e->>'$.model'",
        source=c.text("source"),
        extra="json_object('principle', e->'$.principle')::varchar",
    )


def ladder(pair: PairDict) -> list[tuple[str, float]]:
    """Two answers with a score each, in the order they were presented."""
    order = ("rejected", "chosen") if pair.get("first") == 0 else ("chosen", "rejected")
    high = {"chosen": 5.0, "rejected": 5.0 if pair["label"] == "tie" else 2.0}
    return [(side, high[side]) for side in order]


def _ultrafeedback_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    return [
        {
            "source": p.get("source"),
            "instruction": last_user(p),
            "models": [],
            "completions": [
                {
                    "model": p.get(f"model_{side}"),
                    "principle": "helpfulness",
                    "response": p[side],
                    "annotations": {},
                    "overall_score": score,
                }
                for side, score in ladder(p)
            ],
        }
        for p in pairs
    ]


def _list_fits(column: str, key: str) -> Any:
    def fits(sample: Sample) -> str:
        if (
            sample.share(column, lambda v: isinstance(v, list) and all(isinstance(x, dict) and key in x for x in v))
            < 0.5
        ):
            return f"{column!r} does not hold lists of objects with {key!r}"
        return ""

    return fits


ULTRAFEEDBACK = Layout(
    "ultrafeedback",
    "UltraFeedback",
    "instruction, completions{response, model, overall_score or annotations}",
    ("instruction", "completions"),
    _ultrafeedback,
    _ultrafeedback_rows,
    _list_fits("completions", "response"),
    {"prompt": "instruction"},
    ("tie", "model_chosen", "model_rejected", "source"),
    pairs_per_row=6,
)


def _nectar(c: Columns) -> Reading:
    return _elements(
        c,
        "answers",
        c["prompt"].prompt,
        _answer("e->'$.answer'"),
        "-try_cast(e->>'$.rank' as double)",
        model="e->>'$.model'",
        source=c.text("source"),
        ranked=True,
    )


NECTAR = Layout(
    "nectar",
    "Nectar",
    "prompt (a transcript), answers{answer, rank, model}: rank 1 is best",
    ("prompt", "answers"),
    _nectar,
    lambda pairs: [
        {
            "prompt": "".join(
                {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: "}[m["role"]] + m["content"] for m in p["prompt"]
            )
            + "\n\nAssistant: ",
            "answers": [
                {"answer": p[side], "model": p.get(f"model_{side}"), "rank": 6 - score} for side, score in ladder(p)
            ],
        }
        for p in pairs
    ],
    _list_fits("answers", "rank"),
    {"prompt": "prompt"},
    ("tie", "model_chosen", "model_rejected"),
    pairs_per_row=21,
)


def _nemo(c: Columns) -> Reading:
    return _elements(
        c,
        "completions",
        c["context"].prompt,
        _answer("e->'$.completion'"),
        "-try_cast(e->>'$.rank' as double)",
        ranked=True,
    )


NEMO_RL = Layout(
    "nemo-rl",
    "NeMo-RL preferences",
    "context (messages), completions{rank, completion (messages)}: rank 0 is best",
    ("context", "completions"),
    _nemo,
    lambda pairs: [
        {
            "context": p["prompt"],
            "completions": [
                {"rank": 5 - score, "completion": [{"role": "assistant", "content": p[side]}]}
                for side, score in ladder(p)
            ],
        }
        for p in pairs
    ],
    _list_fits("completions", "completion"),
    {"prompt": "context"},
    ("tie",),
)


def _distilabel(c: Columns) -> Reading:
    models = c.get("generation_models", "model_names", "generations_models")
    model = f"json_extract({models.json}, '$[*]')[k]->>'$'" if models else NULL
    score = f"try_cast(json_extract({c['ratings'].json}, '$[*]')[k]->>'$' as double)"
    return _elements(c, "generations", c["instruction"].prompt, _answer("e"), score, model=model)


DISTILABEL = Layout(
    "distilabel",
    "distilabel ratings",
    "instruction, generations[], ratings[], (generation_models[])",
    ("instruction", "generations", "ratings"),
    _distilabel,
    lambda pairs: [
        {
            "instruction": last_user(p),
            "generations": [p[side] for side, _ in ladder(p)],
            "ratings": [score for _, score in ladder(p)],
            "generation_models": [p.get(f"model_{side}") for side, _ in ladder(p)],
        }
        for p in pairs
    ],
    lambda s: "" if s.share("generations", is_texts) > 0.5 else "'generations' does not hold lists of texts",
    {"prompt": "instruction"},
    ("tie", "model_chosen", "model_rejected"),
    pairs_per_row=6,
)


def wide(c: Columns, prompt: str, answers: list[str], scores: list[str], *, same: str = "") -> Reading:
    """Every two of some answer columns; `scores` are SQL, one a column."""
    pairs = ", ".join(
        f"{{'k': {n}, 'answer': {c[a].answer}, 'score': {s}}}"
        for n, (a, s) in enumerate(zip(answers, scores, strict=True))
    )
    return items(
        f"""select source_row, source_row as g, e.k as i, {len(answers)} as n, prompt, e.answer as answer,
        e.score as score, {NULL} as model, {NULL} as source, {NULL} as annotator, {NULL} as extra
        from (select source_row, {prompt} as prompt, unnest([{pairs}]) as e from part)""",
        same=same,
    )


def _argilla(c: Columns) -> Reading:
    names = sorted(
        (n for n in c.kinds if n.startswith("generations-") and n.split("-")[1:][0].isdigit() and n.count("-") == 1),
        key=lambda n: int(n.split("-")[1]),
    )
    return wide(c, c["instruction"].prompt, names, [_argilla_score(c, n) for n in names])


def _argilla_score(c: Columns, name: str) -> str:
    """SQL of a rating that may be a number, a list of answers to the question, or an object with a value."""
    found = c.get(f"{name}-rating", f"{name}-rating.responses", f"{name}-rating.suggestion")
    if found is None:
        return "null::double"
    j = found.json
    return f"try_cast(coalesce(pf_scalar({j}), {j}->0->>'$.value', {j}->>'$.value', {j}->>0) as double)"


ARGILLA = Layout(
    "argilla",
    "Argilla preference questions",
    "instruction, generations-0.., generations-0-rating..",
    ("instruction", "generations-0", "generations-1"),
    _argilla,
    lambda pairs: [
        {
            "instruction": last_user(p),
            **{f"generations-{n}": p[side] for n, (side, _) in enumerate(ladder(p))},
            **{f"generations-{n}-rating": score for n, (_, score) in enumerate(ladder(p))},
        }
        for p in pairs
    ],
    lambda s: "" if any(n.startswith("generations-0-rating") for n in s.kinds) else "no column 'generations-0-rating'",
    {"prompt": "instruction"},
    ("tie",),
    pairs_per_row=6,
)

PREDICTIONS = [f"prediction {n}" for n in range(1, 5)]
ORDER = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))


def _finegrained(c: Columns) -> Reading:
    """Six verdicts in the order 1v2 1v3 1v4 2v3 2v4 3v4: 0 none, 1 the first, 2 the second."""
    said = f"json_extract({c['preference'].json}, '$[*]')"
    listed = ", ".join(
        f"{{'k': {n}, 'a': {c[f'prediction {x}'].answer}, 'b': {c[f'prediction {y}'].answer}, "
        f"'said': try_cast({said}[{n + 1}] as double)}}"
        for n, (x, y) in enumerate(ORDER)
    )
    table = f"(select source_row, {c['question'].prompt} as prompt, unnest([{listed}]) as e from part)"
    return Reading(
        prompt="prompt",
        a="e.a",
        b="e.b",
        first="1",
        table=table,
        keys=("source_row", "e.k"),
        extra="null",
        label="case e.said when 0 then 'tie' when 1 then 'a' when 2 then 'b' end",
    )


def _finegrained_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    out = []
    for p in pairs:
        sides = [side for side, _ in ladder(p)]
        won = 0 if p["label"] == "tie" else 1 + sides.index("chosen")
        texts = {f"prediction {n + 1}": p[side] for n, side in enumerate(sides)}
        out.append(
            {
                "question": last_user(p),
                **texts,
                "prediction 3": None,
                "prediction 4": None,
                "preference": [won, 0, 0, 0, 0, 0],
            }
        )
    return out


FINEGRAINED = Layout(
    "finegrained-rlhf",
    "Fine-grained RLHF",
    "question, prediction 1 to 4, preference[6] of 0 none, 1 first, 2 second",
    ("question", *PREDICTIONS, "preference"),
    _finegrained,
    _finegrained_rows,
    fields={"prompt": "question"},
    carries=("tie", "first"),
    verified=True,
    pairs_per_row=6,
)


def _human(c: Columns) -> Reading:
    names = sorted((n for n in c.kinds if n.startswith("sample") and n[6:].isdigit()), key=lambda n: int(n[6:]))
    best = c["best"].number
    r = wide(
        c,
        c["query"].prompt,
        names,
        [f"({best} = {n[6:]})::int::double" for n in names],
        same="x.score = 1 or y.score = 1 or x.score is null",
    )
    tokens = "'the answers are token ids; decode them first'"
    coded = f"case when a.bad is not null and b.bad is not null then {tokens} end"
    return replace(r, score_a="null", score_b="null", reason=coded)


LM_HUMAN = Layout(
    "lm-human-preferences",
    "lm-human-preferences",
    "query, sample0..3, best: the best one against each of the others",
    ("query", "sample0", "sample1", "best"),
    _human,
    lambda pairs: [
        {
            "query": last_user(p),
            **{f"sample{n}": p[side] for n, (side, _) in enumerate(ladder(p))},
            "best": [side for side, _ in ladder(p)].index("chosen"),
        }
        for p in pairs
    ],
    fields={"prompt": "query"},
    pairs_per_row=3,
)

LAYOUTS = (ULTRAFEEDBACK, NECTAR, NEMO_RL, DISTILABEL, ARGILLA, FINEGRAINED, LM_HUMAN)

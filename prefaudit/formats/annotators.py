"""Layouts where several people judged one pair in one row: PandaLM, MultiPref, and AnnotatedPairs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.columns import Columns
from prefaudit.formats.explicit import last_user
from prefaudit.formats.judged import judged, majority, placed, shifted
from prefaudit.formats.sample import Sample, is_number
from prefaudit.formats.sql import VOTES

PEOPLE = ("annotator1", "annotator2", "annotator3")


def _panda_votes(c: Columns) -> str:
    each = ", ".join(
        f"{{'annotator': '{p}', 'vote': case {c[p].number} when 1 then 1 when 2 then 0 when 0 then 0.5 end}}"
        for p in PEOPLE
        if p in c
    )
    return f"list_filter([{each}]::{VOTES}, lambda v: v.vote is not null)"


def _panda(c: Columns, r: Reading) -> Reading:
    parts = f"string_split({c.text('cmp_key')}, '_')"
    model = {n: f"case when len({parts}) = 2 then {parts}[{n}] end" for n in (1, 2)} if "cmp_key" in c else {}
    return replace(
        r,
        votes=_panda_votes(c),
        prompt=shifted(c["instruction"].text, c.text("input")),
        text_prompt=None,
        model_a=model.get(1, "null"),
        model_b=model.get(2, "null"),
    )


PANDALM = judged(
    "pandalm",
    "PandaLM",
    "annotator1 to 3 say 1 (response1), 2 (response2) or 0 (tie): three votes of one pair",
    a="response1",
    b="response2",
    prompt="instruction",
    needs=PEOPLE,
    label=lambda c: majority(_panda_votes(c)),
    read=_panda,
    verified=True,
    carries=("tie", "votes"),
    verdict=lambda w, p: {name: {"a": 1, "b": 2, "tie": 0}[w] for name in PEOPLE},
    fits=lambda s: "" if s.share("annotator1", is_number) > 0.5 else "'annotator1' holds no numbers",
)

LEVELS = (
    "case when o like 'A-is-clearly%' then 2 when o like 'A-is-slightly%' then 1 when lower(o) = 'tie' then 0 "
    "when o like 'B-is-slightly%' then -1 when o like 'B-is-clearly%' then -2 end"
)
ANNOTATIONS = ("normal_worker_annotations", "expert_worker_annotations")


def _opinions(c: Columns) -> str:
    """SQL list of {annotator, level}: every annotation that has an overall verdict."""
    lists = [f"coalesce(json_extract({c[name].json}, '$[*]'), [])" for name in ANNOTATIONS if name in c]
    level = f"list_transform([j->>'$.overall_pref'], lambda o: {LEVELS})[1]"
    who = "coalesce(j->>'$.evaluator', j->>'$.worker_id', j->>'$.annotator')"
    return (
        f"list_filter(list_transform({' || '.join(lists)}, lambda j: {{'annotator': {who}, 'level': {level}}}), "
        "lambda e: e.level is not null)"
    )


def _multi_votes(c: Columns) -> str:
    vote = "case when e.level > 0 then 1 when e.level < 0 then 0 else 0.5 end"
    return f"list_transform({_opinions(c)}, lambda e: {{'annotator': e.annotator, 'vote': {vote}}})::{VOTES}"


def _multi(c: Columns, r: Reading) -> Reading:
    mean = f"abs(list_avg(list_transform({_opinions(c)}, lambda e: e.level)))"
    asked = c.get("text", "prompt")
    assert asked is not None
    return replace(r, votes=_multi_votes(c), margin=mean, prompt=asked.prompt, text_prompt=None)


def _multi_verdict(winner: str, _: PairDict) -> dict[str, Any]:
    said = {"a": "A-is-clearly-better", "b": "B-is-clearly-better", "tie": "Tie"}[winner]
    return {name: [{"evaluator": f"{name[:1]}{n}", "overall_pref": said} for n in range(2)] for name in ANNOTATIONS}


def _multipref(name: str, prompt: str) -> Layout:
    return judged(
        name,
        "MultiPref",
        f"{prompt}, completion_a, completion_b and lists of annotations with overall_pref: votes",
        a="completion_a",
        b="completion_b",
        prompt=prompt,
        needs=ANNOTATIONS,
        models=("model_a", "model_b"),
        label=lambda c: majority(_multi_votes(c)),
        read=_multi,
        verdict=_multi_verdict,
        carries=("tie", "votes"),
    )


MULTIPREF = _multipref("multipref", "text")
MULTIPREF_PROMPT = _multipref("multipref-prompt", "prompt")


def _pairs_document(c: Columns) -> Reading:
    """One source row holds the whole document: a pair a comparison, judged by the document's default annotator."""
    default = f"({c['metadata'].json}->>'$.default_annotator')"
    table = f"""(select source_row, unnest(json_extract({c["comparisons"].json}, '$[*]')) as entry,
        generate_subscripts(json_extract({c["comparisons"].json}, '$[*]'), 1) as k, {default} as judge,
        {c["annotators"].json} as people from part)"""
    return _comparison(
        "entry",
        "(try_cast(entry->'$.annotations' as map(varchar, json))[coalesce(judge, '')])->'$.pref'",
        table,
        ("k",),
    )


def _comparison(j: str, pref: str, table: str, keys: tuple[str, ...]) -> Reading:
    def text(side: str) -> str:
        return (
            f"(list_transform([coalesce({j}->'$.{side}.text', {j}->'$.{side}')], lambda js: "
            f"{sql.answer_json('js')})[1])"
        )

    def model(side: str) -> str:
        return f"coalesce({j}->>'$.{side}.model', {j}->>'$.{side}.metadata.model')"

    return Reading(
        prompt=f"(list_transform([coalesce({j}->'$.prompt', 'null'::json)], lambda js: {sql.prompt_json('js')})[1])",
        a=text("response_a"),
        b=text("response_b"),
        label=f"case lower(pf_scalar({pref})) when 'a' then 'a' when 'b' then 'b' when 'tie' then 'tie' end",
        table=table,
        keys=keys,
        model_a=model("response_a"),
        model_b=model("response_b"),
        first="1",
        extra=f"json_object('id', {j}->'$.id', 'metadata', {j}->'$.metadata')::varchar",
    )


def _document_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    comparisons = []
    for n, pair in enumerate(pairs):
        x, y, winner = placed(pair)
        comparisons.append(
            {
                "id": str(n),
                "prompt": last_user(pair),
                "response_a": {"text": pair[x], "model": pair.get(f"model_{x}")},
                "response_b": {"text": pair[y], "model": pair.get(f"model_{y}")},
                "annotations": {"d0": {"pref": winner}},
            }
        )
    return [
        {
            "metadata": {"version": "2.0", "default_annotator": "d0"},
            "annotators": {"d0": {"name": "label"}},
            "comparisons": comparisons,
        }
    ]


def _document_fits(sample: Sample) -> str:
    if sample.share("comparisons", lambda v: isinstance(v, list)) < 0.5:
        return "'comparisons' holds no list"
    return ""


ANNOTATED_PAIRS = Layout(
    "annotated-pairs",
    "AnnotatedPairs",
    "one document: metadata, annotators, comparisons; its default annotator judges",
    ("metadata", "annotators", "comparisons"),
    _pairs_document,
    _document_rows,
    _document_fits,
    carries=("tie", "first", "model_chosen", "model_rejected"),
    verified=True,
    pairs_per_row=64,
)


def _comparison_rows(c: Columns) -> Reading:
    said = c["annotations"].json
    pref = f"map_values(try_cast({said} as map(varchar, json)))[1]->'$.pref'"
    return replace(
        _comparison(
            "entry",
            "pref",
            f"""(select source_row, {pref} as pref, json_object(
            'id', {c.text("id")}, 'prompt', {c["prompt"].json}, 'response_a', {c["response_a"].json},
            'response_b', {c["response_b"].json}) as entry from part)""",
            (),
        )
    )


def _flat_rows(pairs: list[PairDict]) -> list[dict[str, Any]]:
    return list(_document_rows(pairs)[0]["comparisons"])


COMPARISONS = Layout(
    "annotated-pairs-rows",
    "AnnotatedPairs comparisons",
    "response_a{text}, response_b{text}, annotations{id: {pref}}: the first annotator named judges",
    ("prompt", "response_a", "response_b", "annotations"),
    _comparison_rows,
    _flat_rows,
    carries=("tie", "first", "model_chosen", "model_rejected"),
)

LAYOUTS = (PANDALM, MULTIPREF, MULTIPREF_PROMPT, ANNOTATED_PAIRS, COMPARISONS)

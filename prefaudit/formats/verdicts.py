"""Layouts of two answers and a verdict in one column."""

from __future__ import annotations

from dataclasses import replace

from prefaudit.core import FormatError
from prefaudit.formats import sql
from prefaudit.formats.base import Layout, PairDict, Reading
from prefaudit.formats.columns import Columns
from prefaudit.formats.explicit import last_user
from prefaudit.formats.judged import WORDS, by_word, judged, shifted, words_fit
from prefaudit.formats.sample import Sample, fine, is_number
from prefaudit.formats.sql import VOTES

SIGN = {"a": -1, "b": 1, "tie": 0}


def strength(pair: PairDict, winner: str) -> float:
    """A signed strength, negative for the first answer."""
    return float(SIGN[winner] * abs(pair.get("margin") or 1))


HELPSTEER2_PREFERENCE = judged(
    "helpsteer2-preference",
    "HelpSteer2 preference",
    "preference_strength -3 to 3, negative for response_1",
    a="response_1",
    b="response_2",
    prompt="prompt",
    needs=("preference_strength",),
    label=lambda c: sql.signed(c["preference_strength"].number),
    verdict=lambda w, p: {"preference_strength": strength(p, w)},
    read=lambda c, r: replace(r, margin=f"abs({c['preference_strength'].number})"),
    carries=("tie", "margin"),
)


def _individual(c: Columns, r: Reading) -> Reading:
    r = replace(r, margin=f"abs({c['overall_preference'].number})")
    said = c.get("individual_preference")
    if said is None:
        return r
    votes = (
        f"list_transform(list_filter(json_extract({said.json}, '$[*].score'), lambda s: try_cast(s as double) is not "
        "null), lambda s, i: {'annotator': null, 'vote': case when try_cast(s as double) < 0 then 1 "
        f"when try_cast(s as double) = 0 then 0.5 else 0 end}})::{VOTES}"
    )
    return replace(r, votes=votes)


HELPSTEER3 = judged(
    "helpsteer3",
    "HelpSteer3 preference",
    "overall_preference -3 to 3, negative for response1",
    a="response1",
    b="response2",
    prompt="context",
    needs=("overall_preference",),
    label=lambda c: sql.signed(c["overall_preference"].number),
    verdict=lambda w, p: {"overall_preference": strength(p, w)},
    read=_individual,
    carries=("tie", "margin"),
)

SHP = judged(
    "shp",
    "Stanford Human Preferences",
    "labels 1 for human_ref_A, 0 for human_ref_B; score_ratio as margin",
    a="human_ref_A",
    b="human_ref_B",
    prompt="history",
    needs=("labels",),
    first="null",
    label=lambda c: f"case {c['labels'].number} when 1 then 'a' when 0 then 'b' end",
    verdict=lambda w, p: {"labels": int(w == "a"), "score_ratio": p.get("margin")},
    read=lambda c, r: replace(
        r,
        margin=c.number("score_ratio"),
        score_a=c.number("score_A"),
        score_b=c.number("score_B"),
        source=c.text("domain"),
    ),
    carries=("margin",),
)

PKU = replace(
    judged(
        "pku-saferlhf",
        "PKU-SafeRLHF",
        "better_response_id 0 or 1; the safer one stays in extra, they may conflict",
        a="response_0",
        b="response_1",
        prompt="prompt",
        needs=("better_response_id",),
        first="null",
        label=lambda c: f"case {c['better_response_id'].number} when 0 then 'a' when 1 then 'b' end",
        verdict=lambda w, p: {"better_response_id": int(w == "b"), "safer_response_id": 0},
        read=lambda c, r: replace(r, model_a=c.text("response_0_source"), model_b=c.text("response_1_source")),
        fits=lambda s: (
            "" if s.share("better_response_id", is_number) > 0.5 else "'better_response_id' holds no numbers"
        ),
    ),
    keeps=("better_response_id",),  # beside safer_response_id, so that a rule can tell whether they agree
)


def _preference(c: Columns) -> str:
    p = c["preference"].number
    return (
        f"case when {p} = 0 or {p} = 1.5 then 'tie' when {p} >= 1 and {p} < 1.5 then 'a' "
        f"when {p} > 1.5 and {p} <= 2 then 'b' end"
    )


def _alpaca(c: Columns, r: Reading) -> Reading:
    p = c["preference"].number
    given = c.get("input")
    r = replace(
        r,
        margin=f"case when {p} = 0 then 0 else round(abs({p} - 1.5) * 2, 9) end",
        annotator=c.text("annotator"),
        source=c.text("dataset"),
    )
    if given is None:
        return r
    return replace(r, prompt=shifted(c["instruction"].text, given.text), text_prompt=None)


ALPACA_EVAL = judged(
    "alpaca-eval",
    "AlpacaEval, AlpacaFarm",
    "preference 1 to 2 (below 1.5: output_1), 1.5 and the old 0 a tie",
    a="output_1",
    b="output_2",
    prompt="instruction",
    first="null",  # the judge saw the two in random order; output_1 is the reference throughout
    needs=("preference",),
    label=_preference,
    read=_alpaca,
    models=("generator_1", "generator_2"),
    verified=True,
    carries=("tie", "annotator"),
    verdict=lambda w, p: {"preference": {"a": 1.0, "b": 2.0, "tie": 1.5}[w], "annotator": p.get("annotator")},
    fits=lambda s: (
        ""
        if s.share("preference", lambda v: is_number(v) and (float(v) == 0 or 1 <= float(v) <= 2)) > 0.5
        else "'preference' is not between 1 and 2"
    ),
)

ICAI = judged(
    "icai",
    "ICAI, text pairs",
    "preferred_text is text_a or text_b",
    a="text_a",
    b="text_b",
    prompt=None,
    needs=("preferred_text",),
    label=by_word("preferred_text"),
    verified=True,
    carries=("tie",),
    verdict=lambda w, p: {"preferred_text": {"a": "text_a", "b": "text_b", "tie": "tie"}[w]},
    models=("model_a", "model_b"),
    also=lambda p: {"input": last_user(p)},
    read=lambda c, r: (
        replace(r, prompt=found.prompt, text_prompt=found.text if found.plain else None)
        if (found := c.get("input", "prompt", "instruction"))
        else r
    ),
    fields={"prompt": "input"},
    fits=words_fit("preferred_text"),
)

UKP = judged(
    "ukp-convarg",
    "UKP convincing arguments",
    "one row a vote: label a, b or tie, with its annotator",
    a="text_a",
    b="text_b",
    prompt="topic",
    needs=("label", "annotator"),
    label=by_word("label"),
    verified=True,
    verdict=lambda w, p: {"label": w, "annotator": p.get("annotator") or "w0"},
    carries=("tie", "annotator"),
    fits=words_fit("label"),
    beats=("judged",),
)

TULU_WORDS = {
    "a": ("a-is-better", "a-is-slightly-better", "a-is-clearly-better"),
    "b": ("b-is-better", "b-is-slightly-better", "b-is-clearly-better"),
    "tie": ("tie",),
}


def five_levels(text: str) -> str:
    """SQL strength of a verdict in words: 2 where it is better, 1 slightly, 0 a tie."""
    return (
        f"case when lower({text}) like '%slightly%' then 1 when lower({text}) = 'tie' then 0 "
        f"when {text} is not null then 2 end"
    )


TULU = judged(
    "tulu-human-eval",
    "Tulu human evaluation",
    "preference in five words from a-is-better to b-is-better",
    a="completion_a",
    b="completion_b",
    prompt="prompt",
    needs=("preference",),
    models=("model_a", "model_b"),
    label=by_word("preference", TULU_WORDS),
    carries=("tie", "annotator"),
    verified=True,
    verdict=lambda w, p: {"preference": "tie" if w == "tie" else f"{w}-is-better", "evaluator": p.get("annotator")},
    read=lambda c, r: replace(r, margin=five_levels(c["preference"].text), annotator=c.text("evaluator")),
    fits=words_fit("preference", {w for ws in TULU_WORDS.values() for w in ws}),
)


def _generic_label(c: Columns) -> str:
    """A label whose encoding detection read from the values."""
    text = c["label"].text
    if "label_a" in c.options or "label_b" in c.options:
        given = {side: c.options.get(f"label_{side}", "").strip().lower() for side in ("a", "b", "tie")}
        meaning: dict[str, tuple[str, ...]] = {side: (value,) for side, value in given.items() if value}
        return sql.words(text, meaning)
    encoding = c.options.get("encoding", "words")
    if encoding == "words":
        models = ""
        if "model_a" in c and "model_b" in c:
            models = f"when {text} = {c['model_a'].text} then 'a' when {text} = {c['model_b'].text} then 'b' "
        return f"case {models}else {sql.words(text, WORDS)} end" if models else sql.words(text, WORDS)
    n = c["label"].number
    return f"case when {n} = 1 then 'a' when {n} = 2 then 'b' when {n} in (0, 1.5, 3) then 'tie' end"


def encoding(sample: Sample) -> dict[str, str]:
    """How a label column is encoded: words, or 1 and 2 (0, 1.5 or 3 a tie).

    Raises:
        FormatError: numbers that may mean either side.
    """
    values = sample.values("label")
    if not values or not all(is_number(v) for v in values):
        return {"encoding": "words"}
    seen = {float(v) for v in values}
    if seen <= {0.0, 1.0, 1.5, 2.0, 3.0} and 2.0 in seen:
        return {"encoding": "one-two"}
    return {"encoding": "unclear"}


def _clear(c: Columns) -> str:
    if c.options.get("encoding") == "unclear" and not {"label_a", "label_b"} & c.options.keys():
        raise FormatError(
            f"the numbers in {c.real('label')!r} do not say which side they mean",
            "say it: --map label_a=VALUE --map label_b=VALUE (and label_tie=VALUE)",
        )
    return _generic_label(c)


def _generic(name: str, prompt: bool, hidden: bool) -> Layout:
    base = judged(
        name,
        "columns named with --map" if hidden else "response_a, response_b, label",
        "--map response_a=, response_b=, label= (prompt=)" if hidden else "prompt, response_a, response_b, label",
        a="response_a",
        b="response_b",
        prompt="prompt" if prompt else None,
        needs=("label",),
        label=_clear,
        verdict=lambda w, p: {"label": w},
        models=("model_a", "model_b"),
        carries=("tie", "both_bad"),
        verified=True,
        read=lambda c, r: r if prompt or "prompt" not in c else replace(r, prompt=c["prompt"].prompt),
        fits=fine if hidden else words_fit("label"),
        fields={"prompt": "prompt"},
        also=lambda p: {"prompt": last_user(p)},
    )
    return replace(base, hidden=hidden, choices=encoding)


JUDGED = _generic("judged", True, False)
COLUMNS_JUDGED = _generic("columns-judged", False, True)

LAYOUTS = (HELPSTEER2_PREFERENCE, HELPSTEER3, SHP, PKU, ALPACA_EVAL, ICAI, UKP, TULU, JUDGED, COLUMNS_JUDGED)

"""The tables that rules ask questions of, and the types their columns have.

Pair rules read PAIRS and whatever extractors wrote; the small tables of dataset and feature rules are listed here.
The feature types serve a rule's cases, which name single columns and leave the rest null.
"""

from __future__ import annotations

import polars as pl

from prefaudit.core import EFFECTS, PAIRS

_NUMBER = pl.Float64()

DATASET: dict[str, pl.DataType] = dict.fromkeys(
    (
        *("rows", "pairs", "unpaired", "skipped", "skipped_rate", "ties", "tie_rate", "groups", "largest_group"),
        *("largest_group_share", "length_auc", "length_auc_low", "length_auc_high", "text_auc", "text_auc_low"),
        *("longer_wins", "longer_wins_low", "longer_wins_high", "first_n", "first_rate", "first_low", "first_high"),
        *("distinct_chosen", "distinct_rejected", "top_rejected_share", "top_chosen_share", "annotators"),
        *("strength_below", "strength_below_low", "strength_below_high", "scorers", "scorers_least_rho"),
        *("scorer_length_rho", "scorer_cut_share", "scorer_unread_share"),
        *("principles_agreement", "principles_low", "principles_rules"),
        *("alpha", "alpha_low", "alpha_high", "alpha_votes", "first_bayes"),
        *(
            f"{name}_{what}"
            for name in ("model", "source", "language", "format", "position")
            for what in ("auc", "auc_low", "over_length", "over_length_low")
        ),
    ),
    _NUMBER,
)

ANNOTATORS: dict[str, pl.DataType] = {
    "annotator": pl.String(),
    **dict.fromkeys(
        (
            *("votes", "shared", "agreement", "low", "high", "q_agreement"),
            *("reliability", "reliability_low", "reliability_high", "tie_rate"),
            *(
                "first_rate",
                "first_low",
                "first_high",
                "q_first",
                "longer_rate",
                "longer_low",
                "longer_high",
                "q_longer",
            ),
        ),
        _NUMBER,
    ),
}

SMALL: dict[str, dict[str, pl.DataType]] = {"dataset": DATASET, "annotators": ANNOTATORS, "effects": EFFECTS}

NAMED = {"annotators": "annotator", "effects": "feature"}
"""The column that names a row of a small table, for findings that have no pair to point at."""

_LOGICAL = {"truncated", "empty", "repeats_prompt", "leak", "english", "closing_question", "code"}
_WHOLE = {
    "chars",
    "words",
    "lines",
    "lists",
    "headers",
    "bold",
    "emoji",
    "questions",
    "exclamations",
    "reasoning_chars",
}
_NEAR = ("prompt", "chosen", "rejected", "pair")
_OTHER: dict[str, pl.DataType] = {
    "group": pl.Int64(),
    "conflict": pl.Int64(),
    "pair.same": pl.Boolean(),
    "pair.same_normalised": pl.Boolean(),
    "pair.prompt_differs": pl.Boolean(),
    "pair.reasoning_sides": pl.Int64(),
    "pair.system_sides": pl.Int64(),
    "c.language": pl.String(),
    "r.language": pl.String(),
    "prompt_language": pl.String(),
    "truncation.same": pl.Boolean(),
    "truncation.no_answer": pl.Boolean(),
    "contamination.exact": pl.Boolean(),
    "dup.group": pl.Int64(),
    "dup.kind": pl.String(),
    "dup.repeats": pl.Int64(),
    "cycle.group": pl.Int64(),
    "cycle.answers": pl.Int64(),
    "cycle.drop": pl.Boolean(),
    "cycle.exact": pl.Boolean(),
    **{f"near_{text}.{name}": pl.Int64() for text in _NEAR for name in ("group", "row")},
    **{f"near_{text}.jaccard": pl.List(pl.Float64()) for text in _NEAR},
    "near_prompt.first_row": pl.Int64(),
    "near_pair.swapped": pl.Boolean(),
    "leak.held_out": pl.Boolean(),
    "leak.file": pl.String(),
    "leak.row": pl.Int64(),
    "panel.opposed": pl.Boolean(),
    "constitution.decides": pl.String(),
    "panel.orders": pl.Float64(),
}


def type_of(path: str, over: str) -> pl.DataType | None:
    """The type of a column by its dotted path; None for one that is not listed, such as a user's own extractor's."""
    if over in SMALL:
        return SMALL[over].get(path)
    if path in PAIRS:
        return PAIRS[path]
    if path in _OTHER:
        return _OTHER[path]
    side, _, name = path.partition(".")
    if side in ("c", "r") and name:
        return pl.Boolean() if name in _LOGICAL else pl.Int64() if name in _WHOLE else _NUMBER
    return None

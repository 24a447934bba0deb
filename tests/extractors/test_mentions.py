from __future__ import annotations

import polars as pl

from prefaudit.extractors._groups import AGE_GENDER_RELIGION, NATION_OCCUPATION
from prefaudit.extractors.mentions import FIELDS, Mentions, measure
from tests.extractors.frames import pairs, run


def test_every_word_counts_once_for_its_kind() -> None:
    for lexicon in (AGE_GENDER_RELIGION, NATION_OCCUPATION):
        for name, words in lexicon.items():
            found = measure(pl.Series([f"The {word.title()}, you see." for word in words]))
            assert found[name].to_list() == [1] * len(words)
            assert found.drop(name).sum_horizontal().sum() == 0


def test_only_whole_words() -> None:
    assert measure(pl.Series(["A mankind of manners, womanly boyhood; Indianapolis, doctorate."])).row(0) == (0,) * 5


def test_other_languages_are_unknown() -> None:
    german = (
        "Der Mann und die Frau sind nicht mit dem Kind in der Stadt gewesen, und das ist ein Fehler, den man kennt."
    )
    made = run(Mentions(), pairs([("q", german, "The old man is a doctor and he is the best of the French men.")]))
    assert made["c"][0] == dict.fromkeys(FIELDS)
    expected = {"age": 1, "gender": 1, "nationality": 1, "occupation": 1, "religion": 0}
    assert made["r"][0] == {f"mentions_{kind}": n for kind, n in expected.items()}

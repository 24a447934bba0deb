"""The style probes on sentences written for them, on what must not change them, and relevance."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from prefaudit.extractors._cues import MOST, Cues
from prefaudit.extractors._flat import Flat
from prefaudit.extractors._relevance import relevance, subjects
from prefaudit.extractors._sentences import Sentences
from prefaudit.extractors.style import AUTOMATA, CUES, FIELDS, PROBES, Style, measure
from tests.extractors.frames import pairs, run

SENTENCES = Path(__file__).parents[2] / "training" / "style" / "sentences.tsv"
with SENTENCES.open(encoding="utf8", newline="") as lines:
    GOLD = pl.DataFrame(list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)))
FRENCH = "Le chat est sur la table et il ne veut pas descendre de la table, mais les chiens sont dans la maison."


def counts(*texts: str) -> pl.DataFrame:
    return measure(pl.Series(texts, dtype=pl.String))


def of_style(name: str, *texts: str) -> list[int]:
    return counts(*texts)[name].to_list()


@pytest.mark.parametrize("part", ["dev", "held"])
@pytest.mark.parametrize("name", list(PROBES))
def test_written_sentences(name: str, part: str) -> None:
    gold = GOLD.filter((pl.col("probe") == name) & (pl.col("part") == part))
    yes, fires = gold["label"] == "1", measure(gold["sentence"])[name] > 0
    assert min(yes.sum(), (~yes).sum()) >= 12
    assert (fires & yes).sum() / yes.sum() >= 0.8
    assert (fires & ~yes).sum() <= 1


NEAR = [
    ("hedging", "The festival starts on 3 May."),
    ("hedging", "She pushed with all her might."),
    ("hedging", "You may now kiss the bride."),
    ("hedging", "I think of her every day."),
    ("certainty", "Certainly! Here is a poem."),
    ("certainty", "Of course! I can do that."),
    ("certainty", "I'm sure you'll agree."),
    ("certainty", "Make sure the lid is closed."),
    ("certainty", "A certain Mr Smith called."),
    ("certainty", "It is impossible to know for sure."),
    ("certainty", "I can certainly help with that."),
    ("apology", "I'm sorry to hear that."),
    ("apology", "I'm so sorry for your loss."),
    ("apology", "Better safe than sorry."),
    ("apology", "You should apologize to her."),
    ("apology", "He left in a sorry state."),
    ("empathy", "I'm sorry, but I can't help with that."),
    ("empathy", "I understand how the engine works."),
    ("empathy", "That sounds like a plan."),
    ("empathy", "It's okay to use margarine."),
    ("moralising", "You must whisk the eggs until they are stiff."),
    ("moralising", "It's important to preheat the oven."),
    ("moralising", "Kant held that lying is always wrong."),
    ("moralising", "The tweet can be considered offensive."),
    ("enthusiasm", "I can't wait for the bus any longer."),
    ("enthusiasm", "She said she would love to come."),
    ("enthusiasm", "Warning: do not open!"),
    ("ai_self", "As an AI researcher, I label data."),
    ("ai_self", "I am an AI engineer at a small firm."),
    ("ai_self", "The language model was trained for weeks."),
    ("worn", "The tapestry hangs in Bayeux."),
]


@pytest.mark.parametrize(("name", "text"), NEAR)
def test_near_misses(name: str, text: str) -> None:
    assert of_style(name, text) == [0]


POSITIVES = GOLD.filter((pl.col("label") == "1") & pl.col("probe").is_in(["worn"]).not_())


def told(texts: pl.Series) -> pl.DataFrame:
    """What each probe says of the sentences that were written for it."""
    frame = measure(texts).with_columns(POSITIVES["probe"])
    return frame.select(pl.coalesce(pl.when(pl.col("probe") == name).then(name) for name in PROBES).alias("count"))


@pytest.mark.parametrize(
    ("how", "share"),
    [
        (lambda s: s.str.replace_all("'", "’", literal=True), 1),
        (lambda s: s.str.to_uppercase(), 1),
        (lambda s: s.str.to_lowercase(), 1),
        (lambda s: s + "  \n", 1),
        (lambda s: "**" + s + "**", 1),
        (lambda s: "*" + s + "*", 1),
        (lambda s: "- " + s, 1),
        (lambda s: "The river is long.\n\n" + s, 1),
        (lambda s: s.str.replace_all(r"(\w{6,})", "**${1}**"), 1),
    ],
    ids=["curly apostrophes", "upper", "lower", "trailing", "bold", "italic", "item", "after a sentence", "bold words"],
)
def test_what_must_not_matter(how: object, share: float) -> None:
    texts = POSITIVES["sentence"]
    before, after = told(texts)["count"] > 0, told(how(texts))["count"] > 0  # type: ignore[operator]
    assert (before == after).mean() >= share


def test_a_sentence_counts_once_and_sentences_add_up() -> None:
    assert of_style("hedging", "Perhaps it may rain.", "Perhaps. It may rain.\nMaybe not", "It rains.") == [1, 3, 0]
    assert of_style("worn", "A seamless, holistic approach.") == [2]
    assert of_style("apology", "Sorry! I'm sorry, I was wrong. The U.S. is big.") == [2]


def test_straight_and_curly_quotes() -> None:
    assert of_style("enthusiasm", 'He said "How exciting!"', "He said “How exciting!”") == [0, 0]
    assert of_style("certainty", 'Me: "Certainly! Here."', "Me: “Certainly! Here.”") == [0, 0]


def test_hostile_texts() -> None:
    texts = ["", " ", "\x00", "may" * 4000, "sorry " * 3000, "!" * 3000, "I'm sorry" + "e" * 9000, "😀’“", "\n\n."]
    frame = counts(*texts)
    assert frame.height == len(texts)
    assert frame["apology"].to_list() == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_no_rows() -> None:
    made = run(Style(), pairs([]))
    assert made.height == 0
    assert made["c"].dtype == pl.Struct(FIELDS)
    assert counts().height == 0


def test_unknown_in_another_language() -> None:
    made = run(Style(), pairs([("Where is the black cat of Anna Meyer today?", FRENCH, "Maybe on the table.")]))
    assert set(made["c"][0].values()) == {None}
    assert made["r"][0]["hedging"] == 1


def test_cues_are_found_as_words() -> None:
    automaton = Cues(["sorry", "apolog*", " ai", "an apology"])
    texts = pl.Series(["SORRY, _sorry_ sorrys", "Apologies; an apology.", "said AI, (ai) an AI", "x"])
    flat = Flat(texts)
    place, which = automaton.hits(texts, flat)
    found = [(int(flat.count(place[i : i + 1]).argmax()), automaton.cues[which[i]]) for i in range(len(place))]
    assert found == [(0, "sorry"), (0, "sorry"), (1, "apolog*"), (1, "an apology"), (2, " ai"), (2, " ai")]
    with pytest.raises(ValueError, match="twice"):
        Cues(["x", "x"])
    with pytest.raises(ValueError, match="at most"):
        Cues([f"w{i}" for i in range(MOST + 1)])


def test_every_cue_finds_itself() -> None:
    assert sum(len(automaton.cues) for automaton in AUTOMATA) == len(CUES)
    for automaton in AUTOMATA:
        texts = pl.Series([f"x {cue.rstrip('*').strip()}." for cue in automaton.cues])
        flat = Flat(texts)
        place, which = automaton.hits(texts, flat)
        first = flat.count(place) > 0
        assert first.all(), texts.filter(pl.Series(~first)).to_list()
        assert {automaton.cues[k] for k in which} <= set(automaton.cues)


def test_sentences_end_where_they_end() -> None:
    texts = pl.Series(["One. Two! (Three?) 4.5 is v1.2.3\nFive", "Six"])
    sentences = Sentences(Flat(texts))
    numbers = sentences.at(Flat(texts).find(ord("F")))
    assert sentences.strings(numbers).to_list() == ["Five\n"]
    assert sentences.strings(sentences.at(Flat(texts).find(ord("O")))).to_list() == ["One."]
    assert sentences.strings(sentences.at(Flat(texts).find(ord("5")))).to_list() == [") 4.5 is v1.2.3\n"]


def near(prompt: str | None, *replies: str | None) -> list[float | None]:
    turns = pl.Series([prompt] * len(replies), dtype=pl.String)
    return relevance(pl.Series(replies, dtype=pl.String), subjects(turns)).to_list()


ASK = "How do I replant a rosemary bush in a clay pot?"


def test_relevance() -> None:
    on = "To replant rosemary, water the bush well, fill a clay pot with gritty soil, and set it in."
    off = "The history of the steam locomotive begins in the early nineteenth century in the mines of Cornwall."
    assert near(ASK, on, on.upper(), "**" + on + "**  ", off) == [1, 1, 1, 0]
    assert near(ASK, "Replanting: " + off) == [0.25]  # replan(t), rosem(ary), bush, clay; "pot" is too short a word


def test_relevance_is_unknown_where_little_is_said() -> None:
    long = "It is a long reply with more than ten words in it, all told."
    assert near(ASK, "In a pot.", None, "") == [None, None, None]
    assert near("And then?", long) == [None]
    assert near(None, long) == [None]
    assert near("你好，请问这是什么？", long) == [None]


def test_long_prompts_are_read_at_both_ends() -> None:
    prompt = "Compare the architecture of these cathedrals. " + "blah " * 2000 + "Mention flying buttresses."
    words = subjects(pl.Series([prompt])).row(0)
    assert words == ("architect", "cathedr", "buttres", "compa", "menti", "flyin", "blah", None)


def test_prompt_words_are_sought_once_for_both_answers() -> None:
    made = run(
        Style(), pairs([(ASK, "Rosemary and clay and a bush need replanting, all in good time and soon.", None)])
    )
    assert made["c"][0]["relevance"] == 1
    assert made["r"][0] is None

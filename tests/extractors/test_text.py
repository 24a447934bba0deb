from __future__ import annotations

import polars as pl
import pytest

from prefaudit.extractors._phrases import MOST, Phrases
from prefaudit.extractors.text import FIELDS, Text, measure
from tests.extractors.frames import of, pairs, run

PROSE = (
    "The river runs to the sea and the boats go with it. In the summer the water is low. In the winter it is high, "
    "and the people of the town walk along the banks to look at it. There is a bridge in the middle. "
)


@pytest.mark.parametrize(
    ("feature", "text", "value"),
    [
        ("chars", "naïve 😀", 7),
        ("words", "one  two\nthree\t four ", 4),
        ("words", "", 0),
        ("words", " \n ", 0),
        ("words", "我喜欢 tea", 4),
        ("words", "日本語です。", 5),
        ("words", "안녕하세요 세계", 2),
        ("lines", "a\n\nb\n", 2),
        ("lists", "- a\n  * b\n1. c\n12) d\n• e\nnot - f", 5),
        ("lists", "-a\n1.5 is a number\n2024. A year", 0),
        ("lists", "```\n- in code\n```\n- out", 1),
        ("headers", "# A\n###### B\n####### C\n#D", 2),
        ("headers", "```python\n# comment\n```", 0),
        ("bold", "**a** and **b c**, not ** or 2**3", 2),
        ("code", "`x` and `y`\n```\nz\n```", 3),
        ("code", "no ticks", 0),
        ("emoji", "😀 👍🏽 👨‍👩‍👧 🇫🇷 ❤️", 5),
        ("emoji", "plain © ™ é ✓", 0),
        ("questions", "Why? Really?? https://a.b/c?d=e", 3),
        ("questions", "为什么？", 1),
        ("exclamations", "Yes! a != b ![image](x) <!-- c -->", 1),
        ("first_person", "I think I'm here, and Ivy is in II. I, too.", 3),
    ],
)
def test_counts(feature: str, text: str, value: float) -> None:
    assert of(feature, text) == [value]


def test_markdown_is_marks_a_hundred_words() -> None:
    assert of("markdown", "# Title\n\n- one **two**\n- three [four](five)") == [pytest.approx(100 * 5 / 8)]
    assert of("markdown", "plain words", "") == [0.0, 0.0]


CUT = [
    PROSE + "The bridge was built by the",
    PROSE + "And so the mayor of the town said to the people that the bridge would",
    PROSE + "The first reason is cost,",
    PROSE + "The steps that you need to take are the following:",
    PROSE + "\n\n1. Go there.\n2. Come back.\n3.",
    PROSE + "\n\n## What to do next",
    "Here it is:\n```python\nx = 1\n",
    PROSE + "There are two kinds (",
]
WHOLE = [
    "Paris",
    "Yes",
    "42.",
    "It's 3:30 PM",
    "Roses are red\nViolets are blue\nSugar is sweet\nAnd so are you",
    "```python\nx = [1, 2]\n```",
    "See https://example.org/a/b",
    PROSE + "More is found at https://example.org/the-long-way-home",
    "Well done 🎉",
    'She said "go home"',
    PROSE + "(It was late.)",
    PROSE + "**It was late.**",
    "- apples\n- pears\n- plums",
    "1. Go\n2. Stay",
    PROSE + "\n\n- the first thing that you should do is to call them\n- the second thing is to wait for them to call",
    "Dear Ann,\n" + PROSE + "\n\nSincerely,",
    "Dear Ann,\n" + PROSE + "\n\nSincerely,\nBob Miller",
    "What are you looking for",
    "i think so and that is what they said to me when i was there with them yesterday at the school near the park",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "La casa es blanca y el perro es negro",
    "今天天气很好",
    "a,\nb,\nc,",
    "x = 5",
    PROSE + "What do you think?",
    PROSE + "It was a fine day for it all #Summer #Rivers",
]


@pytest.mark.parametrize("text", CUT)
def test_truncated(text: str) -> None:
    assert of("truncated", text, text + "  \n") == [True, True]


@pytest.mark.parametrize("text", WHOLE)
def test_not_truncated(text: str) -> None:
    assert of("truncated", text, text + "\n") == [False, False]


def test_truncated_is_unknown_without_words() -> None:
    assert of("truncated", "", "  ") == [None, None]


def test_empty() -> None:
    assert of("empty", "", " \n\t", "a") == [True, True, False]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Shall I go on?", True),
        ('Did he say "no"?"', True),
        ("Would you like more? 😊", True),
        ("**Is that clear?**", True),
        ("你要吗？", True),
        ("Why? Because.", False),
        ("Who knows?\n\n- A friend", False),
        ("", False),
    ],
)
def test_closing_question(text: str, value: bool) -> None:
    assert of("closing_question", text) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Fine.<|im_end|>", True),
        ("Fine.\n\nHuman: and then?", True),
        ("[INST] do it [/INST]", True),
        ("### Response:\nHere", True),
        ("Assistant: hello", True),
        ("all done</s>", True),
        ("The <s>old</s> price is gone", False),
        ("Human: nature is complex"[7:], False),
        ("The Human: a study of a species", False),
        ("### Results\nGood", False),
        ("if a < b and [INSTALL] x > y", False),
    ],
)
def test_leak(text: str, value: bool) -> None:
    assert of("leak", text) == [value]


def test_english() -> None:
    french = "Le chat est sur la table et il ne veut pas descendre de la table, mais les chiens sont dans la maison."
    german = "Der Hund ist nicht in dem Haus und die Katze schläft auf dem Tisch mit der Decke, und das ist gut."
    chinese = "今天天气很好，我们去公园散步吧。"
    russian = "Сегодня хорошая погода, пойдём гулять."
    code = "for i in range(10):\n    x[i] = y[i] + z[i]\n    w[i] = x[i] * 2\nreturn w, x, y, z, a, b, c, d"
    assert of("english", PROSE, french, german, chinese, russian, "Sorry.", code) == [
        True, False, False, False, False, None, None,
    ]  # fmt: skip


def test_lexical_features_are_unknown_in_another_language() -> None:
    french = "Le chat est sur la table et il ne veut pas descendre de la table, mais les chiens sont dans la maison."
    assert of("first_person", french, "Maybe.") == [None, 0]


@pytest.mark.parametrize("name", ["first_person", "words"])
def test_curly_apostrophes_change_nothing(name: str) -> None:
    straight = (
        "I'm sorry, it's important to note that I'm not sure. Let's dive in, there's no doubt, it’s worth noting."
    )
    assert of(name, straight) == of(name, straight.replace("'", "’"))


def test_trailing_spaces_change_only_chars() -> None:
    for text in (*CUT, *WHOLE):
        frame = measure(pl.Series([text, text + "  "])).drop("chars")
        assert frame.row(0) == frame.row(1)


def test_repeats_prompt() -> None:
    frame = pairs(
        [
            ("What is this?", "what is  this", "A cat."),
            ([("user", "First"), ("assistant", "Ok"), ("user", "Say it again")], "Say it again!", "First"),
            ([("user", "First"), ("assistant", "Ok")], "first.", "Ok"),
            ([("system", "Be brief")], "Be brief", "Fine"),
            ("Hello", None, "hello"),
        ]
    )
    made = run(Text(), frame)
    assert made["c"].struct.field("repeats_prompt").to_list() == [True, True, True, None, None]
    assert made["r"].struct.field("repeats_prompt").to_list() == [False, False, False, None, True]


def test_reasoning_is_counted_apart() -> None:
    made = run(Text(), pairs([("q", "a", "b", "hm hm", None)]))
    assert made["c"][0]["reasoning_chars"] == 5
    assert made["c"][0]["chars"] == 1
    assert made["r"][0]["reasoning_chars"] == 0


def test_hostile_texts() -> None:
    texts = [
        "\x00\x01",
        "\ufeff",
        "\u202e\u202d",
        "#" * 5000,
        "`" * 999,
        "\n" * 2000,
        " " * 3000 + "- x",
        "1" * 400,
        "𒀀" * 50,
    ]
    frame = measure(pl.Series(texts))
    assert frame.height == len(texts)
    assert frame["chars"].to_list() == [len(t) for t in texts]


def test_no_rows() -> None:
    made = run(Text(), pairs([]))
    assert made.height == 0
    assert made["c"].dtype == pl.Struct(FIELDS)


def test_phrases_fit_the_table() -> None:
    with pytest.raises(ValueError, match="twice"):
        Phrases({"a": ["x"], "b": ["x"]})
    with pytest.raises(ValueError, match="at most"):
        Phrases({"a": [f"w{i}" for i in range(MOST + 1)]})

from __future__ import annotations

import polars as pl
import pytest

from prefaudit.extractors.encoding import FIELDS, Encoding, measure
from tests.extractors.frames import pairs, run


def of(name: str, text: str) -> int:
    return int(measure(pl.Series([text]))[name][0])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Itâ€™s fine", 1),
        ("cafÃ© crÃ¨me", 2),
        ("5Â°C and Â£3", 2),
        ("ðŸ˜€", 1),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚", 3),
        ("\u00e2\u0080\u0099", 1),
        ("ï»¿begin", 1),
        ("It’s a café in São Paulo, 5 °C, “quoted” — and €3", 0),
        ("NÃO, AMANHÃ… “AMANHÔ", 0),
        ("Быть или не быть; ДОМ; Ð alone", 0),
        ("Â CÔTÉ DE LA FORÊT, ÎLE", 0),
        ("你好，世界。ありがとう", 0),
    ],
)
def test_mojibake(text: str, count: int) -> None:
    assert of("mojibake", text) == count


@pytest.mark.parametrize(
    "text",
    [
        "“Don’t — ever…”",
        "naïve façade Ångström",
        "Привет, мир",
        "Größe 5 µm ± 1 €",
        "São João é ótimo",
        "Γειά σου",
        "à la carte",
        "ok 😀",
    ],
)
def test_every_text_decoded_wrongly_is_found(text: str) -> None:
    assert of("mojibake", text) == 0
    assert of("mojibake", text.encode().decode("latin-1")) > 0


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("replacements", "a\ufffd\ufffdb", 2),
        ("replacements", "a?b", 0),
        ("controls", "bell\x07 and nul\x00 and escape\x1b[0m", 3),
        ("controls", "tab\tline\nreturn\r\n form\f", 0),
        ("controls", "next line \x85 is a line break, \x93 is not", 1),
        ("escaped_breaks", r"First.\n\n- one\n- two", 2),
        ("escaped_breaks", r"windows\r\nHello", 1),
        ("escaped_breaks", "real\nbreaks and \\nOne", 0),
        ("escaped_breaks", r"$\nabla f = \nu$ and \neq", 0),
        ("escaped_breaks", r'print("a\n") and "b\n"', 0),
        ("entities", "Tom &amp; Jerry&#39;s &quot;show&quot;", 4),
        ("entities", "Tom & Jerry; R&D; AT&T;", 0),
        ("entities", "<p>Tom &amp; Jerry</p>", 0),
        ("entities", "```html\nTom &amp; Jerry\n```", 0),
    ],
)
def test_counts(name: str, text: str, count: int) -> None:
    assert of(name, text) == count


def test_sides() -> None:
    made = run(Encoding(), pairs([("q", "a\ufffd", "b"), ("q", None, "&amp;")]))
    assert made["c"].to_list() == [dict.fromkeys(FIELDS, 0) | {"replacements": 1}, None]
    assert made["r"].to_list()[1] == dict.fromkeys(FIELDS, 0) | {"entities": 1}

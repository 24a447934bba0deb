from __future__ import annotations

import polars as pl
import pytest

from prefaudit.extractors.pii import KINDS, Pii, mask, measure
from tests.extractors.frames import pairs, run

# Made for these tests: right in form and checksum, of nobody.
REAL = {
    "email": ["ann.lee@proton.me", "J.Miller+news@uni-tuebingen.de", "x9@sub.harrow-lane.co.uk"],
    "phone": ["(212) 736-5012", "+44 20 7219 4272", "734-615-9086", "+1 (917) 444-6328", "138 9471 5062",
              "+49 30 227 32152"],
    "secret": ["sk-proj-a8Kd03jfLz92kdmQpw83nd7xQ", "AKIAQ3EGRTZV5LNWM7PD", "ghp_x7Kq92LmzP0aRtY5vBnW3cXe8sDf1gHj4kLo",
               "AIzaSyD4f8Kq2mZx9Lw0Tn7Rb5Vc3Yp6Hs1Ju8G", "hf_qWzXvTyRbNmKjLpHgFdSaQeUiOc729"],
    "card": ["4539 1488 0343 6467", "5419846346484850", "3769-506992-05755"],
    "iban": ["DE44 5001 0517 5407 3249 31", "FR7630001007941234567890185", "GB94BARC10201530093459"],
    "ip": ["93.184.216.34", "81.2.69.142"],
}  # fmt: skip
PLACEHOLDERS = {
    "email": ["you@example.com", "name@yourcompany.com", "john.doe@email.com", "info@kunji.fund", "a@b.co",
              "icon@2x.png", "git@github.com:me/x"],
    "phone": ["(555) 123-4567", "212-555-0142", "123-456-7890", "1-800-273-8255", "000-000-0000", "2021-03-04",
              "3.14159265358"],
    "secret": ["sk-your-api-key-goes-here-please", "AKIAIOSFODNN7EXAMPLE", "sk-xxxxxxxxxxxxxxxxxxxxxxxx", "hf_token",
               "task-a8Kd03jfLz92kdmQpw83nd7xQ"],
    "card": ["4242 4242 4242 4242", "4111111111111111", "4539 1488 0343 6468", "1234 5678 9012 3456"],
    "iban": ["DE89 3704 0044 0532 0130 00", "DE44 5001 0517 5407 3249 32", "ABCD 1234 EFGH 5678"],
    "ip": ["192.168.1.10", "10.0.0.1", "127.0.0.1", "8.8.8.8", "203.0.113.7", "999.1.1.1", "version 2.10.4.1",
           "1.2.3.4.5"],
}  # fmt: skip
FRAMES = ("{}", "Here: {}.", "({})", "a {}, b", "line\n{}\nline", "“{}”")


@pytest.mark.parametrize("kind", KINDS)
def test_found_wherever_it_stands(kind: str) -> None:
    texts = [frame.format(one) for one in REAL[kind] for frame in FRAMES]
    found = measure(pl.Series(texts))
    assert {text: n for text, n in zip(texts, found[kind], strict=True) if n != 1} == {}
    assert found.drop(kind).sum_horizontal().sum() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_placeholders_are_no_findings(kind: str) -> None:
    texts = [frame.format(one) for one in PLACEHOLDERS[kind] for frame in FRAMES]
    assert {text: n for text, n in zip(texts, measure(pl.Series(texts))[kind], strict=True) if n} == {}


@pytest.mark.parametrize("kind", ["email", "phone", "card", "ip"])
def test_neighbours_are_all_counted(kind: str) -> None:
    assert measure(pl.Series([", ".join(REAL[kind][:1] * 4)]))[kind].to_list() == [4]


@pytest.mark.parametrize("kind", KINDS)
def test_mask(kind: str) -> None:
    for one in REAL[kind]:
        assert mask(f"Take {one}, then {one}!") == f"Take [{kind}], then [{kind}]!"
    for one in PLACEHOLDERS[kind]:
        assert mask(one) == one


def test_a_short_word_after_an_account_is_not_part_of_it() -> None:
    assert measure(pl.Series(["Pay to FR76 3000 1007 9412 3456 7890 185 I said", "AT03 2050 3021 0102 3600 IS IT"]))[
        "iban"
    ].to_list() == [1, 0]


def test_columns() -> None:
    made = run(Pii(), pairs([("mail ann.lee@proton.me", "call 734-615-9086 or ann.lee@proton.me", None)]))
    assert made["pii"][0]["email"] == 1
    assert (made["c"][0]["pii"], made["c"][0]["pii_email"], made["c"][0]["pii_phone"]) == (2, 1, 1)
    assert made["r"][0] is None

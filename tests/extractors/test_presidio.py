"""Presidio, where it is installed; without it, that the error names the extra."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from prefaudit.core import AuditError, UsageError
from prefaudit.extractors.presidio import Presidio, measure, readers
from tests.extractors.frames import pairs, run

INSTALLED = importlib.util.find_spec("presidio_analyzer") is not None

TEXTS = {
    "Write to tom.haller@proton.me, or to ann.lee@uni-tuebingen.de.": {"email": 2},
    "Call (212) 736-5012 after six.": {"phone": 1},
    "My card is 4539 1488 0343 6467, I pay with it.": {"card": 1},
    "Send it to GB94BARC10201530093459 at once": {"iban": 1},
    "The log says 93.184.216.34 and 2001:db8::ff00:42:8329.": {"ip": 2},
    "My social security number is 219-09-9998.": {"identity": 1},
    "Nothing here, not even @ work on 3 May 2021 or https://harrow-lane.org/a1": {},
    "": {},
}


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    readers.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "presidio_analyzer", None)
    with pytest.raises(AuditError, match=r"prefaudit\[pii\]"):
        Presidio(presidio=("en",))
    assert Presidio(presidio=("en",), presidio_print="known").presidio_print == "known"  # an audit is opened without it


def test_null_where_it_was_not_asked_for() -> None:
    told = run(Presidio(), pairs([("p", "tom.haller@proton.me", "b")]))
    assert told["c"].to_list() == [None] and told["presidio"].to_list() == [None]


if INSTALLED:  # collected only there: where the tests are given real data, a skipped one counts as a failure

    @pytest.fixture(autouse=True)
    def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: Any, **more: Any) -> None:
            raise AssertionError("asked the network")

        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        readers.cache_clear()

    def test_kinds_by_pattern_and_no_names_without_a_model() -> None:
        found = measure(pl.Series(list(TEXTS)), readers(("en",)))
        told = [{k: n for k, n in row.items() if n} for row in found.rows(named=True)]
        assert told == list(TEXTS.values())
        assert found["name"].null_count() == found["place"].null_count() == len(TEXTS)

    def test_a_text_is_read_in_its_language() -> None:
        spanish = "Mi número de identidad es 12345678Z, se lo digo para que pueda terminar el contrato con ellos."
        assert measure(pl.Series([spanish]), readers(("en", "es")))["identity"].to_list() == [1]
        assert measure(pl.Series([spanish]), readers(("en",)))["identity"].to_list() == [0]

    def test_names_by_a_model_of_the_user(tmp_path: Path) -> None:
        import spacy

        pipe = spacy.blank("en")
        pipe.add_pipe("entity_ruler", name="ner").add_patterns([{"label": "PERSON", "pattern": "Tom Haller"}])  # type: ignore[attr-defined]
        pipe.to_disk(tmp_path / "model")
        made = Presidio(presidio=(str(tmp_path / "model"),))
        told = run(made, pairs([("Who?", "It was Tom Haller", "Nobody was there")]))
        assert told["c"].struct.field("presidio_name").to_list() == [1]
        assert told["r"].struct.field("presidio_name").to_list() == [0]
        assert made.presidio_print != Presidio(presidio=("en",)).presidio_print

    @pytest.mark.parametrize("name", ["en_core_web_none", "/no/such/model", "qq", ""])
    def test_nothing_is_downloaded(name: str) -> None:
        with pytest.raises(UsageError, match=r"spaCy") as told:
            Presidio(presidio=(name,))
        assert told.value.hint

    def test_one_reader_a_language() -> None:
        with pytest.raises(UsageError, match="twice"):
            Presidio(presidio=("en", "en"))

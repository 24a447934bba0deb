"""`presidio`: personal data as Microsoft Presidio finds it, beside the patterns of `pii`; on request.

Its recognizers of patterns and checksums run on spaCy's tokenizer of a language, which needs no model; names and places
are found where the user names an installed spaCy model.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
from polars.datatypes import DataType

from prefaudit.core import Apply, AuditError, Parts, UsageError
from prefaudit.extractors._sides import answers, as_sides, each_once, keys, side_columns
from prefaudit.extractors.language import identify
from prefaudit.extractors.pii import prompt_text

KINDS = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "ip", "CRYPTO": "wallet", "MEDICAL_LICENSE": "identity", "PERSON": "name", "LOCATION": "place",
}  # fmt: skip
IDENTITY = re.compile(r"[A-Z]{2,3}_")  # US_SSN, UK_NHS, ES_NIF ...: numbers that one country gives its people
NAMED = ("name", "place")  # what only a model finds
COUNTS: dict[str, DataType] = {kind: pl.Int32() for kind in dict.fromkeys(KINDS.values())}
FIELDS: dict[str, DataType] = {"presidio": pl.Int32(), **{f"presidio_{kind}": pl.Int32() for kind in COUNTS}}
SCORE = 0.4  # Presidio's own score of a plain telephone number; below it stand bare runs of digits
GATE = r"[\d@]|::"  # in every text that a pattern or checksum can hit
MISSING = "--presidio needs the extra pii: pip install 'prefaudit[pii]'"


class Reader(NamedTuple):
    """One language: what finds spans in a text, whether names are among them, and the longest text it reads."""

    language: str
    find: Callable[[str], list[Any]]
    names: bool
    limit: int


@lru_cache(maxsize=2)
def readers(names: tuple[str, ...]) -> tuple[Reader, ...]:
    """A reader for each language or model named.

    Args:
        names: codes of languages (`en`), or installed spaCy models or their folders (`en_core_web_lg`).

    Raises:
        AuditError: the packages are not installed, or no such language or model is on this machine.
    """
    try:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
    except ImportError as error:
        raise AuditError(MISSING, "or leave it out: the patterns of `pii` need nothing") from error
    pipes: dict[str, Any] = {}
    for name in names:
        pipe = _pipe(name)
        if pipe.lang in pipes:
            raise UsageError(f"--presidio names {pipe.lang} twice", "one language code or model for each language")
        pipes[pipe.lang] = pipe
    engine: Any = SpacyNlpEngine(models=[{"lang_code": lang, "model_name": lang} for lang in pipes])
    engine.nlp = pipes  # loaded already: its own `load` would fetch a model that is missing
    registry: Any = RecognizerRegistry(supported_languages=list(pipes))
    registry.load_predefined_recognizers(languages=list(pipes), nlp_engine=engine)
    for one in registry.recognizers:
        if "EMAIL_ADDRESS" in one.supported_entities:
            one.validate_result = _domain()
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(pipes))
    made = []
    for lang, pipe in pipes.items():
        wanted = [e for e in analyzer.get_supported_entities(lang) if kind_of(e)]
        named = "ner" in pipe.pipe_names
        if not named:
            pipe.max_length = 2**31  # the limit is there for parser and ner
            wanted = [e for e in wanted if kind_of(e) not in NAMED]

        def find(text: str, lang: str = lang, wanted: list[str] = wanted) -> list[Any]:
            return list(analyzer.analyze(text, lang, entities=wanted, score_threshold=SCORE))

        made.append(Reader(lang, find, named, pipe.max_length))
    return tuple(made)


def _pipe(name: str) -> Any:
    import spacy

    try:
        return spacy.blank(name) if re.fullmatch(r"[a-z]{2,3}", name) else spacy.load(name)
    except ImportError as error:  # spaCy's for a code that it does not know, and for a tokenizer that is not there
        raise UsageError(f"spaCy cannot take apart {name!r}: {error}".split("\n")[0],
                         "name a language that needs no package of its own, as en") from error  # fmt: skip
    except (OSError, ValueError) as error:
        hint = "name a language (en) or an installed model or its folder; nothing is downloaded"
        raise UsageError(f"no spaCy model {name!r} is installed", hint) from error


def _domain() -> Callable[[str], bool]:
    """Whether a text ends in a domain, by the list that is installed: Presidio's own check fetches the latest one."""
    import tldextract

    extract = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
    return lambda text: bool(extract(text).fqdn)


def kind_of(entity: str) -> str | None:
    """Our word for an entity of Presidio's; None where it says nothing of a person (an address of the web, a date)."""
    return KINDS.get(entity) or ("identity" if IDENTITY.match(entity) else None)


def counted(spans: list[Any]) -> Counter[str]:
    """How many of each kind, of spans that overlap the likeliest, then the longest, alone."""
    taken: list[tuple[int, int]] = []
    found: Counter[str] = Counter()
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start, s.entity_type)):
        if all(span.end <= low or span.start >= high for low, high in taken):
            taken.append((span.start, span.end))
            found[kind_of(span.entity_type) or ""] += 1
    return found


def measure(texts: pl.Series, made: tuple[Reader, ...]) -> pl.DataFrame:
    """How many findings of each kind stand in each text.

    Args:
        texts: n texts, no null.
        made: of `readers`; a text in none of their languages is read by the first.

    Returns:
        n rows: one Int32 column a kind; names and places are null where no model looked for them, and all are null for
        a text that is too long for the model.
    """
    which = np.zeros(len(texts), np.int64)
    if len(made) > 1:
        told = identify(texts)["language"].to_list()
        order = {reader.language: k for k, reader in enumerate(made)}
        which = np.array([order.get(code, 0) for code in told], np.int64)
    marked = texts.str.contains(GATE).to_list()
    rows: list[dict[str, int | None]] = []
    for text, at, some in zip(texts.to_list(), which.tolist(), marked, strict=True):
        reader = made[at]
        if reader.names and len(text) > reader.limit:
            rows.append(dict.fromkeys(COUNTS))
            continue
        found = counted(reader.find(text)) if some or reader.names else Counter()
        rows.append({kind: found[kind] if reader.names or kind not in NAMED else None for kind in COUNTS})
    return pl.DataFrame(rows, schema=COUNTS)


@dataclass(frozen=True)
class Presidio:
    """Personal data by Presidio; null without `--presidio`. See docs/extractors/pii.md.

    Attributes:
        presidio: languages or installed spaCy models.
        presidio_print: of the packages and models, made where it is not given.
    """

    presidio: tuple[str, ...] = ()
    presidio_print: str = ""

    name: ClassVar[str] = "presidio"
    version: ClassVar[int] = 1
    learns: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = (
        "prompt", "chosen", "rejected", "hash_prompt", "hash_chosen", "hash_rejected",
    )  # fmt: skip
    needs: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Know packages and models by their versions.

        Raises:
            AuditError: they are not on this machine.
        """
        if self.presidio and not self.presidio_print:
            readers(self.presidio)
            object.__setattr__(self, "presidio_print", _print_of(self.presidio))

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The structs c and r, and the struct presidio of the prompt."""
        return {**side_columns(FIELDS), "presidio": pl.Struct(COUNTS)}

    def fit(self, parts: Parts, seed: int) -> pl.DataFrame | None:
        """Nothing to learn."""
        return None

    def load(self, state: pl.DataFrame | None) -> Apply:
        """The function that measures one part."""
        if not self.presidio:
            return lambda frame: frame.select("row", *(pl.lit(None, kind).alias(n) for n, kind in self.columns.items()))
        made = readers(self.presidio)

        def apply(frame: pl.DataFrame) -> pl.DataFrame:
            found = each_once(answers(frame), keys(frame), lambda texts: measure(texts, made))
            known = pl.any_horizontal(pl.all().is_not_null())
            total = pl.when(known).then(pl.sum_horizontal(pl.all()))
            found = found.select(total.alias("presidio"), pl.all().name.prefix("presidio_"))
            prompts = each_once(prompt_text(frame["prompt"]), frame["hash_prompt"], lambda texts: measure(texts, made))
            told = prompts.to_struct("presidio").cast(pl.Struct(COUNTS))
            return as_sides(frame, found, self.columns).with_columns(told)

        return apply


def _print_of(names: tuple[str, ...]) -> str:
    digest = hashlib.blake2b(digest_size=6)
    for package in ("presidio-analyzer", "spacy", "phonenumbers", "tldextract", *names):
        meta = Path(package) / "meta.json"
        try:
            told = meta.read_text(encoding="utf8") if meta.is_file() else version(package)
        except PackageNotFoundError:  # a language: what reads it comes with spaCy
            told = ""
        digest.update(f"{package}={told}\0".encode())
    return digest.hexdigest()

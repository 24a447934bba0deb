"""What an audit's principles are handed on as: files that people, judges and other tools read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from prefaudit.audit.annotated import annotated_pairs, icai_csv
from prefaudit.audit.principles import by_model
from prefaudit.core import AuditError
from prefaudit.extractors.constitution import VOTED
from prefaudit.principles.ask import beside, listed
from prefaudit.principles.library import LONGEST
from prefaudit.reports.markdown import escape
from prefaudit.reports.principles import broken, lines, short
from prefaudit.reports.words import clean, decimal, percent, some

if TYPE_CHECKING:
    from prefaudit.audit import Audit


def annotation(audit: Audit) -> bytes:
    """Parquet, a row a pair: `row`, `source_row`, `label`, the fields of `constitution`, and every vote by its id.

    Votes of a language model, or of a file, are null on the pairs that were not asked about.

    Raises:
        AuditError: no principle was asked.
    """
    schema = audit.features().collect_schema()
    if "constitution" not in schema:
        why = "; ".join(broken(audit.report)[1:])
        raise AuditError(f"the audit holds no principles{why and f': {why}'}",
                         "" if why else "scan with the extractor group principles")  # fmt: skip
    votes = [name for name in VOTED if isinstance(schema.get(name), pl.Struct)]
    told = audit.features().select("row", "constitution", *votes).collect().unnest("constitution", *votes)
    pairs = audit.pairs().select("source_row", "label").collect()
    model = by_model(audit.measures())
    if model is not None:
        told = beside(told, listed(model.ballots, model.principles, told["row"]))
    buffer = io.BytesIO()
    pl.concat([told.select("row"), pairs, told.drop("row")], how="horizontal").write_parquet(buffer)
    return buffer.getvalue()


def markdown(audit: Audit) -> bytes:
    """The constitution as Markdown: what it is worth, and its rules with how often they speak and are followed."""
    report = audit.report
    said = ["# Constitution", "", *(f"{line}." for line in lines(report)), ""]
    given = report["constitution"].get("given")
    where = "followed there in" if given else "followed in pairs that did not select it:"
    for number, rule in enumerate(_rules(audit), 1):
        fresh = rule.get("fresh") or {}
        facts = (
            f"weight {decimal(rule['weight'])}; speaks in {some(rule['speaks'], 'pair')}, {percent(rule['applies'])}; "
        )
        facts += f"{where} {percent(fresh.get('followed'), fresh.get('interval'))}"
        said += [f"{number}. {escape(clean(rule['says'], 2 * LONGEST))} ({facts})"]
    return ("\n".join(said) + "\n").encode()


def prompt(audit: Audit) -> bytes:
    """The rules as the prompt of a judge, the weightiest first."""
    rules = sorted(_rules(audit), key=lambda r: (-r["weight"], r["id"]))
    listed = "\n".join(f"{k}. {short(rule['says'])}" for k, rule in enumerate(rules, 1))
    return (
        "You compare two responses, A and B, to the same prompt. Prefer the response that fits these principles; "
        "the first weigh most, and one that does not apply counts for neither.\n\nThe better response:\n"
        f"{listed}\n\nReply with the single letter A or B.\n"
    ).encode()


def _rules(audit: Audit) -> list[dict[str, Any]]:
    rules = audit.report["constitution"].get("rules") or []
    if not rules:
        told = broken(audit.report)
        note = "; ".join(told[1:]) or audit.report["constitution"].get("note") or "no principle was asked"
        raise AuditError(f"there is no constitution: {note}", "" if told else "name one with --constitution FILE")
    return list(rules)


EXPORTS: Mapping[str, Callable[[Audit], bytes]] = MappingProxyType(
    {
        "annotation": annotation,
        "markdown": markdown,
        "judge-prompt": prompt,
        "annotated-pairs": annotated_pairs,
        "icai-csv": icai_csv,
    }
)
"""Name on the command line to the function that gives the file's content."""

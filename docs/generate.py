"""Writes what the documentation says of the code from the code: `python docs/generate.py`.

The pages of the rules and their list, the table that heads the page of each extractor with their list, and the page of
the command line. Anything else on an extractor's page is written by hand and stays.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import polars as pl
import typer

from prefaudit.cli import app
from prefaudit.cli.options import SCAN
from prefaudit.core import Extractor
from prefaudit.extractors import EXTRACTORS, GROUPS, ON_REQUEST, SAMPLED
from prefaudit.rules import builtin, explain
from prefaudit.rules.file import PREFIXES

HERE = Path(__file__).parent
BEGIN, END = "<!-- generated: python docs/generate.py -->", "<!-- end of what is generated -->"
MANY = 32  # columns of one struct that are listed singly


def pages() -> dict[str, str]:
    """File name to text of every page in docs/rules."""
    listed = [f"# All rules\n\n{len(builtin())} rules by family; [what a rule is](../rules.md).\n"]
    family = ""
    for code, rule in sorted(builtin().items()):
        if code[:3] != family:
            family = code[:3]
            listed.append(
                f"\n## {family}: {PREFIXES[family]}\n\n| rule | name | severity | it asks |\n|---|---|---|---|\n"
            )
        preview = " (preview)" if rule.preview else ""
        first = re.split(r"(?<=[.:])\s", rule.what.strip(), maxsplit=1)[0].rstrip(":").replace("|", "\\|")
        listed.append(f"| [{code}]({code}.md) | {rule.name} | {rule.severity}{preview} | {' '.join(first.split())} |\n")
    return {"README.md": "".join(listed)} | {f"{code}.md": explain(rule) for code, rule in builtin().items()}


def extractor_pages() -> dict[str, str]:
    """File name to text of every page in docs/extractors, what is written by hand in them included."""
    found, listed = {}, ["# All extractors\n\nWhat is measured, and where each definition stands.\n\n"]
    listed.append("| extractor | group | measures |\n|---|---|---|\n")
    for cls in EXTRACTORS:
        path = HERE / "extractors" / f"{cls.name}.md"
        text = path.read_text("utf-8") if path.exists() else f"# {cls.name}\n"
        title, _, rest = text.partition("\n")
        rest = re.sub(rf"\n*{re.escape(BEGIN)}.*?{re.escape(END)}\n*", "\n", rest, flags=re.DOTALL).strip("\n")
        group = _group(cls.name)
        summary = _summary(cls)
        head = f"{BEGIN}\n{summary}\n\n{_facts(cls, group)}\n{END}\n"
        found[f"{cls.name}.md"] = f"{title}\n\n{head}" + (f"\n{rest}\n" if rest else "")
        listed.append(f"| [{cls.name}]({cls.name}.md) | {group or 'always'} | {summary} |\n")
    return {"README.md": "".join(listed)} | found


def _group(name: str) -> str:
    return next((group for group, names in GROUPS.items() if name in names), "")


def _summary(cls: type[Extractor]) -> str:
    """What the extractor's file says in its first sentence."""
    text = " ".join((sys.modules[cls.__module__].__doc__ or "").split())
    text = re.sub(r"^`\w+`(:|,) ", "", text)
    text = re.split(r"\.\s|; see |\. See |\. Definitions|: docs/", text + " ", maxsplit=1)[0].strip().rstrip(".")
    return text[:1].upper() + text[1:] + "."


def _facts(cls: type[Extractor], group: str) -> str:
    extractor = cls()
    full = replace(extractor, reward_model=("a model",)) if hasattr(extractor, "reward_model") else extractor
    if not group:
        when = "always" if cls.name == "groups" else "where another extractor needs it"
    elif group in ON_REQUEST:
        when = f"on request: `--with +{group}`"
    elif group in SAMPLED:
        when = f"on a sample in scans of 50,000 pairs and more; of all pairs with `--with +{group}`"
    else:
        when = f"in every scan; `--without {group}` leaves its group out"
    options = [f"`{_option(f.name)}`" for f in fields(extractor) if f.name in SCAN]  # type: ignore[arg-type]
    rules = [f"[{code}](../rules/{code}.md)" for code, rule in sorted(builtin().items()) if cls.name in rule.needs]
    rows = [
        ("runs", when),
        ("learns", "from the whole dataset, after the last part" if cls.learns else "nothing: part by part"),
        ("reads", ", ".join(f"`{name}`" for name in full.reads) or "what is learned from"),
        ("needs", ", ".join(f"[{name}]({name}.md)" for name in cls.needs) or "no other extractor"),
        ("options", ", ".join(options) or "none"),
        ("columns", _columns(extractor.columns)),
        ("rules", ", ".join(rules) or "none by name"),
    ]
    table = "".join(f"| {name} | {value} |\n" for name, value in rows)
    said = f"{sys.modules[cls.__module__].__doc__} {cls.__doc__}"
    told = [page for page in dict.fromkeys(re.findall(r"docs/([\w/-]+)\.md", said)) if page != f"extractors/{cls.name}"]
    more = "".join(f" See [{Path(page).name}](../{page}.md)." for page in told)
    return f"| | |\n|---|---|\n{table}\n{_meaning(cls.name)}{more}".strip() + "\n"


def _columns(columns: Mapping[str, Any]) -> str:
    told: dict[str, str] = {}
    for name, kind in columns.items():
        inner = [f"`{f.name}` ({_kind(f.dtype)})" for f in kind.fields] if isinstance(kind, pl.Struct) else []
        shown = inner if len(inner) <= MANY else [*inner[:2], "...", inner[-1]]
        what = f": {', '.join(shown)}" if inner else f" ({_kind(kind)})"
        told[what] = f"{told[what]}, `{name}`" if what in told else f"`{name}`"
    return "; ".join(f"{names}{what}" for what, names in told.items())


def _kind(kind: Any) -> str:
    return re.sub(r"\(.*", "", str(kind)).lower()


def _meaning(name: str) -> str:
    """The columns in words, from the one table of them in architecture.md; empty for what has no line there."""
    table = (HERE / "architecture.md").read_text("utf-8")
    line = re.search(rf"^\| `{name}` \| [^|]+ \| (.*) \|$", table, re.MULTILINE)
    return f"In words: {line[1]}." if line else ""


def _option(name: str) -> str:
    said = SCAN[name].__metadata__[0]  # typer keeps the first declaration in the place of a default
    return next(text for text in (said.default, *said.param_decls) if text.startswith("--"))


def command_line() -> str:
    """The page of every command with each of its options."""
    commands = dict(_commands(typer.main.get_command(app)))
    shared = {_option(name) for name in SCAN}
    text = [
        f"# The command line\n\n{BEGIN}\n\n"
        "Results go to standard output, progress and errors to standard error. Exit codes: 0 nothing at or above\n"
        "`--fail-on`, 1 the gate failed, 2 not done, or not completely. `prefaudit COMMAND --help` says the same.\n\n"
        "| command | |\n|---|---|\n"
    ]
    text += [
        f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(command.help)} |\n" for name, command in commands.items()
    ]
    text.append(
        "\n## Options of a scan\n\nShared by the commands that scan, each of which says below which it takes.\n\n"
    )
    text.append(_table(p for p in commands["scan"].params if p.opts and shared & set(p.opts)))
    for name, command in commands.items():
        own = [p for p in command.params if not shared & set(p.opts)]
        taken = [text for p in command.params for text in p.opts if text in shared]
        also = "all" if len(taken) == len(shared) else ", ".join(f"`{text}`" for text in taken)
        text.append(f"\n## {name}\n\n{_usage(name, command)}\n\n{command.help}\n\n")
        text.append(_table(own))
        text.append(f"\n[Options of a scan](#options-of-a-scan) that it takes: {also}.\n" if taken else "")
    return "".join(text)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its name, those of a group under both names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _usage(name: str, command: Any) -> str:
    arguments = [p.metavar for p in command.params if p.param_type_name == "argument"]
    return f"    prefaudit {' '.join([name, *arguments])}" + (
        " [options]" if len(command.params) > len(arguments) else ""
    )


def _table(parameters: Any) -> str:
    rows = []
    for p in parameters:
        names = ", ".join(f"`{text}`" for text in p.opts) if p.param_type_name == "option" else ""
        value = f"`{p.metavar}`" if p.metavar else ""
        default = (
            f" [default: {p.default}]"
            if isinstance(p.default, int | float | str) and p.default not in (False, "")
            else ""
        )
        rows.append(f"| {names} | {_cell(value)} | {_cell(p.help or '')}{default} |\n")
    return "| option | takes | |\n|---|---|---|\n" + "".join(rows) if rows else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def everything() -> dict[Path, str]:
    """Every generated page by its path."""
    found = {HERE / "rules" / name: text for name, text in pages().items()}
    found |= {HERE / "extractors" / name: text for name, text in extractor_pages().items()}
    return found | {HERE / "cli.md": command_line()}


def main() -> None:
    """Write the pages and remove those of rules that are gone."""
    written = everything()
    for old in (HERE / "rules").glob("*.md"):
        if old not in written:
            old.unlink()
    for path, text in written.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Writes the page of every rule, docs/rules/CODE.md, from the rule's own file: `python docs/generate.py`."""

from pathlib import Path

from prefaudit.rules import builtin, explain

PAGES = Path(__file__).parent / "rules"


def pages() -> dict[str, str]:
    """File name to text of every generated page."""
    return {f"{code}.md": explain(rule) for code, rule in builtin().items()}


def main() -> None:
    """Write the pages and remove those of rules that are gone."""
    PAGES.mkdir(exist_ok=True)
    written = pages()
    for old in PAGES.glob("*.md"):
        if old.name not in written:
            old.unlink()
    for name, text in written.items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

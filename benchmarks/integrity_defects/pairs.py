"""Degenerate pairs, damage to texts, language, personal data and truncation."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

import prefaudit
from integrity_defects.base import Planted, Row, defect, own_scan, plain

SIDES = ("chosen", "rejected")
EITHER = Callable[[str], object]


def where(holds: Callable[[Row], object]) -> Callable[[list[Row]], set[int]]:
    """The rows in which something holds."""
    return lambda rows: {n for n, row in enumerate(rows) if holds(row)}


def either(holds: EITHER) -> Callable[[list[Row]], set[int]]:
    """The rows in which something holds of one answer at least."""
    return where(lambda row: holds(row["chosen"]) or holds(row["rejected"]))


def change(rows: list[Row], own: list[int], rng: random.Random, make: Callable[[str], str]) -> set[int]:
    """Change one side of each row."""
    for number in own:
        side = rng.choice(SIDES)
        rows[number] = {**rows[number], side: make(rows[number][side])}
    return set(own)


def into(text: str, what: str, rng: random.Random) -> str:
    """Put something between two words."""
    words = text.split(" ")
    at = rng.randrange(len(words) + 1)
    return " ".join([*words[:at], what, *words[at:]])


@defect("identical answers", ("SCH003",), true=where(lambda r: r["chosen"] == r["rejected"]))
def identical(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    for number in own:
        rows[number] = {**rows[number], "rejected": rows[number]["chosen"]}
    return set(own)


@defect(
    "same but for case, spaces, punctuation",
    ("SCH004",),
    true=where(lambda r: r["chosen"] != r["rejected"] and plain(r["chosen"]) == plain(r["rejected"])),
)
def form(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    makes = (str.upper, lambda t: t.replace(" ", "  "), lambda t: f"**{t}**", lambda t: f"{t} !!", lambda t: f'"{t}"')
    for number in own:
        text = rows[number]["chosen"]
        made = rng.choice(makes)(text)
        rows[number] = {
            **rows[number],
            "rejected": made if made != text and plain(made) == plain(text) else text + " .",
        }
    return set(own)


@defect("wrong decoding (Latin-1, Windows-1252)", ("SCH012",))
def decoded(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    marks = ("’", "“", "é", "ü", "—", "€", "ñ", "…", "°", "ß", "😀", "à la")

    def make(text: str) -> str:
        mark = rng.choice(marks)
        wrong = mark.encode().decode(rng.choice(("latin-1", "cp1252")), errors="ignore")
        return into(text, wrong, rng)

    return change(rows, own, rng, make)


@defect("replacement characters", ("SCH013",), true=either(lambda t: "\ufffd" in t))
def lost(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    return change(rows, own, rng, lambda t: into(t, "\ufffd" * rng.randint(1, 3), rng))


@defect("control characters", ("SCH014",), true=either(lambda t: re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]", t)))
def controls(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    return change(rows, own, rng, lambda t: into(t, rng.choice("\x07\x00\x1b\x08\x7f\x92"), rng))


@defect("line breaks escaped twice", ("SCH015",))
def escaped(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    def make(text: str) -> str:
        while text.count("\n") < 2:
            text = into(text, "So:\nFirst\nSecond", rng)
        return text.replace("\n", "\\n")

    return change(rows, own, rng, make)


ESCAPE = re.compile(r"&(amp|lt|gt|quot|nbsp|#\d+);")


@defect("HTML entities on one side", ("SCH016",), true=where(lambda r: bool(ESCAPE.search(r["chosen"])) != bool(
    ESCAPE.search(r["rejected"])) and not re.search(r"```|</", r["chosen"] + r["rejected"])))  # fmt: skip
def entities(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    def make(text: str) -> str:
        quoted = into(text, "R&D", rng).replace("&", "&amp;").replace('"', "&quot;").replace("'", "&#39;")
        return quoted.replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")

    return change(rows, own, rng, make)


TOKENS = ("<|im_end|>", "<|eot_id|>", "[/INST]", "<|im_start|>user\nAnd then?", "\n\nHuman: And then?", "</s>")


LEAK = re.compile(
    r"<\|\w+\|>|\[/?INST\]|\A\s*<s>|</s>\s*\Z|\n\n(Human|Assistant):|\A\s*(Human|Assistant|USER|ASSISTANT): |"
    r"### (Response|Instruction|Human|Assistant|User):|\n(USER|ASSISTANT):"
)


@defect("template tokens in an answer", ("SCH009",), true=either(LEAK.search))
def leaked(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    return change(rows, own, rng, lambda t: t + rng.choice(TOKENS))


@defect("empty reasoning against reasoning", ("FMT001",))
def reasoned(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    for number in own:
        full, empty = rng.sample(SIDES, 2)
        row = rows[number]
        thought = f"<think>\nThe user asks something.\n</think>\n\n{row[full]}"
        rows[number] = {**row, full: thought, empty: f"<think>\n\n</think>\n\n{row[empty]}"}
    return set(own)


FOREIGN = (
    "Das kann ich gern erklären: Zuerst sollten Sie die Unterlagen sammeln und dann in Ruhe durchlesen.",
    "Je peux vous l'expliquer : commencez par rassembler les documents, puis lisez-les tranquillement.",
    "Puedo explicarlo con gusto: primero reúna los documentos y después léalos con calma en su casa.",
    "Posso spiegarlo volentieri: prima raccolga i documenti e poi li legga con calma a casa sua.",
    "Я могу это объяснить: сначала соберите документы, а потом спокойно прочитайте их дома.",
    "我可以为您解释一下：首先请您收集好所有的文件，然后在家里慢慢地阅读它们。",
    "喜んでご説明します。まず書類を集めて、それから家でゆっくり読んでください。",
    "Bunu açıklayabilirim: önce belgeleri toplayın, sonra evde sakin bir şekilde okuyun.",
    "Chętnie to wyjaśnię: najpierw proszę zebrać dokumenty, a potem spokojnie przeczytać je w domu.",
)


@defect("rejected in another language", ("LNG001",))
def foreign(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
    for number in own:
        rows[number] = {**rows[number], "rejected": rng.choice(FOREIGN)}
    return set(own)


def digits(rng: random.Random, n: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(n))


def checked(begin: str, n: int, rng: random.Random) -> str:
    """Digits whose last makes the Luhn sum right."""
    body = begin + digits(rng, n - 1 - len(begin))
    total = sum(sum(divmod(int(d) * (2 if k % 2 == 0 else 1), 10)) for k, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def account(rng: random.Random) -> str:
    country, n = rng.choice((("DE", 18), ("AT", 16), ("CH", 17), ("NO", 11), ("ES", 20)))
    body = digits(rng, n)
    value = int(body + "".join(str(int(letter, 36)) for letter in country) + "00")
    whole = f"{country}{98 - value % 97:02}{body}"
    return " ".join(whole[k : k + 4] for k in range(0, len(whole), 4)) if rng.random() < 0.5 else whole


def address(rng: random.Random) -> str:
    user = "".join(rng.choice(string.ascii_lowercase) for _ in range(7)) + digits(rng, 2)
    return f"{user}@{rng.choice(('gmail.com', 'proton.me', 'uni-graz.at', 'orange.fr', 'qq.com'))}"


def telephone(rng: random.Random) -> str:
    area, exchange = rng.choice(("212", "415", "734", "617")), rng.choice(("736", "248", "932", "681"))
    line = str(rng.randrange(2013, 9876))
    return rng.choice((f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"+1 {area}-{exchange}-{line}",
                       f"+44 20 7{digits(rng, 3)} {line}"))  # fmt: skip


def key(rng: random.Random) -> str:
    signs = string.ascii_letters + string.digits
    begin, n = rng.choice((("sk-proj-", 48), ("ghp_", 36), ("AIza", 35), ("hf_", 34), ("AKIA", 16), ("xoxb-", 40)))
    pool = string.ascii_uppercase + string.digits if begin == "AKIA" else signs
    return begin + "".join(rng.choice(pool) for _ in range(n))


def host(rng: random.Random) -> str:
    return f"{rng.choice((81, 93, 151, 217))}.{rng.randrange(30, 250)}.{rng.randrange(30, 250)}.{rng.randrange(1, 250)}"


def personal(name: str, code: str, make: Callable[[random.Random], str], natural: str) -> None:
    """Register one kind of personal data; `natural` is its form, read plainly."""
    seen = re.compile(natural)

    @defect(name, (code,), true=where(lambda r: any(seen.search(r[k]) for k in ("prompt", *SIDES))))
    def plant(rows: list[Row], own: list[int], rng: random.Random) -> set[int]:
        for number in own:
            field = rng.choice(("prompt", *SIDES))
            rows[number] = {**rows[number], field: into(rows[number][field], make(rng), rng)}
        return set(own)


CONTACT = r"\w@\w[\w-]*\.\w|\d{3}\)? ?[.-]?\d{3}[ .-]\d{4}|\+\d"
personal("e-mail address", "PII003", address, CONTACT)
personal("telephone number", "PII003", telephone, CONTACT)
personal("API key", "PII001", key, r"(sk-|ghp_|AIza|hf_|AKIA|xoxb-)\w{4}")
NUMBER = r"\d{4}[ -]?\d{4}[ -]?\d{4}|[A-Z]{2}\d{2} ?\w{4}"
personal("card number", "PII002", lambda rng: checked(rng.choice(("4", "52", "55")), 16, rng), NUMBER)
personal("IBAN", "PII002", account, NUMBER)
personal("IP address", "PII004", host, r"\d+\.\d+\.\d+\.\d+")


def found(path: Path, rows: list[Any], code: str, **options: Any) -> set[int]:
    """Write the rows, scan them, and take the rows that a rule names."""
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path / "rows.parquet")
    audit = prefaudit.scan(str(path / "rows.parquet"), path / "audit", **options)
    return set(audit.findings.filter(pl.col("rule") == code)["row"].drop_nulls().to_list())


@own_scan("same after truncation (max_length 4,000)")
def truncated(rows: list[Row], own: list[int], rng: random.Random, path: Path) -> Planted:
    most = 4000
    for number in own:
        text = rows[number]["chosen"] + " And so on." * 400
        rows[number] = {**rows[number], "chosen": text, "rejected": text[:-1] + rng.choice("!?;")}
    short = {n for n in own if len(rows[n]["prompt"]) < most}

    def alike(row: Row) -> bool:
        left = most - len(row["prompt"])
        return left > 0 and row["chosen"] != row["rejected"] and row["chosen"][:left] == row["rejected"][:left]

    true = where(alike)(rows)
    return Planted(short, found(path, rows, "TRC002", format="trl", max_length=most, with_=["integrity"]), true)


def messages(row: Row, system: str | None, side: str, prompt: str) -> list[dict[str, str]]:
    begin = [{"role": "system", "content": system}] if system else []
    return [*begin, {"role": "user", "content": prompt}, {"role": "assistant", "content": row[side]}]


def conversations(rows: list[Row], own: set[int], odd: Callable[[Row, str], tuple[str | None, str]]) -> list[Any]:
    made = []
    for number, row in enumerate(rows):
        system, prompt = odd(row, "rejected") if number in own else (None, row["prompt"])
        made.append({"chosen": messages(row, None, "chosen", row["prompt"]),
                     "rejected": messages(row, system, "rejected", prompt)})  # fmt: skip
    return made


@own_scan("system message on one side")
def system(rows: list[Row], own: list[int], rng: random.Random, path: Path) -> Planted:
    made = conversations(rows, set(own), lambda row, side: ("Answer briefly and politely.", row["prompt"]))
    return Planted(set(own), found(path, made, "SCH011", with_=["text"]), set())


@own_scan("answers to different prompts")
def differing(rows: list[Row], own: list[int], rng: random.Random, path: Path) -> Planted:
    made = conversations(rows, set(own), lambda row, side: (None, row["prompt"] + " Be brief."))
    return Planted(set(own), found(path, made, "SCH005", with_=["text"]), set())

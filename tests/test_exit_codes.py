"""Every row of the table in docs/exit-codes.md, run as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prefaudit import cli

PAGE = (Path(__file__).parents[1] / "docs" / "exit-codes.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (.+?) \| `prefaudit (.+?)` \| ([012]) \|$", PAGE, re.M)
THINGS = [
    *("a kettle", "a violin", "a tent", "some boots", "a lens", "a wok", "a rug", "a clock", "a drum", "a hat"),
    *("a mirror", "a saw", "a lamp", "a vase", "a grill", "a flute", "a sink", "a chair", "a blind", "a brush"),
    *("a ladder", "a bell", "a coin", "a shell", "a stove", "a globe", "a fan", "a bike", "a crib", "a pond"),
]
GOOD = [
    {
        "prompt": f"How do I clean {what}?",
        "chosen": f"Rinse the {what} with warm water, and dry it well before you put it away.",
        "rejected": f"Wipe {what} with a wet cloth now and then; that is all there is to it.",
    }
    for what in THINGS
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("situations")

    def lines(name: str, rows: list[dict[str, str]], more: str = "") -> None:
        (here / name).write_text("".join(json.dumps(row) + "\n" for row in rows) + more)

    lines("good.jsonl", GOOD)
    lines("repeated.jsonl", [*GOOD[:15], *GOOD[:15]])
    lines("empty.jsonl", [{**row, "chosen": ""} if k < 2 else row for k, row in enumerate(GOOD)])
    lines("worse.jsonl", [{**row, "chosen": ""} if k < 4 else row for k, row in enumerate(GOOD)])
    lines("torn.jsonl", GOOD, '{"prompt": "How')
    (here / "broken.parquet").write_bytes(b"PAR1 and no more")
    (here / "odd.csv").write_text("when,where\nnow,here\n")
    for name, text in re.findall(r"^```toml\n# (\w+\.toml)\n(.*?)^```$", PAGE, re.M | re.S):
        (here / name).write_text(text)
    (here / "rules").mkdir()
    (here / "rules" / "USR001.toml").write_text(
        'code = "USR001"\nname = "not-a-number"\nscope = "pair"\nseverity = "info"\nvalue = "cast(chosen as double)"\n'
        'where = "value > 1"\nmessage = "{value}"\nwhat = "x"\nwhy = "x"\nremedy = "x"\n'
        '[[case]]\nchosen = "2"\nfires = true\n'
    )
    return here


def run(words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["prefaudit", *shlex.split(words)])
    monkeypatch.setenv("PREFAUDIT_WITH", "text,duplicates")  # what the rules of the table need, and no more
    with pytest.raises(SystemExit) as told:
        cli.main()
    return int(told.value.code or 0)


@pytest.fixture(scope="module")
def known(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("scan empty.jsonl -o failed -q", patch)
        run("report failed --output-format baseline=known.json", patch)
    return folder


def test_the_table_has_at_least_twenty_situations() -> None:
    assert len(ROWS) == PAGE.count("| `prefaudit ") >= 20
    assert {code for *_, code in ROWS} == {"0", "1", "2"}


@pytest.mark.parametrize(("situation", "words", "code"), ROWS, ids=[words for _, words, _ in ROWS])
def test_situation(situation: str, words: str, code: str, known: Path, monkeypatch: pytest.MonkeyPatch,
                   capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(known)
    kept = {p.name: p.read_bytes() for p in known.iterdir() if p.is_file()}
    told = run(words, monkeypatch)
    said = capsys.readouterr()
    assert str(told) == code, said.out + said.err
    assert "Traceback" not in said.err
    if code == "2" and "incomplete" not in situation:
        assert said.out == "" and ("error: " in said.err.lower() or "hint: " in said.err)
    assert {name: (known / name).read_bytes() for name in kept} == kept


@pytest.mark.parametrize(
    "words",
    [
        ("scan", "{data}", "-q", "-o", "{folder}/a", "--output-format", "json={data}", "--force"),
        ("principles", "{data}", "-q", "-o", "{folder}/a", "--export", "markdown={data}", "--force"),
        ("diff", "{data}", "{other}", "--output-format", "json={other}", "--force"),
    ],
)
def test_no_report_is_written_over_the_data(tmp_path: Path, words: tuple[str, ...]) -> None:
    data, other = tmp_path / "pairs.jsonl", tmp_path / "other.jsonl"
    for path in (data, other):
        path.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    before = data.read_bytes()
    named = [word.format(data=data, folder=tmp_path, other=other) for word in words]
    result = CliRunner().invoke(cli.app, named)
    assert result.exit_code == 2, result.output
    assert "is the source itself" in result.output + result.stderr
    assert data.read_bytes() == other.read_bytes() == before

"""The HTML report in a browser: it sorts, filters, folds, steps through pairs, and nothing of a dataset runs in it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from browser import NO_BROWSER, Browser, found

import prefaudit
from prefaudit import reports

PWN = "window.ran = (window.ran || 0) + 1"
HOSTILE = (
    f"<script>{PWN}</script>",
    f"</script></style></title></textarea><script>{PWN}</script>",
    f'<img src=x onerror="{PWN}"><svg onload="{PWN}"><animate onbegin="{PWN}" attributeName=x dur=1s>',
    f'<a href="javascript:{PWN}" autofocus onfocus="{PWN}">click</a><iframe srcdoc="<script>parent.ran=1</script>">',
    f"\" onmouseover=\"{PWN}\" x='' '><details open ontoggle={PWN}>",
    '<link rel=stylesheet href="https://evil.example/a.css"><base href="https://evil.example/"><meta>',
    "{{ 7 * 7 }} {% for x in y %} ${7*7} <!-- --> ]]> &lt;script&gt; &#x3c;script>",
    "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.exe\u202c \u2066x\u2069 \x00 nul \ufeff\u200b",
    "=cmd|' /C calc'!A0 @SUM(1) +1 -1",
)
ROWS = 130


def hostile() -> pl.DataFrame:
    """Pairs in which every text, source and annotator is written against its reader, and one answer is a megabyte."""
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    rows = []
    for k in range(ROWS):
        bad = HOSTILE[k % len(HOSTILE)]
        longer = f"{bad} {' '.join(words * (1 + k % 4))} {k}. I'm happy to help! Is that fine?\n- a\n- b"
        rows.append({
            "prompt": f"{bad} question {k // 2}",
            "chosen": longer if k % 5 else f"{bad} {k}",
            "rejected": f"{bad} {words[k % 10]} {k}." if k % 7 else longer,
            "source": f"{HOSTILE[k % 2]}{k % 2}",
            "annotator": f"{HOSTILE[2 + k % 3]}",
        })  # fmt: skip
    rows[3]["chosen"] = "A" * 1_000_000 + HOSTILE[0]
    rows[8]["chosen"] = rows[8]["rejected"] = "\n".join(f"line {i} of a long answer" for i in range(60))
    rows[9] = {**rows[8], "chosen": "", "rejected": "x"}
    rows += [dict(row) for row in rows[20:26]]
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    chosen = ["text", "duplicates"]
    maps = {name: name for name in ("source", "annotator")}
    prefaudit.scan(hostile(), folder / "audit", with_=chosen, map=maps)
    return folder / "audit" / "report.html"


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Browser]:
    program = found()
    if program is None:
        pytest.skip(NO_BROWSER)
    with Browser(program) as browser:
        browser.open(page)
        yield browser


ROWS_SHOWN = "[...document.querySelectorAll('#forest tbody tr')].filter(r => !r.hidden)"


def test_nothing_of_the_dataset_runs_and_nothing_leaves_the_page(opened: Browser, page: Path) -> None:
    opened.js("document.querySelectorAll('details').forEach(d => d.open = true)")
    opened.js("new Promise(done => setTimeout(done, 300))")
    assert opened.js("typeof window.ran") == "undefined"
    assert opened.complaints() == [] and opened.requests() == []
    assert opened.js("document.querySelectorAll('script').length + document.querySelectorAll('style').length") == 2
    assert opened.js("document.querySelectorAll('img, iframe, link, base, object, main svg [onload]').length") == 0
    acts = "a => a.name.startsWith('on') || (a.name === 'href' && !a.value.startsWith('#'))"
    assert opened.js(f"[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter({acts}).length") == 0
    assert "<script>" in opened.js("document.querySelector('main').textContent")
    assert opened.js("document.title").startswith("prefaudit: ")
    assert page.stat().st_size < 2_000_000
    assert opened.paint() < 1000


def test_a_column_sorts_both_ways_by_mouse_and_by_key(opened: Browser) -> None:
    column = "Array.from(document.querySelectorAll('#forest thead th')).findIndex(h => h.textContent === 'wins, %')"
    values = f"{ROWS_SHOWN}.map(r => r.cells[{column}].dataset.v).filter(v => v !== '').map(Number)"
    opened.js(f"document.querySelectorAll('#forest thead th')[{column}].querySelector('button').click()")
    down = opened.js(values)
    assert len(set(down)) > 2 and down == sorted(down, reverse=True)
    head = f"document.querySelectorAll('#forest thead th')[{column}]"
    assert opened.js(f"{head}.getAttribute('aria-sort')") == "descending"
    opened.js(f"{head}.querySelector('button').focus()")
    opened.press("Enter", 13, "\r")
    assert opened.js(values) == sorted(down)
    assert opened.js(f"{head}.getAttribute('aria-sort')") == "ascending"
    assert opened.js("document.querySelectorAll('#forest [aria-sort]').length") == 1


def test_filters_by_words_family_significance_and_source(opened: Browser) -> None:
    def choose(key: str, value: str) -> None:
        opened.js(f"(() => {{ const c = document.querySelector('form[data-for=forest] [data-key={key}]');"
                  f" c.value = {value!r}; c.dispatchEvent(new Event('input', {{bubbles: true}})); }})()")  # fmt: skip

    def shown(what: str) -> list[str]:
        found: list[str] = opened.js(f"{ROWS_SHOWN}.map(r => r.dataset.{what})")
        return found

    everything = shown("words")
    assert set(shown("source")) == {"all pairs"} and len(everything) >= 8
    choose("family", "format")
    assert set(shown("family")) == {"format"} and len(shown("family")) < len(everything)
    assert opened.js("document.querySelector('form[data-for=forest] output').textContent") == (
        f"{len(shown('family'))} shown"
    )
    choose("family", "")
    choose("words", "word")
    assert all("word" in words for words in shown("words")) and len(shown("words")) < len(everything)
    choose("words", "")
    choose("sure", "equals|yes")
    assert set(shown("sure")) <= {"yes"} and len(shown("sure")) < len(everything)
    opened.js("document.querySelector('form[data-for=forest] [type=reset]').click()")
    opened.js("new Promise(done => setTimeout(done, 50))")
    assert sorted(shown("words")) == sorted(everything)
    source = opened.js("document.querySelector('form[data-for=forest] [data-key=source]').options[1].value")
    opened.js("(() => { const c = document.querySelector('form[data-for=forest] [data-key=source]');"
              " c.selectedIndex = 1; c.dispatchEvent(new Event('input', {bubbles: true})); })()")  # fmt: skip
    assert set(shown("source")) == {source} and "script" in source


def test_long_texts_unfold(opened: Browser) -> None:
    fold = "document.querySelector('#findings details.finding[open] .pair:not([hidden]) .words.fold')"
    opened.js("document.querySelectorAll('#findings details').forEach(d => d.open = true)")
    opened.js("document.querySelectorAll('#findings .pager button:last-child').forEach(b => b.click())")
    button = f"{fold}.nextElementSibling"
    low = opened.js(f"{fold}.clientHeight")
    assert opened.js(f"{button}.getAttribute('aria-expanded')") == "false"
    opened.js(f"{button}.click()")
    assert opened.js(f"{fold}.clientHeight") > 1.5 * low
    assert opened.js(f"{button}.getAttribute('aria-expanded')") == "true"
    assert opened.js(f"{button}.textContent").startswith("Show less of the ")


def test_a_link_opens_its_finding_and_its_pairs_are_stepped_through(opened: Browser, page: Path) -> None:
    opened.open(page)
    links = opened.js("[...document.querySelectorAll('#fix table a')].map(a => a.hash)")
    ids = [link for link in links if opened.js(f"document.querySelectorAll('{link} .pair').length") > 1]
    opened.js(f"document.querySelector('#fix table a[href=\"{ids[0]}\"]').click()")
    opened.js("new Promise(done => setTimeout(done, 100))")
    one = f"document.querySelector('{ids[0]}')"
    assert opened.js(f"{one}.open") is True
    assert opened.js("document.activeElement.tagName") == "SUMMARY"
    shown = f"[...{one}.querySelectorAll('.pair')].map(p => !p.hidden)"
    size = len(opened.js(shown))
    assert opened.js(shown) == [k == 0 for k in range(size)]
    told = f"{one}.querySelector('.pager output').textContent"
    assert opened.js(told) == f"Pair 1 of {size}"
    buttons = f"{one}.querySelectorAll('.pager button')"
    assert opened.js(f"{buttons}[0].disabled") is True
    opened.js(f"{buttons}[1].click()")
    assert opened.js(shown) == [k == 1 for k in range(size)] and opened.js(told) == f"Pair 2 of {size}"
    assert opened.js(f"{one}.querySelectorAll('.pair:not([hidden]) .side').length") == 2
    opened.js(f"{buttons}[2].click()")
    assert opened.js(shown) == [True] * size
    opened.js("document.querySelector('[data-open=no][data-for=findings]').click()")
    assert opened.js("document.querySelectorAll('#findings details[open]').length") == 0


@pytest.mark.parametrize(("dark", "mobile"), [(False, False), (True, True)])
def test_axe_finds_nothing_serious(opened: Browser, page: Path, dark: bool, mobile: bool) -> None:
    opened.open(page, width=390 if mobile else 1280, dark=dark, mobile=mobile)
    opened.js("document.querySelectorAll('details').forEach((d, k) => { d.open = k % 4 === 0; })")
    spec = importlib.util.find_spec("axe_core_python")
    assert spec is not None and spec.submodule_search_locations
    axe = Path(spec.submodule_search_locations[0]) / "axe.min.js"
    opened.js(axe.read_text("utf-8") + "; 0")
    what = "v => [v.impact, v.id, v.nodes.slice(0, 3).map(n => n.html)]"
    told = opened.js(f"axe.run().then(r => r.violations.map({what}))")
    assert [v for v in told if v[0] in ("serious", "critical")] == []
    assert opened.js("document.documentElement.scrollWidth") <= (390 if mobile else 1280)


BEYOND = """[...document.querySelectorAll('th, td, table, figure, .tiles, .pager .button')]
  .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => [e.closest('section')?.id, e.tagName, e.textContent.slice(0, 20)])"""


def wide(page: Path) -> Path:
    """The same report with slices by twelve rules, as wide as that table can be."""
    report = json.loads((page.parent / "report.json").read_text())
    fired = next(r for r in report["rules"] if r["status"] == "fired" and r["scope"] == "pair")
    codes = [f"ZZZ{k:03}" for k in range(12)]
    report["rules"] += [{**fired, "code": code} for code in codes]
    for k, part in enumerate(report["slices"]):
        part["rules"] += [{"code": code, "judged": 10, "found": 10 if k % 2 else 0} for code in codes]
    made = page.with_name("wide.html")
    made.write_text(reports.render("html", report))
    return made


def test_every_table_fits_a_printed_page(opened: Browser, page: Path) -> None:
    opened.open(wide(page), width=739)  # what the margins leave of Letter
    opened.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert "slices" in [section for section, *_ in opened.js(BEYOND)]  # on the screen it scrolls
    opened("Emulation.setEmulatedMedia", media="print")
    try:
        assert opened.js(BEYOND) == []
        cell = "document.querySelector('#slices tbody td:last-child')"
        label = f"getComputedStyle({cell}, '::before').content"
        assert opened.js(label) == '"ZZZ011"' and opened.js(f"{cell}.getClientRects().length") == 1
    finally:
        opened("Emulation.setEmulatedMedia", media="")


def test_buttons_of_the_pager_stay_whole_on_a_small_phone(opened: Browser, page: Path) -> None:
    opened.open(page, width=360, mobile=True)
    opened.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    lines = """[...document.querySelectorAll('.pager .button')].filter(e => e.getClientRects().length).map(e => {
      const text = document.createRange(); text.selectNodeContents(e);
      return new Set([...text.getClientRects()].map(r => r.top)).size <= e.textContent.trim().split(' ').length; })"""
    assert set(opened.js(lines)) == {True}
    assert opened.js("[...document.querySelectorAll('.pager .button')].every(b => b.scrollWidth <= b.clientWidth)")
    assert opened.js(BEYOND.replace("th, td, table, figure, .tiles, ", "")) == []


def test_without_its_script_the_page_is_whole(opened: Browser, page: Path) -> None:
    opened("Emulation.setScriptExecutionDisabled", value=True)
    try:
        opened.open(page)
        opened("DOM.enable")
        root = opened("DOM.getDocument")["root"]["nodeId"]
        hidden = opened("DOM.querySelectorAll", nodeId=root, selector=".pair[hidden], details[hidden]")["nodeIds"]
        pairs = opened("DOM.querySelectorAll", nodeId=root, selector=".pair")["nodeIds"]
        assert hidden == [] and pairs
    finally:
        opened("Emulation.setScriptExecutionDisabled", value=False)

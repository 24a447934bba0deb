"""Drawings of the page: Altair's charts as SVG in the page's own colours, so that they follow dark mode and print.

Only numbers and words of ours go into a chart, never text of the dataset.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefaudit.reports import strength
from prefaudit.reports.words import count, known, number, pair_of, percent

ENOUGH = 50  # values below which a drawing shows chance and a table would do
WIDTH, HEIGHT = 300, 130
CHOSEN, REJECTED, INK, SOFT, LINE = (f"var(--{name})" for name in ("chosen", "rejected", "ink", "soft", "line"))
TIMES = "datum.value == 0 ? 'alike' : (datum.value > 0 ? '×' : '÷') + pow(2, abs(datum.value))"

Bins = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """A drawing and the same in words and numbers."""

    title: str
    svg: str
    note: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def charts(report: dict[str, Any]) -> dict[str, Chart | None]:
    """Name to chart, None where the report does not hold enough for it."""
    shapes = report.get("distributions") or {}
    return {
        "length": _lengths(shapes.get("length") or {}),
        "difference": _difference(shapes.get("length_difference") or {}),
        "strength": _strength(shapes.get("strength") or {}),
        "deciles": _deciles(report),
        "agreement": _agreement((report.get("constitution") or {}).get("curve") or []),
    }


def _lengths(bins: Bins) -> Chart | None:
    if sum(bins.get("chosen", ())) < ENOUGH:
        return None
    import altair as alt

    edges, sides = bins["edges"], ("chosen", "rejected")
    steps = [{"at": edge, "n": n, "side": side} for side in sides
             for edge, n in zip(edges, [*bins[side], bins[side][-1]], strict=True)]  # fmt: skip
    base = alt.Chart(_data(steps)).encode(
        x=alt.X("at:Q", title="characters, on a logarithmic scale").scale(type="log", nice=False).axis(
            format="~s", tickCount=5, grid=False),
        y=alt.Y("n:Q", title="answers").axis(format="~s", tickCount=4),
        color=alt.Color("side:N", legend=None).scale(domain=list(sides), range=[CHOSEN, REJECTED]),
    )  # fmt: skip
    areas = base.mark_area(interpolate="step-after", opacity=0.14).encode(y=alt.Y("n:Q", stack=None, title="answers"))
    lines = base.mark_line(interpolate="step-after", strokeWidth=1.5)
    middle = bins.get("median") or (None, None)
    return Chart(
        "Length of the answers",
        _svg(areas + lines),
        f"Median {number(middle[0])} characters chosen, {number(middle[1])} rejected.",
        ("characters", *sides),
        [(_between(edges, k), count(bins["chosen"][k]), count(bins["rejected"][k])) for k in range(len(edges) - 1)],
    )


def _difference(bins: Bins) -> Chart | None:
    if (bins.get("n") or 0) < ENOUGH:
        return None
    above = bins["n"] - bins["below"] - bins["zero"]
    far = int(bins["edges"][-1])
    ticks = [k for k in range(-far, far + 1) if k % max(1, far // 2) == 0]
    return Chart(
        "Chosen against rejected, in length",
        _svg(_bars(bins, "length of chosen over rejected", ticks, TIMES)),
        f"Chosen is longer in {percent(above / bins['n'])}, shorter in {percent(bins['below'] / bins['n'])}.",
        ("chosen over rejected, log2", "pairs"),
        _table(bins),
    )


def _strength(bins: Bins) -> Chart | None:
    if (bins.get("n") or 0) < ENOUGH:
        return None
    return Chart(
        "Strength of the labels",
        _svg(_bars(bins, "strength: under 0 the evidence is against the label", None, "")),
        f"Under 0 in {count(bins['below'])} of {count(bins['n'])} pairs, median {number(bins['median'])}.",
        ("strength", "pairs"),
        _table(bins),
    )


def _bars(bins: Bins, title: str, ticks: Sequence[float] | None, label: str) -> Any:
    import altair as alt

    edges = bins["edges"]
    data = [{"low": edges[k], "high": edges[k + 1], "n": n, "side": "below" if edges[k] < 0 else "above"}
            for k, n in enumerate(bins["pairs"])]  # fmt: skip
    axis: dict[str, Any] = {"grid": False, "tickCount": 7}
    axis |= {"values": list(ticks), "labelExpr": label} if ticks else {}
    return (
        alt.Chart(_data(data))
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("low:Q", title=title, bin="binned").scale(domain=[edges[0], edges[-1]], nice=False).axis(**axis),
            x2="high:Q",
            y=alt.Y("n:Q", title="pairs").axis(format="~s", tickCount=4),
            color=alt.Color("side:N", legend=None).scale(domain=["below", "above"], range=[REJECTED, CHOSEN]),
        )
    )


def _deciles(report: dict[str, Any]) -> Chart | None:
    each = (report.get("strength") or {}).get("deciles") or []
    if sum(one.get("n") or 0 for one in each) < ENOUGH:
        return None
    import altair as alt

    shares = {"against": "evidence against the label", "longer_wins": "the longer answer wins"}
    data = [{"tenth": k + 1, "share": one[key], "what": what} for key, what in shares.items()
            for k, one in enumerate(each) if known(one.get(key))]  # fmt: skip
    base = alt.Chart(_data(data)).encode(
        x=alt.X("tenth:O", title="tenth of the pairs, weakest labels first").axis(labelAngle=0),
        y=alt.Y("share:Q", title="share of pairs").scale(domain=[0, 1]).axis(format="%", tickCount=4),
    )
    bars = base.transform_filter("datum.what == 'evidence against the label'").mark_bar(color=REJECTED)
    line = base.transform_filter("datum.what == 'the longer answer wins'").mark_line(
        color=SOFT, point={"filled": True, "size": 18, "color": SOFT}, strokeDash=[3, 2], strokeWidth=1.2)  # fmt: skip
    return Chart(
        "Tenths of the pairs by strength",
        _svg(bars + line),
        "Bars: evidence against the label. Dashed: the longer answer wins.",
        strength.DECILES,
        strength.deciles(report),
    )


def _agreement(curve: Sequence[dict[str, Any]]) -> Chart | None:
    """How far a list of so many principles agrees with labels that it was not chosen on."""
    told = [one for one in curve if known(one.get("agreement")) and pair_of(one.get("interval"))]
    if len(told) < 2:
        return None
    import altair as alt

    data = [{"rules": c["rules"], "share": c["agreement"], "low": c["interval"][0], "high": c["interval"][1]}
            for c in told]  # fmt: skip
    base = alt.Chart(_data(data)).encode(
        x=alt.X("rules:Q", title="principles in the list").axis(format="d", tickMinStep=1, grid=False),
        y=alt.Y("share:Q", title="labels agreed with").scale(zero=False).axis(format="%", tickCount=4),
    )
    band = base.mark_area(color=CHOSEN, opacity=0.15).encode(y=alt.Y("low:Q", title="labels agreed with"), y2="high:Q")
    line = base.mark_line(color=CHOSEN, strokeWidth=1.5, point={"filled": True, "size": 22, "color": CHOSEN})
    return Chart(
        "Agreement with the labels, by number of principles",
        _svg(band + line),
        "On groups of pairs that the principles were not chosen on, with the 95 % interval.",
        ("principles", "agreement"),
        [(count(c["rules"]), percent(c["agreement"], c["interval"])) for c in told],
    )


def _data(rows: Sequence[dict[str, Any]]) -> Any:
    import altair as alt

    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]


def _between(edges: Sequence[float], k: int) -> str:
    low = "under " if k == 0 else f"{number(round(edges[k]))} to "
    return f"{low}{number(round(edges[k + 1]))}" if k < len(edges) - 2 else f"over {number(round(edges[k]))}"


def _table(bins: Bins) -> list[tuple[str, ...]]:
    edges = bins["edges"]
    return [(f"{edges[k]:.2f} to {edges[k + 1]:.2f}", count(n)) for k, n in enumerate(bins["pairs"])]


def _svg(chart: Any) -> str:
    """A chart as an SVG element that takes the width it is given; vl-convert draws it without a browser or network."""
    import vl_convert

    quiet = {"font": "inherit", "background": "transparent", "aria": False, "padding": 2}
    text = {"labelColor": SOFT, "titleColor": SOFT, "labelFontSize": 10, "titleFontSize": 10}
    axis = {**text, "titleFontWeight": "normal", "domainColor": LINE, "tickColor": LINE, "gridColor": LINE}
    drawn = chart.properties(width=WIDTH, height=HEIGHT).configure(**quiet).configure_axis(**axis)
    drawn = drawn.configure_view(stroke=None)
    svg = vl_convert.vegalite_to_svg(drawn.to_dict(validate=False))
    box = re.match(r"<svg[^>]*viewBox=\"([\d. -]+)\"[^>]*>", svg)
    assert box is not None and "<script" not in svg and "href" not in svg
    return f'<svg class="chart" viewBox="{box[1]}" aria-hidden="true" focusable="false">{svg[box.end() :]}'

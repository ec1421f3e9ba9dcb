"""The charts of the PDF (Altair, drawn to SVG without a browser or a network).

They show the same frames in the same colours as reports.figures; only the ground is paper.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from analytics.summary import Summary, expression_shares
from fer_core.types import UNKNOWN
from reports.palette import (
    ACCENT,
    DISPLAY_ORDER,
    EXPRESSION_COLOURS,
    INK,
    MUTED,
    PAPER_GRID,
    WITHHELD,
)
from reports.scales import index_range
from reports.words import expression_words, index_words, share_words

FONTS: Final = Path(__file__).parent / "fonts"
FONT: Final = "Source Sans 3"

_CONFIG: Final[dict[str, Any]] = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelFont": FONT,
        "titleFont": FONT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": MUTED,
        "titleColor": MUTED,
        "gridColor": PAPER_GRID,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "labelLimit": 280,
        "titlePadding": 8,
    },
    "text": {"font": FONT, "fontSize": 12},
}


def trend_svg(
    days: pd.DataFrame,
    *,
    width: int,
    height: int,
    step_days: int = 1,
    target: float | None = None,
) -> str:
    """The index of each day with its 95 % band; withheld days are open marks at the foot.

    ``days``: see analytics.summary.by_day, with at least one row; ``step_days``: 7 when each
    stands for a week; ``target``: drawn as a dashed line. Sizes in pixels of 1/96 inch.
    """
    indexed = days.set_index("day")
    every = indexed.reindex(
        pd.date_range(indexed.index.min(), indexed.index.max(), freq=f"{step_days}D")
    )
    aims = [] if target is None else [target]
    bounds = index_range([*every["index_low"].dropna(), *every["index_high"].dropna(), *aims])
    present = every["index"].notna()
    alone = present & ~present.shift(1, fill_value=False) & ~present.shift(-1, fill_value=False)
    x = alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(type="utc", domain=_day_domain(days)),
        axis=alt.Axis(
            format="%-d %b" if step_days * len(every) <= 200 else "%b %Y",
            grid=False,
            tickCount={"interval": "day", "step": 1} if step_days * len(every) <= 8 else 8,
            labelOverlap=True,
        ),
    )
    scale = alt.Scale(domain=bounds, zero=False, nice=False)
    axis = alt.Axis(tickCount=5)
    figures = _records(every, ["index", "index_low", "index_high"])
    band = (
        alt.Chart(figures)
        .mark_area(color=ACCENT, opacity=0.2)
        .encode(x=x, y=alt.Y("index_low:Q", scale=scale), y2="index_high:Q")
    )
    line = (
        alt.Chart(figures)
        .mark_line(color=ACCENT, strokeWidth=2)
        .encode(x=x, y=alt.Y("index:Q", scale=scale, axis=axis, title="Index (0 to 100)"))
    )
    layers = [band, line]
    if target is not None:
        aim = as_data([{"target": target, "label": f"Target {index_words(target)}"}])
        rule = alt.Chart(aim).encode(y=alt.Y("target:Q", scale=scale))
        label = rule.encode(x=alt.value(0), text="label:N")
        style: dict[str, Any] = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -3}
        layers += [
            rule.mark_rule(color=MUTED, strokeWidth=1.4, strokeDash=[5, 4]),
            # A halo, since the band may lie behind it.
            label.mark_text(
                **style, color="white", stroke="white", strokeWidth=4, strokeJoin="round"
            ),
            label.mark_text(**style, color=MUTED),
        ]
    if len(every) <= 62:
        layers.append(
            alt.Chart(_records(every[present], ["index"]))
            .mark_point(filled=True, color=ACCENT, size=34, opacity=1)
            .encode(x=x, y=alt.Y("index:Q", scale=scale))
        )
    if alone.any():
        layers.append(
            alt.Chart(_records(every[alone], ["index_low", "index_high"]))
            .mark_rule(color=ACCENT, opacity=0.4, strokeWidth=4)
            .encode(x=x, y=alt.Y("index_low:Q", scale=scale), y2="index_high:Q")
        )
    withheld = every[every["withheld"].eq(True)]
    if not withheld.empty:
        layers.append(
            alt.Chart(_records(withheld.assign(foot=bounds[0]), ["foot"]))
            .mark_point(color=WITHHELD, size=34, opacity=1, yOffset=-6)
            .encode(x=x, y=alt.Y("foot:Q", scale=scale))
        )
    return drawn(alt.layer(*layers), width, height)


def distribution_svg(summary: Summary, *, width: int, height: int) -> str:
    """Read people by expression, share with interval and count; not for a withheld summary."""
    shares = expression_shares(summary).set_index("expression")
    rows = [
        {
            "expression": expression_words(expression),
            "share": 100 * row["share"],
            "low": 100 * row["low"],
            "high": 100 * row["high"],
            "label": f"{share_words(row['share'])} · {int(row['people']):,}",
            "colour": EXPRESSION_COLOURS[expression],
        }
        for expression, row in ((e, shares.loc[e].to_dict()) for e in DISPLAY_ORDER if e != UNKNOWN)
    ]
    right = max(row["high"] for row in rows)
    base = alt.Chart(as_data(rows)).encode(
        y=alt.Y("expression:N", sort=None, title=None, axis=alt.Axis(labelColor=INK, grid=False))
    )
    # Room for the figures written after the longest whisker.
    scale = alt.Scale(domain=[0, max(right * 1.4, 10)], nice=False)
    bars = base.mark_bar(height={"band": 0.68}).encode(
        x=alt.X(
            "share:Q",
            scale=scale,
            axis=alt.Axis(tickCount=4),
            title=f"Share of {summary.read:,} people read (%)",
        ),
        color=alt.Color("colour:N", scale=None),
    )
    whiskers = base.mark_rule(color=MUTED, strokeWidth=1.2).encode(x="low:Q", x2="high:Q")
    labels = base.mark_text(align="left", dx=6, color=INK).encode(x="high:Q", text="label:N")
    return drawn(bars + whiskers + labels, width, height)


def hours_svg(hours: pd.DataFrame, *, width: int, height: int) -> str:
    """The index of each hour of the day with its interval; withheld hours are open marks.

    ``hours``: see analytics.summary.by_hour, with at least one row.
    """
    first, last = int(hours["hour"].min()), int(hours["hour"].max())
    bounds = index_range([*hours["index_low"].dropna(), *hours["index_high"].dropna()])
    step = 1 if last - first <= 5 else 2 if last - first <= 12 else 4
    x = alt.X(
        "hour:Q",
        scale=alt.Scale(domain=[first - 0.5, last + 0.5], nice=False, zero=False),
        axis=alt.Axis(
            values=list(range(first, last + 1, step)), labelExpr="datum.value + ':00'", grid=False
        ),
        title="Hour of the day (local time)",
    )
    scale = alt.Scale(domain=bounds, zero=False, nice=False)
    rows = hours.set_index("hour", drop=False)
    shown = rows[~rows["withheld"]]
    base = alt.Chart(_records(shown, ["hour", "index", "index_low", "index_high"]))
    whiskers = base.mark_rule(color=ACCENT, opacity=0.45, strokeWidth=3).encode(
        x=x, y=alt.Y("index_low:Q", scale=scale), y2="index_high:Q"
    )
    points = base.mark_point(filled=True, color=ACCENT, size=46, opacity=1).encode(
        x=x,
        y=alt.Y("index:Q", scale=scale, axis=alt.Axis(tickCount=5), title="Index (0 to 100)"),
    )
    withheld = rows[rows["withheld"]]
    marks = (
        alt.Chart(_records(withheld.assign(foot=bounds[0]), ["hour", "foot"]))
        .mark_point(color=WITHHELD, size=34, opacity=1, yOffset=-6)
        .encode(x=x, y=alt.Y("foot:Q", scale=scale))
    )
    return drawn(whiskers + points + marks, width, height)


def _records(frame: pd.DataFrame, columns: list[str]) -> alt.Data:
    """Rows as plain values; a day becomes its midnight in UTC milliseconds, NaN a null."""
    rows: list[dict[str, float | None]] = []
    dated = isinstance(frame.index, pd.DatetimeIndex)
    for key, *values in frame[columns].itertuples():
        row: dict[str, float | None] = {"day": _milliseconds(key)} if dated else {}
        for name, value in zip(columns, values, strict=True):
            row[name] = None if np.isnan(value) else float(value)
        rows.append(row)
    return as_data(rows)


def as_data(rows: Sequence[Mapping[str, object]]) -> alt.Data:
    """Plain values for a chart."""
    return alt.Data(values=rows)  # type: ignore[no-untyped-call]


def _milliseconds(day: pd.Timestamp) -> float:
    return day.tz_localize("UTC").timestamp() * 1000


def _day_domain(days: pd.DataFrame) -> list[float]:
    margin = pd.Timedelta(hours=14)
    return [_milliseconds(days["day"].min() - margin), _milliseconds(days["day"].max() + margin)]


def drawn(
    chart: alt.LayerChart | alt.VConcatChart | alt.FacetChart, width: int, height: int
) -> str:
    """The chart as SVG, fitted into ``width`` and ``height`` pixels."""
    _register_fonts()
    if not isinstance(chart, alt.VConcatChart):  # those have the sizes of their parts
        chart = chart.properties(
            width=width, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding")
        )
    # Vega-Lite itself says what is wrong with a chart; checking it before takes as long again.
    spec = chart.to_dict(validate=False)
    svg: str = vl_convert.vegalite_to_svg(spec, config=_CONFIG, allowed_base_urls=[])
    return svg


@cache
def _register_fonts() -> None:
    vl_convert.register_font_directory(str(FONTS))

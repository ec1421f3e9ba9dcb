"""The charts of the PDF that set hours and cameras side by side; see reports.charts."""

import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, cast

import altair as alt
import pandas as pd

from reports.charts import as_data, drawn
from reports.palette import ACCENT, INDEX_SHADES, INK, MUTED, PAPER_GRID, WITHHELD
from reports.scales import heat_range, index_range
from reports.words import index_words

_MOST_CAMERAS: Final = 30
"""More than these are a table only: their names would not be readable beside a chart."""
_LABEL_LETTERS: Final = 36
"""Of a camera's name, which leave room for its interval; letters of Chinese and the like count
twice, and so do the rarest ones."""
_FIRST_OF_TWO_UNITS: Final = "\U00010000"
"""From here on, UTF-16 has two units for a letter: an emoji, for instance."""

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def heatmap_svg(hours: pd.DataFrame, *, width: int, height: int) -> str:
    """The index of each hour of the week in its cell, above the people of each hour.

    ``hours``: see analytics.summary.by_weekday_hour, with at least one row. A withheld hour is
    an outlined cell with a dash; an hour without people is no cell.
    """
    low, high = heat_range(hours["index"])
    middle = (low + high) / 2
    rows: list[dict[str, object]] = [
        {
            "hour": int(row["hour"]),
            "weekday": _WEEKDAYS[int(row["weekday"])],
            "index": None if row["withheld"] else row["index"],
            "text": "–" if row["withheld"] else f"{row['index']:.0f}",
            "dark": not row["withheld"] and row["index"] > middle + 0.22 * (high - low),
        }
        for row in _records(hours)
    ]
    first, last = int(hours["hour"].min()), int(hours["hour"].max())
    every_hour = alt.Scale(domain=list(range(first, last + 1)), paddingInner=0.06)
    x = alt.X(
        "hour:O",
        scale=every_hour,
        axis=alt.Axis(
            labelExpr="datum.value + ':00'", labelAngle=0, orient="top", labelOverlap="greedy"
        ),
        title=None,
    )
    y = alt.Y(
        "weekday:N",
        scale=alt.Scale(domain=list(_WEEKDAYS), paddingInner=0.08),
        axis=alt.Axis(labelColor=INK),
        title=None,
    )
    cells = alt.Chart(as_data([row for row in rows if row["index"] is not None])).encode(x=x, y=y)
    shade = alt.Color(
        "index:Q",
        scale=alt.Scale(domain=[low, high], range=list(INDEX_SHADES), clamp=True),
        legend=None,
    )
    layers = [
        cells.mark_rect(cornerRadius=2).encode(color=shade),
        alt.Chart(as_data([row for row in rows if row["index"] is None]))
        .mark_rect(cornerRadius=2, fill="transparent", stroke=WITHHELD, strokeWidth=0.8)
        .encode(x=x, y=y),
    ]
    layers += [
        alt.Chart(as_data([row for row in rows if row["dark"] is dark]))
        .mark_text(fontSize=11, color=ink)
        .encode(x=x, y=y, text="text:N")
        for dark, ink in ((False, INK), (True, "#FFFFFF"))
    ]
    volume = hours.groupby("hour")["people"].sum()
    bars = (
        alt.Chart(
            as_data([{"hour": int(str(hour)), "people": int(n)} for hour, n in volume.items()])
        )
        .mark_bar(color=MUTED, opacity=0.45)
        .encode(
            x=alt.X("hour:O", scale=every_hour, axis=None),
            y=alt.Y(
                "people:Q",
                # A plain format gives all labels one unit: 0k.
                axis=alt.Axis(tickCount=2, grid=False, labelExpr="format(datum.value, '~s')"),
                title="People",
                scale=alt.Scale(nice=False),
            ),
        )
    )
    # Two charts above each other do not shrink to fit: their sizes leave room for the labels.
    inner = width - 52
    strip = 40
    chart = alt.vconcat(
        alt.layer(*layers).properties(width=inner, height=height - strip - 32),
        bars.properties(width=inner, height=strip),
        spacing=8,
    )
    return drawn(chart, width, height)


def cameras_svg(cameras: pd.DataFrame, *, width: int, target: float | None = None) -> str:
    """The index of each camera with its interval, best first; those withheld are left out.

    ``cameras``: see analytics.summary.by_camera, with their labels (see camera_labels) in the
    column ``name``; at least one is not withheld.
    """
    shown = cameras[~cameras["withheld"]].sort_values("index", ascending=False)
    aims = [] if target is None else [target]
    bounds = index_range([*shown["index_low"], *shown["index_high"], *aims])
    scale = alt.Scale(domain=bounds, zero=False, nice=False)
    rows = [
        {
            "name": str(row["name"]),
            "index": row["index"],
            "low": row["index_low"],
            "high": row["index_high"],
            "label": index_words(row["index"]),
        }
        for row in _records(shown)
    ]
    # Vega cuts in UTF-16, also within a letter, and then fails.
    cuttable = all(letter < _FIRST_OF_TWO_UNITS for name in shown["name"] for letter in name)
    limit = 2 * width // 3 if cuttable else 0
    base = alt.Chart(as_data(rows)).encode(
        y=alt.Y(
            "name:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelColor=INK, labelLimit=limit, grid=True, gridColor=PAPER_GRID),
        )
    )
    x = alt.X("index:Q", scale=scale, axis=alt.Axis(tickCount=6), title=None)
    layers = [
        base.mark_rule(color=ACCENT, opacity=0.45, strokeWidth=4).encode(
            x=alt.X("low:Q", scale=scale), x2="high:Q"
        ),
        base.mark_point(filled=True, color=ACCENT, size=60, opacity=1).encode(x=x),
        base.mark_text(align="left", dx=8, color=INK, fontWeight=600).encode(
            x=alt.X("high:Q", scale=scale), text="label:N"
        ),
    ]
    if target is not None:
        layers.append(
            alt.Chart(as_data([{"target": target}]))
            .mark_rule(color=MUTED, strokeWidth=1.4, strokeDash=[5, 4])
            .encode(x=alt.X("target:Q", scale=scale))
        )
    return drawn(alt.layer(*layers), width, 32 + 20 * len(shown))


def camera_labels(names: Sequence[str]) -> list[str] | None:
    """Names as they are written beside a chart. Long ones lack their middle, or another part
    where only that leaves all of them told apart.

    None where nothing does, or where they are more than can be read there: a table shows them.
    """
    if len(names) > _MOST_CAMERAS:
        return None
    middle = _LABEL_LETTERS // 2
    for place in sorted(range(0, _LABEL_LETTERS, 6), key=lambda place: abs(place - middle)):
        labels = [_cropped(name, place) for name in names]
        if len(set(labels)) == len(names):
            return labels
    return None


def _cropped(name: str, place: int) -> str:
    """Of _LABEL_LETTERS at most, ``place`` of them before what is left out."""
    if sum(map(_wide, name)) <= _LABEL_LETTERS:
        return name
    head = _first(name, place)
    tail = _first(name[::-1], _LABEL_LETTERS - 1 - place)[::-1]
    return f"{head.rstrip()}…{tail.lstrip()}"


def _first(name: str, letters: int) -> str:
    """The beginning that is no wider than so many letters."""
    widths = accumulate(map(_wide, name))
    return name[: sum(width <= letters for width in widths)]


def _wide(letter: str) -> int:
    rare = letter >= _FIRST_OF_TWO_UNITS
    return 2 if rare or unicodedata.east_asian_width(letter) in "WF" else 1


def _records(frame: pd.DataFrame) -> list[dict[str, float]]:
    return cast("list[dict[str, float]]", frame.to_dict("records"))

"""The charts that set hours, places and periods side by side (plotly); see reports.figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analytics.intervals import Estimate
from reports.palette import (
    ACCENT,
    INDEX_SHADES,
    INK,
    MUTED,
    WITHHELD,
    translucent,
)
from reports.scales import heat_range, index_range
from reports.stacked import stacked_figure
from reports.style import empty_figure, records, styled
from reports.words import (
    chance_words,
    hour_words,
    index_interval_words,
    index_words,
    people_words,
    points_words,
    weekday_words,
    withheld_words,
)

_DARK_FROM: Final = 0.7
"""From here on, on the way from the lowest to the highest shade, writing is white."""

_NAMES: Final = {"type": "category"}
"""For an axis of names, in the order of the data: plotly would take "101" for a number."""

MOST_PARTS: Final = 8
"""Parts of a change that are named; the others are one together."""


def week_figure(hours: pd.DataFrame, minimum_people: int) -> go.Figure:
    """The index of each hour of the week in a cell, above its number of people.

    ``hours``: see analytics.summary.by_weekday_hour. A withheld hour is an open mark, an hour
    without people is no cell. Hours run down, so that seven columns fit a small screen.
    """
    if hours.empty:
        return empty_figure("No people yet")
    first, last = int(hours["hour"].min()), int(hours["hour"].max())
    places = pd.MultiIndex.from_product([range(first, last + 1), range(7)])
    grid = hours.set_index(["hour", "weekday"]).reindex(places)
    shown = grid["index"].notna().to_numpy()
    days = [weekday_words(day)[:3] for day in range(7)]
    names = [f"{hour}:00" for hour in range(first, last + 1)]
    shape = (last + 1 - first, 7)
    low, high = heat_range(hours["index"])
    figure = go.Figure()
    if shown.any():
        figure.add_heatmap(
            x=days,
            y=names,
            z=grid["index"].to_numpy(dtype=float).reshape(shape),
            zmin=low,
            zmax=high,
            colorscale=list(INDEX_SHADES),
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=np.array(
                [
                    _hour_sentence(place, row) if known else ""
                    for place, known, row in zip(places, shown, records(grid), strict=True)
                ],
                dtype=object,
            ).reshape(shape),
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
            name="Index",
        )
        # Shades are opaque: ink is chosen by them, not by the theme.
        dark = low + _DARK_FROM * (high - low)
        cells = [
            (hour, weekday, row)
            for (hour, weekday), known, row in zip(places, shown, records(grid), strict=True)
            if known
        ]
        figure.add_scatter(
            x=[days[weekday] for _, weekday, _ in cells],
            y=[f"{hour}:00" for hour, _, _ in cells],
            mode="text",
            text=[
                f"<b>{row['index']:.0f}</b><br>"
                f"<span style='font-size:10px'>{row['people']:,.0f}</span>"
                for _, _, row in cells
            ],
            textfont={
                "size": 12,
                "color": ["#FFFFFF" if row["index"] > dark else INK for _, _, row in cells],
            },
            hoverinfo="skip",
            name="Index and people",
        )
    withheld = hours[hours["withheld"]]
    figure.add_scatter(
        x=[days[int(row["weekday"])] for row in records(withheld)],
        y=[f"{int(row['hour'])}:00" for row in records(withheld)],
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": WITHHELD, "line": {"width": 1.5}},
        customdata=[
            f"{weekday_words(int(row['weekday']))}, {hour_words(int(row['hour']))}: "
            f"{withheld_words(int(row['people'] - row['unknown']), minimum_people)}"
            for row in records(withheld)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        name="Withheld",
    )
    figure.update_xaxes(
        title="Day of the week", categoryorder="array", categoryarray=days, showgrid=False,
        range=[-0.5, 6.5],
    )  # fmt: skip
    figure.update_yaxes(
        title="Hour (local time)", categoryorder="array", categoryarray=names, showgrid=False,
        range=[shape[0] - 0.5, -0.5],
    )  # fmt: skip
    return styled(figure, height=90 + 36 * shape[0], showlegend=False)


def _hour_sentence(place: tuple[int, int], row: dict[str, float]) -> str:
    hour, weekday = place
    estimate = Estimate(row["index"], row["index_low"], row["index_high"])
    return (
        f"{weekday_words(weekday)}, {hour_words(hour)}: index {index_words(estimate.value)} "
        f"({index_interval_words(estimate)}), {people_words(int(row['people'] - row['unknown']))}"
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a change of the index. ``name``: a line or two; ``points``: what it added;
    ``sure``: more than chance would explain; ``says``: the sentence behind it; ``sure_on``: the
    part and all that added less are together more than chance would explain."""

    name: str
    points: float
    sure: bool
    says: str
    sure_on: bool = False


def parts_figure(parts: Sequence[Part]) -> go.Figure:
    """What each part added to the change of the index, largest first, and their sum.

    A part that chance could explain is pale. Nothing is left out: small ones are one together.
    """
    if not parts:
        return empty_figure("Nothing to compare")
    ordered = sorted(parts, key=lambda part: -abs(part.points))
    named = ordered[: MOST_PARTS if len(ordered) > MOST_PARTS + 1 else len(ordered)]
    others = ordered[len(named) :]
    rows = list(named)
    if others:
        points = sum(part.points for part in others)
        name, sure = f"{len(others)} others", others[0].sure_on
        says = f"{name} together: {points_words(points)} points, {chance_words(sure)}."
        rows.append(Part(name, points, sure, says))
    whole = sum(part.points for part in parts)
    rows.append(Part("All together", whole, True, f"All together: {points_words(whole)} points"))
    colours = [ACCENT if part.sure else translucent(ACCENT, 0.35) for part in rows[:-1]]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            x=[part.points for part in rows],
            y=[part.name for part in rows],
            marker={"color": [*colours, MUTED], "line": {"width": 0}},
            text=[points_words(part.points) for part in rows],
            textposition="outside",
            cliponaxis=False,
            customdata=[part.says for part in rows],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    reach = max(1.0, *(abs(part.points) for part in rows)) * 1.4
    figure.update_xaxes(title="Points of the index", range=[-reach, reach])
    figure.update_yaxes(**_NAMES, autorange="reversed", showgrid=False)
    figure.add_vline(x=0, line={"color": MUTED, "width": 1})
    tall = 40 if any("<br>" in part.name for part in rows) else 28
    return styled(figure, height=90 + tall * len(rows), showlegend=False)


def league_figure(
    table: pd.DataFrame, names: Sequence[str], targets: Sequence[float | None]
) -> go.Figure:
    """The index of each place with its interval, best first; withheld ones are left out.

    ``table``: see analytics.comparison.league; ``names``, ``targets``: of its rows. A target is
    an upright stroke.
    """
    rows = [
        (name, row) for name, row in zip(names, records(table), strict=True) if not row["withheld"]
    ]
    if not rows:
        return empty_figure("Too few people for a figure")
    estimates = [Estimate(row["index"], row["index_low"], row["index_high"]) for _, row in rows]
    figure = go.Figure(
        go.Scatter(
            x=[estimate.value for estimate in estimates],
            y=[name for name, _ in rows],
            mode="markers+text",
            text=[index_words(estimate.value) for estimate in estimates],
            textposition="top center",
            marker={"color": ACCENT, "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [estimate.high - estimate.value for estimate in estimates],
                "arrayminus": [estimate.value - estimate.low for estimate in estimates],
                "color": translucent(ACCENT, 0.5),
                "thickness": 4,
                "width": 0,
            },
            customdata=[
                f"{name}: index {index_words(estimate.value)} "
                f"({index_interval_words(estimate)}), "
                f"{people_words(int(row['people'] - row['unknown']))}"
                for (name, row), estimate in zip(rows, estimates, strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
            name="Index",
        )
    )
    bounds = [bound for estimate in estimates for bound in (estimate.low, estimate.high)]
    aims = [
        (name, target)
        for name, target, hidden in zip(names, targets, table["withheld"], strict=True)
        if target is not None and not hidden
    ]
    if aims:
        bounds += [target for _, target in aims]
        figure.add_scatter(
            x=[target for _, target in aims],
            y=[name for name, _ in aims],
            mode="markers",
            marker={
                "symbol": "line-ns",
                "size": 20,
                "line": {"width": 2, "color": MUTED},
            },
            customdata=[f"{name}: target {index_words(target)}" for name, target in aims],
            hovertemplate="%{customdata}<extra></extra>",
            name="Target",
        )
    figure.update_xaxes(title="Satisfaction index (0 to 100)", range=index_range(bounds))
    # Half a row more at the top, for the figure above the first point.
    figure.update_yaxes(**_NAMES, range=[len(rows) - 0.5, -0.8])
    return styled(figure, height=120 + 40 * len(rows), showlegend=bool(aims), legend="above")


def distributions_figure(table: pd.DataFrame, names: Sequence[str]) -> go.Figure:
    """The read people of each place by expression, stacked to 100 %; withheld ones say so.

    ``table``: see analytics.summary.by_camera; ``names``: of its rows, from top to bottom.
    """
    if table.empty:
        return empty_figure("No people yet")
    figure = stacked_figure(table, list(names), names, down=True)
    for place, row in enumerate(records(table)):
        if row["withheld"]:
            figure.add_annotation(
                x=0,
                y=place,  # not its name, which may be a number
                xanchor="left",
                text=f"Withheld: {people_words(int(row['people'] - row['unknown']))} read",
                showarrow=False,
            )
    # A little more than all, or the last figure of the axis would not be drawn.
    figure.update_xaxes(title="Share of people read (%)", range=[0, 101], dtick=20)
    figure.update_yaxes(**_NAMES, autorange="reversed", showgrid=False)
    figure.update_layout(bargap=0.3)
    figure = styled(figure, height=190 + 40 * len(table), legend="above")
    # The legend may wrap to three lines on a small screen.
    figure.update_layout(margin={"t": 80})
    return figure

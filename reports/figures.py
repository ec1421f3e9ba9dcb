"""The charts of the pages (plotly): what people looked like, and when.

Grounds are transparent and no text colour is set, so that the screen's light or dark theme shows
through (``st.plotly_chart(figure, theme="streamlit")``). A withheld figure is a gap with a mark
that says why, never a zero. Hover texts are sentences.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analytics.intervals import Estimate
from analytics.summary import Summary, expression_shares
from fer_core.types import UNKNOWN
from reports.model_figures import (
    confusion_figure,
    curves_figure,
    per_class_figure,
    reliability_figure,
)
from reports.palette import (
    ACCENT,
    DISPLAY_ORDER,
    EXPRESSION_COLOURS,
    MUTED,
    WITHHELD,
    translucent,
)
from reports.scales import index_range
from reports.stacked import stacked_figure
from reports.style import empty_figure, records, styled
from reports.timeline import timeline_figure
from reports.words import (
    day_words,
    expression_words,
    hour_words,
    index_interval_words,
    index_words,
    people_words,
    share_interval_words,
    share_words,
    withheld_words,
)

__all__ = [
    "confusion_figure",
    "curves_figure",
    "distribution_figure",
    "distribution_over_time_figure",
    "hours_figure",
    "per_class_figure",
    "reliability_figure",
    "small_trend_figure",
    "timeline_figure",
    "trend_figure",
]


_BAND: Final = "95% interval"


def distribution_figure(summary: Summary, corrected: pd.DataFrame | None = None) -> go.Figure:
    """People by expression: share of those read, with its interval, as horizontal bars.

    ``corrected``: shares to draw instead of those counted (analytics.prior_shift).
    """
    counted = expression_shares(summary)
    shares = (counted if corrected is None else corrected).set_index("expression")
    if shares.empty:
        return empty_figure(
            "No people yet"
            if summary.people == 0
            else f"Withheld: {people_words(summary.read)} read, too few for a figure"
        )
    shares = shares.loc[[e for e in DISPLAY_ORDER if e != UNKNOWN]]
    estimates = _estimates(shares, "share", "low", "high")
    names = [expression_words(e) for e in shares.index]
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=names,
            x=100 * shares["share"],
            marker={"color": [EXPRESSION_COLOURS[e] for e in shares.index], "line": {"width": 0}},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": 100 * (shares["high"] - shares["share"]),
                "arrayminus": 100 * (shares["share"] - shares["low"]),
                "thickness": 1.5,
                "width": 3,
                "color": WITHHELD,
            },
            customdata=[
                f"{name}: {share_words(e.value)} ({share_interval_words(e)}), "
                f"{'' if corrected is None else 'as counted '}"
                f"{people_words(people)} of {summary.read:,} read"
                for name, e, people in zip(names, estimates, shares["people"], strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    right = 100 * float(shares["high"].max())
    for name, estimate, people in zip(names, estimates, shares["people"], strict=True):
        figure.add_annotation(
            x=100 * estimate.high,
            y=name,
            # Beside a corrected share the people counted would be taken for its own.
            text=f"<b>{share_words(estimate.value)}</b>"
            + (f" · {people:,}" if corrected is None else ""),
            showarrow=False,
            xanchor="left",
            xshift=6,
        )
    unread = f"; {people_words(summary.unknown)} could not be read" if summary.unknown else ""
    # Room for the figures written after the longest whisker.
    figure.update_xaxes(
        title=f"Share of {people_words(summary.read)} read (%){unread.replace('; ', '<br>')}",
        range=[0, max(right * 1.45, 10)],
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return styled(figure, height=340, showlegend=False)


def trend_figure(
    days: pd.DataFrame,
    minimum_people: int,
    *,
    target: float | None = None,
    before: pd.DataFrame | None = None,
    before_name: str = "Before",
) -> go.Figure:
    """The index of each day with its 95 % band. ``days``: see analytics.summary.by_day.

    ``target``: drawn as a dashed line when given. ``before``: days of another time, moved to
    those that they are compared with (see analytics.summary.matched_days), a thin dotted line
    without a band; ``before_name``: what they are.
    """
    if days.empty:
        return empty_figure("No people yet")
    shown = _every_day(days)
    year = _spans_years(days)
    figure = go.Figure()
    for run in _runs(shown):
        _add_band(figure, run)
    figure.add_scatter(
        x=shown.index,
        y=shown["index"],
        mode="lines+markers",
        connectgaps=False,
        line={"color": ACCENT, "width": 2.5},
        marker={"color": ACCENT, "size": 7 if len(shown) <= 62 else 4},
        customdata=[
            _index_sentence(day_words(day, year=year), row)
            for day, row in zip(shown.index, records(shown), strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        name="Index",
    )
    bounds = [*shown["index_low"].dropna(), *shown["index_high"].dropna()]
    earlier = before is not None and bool(before["index"].notna().any())
    if before is not None and earlier:
        known = before.set_index("day").reindex(shown.index)
        bounds += list(known["index"].dropna())
        figure.add_scatter(
            x=known.index,
            y=known["index"],
            mode="lines+markers",
            connectgaps=False,
            line={"color": MUTED, "width": 1.5, "dash": "dot"},
            marker={"color": MUTED, "size": 4},
            customdata=[
                _index_sentence(f"{before_name}, for {day_words(day, year=year)}", row)
                for day, row in zip(known.index, records(known), strict=True)
            ],
            hovertemplate="%{customdata}<extra></extra>",
            name=before_name,
        )
    if target is not None:
        bounds.append(target)
        figure.add_hline(
            y=target,
            line={"color": MUTED, "width": 1.5, "dash": "dash"},
            annotation_text=f"Target {index_words(target)}",
            annotation_position="top left",
        )
    figure.update_yaxes(title="Satisfaction index (0 to 100)", range=index_range(bounds))
    _set_day_axis(figure, shown)
    _add_withheld(
        figure,
        [(day, day_words(day, year=year), row) for day, row in _withheld(shown)],
        minimum_people,
    )
    for band in figure.select_traces(selector={"name": _BAND}):
        band.showlegend = False
    return styled(figure, height=340 if earlier else 320, showlegend=earlier, legend="above")


def small_trend_figure(
    days: pd.DataFrame, bounds: Sequence[float], first: pd.Timestamp, last: pd.Timestamp
) -> go.Figure:
    """One of many trends that stand together. ``days``: see analytics.summary.by_day;
    ``bounds``: ends of the index axis, ``first`` and ``last``: days, the same for all of them."""
    shown = days.set_index("day").reindex(pd.date_range(first, last, freq="D"))
    figure = go.Figure()
    for run in _runs(shown):
        _add_band(figure, run)
    figure.add_scatter(
        x=shown.index,
        y=shown["index"],
        mode="lines+markers",
        connectgaps=False,
        line={"color": ACCENT, "width": 2},
        marker={"color": ACCENT, "size": 6 if len(shown) <= 14 else 3},
        customdata=[
            _index_sentence(day_words(day), row)
            for day, row in zip(shown.index, records(shown), strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        name="Index",
    )
    figure.update_yaxes(title="Index", range=list(bounds), nticks=5)
    _set_day_axis(figure, shown)
    figure.update_xaxes(nticks=4, dtick=None, tickmode="auto")
    _add_withheld(figure, [(day, day_words(day), row) for day, row in _withheld(shown)], None)
    return styled(figure, height=190, showlegend=False)


def hours_figure(hours: pd.DataFrame, minimum_people: int | None = None) -> go.Figure:
    """The index of each hour of the day with its interval, above the people seen in it.

    ``hours``: see analytics.summary.by_hour.
    """
    if hours.empty:
        return empty_figure("No people yet")
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06
    )
    drawn = hours[~hours["withheld"]]
    figure.add_scatter(
        x=drawn["hour"],
        y=drawn["index"],
        mode="markers",
        marker={"color": ACCENT, "size": 9},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": drawn["index_high"] - drawn["index"],
            "arrayminus": drawn["index"] - drawn["index_low"],
            "color": translucent(ACCENT, 0.6),
            "thickness": 2,
            "width": 0,
        },
        customdata=[_index_sentence(hour_words(int(row["hour"])), row) for row in records(drawn)],
        hovertemplate="%{customdata}<extra></extra>",
        name="Index",
        row=1,
        col=1,
    )
    figure.add_bar(
        x=hours["hour"],
        y=hours["people"],
        marker={"color": translucent(ACCENT, 0.45), "line": {"width": 0}},
        customdata=[
            f"{hour_words(int(row['hour']))}: {people_words(int(row['people']))} seen, "
            f"{int(row['unknown']):,} of them could not be read"
            for row in records(hours)
        ],
        hovertemplate="%{customdata}<extra></extra>",
        name="People",
        row=2,
        col=1,
    )
    bounds = [*drawn["index_low"], *drawn["index_high"]]
    figure.update_yaxes(title="Index (0 to 100)", range=index_range(bounds), row=1, col=1)
    figure.update_yaxes(title="People", rangemode="tozero", nticks=4, row=2, col=1)
    first, last = int(hours["hour"].min()), int(hours["hour"].max())
    step = 1 if last - first <= 8 else 2 if last - first <= 16 else 3
    ticks = list(range(first, last + 1, step))
    figure.update_xaxes(
        range=[first - 0.6, last + 0.6],
        tickvals=ticks,
        ticktext=[f"{hour}:00" for hour in ticks],
        showgrid=False,
    )
    figure.update_xaxes(title="Hour of the day (local time)", row=2, col=1)
    _add_withheld(
        figure,
        [
            (int(row["hour"]), hour_words(int(row["hour"])), row)
            for row in records(hours[hours["withheld"]])
        ],
        minimum_people,
    )
    return styled(figure, height=380, showlegend=False)


def distribution_over_time_figure(
    days: pd.DataFrame, minimum_people: int | None = None
) -> go.Figure:
    """Each day's read people by expression, stacked to 100 %."""
    if days.empty:
        return empty_figure("No people yet")
    shown = _every_day(days)
    year = _spans_years(days)
    names = [day_words(day, year=year) for day in shown.index]
    figure = stacked_figure(shown, shown.index, names, down=False)
    figure.update_yaxes(title="Share of people read (%)", range=[0, 100])
    _set_day_axis(figure, shown)
    _add_withheld(
        figure,
        [(day, day_words(day, year=year), row) for day, row in _withheld(shown)],
        minimum_people,
    )
    figure.update_layout(bargap=0.12 if len(shown) <= 62 else 0)
    return styled(figure, height=380, legend="below")


def _estimates(frame: pd.DataFrame, value: str, low: str, high: str) -> list[Estimate]:
    return [Estimate(*row) for row in frame[[value, low, high]].itertuples(index=False)]


def _index_sentence(when: str, row: dict[str, float]) -> str:
    if np.isnan(row["index"]):
        return when
    estimate = Estimate(row["index"], row["index_low"], row["index_high"])
    return (
        f"{when}: index {index_words(estimate.value)} ({index_interval_words(estimate)}), "
        f"{people_words(int(row['people'] - row['unknown']))}"
    )


def _every_day(days: pd.DataFrame) -> pd.DataFrame:
    """Indexed by day, with an empty row for each day between that nobody was seen on."""
    indexed = days.set_index("day")
    return indexed.reindex(pd.date_range(indexed.index.min(), indexed.index.max(), freq="D"))


def _spans_years(days: pd.DataFrame) -> bool:
    return bool(days["day"].dt.year.nunique() > 1)


def _withheld(shown: pd.DataFrame) -> list[tuple[pd.Timestamp, dict[str, float]]]:
    rows = shown[shown["withheld"].eq(True)]
    return list(zip(rows.index, records(rows), strict=True))


def _runs(shown: pd.DataFrame) -> list[pd.DataFrame]:
    """Stretches of consecutive days that have an index."""
    present = shown["index"].notna()
    numbered = (present != present.shift()).cumsum()[present]
    return [shown.loc[rows.index] for _, rows in numbered.groupby(numbered)]


def _add_band(figure: go.Figure, run: pd.DataFrame) -> None:
    days = run.index
    low, high = run["index_low"].to_numpy(), run["index_high"].to_numpy()
    if len(run) == 1:
        # A band needs two days; one day alone gets a stub of the same colour.
        days = pd.DatetimeIndex([days[0] - pd.Timedelta(hours=6), days[0] + pd.Timedelta(hours=6)])
        low, high = np.repeat(low, 2), np.repeat(high, 2)
    figure.add_scatter(
        x=[*days, *days[::-1]],
        y=[*high, *low[::-1]],
        mode="lines",
        fill="toself",
        fillcolor=translucent(ACCENT, 0.2),
        line={"width": 0},
        hoverinfo="skip",
        name=_BAND,
    )


def _add_withheld(
    figure: go.Figure,
    places: Sequence[tuple[object, str, dict[str, float]]],
    minimum_people: int | None,
) -> None:
    """A small open mark at the foot of the chart for each figure that is withheld.

    After the axes are set: it stands on an axis of its own.
    """
    if not places:
        return
    figure.add_scatter(
        x=[place for place, _, _ in places],
        y=[0.03] * len(places),
        yaxis="y9",
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": WITHHELD, "line": {"width": 1.5}},
        customdata=[
            f"{when}: {withheld_words(int(row['people'] - row['unknown']), minimum_people)}"
            for _, when, row in places
        ],
        hovertemplate="%{customdata}<extra></extra>",
        name="Withheld",
        showlegend=False,
    )
    figure.update_layout(
        yaxis9={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    )


def _set_day_axis(figure: go.Figure, shown: pd.DataFrame) -> None:
    # Left to itself plotly would tick the hours within a few days.
    few = {"dtick": 24 * 3_600_000, "tickmode": "linear"} if len(shown) <= 7 else {"nticks": 8}
    figure.update_xaxes(
        type="date",
        tickformat="%-d %b" if len(shown) <= 200 else "%b %Y",
        range=[
            shown.index.min() - pd.Timedelta(hours=14),
            shown.index.max() + pd.Timedelta(hours=14),
        ],
        title="Day",
        showgrid=False,
        **few,
    )

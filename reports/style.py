"""What all plotly figures share: transparent grounds, quiet grids, room for small screens."""

from html import escape
from typing import Final, Literal, cast

import pandas as pd
import plotly.graph_objects as go

from reports.palette import GRID

CLEAR: Final = "rgba(0, 0, 0, 0)"


def styled(
    figure: go.Figure,
    *,
    height: int,
    showlegend: bool = True,
    legend: Literal["below", "above"] = "below",
) -> go.Figure:
    """The figure in the house's look; ``height`` in pixels, the width follows the page."""
    figure.update_layout(
        height=height,
        autosize=True,
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        font={"size": 13},
        hovermode="closest",
        hoverlabel={"align": "left", "font": {"size": 13}},
        dragmode=False,
        showlegend=showlegend,
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": -0.24 if legend == "below" else 1.02,
            "yanchor": "top" if legend == "below" else "bottom",
            "title": {"text": ""},
            "traceorder": "normal",
        },
    )
    # Fixed ranges: a finger that scrolls the page does not zoom the chart.
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True, "fixedrange": True}
    figure.update_xaxes(**axis, title_standoff=10)
    figure.update_yaxes(**axis, title_standoff=8, ticklabelstandoff=4)
    return figure


def empty_figure(sentence: str) -> go.Figure:
    """No data: a sentence instead of bare axes."""
    figure = go.Figure()
    figure.add_annotation(
        text=sentence, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 15}
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return styled(figure, height=200, showlegend=False)


def plain(name: str) -> str:
    """A name that somebody typed, as plotly shows it unchanged: never as markup."""
    return escape(name, quote=False)


def records(frame: pd.DataFrame) -> list[dict[str, float]]:
    """Rows by column name, for those whose numbers are looked up one by one."""
    return cast("list[dict[str, float]]", frame.to_dict("records"))

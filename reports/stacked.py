"""Bars of read people by expression, stacked to 100 %: of days, of places (plotly)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analytics.intervals import share_interval
from fer_core.types import UNKNOWN
from reports.palette import DISPLAY_ORDER, EXPRESSION_COLOURS
from reports.words import expression_words, people_words, share_and_interval_words


def stacked_figure(
    rows: pd.DataFrame, places: Sequence[Any] | pd.Index, names: Sequence[str], *, down: bool
) -> go.Figure:
    """A bar for each of ``rows`` (see analytics.summary.figures_of), none where it is withheld.

    ``places``: of the bars on their axis; ``names``: what the hover texts call them. ``down``:
    bars lie and stand below each other.
    """
    read = (rows["people"] - rows["unknown"]).to_numpy(dtype=float)
    along, across = ("y", "x") if down else ("x", "y")
    figure = go.Figure()
    for expression in (e for e in DISPLAY_ORDER if e != UNKNOWN):
        people = rows[f"n_{expression}"].astype("Float64").to_numpy(float, na_value=np.nan)
        shares = share_interval(people, read)
        figure.add_bar(
            orientation="h" if down else "v",
            **{along: places, across: 100 * shares.value},
            name=expression_words(expression),
            marker={"color": EXPRESSION_COLOURS[expression], "line": {"width": 0}},
            customdata=[
                ""
                if np.isnan(n)
                else f"{name}: {share_and_interval_words(shares.at(row))} {expression}, "
                f"{people_words(int(n))} of {int(read[row]):,} read"
                for row, (name, n) in enumerate(zip(names, people, strict=True))
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    return figure

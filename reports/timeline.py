"""The people of one recording over its time (plotly)."""

import heapq
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fer_core.types import UNKNOWN
from reports.palette import DISPLAY_ORDER, EXPRESSION_COLOURS
from reports.style import empty_figure, records, styled
from reports.words import expression_words


def timeline_figure(
    tracks: pd.DataFrame,
    started_at: datetime,
    time_zone: str,
    stretch_ms: tuple[int, int] | None = None,
) -> go.Figure:
    """The people of one recording as bars over time, coloured by expression.

    ``tracks``: one row a person: start_ms, end_ms, expression, faces, and perhaps start_index and
    end_index (NaN where nothing was read there). ``started_at``: aware, when the recording
    begins. The axis is the clock of ``time_zone`` as it stood at the beginning. ``stretch_ms``:
    the part of the recording that is shown; None: to the end of the last person.
    """
    first, last = stretch_ms or (0, int(tracks["end_ms"].max()) + 1 if len(tracks) else 1)
    seen = tracks[(tracks["end_ms"] >= first) & (tracks["start_ms"] < last)]
    if seen.empty:
        return empty_figure(
            "Nobody was seen in this recording" if tracks.empty else "Nobody was seen in this time"
        )
    people = seen.sort_values(["start_ms", "end_ms"], kind="stable").reset_index(drop=True)
    begin = pd.Timestamp(started_at.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None))
    span = last - first
    # A glimpse of one frame has no length; it still deserves a mark that can be seen.
    length = (people["end_ms"] - people["start_ms"]).clip(lower=max(span // 200, 1))
    people["lane"] = lanes(people["start_ms"].tolist(), (people["start_ms"] + length).tolist())
    figure = go.Figure()
    for expression in DISPLAY_ORDER:
        rows = people[people["expression"] == expression]
        if rows.empty:
            continue
        figure.add_bar(
            orientation="h",
            base=begin + pd.to_timedelta(rows["start_ms"], unit="ms"),
            x=length[rows.index],
            y=rows["lane"],
            width=0.8,
            name=expression_words(expression),
            marker={
                "color": EXPRESSION_COLOURS[expression],
                "line": {"width": 0},
                "pattern": {"shape": "/" if expression == UNKNOWN else "", "size": 5},
            },
            customdata=[
                f"{_expression_seen(expression)} from {_clock(begin, row['start_ms'])} to "
                f"{_clock(begin, row['end_ms'])}, {_faces_words(int(row['faces']))}"
                f"{_ends_words(row)}"
                for row in records(rows)
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    rows_used = int(people["lane"].max()) + 1
    figure.update_xaxes(
        type="date",
        range=[
            begin + pd.Timedelta(milliseconds=first),
            begin + pd.Timedelta(milliseconds=last + span // 100),
        ],
        title=f"Time ({time_zone.replace('_', ' ')})",
    )
    figure.update_yaxes(
        title="People at a time", showticklabels=False, showgrid=False, autorange="reversed"
    )
    figure.update_layout(barmode="overlay")
    return styled(figure, height=int(np.clip(170 + 22 * rows_used, 220, 640)), legend="above")


def _expression_seen(expression: str) -> str:
    return "Could not be read" if expression == UNKNOWN else expression_words(expression)


def _faces_words(faces: int) -> str:
    return "1 face" if faces == 1 else f"{faces:,} faces"


def _ends_words(row: Mapping[str, float]) -> str:
    """Nothing where the two ends of an appearance were not read."""
    first, last = (row.get(name, math.nan) for name in ("start_index", "end_index"))
    if math.isnan(first) or math.isnan(last):
        return ""
    return f"<br>Index {first:.0f} at first, {last:.0f} at the end"


def _clock(begin: pd.Timestamp, offset_ms: float) -> str:
    return f"{begin + pd.Timedelta(milliseconds=offset_ms):%H:%M:%S}"


def lanes(starts: Sequence[int], ends: Sequence[int]) -> list[int]:
    """The lowest free row for each stretch, so that those of one time lie above each other."""
    placed: list[int] = []
    running: list[tuple[int, int]] = []
    free: list[int] = []
    used = 0
    for start, end in zip(starts, ends, strict=True):
        while running and running[0][0] < start:
            heapq.heappush(free, heapq.heappop(running)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, used = used, used + 1
        heapq.heappush(running, (end, lane))
        placed.append(lane)
    return placed

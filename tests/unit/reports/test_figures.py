from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.scores import DEFAULT_SCORE
from analytics.summary import by_day, by_hour, expression_shares, summarise
from fer_core.types import EXPRESSIONS, UNKNOWN
from reports.figures import (
    confusion_figure,
    curves_figure,
    distribution_figure,
    distribution_over_time_figure,
    hours_figure,
    per_class_figure,
    reliability_figure,
    timeline_figure,
    trend_figure,
)
from reports.palette import EXPRESSION_COLOURS
from reports.scales import LEAST_SPAN, index_range
from reports.timeline import lanes
from reports.words import share_words
from tests.unit.analytics.people import bucket_frame, crowd

MINIMUM = 10


def week() -> pd.DataFrame:
    """Monday to Wednesday and Friday; on Tuesday too few; on Thursday nobody."""
    return bucket_frame(
        pd.concat(
            [
                crowd("2026-11-02 09:00", 200, seed=1),
                crowd("2026-11-03 09:00", 7, seed=2, unknown_share=0),
                crowd("2026-11-04 09:00", 150, seed=3),
                crowd("2026-11-06 09:00", 180, seed=4),
            ]
        )
    )


def trace(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def texts(figure: go.Figure) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def axis_titles(figure: go.Figure) -> list[str]:
    axes = [*figure.select_xaxes(), *figure.select_yaxes()]
    return [axis.title.text for axis in axes if axis.title.text]


def test_the_trend_speaks_in_words_and_leaves_withheld_days_out() -> None:
    days = by_day(week(), DEFAULT_SCORE, MINIMUM)
    figure = trend_figure(days, MINIMUM)
    line = trace(figure, "Index")
    assert np.isnan([line.y[1], line.y[3]]).all()
    assert not line.connectgaps
    monday = days.iloc[0]
    assert line.customdata[0] == (
        f"Monday 2 Nov: index {monday['index']:.1f} ({monday['index_low']:.1f} to "
        f"{monday['index_high']:.1f}), {monday['people'] - monday['unknown']} people"
    )
    withheld = trace(figure, "Withheld")
    assert list(withheld.x) == [pd.Timestamp("2026-11-03")]
    assert list(withheld.customdata) == ["Tuesday 3 Nov: withheld, 7 people read (fewer than 10)"]
    assert axis_titles(figure) == ["Day", "Satisfaction index (0 to 100)"]


def test_the_band_breaks_where_the_line_does() -> None:
    figure = trend_figure(by_day(week(), DEFAULT_SCORE, MINIMUM), MINIMUM)
    bands = [trace for trace in figure.data if trace.name == "95% interval"]
    assert len(bands) == 3


def test_the_marks_of_withheld_days_have_an_axis_of_their_own() -> None:
    figure = trend_figure(by_day(week(), DEFAULT_SCORE, MINIMUM), MINIMUM)
    assert trace(figure, "Withheld").yaxis == "y9"
    assert tuple(figure.layout.yaxis9.range) == (0, 1)
    assert figure.layout.yaxis.range[0] > 1


def test_a_target_is_drawn_within_the_axis() -> None:
    figure = trend_figure(by_day(week(), DEFAULT_SCORE, MINIMUM), MINIMUM, target=90)
    assert "Target 90.0" in texts(figure)
    assert figure.layout.yaxis.range[1] >= 90


def test_years_are_named_where_a_trend_spans_two() -> None:
    buckets = bucket_frame(
        pd.concat([crowd("2026-12-31 09:00", 30), crowd("2027-01-01 09:00", 30)])
    )
    line = trace(trend_figure(by_day(buckets, DEFAULT_SCORE, MINIMUM), MINIMUM), "Index")
    assert line.customdata[1].startswith("Friday 1 Jan 2027: ")


def test_the_distribution_names_shares_counts_and_intervals() -> None:
    summary = summarise(week(), DEFAULT_SCORE, MINIMUM)
    figure = distribution_figure(summary)
    (bars,) = figure.data
    assert list(bars.y) == ["Happy", "Surprise", "Neutral", "Sad", "Fear", "Angry", "Disgust"]
    assert bars.marker.color[0] == EXPRESSION_COLOURS["happy"]
    assert summary.happy is not None
    happy = summary.counts["happy"]
    assert bars.x[0] == pytest.approx(100 * happy / summary.read)
    assert bars.x[0] + bars.error_x.array[0] == pytest.approx(100 * summary.happy.high)
    assert f"{happy} people of {summary.read} read" in bars.customdata[0]
    assert texts(figure)[0] == f"<b>{share_words(summary.happy.value)}</b> · {happy}"
    assert axis_titles(figure) == [
        f"Share of {summary.read} people read (%)<br>{summary.unknown} people could not be read"
    ]


def test_beside_a_corrected_share_no_counted_people_are_written() -> None:
    summary = summarise(week(), DEFAULT_SCORE, MINIMUM)
    counted = expression_shares(summary)
    corrected = counted.assign(share=1 / 7, low=0.1, high=0.2)
    figure = distribution_figure(summary, corrected)
    assert set(texts(figure)) == {"<b>14%</b>"}
    happy = f"{summary.counts['happy']} people of {summary.read} read"
    (bars,) = figure.data
    assert bars.customdata[0] == f"Happy: 14% (10% to 20%), as counted {happy}"


def test_empty_and_withheld_figures_say_so() -> None:
    buckets = week()
    nothing = buckets.iloc[:0]
    few = bucket_frame(crowd("2026-11-03 09:00", 7, unknown_share=0))
    for figure in (
        distribution_figure(summarise(nothing, DEFAULT_SCORE, MINIMUM)),
        trend_figure(by_day(nothing, DEFAULT_SCORE, MINIMUM), MINIMUM),
        hours_figure(by_hour(nothing, DEFAULT_SCORE, MINIMUM)),
        distribution_over_time_figure(by_day(nothing, DEFAULT_SCORE, MINIMUM)),
    ):
        assert texts(figure) == ["No people yet"]
        assert not figure.data
    assert texts(distribution_figure(summarise(few, DEFAULT_SCORE, MINIMUM))) == [
        "Withheld: 7 people read, too few for a figure"
    ]
    # A trend of withheld days only has marks and no line to invent.
    only_withheld = trend_figure(by_day(few, DEFAULT_SCORE, MINIMUM), MINIMUM)
    assert np.isnan(trace(only_withheld, "Index").y).all()
    assert len(trace(only_withheld, "Withheld").x) == 1


def test_hours_show_their_index_and_their_people() -> None:
    buckets = bucket_frame(
        pd.concat(
            [
                crowd("2026-11-03 09:00", 60, hours=2, unknown_share=0),
                crowd("2026-11-03 13:00", 4, hours=1, unknown_share=0),
            ]
        )
    )
    figure = hours_figure(by_hour(buckets, DEFAULT_SCORE, MINIMUM), MINIMUM)
    assert list(trace(figure, "Index").x) == [9, 10]
    assert trace(figure, "Index").customdata[0].startswith("9:00 to 10:00: index ")
    assert list(trace(figure, "People").y) == [30, 30, 4]
    assert list(trace(figure, "Withheld").customdata) == [
        "13:00 to 14:00: withheld, 4 people read (fewer than 10)"
    ]


def test_stacked_days_add_up_to_all_people_read() -> None:
    figure = distribution_over_time_figure(by_day(week(), DEFAULT_SCORE, MINIMUM), MINIMUM)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    totals = np.sum([trace.y for trace in bars], axis=0)
    assert totals[[0, 2, 4]] == pytest.approx([100, 100, 100])
    assert np.isnan(totals[[1, 3]]).all()
    assert bars[0].name == "Happy"


def test_stacked_days_tell_each_share_with_its_interval() -> None:
    day = bucket_frame(crowd("2026-11-02 09:00", 60))
    figure = distribution_over_time_figure(by_day(day, DEFAULT_SCORE, MINIMUM), MINIMUM)
    summary = summarise(day, DEFAULT_SCORE, MINIMUM)
    shares = expression_shares(summary).set_index("expression").loc["happy"]
    share, low, high = (f"{100 * shares[name]:.0f}%" for name in ("share", "low", "high"))
    assert trace(figure, "Happy").customdata[0] == (
        f"Monday 2 Nov: {share} ({low} to {high}) happy, "
        f"{summary.counts['happy']} people of {summary.read} read"
    )


def test_the_timeline_keeps_local_time_and_colours() -> None:
    tracks = pd.DataFrame(
        {
            "start_ms": [0, 1000, 9000],
            "end_ms": [5000, 4000, 9000],
            "expression": ["happy", UNKNOWN, "happy"],
            "faces": [25, 3, 1],
        }
    )
    figure = timeline_figure(tracks, datetime(2026, 11, 3, 9, 0, tzinfo=UTC), "Asia/Kolkata")
    happy, unknown = trace(figure, "Happy"), trace(figure, "Unknown")
    assert list(happy.base) == [
        pd.Timestamp("2026-11-03 14:30"),
        pd.Timestamp("2026-11-03 14:30:09"),
    ]
    assert happy.customdata[0] == "Happy from 14:30:00 to 14:30:05, 25 faces"
    assert happy.customdata[1].endswith("1 face")
    assert unknown.customdata[0].startswith("Could not be read from ")
    assert unknown.marker.pattern.shape == "/"
    assert list(unknown.y) == [1]
    assert (happy.x > np.array(0)).all()


def test_a_recording_without_people_says_so() -> None:
    tracks = pd.DataFrame({"start_ms": [], "end_ms": [], "expression": [], "faces": []})
    figure = timeline_figure(tracks, datetime(2026, 11, 3, tzinfo=UTC), "UTC")
    assert texts(figure) == ["Nobody was seen in this recording"]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=30))
def test_no_two_people_of_one_time_share_a_lane(stretches: list[tuple[int, int]]) -> None:
    people = sorted((start, start + length) for start, length in stretches)
    placed = lanes([start for start, _ in people], [end for _, end in people])
    assert len(placed) == len(people)
    for lane in set(placed):
        own = [people[row] for row in range(len(people)) if placed[row] == lane]
        assert all(before[1] < after[0] for before, after in pairwise(own))


@given(st.lists(st.floats(0, 100), max_size=5))
def test_index_axes_hold_their_values_and_do_not_magnify_chance(bounds: list[float]) -> None:
    low, high = index_range(bounds)
    assert 0 <= low < high <= 100
    assert high - low >= LEAST_SPAN - 1e-9
    assert all(low <= bound <= high for bound in bounds)


def test_the_model_figures_speak_in_words() -> None:
    matrix = np.diag(np.arange(10, 80, 10))
    matrix[0, 1] = 10
    heat = confusion_figure(matrix).data[0]
    assert heat.customdata[0][1] == "50% of true angry read as disgust: 10 of 20 pictures"
    assert heat.z[1][1] == 1

    curves = curves_figure({"accuracy": [0.3, 0.5], "val_accuracy": [0.3, 0.4], "val_loss": [1.5]})
    assert [trace.name for trace in curves.data] == ["Training", "Validation", "Validation"]
    assert curves.data[1].customdata[1] == "Epoch 2, validation: 40% right"
    assert texts(curves_figure({})) == ["The training's record was not kept"]

    points = trace(reliability_figure([0.3, 0.5, 0.9], [0.2, 0.0, 0.95], [10, 0, 90]), "Measured")
    assert list(points.customdata) == [
        "Said 30% sure, right 20% of the time, 10 pictures",
        "Said 90% sure, right 95% of the time, 90 pictures",
    ]

    measured = {"precision": 0.5, "recall": 0.75, "f1": 0.6, "support": 1200}
    classes = per_class_figure(dict.fromkeys(EXPRESSIONS, measured))
    assert [trace.name for trace in classes.data] == ["Precision", "Recall", "F1"]
    assert classes.data[1].customdata[3] == "Happy: Recall 75%, 1,200 pictures"


def test_an_expression_without_pictures_breaks_no_confusion_matrix() -> None:
    assert np.asarray(confusion_figure(np.zeros((7, 7), dtype=int)).data[0].z).max() == 0


def test_grounds_are_transparent_and_text_takes_the_themes_colour() -> None:
    figure = trend_figure(by_day(week(), DEFAULT_SCORE, MINIMUM), MINIMUM)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
    assert figure.layout.font.color is None

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from analytics.comparison import league
from analytics.intervals import Estimate
from analytics.scores import DEFAULT_SCORE
from analytics.summary import by_camera, by_day, by_weekday_hour, matched_days
from reports.figures import small_trend_figure, trend_figure
from reports.figures_compared import (
    MOST_PARTS,
    Part,
    distributions_figure,
    league_figure,
    parts_figure,
    week_figure,
)
from reports.style import plain
from reports.words import change_words, difference_words, points_words, rank_words
from tests.unit.analytics.people import bucket_frame, crowd

MINIMUM = 10


def trace(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def two_cameras() -> pd.DataFrame:
    return pd.concat(
        [
            bucket_frame(crowd("2026-11-03 09:00", 80, camera_id=1, seed=1), camera="A"),
            bucket_frame(crowd("2026-11-03 09:00", 8, camera_id=2, unknown_share=0), camera="B"),
        ],
        ignore_index=True,
    )


def test_a_cell_of_the_week_says_its_index_and_its_people_or_why_not() -> None:
    buckets = pd.concat(
        [
            bucket_frame(crowd("2026-11-02 09:00", 40, hours=1, unknown_share=0)),
            bucket_frame(crowd("2026-11-04 11:00", 4, hours=1, unknown_share=0)),
        ],
        ignore_index=True,
    )
    hours = by_weekday_hour(buckets, DEFAULT_SCORE, MINIMUM)
    figure = week_figure(hours, MINIMUM)
    heat = trace(figure, "Index")
    assert list(heat.x) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert list(heat.y) == ["9:00", "10:00", "11:00"]
    assert np.isfinite(heat.z).sum() == 1
    index = hours["index"].iloc[0]
    assert heat.z[0][0] == pytest.approx(index)
    assert heat.customdata[0][0].startswith(f"Monday, 9:00 to 10:00: index {index:.1f} (")
    assert heat.customdata[0][0].endswith(", 40 people")
    cell = trace(figure, "Index and people")
    assert cell.text[0].startswith(f"<b>{index:.0f}</b>")
    assert ">40<" in cell.text[0]
    withheld = trace(figure, "Withheld")
    assert (list(withheld.x), list(withheld.y)) == (["Wed"], ["11:00"])
    assert "4 people read (fewer than 10)" in withheld.customdata[0]


def test_a_week_of_withheld_hours_or_of_nobody_has_no_shades() -> None:
    few = by_weekday_hour(bucket_frame(crowd("2026-11-02 09:00", 4)), DEFAULT_SCORE, MINIMUM)
    assert [trace.name for trace in week_figure(few, MINIMUM).data] == ["Withheld"]
    assert not week_figure(few.iloc[:0], MINIMUM).data


def test_parts_are_ordered_and_add_up_to_the_last_bar() -> None:
    parts = [Part(f"part {n}", 0.1 * n * (-1) ** n, n > 10, "") for n in range(1, 13)]
    bars = parts_figure(parts).data[0]
    assert list(bars.y[:2]) == ["part 12", "part 11"]
    assert list(bars.y[-2:]) == [f"{12 - MOST_PARTS} others", "All together"]
    assert bars.x[-1] == pytest.approx(sum(part.points for part in parts))
    assert sum(bars.x[:-1]) == pytest.approx(bars.x[-1])
    # What may be chance is pale.
    assert bars.marker.color[0] != bars.marker.color[5]
    assert not parts_figure([]).data


@pytest.mark.parametrize("sure", [True, False])
def test_the_others_together_are_pale_by_the_rule_of_the_other_bars(sure: bool) -> None:
    parts = [
        Part(f"part {n}", float(n), n > 10, "", sure_on=sure == (n <= 4)) for n in range(1, 13)
    ]
    bars = parts_figure(parts).data[0]
    others = list(bars.y).index("4 others")
    assert bars.marker.color[others] == bars.marker.color[0 if sure else 5]
    assert bars.customdata[others] == (
        "4 others together: +10.0 points, "
        + ("more than chance would explain." if sure else "which chance could explain.")
    )


def test_the_league_draws_what_is_shown_and_each_places_own_target() -> None:
    table = league(two_cameras(), "camera", DEFAULT_SCORE, MINIMUM)
    figure = league_figure(table, list(table["camera"]), [60, 70])
    assert list(trace(figure, "Index").y) == ["A"]
    assert list(trace(figure, "Target").x) == [60]
    assert figure.layout.xaxis.range[1] >= 60
    nothing = league_figure(table[table["withheld"]], ["B"], [None])
    assert not nothing.data


def test_numbers_for_names_are_names_in_the_order_they_were_given() -> None:
    """Plotly would put them at the height of their number, outside of the axis."""
    names = ["102", "7", "101"]
    cameras = [
        bucket_frame(crowd("2026-11-03 09:00", 80, camera_id=place, seed=place), camera=name)
        for place, name in enumerate(names, start=1)
    ]
    table = by_camera(pd.concat(cameras, ignore_index=True), DEFAULT_SCORE, MINIMUM)
    parts = [Part(name, -float(place), True, "") for place, name in enumerate(names, start=1)]
    for figure, order in (
        (league_figure(table, names, [60, 70, 80]), names),
        (distributions_figure(table, names), names),
        (parts_figure(parts), [*reversed(names), "All together"]),
    ):
        assert figure.layout.yaxis.type == "category"
        assert figure.layout.yaxis.categoryorder is None  # as in the data
        assert all(list(drawn.y) == order for drawn in figure.data)


def test_distributions_side_by_side_add_up_and_withhold() -> None:
    table = by_camera(two_cameras(), DEFAULT_SCORE, MINIMUM)
    figure = distributions_figure(table, list(table["camera"]))
    totals = np.sum([bar.x for bar in figure.data], axis=0)
    assert totals[0] == pytest.approx(100)
    assert np.isnan(totals[1])
    (note,) = figure.layout.annotations
    assert (note.text, note.y) == ("Withheld: 8 people read", 1)


def test_a_trend_beside_earlier_days_names_both() -> None:
    now = bucket_frame(
        pd.concat([crowd("2026-11-10 09:00", 60), crowd("2026-11-11 09:00", 60, seed=2)])
    )
    before = bucket_frame(crowd("2026-11-03 09:00", 60, seed=3))
    days = by_day(now, DEFAULT_SCORE, MINIMUM)
    earlier = matched_days([(before, 7)], DEFAULT_SCORE, MINIMUM)
    figure = trend_figure(days, MINIMUM, before=earlier, before_name="The week before")
    line = trace(figure, "The week before")
    assert line.y[0] == pytest.approx(earlier["index"].iloc[0])
    assert np.isnan(line.y[1])
    assert line.customdata[0].startswith("The week before, for Tuesday 10 Nov: index ")
    assert figure.layout.showlegend
    assert not trend_figure(days, MINIMUM, before=earlier.iloc[:0]).layout.showlegend


def test_small_trends_share_their_axes() -> None:
    days = by_day(bucket_frame(crowd("2026-11-10 09:00", 60)), DEFAULT_SCORE, MINIMUM)
    first, last = pd.Timestamp("2026-11-09"), pd.Timestamp("2026-11-15")
    figure = small_trend_figure(days, (30, 70), first, last)
    assert tuple(figure.layout.yaxis.range) == (30, 70)
    assert len(trace(figure, "Index").x) == 7


@pytest.mark.parametrize(
    ("change", "share", "said"),
    [
        (Estimate(4.06, 1, 7), False, "up 4.1 points, more than chance would explain"),
        (Estimate(-0.84, -3, 1), False, "down 0.8 points, which chance could explain"),
        (Estimate(0.04, 0.01, 0.07), False, "unchanged, to a tenth of a point"),
        (Estimate(0.034, 0.01, 0.06), True, "up 3 points, more than chance would explain"),
        (Estimate(-0.011, -0.02, 0.0), True, "down 1 point, which chance could explain"),
        (Estimate(0.004, -0.02, 0.03), True, "unchanged, to a point"),
    ],
)
def test_a_change_is_one_plain_sentence(change: Estimate, share: bool, said: str) -> None:
    assert change_words(change, share=share) == said


def test_two_places_are_higher_or_lower_not_up_or_down() -> None:
    assert (
        difference_words(Estimate(-5.0, -6, -4))
        == "5.0 points lower, more than chance would explain"
    )
    assert difference_words(Estimate(0.0, -1, 1), share=True) == "the same, to a point"


def test_points_are_signed_and_ranks_are_ranges() -> None:
    assert [points_words(value) for value in (4.06, -0.84, 0.04, -0.04)] == [
        "+4.1",
        "−0.8",
        "0.0",
        "0.0",
    ]
    assert (rank_words(2, 2), rank_words(2, 4)) == ("2", "2 to 4")


def test_a_name_in_a_chart_is_never_markup() -> None:
    assert plain("<b>Shop</b> & Son") == "&lt;b&gt;Shop&lt;/b&gt; &amp; Son"

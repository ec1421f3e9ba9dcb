import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.intervals import mean_interval
from analytics.scores import DEFAULT_SCORE, ScoreDefinition, satisfaction_index
from analytics.summary import (
    by_camera,
    by_day,
    by_hour,
    by_month,
    by_site,
    by_week,
    by_weekday_hour,
    expression_shares,
    matched_days,
    summarise,
)
from fer_core.types import EXPRESSIONS, UNKNOWN
from tests.unit.analytics.people import bucket_frame, crowd, people_frame

FIGURES = ("index", "happy", "negative", "net", "unknown_share")


@given(st.integers(10, 120), st.lists(st.floats(-1, 1), min_size=7, max_size=7), st.integers(0, 99))
@settings(max_examples=30)
def test_buckets_give_what_the_people_give(people: int, weights: list[float], seed: int) -> None:
    score = ScoreDefinition("any", 1, tuple(weights))
    frame = crowd("2026-11-03 09:00", people, seed=seed, unknown_share=0.05)
    read = frame[frame["expression"] != UNKNOWN]
    values = satisfaction_index(read[[f"p_{e}" for e in EXPRESSIONS]].to_numpy(), score)
    from_people = mean_interval(
        len(values),
        values.sum(),
        (values**2).sum(),
        lowest=score.lowest,
        highest=score.highest,
    )

    summary = summarise(bucket_frame(frame), score, minimum_people=2)

    assert summary.people == people
    assert summary.read == len(read)
    assert summary.index is not None
    assert summary.happy is not None
    assert summary.negative is not None
    assert summary.net is not None
    assert summary.index.value == pytest.approx(values.mean())
    assert summary.index.low == pytest.approx(float(from_people.low), abs=1e-4)
    assert summary.index.high == pytest.approx(float(from_people.high), abs=1e-4)
    assert summary.happy.value == pytest.approx((read["expression"] == "happy").mean())
    assert summary.negative.value == pytest.approx(
        read["expression"].isin(["angry", "disgust", "fear", "sad"]).mean()
    )
    sign = read["expression"].map(dict(zip(EXPRESSIONS, np.sign(weights), strict=True)))
    assert summary.net.value == pytest.approx(sign.mean())
    assert summary.counts == {e: int((frame["expression"] == e).sum()) for e in summary.counts}
    assert set(summary.counts) == {*EXPRESSIONS, UNKNOWN}


def test_too_few_read_people_are_withheld_in_every_figure() -> None:
    frame = crowd("2026-11-03 09:00", 9, unknown_share=0)
    summary = summarise(bucket_frame(frame), DEFAULT_SCORE, minimum_people=10)
    assert summary.withheld
    assert (summary.people, summary.read, summary.counts) == (9, 9, {})
    assert {summary.index, summary.happy, summary.negative, summary.net} == {None}
    assert expression_shares(summary).empty

    for days in (by_day, by_week, by_month, by_hour, by_weekday_hour, by_camera, by_site):
        rows = days(bucket_frame(frame), DEFAULT_SCORE, 10)
        assert rows["withheld"].all()
        assert rows[[*FIGURES, *(f"n_{e}" for e in EXPRESSIONS)]].isna().all(axis=None)
        assert rows["people"].sum() == 9


def test_unknown_people_do_not_lift_a_figure_over_the_bound() -> None:
    times = pd.date_range("2026-11-03T09:00Z", periods=20, freq="1min")
    frame = people_frame(times, ["happy"] * 9 + [UNKNOWN] * 11)
    summary = summarise(bucket_frame(frame), DEFAULT_SCORE, minimum_people=10)
    assert summary.withheld
    assert summary.index is None
    # Twenty were seen: that most could not be read may be told.
    assert summary.unknown_share is not None
    assert summary.unknown_share.value == pytest.approx(11 / 20)


def test_a_single_person_where_one_is_enough() -> None:
    times = pd.to_datetime(["2026-11-03T09:00Z"])
    summary = summarise(bucket_frame(people_frame(times, ["happy"])), DEFAULT_SCORE, 1)
    assert summary.index is not None
    assert (summary.index.low, summary.index.high) == (0, 100)
    assert 50 < summary.index.value < 100
    assert summary.counts["happy"] == 1


def test_weights_that_sum_to_nothing_leave_the_index_at_its_middle() -> None:
    score = ScoreDefinition("flat", 1, (0.0,) * 7)
    summary = summarise(bucket_frame(crowd("2026-11-03 09:00", 40)), score, 10)
    assert summary.index is not None
    assert (summary.index.value, summary.index.low, summary.index.high) == (50, 50, 50)
    assert summary.net is not None
    assert summary.net.value == 0


def test_nothing_at_all() -> None:
    empty = bucket_frame(crowd("2026-11-03 09:00", 40)).iloc[:0]
    summary = summarise(empty, DEFAULT_SCORE, 10)
    assert (summary.people, summary.withheld, summary.index) == (0, True, None)
    filled = bucket_frame(crowd("2026-11-03 09:00", 40))
    for rows in (by_day, by_week, by_month, by_hour, by_weekday_hour, by_camera, by_site):
        assert rows(empty, DEFAULT_SCORE, 10).empty
        assert (
            rows(empty, DEFAULT_SCORE, 10).dtypes.to_dict()
            == rows(filled, DEFAULT_SCORE, 10).dtypes.to_dict()
        )


def test_days_and_hours_are_those_of_each_site() -> None:
    # 22:30 UTC on the 3rd is still the 3rd in New York and already the 4th in India.
    times = pd.to_datetime(["2026-11-03T22:30Z"] * 12)
    looks = ["happy"] * 12
    frames = [
        bucket_frame(
            people_frame(times, looks, time_zone=zone, camera_id=number),
            time_zone=zone,
            camera=zone,
        )
        for number, zone in enumerate(("America/New_York", "Asia/Kolkata"))
    ]
    buckets = pd.concat(frames, ignore_index=True)
    days = by_day(buckets, DEFAULT_SCORE, 10)
    assert days["day"].tolist() == [pd.Timestamp("2026-11-03"), pd.Timestamp("2026-11-04")]
    hours = by_hour(buckets, DEFAULT_SCORE, 10)
    assert hours["hour"].tolist() == [4, 17]
    assert hours["people"].tolist() == [12, 12]


def test_the_hour_that_autumn_repeats_counts_in_one_hour_of_the_day() -> None:
    times = pd.to_datetime(["2026-10-25T00:30Z", "2026-10-25T01:30Z"])
    buckets = bucket_frame(people_frame(times, ["happy", "sad"]))
    assert len(buckets) == 2
    hours = by_hour(buckets, DEFAULT_SCORE, 1)
    assert hours[["hour", "people"]].to_numpy().tolist() == [[2, 2]]
    assert by_day(buckets, DEFAULT_SCORE, 1)["people"].tolist() == [2]


def test_cameras_of_one_name_in_two_sites_stay_apart() -> None:
    one = bucket_frame(crowd("2026-11-03 09:00", 20, camera_id=1), site="A")
    two = bucket_frame(crowd("2026-11-03 09:00", 30, camera_id=2), site="B")
    rows = by_camera(pd.concat([two, one]), DEFAULT_SCORE, 10)
    assert rows[["site", "camera", "people"]].to_numpy().tolist() == [
        ["A", "Entrance", 20],
        ["B", "Entrance", 30],
    ]


def test_shares_add_up_and_carry_wilsons_bounds() -> None:
    summary = summarise(bucket_frame(crowd("2026-11-03 09:00", 80)), DEFAULT_SCORE, 10)
    shares = expression_shares(summary)
    assert shares["expression"].tolist() == list(EXPRESSIONS)
    assert shares["share"].sum() == pytest.approx(1)
    assert shares["people"].sum() == summary.read
    assert summary.happy is not None
    happy = shares.set_index("expression").loc["happy"]
    assert (happy["share"], happy["low"], happy["high"]) == (
        summary.happy.value,
        summary.happy.low,
        summary.happy.high,
    )


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    # Sunday and Monday across the end of a month.
    buckets = bucket_frame(
        pd.concat([crowd("2026-05-31 09:00", 20), crowd("2026-06-01 09:00", 30, seed=3)])
    )
    weeks = by_week(buckets, DEFAULT_SCORE, 10)
    assert weeks["week"].tolist() == [pd.Timestamp("2026-05-25"), pd.Timestamp("2026-06-01")]
    assert weeks["people"].tolist() == [20, 30]
    months = by_month(buckets, DEFAULT_SCORE, 10)
    assert months["month"].tolist() == [pd.Timestamp("2026-05-01"), pd.Timestamp("2026-06-01")]
    assert months["people"].tolist() == [20, 30]


def test_hours_of_the_week_are_the_sites_own() -> None:
    # 23:30 UTC on Sunday is Monday's first hour in Berlin.
    times = pd.to_datetime(["2026-11-01T23:30Z", "2026-11-08T23:40Z", "2026-11-03T09:00Z"])
    buckets = bucket_frame(people_frame(pd.DatetimeIndex(times), ["happy"] * 3))
    rows = by_weekday_hour(buckets, DEFAULT_SCORE, 1)
    assert rows[["weekday", "hour", "people"]].to_numpy().tolist() == [[0, 0, 2], [1, 10, 1]]


def test_the_hours_of_the_week_are_those_of_the_clock() -> None:
    # Two Mondays at nine and a Sunday at midnight, in Berlin.
    times = pd.to_datetime(["2026-11-02T08:10Z", "2026-11-09T08:50Z", "2026-11-07T23:30Z"])
    rows = by_weekday_hour(bucket_frame(people_frame(times, ["happy"] * 3)), DEFAULT_SCORE, 1)
    assert rows[["weekday", "hour", "people"]].to_numpy().tolist() == [[0, 9, 2], [6, 0, 1]]


def test_the_cameras_of_a_site_are_one_row() -> None:
    one = bucket_frame(crowd("2026-11-03 09:00", 20, camera_id=1), camera="A")
    two = bucket_frame(crowd("2026-11-03 09:00", 30, camera_id=2), camera="B")
    rows = by_site(pd.concat([two, one]), DEFAULT_SCORE, 10)
    assert rows[["site", "people"]].to_numpy().tolist() == [["Berlin Mitte", 50]]


def test_days_are_matched_with_the_days_they_are_compared_with() -> None:
    # The clocks change on the 25th: a day is moved by the calendar, not by hours.
    early = bucket_frame(crowd("2026-10-20 00:00", 20, hours=1))
    later = bucket_frame(crowd("2026-10-27 23:00", 30, hours=1, seed=5))
    rows = matched_days([(early, 14), (later, 7)], DEFAULT_SCORE, 10)
    assert rows[["day", "people"]].to_numpy().tolist() == [[pd.Timestamp("2026-11-03"), 50]]
    together = summarise(pd.concat([early, later]), DEFAULT_SCORE, 10)
    assert together.index is not None
    assert rows["index"].tolist() == pytest.approx([together.index.value])
    assert matched_days([(early.iloc[:0], 7)], DEFAULT_SCORE, 10).empty

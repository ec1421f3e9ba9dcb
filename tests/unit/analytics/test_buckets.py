from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.buckets import (
    BUCKET_COLUMNS,
    PRODUCTS,
    aggregate,
    local_hour,
    merge,
    sum_of_squares,
)
from fer_core.types import EXPRESSIONS, UNKNOWN
from tests.unit.analytics.people import crowd, people_frame

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
)


def hours_of(time_zone: str, *local: str) -> list[str]:
    """The hours' beginnings in UTC of times given with their offsets."""
    starts = pd.to_datetime(pd.Series(local), utc=True)
    return [f"{hour:%H:%M}" for hour in local_hour(starts, time_zone)]


def test_spring_skips_an_hour() -> None:
    assert hours_of(
        "Europe/Berlin",
        "2026-03-29T01:59:59+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
    ) == ["00:00", "01:00", "01:00"]


def test_the_hour_that_autumn_repeats_is_two_hours() -> None:
    assert hours_of("Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00") == [
        "00:00",
        "01:00",
    ]


def test_a_half_hour_zone_has_its_hours_at_half_past() -> None:
    assert hours_of("Asia/Kolkata", "2026-11-03T09:05:00+05:30") == ["03:30"]
    assert hours_of("Asia/Kathmandu", "2026-11-03T09:05:00+05:45") == ["03:15"]


def test_an_hour_begins_anew_where_clocks_change_within_it() -> None:
    # Chatham springs from 2:45 to 3:45; Lord Howe falls from 2:00 back to 1:30.
    assert hours_of("Pacific/Chatham", "2026-09-27T03:50:00+13:45") == ["14:00"]
    assert hours_of(
        "Australia/Lord_Howe", "2026-04-05T01:40:00+11:00", "2026-04-05T01:40:00+10:30"
    ) == ["14:00", "15:00"]


@settings(max_examples=100)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(ZONES),
)
def test_the_hour_is_the_earliest_minute_of_the_same_wall_clock_hour(
    instant: datetime, time_zone: str
) -> None:
    zone = ZoneInfo(time_zone)

    def wall(moment: datetime) -> tuple[int, timedelta | None]:
        local = moment.astimezone(zone)
        return local.hour, local.utcoffset()

    expected = instant.replace(second=0, microsecond=0)
    while wall(expected - timedelta(minutes=1)) == wall(instant):
        expected -= timedelta(minutes=1)

    hour = local_hour(pd.Series([pd.Timestamp(instant)]), time_zone)
    assert hour[0] == expected
    assert local_hour(hour, time_zone)[0] == expected


def test_local_hour_keeps_the_index_of_a_series_and_takes_an_index() -> None:
    starts = pd.Series([pd.Timestamp("2026-11-03T10:20Z")], index=[7])
    assert local_hour(starts, "UTC").index.tolist() == [7]
    assert local_hour(pd.DatetimeIndex(starts), "UTC").tolist() == [
        pd.Timestamp("2026-11-03T10:00Z")
    ]
    empty = local_hour(pd.DatetimeIndex([], tz="UTC"), "Asia/Kolkata")
    assert str(empty.dt.tz) == "UTC"
    assert empty.empty


def test_people_are_counted_by_camera_and_hour() -> None:
    times = pd.to_datetime(["2026-11-03T10:05Z", "2026-11-03T10:50Z", "2026-11-03T11:00Z"])
    people = people_frame(times, ["happy", UNKNOWN, "sad"], time_zone="UTC")
    buckets = aggregate(people)
    assert buckets["hour"].tolist() == [
        pd.Timestamp("2026-11-03T10:00Z"),
        pd.Timestamp("2026-11-03T11:00Z"),
    ]
    assert buckets["people"].tolist() == [2, 1]
    assert buckets["unknown"].tolist() == [1, 0]
    assert buckets["n_happy"].tolist() == [1, 0]
    assert buckets["n_sad"].tolist() == [0, 1]
    assert buckets["faces"].tolist() == [int(people["faces"][:2].sum()), int(people["faces"][2])]


def test_sums_and_products_are_those_of_the_read_people() -> None:
    people = crowd("2026-11-03 10:00", 50, hours=1)
    (bucket,) = aggregate(people).to_dict("records")
    p = people.loc[people["expression"] != UNKNOWN, [f"p_{e}" for e in EXPRESSIONS]].to_numpy()
    assert 0 < len(p) < 50
    assert [bucket[f"sum_{e}"] for e in EXPRESSIONS] == pytest.approx(p.sum(axis=0).tolist())
    assert len(PRODUCTS) == 28
    assert [bucket[name] for name in PRODUCTS] == pytest.approx(
        (p.T @ p)[np.triu_indices(7)].tolist()
    )


def test_a_bucket_of_unknown_people_only_has_no_probabilities() -> None:
    times = pd.to_datetime(["2026-11-03T10:05Z", "2026-11-03T10:06Z"])
    (bucket,) = aggregate(people_frame(times, [UNKNOWN, UNKNOWN])).to_dict("records")
    assert (bucket["people"], bucket["unknown"]) == (2, 2)
    assert [bucket[name] for name in PRODUCTS] == [0.0] * 28


def test_nobody_gives_an_empty_frame_of_the_same_columns_and_types() -> None:
    people = crowd("2026-11-03 10:00", 5)
    empty, filled = aggregate(people.iloc[:0]), aggregate(people)
    assert empty.empty
    assert tuple(filled.columns) == BUCKET_COLUMNS
    assert empty.dtypes.to_dict() == filled.dtypes.to_dict()


@given(
    st.lists(st.sampled_from([*EXPRESSIONS, UNKNOWN]), max_size=40),
    st.lists(st.integers(0, 2), min_size=40, max_size=40),
    st.integers(0, 1000),
)
@settings(max_examples=15)
def test_merging_parts_equals_aggregating_all(
    looks: list[str], part_of: list[int], seed: int
) -> None:
    times = pd.date_range("2026-11-03T09:00Z", periods=len(looks), freq="7min")
    people = people_frame(times, looks, seed=seed)
    parts = [
        aggregate(people[np.array(part_of[: len(looks)], dtype=int) == part]) for part in range(3)
    ]
    keys = ["camera_id", "hour"]
    whole = aggregate(people)
    left = merge(pd.concat([merge(pd.concat(parts[:2]), keys), parts[2]]), keys)
    right = merge(pd.concat([parts[0], merge(pd.concat(parts[1:]), keys)]), keys)
    for merged in (left, right):
        pd.testing.assert_frame_equal(merged, whole, check_exact=False, rtol=1e-12)


@given(st.lists(st.floats(-1, 1), min_size=7, max_size=7))
@settings(max_examples=30)
def test_the_sum_of_squares_needs_no_raw_rows(weights: list[float]) -> None:
    people = crowd("2026-11-03 10:00", 30, hours=1)
    p = people[[f"p_{e}" for e in EXPRESSIONS]].dropna().to_numpy()
    assert sum_of_squares(aggregate(people), weights) == pytest.approx(
        ((p @ np.array(weights)) ** 2).sum()
    )

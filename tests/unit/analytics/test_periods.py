from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.periods import Every, day_bounds, days_before, last_whole, latest_due, next_due

BERLIN = "Europe/Berlin"
ZONES = st.sampled_from([BERLIN, "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "UTC"])
INSTANTS = st.datetimes(
    datetime.fromisoformat("2024-01-01"),
    datetime.fromisoformat("2030-01-01"),
    timezones=st.just(UTC),
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_days_are_as_long_as_the_clocks_make_them() -> None:
    spring = day_bounds(date(2026, 3, 29), date(2026, 3, 29), BERLIN)
    assert spring == (utc("2026-03-28T23:00"), utc("2026-03-29T22:00"))
    autumn = day_bounds(date(2026, 10, 25), date(2026, 10, 25), BERLIN)
    assert autumn == (utc("2026-10-24T22:00"), utc("2026-10-25T23:00"))


def test_the_days_before_are_as_many() -> None:
    assert days_before(date(2026, 3, 1), date(2026, 3, 7)) == (date(2026, 2, 22), date(2026, 2, 28))


@pytest.mark.parametrize(
    ("every", "first", "last"),
    [
        (Every.DAY, date(2026, 2, 28), date(2026, 2, 28)),
        (Every.WEEK, date(2026, 2, 16), date(2026, 2, 22)),
        (Every.MONTH, date(2026, 2, 1), date(2026, 2, 28)),
    ],
)
def test_the_last_whole_stretch_ended_before_today(every: Every, first: date, last: date) -> None:
    assert last_whole(every, date(2026, 3, 1)) == (first, last)  # a Sunday


def test_a_schedule_keeps_to_the_clock_when_clocks_change() -> None:
    saturday = utc("2026-03-28T12:00")
    assert next_due(Every.DAY, 7, BERLIN, saturday) == utc("2026-03-29T05:00")
    assert next_due(Every.DAY, 7, BERLIN, utc("2026-03-27T12:00")) == utc("2026-03-28T06:00")


def test_an_hour_that_is_skipped_or_repeated_comes_once() -> None:
    # There is no two o'clock on 29 March in Berlin, and there are two on 25 October.
    assert next_due(Every.DAY, 2, BERLIN, utc("2026-03-28T12:00")) == utc("2026-03-29T01:00")
    assert next_due(Every.DAY, 2, BERLIN, utc("2026-03-29T01:00")) == utc("2026-03-30T00:00")
    assert next_due(Every.DAY, 2, BERLIN, utc("2026-10-24T12:00")) == utc("2026-10-25T00:00")
    assert next_due(Every.DAY, 2, BERLIN, utc("2026-10-25T00:00")) == utc("2026-10-26T01:00")


def test_weeks_come_on_monday_and_months_on_the_first() -> None:
    now = utc("2026-12-30T12:00")
    assert next_due(Every.WEEK, 6, BERLIN, now) == utc("2027-01-04T05:00")
    assert next_due(Every.MONTH, 6, BERLIN, now) == utc("2027-01-01T05:00")


@given(st.sampled_from(Every), st.integers(0, 23), ZONES, INSTANTS)
def test_now_lies_between_the_latest_occasion_and_the_next(
    every: Every, hour: int, zone: str, now: datetime
) -> None:
    latest, coming = latest_due(every, hour, zone, now), next_due(every, hour, zone, now)
    assert latest <= now < coming
    assert next_due(every, hour, zone, latest) == coming
    assert latest_due(every, hour, zone, coming) == coming
    assert coming - latest <= timedelta(days=31, hours=2)
    assert coming.astimezone(ZoneInfo(zone)).date() > latest.astimezone(ZoneInfo(zone)).date()

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.silence import OpeningHours, Silence, silence

BERLIN = "Europe/Berlin"
NINE_TO_SIX: OpeningHours = (*[(9 * 60, 18 * 60)] * 6, None)
"""Closed on Sundays."""

MONDAY = date(2026, 11, 2)


def at(day: date, hour: int, time_zone: str = BERLIN) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(time_zone))


def busy(
    last: date, *, days: int = 30, hours: Iterable[int] = range(9, 18), time_zone: str = BERLIN
) -> list[datetime]:
    """People in each of ``hours`` of the working days up to ``last``."""
    return [
        at(day, hour, time_zone)
        for day in (last - timedelta(days=back) for back in range(days))
        if day.weekday() < 6
        for hour in hours
    ]


def judge(
    hours: list[datetime],
    until: datetime,
    *,
    opening_hours: OpeningHours = NINE_TO_SIX,
    threshold: float = 4,
    time_zone: str = BERLIN,
) -> Silence | None:
    return silence(
        hours,
        time_zone=time_zone,
        opening_hours=opening_hours,
        until=until,
        filmed_until=max(hours, default=until),
        threshold=threshold,
    )


def test_a_camera_that_sees_people_is_not_silent() -> None:
    assert judge(busy(MONDAY), at(MONDAY, 18)) is None


def test_hours_without_people_add_up_while_the_store_is_open() -> None:
    hours = busy(MONDAY - timedelta(days=2))  # until Saturday evening
    assert judge(hours, at(MONDAY, 12)) is None
    found = judge(hours, at(MONDAY, 13))
    assert found is not None
    assert (found.hours, found.usual) == (4, 0)
    assert found.last_seen == at(MONDAY - timedelta(days=2), 18)


def test_the_hour_that_runs_is_not_over() -> None:
    hours = busy(MONDAY - timedelta(days=2))
    assert judge(hours, at(MONDAY, 12) + timedelta(minutes=59)) is None


def test_nights_and_closed_days_are_no_silence() -> None:
    hours = busy(MONDAY - timedelta(days=2))
    assert judge(hours, at(MONDAY, 8), threshold=1) is None


def test_quiet_cameras_are_given_twice_their_longest_quiet_stretch() -> None:
    hours = busy(MONDAY - timedelta(days=2), hours=(9, 13, 17))  # three quiet hours between
    assert judge(hours, at(MONDAY, 15)) is None
    found = judge(hours, at(MONDAY, 16))
    assert found is not None
    assert (found.hours, found.usual) == (7, 3)


def test_footage_that_comes_now_and_then_is_never_called_silent() -> None:
    fridays = [hour for hour in busy(MONDAY, days=60) if hour.weekday() == 4]
    assert judge(fridays, at(MONDAY, 18)) is None
    assert judge(busy(MONDAY, days=5), at(MONDAY + timedelta(days=3), 18)) is None
    assert judge([], at(MONDAY, 18)) is None


def test_without_opening_hours_a_camera_goes_by_its_habit() -> None:
    hours = busy(MONDAY - timedelta(days=2))
    assert judge(hours, at(MONDAY, 12), opening_hours=()) is None
    found = judge(hours, at(MONDAY, 13), opening_hours=())
    assert found is not None
    assert found.by_habit
    assert found.hours == 4
    # On Sundays nobody ever came.
    assert judge(hours, at(MONDAY - timedelta(days=1), 18), opening_hours=()) is None


def test_whether_it_filmed_on_is_said() -> None:
    hours = busy(MONDAY - timedelta(days=2))
    found = silence(
        hours,
        time_zone=BERLIN,
        opening_hours=NINE_TO_SIX,
        until=at(MONDAY, 17),
        filmed_until=at(MONDAY, 16),
        threshold=4,
    )
    assert found is not None
    assert found.is_filmed


def test_a_camera_that_is_gone_is_no_longer_spoken_of() -> None:
    hours = busy(MONDAY)
    assert judge(hours, at(MONDAY + timedelta(days=28), 18)) is not None
    assert judge(hours, at(MONDAY + timedelta(days=29), 18)) is None


@pytest.mark.parametrize("time_zone", [BERLIN, "America/New_York", "Asia/Kolkata", "Asia/Tokyo"])
def test_hours_are_those_of_the_sites_clock_over_a_change_of_clocks_too(time_zone: str) -> None:
    last = date(2026, 11, 7)  # clocks went back on 25 Oct (Berlin) and on 1 Nov (New York)
    hours = busy(last, time_zone=time_zone)
    until = at(last + timedelta(days=2), 13, time_zone)
    found = judge(hours, until, time_zone=time_zone)
    assert found is not None
    assert (found.hours, found.usual) == (4, 0)


@given(
    seen=st.sets(st.integers(0, 40 * 24), max_size=300),
    until=st.integers(0, 50 * 24),
    later=st.integers(0, 48),
    opening_hours=st.sampled_from([(), NINE_TO_SIX]),
)
def test_silence_only_grows_until_somebody_comes(
    seen: set[int], until: int, later: int, opening_hours: OpeningHours
) -> None:
    begin = at(MONDAY, 0, "UTC")
    hours = [begin + timedelta(hours=hour) for hour in seen if hour <= until]

    def found(hour: int) -> Silence | None:
        return judge(
            hours,
            begin + timedelta(hours=hour),
            opening_hours=opening_hours,
            threshold=1,
            time_zone="UTC",
        )

    now, then = found(until), found(until + later)
    if now is not None and until + later <= max(seen) + 27 * 24:
        assert then is not None
        assert then.hours >= now.hours
        assert then.usual == now.usual

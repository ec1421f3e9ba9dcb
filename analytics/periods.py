"""Whole days, weeks and months of a calendar, and the instants at which they begin."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


class Every(StrEnum):
    """How often something comes round: each day, on Mondays, on the first of the month."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def day_bounds(first: date, last: date, time_zone: str) -> tuple[datetime, datetime]:
    """[start, end) in UTC of whole days, both ends included, that begin at midnight of
    ``time_zone`` (an IANA name)."""
    zone = ZoneInfo(time_zone)
    start = datetime.combine(first, time(), zone)
    end = datetime.combine(last + _DAY, time(), zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def days_before(first: date, last: date) -> tuple[date, date]:
    """As many days, directly before."""
    step = last - first + _DAY
    return first - step, last - step


def last_whole(every: Every, today: date) -> tuple[date, date]:
    """First and last day of the last day, week (from Monday) or month that ended before
    ``today``."""
    last = _begins(every, today) - _DAY
    return _begins(every, last), last


def next_due(every: Every, hour: int, time_zone: str, after: datetime) -> datetime:
    """The first occasion after ``after`` (UTC): ``hour`` o'clock in ``time_zone`` each day, on
    Mondays or on the first of the month.

    Where clocks skip the hour it is the same instant as if they had not; where they repeat it,
    the first of the two. So there is one occasion a day, never none or two.
    """
    return next(due for due in _occasions(every, hour, time_zone, after) if due > after)


def latest_due(every: Every, hour: int, time_zone: str, now: datetime) -> datetime:
    """The last occasion that is not after ``now`` (UTC)."""
    *_, latest = (due for due in _occasions(every, hour, time_zone, now) if due <= now)
    return latest


def _occasions(every: Every, hour: int, time_zone: str, around: datetime) -> Iterator[datetime]:
    """Two or more before ``around`` and two or more after it, in order."""
    zone = ZoneInfo(time_zone)
    day = _begins(every, around.astimezone(zone).date())
    for _ in range(2):
        day = _begins(every, day - _DAY)
    for _ in range(5):
        yield datetime.combine(day, time(hour), zone).astimezone(UTC)
        day = _after(every, day)


def _begins(every: Every, day: date) -> date:
    if every is Every.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every is Every.WEEK else day


def _after(every: Every, first: date) -> date:
    if every is Every.MONTH:
        return (first + timedelta(days=31)).replace(day=1)
    return first + (7 * _DAY if every is Every.WEEK else _DAY)

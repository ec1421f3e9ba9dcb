"""Is a camera silent: has it seen nobody for longer than it ever does while the store is open?

Time is counted in opening hours, so that nights, Sundays and closed days are no silence. Where a
site's opening hours are not known, a camera's own habit stands for them: the hours of the week in
which it saw people in at least half of the last weeks. Only a camera that sees people nearly every
day is judged; one whose footage is brought now and then is never called silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

HISTORY_DAYS: Final = 28
"""A camera's habits are those of so many days up to the last person it saw."""

FORGOTTEN_DAYS: Final = 28
"""A camera that saw nobody for longer is taken for gone, and no longer spoken of."""

_DAILY_SHARE: Final = 0.8
_LEAST_DAYS: Final = 10
_TIMES_USUAL: Final = 2
"""A silence must be more than this many times as long as the longest ordinary one: of two
ordinary months the second has the longer silence as often as not."""

OpeningHours = Sequence[tuple[int, int] | None]
"""Empty where unknown; else from Monday on (opens, closes) in minutes since local midnight, or
None for a day on which the store is closed."""


@dataclass(frozen=True, slots=True)
class Silence:
    """``hours``: opening hours without people, to the hour. ``usual``: the longest such stretch in
    the weeks before. ``last_seen``: the end of the local hour in which people were last seen.
    ``is_filmed``: footage of the time since was read, and nobody was in it. ``by_habit``: the
    opening hours are not known. ``has_failed``: footage of that time came in and was not read: it
    failed or was cancelled."""

    hours: int
    usual: int
    last_seen: datetime
    is_filmed: bool
    by_habit: bool
    has_failed: bool = False


def silence(
    hours: Sequence[datetime],
    *,
    time_zone: str,
    opening_hours: OpeningHours,
    until: datetime,
    filmed_until: datetime,
    threshold: float,
    failed_until: datetime | None = None,
) -> Silence | None:
    """``hours``: the beginnings of the local hours in which a camera saw people (aware), of
    HISTORY_DAYS + FORGOTTEN_DAYS days or more before ``until``, the time up to which its footage
    ought to have been read. ``filmed_until``: the end of the newest footage that was.
    ``threshold``: opening hours that are never too long. ``failed_until``: the end of the newest
    footage that came in and was not read; None where all was.

    None where the camera is not silent, or where that cannot be told.
    """
    zone = ZoneInfo(time_zone)
    seen_at = sorted(hour.astimezone(zone) for hour in hours if hour <= until)
    if not seen_at:
        return None
    last = seen_at[-1]
    here = until.astimezone(zone)
    first_day = max(seen_at[0].date(), last.date() - timedelta(days=HISTORY_DAYS - 1))
    if (here.date() - last.date()).days > FORGOTTEN_DAYS:
        return None
    days = (here.date() - first_day).days + 1
    seen = np.zeros((days, 24), dtype=bool)
    for moment in seen_at:
        if moment.date() >= first_day:
            seen[(moment.date() - first_day).days, moment.hour] = True
    past_days = (last.date() - first_day).days + 1
    expected = _expected(first_day, seen, past_days, opening_hours)
    if not _daily(seen[:past_days], expected[:past_days]):
        return None

    now = (days - 1) * 24 + here.hour  # the hour that runs is not over
    after = (past_days - 1) * 24 + last.hour + 1
    begin = int(np.flatnonzero(seen)[0])
    run = int(expected.ravel()[after:now].sum())
    usual = _longest_run(seen.ravel()[begin:after], expected.ravel()[begin:after])
    if run < threshold or run <= _TIMES_USUAL * usual:
        return None
    end = last + timedelta(hours=1)
    return Silence(
        hours=run,
        usual=usual,
        last_seen=end,
        is_filmed=filmed_until > end,
        by_habit=not opening_hours,
        has_failed=failed_until is not None and failed_until > end,
    )


def _expected(
    first_day: date, seen: NDArray[np.bool_], past_days: int, opening_hours: OpeningHours
) -> NDArray[np.bool_]:
    """(days, 24): the hours in which the store is open all the time."""
    days = len(seen)
    weekday = (first_day.weekday() + np.arange(days)) % 7
    if opening_hours:
        begins = np.arange(24) * 60
        week = np.zeros((7, 24), dtype=bool)
        for day, stretch in enumerate(opening_hours):
            if stretch is not None:
                week[day] = (begins >= stretch[0]) & (begins + 60 <= stretch[1])
    else:
        past = weekday[:past_days]
        times = np.array([seen[:past_days][past == day].sum(axis=0) for day in range(7)])
        weeks = np.array([(past == day).sum() for day in range(7)])
        week = (times > 0) & (2 * times >= weeks[:, np.newaxis])
    return np.asarray(week[weekday])


def _daily(seen: NDArray[np.bool_], expected: NDArray[np.bool_]) -> bool:
    open_days = expected.any(axis=1)
    with_people = open_days & seen.any(axis=1)
    return bool(
        with_people.sum() >= _LEAST_DAYS and with_people.sum() >= _DAILY_SHARE * open_days.sum()
    )


def _longest_run(seen: NDArray[np.bool_], expected: NDArray[np.bool_]) -> int:
    """Most expected hours in a row without people; hours that are not expected do not count."""
    longest = run = 0
    for has_people, is_open in zip(seen.tolist(), expected.tolist(), strict=True):
        if has_people:
            run = 0
        elif is_open:
            run += 1
            longest = max(longest, run)
    return longest

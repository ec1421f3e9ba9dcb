"""Which cameras and which days: chosen at the top of a page and kept in its address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from analytics.periods import day_bounds, days_before
from analytics.sources import NO_RECORDINGS, Sources
from db.buckets import covered_span
from db.days import Chosen, cameras_by_zone, read_days, sources_of_days
from db.places import SiteRow
from pages.state import Place, database
from reports.words import weekday_words

ALL_SITES = "All sites"
ALL_CAMERAS = "All cameras"
EVERYTHING = "Everything"
OWN_DATES = "Choose dates"
_LAST_DAYS = {"Last day": 1, "Last 7 days": 7, "Last 28 days": 28, "Last 90 days": 90}
_PERIODS = (*_LAST_DAYS, EVERYTHING, OWN_DATES)
_DEFAULT_PERIOD = _PERIODS.index("Last 7 days")


_WEEK = 7

EARLIEST: Final = date(1990, 1, 1)
"""As of files' own times (fer_core.capture_time): a clock that was never set says one of before."""

BEFORE = "The period before"
SAME_WEEKDAYS = "Same weekdays, last 4 weeks"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of each site's own calendar, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def earlier(self, days: int) -> "Period":
        """The same stretch, that many days earlier."""
        step = timedelta(days=days)
        return Period(self.first - step, self.last - step)

    def before(self) -> "Period":
        """As many days, directly before."""
        return Period(*days_before(self.first, self.last))

    def same_weekdays(self) -> tuple["Period", ...]:
        """The same weekdays of the four weeks before, newest first: a Tuesday's four Tuesdays,
        a week's four weeks, a fortnight's two; nothing for more than four weeks.

        No day is in two of them or in the period, and each weekday is as frequent as in it.
        """
        step = -(-self.days // _WEEK) * _WEEK
        return tuple(self.earlier(days) for days in range(step, 4 * _WEEK + 1, step))

    def bounds(self, time_zone: str) -> tuple[datetime, datetime]:
        """[start, end) in UTC where days begin at midnight of ``time_zone``."""
        return day_bounds(self.first, self.last, time_zone)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a period is compared with: ``periods`` of its length, together. ``words``: what they
    are, as in "against the 7 days before"."""

    periods: tuple[Period, ...]
    words: str


def covered_days(places: Sequence[Place]) -> Period | None:
    """From the first local day with people to the last; None where nobody was seen yet."""
    first: list[date] = []
    last: list[date] = []
    with database().read() as session:
        for time_zone, camera_ids in cameras_by_zone(chosen_of(places)).items():
            span = covered_span(session, camera_ids)
            if span is not None:
                zone = ZoneInfo(time_zone)
                first.append(span[0].astimezone(zone).date())
                last.append((span[1] - timedelta(seconds=1)).astimezone(zone).date())
    return Period(min(first), max(last)) if first else None


def read_period(places: Sequence[Place], period: Period) -> pd.DataFrame:
    """The buckets of the places in the period, each by its site's own days."""
    with database().read() as session:
        return read_days(session, chosen_of(places), period.first, period.last)


def read_sources(places: Sequence[Place], *periods: Period) -> Sources:
    """The recordings of these periods together. To be asked for before the buckets: what is read in
    between is then called unread too long, and not missing without a word."""
    chosen = chosen_of(places)
    with database().read() as session:
        of = [sources_of_days(session, chosen, one.first, one.last) for one in joined(periods)]
    return sum(of, NO_RECORDINGS)


def read_later_sources(places: Sequence[Place], period: Period, covered: Period) -> Sources:
    """Those of the days after ``period``, where it ends with the newest day that has people: that
    may be so because nothing newer could be read."""
    if period.last < covered.last:
        return NO_RECORDINGS
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # it is that somewhere already
    first = period.last + timedelta(days=1)
    return read_sources(places, Period(first, tomorrow)) if first <= tomorrow else NO_RECORDINGS


def joined(periods: Sequence[Period]) -> list[Period]:
    """The same days in as few stretches as can be, so that what touches two is met once."""
    stretches: list[Period] = []
    for one in sorted(periods, key=lambda period: period.first):
        if stretches and one.first <= stretches[-1].last + timedelta(days=1):
            last = max(one.last, stretches[-1].last)
            stretches[-1] = Period(stretches[-1].first, last)
        else:
            stretches.append(one)
    return stretches


def chosen_of(places: Sequence[Place]) -> Chosen:
    """Sites with the ids of their cameras among ``places``."""
    sites: dict[int, tuple[SiteRow, list[int]]] = {}
    for place in places:
        sites.setdefault(place.site.id, (place.site, []))[1].append(place.camera.id)
    return list(sites.values())


def choose_site(places: Sequence[Place]) -> list[Place]:
    """One site or all. Asks nothing where there is one."""
    site_names = list(dict.fromkeys(place.site.name for place in places))
    if len(site_names) < 2:
        return list(places)
    site = st.selectbox(
        "Site", [ALL_SITES, *site_names], key="site", bind="query-params", width=240
    )
    return [place for place in places if site in {ALL_SITES, place.site.name}]


def choose_places(places: Sequence[Place]) -> list[Place]:
    """One site or all, one of its cameras or all. Asks nothing where there is no choice."""
    chosen = choose_site(places)
    if len({place.site.id for place in chosen}) == 1 and len(chosen) > 1:
        names = [place.camera.name for place in chosen]
        camera = st.selectbox(
            "Camera", [ALL_CAMERAS, *names], key="camera", bind="query-params", width=240
        )
        if camera != ALL_CAMERAS:
            chosen = [place for place in chosen if place.camera.name == camera]
    return chosen


def choose_period(covered: Period) -> Period:
    """A stretch that ends with the newest day that has people, or dates of one's own."""
    choice = st.selectbox(
        "Period", _PERIODS, index=_DEFAULT_PERIOD, key="period", bind="query-params", width=180
    )
    if choice == EVERYTHING:
        return covered
    if choice != OWN_DATES:
        length = _LAST_DAYS[str(choice)]
        return Period(covered.last - timedelta(days=length - 1), covered.last)
    default = (max(covered.first, covered.last - timedelta(days=6)), covered.last)
    if "dates" not in st.session_state and "dates" not in st.query_params:
        # Not as its default, which is left out of the address and moves with new footage.
        st.session_state["dates"] = default
    earliest, latest = taken_bounds()
    dates = st.date_input(
        "From and to",
        value=[],
        min_value=min(earliest, covered.first),
        max_value=max(latest, covered.last),
        format="DD/MM/YYYY",
        key="dates",
        bind="query-params",
        width=260,
    )
    return chosen_days(dates) or Period(*default)


def taken_bounds() -> tuple[date, date]:
    """The days that footage may be asked for. Without bounds a field takes only the ten years
    around today, and clocks of cameras fall back further."""
    return EARLIEST, date(datetime.now(UTC).year + 10, 12, 31)


def chosen_days(dates: Sequence[date]) -> Period | None:
    """What was entered as a stretch of days; while only the first is chosen, that day. None where
    none is.

    An address may name them in either order; the calendar gives the earlier one first.
    """
    return Period(min(dates), max(dates)) if dates else None


def choose_baseline(period: Period, covered: Period) -> Baseline:
    """The period before, or the same weekdays of the last four weeks where they fit: of those
    weeks the ones since ``covered`` began, and the newest in any case."""
    weekdays = period.same_weekdays()
    weekdays = tuple(one for one in weekdays if one.first >= covered.first) or weekdays[:1]
    choices = (BEFORE, SAME_WEEKDAYS) if weekdays else (BEFORE,)
    choice = st.selectbox("Compare with", choices, key="against", bind="query-params", width=240)
    if choice == SAME_WEEKDAYS and weekdays:
        return Baseline(weekdays, _weekdays_words(period, len(weekdays), len(weekdays)))
    words = "the day before" if period.days == 1 else f"the {period.days} days before"
    return Baseline((period.before(),), words)


def _weekdays_words(period: Period, repeats: int, among: int) -> str:
    """``repeats``: how often the period is repeated, ``among`` so many times directly before."""
    some = f"{repeats * -(-period.days // _WEEK)} of " if repeats < among else ""
    if period.days == 1:
        weekday = weekday_words(period.first.weekday())
        return f"{some}the {weekday if among == 1 else f'{among} {weekday}s'} before"
    weeks = among * -(-period.days // _WEEK)
    return f"the same weekdays of {some}the {'week' if weeks == 1 else f'{weeks} weeks'} before"


def read_baseline(
    places: Sequence[Place], baseline: Baseline, period: Period
) -> tuple[Baseline, list[pd.DataFrame]]:
    """What ``period`` can be compared with, and the buckets of each part of it: the parts of
    ``baseline`` in which anybody was seen, and the newest where nobody was in any."""
    parts = [read_period(places, part) for part in baseline.periods]
    kept = [number for number, part in enumerate(parts) if not part.empty] or [0]
    if len(kept) < len(parts):
        words = _weekdays_words(period, len(kept), len(parts))
        baseline = Baseline(tuple(baseline.periods[number] for number in kept), words)
    return baseline, [parts[number] for number in kept]

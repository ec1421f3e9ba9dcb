"""What a report is made of, and its figures: computed once, for PDF, Excel, mail and screen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import pandas as pd

from analytics.comparison import Comparison, compare
from analytics.scores import ScoreDefinition
from analytics.sources import NO_RECORDINGS, Sources
from analytics.summary import (
    Summary,
    by_camera,
    by_day,
    by_hour,
    by_month,
    by_week,
    by_weekday_hour,
    summarise,
)
from reports.words import day_words, month_words, week_words

SECTIONS: Final[Mapping[str, str]] = {
    "trend": "Trend",
    "expressions": "Expressions",
    "hours": "Hours of the week",
    "cameras": "Cameras",
    "days": "Day by day",
}
"""What a report can be made of, by the names that are stored, in its order. The first figures and
the method belong to every report."""

MOST_TREND_DAYS: Final = 92
_MOST_NAMES: Final = 3
"""So many sites or cameras are named in a line; more are counted."""
_MOST_DAYS: Final = 35
_MOST_WEEKS: Final = 27


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a report is made of.

    ``sites``, ``cameras``: names as chosen; no cameras means all of them. ``first_day``,
    ``last_day``: local days, both included. ``buckets``: the frame the pages are drawn from,
    already cut to period and cameras; ``before``: the same of as many days before, None where
    nothing is to be compared. ``target``: the index aimed at. ``sections``: of SECTIONS; none
    means all. ``generated_at``: aware, shown on its own clock. ``demonstration``: invented data.
    ``sources``, ``sources_before``: the recordings of these cameras, of the period and of the days
    before.
    """

    sites: Sequence[str]
    first_day: date
    last_day: date
    buckets: pd.DataFrame
    score: ScoreDefinition
    minimum_people: int
    generated_at: datetime
    before: pd.DataFrame | None = None
    target: float | None = None
    sections: Sequence[str] = ()
    cameras: Sequence[str] = ()
    demonstration: bool = False
    sources: Sources = NO_RECORDINGS
    sources_before: Sources = NO_RECORDINGS

    @property
    def title(self) -> str:
        """The names of a few sites, the number of many: a heading, and a mail's subject."""
        if len(self.sites) > _MOST_NAMES:
            return f"{len(self.sites)} sites"
        return " · ".join(self.sites) or "All sites"

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1

    @property
    def versus(self) -> str:
        """The period it is compared with, in words."""
        return "the day before" if self.days == 1 else f"the {self.days} days before"

    @property
    def cameras_words(self) -> str:
        if not self.cameras:
            return "all cameras"
        if len(self.cameras) > _MOST_NAMES:
            return f"{len(self.cameras)} cameras"
        return ("camera " if len(self.cameras) == 1 else "cameras ") + ", ".join(self.cameras)

    @property
    def counted_names(self) -> dict[str, Sequence[str]]:
        """The names of the sites and cameras that are too many for ``title`` and
        ``cameras_words``, by what they are."""
        named = {"Sites": self.sites, "Cameras": self.cameras}
        return {what: names for what, names in named.items() if len(names) > _MOST_NAMES}

    @property
    def models(self) -> str:
        """The versions of the recogniser that read the period, by name."""
        return ", ".join(sorted(self.sources.models))

    def has(self, section: str) -> bool:
        """Whether the section of that name (see SECTIONS) is wanted."""
        return not self.sections or section in self.sections


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """The figures of a report; for the frames see analytics.summary.

    ``score``: of every index. ``comparison``: with the period before; None where that holds
    nobody. ``trend``: days, or weeks where a line of days would be noise (``trend_weekly``); its
    key is ``day``.
    ``stretches``: days, weeks or months, so many that a page or two hold them, with their names
    in the column ``name``; ``stretch``: which of the three. ``hours``: of the week;
    ``hours_of_day``: all days together. ``hour_rows``: how many hours of cameras they rest on.
    """

    score: ScoreDefinition
    summary: Summary
    comparison: Comparison | None
    days: pd.DataFrame
    trend: pd.DataFrame
    trend_weekly: bool
    stretch: str
    stretches: pd.DataFrame
    hours: pd.DataFrame
    hours_of_day: pd.DataFrame
    cameras: pd.DataFrame
    hour_rows: int

    @property
    def before(self) -> Summary | None:
        """The figures of the period before."""
        return self.comparison.before if self.comparison else None


def report_figures(content: ReportContent) -> ReportFigures:
    """Every figure that a report prints, by the functions that the pages use."""
    args = (content.buckets, content.score, content.minimum_people)
    days = by_day(*args)
    weekly = content.days > MOST_TREND_DAYS
    comparison = (
        None
        if content.before is None or content.before.empty
        else compare(content.buckets, content.before, content.score, content.minimum_people)
    )
    stretch, stretches = "day", days
    words: Callable[[pd.Timestamp], str] = day_words
    if content.days > 7 * _MOST_WEEKS:
        stretch, stretches, words = "month", by_month(*args), month_words
    elif content.days > _MOST_DAYS:
        stretch, stretches, words = "week", by_week(*args), week_words
    cameras = by_camera(*args)
    several = cameras["site"].nunique() > 1
    return ReportFigures(
        score=content.score,
        summary=summarise(*args),
        comparison=comparison,
        days=days,
        trend=by_week(*args).rename(columns={"week": "day"}) if weekly else days,
        trend_weekly=weekly,
        stretch=stretch,
        stretches=stretches.assign(
            name=pd.Series([words(begin) for begin in stretches[stretch]], dtype="str")
        ),
        hours=by_weekday_hour(*args),
        hours_of_day=by_hour(*args),
        hour_rows=len(content.buckets),
        cameras=cameras.assign(
            name=cameras["site"].str.cat(cameras["camera"], sep=", ")
            if several
            else cameras["camera"]
        ),
    )

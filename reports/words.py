"""Figures as words: the one place that rounds what pages, hover texts and reports show.

Pages without figures use its words for days and people: pandas and SciPy are loaded by those who
have a figure.
"""

from datetime import date, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

    from analytics.comparison import Direction
    from analytics.intervals import Estimate

_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_WEEKDAYS: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip


def people_words(people: int) -> str:
    """``1 person``, ``12,345 people``."""
    return "1 person" if people == 1 else f"{people:,} people"


def index_words(value: float) -> str:
    """The index to one decimal: ``62.1``."""
    return f"{value:.1f}"


def share_words(value: float) -> str:
    """A share from 0 to 1 in whole percent: ``34%``."""
    return f"{100 * value:.0f}%"


def net_words(value: float) -> str:
    """A difference of shares in points, signed: ``+12 points``, ``−3 points``, ``0 points``."""
    points = round(100 * value)
    sign = "+" if points > 0 else "−" if points < 0 else ""
    return f"{sign}{abs(points)} {'point' if abs(points) == 1 else 'points'}"


def points_words(value: float) -> str:
    """A difference of indices, signed: ``+4.1``, ``−0.8``, ``0.0``."""
    shown = f"{abs(value):.1f}"
    sign = "" if float(shown) == 0 else "+" if value > 0 else "−"
    return f"{sign}{shown}"


def change_words(change: "Estimate", *, share: bool = False) -> str:
    """A change in time as a sentence's end: ``up 4.1 points, more than chance would explain``.

    ``share``: of shares from 0 to 1, in whole points; else of indices, in tenths.
    """
    way, size, why = _change_parts(change, share=share)
    if way == "level":
        return f"unchanged, to {'a point' if share else 'a tenth of a point'}"
    return f"{way} {size}, {why}"


def index_change_words(change: "Estimate", versus: str) -> str:
    """The change of the index as a sentence. ``versus``: as in ``the 7 days before``."""
    interval = f"interval {points_words(change.low)} to {points_words(change.high)}"
    return f"Index {change_words(change)}, against {versus} ({interval})."


def difference_words(difference: "Estimate", *, share: bool = False) -> str:
    """The same of two places: ``4.1 points higher, more than chance would explain``."""
    way, size, why = _change_parts(difference, share=share)
    if way == "level":
        return f"the same, to {'a point' if share else 'a tenth of a point'}"
    return f"{size} {'higher' if way == 'up' else 'lower'}, {why}"


def change_interval_words(change: "Estimate", *, share: bool = False) -> str:
    """Its ends: ``+0.8 to +7.4 points``; of shares ``−3 to +1 points``."""
    if share:
        low, high = (net_words(end).split()[0] for end in (change.low, change.high))
    else:
        low, high = points_words(change.low), points_words(change.high)
    return f"{low} to {high} points"


def _change_parts(change: "Estimate", *, share: bool) -> "tuple[Direction, str, str]":
    from analytics.comparison import direction, told_apart
    from analytics.intervals import Estimate

    points = Estimate(100 * change.value, 100 * change.low, 100 * change.high) if share else change
    size = f"{abs(points.value):.0f}" if share else index_words(abs(points.value))
    return (
        direction(points, 0 if share else 1),
        f"{size} {'point' if size == '1' else 'points'}",
        chance_words(told_apart(change)),
    )


def chance_words(told_apart: bool) -> str:
    """``more than chance would explain``, or that it could."""
    return "more than chance would explain" if told_apart else "which chance could explain"


def rank_words(low: int, high: int) -> str:
    """A rank as the data allow it: ``2``, or ``2 to 5``."""
    return str(low) if low == high else f"{low} to {high}"


def index_interval_words(estimate: "Estimate") -> str:
    """``58.0 to 66.2``."""
    return f"{index_words(estimate.low)} to {index_words(estimate.high)}"


def reach_words(figures: "pd.DataFrame") -> str:
    """How far the intervals of these indices (columns ``index``, ``_low`` and ``_high``) reach to
    either side: ``2.1 to 6.8 points``, or ``2.1 points``. At least one is not withheld."""
    above, below = figures["index_high"] - figures["index"], figures["index"] - figures["index_low"]
    reach = above.clip(lower=below).dropna()
    least, most = index_words(reach.min()), index_words(reach.max())
    return f"{least} points" if least == most else f"{least} to {most} points"


def share_interval_words(estimate: "Estimate") -> str:
    """``28% to 41%``; ends that whole percents do not tell apart get a decimal: ``11.6% to
    12.1%``."""
    low, high = share_words(estimate.low), share_words(estimate.high)
    if low == high and estimate.low < estimate.high:
        low, high = (f"{100 * end:.1f}%" for end in (estimate.low, estimate.high))
    return f"{low} to {high}"


def share_and_interval_words(estimate: "Estimate") -> str:
    """``34% (28% to 41%)``."""
    return f"{share_words(estimate.value)} ({share_interval_words(estimate)})"


def day_words(day: "date | pd.Timestamp", *, year: bool = False) -> str:
    """``Tuesday 3 Nov``, with ``year`` ``Tuesday 3 Nov 2026``. Never the machine's language."""
    words = f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"
    return f"{words} {day.year}" if year else words


def weekday_words(weekday: int) -> str:
    """0 is ``Monday``."""
    return _WEEKDAYS[weekday]


def date_words(day: "date | pd.Timestamp") -> str:
    """``3 Nov 2026``."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def period_words(first: date, last: date) -> str:
    """Both days included: ``3 Nov 2026``, or ``3 Nov 2026 to 9 Nov 2026``."""
    return date_words(first) if first == last else f"{date_words(first)} to {date_words(last)}"


def moment_words(moment: datetime) -> str:
    """``3 Nov 2026, 14:05 CET``, on the moment's own clock."""
    return f"{date_words(moment)}, {moment:%H:%M %Z}".strip()


def week_words(monday: "date | pd.Timestamp") -> str:
    """``Week of 2 Nov 2026``."""
    return f"Week of {date_words(monday)}"


def month_words(first: "date | pd.Timestamp") -> str:
    """``Nov 2026``."""
    return f"{_MONTHS[first.month - 1]} {first.year}"


def hour_words(hour: int) -> str:
    """``9:00 to 10:00``."""
    return f"{hour}:00 to {hour + 1}:00"


def expression_words(expression: str) -> str:
    """As a label: ``Happy``."""
    return expression.capitalize()


def withheld_words(read: int, minimum_people: int | None = None) -> str:
    """Why no figure is shown: ``withheld, 7 people read (fewer than 10)``."""
    bound = "too few" if minimum_people is None else f"fewer than {minimum_people}"
    return f"withheld, {people_words(read)} read ({bound})"

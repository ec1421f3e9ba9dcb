"""What a period says, in sentences: for reports, mails and the page above its tables."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from analytics.intervals import Moments, ends_told_apart
from analytics.scores import ScoreDefinition
from analytics.summary import Summary
from reports.content import ReportContent, ReportFigures
from reports.words import (
    day_words,
    expression_words,
    hour_words,
    index_change_words,
    index_interval_words,
    index_words,
    people_words,
    share_words,
    week_words,
    weekday_words,
)


def people_sentence(summary: Summary, minimum_people: int) -> str:
    """How many people the figures rest on, or why there are none; and whether more will come."""
    unread = unread_sentence(summary.unread)
    people = _people(summary, minimum_people)
    return people if unread is None else f"{people} {unread}"


def unread_sentence(recordings: int) -> str | None:
    """That so many of the period are still being read; None where none is."""
    if recordings == 0:
        return None
    return f"{_still_being_read(recordings, 'of this time')}; the figures will change."


def _still_being_read(recordings: int, time: str) -> str:
    what, are = ("recording", "is") if recordings == 1 else ("recordings", "are")
    return f"{recordings:,} {what} {time} {are} still being read"


def _people(summary: Summary, minimum_people: int) -> str:
    if summary.people == 0:
        return "Nobody was seen in this period."
    seen = f"{people_words(summary.people)} {'was' if summary.people == 1 else 'were'} seen"
    if summary.withheld:
        return (
            f"{seen}, {summary.read:,} of them could be read: figures from fewer than "
            f"{minimum_people} are withheld."
        )
    return f"{seen} ({summary.faces:,} faces); {summary.read:,} of them could be read."


def change_sentence(content: ReportContent, figures: ReportFigures) -> str | None:
    """The index against the period before, with the interval of the difference, and that footage
    of it is still being read; None where there is nothing of either to say."""
    change = figures.comparison.index if figures.comparison else None
    told = [] if change is None else [index_change_words(change, content.versus)]
    if content.unread_before:
        still = f"{_still_being_read(content.unread_before, f'from {content.versus}')}"
        if change is not None:
            told.append(f"{still}; the comparison will change.")
        elif not figures.summary.withheld:
            told.append(f"{still}; there is no comparison yet.")
    return " ".join(told) or None


def target_sentence(summary: Summary, target: float | None) -> str | None:
    """The index against the target, with its interval in mind."""
    if summary.index is None or target is None:
        return None
    index, aim = summary.index, index_words(target)
    if index.low <= target <= index.high:
        return (
            f"It cannot be told from the target of {aim}: the interval, "
            f"{index_interval_words(index)}, holds it."
        )
    above = index.value > target
    away = index_words(abs(index.value - target))
    return f"It is {away} points {'above' if above else 'below'} the target of {aim}."


def findings(figures: ReportFigures) -> list[tuple[str, str]]:
    """What stands out, as (lead, text): days, hours, cameras and expressions. Nothing where too
    little is known."""
    found = []
    score = figures.score
    trend_words = week_words if figures.trend_weekly else day_words
    days = _ends(figures.trend)
    if days:
        unit = "Weeks" if figures.trend_weekly else "Days"
        found.append((f"{unit}.", _high_and_low(days, score, lambda row: trend_words(row["day"]))))
    hours = _ends(figures.hours)
    if hours:

        def hour(row: "pd.Series[Any]") -> str:
            return f"{weekday_words(int(row['weekday']))}, {hour_words(int(row['hour']))}"

        found.append(("Hours of the week.", _high_and_low(hours, score, hour)))
    cameras = _ends(figures.cameras)
    if cameras:
        found.append(("Cameras.", _high_and_low(cameras, score, lambda row: str(row["name"]))))
    summary = figures.summary
    if not summary.withheld:
        most = sorted(
            ((n, e) for e, n in summary.counts.items() if e != "unknown"),
            key=lambda pair: -pair[0],
        )[:3]
        found.append(
            (
                "Expressions.",
                "Most people looked "
                + ", then ".join(
                    f"{expression_words(e).lower()} ({share_words(n / summary.read)})"
                    for n, e in most
                )
                + ".",
            )
        )
    return found


def _ends(rows: pd.DataFrame) -> "tuple[pd.Series[Any], pd.Series[Any], int] | None":
    """The rows of the highest and of the lowest index, and of how many that are shown; None where
    these are fewer than two."""
    shown = rows[rows["index"].notna()]
    if len(shown) < 2:
        return None
    high, low = shown["index"].argmax(), shown["index"].argmin()
    return shown.iloc[int(high)], shown.iloc[int(low)], len(shown)


def _high_and_low(
    ends: "tuple[pd.Series[Any], pd.Series[Any], int]",
    score: ScoreDefinition,
    name: "Callable[[pd.Series[Any]], str]",
) -> str:
    high, low, shown = ends
    told_apart = ends_told_apart(_moments(high, score), _moments(low, score), shown)
    sentence = (
        f"Highest: {name(high)} ({index_words(high['index'])}). "
        f"Lowest: {name(low)} ({index_words(low['index'])})."
    )
    return sentence if told_apart else f"{sentence} The difference may be chance."


def _moments(row: "pd.Series[Any]", score: ScoreDefinition) -> Moments:
    read = float(row["people"] - row["unknown"])
    return Moments(
        count=np.array([read]),
        total=np.array([read * float(row["index"])]),
        squares=np.array([float(row["index_squares"])]),
        lowest=score.lowest,
        highest=score.highest,
    )

"""What a period says, in sentences: for reports, mails and the page above its tables."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from analytics.intervals import Estimate, Moments, ends_told_apart
from analytics.scores import ScoreDefinition
from analytics.sources import Sources
from analytics.summary import Summary, expression_shares
from reports.content import ReportContent, ReportFigures
from reports.words import (
    day_words,
    expression_words,
    hour_words,
    index_change_words,
    index_interval_words,
    index_words,
    people_words,
    share_and_interval_words,
    week_words,
    weekday_words,
)


def people_sentence(summary: Summary, minimum_people: int, sources: Sources) -> str:
    """How many people the figures rest on, or why there are none; and what is missing."""
    return " ".join([_people(summary, minimum_people), *missing_sentences(sources)])


def missing_sentences(sources: Sources) -> list[str]:
    """What of the period's recordings is missing from its figures, still or for good."""
    return [
        sentence
        for sentence in (unread_sentence(sources.unread), failed_sentence(sources.failed))
        if sentence
    ]


def unread_sentence(recordings: int) -> str | None:
    """That so many of the period are still being read; None where none is."""
    if recordings == 0:
        return None
    return f"{_still_being_read(recordings, 'of this time')}; the figures will change."


def failed_sentence(recordings: int) -> str | None:
    """That so many of the period could not be read; None where none failed."""
    if recordings == 0:
        return None
    return f"{_failed(recordings, 'of this time')}; the figures lack the rest."


def unread_later_sentence(recordings: int) -> str | None:
    """That so many of the days after the period are still being read; None where none is."""
    if recordings == 0:
        return None
    return f"{_still_being_read(recordings, 'of later days')}."


def failed_later_sentence(recordings: int) -> str | None:
    """That so many of the days after the period could not be read; None where none failed."""
    return f"{_failed(recordings, 'of later days')}." if recordings else None


def _still_being_read(recordings: int, time: str) -> str:
    return f"{_recordings(recordings, time)} {'is' if recordings == 1 else 'are'} still being read"


def _failed(recordings: int, time: str) -> str:
    return f"{_recordings(recordings, time)} could not be read, or only in part"


def _recordings(number: int, time: str) -> str:
    return f"{number:,} {'recording' if number == 1 else 'recordings'} {time}"


def models_sentence(sources: Sources, what: str = "change") -> str | None:
    """That more than one version of the recogniser read what is compared; None where one did.
    ``what``: between these recordings."""
    if len(sources.models) < 2:
        return None
    return (
        f"{len(sources.models)} versions of the recogniser read this footage "
        f"({', '.join(sorted(sources.models))}): part of a {what} may be theirs."
    )


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
    """A report's ``change_sentences`` in one; None where there are none."""
    told = change_sentences(
        figures.comparison.index if figures.comparison else None,
        content.versus,
        content.sources,
        content.sources_before,
        withheld=figures.summary.withheld,
    )
    return " ".join(told) or None


def change_sentences(
    change: Estimate | None, versus: str, sources: Sources, before: Sources, *, withheld: bool
) -> list[str]:
    """The index against another time, with the interval of the difference, and what stands in the
    way of the comparison.

    ``versus``: that time, as in ``the 7 days before``. ``sources``, ``before``: the recordings of
    both. ``withheld``: whether there is no index to compare.
    """
    then = f"from {versus}"
    still = _still_being_read(before.unread, then) if before.unread else None
    if change is None:
        return [f"{still}; there is no comparison yet."] if still and not withheld else []
    told = [index_change_words(change, versus)]
    if still:
        told.append(f"{still}; the comparison will change.")
    if before.failed:
        told.append(f"{_failed(before.failed, then)}.")
    models = models_sentence(sources + before)
    return told if models is None else [*told, models]


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
        shares = expression_shares(summary).sort_values("people", ascending=False, kind="stable")
        most = [
            f"{expression_words(row['expression']).lower()}, "
            + share_and_interval_words(Estimate(row["share"], row["low"], row["high"]))
            for row in shares[shares["people"] > 0].head(3).to_dict("records")
        ]
        found.append(("Expressions.", f"Most often people looked {'; then '.join(most)}."))
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
        f"Highest: {name(high)} ({_index_and_people(high)}). "
        f"Lowest: {name(low)} ({_index_and_people(low)})."
    )
    return sentence if told_apart else f"{sentence} The difference may be chance."


def _index_and_people(row: "pd.Series[Any]") -> str:
    index = Estimate(row["index"], row["index_low"], row["index_high"])
    people = people_words(int(row["people"] - row["unknown"]))
    return f"{index_words(index.value)}, {index_interval_words(index)} from {people} read"


def _moments(row: "pd.Series[Any]", score: ScoreDefinition) -> Moments:
    read = float(row["people"] - row["unknown"])
    return Moments(
        count=np.array([read]),
        total=np.array([read * float(row["index"])]),
        squares=np.array([float(row["index_squares"])]),
        lowest=score.lowest,
        highest=score.highest,
    )

"""Alerts in words: what was seen, with its figures, and what to do next."""

from typing import Final

from analytics.alert_rules import AlertKind
from analytics.alerts import Alert
from reports.words import (
    day_words,
    index_interval_words,
    index_words,
    people_words,
    share_interval_words,
    share_words,
    weekday_words,
)

TITLES: Final = {
    AlertKind.BELOW_TARGET: "Under target",
    AlertKind.SUDDEN_DROP: "Sudden drop",
    AlertKind.SILENT: "Camera silent",
    AlertKind.UNKNOWN_SHARE: "Many could not be read",
}


def place_words(alert: Alert) -> str:
    """``Main Street``, or ``Main Street / Entrance``."""
    return alert.site if alert.camera is None else f"{alert.site} / {alert.camera}"


def when_words(alert: Alert) -> str:
    """``Monday 16 Nov``, or ``7 days to Sunday 22 Nov``; of a silent camera since when."""
    if alert.silence is not None:
        return f"since {day_words(alert.first)}, {alert.silence.last_seen:%H:%M}"
    days = (alert.last - alert.first).days + 1
    return day_words(alert.last) if days == 1 else f"{days} days to {day_words(alert.last)}"


def alert_sentence(alert: Alert) -> str:
    """What was seen."""
    if alert.silence is not None:
        return _silent(alert)
    if alert.value is None:
        raise ValueError("only a silent camera has no figure")
    weekdays = f"{weekday_words(alert.last.weekday())}s"
    if alert.kind is AlertKind.UNKNOWN_SHARE:
        sentence = (
            f"{share_words(alert.value.value)} of {people_words(alert.people)} could not be read "
            f"({share_interval_words(alert.value)})."
        )
        if alert.usual is None:
            return sentence
        return (
            f"{sentence} On {weekdays} before it was about {share_words(alert.usual.value)}; up to "
            f"{share_words(alert.usual.high)} is ordinary."
        )
    figure = (
        f"{index_words(alert.value.value)} ({index_interval_words(alert.value)}; "
        f"{people_words(alert.people)} read)"
    )
    if alert.target is not None:
        return f"The index was {figure}, under the target of {alert.target:g}.{_left_out(alert)}"
    if alert.usual is None:
        raise ValueError("an alert is about a target or about what is usual")
    return (
        f"The index fell to {figure}. {weekdays} before were about "
        f"{index_words(alert.usual.value)}; {index_interval_words(alert.usual)} is ordinary."
    )


def _left_out(alert: Alert) -> str:
    """Which of its days the figure says nothing of: whoever looks at them sees another one."""
    if alert.left_out == 0:
        return ""
    if alert.left_out == 1:
        return " One of these days is left out: its footage is still being read."
    return f" {alert.left_out} of these days are left out: their footage is still being read."


def _silent(alert: Alert) -> str:
    silence = alert.silence
    if silence is None:
        return ""
    hours = "opening hour" if silence.hours == 1 else "opening hours"
    if silence.by_habit:
        hours = f"{hours.removeprefix('opening ')} in which it usually sees people"
    usual = (
        f"never for more than {silence.usual}"
        if silence.usual
        else "people were there in every such hour"
    )
    return f"Nobody was seen for {silence.hours} {hours}. In the weeks before, {usual}."


def next_step(alert: Alert) -> str:
    """What to do about it."""
    match alert.kind:
        case AlertKind.BELOW_TARGET:
            return "See which hours and cameras keep it down."
        case AlertKind.SUDDEN_DROP:
            return "See which hours and cameras fell, and ask what was different that day."
        case AlertKind.UNKNOWN_SHARE:
            return "Look at the camera: is the lens clean, the light on, the view as it was?"
        case AlertKind.SILENT:
            if alert.silence is not None and alert.silence.has_failed:
                return _not_read(is_filmed=alert.silence.is_filmed)
            if alert.silence is not None and alert.silence.is_filmed:
                return (
                    "Its footage comes in, but nobody is in it: see whether it is covered, turned "
                    "away or in the dark. If the store was closed, nothing is wrong."
                )
            return (
                "No footage of that time came in: see whether the camera and its upload run. If "
                "the store was closed, nothing is wrong."
            )


def _not_read(*, is_filmed: bool) -> str:
    """``is_filmed``: other footage of that time was."""
    if is_filmed:
        return (
            "Some footage of that time could not be read, or was cancelled: see Recordings. Nobody "
            "is in the rest: see whether the camera is covered, turned away or in the dark."
        )
    return "Footage of that time came in but could not be read, or was cancelled: see Recordings."
